"""What each attribute of a style asks of an answer, as a rule; the reward is the share of them that it keeps."""

from __future__ import annotations

import re

from plaudit.rules.form import num_words
from plaudit.rules.languages import language_of

CASUAL = re.compile(r"\b\w+(?:n't|'re|'ll|'ve|'m|'d)\b|\b(?:it|that|there|here|what|let)'s\b|!", re.IGNORECASE)
BRIEF, FULL = 25, 40

ATTRIBUTES = {
    "brief": lambda text: 0 < num_words(text) <= BRIEF,
    "full": lambda text: num_words(text) >= FULL,
    "formal": lambda text: bool(text.strip()) and not CASUAL.search(text.replace("’", "'")),
    "casual": lambda text: bool(CASUAL.search(text.replace("’", "'"))),
    "in English": lambda text: language_of(text) == "en",
    "in Chinese": lambda text: language_of(text) == "zh",
}


def attributes_of(text: str) -> list[str]:
    """Those that the text has."""
    return [name for name, holds in ATTRIBUTES.items() if holds(text)]


def kept(prompts: list[str], completions: list[str], style: list[list[str]]) -> list[float]:
    """The share of the attributes asked for that the answer keeps. `style` is a column of the data."""
    found = zip(completions, style, strict=True)
    return [sum(ATTRIBUTES[name](text) for name in names) / len(names) for text, names in found]


def all_kept(prompts: list[str], completions: list[str], style: list[list[str]]) -> list[float]:
    """1 where the answer keeps every attribute, else 0."""
    return [float(share == 1.0) for share in kept(prompts, completions, style)]
