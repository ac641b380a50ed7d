"""What people say about answers: demonstrations, comparisons, rankings, ratings, corrections, highlights.

Every record has `id`, `source` and `weight`. `extra` keeps columns plaudit does not interpret, so nothing read from a
file is lost on the way out.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Self

from pydantic import Field, JsonValue, model_validator

from plaudit.schemas.conversation import Frozen, Messages, Role

_LAST_NUMBER = re.compile(r"\d+(?=\D*$)")


class Record(Frozen):
    """What every record carries."""

    id: str = ""
    source: str = ""
    weight: float = Field(default=1.0, ge=0, allow_inf_nan=False)
    annotator: str | None = None
    extra: dict[str, JsonValue] = Field(default_factory=dict)


def _ends_with_assistant(messages: Messages, name: str) -> None:
    if not messages or messages[-1].role is not Role.ASSISTANT:
        raise ValueError(f"{name} must end with an assistant message")


class Document(Record):
    """Plain text for continued pretraining."""

    text: str = Field(min_length=1)


class Prompt(Record):
    """A prompt without an answer: what rollouts and evaluations start from."""

    prompt: Messages = Field(min_length=1)


class Demonstration(Record):
    """A prompt and the answer a person would want.

    `completion` may hold several turns; the loss is on its assistant messages, never on the person's.
    """

    prompt: Messages
    completion: Messages

    @model_validator(mode="after")
    def _check(self) -> Self:
        _ends_with_assistant(self.completion, "completion")
        return self


class Verdict(StrEnum):
    """A person's word on a pair. `both_bad` is a tie plus an absolute label; `incomparable` is dropped, with a reason."""

    A = "a"
    B = "b"
    TIE = "tie"
    BOTH_BAD = "both_bad"
    INCOMPARABLE = "incomparable"


class Comparison(Record):
    """Two answers to one prompt and the verdict. `strength` 1-3; `margin` a rating difference for a margin loss."""

    prompt: Messages
    a: Messages
    b: Messages
    verdict: Verdict
    strength: int | None = Field(default=None, ge=1, le=3)
    margin: float | None = Field(default=None, allow_inf_nan=False)
    reason: str = ""

    @model_validator(mode="after")
    def _check(self) -> Self:
        _ends_with_assistant(self.a, "a")
        _ends_with_assistant(self.b, "b")
        return self


class Ranking(Record):
    """K answers to one prompt in a person's order: rank 0 is best, equal ranks are ties, None was not ranked.

    `unacceptable` and `truncated` are empty (nothing said) or have one entry a completion; a truncated answer was cut off
    by a length limit and has no stop token.
    """

    prompt: Messages
    completions: tuple[Messages, ...] = Field(min_length=2)
    ranks: tuple[int | None, ...]
    unacceptable: tuple[bool, ...] = ()
    truncated: tuple[bool, ...] = ()

    @model_validator(mode="after")
    def _check(self) -> Self:
        num = len(self.completions)
        if len(self.ranks) != num:
            raise ValueError(f"ranks must have one entry a completion: {len(self.ranks)} ranks, {num} completions")
        for name, flags in (("unacceptable", self.unacceptable), ("truncated", self.truncated)):
            if flags and len(flags) != num:
                raise ValueError(f"{name} must be empty or have {num} entries, has {len(flags)}")
        if any(rank is not None and rank < 0 for rank in self.ranks):
            raise ValueError("ranks start at 0 (0 is best)")
        for completion in self.completions:
            _ends_with_assistant(completion, "each completion")
        return self


class Rating(Record):
    """An absolute judgement of one answer: `score` between `minimum` and `maximum` (a thumb is 0 or 1)."""

    prompt: Messages
    completion: Messages
    score: float = Field(allow_inf_nan=False)
    minimum: float = 0.0
    maximum: float = 1.0

    @model_validator(mode="after")
    def _check(self) -> Self:
        _ends_with_assistant(self.completion, "completion")
        if not self.minimum <= self.score <= self.maximum:
            raise ValueError(f"score {self.score} lies outside [{self.minimum}, {self.maximum}]")
        return self


class Correction(Record):
    """An answer and what a person made of it."""

    prompt: Messages
    completion: Messages
    corrected: Messages

    @model_validator(mode="after")
    def _check(self) -> Self:
        _ends_with_assistant(self.completion, "completion")
        _ends_with_assistant(self.corrected, "corrected")
        return self


class Span(Frozen):
    """A stretch of an answer, characters `start` up to but not including `end`, and what was said about it.

    `label` names the judgement ("Irrelevant", "step"); `score` is its number where there is one (a step is 1 or 0).
    """

    start: int = Field(ge=0)
    end: int
    label: str = Field(min_length=1)
    score: float | None = Field(default=None, allow_inf_nan=False)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.end <= self.start:
            raise ValueError(f"a span must end after its start: start {self.start}, end {self.end}")
        return self


class Highlights(Record):
    """One answer and what a person marked in it; no spans say that it was read and nothing was marked.

    Positions count the characters (Unicode code points) of the answer's text, so the answer is a single message. Spans
    stand in the order of their starts, then of their ends; they may overlap.
    """

    prompt: Messages
    completion: Messages
    spans: tuple[Span, ...]

    @property
    def text(self) -> str:
        """The answer's text, which the spans count in."""
        return self.completion[0].text

    @model_validator(mode="after")
    def _check(self) -> Self:
        _ends_with_assistant(self.completion, "completion")
        if len(self.completion) != 1:
            raise ValueError(f"completion must be one message, so that a position is one place: {len(self.completion)}")
        places = [(span.start, span.end) for span in self.spans]
        if places != sorted(places):
            raise ValueError(f"spans must stand in the order of their starts, then of their ends: {places}")
        if any(end > len(self.text) for _, end in places):
            raise ValueError(f"spans must lie inside the answer of {len(self.text)} characters: {places}")
        return self


AnyRecord = Document | Prompt | Demonstration | Comparison | Ranking | Rating | Correction | Highlights


def axis_of(record: Record) -> str:
    """Which quality of the answers was judged, empty for the whole: what is said of one is nothing said of another.

    It stands in `extra`: as the axis, as OpenAssistant's label, which ends the source too, or as Argilla's question. Of a
    question about one answer of several, that answer's name or number is no part: `helpful-2` about `response2` is "helpful".
    """
    axis, label, question, fields = (
        record.extra.get(name) for name in ("axis", "label", "argilla.question", "argilla.options")
    )
    if isinstance(axis, str):
        return axis
    if isinstance(label, str) and record.source.endswith(f"#{label}"):
        return label
    if not isinstance(question, str):
        return ""
    match fields:
        case [str(field)] if field in question:
            question = question.replace(field, "", 1)
        case [str(field)] if (own := _LAST_NUMBER.search(field)) and (asked := _LAST_NUMBER.search(question)):
            if own[0] == asked[0]:
                question = question[: asked.start()] + question[asked.end() :]
    return question.strip(" .-_")
