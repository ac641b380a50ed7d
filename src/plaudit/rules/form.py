"""The outer form of an answer: how long it is, and whether it comes to an end."""

from __future__ import annotations

import re

from plaudit.rules.words import words

# A stop, up to two closing quotes, brackets or asterisks, then white space; or a Chinese stop; or the end of a line.
_SENTENCE_END = re.compile(r"(?:(?<=[.!?…])|(?<=[.!?…][\"')\]*_”’])|(?<=[.!?…][\"')\]*_”’]{2}))\s+|(?<=[。！？])|\n+")
_CLOSERS = "\"')]}*_”’」』）"


def num_words(text: str) -> int:
    """How many words the text has; a Chinese character counts as one."""
    return len(words(text))


def sentences(text: str) -> list[str]:
    """The sentences, as they stand: what ends at a stop before white space, or at the end of a line.

    A point inside a number or an address ends nothing; one after an abbreviation ("Dr. Wu") does. Pieces without a
    word, and the bare numbers of a list, are no sentences.
    """
    pieces = (piece.strip() for piece in _SENTENCE_END.split(text))
    return [piece for piece in pieces if any(not word.isdecimal() for word in words(piece))]


def num_sentences(text: str) -> int:
    """How many sentences the text has (see `sentences`)."""
    return len(sentences(text))


def ends_with_stop(text: str) -> bool:
    """Whether the text ends as a finished sentence does: stop, question or exclamation mark, quotes and brackets aside.

    An ellipsis trails off; it is no stop.
    """
    end = text.rstrip().rstrip(_CLOSERS).rstrip()
    return end.endswith((".", "!", "?", "。", "！", "？")) and not end.endswith(("..", "。。"))


def num_syllables(word: str) -> int:
    """About how many syllables an English word has: its groups of vowels, a silent e at the end not counted; at least 1."""
    groups = len(re.findall("[aeiouy]+", word.lower()))
    silent = word.lower().endswith("e") and not word.lower().endswith(("le", "ee")) and groups > 1
    return max(1, groups - silent)
