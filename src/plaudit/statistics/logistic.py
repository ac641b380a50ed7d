"""Which linear direction tells the preferred answer of a pair from the other? Logistic regression without intercept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit

Floats = NDArray[np.float64]

PENALTIES = (1e-3, 1e-2, 1e-1, 1.0, 10.0)
"""Strengths among which `fitted_probe` chooses; the features have unit mean square by then."""
_MAX_STEPS, _ROUNDING = 100, 1e-10


@dataclass(frozen=True, slots=True)
class Probe:
    """A direction in feature space, and the penalty that the folds chose. An answer's score is `features @ weights`."""

    weights: Floats
    penalty: float


def logistic_weights(differences: ArrayLike, a_preferred: ArrayLike, penalty: float) -> Floats:
    """The weights w [D] of P(a is preferred) = sigmoid(w . (x_a - x_b)), fitted to `differences` [N, D].

    Minimises mean_i log(1 + exp(-y_i w . d_i)) + penalty / 2 |w|^2 with y = 1 or -1. Without an intercept, so that
    exchanging the sides of a pair, and with them its label, changes nothing. Raises ValueError for shapes that do not fit.
    """
    data, sign = _checked(differences, a_preferred)
    if not penalty > 0:
        raise ValueError(f"penalty must be above 0, got {penalty}: separable pairs have no finite fit without it")
    signed = data * sign[:, None]
    num, width = signed.shape

    def loss(weights: Floats) -> float:
        return float(np.logaddexp(0.0, -signed @ weights).mean() + 0.5 * penalty * weights @ weights)

    # Newton's method. The loss is strictly convex, so each direction descends and a short enough step lowers it.
    weights = np.zeros(width)
    for _ in range(_MAX_STEPS):
        wrong = expit(-signed @ weights)
        gradient = penalty * weights - wrong @ signed / num
        curvature = (signed * (wrong * (1 - wrong))[:, None]).T @ signed / num + penalty * np.eye(width)
        step = np.linalg.solve(curvature, gradient)
        before = loss(weights)
        while loss(weights - step) > before + _ROUNDING:
            step /= 2
        weights = weights - step
        if np.abs(step).max() < _ROUNDING:
            break
    return weights


def fitted_probe(
    differences: ArrayLike,
    a_preferred: ArrayLike,
    clusters: ArrayLike,
    *,
    penalties: Sequence[float] = PENALTIES,
    num_folds: int = 5,
    seed: int = 0,
) -> Probe:
    """The probe of the penalty that does best in cross-validation, fitted to all pairs.

    Best is the least mean log loss over `num_folds` folds of whole `clusters` (prompts). Each feature is divided by its
    root mean square over the pairs first; the weights returned are for features as they come. Raises ValueError for
    fewer clusters than folds.
    """
    data, sign = _checked(differences, a_preferred)
    scale = np.sqrt((data**2).mean(axis=0))
    scaled = data / np.where(scale > 0, scale, 1.0)
    fold_of = _folds(clusters, len(data), num_folds, seed)
    losses = [
        sum(_held_out_loss(scaled, sign, fold_of == fold, penalty) for fold in range(num_folds))
        for penalty in penalties
    ]
    penalty = float(penalties[int(np.argmin(losses))])
    return Probe(logistic_weights(scaled, sign > 0, penalty) / np.where(scale > 0, scale, 1.0), penalty)


def _held_out_loss(data: Floats, sign: Floats, held: NDArray[np.bool_], penalty: float) -> float:
    weights = logistic_weights(data[~held], sign[~held] > 0, penalty)
    return float(np.logaddexp(0.0, -sign[held] * (data[held] @ weights)).sum())


def _folds(clusters: ArrayLike, num: int, num_folds: int, seed: int) -> NDArray[np.int64]:
    """The fold of each pair: clusters shuffled and dealt out in turn."""
    names, owners = np.unique(np.asarray(clusters), return_inverse=True)
    if owners.shape != (num,) or not 2 <= num_folds <= len(names):
        raise ValueError(f"{num_folds} folds need one cluster a pair and as many clusters: got {len(names)} for {num}")
    dealt = np.empty(len(names), dtype=np.int64)
    dealt[np.random.default_rng(seed).permutation(len(names))] = np.arange(len(names)) % num_folds
    return dealt[owners]


def _checked(differences: ArrayLike, a_preferred: ArrayLike) -> tuple[Floats, Floats]:
    """The differences, and 1 where a is preferred, -1 where b is."""
    data, preferred = np.asarray(differences, dtype=np.float64), np.asarray(a_preferred, dtype=bool)
    if data.ndim != 2 or preferred.shape != data.shape[:1] or not len(data) or not np.isfinite(data).all():
        raise ValueError(f"expected finite [N, D] differences and N labels, got {data.shape} and {preferred.shape}")
    return data, np.where(preferred, 1.0, -1.0)
