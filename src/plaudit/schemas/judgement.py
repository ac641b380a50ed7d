"""What a person hands in about the answers of one item, before it is anybody's record."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Self, TypeVar

from pydantic import Field, field_validator, model_validator

from plaudit.schemas.conversation import Frozen, Messages, Role
from plaudit.schemas.feedback import Span, Verdict

T = TypeVar("T")


class ItemKind(StrEnum):
    """What is asked about an item's answers."""

    COMPARISON = "comparison"
    RANKING = "ranking"
    RATING = "rating"
    CORRECTION = "correction"
    HIGHLIGHTS = "highlights"
    DEMONSTRATION = "demonstration"


class Axis(Frozen):
    """A quality that answers are rated on, and the ends of its scale."""

    name: str = Field(min_length=1)
    minimum: float = 1.0
    maximum: float = 5.0

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not self.minimum < self.maximum:
            raise ValueError(f"the scale of {self.name!r} must rise: {self.minimum} to {self.maximum}")
        return self


class Judgement(Frozen):
    """One person's word on K answers. Positions count the answers in one order: shown, or the item's own.

    `ranks` [K]: 0 is best, equal ranks are ties, None was not ranked. `ratings`: by axis, one number an answer; `scale`: the
    ends of their scale where a file brought one of its own.
    `spans` [K]: what was marked in each answer, put in the order of the places.
    `edit`: the answer that the person wrote, alone or from answer `edit_of`. It names no model: the store knows which.
    """

    verdict: Verdict | None = None
    strength: int | None = Field(default=None, ge=1, le=3)
    axis_verdicts: dict[str, Verdict] = Field(default_factory=dict)
    ranks: tuple[int | None, ...] = ()
    unacceptable: tuple[bool, ...] = ()
    ratings: dict[str, tuple[float | None, ...]] = Field(default_factory=dict)
    scale: tuple[float, float] | None = None
    spans: tuple[tuple[Span, ...], ...] = ()
    reason: str = ""
    critique: str = ""
    edit: Messages = ()
    edit_of: int | None = None
    lead_time_ms: int | None = Field(default=None, ge=0)
    ui_version: str = ""

    @field_validator("spans")
    @classmethod
    def _in_order(cls, spans: tuple[tuple[Span, ...], ...]) -> tuple[tuple[Span, ...], ...]:
        return tuple(tuple(sorted(marked, key=lambda span: (span.start, span.end))) for marked in spans)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if any(rank is not None and rank < 0 for rank in self.ranks):
            raise ValueError("ranks start at 0 (0 is best)")
        if self.edit and self.edit[-1].role is not Role.ASSISTANT:
            raise ValueError("edit must end with an assistant message")
        return self

    def unshuffled(self, display_order: Sequence[int]) -> Judgement:
        """The same word in the item's own order, where place p showed the answer `display_order[p]`."""
        flipped = {Verdict.A: Verdict.B, Verdict.B: Verdict.A} if list(display_order) == [1, 0] else {}

        def back(values: tuple[T, ...]) -> tuple[T, ...]:
            if len(values) != len(display_order):  # Whoever checks the judgement will say so.
                return values
            by_answer = dict(zip(display_order, values, strict=True))
            return tuple(by_answer[answer] for answer in range(len(values)))

        return self.model_copy(
            update={
                "verdict": flipped.get(self.verdict, self.verdict) if self.verdict else None,
                "axis_verdicts": {axis: flipped.get(word, word) for axis, word in self.axis_verdicts.items()},
                "ranks": back(self.ranks),
                "unacceptable": back(self.unacceptable),
                "ratings": {axis: back(values) for axis, values in self.ratings.items()},
                "spans": back(self.spans),
                "edit_of": self._answer_at(self.edit_of, display_order),
            }
        )

    def _answer_at(self, place: int | None, display_order: Sequence[int]) -> int | None:
        return display_order[place] if place is not None and 0 <= place < len(display_order) else place


def misfit(judgement: Judgement, kind: ItemKind, num_answers: int, axes: Sequence[Axis], top_k: int | None) -> str:
    """Why the judgement does not answer what was asked; empty where it does. `top_k`: so many ranked answers suffice."""
    return (
        _lengths(judgement, num_answers)
        or _asked_for(judgement, kind, num_answers, top_k)
        or _scales(judgement, kind, num_answers, {axis.name: axis for axis in axes})
    )


def misplaced(judgement: Judgement, answers: Sequence[Messages]) -> str:
    """Which of the spans are no place in the answers' texts; empty where all are."""
    for number, (marked, answer) in enumerate(zip(judgement.spans, answers, strict=True)):
        if marked and len(answer) != 1:
            return f"spans are places in one text: answer {number} has {len(answer)} messages"
        for span in marked:
            if span.end > len(answer[0].text):
                return f"a span of answer {number} ends at {span.end}, the answer has {len(answer[0].text)} characters"
    return ""


def _asked_for(judgement: Judgement, kind: ItemKind, num_answers: int, top_k: int | None) -> str:
    match kind:
        case ItemKind.COMPARISON:
            if judgement.verdict is None:
                return "a comparison needs a verdict: a, b, tie, both_bad or incomparable"
            if judgement.verdict is Verdict.INCOMPARABLE and not judgement.reason:
                return "incomparable needs a reason"
        case ItemKind.RANKING:
            return _ranking(judgement, num_answers, top_k)
        case ItemKind.HIGHLIGHTS if len(judgement.spans) != num_answers:
            return f"highlights need a list of spans, perhaps an empty one, for each of the {num_answers} answers"
        case ItemKind.CORRECTION if not judgement.edit or judgement.edit_of is None:
            return "a correction needs the answer that was written (edit) and which one it was made from (edit_of)"
        case ItemKind.DEMONSTRATION if not judgement.edit:
            return "a demonstration needs the answer that was written (edit)"
    if judgement.verdict is not None and num_answers != 2:
        return f"a verdict is about two answers, the item has {num_answers}"
    return ""


def _ranking(judgement: Judgement, num_answers: int, top_k: int | None) -> str:
    ranks = judgement.ranks or (None,) * num_answers
    refused = judgement.unacceptable or (False,) * num_answers
    placed = [rank is not None or bad for rank, bad in zip(ranks, refused, strict=True)]
    needed = num_answers if top_k is None else min(top_k, num_answers)
    if sum(placed) < needed:
        return f"ranks must cover {needed} of the {num_answers} answers: {sum(placed)} are ranked or unacceptable"
    return ""


def _lengths(judgement: Judgement, num_answers: int) -> str:
    by_name = {"ranks": judgement.ranks, "unacceptable": judgement.unacceptable, "spans": judgement.spans}
    for name, values in by_name.items():
        if values and len(values) != num_answers:
            return f"{name} must have one entry an answer: {len(values)} entries, {num_answers} answers"
    if judgement.edit_of is not None and not 0 <= judgement.edit_of < num_answers:
        return f"edit_of names answer {judgement.edit_of}, there are {num_answers}"
    return ""


def _scales(judgement: Judgement, kind: ItemKind, num_answers: int, axes: dict[str, Axis]) -> str:
    if judgement.scale is not None:
        return "the scale is the project's: leave it out"
    for name in (*judgement.ratings, *judgement.axis_verdicts):
        if name not in axes:
            return f"{name!r} is no axis of this project: it has {', '.join(axes) or 'none'}"
    if kind is ItemKind.RATING and not judgement.ratings:
        return f"a rating needs a number an answer on an axis: {', '.join(axes) or 'this project has none'}"
    for name, values in judgement.ratings.items():
        if len(values) != num_answers:
            return f"ratings on {name!r} must have one entry an answer: {len(values)} entries, {num_answers} answers"
        axis = axes[name]
        for value in values:
            if value is not None and not axis.minimum <= value <= axis.maximum:
                return f"{value:g} lies outside the scale of {name!r}, {axis.minimum:g} to {axis.maximum:g}"
    return ""
