"""TRL's stepwise supervision: an answer in steps, each right or wrong.

    {"prompt": text, "completions": [step, ...], "labels": [true, false, ...]}  <-> Highlights

The answer is its steps with a line break between each two, which is how TRL's trainer joins them; each step is a span
labelled "step" with the score 1 or 0, so the spans cover the answer but for those line breaks.
"""

from __future__ import annotations

from itertools import pairwise

from pydantic import JsonValue

from plaudit.formats.messages import MisfitError, shown
from plaudit.formats.outgoing import CannotCarryError, Outgoing, single_text
from plaudit.formats.rows import Row
from plaudit.schemas.conversation import Role, assistant
from plaudit.schemas.feedback import Highlights, Span

_STEP = "step"
_BETWEEN = "\n"


def highlights(row: Row) -> Highlights:
    """The highlights of one row. Raises MisfitError for steps that are no text and labels that are not one a step."""
    prompt = row.prompt_of(row.take("prompt", "a prompt"), "prompt")
    steps = [_step(value, f"completions[{i}]") for i, value in enumerate(row.items("completions"))]
    labels = [_label(value, f"labels[{i}]") for i, value in enumerate(row.items("labels"))]
    if not steps:
        raise MisfitError("completions", "at least one step", "none")
    if len(labels) != len(steps):
        raise MisfitError("labels", f"one label a step, {len(steps)}", str(len(labels)))
    spans: list[Span] = []
    start = 0
    for step, label in zip(steps, labels, strict=True):
        spans.append(Span(start=start, end=start + len(step), label=_STEP, score=float(label)))
        start += len(step) + len(_BETWEEN)
    answer = (assistant(_BETWEEN.join(steps)),)
    return Highlights(prompt=prompt, completion=answer, spans=tuple(spans), **row.provenance())


def columns_of(record: Highlights, outgoing: Outgoing) -> dict[str, JsonValue]:
    """The row's `completions` and `labels`. Raises CannotCarryError where the spans are not the answer's steps."""
    text = single_text(record.completion, Role.ASSISTANT)
    steps = [text[span.start : span.end] for span in record.spans]
    gaps = [(b.start - a.end) for a, b in pairwise(record.spans)]
    if _BETWEEN.join(steps) != text or any(gap != len(_BETWEEN) for gap in gaps):
        raise CannotCarryError("spans that are not the steps of the answer, a line break between each two")
    if any(span.score not in (0, 1) for span in record.spans):
        raise CannotCarryError("spans without a score of 0 or 1 where the shape holds right and wrong steps")
    if any(span.label != _STEP for span in record.spans):
        outgoing.lose("spans (labels)")
    return {"completions": list(steps), "labels": [span.score == 1 for span in record.spans]}


def _step(value: JsonValue, path: str) -> str:
    if not isinstance(value, str) or not value:
        raise MisfitError(path, "the text of a step", shown(value))
    return value


def _label(value: JsonValue, path: str) -> bool:
    if not isinstance(value, bool):
        raise MisfitError(path, "true or false", shown(value))
    return value
