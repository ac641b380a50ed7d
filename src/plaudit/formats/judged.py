"""Comparisons wrapped in a judge's prompt, as Prometheus' evaluation has the HHH alignment set. Only read.

    {"source": "helpful", "chosen_instruction": wrapped, "rejected_instruction": wrapped}  -> Comparison

A wrapped text holds the judge's task, the prompt, one answer and a rubric under fixed headings. It is taken apart strictly: a
text with other headings, or two sides that differ in more than the answer, is an error. A prompt of several turns is one
message each; task and rubric are kept in `extra`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from pydantic import JsonValue

from plaudit.formats import hh
from plaudit.formats.messages import MisfitError, shown
from plaudit.formats.rows import Row
from plaudit.schemas.conversation import Role, assistant
from plaudit.schemas.feedback import AnyRecord, Comparison, Verdict

_SIDES = ("chosen_instruction", "rejected_instruction")
_HEADINGS = (
    "###Task Description:",
    "###The instruction to evaluate:",
    "###Response to evaluate:",
    "###Score Rubrics:",
    "###Feedback:",
)
_PARTS = ("task_description", "prompt", "answer", "rubric")
_WRAPPED = re.compile("\n(.+)\n\n".join(map(re.escape, _HEADINGS)) + " ?", flags=re.DOTALL)


def recognises(columns: Mapping[str, JsonValue]) -> bool:
    """Whether a row has this shape."""
    return columns.keys() >= set(_SIDES)


def records_of(row: Row) -> list[AnyRecord]:
    """The comparison of one row."""
    chosen, rejected = (_unwrapped(row.text(side), side) for side in _SIDES)
    for part in ("task_description", "prompt", "rubric"):
        if chosen[part] != rejected[part]:
            raise MisfitError(_SIDES[1], f"the {part.replace('_', ' ')} of {_SIDES[0]}", shown(rejected[part]))
    prompt = hh.dialogue(f"\n\nHuman: {chosen['prompt']}", _SIDES[0])
    if prompt[-1].role is not Role.USER:
        raise MisfitError(_SIDES[0], "an instruction that ends with the person's turn", "an assistant's turn last")
    row.leave("task_description", chosen["task_description"])
    row.leave("rubric", chosen["rubric"])
    a, b = ((assistant(side["answer"]),) for side in (chosen, rejected))
    return [Comparison(prompt=prompt, a=a, b=b, verdict=Verdict.A, **row.provenance())]


def _unwrapped(text: str, field: str) -> dict[str, str]:
    """The parts of a wrapped text by name."""
    found = re.findall(r"^###[^\n]*?:", text, flags=re.MULTILINE)
    match = _WRAPPED.fullmatch(text)
    if match is None or tuple(found) != _HEADINGS:
        headings = ", ".join(heading.strip("#:") for heading in _HEADINGS)
        raise MisfitError(field, f"a judge's prompt of the parts {headings}", f"the parts {', '.join(found) or 'none'}")
    return dict(zip(_PARTS, match.groups(), strict=True))
