"""How much reward for how much KL: points of a training run, and of best-of-n, which needs no training."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class FrontierPoint:
    """`gain` is the mean score above the reference's own answers, `kl` nats an answer; `label` a step, or an n."""

    kl: float
    gain: float
    label: str


def training_frontier(
    metrics: Sequence[Mapping[str, float]], *, reference_score: float | None = None
) -> tuple[FrontierPoint, ...]:
    """A run's steps as points: `score/mean` over `kl/k1` of the rows of a metrics.jsonl that have both.

    `reference_score` is the reference's own mean score; without it, that of the first step counts, whose answers were
    sampled before the first update.
    """
    rows = [row for row in metrics if "score/mean" in row and "kl/k1" in row]
    if not rows:
        return ()
    start = rows[0]["score/mean"] if reference_score is None else reference_score
    return tuple(FrontierPoint(row["kl/k1"], row["score/mean"] - start, f"step {row['step']:g}") for row in rows)


def best_of_n_kl(n: int) -> float:
    """log n - (n - 1) / n nats: KL(best of n || reference) where no two answers tie, and an upper bound elsewhere.

    (Stiennon et al. 2020, appendix G.3; Beirami et al. 2024 on where it is loose.)
    """
    if n < 1:
        raise ValueError(f"n must be at least 1, got {n}")
    return math.log(n) - (n - 1) / n


def best_of_n_frontier(scores: Sequence[Sequence[float]], ns: Sequence[int]) -> tuple[FrontierPoint, ...]:
    """What the best of n gains by the scorer that chooses it, for each n up to the number of answers to a prompt.

    `scores` are those of the reference's answers, prompt by prompt. The gain is the mean over prompts of
    E[max of n answers drawn without replacement] - mean: every answer counts, none is drawn at random.
    """
    fewest = min(len(row) for row in scores)
    return tuple(
        FrontierPoint(
            best_of_n_kl(n), float(np.mean([_expected_best(row, n) - np.mean(row) for row in scores])), f"n={n}"
        )
        for n in ns
        if n <= fewest
    )


def _expected_best(scores: Sequence[float], n: int) -> float:
    """sum_i s_(i) C(i - 1, n - 1) / C(K, n) over the K scores in ascending order (Hilton & Gao 2022)."""
    total = math.comb(len(scores), n)
    return sum(score * math.comb(i, n - 1) / total for i, score in enumerate(sorted(scores)))
