"""Which records are fit for a snapshot? Personal data, length, language, offensive words, duplicates, contradictions.

Each rule is a field of `CleaningConfig`. What a rule did is reported by ids and counts, never by the text it took out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from plaudit.quality.cleaning_report import Cleaned, Conflicting, Dropped, Rule
from plaudit.quality.contents import (
    answers_of,
    exemplary_answers,
    prompt_of,
    prompt_wording,
    prose_of,
    record_wording,
    text_of,
)
from plaudit.quality.contradictions import Conflict, Contradiction, contradictions
from plaudit.quality.duplicates import Cluster, Wording, canonical_text, exact_duplicates, near_duplicates
from plaudit.quality.redaction import redacted_record
from plaudit.rules.languages import LANGUAGES, detected_language, language_of
from plaudit.rules.personal_data import PersonalKind, redacted
from plaudit.rules.toxicity import Toxicity, toxic_spans
from plaudit.schemas.errors import PlauditError
from plaudit.schemas.feedback import AnyRecord


class PersonalData(StrEnum):
    """What becomes of a record with personal data in it."""

    REDACT = "redact"
    DROP = "drop"
    KEEP = "keep"


class NearDuplicates(StrEnum):
    """What is held against each other: nothing, whole records, or prompts."""

    OFF = "off"
    RECORDS = "records"
    PROMPTS = "prompts"


class Contradictory(StrEnum):
    """What becomes of verdicts that cannot both be right."""

    REPORT = "report"
    DROP = "drop"
    KEEP = "keep"


class LanguageDetector(StrEnum):
    """Who tells the language of a text."""

    OWN = "own"
    LINGUA = "lingua"


@dataclass(frozen=True, kw_only=True, slots=True)
class CleaningConfig:
    """Which rules hold. They are applied in this order, each to what the one before left."""

    personal_data: PersonalData = PersonalData.REDACT
    """`redact` puts placeholders such as [PHONE] for e-mail, phone, card, identity and account numbers and IP addresses;
    `drop` leaves the record out; `keep` does not look for them."""
    max_prompt_chars: int | None = None
    """A record with a longer prompt is dropped (none: any length). Raising it lets longer conversations in."""
    min_answer_chars: int = 0
    """A record with a shorter answer is dropped. Raising it drops curt answers, and comparisons in which one is curt."""
    max_answer_chars: int | None = None
    """A record with a longer answer is dropped (none: any length). Raising it lets longer answers and documents in."""
    languages: tuple[str, ...] = ()
    """ISO 639-1 codes: a record in another language is dropped (none: any language). Code between fences does not count, and
    where nothing tells the record stays."""
    language_detector: LanguageDetector = LanguageDetector.OWN
    """`own` tells 16 languages by script and little words; `lingua` (`pip install 'plaudit[language]'`) tells 75, and
    sentences without little words, for a gigabyte of memory and 15 to 50 times the time."""
    toxicity: tuple[Toxicity, ...] = ()
    """A record is dropped where an answer that a model would learn to give has such words: one that was demonstrated,
    corrected or preferred. Prompts, and answers that lost, may have them: they teach what not to say."""
    exact_duplicates: bool = True
    """Of equal records the first is kept. Opinions of different people are never duplicates."""
    near_duplicates: NearDuplicates = NearDuplicates.RECORDS
    """Of nearly equal records the first is kept (`records`: every message alike; of opinions the prompt, with the same said
    of equal answers by the same person), or of nearly equal prompts the records over the first (`prompts`: for rollouts, and
    where prompts were made from templates)."""
    near_duplicate_threshold: float = 0.8
    """How much of their shingles two messages share to be nearly equal, above 0 up to 1. Raising it keeps more records."""
    contradictions: Contradictory = Contradictory.REPORT
    """`drop` leaves out what one person says both ways, and preferences between equal answers; who stands against a majority
    stays in any case. `keep` does not look for them."""

    def __post_init__(self) -> None:
        for name, value in (("max_prompt_chars", self.max_prompt_chars), ("max_answer_chars", self.max_answer_chars)):
            if value is not None and value < 1:
                raise PlauditError(f"{name} must be at least 1, got {value}: leave it out for any length")
        if self.min_answer_chars < 0 or (self.max_answer_chars or self.min_answer_chars) < self.min_answer_chars:
            raise PlauditError(
                f"min_answer_chars must be at least 0 and at most max_answer_chars ({self.max_answer_chars}), got "
                f"{self.min_answer_chars}"
            )
        if not 0 < self.near_duplicate_threshold <= 1:
            raise PlauditError(
                f"near_duplicate_threshold must lie above 0 and at most at 1, got {self.near_duplicate_threshold}"
            )
        unknown = sorted(set(self.languages) - set(LANGUAGES))
        if unknown and self.language_detector is LanguageDetector.OWN:
            raise PlauditError(
                f"the detector `own` does not know {', '.join(unknown)}: choose among {', '.join(LANGUAGES)}, or the detector "
                "`lingua`"
            )


def clean(records: Iterable[AnyRecord], config: CleaningConfig | None = None) -> Cleaned:
    """The records that are left, in their order, and what was dropped and found. Cleaned again, they stay as they are.

    Of duplicates the first is kept; otherwise what becomes of a record does not depend on where it stands. Raises
    PlauditError where the language detector is not installed.
    """
    config = config or CleaningConfig()
    given = list(records)
    found: Counter[PersonalKind] = Counter()
    with_personal: list[int] = []
    left: dict[int, AnyRecord] = {}
    dropped: dict[int, Rule] = {}
    for index, record in enumerate(given):
        if config.personal_data is not PersonalData.KEEP:
            record, kinds = redacted_record(record)
            found += kinds
            with_personal += [index] if kinds else []
            if kinds and config.personal_data is PersonalData.DROP:
                dropped[index] = Rule.PERSONAL_DATA
                continue
        if rule := _broken_rule(record, config):
            dropped[index] = rule
        else:
            left[index] = record
    first_of = _drop_duplicates(left, dropped, config)
    conflicts = _drop_contradictions(left, dropped, config)
    names = [redacted(record.id) or f"row {index + 1}" for index, record in enumerate(given)]

    def named(index: int) -> Dropped:
        kept = names[first_of[index]] if index in first_of else None
        return Dropped(names[index], redacted(given[index].source), dropped[index], kept)

    return Cleaned(
        kept=list(left.values()),
        dropped=tuple(map(named, sorted(dropped))),
        personal_data={kind: found[kind] for kind in PersonalKind if found[kind]},
        with_personal_data=tuple(names[index] for index in with_personal),
        contradictions=tuple(
            Conflicting(row.conflict, tuple(names[index] for index in row.indices), row.num_with, row.num_against)
            for row in conflicts
        ),
    )


def _broken_rule(record: AnyRecord, config: CleaningConfig) -> Rule | None:
    """The first rule that the record breaks by itself."""
    prompt, answers = text_of(prompt_of(record)), [text_of(answer) for answer in answers_of(record)]
    if config.max_prompt_chars is not None and len(prompt) > config.max_prompt_chars:
        return Rule.LENGTH
    longest = config.max_answer_chars
    if any(len(answer) < config.min_answer_chars or (longest and len(answer) > longest) for answer in answers):
        return Rule.LENGTH
    if config.languages:
        language = _detector(config.language_detector)(prose_of(record))
        if language is not None and language not in config.languages:
            return Rule.LANGUAGE
    if config.toxicity:
        words = [span.category for answer in exemplary_answers(record) for span in toxic_spans(text_of(answer))]
        if set(words) & set(config.toxicity):
            return Rule.TOXICITY
    return None


def _detector(detector: LanguageDetector) -> Callable[[str], str | None]:
    return language_of if detector is LanguageDetector.OWN else detected_language


def _drop_duplicates(left: dict[int, AnyRecord], dropped: dict[int, Rule], config: CleaningConfig) -> dict[int, int]:
    """Moves duplicates from `left` to `dropped`; for each the record that stays in its place."""
    first_of: dict[int, int] = {}

    def drop(groups: Iterable[Sequence[int]], rule: Rule) -> None:
        for first, *others in groups:
            for index in others:
                first_of[index] = first
                dropped[index] = rule
                del left[index]

    if config.exact_duplicates:
        drop(
            _indices(left, exact_duplicates([record_wording(record) for record in left.values()])), Rule.EXACT_DUPLICATE
        )
    match config.near_duplicates:
        case NearDuplicates.RECORDS:
            wordings = [record_wording(record) for record in left.values()]
            clusters = near_duplicates(wordings, config.near_duplicate_threshold)
            drop(_indices(left, clusters), Rule.NEAR_DUPLICATE)
        case NearDuplicates.PROMPTS:
            drop(_over_near_prompts(left, config.near_duplicate_threshold), Rule.NEAR_DUPLICATE)
    # What a record equals may be nearly another.
    return {index: first_of.get(first, first) for index, first in first_of.items()}


def _indices(left: Mapping[int, AnyRecord], clusters: Iterable[Cluster]) -> list[list[int]]:
    """Clusters of places among those that are left, as clusters of records."""
    indices = list(left)
    return [[indices[place] for place in cluster] for cluster in clusters]


def _over_near_prompts(left: Mapping[int, AnyRecord], threshold: float) -> list[list[int]]:
    """For each cluster of prompts a record over the first, then all records over the others."""
    over: dict[Wording, list[int]] = {}
    for index, record in left.items():
        wording = prompt_wording(record)
        key = Wording(wording.group, tuple(map(canonical_text, wording.parts)))
        over.setdefault(key, []).append(index)
    indices = list(over.values())
    return [
        [indices[first][0], *(index for place in others for index in indices[place])]
        for first, *others in near_duplicates(list(over), threshold)
    ]


def _drop_contradictions(
    left: dict[int, AnyRecord], dropped: dict[int, Rule], config: CleaningConfig
) -> list[Contradiction]:
    """The contradictions among those that are left; if it is so configured, moves those from `left` to `dropped`."""
    if config.contradictions is Contradictory.KEEP:
        return []
    indices = list(left)
    found = [
        replace(row, indices=tuple(indices[place] for place in row.indices))
        for row in contradictions(list(left.values()))
    ]
    if config.contradictions is Contradictory.DROP:
        doubtful = {index for row in found if row.conflict is not Conflict.MAJORITY for index in row.indices}
        for index in sorted(doubtful):
            dropped[index] = Rule.CONTRADICTION
            del left[index]
    return found
