"""What a set of records holds, in numbers a person checks before training on it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean

from plaudit.formats.native import kind_of
from plaudit.formats.splits import split_key
from plaudit.schemas.conversation import Messages, canonical_json
from plaudit.schemas.feedback import (
    AnyRecord,
    Comparison,
    Correction,
    Demonstration,
    Document,
    Highlights,
    Ranking,
    Rating,
)
from plaudit.schemas.preference import pairs_from_ranks

_INDEX = re.compile(r"\[\d+\]")


@dataclass(frozen=True, slots=True)
class KindSummary:
    """Counts over the records of one kind. Lengths are characters; an answer is empty where it is blank."""

    kind: str
    num_records: int
    num_prompts: int
    mean_prompt_chars: float
    mean_answer_chars: float
    num_empty_answers: int
    num_same_answers: int
    """Records in which two answers are the same text."""
    num_duplicates: int
    """Records that say what an earlier one said: all fields equal but id, source and extra."""
    num_repeated_ids: int
    verdicts: dict[str, int]
    num_tied_rankings: int
    num_ranked_pairs: int
    num_tied_pairs: int
    num_unranked_answers: int
    mean_answers: float
    spans: dict[str, int]
    """Marked spans by label."""
    further: dict[str, int]
    """Columns kept in `extra` by name, an index in a name as [i]: in how many records they stand."""


def summaries(records: Iterable[AnyRecord]) -> list[KindSummary]:
    """One summary a kind, the most frequent first."""
    by_kind: dict[str, list[AnyRecord]] = {}
    for record in records:
        by_kind.setdefault(kind_of(record), []).append(record)
    return [_summary(kind, found) for kind, found in sorted(by_kind.items(), key=lambda entry: -len(entry[1]))]


def answers_of(record: AnyRecord) -> Sequence[Messages]:
    """The record's answers; a correction's text before and after, none for a document or a prompt."""
    match record:
        case Demonstration() | Rating() | Highlights():
            return (record.completion,)
        case Comparison():
            return (record.a, record.b)
        case Ranking():
            return record.completions
        case Correction():
            return (record.completion, record.corrected)
    return ()


def text_of(messages: Messages) -> str:
    """The messages' texts, a blank line between them."""
    return "\n\n".join(message.text for message in messages)


def _summary(kind: str, records: Sequence[AnyRecord]) -> KindSummary:
    answers = [[text_of(answer) for answer in answers_of(record)] for record in records]
    every_answer = [text for texts in answers for text in texts]
    prompts = [record.text if isinstance(record, Document) else text_of(record.prompt) for record in records]
    rankings = [record for record in records if isinstance(record, Ranking)]
    pairs = [pairs_from_ranks(ranking.ranks, 1.0) for ranking in rankings]
    ties = [sum(pair.target == 0.5 for pair in found) for found in pairs]
    return KindSummary(
        kind=kind,
        num_records=len(records),
        num_prompts=len({split_key(record) for record in records}),
        mean_prompt_chars=fmean(map(len, prompts)),
        mean_answer_chars=fmean(map(len, every_answer)) if every_answer else 0.0,
        num_empty_answers=sum(not text.strip() for text in every_answer),
        num_same_answers=sum(len(set(texts)) < len(texts) for texts in answers),
        num_duplicates=_num_repeated(_content(record) for record in records),
        num_repeated_ids=_num_repeated(record.id for record in records),
        verdicts=dict(Counter(record.verdict.value for record in records if isinstance(record, Comparison))),
        num_tied_rankings=sum(num > 0 for num in ties),
        num_ranked_pairs=sum(map(len, pairs)),
        num_tied_pairs=sum(ties),
        num_unranked_answers=sum(ranking.ranks.count(None) for ranking in rankings),
        mean_answers=fmean(map(len, answers)),
        spans=dict(Counter(span.label for r in records if isinstance(r, Highlights) for span in r.spans)),
        further=dict(Counter(name for record in records for name in _extra_names(record))),
    )


def _extra_names(record: AnyRecord) -> set[str]:
    return {_INDEX.sub("[i]", name) for name in record.extra}


def _content(record: AnyRecord) -> str:
    return canonical_json(record.model_dump(mode="json", exclude={"id", "source", "extra"}))


def _num_repeated(keys: Iterable[str]) -> int:
    counts = Counter(keys)
    return counts.total() - len(counts)
