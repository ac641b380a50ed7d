"""Were the instructions in a request followed? Twenty-five kinds that a program can check (IFEval, Zhou et al. 2023)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field, JsonValue, TypeAdapter

from plaudit.rules import layout_instructions as layout
from plaudit.rules import wording_instructions as wording
from plaudit.rules.wording_instructions import Instruction

AnyInstruction = Annotated[
    wording.IncludeKeywords
    | wording.KeywordFrequency
    | wording.ForbiddenWords
    | wording.LetterFrequency
    | wording.ResponseLanguage
    | wording.AllUppercase
    | wording.AllLowercase
    | wording.CapitalWordFrequency
    | wording.NoCommas
    | wording.Quoted
    | wording.EndsWith
    | wording.RepeatsPrompt
    | wording.ChoosesFrom
    | layout.NumParagraphs
    | layout.NumWords
    | layout.NumSentences
    | layout.ParagraphStartsWith
    | layout.Postscript
    | layout.NumPlaceholders
    | layout.NumBullets
    | layout.HasTitle
    | layout.NumHighlights
    | layout.NumSections
    | layout.JsonFormat
    | layout.TwoResponses,
    Field(discriminator="kind"),
]
_ROW = TypeAdapter[AnyInstruction](AnyInstruction)


def instruction_from(row: JsonValue) -> AnyInstruction:
    """The instruction of a row such as {"kind": "num_words", "at_least": 100}. Raises ValueError for any other."""
    return _ROW.validate_python(row)


def followed_strictly(instructions: Sequence[Instruction], text: str) -> tuple[bool, ...]:
    """For each instruction whether the text follows it, as it stands. An empty text follows none."""
    return tuple(bool(text.strip()) and instruction.is_followed(text) for instruction in instructions)


def followed_loosely(instructions: Sequence[Instruction], text: str) -> tuple[bool, ...]:
    """For each instruction whether one of the text's `loose_readings` follows it."""
    readings = [reading for reading in loose_readings(text) if reading.strip()]
    return tuple(any(instruction.is_followed(reading) for reading in readings) for instruction in instructions)


def loose_readings(text: str) -> tuple[str, ...]:
    """The text; without its first line, its last line, or both; and each of these four without asterisks.

    Zhou et al. 2023, section 2.2: a greeting, a farewell or bold type shall not hide that an instruction was followed.
    """
    lines = text.split("\n")
    cut = tuple("\n".join(part).strip() for part in (lines[1:], lines[:-1], lines[1:-1]))
    return tuple(reading for whole in (text, *cut) for reading in (whole, whole.replace("*", "")))
