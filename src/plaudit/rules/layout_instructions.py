"""Checkable instructions on the shape of an answer: its length, its paragraphs, and marks that must stand in it."""

from __future__ import annotations

import json
import re
from typing import Literal, Self

from pydantic import Field, model_validator

from plaudit.rules.form import num_sentences, num_words
from plaudit.rules.wording_instructions import Counted, Instruction

_RULE = re.compile(r"^[ \t]*\*\*\*[ \t]*$", flags=re.MULTILINE)
_SIX_STARS = re.compile(r"^[ \t]*\*{6}[ \t]*$", flags=re.MULTILINE)


def _parts(separator: re.Pattern[str], text: str) -> list[str]:
    return [part.strip() for part in separator.split(text.strip())]


class NumParagraphs(Instruction):
    """Write so many paragraphs, with a line of three asterisks between them."""

    kind: Literal["num_paragraphs"] = "num_paragraphs"
    num: int = Field(ge=1)

    def is_followed(self, text: str) -> bool:
        parts = _parts(_RULE, text)
        return len(parts) == self.num and all(parts)


class NumWords(Counted):
    """Write so many words; a Chinese character counts as one."""

    kind: Literal["num_words"] = "num_words"

    def is_followed(self, text: str) -> bool:
        return self.allows(num_words(text))


class NumSentences(Counted):
    """Write so many sentences."""

    kind: Literal["num_sentences"] = "num_sentences"

    def is_followed(self, text: str) -> bool:
        return self.allows(num_sentences(text))


class ParagraphStartsWith(Instruction):
    """Write `num` paragraphs with an empty line between them, the `place`-th (from 1) starting with this word."""

    kind: Literal["paragraph_starts_with"] = "paragraph_starts_with"
    num: int = Field(ge=1)
    place: int = Field(ge=1)
    word: str = Field(min_length=1)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.place > self.num:
            raise ValueError(f"there is no paragraph {self.place} of {self.num}")
        return self

    def is_followed(self, text: str) -> bool:
        parts = [part for part in _parts(re.compile(r"\n[ \t]*\n"), text) if part]
        if len(parts) != self.num:
            return False
        first = re.match(r"[^\w\s]*(\w+(?:['’-]\w+)*)", parts[self.place - 1])
        return first is not None and first[1].lower() == self.word.lower()


class Postscript(Instruction):
    """Add a postscript behind this mark (`P.S.` or `P.P.S`) at the start of a line."""

    kind: Literal["postscript"] = "postscript"
    mark: Literal["P.S.", "P.P.S"] = "P.S."

    def is_followed(self, text: str) -> bool:
        letters = self.mark.replace(".", "")
        pattern = r"^\W*" + r"\.?\s?".join(letters) + r"\b[\s.:\W]*\w"
        return re.search(pattern, text, flags=re.MULTILINE | re.IGNORECASE) is not None


class NumPlaceholders(Counted):
    """Leave so many gaps to fill in, such as [address]."""

    kind: Literal["num_placeholders"] = "num_placeholders"

    def is_followed(self, text: str) -> bool:
        return self.allows(len(re.findall(r"\[[^\[\]\n]+\](?!\()", text)))


class NumBullets(Instruction):
    """Write a list of exactly so many bullets, each a line that starts with `* ` or `- `."""

    kind: Literal["num_bullets"] = "num_bullets"
    num: int = Field(ge=1)

    def is_followed(self, text: str) -> bool:
        return len(re.findall(r"^[ \t]*[*-][ \t]+\S", text, flags=re.MULTILINE)) == self.num


class HasTitle(Instruction):
    """Give the answer a title in double angular brackets, such as <<a day out>>."""

    kind: Literal["has_title"] = "has_title"

    def is_followed(self, text: str) -> bool:
        return re.search(r"<<[^<>\n]*[^<>\s][^<>\n]*>>", text) is not None


class NumHighlights(Counted):
    """Highlight so many passages with asterisks, *like this* or **like this**."""

    kind: Literal["num_highlights"] = "num_highlights"

    def is_followed(self, text: str) -> bool:
        double = re.findall(r"\*\*[^*\n]*[^*\s][^*\n]*\*\*", text)
        rest = re.sub(r"\*\*[^*\n]*\*\*", " ", text)
        return self.allows(len(double) + len(re.findall(r"\*[^\s*](?:[^*\n]*[^\s*])?\*", rest)))


class NumSections(Counted):
    """Divide the answer into so many sections, each with a line that starts with the mark and a number: SECTION 1."""

    kind: Literal["num_sections"] = "num_sections"
    mark: str = Field(min_length=1)

    def is_followed(self, text: str) -> bool:
        pattern = rf"^\W*{re.escape(self.mark)}\s+\d+\b"
        return self.allows(len(re.findall(pattern, text, flags=re.MULTILINE | re.IGNORECASE)))


class JsonFormat(Instruction):
    """Give the whole answer as one JSON value, bare or in a fenced block."""

    kind: Literal["json_format"] = "json_format"

    def is_followed(self, text: str) -> bool:
        fenced = re.fullmatch(r"```(?:json)?\s*\n(.*)\n```", text.strip(), flags=re.DOTALL | re.IGNORECASE)
        try:
            json.loads(fenced[1] if fenced else text)
        except (ValueError, RecursionError):
            return False
        return True


class TwoResponses(Instruction):
    """Give two different answers with a line of six asterisks between them."""

    kind: Literal["two_responses"] = "two_responses"

    def is_followed(self, text: str) -> bool:
        parts = _parts(_SIX_STARS, text)
        return len(parts) == 2 and all(parts) and parts[0] != parts[1]
