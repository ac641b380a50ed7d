"""How often one model's answer is preferred to another's, ties half, with an interval over prompts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import ArrayLike, NDArray

from plaudit.statistics.intervals import Estimate, bootstrap_interval


@dataclass(frozen=True, slots=True)
class Answers:
    """One model's answers to one prompt: how many tokens each has, and what each is worth."""

    lengths: Sequence[int]
    utilities: Sequence[float]

    def __post_init__(self) -> None:
        if len(self.lengths) != len(self.utilities):
            raise ValueError(f"one utility an answer: {len(self.lengths)} lengths, {len(self.utilities)} utilities")


def win_value(a: float, b: float) -> float:
    """1 where `a` is worth more, 0 where `b` is, 0.5 for a tie. Raises ValueError where either is nan."""
    if np.isnan(a) or np.isnan(b):
        raise ValueError(f"cannot compare {a} with {b}")
    return 0.5 if a == b else float(a > b)


def win_rate(
    wins: ArrayLike, clusters: ArrayLike, *, num_resamples: int = 2000, level: float = 0.95, seed: int = 0
) -> Estimate:
    """The mean of `wins` (1 win, 0 loss, 0.5 tie) with a bootstrap interval over `clusters`, the prompts' ids."""
    values = np.asarray(wins, dtype=np.float64)
    if values.size and not ((values >= 0) & (values <= 1)).all():
        raise ValueError("a win is 1, a loss 0 and a tie 0.5; got a value outside [0, 1]")
    return bootstrap_interval(values, clusters=clusters, num_resamples=num_resamples, level=level, seed=seed)


def similar_lengths(a: ArrayLike, b: ArrayLike, max_gap_percent: int = 10) -> NDArray[np.bool_]:
    """Where two lengths, broadcast against each other, differ by at most `max_gap_percent` of the longer."""
    a, b = np.asarray(a), np.asarray(b)
    # In whole numbers: 10 % of 30 is 3, whatever 0.1 * 30 is.
    return np.asarray(100 * np.abs(a - b) <= max_gap_percent * np.maximum(a, b))


def length_matched_pairs(a: Answers, b: Answers, max_gap_percent: int = 10) -> list[float]:
    """The win values of all pairs, one answer of each model to one prompt, of about the same length.

    A pair counts where the token counts differ by at most `max_gap_percent` of the longer.
    """
    return [
        win_value(utility_a, utility_b)
        for (length_a, utility_a), (length_b, utility_b) in product(
            zip(a.lengths, a.utilities, strict=True), zip(b.lengths, b.utilities, strict=True)
        )
        if similar_lengths(length_a, length_b, max_gap_percent)
    ]


def length_matched_win_rate(
    a: Sequence[Answers],
    b: Sequence[Answers],
    *,
    max_gap_percent: int = 10,
    min_pairs: int = 100,
    num_resamples: int = 2000,
    level: float = 0.95,
    seed: int = 0,
) -> Estimate | None:
    """The win rate of model `a` over answers as long as the other's, or None ("not measured") under `min_pairs` pairs.

    `a[i]` and `b[i]` answer prompt i. Every pair counts once, the interval resamples prompts, `n` counts pairs.
    """
    matched = [length_matched_pairs(left, right, max_gap_percent) for left, right in zip(a, b, strict=True)]
    wins = [win for found in matched for win in found]
    if len(wins) < min_pairs:
        return None
    prompts = np.repeat(np.arange(len(matched)), [len(found) for found in matched])
    return win_rate(wins, prompts, num_resamples=num_resamples, level=level, seed=seed)
