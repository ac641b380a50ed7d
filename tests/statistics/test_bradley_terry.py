"""Ratings from votes, against closed forms, an independent optimiser and finite differences."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats
from scipy.optimize import minimize

from plaudit.statistics import bradley_terry
from plaudit.statistics.bradley_terry import Votes, connected_parts, fitted, ranked

Floats = NDArray[np.float64]


def votes(*cast: tuple[int, int, float]) -> Votes:
    return Votes.of(*zip(*cast, strict=True))  # type: ignore[arg-type]


def crowd(num: int = 400, num_contestants: int = 5, seed: int = 0, num_effects: int = 0, ties: float = 0.8) -> Votes:
    """Random votes of a known world, some people casting many."""
    rng = np.random.default_rng(seed)
    ratings = rng.normal(size=num_contestants)
    pairs = np.array([rng.choice(num_contestants, 2, replace=False) for _ in range(num)])
    covariates = rng.normal(size=(num, num_effects)).round(1)
    d = ratings[pairs[:, 0]] - ratings[pairs[:, 1]] + covariates @ np.linspace(-1, 1, num_effects)
    weights = np.stack([np.exp(d / 2), np.exp(-d / 2), np.full(num, ties)], axis=1)
    drawn = (rng.random(num)[:, None] > (weights / weights.sum(1, keepdims=True)).cumsum(1)).sum(1)
    outcome = np.array([1.0, 0.0, 0.5])[drawn]
    return Votes.of(pairs[:, 0], pairs[:, 1], outcome, rng.integers(0, 40, num), covariates)


def slow_loss(x: Floats, cast: Votes, num_contestants: int, prior_std: float | None) -> float:
    """Minus the log-posterior, a vote at a time, ratings as they come."""
    ratings, effects, tie = x[:num_contestants], x[num_contestants:-1], x[-1]
    loss = 0.0
    for a, b, won, extra in zip(cast.first, cast.second, cast.outcome, cast.covariates, strict=True):
        d = ratings[a] - ratings[b] + float(extra @ effects)
        logits = {1.0: d / 2, 0.0: -d / 2, 0.5: tie}
        loss += math.log(sum(math.exp(value) for value in logits.values())) - logits[float(won)]
    if prior_std is not None:
        loss += float((x[:-1] ** 2).sum()) / (2 * prior_std**2) + tie**2 / 200
    return loss


def test_two_contestants_worked_by_hand() -> None:
    """Won 3 of 4: log 3. With 6 wins, 2 losses and 3 ties: log 3, and nu = 3 / sqrt(12)."""
    fit = fitted(votes((0, 1, 1), (0, 1, 1), (1, 0, 0), (0, 1, 0)), 2, prior_std=None)
    assert fit.ratings.tolist() == pytest.approx([math.log(3) / 2, -math.log(3) / 2], abs=1e-8)
    assert fit.tie == -math.inf
    assert fit.win_rate(0, 1) == pytest.approx(0.75)
    tied = fitted(votes(*[(0, 1, 1.0)] * 6, *[(0, 1, 0.0)] * 2, *[(1, 0, 0.5)] * 3), 2, prior_std=None)
    assert float(tied.ratings[0] - tied.ratings[1]) == pytest.approx(math.log(3), abs=1e-8)
    assert tied.tie == pytest.approx(math.log(3 / math.sqrt(12)), abs=1e-8)
    assert tied.win_rate(0, 1) == pytest.approx(6 / 11 + 3 / 22)
    assert [float(x) for x in tied.chances(tied.ratings[0] - tied.ratings[1])] == pytest.approx([6 / 11, 3 / 11])


@pytest.mark.parametrize("prior_std", [None, 1.5])
@pytest.mark.parametrize("num_effects", [0, 2])
def test_against_an_independent_optimiser(prior_std: float | None, num_effects: int) -> None:
    cast = crowd(num_effects=num_effects)
    start = np.zeros(5 + num_effects + 1)
    found = minimize(slow_loss, start, (cast, 5, prior_std), method="BFGS", options={"gtol": 1e-6}).x
    fit = fitted(cast, 5, prior_std=prior_std)
    assert np.abs(fit.ratings - (found[:5] - found[:5].mean())).max() < 1e-4
    assert np.abs(fit.effects - found[5:-1]).max(initial=0) < 1e-4
    assert fit.tie == pytest.approx(found[-1], abs=1e-4)


@pytest.mark.parametrize("has_ties", [True, False])
def test_the_derivatives_are_those_of_the_likelihood(has_ties: bool) -> None:
    cast = crowd(60, num_effects=2)
    if not has_ties:
        keep = cast.outcome != 0.5
        cast = Votes.of(cast.first[keep], cast.second[keep], cast.outcome[keep], None, cast.covariates[keep])
    rows, of_vote = bradley_terry._rows(cast, 5)
    counts = np.bincount(of_vote).astype(float)
    rng = np.random.default_rng(1)
    x = rng.normal(size=8)
    _, gradient, curvature = rows.log_likelihood(x, counts, has_ties)
    for i in range(7 + has_ties):
        up, down = x.copy(), x.copy()
        up[i], down[i] = x[i] + 1e-5, x[i] - 1e-5
        above, below = (rows.log_likelihood(y, counts, has_ties) for y in (up, down))
        assert gradient[i] == pytest.approx((above[0] - below[0]) / 2e-5, rel=1e-5, abs=1e-5)
        slope = (above[1] - below[1]) / 2e-5
        assert -curvature[i, : 7 + has_ties] == pytest.approx(slope[: 7 + has_ties], rel=1e-5, abs=1e-5)


def test_who_never_lost_keeps_a_finite_rating_under_a_prior() -> None:
    fit = fitted(votes(*[(0, 1, 1.0)] * 50, *[(1, 2, 1.0)] * 50), 3)
    assert np.isfinite(fit.ratings).all()
    assert fit.ratings[0] > fit.ratings[1] > fit.ratings[2]
    assert fit.ratings.sum() == pytest.approx(0, abs=1e-9)
    assert fit.ratings[0] < 10


@given(st.integers(0, 1000))
def test_names_and_sides_change_nothing(seed: int) -> None:
    cast = crowd(80, seed=seed % 20, num_effects=1)
    rng = np.random.default_rng(seed)
    new, flipped = rng.permutation(5), rng.random(80) < 0.5
    a, b = np.where(flipped, cast.second, cast.first), np.where(flipped, cast.first, cast.second)
    sign = np.where(flipped, -1.0, 1.0)
    outcome = np.where(flipped, 1 - cast.outcome, cast.outcome)
    order = rng.permutation(80)
    again = Votes.of(
        new[a][order], new[b][order], outcome[order], cast.voter[order], (cast.covariates * sign[:, None])[order]
    )
    before, after = fitted(cast, 5), fitted(again, 5)
    assert np.allclose(after.ratings[new], before.ratings, atol=1e-6)
    assert np.allclose(after.effects, before.effects, atol=1e-6)
    assert after.tie == pytest.approx(before.tie, abs=1e-6)


def test_parts_that_no_vote_joins_are_told() -> None:
    cast = votes((0, 1, 1), (1, 0, 1), (0, 1, 1), (2, 3, 0), (2, 3, 1), (2, 3, 0.5))
    found = ranked(cast, 5, num_resamples=20)
    assert found.groups == connected_parts(cast, 5)
    assert len(set(found.groups)) == 3
    assert found.groups[0] == found.groups[1] != found.groups[2] == found.groups[3]
    assert not found.is_connected
    assert found.win_rate(0, 2) is None
    assert found.win_rate(0, 1) is not None
    assert found.num_votes == (3, 3, 3, 3, 0)
    joined = ranked(votes((0, 1, 1), (1, 2, 0.5)), 3, num_resamples=20)
    assert joined.is_connected


def test_covariates_take_what_is_theirs() -> None:
    """Two equal models, the second's answers longer, and people who vote for length: the rating does not."""
    rng = np.random.default_rng(0)
    longer = rng.normal(0.8, 1.0, 3000)
    won = (rng.random(3000) < 1 / (1 + np.exp(-longer))).astype(float)
    blind = fitted(Votes.of(np.ones(3000, int), np.zeros(3000, int), won), 2)
    controlled = fitted(Votes.of(np.ones(3000, int), np.zeros(3000, int), won, None, longer[:, None]), 2)
    assert blind.ratings[1] - blind.ratings[0] > 0.5
    assert abs(controlled.ratings[1] - controlled.ratings[0]) < 0.15
    assert float(controlled.effects[0]) == pytest.approx(1.0, abs=0.15)


def test_intervals_hold_the_values_every_contestant_has_one_and_few_voters_make_them_wide() -> None:
    cast = crowd(600)
    people = ranked(cast, 5, num_resamples=200)
    for rating in people.ratings:
        assert rating.low < rating.value < rating.high
        assert rating.high - rating.low > 0.1
    rate = people.win_rate(0, 1)
    assert rate is not None
    assert rate.low < rate.value < rate.high
    assert rate.value == pytest.approx(people.fit.win_rate(0, 1))
    # Each of ten people casts the same vote sixty times over: ten votes, not six hundred.
    rng = np.random.default_rng(0)
    won = np.repeat(np.r_[np.ones(6), np.zeros(4)], 60)
    who = np.repeat(np.arange(10), 60)
    many = Votes.of(np.zeros(600, int), np.ones(600, int), won[rng.permutation(600)], None)
    few = Votes.of(np.zeros(600, int), np.ones(600, int), won, who)
    wide, narrow = (ranked(one, 2, num_resamples=200).ratings[0] for one in (few, many))
    assert wide.high - wide.low > 4 * (narrow.high - narrow.low)
    again = [ranked(few, 2, num_resamples=50, seed=3).ratings for _ in range(2)]
    assert again[0] == again[1]


def test_places_count_who_is_surely_better() -> None:
    cast = votes(*[(0, 1, 1.0)] * 90, *[(0, 1, 0.0)] * 10, *[(1, 2, 1.0)] * 6, *[(1, 2, 0.0)] * 5)
    found = ranked(cast, 3, num_resamples=200)
    assert [found.place(i) for i in range(3)] == [1, 2, 2]


def test_a_vote_of_weight_two_is_cast_twice() -> None:
    cast = crowd(120, num_effects=1)
    weight = np.random.default_rng(0).integers(1, 4, 120)
    weighed = Votes.of(cast.first, cast.second, cast.outcome, cast.voter, cast.covariates, weight)
    often = np.repeat(np.arange(120), weight)
    repeated = Votes.of(
        cast.first[often], cast.second[often], cast.outcome[often], cast.voter[often], cast.covariates[often]
    )
    few, many = (ranked(one, 5, num_resamples=20) for one in (weighed, repeated))
    assert few.fit.ratings == pytest.approx(many.fit.ratings, abs=1e-7)
    assert few.fit.effects == pytest.approx(many.fit.effects, abs=1e-7)
    for one, other in zip(few.ratings, many.ratings, strict=True):
        assert (one.low, one.high) == pytest.approx((other.low, other.high), abs=1e-6)


def test_one_voter_gives_no_interval() -> None:
    """Whoever is drawn, it is the same votes: an interval of no width would be a lie."""
    found = ranked(Votes.of([0, 0, 1], [1, 1, 2], [1, 0, 1], [7, 7, 7], [[0.1], [0.2], [0.3]]), 3, num_resamples=20)
    rate = found.win_rate(0, 2)
    assert rate is not None
    for estimate in (*found.ratings, *found.effects, rate):
        assert math.isnan(estimate.low)
        assert math.isnan(estimate.high)
    assert rate.value == found.fit.win_rate(0, 2)
    assert found.place(2) == 1


def test_a_win_rates_interval_is_that_of_the_refitted_win_rates() -> None:
    cast = crowd(200)
    found = ranked(cast, 5, num_resamples=60, level=0.9, seed=4)
    rate = found.win_rate(1, 3)
    assert rate is not None
    values = []
    for drawn in bradley_terry._draws(40, 60, 4):
        rows = np.repeat(np.arange(200), drawn[cast.voter].astype(int))
        values.append(fitted(Votes.of(cast.first[rows], cast.second[rows], cast.outcome[rows]), 5).win_rate(1, 3))
    often = [int(sum(cast.voter == who)) for who in range(40)]
    people = sum(often) ** 2 / sum(n * n for n in often)
    assert 30 < people < 40
    outside = stats.norm.cdf(math.sqrt(people / (people - 1)) * stats.t.ppf(0.05, people - 1))
    assert 0.03 < outside < 0.05
    assert (rate.low, rate.high) == pytest.approx(tuple(np.quantile(values, [outside, 1 - outside])), abs=1e-6)


def test_the_fewer_people_the_more_of_the_resamples_an_interval_holds() -> None:
    share = bradley_terry._share_inside
    # Hesterberg 2015: at n = 10 a 95 % interval takes the percentiles 0.9 and 99.1.
    assert (1 - share(0.95, np.ones(10))) / 2 == pytest.approx(0.0086, abs=5e-4)
    assert share(0.95, np.ones(100_000)) == pytest.approx(0.95, abs=1e-4)
    assert share(0.95, np.full(10, 7.0)) == pytest.approx(share(0.95, np.ones(10)))
    # Three votes of one and one of each of three others are 36 / 12 = 3 people's.
    assert share(0.95, np.r_[3.0, 1.0, 1.0, 1.0]) == pytest.approx(share(0.95, np.ones(3)))
    assert share(0.95, np.array([5.0])) == share(0.95, np.r_[1e9, 1.0]) == 1.0


@pytest.mark.parametrize(
    ("cast", "message"),
    [
        (([0], [0], [1]), "vote 0 puts a contestant against itself"),
        (([0], [1], [0.7]), "an outcome is 1"),
        (([0, 1], [1, 0], [1]), "must have a row a vote"),
        (([], [], []), "there are no votes"),
        (([0], [1], [1], None, [[math.inf]]), "covariates must be finite"),
        (([0], [1], [1], None, [0.5]), "must have a row a vote"),
        (([0], [1], [1], None, None, [0.0]), "weights must be finite and above 0"),
        (([0], [1], [1], None, None, [1.0, 1.0]), "must have a row a vote"),
    ],
)
def test_bad_votes_are_refused(cast: tuple[object, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Votes.of(*cast)  # type: ignore[arg-type]


def test_bad_settings_are_refused() -> None:
    cast = votes((0, 1, 1), (1, 0, 1))
    with pytest.raises(ValueError, match=r"outside 0\.\.0"):
        fitted(cast, 1)
    with pytest.raises(ValueError, match="prior_std must be above 0"):
        fitted(cast, 2, prior_std=0.0)
    with pytest.raises(ValueError, match="level must lie"):
        ranked(cast, 2, level=1.0)
