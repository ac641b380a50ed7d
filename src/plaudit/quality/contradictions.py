"""Which verdicts cannot both be right? The same person's on the same answers, one against the majority, one on equal answers.

They are reported. Whoever contradicts the others may be the one who is right, and `labels` weighs every person's word.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from plaudit.quality.contents import canonical_messages, middle_of
from plaudit.schemas.conversation import canonical_json
from plaudit.schemas.feedback import AnyRecord, Comparison, Ranking, Rating, axis_of
from plaudit.schemas.preference import preference_group


class Conflict(StrEnum):
    """What a verdict is at odds with."""

    OWN_WORD = "own_word"
    MAJORITY = "majority"
    EQUAL_ANSWERS = "equal_answers"


@dataclass(frozen=True, slots=True)
class Contradiction:
    """`indices` name the records, in order: all of a person's that disagree, or those against the majority.

    `num_with` and `num_against` count people where a majority is: who say the same, and who say the opposite.
    """

    conflict: Conflict
    indices: tuple[int, ...]
    num_with: int = 0
    num_against: int = 0


@dataclass(frozen=True, slots=True)
class _Word:
    """A strict verdict: `side` is 1 for the first of two answers in their canonical order (for a rating: good), else -1."""

    person: str
    side: int
    index: int


def contradictions(records: Sequence[AnyRecord]) -> list[Contradiction]:
    """Every contradiction between the records' strict verdicts, in the order of the answers they are about.

    A verdict is on a prompt and two answers in whatever order they stand, or on one answer rated above or below the middle,
    and on one axis (`axis_of`); ties contradict nothing. Who contradicts themselves has no vote in the majority, and of two
    equal halves neither is one. Records without annotator are taken to be one person's, as in `labels`.
    """
    asked: dict[str, list[_Word]] = {}
    found: list[Contradiction] = []
    for index, record in enumerate(records):
        for question, side in _words(record):
            if question is None:
                found.append(Contradiction(Conflict.EQUAL_ANSWERS, (index,)))
            else:
                asked.setdefault(question, []).append(_Word(record.annotator or "", side, index))
    for words in asked.values():
        found += _own(words)
        found += _against_majority(words)
    return list(dict.fromkeys(found))


def _words(record: AnyRecord) -> Iterator[tuple[str | None, int]]:
    """The strict verdicts of a record: what about, None for two equal answers, and which side."""
    if isinstance(record, Comparison | Ranking):
        group = preference_group(record)
        prompt = canonical_messages(record.prompt)
        answers = [canonical_messages(answer) for answer in group.completions]
        for pair in group.pairs:
            a, b = answers[pair.a], answers[pair.b]
            if pair.target != 0.5:
                question = canonical_json([axis_of(record), prompt, *sorted((a, b))]) if a != b else None
                yield question, 1 if (pair.target > 0.5) == (a < b) else -1
    elif isinstance(record, Rating) and record.score != middle_of(record):
        prompt, answer = canonical_messages(record.prompt), canonical_messages(record.completion)
        yield canonical_json([axis_of(record), prompt, answer]), 1 if record.score > middle_of(record) else -1


def _sides(words: Sequence[_Word]) -> dict[str, set[int]]:
    """What each person said."""
    sides: dict[str, set[int]] = {}
    for word in words:
        sides.setdefault(word.person, set()).add(word.side)
    return sides


def _own(words: Sequence[_Word]) -> Iterator[Contradiction]:
    for person, sides in _sides(words).items():
        if len(sides) == 2:
            indices = dict.fromkeys(word.index for word in words if word.person == person)
            yield Contradiction(Conflict.OWN_WORD, tuple(indices))


def _against_majority(words: Sequence[_Word]) -> Iterator[Contradiction]:
    votes = {person: min(sides) for person, sides in _sides(words).items() if len(sides) == 1}
    num_first = sum(side == 1 for side in votes.values())
    few, many = sorted((num_first, len(votes) - num_first))
    if few and few < many:
        lost = 1 if num_first == few else -1
        indices = dict.fromkeys(word.index for word in words if votes.get(word.person) == lost)
        yield Contradiction(Conflict.MAJORITY, tuple(indices), few, many)
