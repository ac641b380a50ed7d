"""How varied a model's answers are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import islice

from plaudit.rules.repetition import ngrams
from plaudit.rules.words import words


def distinct_n(texts: Sequence[str], n: int, max_tokens: int | None = None) -> float:
    """Distinct n-grams of words over all n-grams of all texts (Li et al. 2016, distinct-n); 0 where there are none.

    The longer the texts, the more they repeat, so compare models at one `max_tokens`. The cut takes the first word of
    every text, then the second of every text, and so on: a wordy model keeps the start of each answer, not a few whole
    answers. Words stand for tokens, so that models with different tokenizers can be compared.
    """
    tokens = [words(text) for text in texts]
    if max_tokens is not None:
        tokens = _cut(tokens, max_tokens)
    found = [ngram for row in tokens for ngram in ngrams(row, n)]
    return len(set(found)) / len(found) if found else 0.0


def distinct_at_equal_length(texts_a: Sequence[str], texts_b: Sequence[str], n: int) -> tuple[float, float]:
    """distinct-n of both models' texts, both cut to the words that the briefer model has in all."""
    totals = [sum(len(words(text)) for text in texts) for texts in (texts_a, texts_b)]
    return distinct_n(texts_a, n, min(totals)), distinct_n(texts_b, n, min(totals))


def _cut(rows: Sequence[list[str]], max_tokens: int) -> list[list[str]]:
    in_turn = sorted((place, index) for index, row in enumerate(rows) for place in range(len(row)))
    kept = Counter(index for _, index in islice(in_turn, max_tokens))
    return [row[: kept[index]] for index, row in enumerate(rows)]
