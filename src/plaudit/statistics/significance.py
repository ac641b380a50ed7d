"""Could the difference be chance? McNemar's test and the permutation test."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import binom

from plaudit.statistics.intervals import as_floats

_BATCH = 500


@dataclass(frozen=True, slots=True)
class McNemar:
    """How often only the one and only the other was right, and how probable a split at least as uneven is by chance."""

    only_a: int
    only_b: int
    p_value: float


def mcnemar(a_right: ArrayLike, b_right: ArrayLike) -> McNemar:
    """The exact two-sided test that two classifiers, judged on the same items, are equally often right (McNemar 1947).

    Only items on which they differ count; under the null hypothesis each falls to either side with probability 1/2:
    p = min(1, 2 P(X <= min(only_a, only_b))), X binomial(only_a + only_b, 1/2).
    """
    a, b = np.asarray(a_right, dtype=bool), np.asarray(b_right, dtype=bool)
    if a.shape != b.shape or a.ndim != 1:
        raise ValueError(f"both need one value for each of the same items: got shapes {a.shape} and {b.shape}")
    only_a, only_b = int((a & ~b).sum()), int((b & ~a).sum())
    tail = float(binom.cdf(min(only_a, only_b), only_a + only_b, 0.5))
    return McNemar(only_a, only_b, min(1.0, 2 * tail))


def permutation_test(
    a: ArrayLike, b: ArrayLike, *, paired: bool, num_permutations: int = 10_000, seed: int = 0
) -> float:
    """The two-sided p-value of `mean(a) - mean(b)` under random relabelling.

    `paired`: a[i] and b[i] belong together and change places with probability 1/2; otherwise all values are dealt anew.
    The data as they stand count as one of the permutations (Phipson & Smyth 2010), so p is at least
    1 / (num_permutations + 1).
    """
    left, right = as_floats(a), as_floats(b)
    if paired and len(left) != len(right):
        raise ValueError(f"a pair needs both sides: got {len(left)} and {len(right)} values")
    rng, pooled = np.random.default_rng(seed), np.concatenate([left, right])
    observed, num_extreme = abs(left.mean() - right.mean()), 0
    # Sums of the same numbers in another order differ by rounding; such ties must count as "at least as extreme".
    threshold = observed - 1e-9 * (np.abs(pooled).max() + observed)
    for start in range(0, num_permutations, _BATCH):
        size = min(_BATCH, num_permutations - start)
        if paired:
            differences = (rng.choice([-1.0, 1.0], size=(size, len(left))) * (left - right)).mean(axis=1)
        else:
            dealt = rng.permuted(np.broadcast_to(pooled, (size, len(pooled))), axis=1)
            differences = dealt[:, : len(left)].mean(axis=1) - dealt[:, len(left) :].mean(axis=1)
        num_extreme += int((np.abs(differences) >= threshold).sum())
    return (num_extreme + 1) / (num_permutations + 1)
