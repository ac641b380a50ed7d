"""Ranking contestants by votes on pairs: Bradley-Terry with ties, a prior, covariates, and intervals clustered by voter."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components
from scipy.special import ndtr, stdtrit

from plaudit.statistics.intervals import Estimate

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_MAX_STEPS, _ROUNDING = 200, 1e-9
_TIE_PRIOR_STD = 10.0


@dataclass(frozen=True, slots=True)
class Votes:
    """N votes. `outcome` is 1 where `first` won, 0 where `second` did, 0.5 for a tie.

    `covariates` [N, P] are differences, first minus second, of what votes should be corrected for (length, lists, ...).
    `weight` [N] says how many votes each counts for.
    """

    first: Ints
    second: Ints
    outcome: Floats
    voter: Ints
    covariates: Floats
    weight: Floats

    @classmethod
    def of(
        cls,
        first: ArrayLike,
        second: ArrayLike,
        outcome: ArrayLike,
        voter: ArrayLike | None = None,
        covariates: ArrayLike | None = None,
        weight: ArrayLike | None = None,
    ) -> Votes:
        """The votes, checked. Without `voter` every vote is a voter's only one. Raises ValueError for what does not fit."""
        a, b, won = np.asarray(first, np.int64), np.asarray(second, np.int64), np.asarray(outcome, np.float64)
        who = np.arange(len(won)) if voter is None else np.unique(np.asarray(voter), return_inverse=True)[1]
        extra = np.zeros((len(won), 0)) if covariates is None else np.asarray(covariates, np.float64)
        counts = np.ones(len(won)) if weight is None else np.asarray(weight, np.float64)
        lists = (a, b, won, who, counts)
        if not (all(array.shape == (len(won),) for array in lists) and extra.ndim == 2 and len(extra) == len(won)):
            shapes = [array.shape for array in (*lists, extra)]
            raise ValueError(f"first, second, outcome, voter, weight, covariates must have a row a vote: got {shapes}")
        if not len(won):
            raise ValueError("there are no votes")
        if (a == b).any():
            raise ValueError(f"vote {int((a == b).argmax())} puts a contestant against itself")
        if not np.isin(won, (0.0, 0.5, 1.0)).all():
            raise ValueError("an outcome is 1 (the first won), 0 (the second won) or 0.5 (a tie)")
        if not np.isfinite(extra).all():
            raise ValueError("covariates must be finite")
        if not ((counts > 0) & np.isfinite(counts)).all():
            raise ValueError("weights must be finite and above 0: leave out votes that are to count for nothing")
        return cls(a, b, won, who.astype(np.int64), extra, counts)

    def __len__(self) -> int:
        return len(self.outcome)


@dataclass(frozen=True, slots=True)
class Fit:
    """Ratings [M] that sum to zero, on the scale of log-odds; `tie` is the log of Davidson's nu (-inf without ties)."""

    ratings: Floats
    tie: float
    effects: Floats

    def chances(self, differences: ArrayLike) -> tuple[Floats, Floats]:
        """P(the first wins) and P(tie) at these differences of ratings, covariates equal."""
        return _chances(np.asarray(differences, np.float64), self.tie)

    def win_rate(self, a: int, b: int) -> float:
        """P(a wins) + P(tie) / 2."""
        wins, ties = self.chances(self.ratings[a] - self.ratings[b])
        return float(wins + ties / 2)


def _chances(d: Floats, tie: Floats | float) -> tuple[Floats, Floats]:
    """P(first wins), P(tie): exp(d / 2), nu over exp(d / 2) + exp(-d / 2) + nu."""
    half = np.abs(d) / 2
    # Divided by the largest term, so that nothing overflows.
    top = np.maximum(half, tie)
    up, down, tied = np.exp(half - top), np.exp(-half - top), np.exp(tie - top)
    total = up + down + tied
    return np.where(d >= 0, up, down) / total, tied / total


@dataclass(frozen=True, slots=True)
class _Rows:
    """Unlike votes with how often each was cast, and the design that gives a vote's log-odds."""

    design: Floats
    outcome: Floats

    def log_likelihood(self, parameters: Floats, counts: Floats, has_ties: bool) -> tuple[float, Floats, Floats]:
        """Of counted votes, with its gradient and minus its second derivative (the last parameter is the tie's)."""
        d, tie = self.design @ parameters[:-1], float(parameters[-1]) if has_ties else -np.inf
        wins, ties = _chances(d, tie)
        losses = 1 - wins - ties
        tied = self.outcome == 0.5
        seen = np.where(tied, ties, np.where(self.outcome == 1, wins, losses))
        value = float(counts @ np.log(np.maximum(seen, 1e-300)))
        by_d = np.where(tied, 0.0, self.outcome - 0.5) - (wins - losses) / 2
        by_tie = tied - ties
        gradient = np.append(self.design.T @ (counts * by_d), counts @ by_tie)
        of_d = (wins + losses) / 4 - ((wins - losses) / 2) ** 2
        of_both = -(wins - losses) / 2 * ties
        curvature = np.empty((len(parameters), len(parameters)))
        curvature[:-1, :-1] = (self.design * (counts * of_d)[:, None]).T @ self.design
        curvature[:-1, -1] = curvature[-1, :-1] = self.design.T @ (counts * of_both)
        curvature[-1, -1] = counts @ (ties * (1 - ties))
        return value, gradient, curvature


def _rows(votes: Votes, num_contestants: int) -> tuple[_Rows, Ints]:
    """The unlike votes, and for each vote which of them it is."""
    table = np.column_stack([votes.first, votes.second, votes.outcome, votes.covariates])
    unlike, of_vote = np.unique(table, axis=0, return_inverse=True)
    design = np.zeros((len(unlike), num_contestants + votes.covariates.shape[1]))
    places = np.arange(len(unlike))
    design[places, unlike[:, 0].astype(int)] = 1.0
    design[places, unlike[:, 1].astype(int)] = -1.0
    design[:, num_contestants:] = unlike[:, 3:]
    return _Rows(design, unlike[:, 2]), of_vote.reshape(-1)


def _newton(rows: _Rows, counts: Floats, precision: Floats, has_ties: bool, start: Floats) -> Floats:
    """The parameters of highest posterior: Newton's method, each step halved until it climbs."""

    def posterior(parameters: Floats) -> tuple[float, Floats, Floats]:
        value, gradient, curvature = rows.log_likelihood(parameters, counts, has_ties)
        penalty = precision * parameters
        return value - float(penalty @ parameters) / 2, gradient - penalty, curvature + np.diag(precision)

    parameters = start
    value, gradient, curvature = posterior(parameters)
    for _ in range(_MAX_STEPS):
        # lstsq: without a prior the ratings are known up to a constant, and the shortest step keeps their sum.
        step = np.linalg.lstsq(curvature, gradient, rcond=1e-12)[0]
        while True:
            found = posterior(parameters + step)
            if found[0] >= value - _ROUNDING * abs(value) or np.abs(step).max() < _ROUNDING:
                break
            step = step / 2
        parameters, (value, gradient, curvature) = parameters + step, found
        if np.abs(step).max() < _ROUNDING:
            break
    return parameters


def _fit_of(parameters: Floats, num_contestants: int, has_ties: bool) -> Fit:
    ratings = parameters[:num_contestants]
    return Fit(
        ratings - ratings.mean(), float(parameters[-1]) if has_ties else -np.inf, parameters[num_contestants:-1].copy()
    )


def _precision(num_contestants: int, num_effects: int, prior_std: float | None) -> Floats:
    if prior_std is not None and not prior_std > 0:
        raise ValueError(f"prior_std must be above 0, or None for no prior: got {prior_std}")
    strength = 0.0 if prior_std is None else prior_std**-2
    tie = 0.0 if prior_std is None else _TIE_PRIOR_STD**-2
    return np.append(np.full(num_contestants + num_effects, strength), tie)


def fitted(votes: Votes, num_contestants: int, *, prior_std: float | None = 2.0) -> Fit:
    """The ratings of highest posterior.

    With d = rating_a - rating_b + effects . covariates: P(a wins), P(b wins), P(tie) go as exp(d/2), exp(-d/2), nu
    (Davidson 1970; without ties Bradley and Terry 1952). Ratings and effects have a normal prior of mean 0 and deviation
    `prior_std`, so that a contestant who never lost keeps a finite rating; None fits by maximum likelihood, which then has
    no finite answer.
    """
    return _solved(votes, num_contestants, prior_std).fit


@dataclass(frozen=True, slots=True)
class _Solved:
    """A fit with all that fitting anew needs."""

    fit: Fit
    rows: _Rows
    of_vote: Ints
    parameters: Floats
    precision: Floats
    has_ties: bool


def _solved(votes: Votes, num_contestants: int, prior_std: float | None) -> _Solved:
    if int(max(votes.first.max(), votes.second.max())) >= num_contestants or int(votes.first.min()) < 0:
        raise ValueError(f"a vote names a contestant outside 0..{num_contestants - 1}")
    rows, of_vote = _rows(votes, num_contestants)
    has_ties = bool((votes.outcome == 0.5).any())
    precision = _precision(num_contestants, votes.covariates.shape[1], prior_std)
    counts = np.bincount(of_vote, votes.weight, minlength=len(rows.outcome)).astype(np.float64)
    parameters = _newton(rows, counts, precision, has_ties, np.zeros(len(precision)))
    fit = _fit_of(parameters, num_contestants, has_ties)
    return _Solved(fit, rows, of_vote, parameters, precision, has_ties)


@dataclass(frozen=True, slots=True)
class Ranking:
    """Ratings, effects and win rates with their intervals; `groups` numbers the parts of the graph of comparisons [M].

    Ratings of contestants in two parts say nothing of each other: no chain of votes joins them. `_share` of the resampled
    values lie inside an interval.
    """

    fit: Fit
    ratings: tuple[Estimate, ...]
    effects: tuple[Estimate, ...]
    groups: tuple[int, ...]
    num_votes: tuple[int, ...]
    _resampled: tuple[Fit, ...]
    _share: float

    @property
    def is_connected(self) -> bool:
        """Whether all ratings may be compared."""
        return len(set(self.groups)) == 1

    def win_rate(self, a: int, b: int) -> Estimate | None:
        """P(a wins) + P(tie) / 2 with its interval; None where no chain of votes joins them."""
        if self.groups[a] != self.groups[b]:
            return None
        apart = np.array([fit.ratings[a] - fit.ratings[b] for fit in self._resampled])
        wins, ties = _chances(apart, np.array([fit.tie for fit in self._resampled]))
        return _estimate(self.fit.win_rate(a, b), wins + ties / 2, self.num_votes[a] + self.num_votes[b], self._share)

    def place(self, a: int) -> int:
        """1 + the number of those in its part who are surely better: whose win rate's interval lies above a half."""
        better = (self.win_rate(b, a) for b in range(len(self.groups)) if b != a)
        return 1 + sum(found is not None and found.low > 0.5 for found in better)


def ranked(
    votes: Votes,
    num_contestants: int,
    *,
    prior_std: float | None = 2.0,
    num_resamples: int = 500,
    level: float = 0.95,
    seed: int = 0,
) -> Ranking:
    """The ranking, with intervals from a bootstrap that draws voters: one person's votes hang together.

    Every fit is refitted whole, its ratings summing to zero, so that no contestant is an anchor without an interval. The
    intervals are expanded percentiles (`_share_inside`). One voter gives no interval: its ends are nan.
    """
    if not 0 < level < 1 or num_resamples < 1:
        raise ValueError(f"level must lie in (0, 1) and num_resamples be at least 1: got {level} and {num_resamples}")
    found = _solved(votes, num_contestants, prior_std)
    fit, rows, of_vote, has_ties = found.fit, found.rows, found.of_vote, found.has_ties
    num_voters = int(votes.voter.max()) + 1
    shape = (num_voters, len(rows.outcome))
    cast = csr_matrix((votes.weight, (votes.voter, of_vote)), shape=shape)
    resampled = tuple(
        _fit_of(_newton(rows, cast.T @ drawn, found.precision, has_ties, found.parameters), num_contestants, has_ties)
        for drawn in _draws(num_voters, num_resamples, seed)
    )
    share = _share_inside(level, np.bincount(votes.voter, votes.weight).astype(np.float64))
    of = np.bincount(np.r_[votes.first, votes.second], minlength=num_contestants)
    values = np.array([one.ratings for one in resampled]).reshape(len(resampled), num_contestants)
    effects = np.array([one.effects for one in resampled]).reshape(len(resampled), votes.covariates.shape[1])
    return Ranking(
        fit,
        tuple(_estimate(x, values[:, i], int(of[i]), share) for i, x in enumerate(fit.ratings)),
        tuple(_estimate(x, effects[:, i], len(votes), share) for i, x in enumerate(fit.effects)),
        connected_parts(votes, num_contestants),
        tuple(of.tolist()),
        resampled,
        share,
    )


def _draws(num_voters: int, num_resamples: int, seed: int) -> Iterator[Floats]:
    """How often each voter is drawn, for each resample. None from one voter, of whom every draw is the same."""
    if num_voters < 2:
        return
    generator = np.random.default_rng(seed)
    for _ in range(num_resamples):
        yield generator.multinomial(num_voters, np.full(num_voters, 1 / num_voters)).astype(np.float64)


def _share_inside(level: float, votes_of: Floats) -> float:
    """How much of the resampled values an interval must hold to cover the truth as often as `level` says.

    Percentiles of a bootstrap of n alike are too narrow by sqrt((n - 1) / n) and by the normal's quantile over Student's t
    with n - 1 degrees of freedom; both are undone (Hesterberg 2015, expanded percentiles). People are as unequal as the
    votes they cast [V], so n is their number by Kish (1965): sum(votes)^2 / sum(votes^2).
    """
    n = float(votes_of.sum() ** 2 / (votes_of**2).sum())
    if n <= 1:
        return 1.0
    return float(1 - 2 * ndtr(math.sqrt(n / (n - 1)) * stdtrit(n - 1, (1 - level) / 2)))


def _estimate(value: float, resampled: Floats, n: int, share: float) -> Estimate:
    if not len(resampled):
        return Estimate(float(value), math.nan, math.nan, n)
    low, high = np.quantile(resampled, [0.5 - share / 2, 0.5 + share / 2])
    return Estimate(float(value), float(low), float(high), n)


def connected_parts(votes: Votes, num_contestants: int) -> tuple[int, ...]:
    """For each contestant the number of its part: two are in one where a chain of votes joins them."""
    ones = np.ones(len(votes))
    graph = csr_matrix((ones, (votes.first, votes.second)), shape=(num_contestants, num_contestants))
    return tuple(connected_components(graph, directed=False)[1].tolist())
