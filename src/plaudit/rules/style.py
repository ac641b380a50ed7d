"""How an answer is dressed: its length, headings, list items and bold passages, and how two answers differ in them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from plaudit.rules.form import num_words

# A fence is closed by one of the same mark and at least its length; one that never closes runs to the end.
_CODE_BLOCK = re.compile(
    r"^ {0,3}(`{3,}(?=[^`\n]*$)|~{3,}).*?(?:^ {0,3}\1[`~]*[ \t]*$|\Z)", flags=re.MULTILINE | re.DOTALL
)
_CODE_SPAN = re.compile(r"(?<!`)(`+)(?!`)[^\n]*?(?<!`)\1(?!`)")
_HEADING = re.compile(r"^ {0,3}#{1,6}(?:[ \t]+\S|[ \t]*$)", flags=re.MULTILINE)
_LIST_ITEM = re.compile(r"^[ \t]*(?:[-*+]|\d{1,9}[.)])[ \t]+\S", flags=re.MULTILINE)
# The marks touch what they embolden; underscores do so outside words only.
_BOLD = re.compile(r"\*\*(?=\S)[^*\n]*[^\s*]\*\*|(?<!\w)__(?=\S)[^_\n]*[^\s_]__(?!\w)")
_RULE = re.compile(r"^[ \t]*(?:[-*_][ \t]*){3,}$", flags=re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Style:
    """Counts of one text, Markdown as it is written, code blocks and code spans left out of all but the words."""

    num_words: int
    num_headings: int
    num_list_items: int
    num_bold: int

    def differences(self, other: Style) -> dict[str, float]:
        """By name, how much more of each this text has than the other: (a - b) / (a + b + 1), between -1 and 1.

        Chatbot Arena's style control (Li, Angelopoulos and Chiang 2024, "Does style matter?"): what counts is the share, not
        the number, and the 1 keeps one list item against none from weighing as much as twenty.
        """
        pairs = {
            "length": (self.num_words, other.num_words),
            "headings": (self.num_headings, other.num_headings),
            "lists": (self.num_list_items, other.num_list_items),
            "bold": (self.num_bold, other.num_bold),
        }
        return {name: (a - b) / (a + b + 1) for name, (a, b) in pairs.items()}


STYLE_NAMES = tuple(Style(0, 0, 0, 0).differences(Style(0, 0, 0, 0)))
"""The names of `Style.differences`, in its order."""


def style_of(text: str) -> Style:
    """The counts of a text. Words are those of `num_words`: a Chinese character is one, and those of code count too.

    A list counts by its items, nested ones as well; headings are those with number signs.
    """
    # A letter in place of a code span: an item that is nothing but one is an item still.
    prose = _RULE.sub("", _CODE_SPAN.sub("c", _CODE_BLOCK.sub("", text)))
    return Style(num_words(text), *(len(pattern.findall(prose)) for pattern in (_HEADING, _LIST_ITEM, _BOLD)))
