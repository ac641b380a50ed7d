"""A number with its interval: Wilson's for a fraction, the bootstrap over clusters for everything else."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

Floats = NDArray[np.float64]
Statistic = Callable[[Floats], float]


@dataclass(frozen=True, slots=True)
class Estimate:
    """`value` and the ends of its interval, from `n` observations. Ends are nan where the data cannot give them."""

    value: float
    low: float
    high: float
    n: int


def mean(values: Floats) -> float:
    """The arithmetic mean."""
    return float(np.mean(values))


def wilson_interval(successes: float, n: int, level: float = 0.95) -> Estimate:
    """The fraction `successes / n` with Wilson's score interval (Wilson 1927). A tie may count as half a success.

    The ends solve |p - successes/n| = z sqrt(p (1 - p) / n), so they stay inside [0, 1] and say something at 0 and n.
    For independent observations: several answers to one prompt want `bootstrap_interval` with clusters.
    """
    _check_level(level)
    if n < 1 or not 0 <= successes <= n:
        raise ValueError(f"successes must lie in 0..n and n be at least 1: got {successes} of {n}")
    z, value = float(ndtri(0.5 + level / 2)), successes / n
    centre = (value + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * math.sqrt(value * (1 - value) / n + z**2 / (4 * n**2))
    return Estimate(value, max(0.0, centre - half), min(1.0, centre + half), n)


def bootstrap_interval(
    values: ArrayLike,
    statistic: Statistic = mean,
    *,
    clusters: ArrayLike | None = None,
    num_resamples: int = 2000,
    level: float = 0.95,
    seed: int = 0,
) -> Estimate:
    """`statistic(values)` with its percentile bootstrap interval (Efron 1979).

    `clusters` names the cluster of each value (the prompt of each answer): whole clusters are drawn with replacement,
    since values of one cluster depend on each other. Without it every value is its own cluster. One cluster gives no
    interval; under about twenty, the interval covers a little less than `level`.
    """
    data = as_floats(values)
    draws = _resampled_rows(len(data), clusters, num_resamples, seed)
    return _percentile_estimate(statistic(data), [statistic(data[rows]) for rows in draws], level, len(data))


def paired_difference(
    a: ArrayLike,
    b: ArrayLike,
    statistic: Statistic = mean,
    *,
    clusters: ArrayLike | None = None,
    num_resamples: int = 2000,
    level: float = 0.95,
    seed: int = 0,
) -> Estimate:
    """`statistic(a) - statistic(b)` with its bootstrap interval, where `a[i]` and `b[i]` belong to one item.

    Each resample takes the same rows of both, so what they share cancels. Clusters as in `bootstrap_interval`.
    """
    left, right = as_floats(a), as_floats(b)
    if len(left) != len(right):
        raise ValueError(f"a pair needs both sides: got {len(left)} and {len(right)} values")
    draws = _resampled_rows(len(left), clusters, num_resamples, seed)
    differences = [statistic(left[rows]) - statistic(right[rows]) for rows in draws]
    return _percentile_estimate(statistic(left) - statistic(right), differences, level, len(left))


def _resampled_rows(num_rows: int, clusters: ArrayLike | None, num: int, seed: int) -> Iterator[NDArray[np.intp]]:
    """Row numbers of `num` resamples: as many clusters as there are, drawn with replacement. None from one cluster."""
    labels = np.arange(num_rows) if clusters is None else np.asarray(clusters)
    if labels.shape != (num_rows,):
        raise ValueError(f"clusters must name one cluster a value: got shape {labels.shape} for {num_rows} values")
    _, inverse, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    if len(sizes) < 2:
        return
    order, starts = np.argsort(inverse, kind="stable"), np.cumsum(sizes) - sizes
    rng = np.random.default_rng(seed)
    for _ in range(num):
        drawn = rng.integers(len(sizes), size=len(sizes))
        ends = np.cumsum(sizes[drawn])
        # Each drawn cluster's run of `order`, one after the other: arange, shifted for each to where its run starts.
        shifts = np.repeat(starts[drawn] - ends + sizes[drawn], sizes[drawn])
        yield order[np.arange(ends[-1]) + shifts]


def _percentile_estimate(value: float, resampled: list[float], level: float, n: int) -> Estimate:
    _check_level(level)
    if not resampled:
        return Estimate(value, math.nan, math.nan, n)
    low, high = np.quantile(resampled, [0.5 - level / 2, 0.5 + level / 2])
    return Estimate(value, float(low), float(high), n)


def as_floats(values: ArrayLike) -> Floats:
    """The values as a list of at least one finite number; ValueError otherwise."""
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or not len(array) or not np.isfinite(array).all():
        raise ValueError(f"expected a list of at least one finite number, got shape {array.shape}: {array!r:.80}")
    return array


def _check_level(level: float) -> None:
    if not 0 < level < 1:
        raise ValueError(f"level is a fraction such as 0.95, got {level}")
