"""A record as a question with its answer, and such an answer as a record again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypedDict

from pydantic import JsonValue

from plaudit.schemas.conversation import Messages
from plaudit.schemas.feedback import (
    AnyRecord,
    Comparison,
    Correction,
    Demonstration,
    Document,
    Highlights,
    Prompt,
    Ranking,
    Rating,
)
from plaudit.schemas.judgement import Axis, ItemKind, Judgement
from plaudit.store.errors import InvalidError
from plaudit.store.items import Origin

# The axis of ratings that came with a scale of their own.
OVERALL = "overall"
_MARGIN = "margin"


@dataclass(frozen=True, slots=True)
class Question:
    """What was asked about which answers, who said what, and what came along with it."""

    id: str
    source: str
    weight: float
    annotator: str
    prompt: Messages
    kind: ItemKind
    answers: tuple[tuple[Messages, Origin], ...]
    judgement: Judgement
    extra: dict[str, JsonValue] = field(default_factory=dict)


def question_of(record: AnyRecord) -> Question:
    """The record, taken apart. Raises InvalidError for a document or a bare prompt, about which nobody said anything."""
    match record:
        case Document() | Prompt():
            raise InvalidError(
                f"a {type(record).__name__.lower()} is no feedback: nobody said anything about an answer"
            )
        case Comparison():
            said = Judgement(verdict=record.verdict, strength=record.strength, reason=record.reason)
            models = [Origin(model=_claimed(record, name)) for name in ("model_a", "model_b")]
            answers = tuple(zip((record.a, record.b), models, strict=True))
            margin = {} if record.margin is None else {_MARGIN: record.margin}
            return _question(record, ItemKind.COMPARISON, answers, said, {**margin, **record.extra})
        case Ranking():
            said = Judgement(ranks=record.ranks, unacceptable=record.unacceptable)
            cut = record.truncated or (False,) * len(record.completions)
            answers = tuple(
                (text, Origin(is_truncated=short)) for text, short in zip(record.completions, cut, strict=True)
            )
            return _question(record, ItemKind.RANKING, answers, said)
        case Rating():
            said = Judgement(ratings={OVERALL: (record.score,)}, scale=(record.minimum, record.maximum))
            return _question(record, ItemKind.RATING, _alone(record.completion), said)
        case Correction():
            said = Judgement(edit=record.corrected, edit_of=0)
            return _question(record, ItemKind.CORRECTION, _alone(record.completion), said)
        case Highlights():
            return _question(record, ItemKind.HIGHLIGHTS, _alone(record.completion), Judgement(spans=(record.spans,)))
        case Demonstration():
            return _question(record, ItemKind.DEMONSTRATION, (), Judgement(edit=record.completion))


def _question(
    record: Comparison | Ranking | Rating | Correction | Highlights | Demonstration,
    kind: ItemKind,
    answers: tuple[tuple[Messages, Origin], ...],
    said: Judgement,
    extra: dict[str, JsonValue] | None = None,
) -> Question:
    return Question(
        id=record.id,
        source=record.source,
        weight=record.weight,
        annotator=record.annotator or "",
        prompt=record.prompt,
        kind=kind,
        answers=answers,
        judgement=said,
        extra=record.extra if extra is None else extra,
    )


def _alone(completion: Messages) -> tuple[tuple[Messages, Origin], ...]:
    return ((completion, Origin()),)


def _claimed(record: Comparison, name: str) -> str:
    """The model that a file says answered."""
    model = record.extra.get(name)
    return model if isinstance(model, str) else ""


def records_of(question: Question, axes: Sequence[Axis] = ()) -> list[AnyRecord]:
    """What a trainer may learn from it: what was asked for under the question's id, and what was said beside it.

    A comparison that says "incomparable" comes too: whoever makes pairs of it drops it. Verdicts on single axes go along in
    `extra`: as records of their own they would be taken for verdicts on the whole.
    """
    found = [*_order(question), *_ratings(question, axes), *_written(question), *_marked(question)]
    asked_for = {
        ItemKind.COMPARISON: Comparison,
        ItemKind.RANKING: Ranking,
        ItemKind.RATING: Rating,
        ItemKind.CORRECTION: Correction,
        ItemKind.HIGHLIGHTS: Highlights,
        ItemKind.DEMONSTRATION: Demonstration,
    }[question.kind]
    mine = [record for record in found if isinstance(record, asked_for)]
    beside = [record for record in found if not isinstance(record, asked_for)]
    # One record is the row itself; several, and those beside it, are parts of it.
    if len(mine) == 1:
        mine = [mine[0].model_copy(update={"id": question.id})]
    return [*mine, *beside]


def _order(question: Question) -> Iterator[AnyRecord]:
    said, answers = question.judgement, [messages for messages, _ in question.answers]
    extra = dict(question.extra)
    if said.verdict is not None and len(answers) == 2:
        margin = extra.pop(_MARGIN, None)
        yield Comparison(
            **_common(question, "verdict", extra),
            a=answers[0],
            b=answers[1],
            verdict=said.verdict,
            strength=said.strength,
            margin=float(margin) if isinstance(margin, int | float) else None,
            reason=said.reason,
        )
    if (said.ranks or said.unacceptable) and len(answers) > 1:
        cut = tuple(origin.is_truncated for _, origin in question.answers)
        yield Ranking(
            **_common(question, "ranks", extra),
            completions=tuple(answers),
            ranks=said.ranks or (None,) * len(answers),
            unacceptable=said.unacceptable,
            truncated=cut if any(cut) else (),
        )


def _ratings(question: Question, axes: Sequence[Axis]) -> Iterator[AnyRecord]:
    scales = {axis.name: (axis.minimum, axis.maximum) for axis in axes}
    for name, scores in question.judgement.ratings.items():
        minimum, maximum = question.judgement.scale or scales[name]
        extra = question.extra if question.judgement.scale else {**question.extra, "axis": name}
        for place, score in enumerate(scores):
            if score is not None:
                yield Rating(
                    **_common(question, f"{name}/{place}", extra),
                    completion=question.answers[place][0],
                    score=score,
                    minimum=minimum,
                    maximum=maximum,
                )


def _written(question: Question) -> Iterator[AnyRecord]:
    said = question.judgement
    if said.edit and said.edit_of is not None:
        completion = question.answers[said.edit_of][0]
        yield Correction(**_common(question, "edit"), completion=completion, corrected=said.edit)
    elif said.edit:
        yield Demonstration(**_common(question, "edit"), completion=said.edit)


def _marked(question: Question) -> Iterator[AnyRecord]:
    for place, spans in enumerate(question.judgement.spans):
        completion = question.answers[place][0]
        if len(completion) == 1:  # A place in an answer of several messages is none in a text.
            yield Highlights(**_common(question, f"spans/{place}"), completion=completion, spans=spans)


class _Common(TypedDict):
    id: str
    source: str
    weight: float
    annotator: str | None
    extra: dict[str, JsonValue]
    prompt: Messages


def _common(question: Question, part: str, extra: dict[str, JsonValue] | None = None) -> _Common:
    kept = dict(question.extra if extra is None else extra)
    if question.judgement.critique:
        kept["critique"] = question.judgement.critique
    if question.judgement.axis_verdicts:
        kept["axis_verdicts"] = {axis: str(word) for axis, word in question.judgement.axis_verdicts.items()}
    return {
        "id": f"{question.id}/{part}",
        "source": question.source,
        "weight": question.weight,
        "annotator": question.annotator or None,
        "extra": kept,
        "prompt": question.prompt,
    }
