"""Does the text go round in circles?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from plaudit.rules.form import sentences
from plaudit.rules.words import words

Ngram = tuple[str, ...]


def ngrams(tokens: Sequence[str], n: int) -> list[Ngram]:
    """All runs of `n` tokens, in order. Raises ValueError for n < 1."""
    if n < 1:
        raise ValueError(f"n must be at least 1, got {n}")
    return [tuple(tokens[start : start + n]) for start in range(len(tokens) - n + 1)]


def repeated_ngram_frac(text: str, n: int) -> float:
    """The fraction of the text's n-grams of words that occurred before in it; 0 where it has fewer than `n` words."""
    found = ngrams(words(text), n)
    return 1 - len(set(found)) / len(found) if found else 0.0


def has_loop(text: str) -> bool:
    """Whether the same four words come three times, or the same sentence of two words or more comes twice."""
    fours = Counter(ngrams(words(text), 4))
    said = Counter(tuple(words(sentence)) for sentence in sentences(text))
    return max(fours.values(), default=0) >= 3 or any(num >= 2 and len(key) >= 2 for key, num in said.items())
