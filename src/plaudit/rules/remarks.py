"""What does a person's short remark say of an answer? Good or bad, and of what; English and Chinese, by words.

What it cannot do: it reads remarks of a few words ("too long", "不太好"), not essays; it knows the words of remarks.toml, no
others; it reads no irony, and takes praise of something else for praise of the answer.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib import resources


class Aspect(StrEnum):
    """What a remark is about."""

    LENGTH = "length"
    DETAIL = "detail"
    TRUTH = "truth"
    CLARITY = "clarity"
    RELEVANCE = "relevance"
    TONE = "tone"
    SAFETY = "safety"


@dataclass(frozen=True, slots=True)
class Remark:
    """`value` is the verdict, from -1 (bad) to 1 (good), 0 where none is heard; `aspects` what was named."""

    value: float
    aspects: frozenset[Aspect]


_MILD = 0.5
"""What praise turned round by a negation is worth less than blame in so many words, and the other way round."""
_VALUES = {"wrong_measure": -1.0, "good": 1.0, "bad": -1.0, "fair": _MILD, "poor": -_MILD}
"""Of the sections of remarks.toml, in the order in which they are tried."""

_NOT = (
    r"\b(?:not|no|never|neither|nor|hardly|isn't|wasn't|aren't|don't|doesn't|didn't|can't|couldn't|ain't|without|nothing)"
    r"(?: (?:an?|any|at all|so|very|really|that|too|quite|all that|particularly|think|find|it|it's|is|was|this|"
    r"the|much|be|see|to)){0,4} |不太|不是很|不怎么|不够|不算|不是|并不|没有|没|不|别|无"
)
# A word of Latin letters is whole; Chinese has no spaces to see that by.
_START, _END = r"(?:(?<![a-z])(?=[a-z])|(?![a-z]))", r"(?:(?<=[a-z])(?![a-z])|(?<![a-z]))"


@cache
def _patterns() -> tuple[tuple[re.Pattern[str], Aspect | None, float], ...]:
    """Each with what it is about and its value."""
    text = resources.files("plaudit.rules").joinpath("remarks.toml").read_text(encoding="utf-8")
    sections: dict[str, dict[str, list[str]]] = tomllib.loads(text)
    return tuple(
        (
            re.compile(rf"(?P<not>{_NOT})?{_START}(?:{'|'.join(words)}){_END}"),
            None if about == "general" else Aspect(about),
            value,
        )
        for section, value in _VALUES.items()
        for about, words in sections[section].items()
    )


def remark(text: str) -> Remark:
    """The verdict of a remark and what it is about.

    The words that are heard count alike; their mean is the verdict, so "clear but wrong" is none. A negation turns a word
    round, and makes half of it. What was heard once is not heard again: "too short" is no praise of shortness.
    """
    rest = " ".join(text.lower().replace("’", "'").split())
    values: list[float] = []
    aspects: set[Aspect] = set()
    for pattern, aspect, value in _patterns():
        for found in pattern.finditer(rest):
            values.append(-_MILD * value if found["not"] else value)
            if aspect:
                aspects.add(aspect)
        rest = pattern.sub("|", rest)
    return Remark(sum(values) / len(values) if values else 0.0, frozenset(aspects))
