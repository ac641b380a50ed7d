"""Prediction-powered inference: the mean that people would give, from a few of their words and many of a judge's."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtrit

from plaudit.statistics.intervals import Estimate, as_floats, bootstrap_interval, paired_difference, wilson_interval

Floats = NDArray[np.float64]

_MIN_TUNED = 3
"""Labelled clusters from which the judge's weight can be fitted: one degree of freedom goes to it, one to the mean."""
_CELLS = 1_000_000


@dataclass(frozen=True, slots=True)
class PredictionPowered:
    """What people would say of all items, from their word on some and a judge's on all.

    `estimate` has the interval of the closed form, `resampled` the one of the bootstrap over clusters; their `n` counts
    people's labels. `people_only` ignores the judge, `judge_only` ignores people. `weight` is the lambda that the judge
    got. `bias` is the judge's mean less people's, on the items both judged. `effective_labels` is how many labels
    people alone would need for an interval as narrow as the closed form's; nan where there is none.
    """

    estimate: Estimate
    resampled: Estimate
    people_only: Estimate
    judge_only: Estimate
    bias: Estimate
    weight: float
    effective_labels: float
    num_unlabelled: int
    num_labelled_clusters: int


def prediction_powered_mean(
    people: ArrayLike,
    judge: ArrayLike,
    unlabelled: ArrayLike,
    *,
    clusters: ArrayLike | None = None,
    unlabelled_clusters: ArrayLike | None = None,
    weight: float | None = None,
    num_resamples: int = 2000,
    level: float = 0.95,
    seed: int = 0,
) -> PredictionPowered:
    """The mean of people's values in [0, 1] (1 win, 0 loss, 0.5 tie) over all items, helped by the judge's values.

    `people[i]` and `judge[i]` are about one item, `unlabelled` is the judge's word on items that no person saw; the
    items people saw must be a random sample of all. With the labelled items L (n of them) and the others U (N):

        theta = mean_L(y) + lambda (mean_U(f) - mean_L(f))

    (Angelopoulos et al. 2023, with lambda = 1; Angelopoulos, Duchi and Zrnic 2023, "PPI++", eq. 3.) `weight` is lambda;
    None takes the one that minimises the variance, cut to [0, 1], so that a useless judge gets none (section 6 there).

    `clusters` names the prompt of each item. Deviates from PPI++, whose items are independent: prompt c moves theta by
    a_c - lambda b_c with a_c = sum_{L in c} (y - mean_L y) / n and b_c = sum_{L in c} (f - mean_L f) / n -
    sum_{U in c} (f - mean_U f) / N, so the variance is sum_c (a_c - lambda b_c)^2 and lambda = sum a b / sum b^2; with
    one item a prompt this is theirs. As few people are the normal case, the share of the C prompts with a label is
    multiplied by C / (C - 1), or C / (C - 2) where lambda was fitted, and the ends are Student's with Welch's degrees of
    freedom; where the fit does not pay for the degree it costs, lambda is 0. Where all people said the same the ends
    are Wilson's over the prompts.
    """
    table = _Table.of(people, judge, unlabelled, clusters, unlabelled_clusters)
    if weight is not None and not (math.isfinite(weight) and weight >= 0):
        raise ValueError(f"weight is a finite number from 0 on, got {weight}")
    every, tuned = np.ones((1, table.num_clusters)), weight is None and table.num_labelled_clusters >= _MIN_TUNED
    given = None if tuned else (weight or 0.0)
    plain = table.interval(table.mean(every, 0.0), lost=1, level=level)
    found = table.interval(table.mean(every, given), lost=2 if tuned else 1, level=level)
    if tuned and not found.variance < plain.variance:
        found = plain
    return PredictionPowered(
        estimate=found.estimate,
        resampled=table.resampled(found.estimate.value, given, num_resamples, level, seed),
        people_only=plain.estimate,
        judge_only=bootstrap_interval(
            np.concatenate([as_floats(judge), np.asarray(unlabelled, dtype=np.float64)]),
            clusters=table.owners,
            num_resamples=num_resamples,
            level=level,
            seed=seed,
        ),
        bias=paired_difference(judge, people, clusters=clusters, num_resamples=num_resamples, level=level, seed=seed),
        weight=found.weight,
        effective_labels=_worth(plain, found),
        num_unlabelled=int(table.num_u.sum()),
        num_labelled_clusters=table.num_labelled_clusters,
    )


@dataclass(frozen=True, slots=True)
class _Means:
    """Theta, lambda and each cluster's share of theta's deviation (a_c - lambda b_c), of each resample."""

    theta: Floats
    weight: Floats
    shares: Floats


@dataclass(frozen=True, slots=True)
class _Interval:
    """An estimate with its lambda and the variance behind its ends; nan where there is none."""

    estimate: Estimate
    weight: float
    variance: float


def _worth(plain: _Interval, found: _Interval) -> float:
    """People's labels that would give this variance."""
    if math.isnan(found.variance):
        return math.nan
    return plain.estimate.n * (plain.variance / found.variance if found.variance > 0 else 1.0)


@dataclass(frozen=True, slots=True)
class _Table:
    """The sums of each cluster: how many items (num), people's values (y), the judge's (f); L labelled, U not.

    Clusters with a label come first. `owners` is the cluster of every item, labelled ones first.
    """

    num_l: Floats
    y_l: Floats
    f_l: Floats
    num_u: Floats
    f_u: Floats
    num_labelled_clusters: int
    owners: NDArray[np.intp]

    @classmethod
    def of(
        cls,
        people: ArrayLike,
        judge: ArrayLike,
        unlabelled: ArrayLike,
        clusters: ArrayLike | None,
        unlabelled_clusters: ArrayLike | None,
    ) -> _Table:
        """The sums. Raises ValueError for values outside [0, 1] and lists that do not belong together."""
        y, f, g = as_floats(people), as_floats(judge), np.asarray(unlabelled, dtype=np.float64)
        if len(y) != len(f) or g.ndim != 1:
            raise ValueError(f"the judge has a word on every item people judged: got {len(y)} and {len(f)}")
        if not all(((values >= 0) & (values <= 1)).all() for values in (y, f, g)):
            raise ValueError("a win is 1, a loss 0 and a tie 0.5; got a value outside [0, 1]")
        if len(g) and (clusters is None) != (unlabelled_clusters is None):
            raise ValueError("name the clusters of labelled and unlabelled items, or of neither")
        labelled, others = _labels(clusters, len(y), "l"), _labels(unlabelled_clusters, len(g), "u")
        names, owners = np.unique(np.concatenate([labelled, others]), return_inverse=True)
        is_labelled = np.zeros(len(names), dtype=bool)
        is_labelled[owners[: len(y)]] = True
        place = np.empty(len(names), dtype=np.intp)
        place[np.argsort(~is_labelled, kind="stable")] = np.arange(len(names))
        owners = place[owners]

        def sums(values: Floats, of: NDArray[np.intp]) -> Floats:
            return np.bincount(of, weights=values, minlength=len(names)).astype(np.float64)

        in_l, in_u = owners[: len(y)], owners[len(y) :]
        counted = (sums(np.ones_like(y), in_l), sums(y, in_l), sums(f, in_l), sums(np.ones_like(g), in_u))
        return cls(*counted, sums(g, in_u), int(is_labelled.sum()), owners)

    @property
    def num_clusters(self) -> int:
        return len(self.num_l)

    def mean(self, counts: Floats, weight: float | None) -> _Means:
        """The means of each row of `counts`, which says how often each cluster is in. None fits lambda."""
        n, num_u = counts @ self.num_l, counts @ self.num_u
        # Without items that people did not see there is nothing for the judge to add.
        of_u = np.divide(1.0, num_u, out=np.zeros_like(num_u), where=num_u > 0)
        y, f, g = counts @ self.y_l / n, counts @ self.f_l / n, counts @ self.f_u * of_u
        a = (self.y_l - self.num_l * y[:, None]) / n[:, None]
        b = (self.f_l - self.num_l * f[:, None]) / n[:, None] - (self.f_u - self.num_u * g[:, None]) * of_u[:, None]
        fitted = np.full(len(counts), weight or 0.0)
        if weight is None:
            square = (counts * b * b).sum(axis=1)
            np.divide((counts * a * b).sum(axis=1), square, out=fitted, where=square > 0)
            fitted = np.clip(fitted, 0.0, 1.0)
        fitted = np.where(num_u > 0, fitted, 0.0)
        return _Means(y + fitted * (g - f), fitted, a - fitted[:, None] * b)

    def interval(self, means: _Means, *, lost: int, level: float) -> _Interval:
        """Student's interval around the first mean, cut to [0, 1]; `lost` degrees of freedom went into fits."""
        num, num_clusters = int(self.num_l.sum()), self.num_labelled_clusters
        value, weight = min(1.0, max(0.0, float(means.theta[0]))), float(means.weight[0])
        if num_clusters <= lost:
            return _Interval(Estimate(value, math.nan, math.nan, num), weight, math.nan)
        squares, num_others = means.shares[0] ** 2, self.num_clusters - num_clusters
        of_labelled = float(squares[:num_clusters].sum()) * num_clusters / (num_clusters - lost)
        of_others = float(squares[num_clusters:].sum()) * num_others / max(1, num_others - 1)
        variance = of_labelled + of_others
        if variance == 0:
            wilson = wilson_interval(value * num_clusters, num_clusters, level)
            return _Interval(Estimate(value, wilson.low, wilson.high, num), weight, variance)
        freedom = variance**2 / (of_labelled**2 / (num_clusters - 1) + of_others**2 / max(1, num_others - 1))
        half = float(stdtrit(freedom, 0.5 + level / 2)) * math.sqrt(variance)
        return _Interval(Estimate(value, max(0.0, value - half), min(1.0, value + half), num), weight, variance)

    def resampled(self, value: float, weight: float | None, num: int, level: float, seed: int) -> Estimate:
        """The bootstrap over clusters, those with and those without a label apart; lambda is fitted anew each time."""
        count = int(self.num_l.sum())
        if self.num_labelled_clusters < 2:
            return Estimate(value, math.nan, math.nan, count)
        rng, means = np.random.default_rng(seed), []
        strata = [size for size in (self.num_labelled_clusters, self.num_clusters - self.num_labelled_clusters) if size]
        portion = max(1, _CELLS // self.num_clusters)
        for start in range(0, num, portion):
            size = min(portion, num - start)
            counts = [rng.multinomial(many, np.full(many, 1 / many), size=size) for many in strata]
            means.append(self.mean(np.concatenate(counts, axis=1).astype(np.float64), weight).theta)
        low, high = np.quantile(np.clip(np.concatenate(means), 0, 1), [0.5 - level / 2, 0.5 + level / 2])
        return Estimate(value, float(low), float(high), count)


def _labels(names: ArrayLike | None, num: int, kind: str) -> NDArray[np.str_]:
    """The clusters' names as text; one of its own for every item where none are given."""
    if names is None:
        return np.array([f"{kind}{i}" for i in range(num)], dtype=np.str_)
    labels = np.asarray(names).astype(np.str_)
    if labels.shape != (num,):
        raise ValueError(f"clusters must name one cluster an item: got shape {labels.shape} for {num} items")
    return labels
