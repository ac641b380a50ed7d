"""Few people and a judge: a slow reference, how often the interval holds the truth, and what it falls back to."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from plaudit.statistics.prediction_powered import PredictionPowered, prediction_powered_mean
from plaudit.statistics.winrate import win_rate

Floats = NDArray[np.float64]
WINS = st.sampled_from([0.0, 0.5, 1.0])
TRUTH = 0.62
NUM_SETS = 500


def judged(kind: str, people: Floats, rng: np.random.Generator) -> Floats:
    """What a judge of that kind says where people say `people`."""
    match kind:
        case "perfect":
            return people
        case "noisy":
            return np.where(rng.random(len(people)) < 0.2, 1 - people, people)
        case "biased":
            return np.where(rng.random(len(people)) < 0.4, 1.0, people)
    return (rng.random(len(people)) < 0.5).astype(np.float64)


def study(kind: str, seed: int, *, num_prompts: int = 200, num_labelled: int = 40) -> tuple[Floats, ...]:
    """Three pairs a prompt, prompts that differ, a fifth of ties: people and judge on all, prompts, who was asked."""
    rng = np.random.default_rng(seed)
    prompts = np.repeat(np.arange(num_prompts), 3)
    chance = rng.beta(4 * TRUTH, 4 * (1 - TRUTH), size=num_prompts)[prompts]
    people = (rng.random(len(prompts)) < chance).astype(np.float64)
    return people, judged(kind, people, rng), prompts, prompts < num_labelled


def found_in(kind: str, seed: int, weight: float | None = None, num_resamples: int = 200) -> PredictionPowered:
    people, judge, prompts, asked = study(kind, seed)
    return prediction_powered_mean(
        people[asked], judge[asked], judge[~asked],
        clusters=prompts[asked], unlabelled_clusters=prompts[~asked],
        weight=weight, num_resamples=num_resamples, seed=seed,
    )  # fmt: skip


@cache
def many(kind: str) -> tuple[PredictionPowered, ...]:
    return tuple(found_in(kind, seed) for seed in range(NUM_SETS))


def error_of(share: float) -> float:
    """Three standard errors of a share over the data sets."""
    return 3 * math.sqrt(share * (1 - share) / NUM_SETS)


@pytest.mark.parametrize("kind", ["perfect", "noisy", "biased", "useless"])
def test_the_interval_covers_the_truth_and_is_never_wider_than_that_of_people_alone(kind: str) -> None:
    """500 data sets with 40 of 200 prompts labelled."""
    found = many(kind)
    held = np.mean([one.estimate.low <= TRUTH <= one.estimate.high for one in found])
    assert abs(held - 0.95) <= error_of(0.95)
    resampled = np.mean([one.resampled.low <= TRUTH <= one.resampled.high for one in found])
    assert abs(resampled - 0.94) <= error_of(0.94)  # percentiles of 40 prompts cover a little less than they say
    assert np.mean([one.people_only.low <= TRUTH <= one.people_only.high for one in found]) >= 0.95 - error_of(0.95)
    ratios = [(x.estimate.high - x.estimate.low) / (x.people_only.high - x.people_only.low) for x in found]
    assert np.mean(ratios) <= 1
    assert all(one.effective_labels >= 120 for one in found)


def test_a_better_judge_gets_more_weight_and_is_worth_more_labels() -> None:
    weights = {kind: np.mean([one.weight for one in many(kind)]) for kind in ("perfect", "noisy", "useless")}
    worths = {kind: np.mean([one.effective_labels for one in many(kind)]) for kind in ("perfect", "noisy", "useless")}
    assert weights["perfect"] > 0.7 > weights["noisy"] > 0.3 > 0.1 > weights["useless"]
    # with a perfect judge 600 judged pairs are nearly 600 people's words; with a useless one 120 stay 120
    assert 540 < worths["perfect"] < 660
    assert 150 < worths["noisy"] < 250
    assert worths["useless"] < 125


def test_the_judges_bias_is_found_and_does_not_reach_the_estimate() -> None:
    """Where people see 0.62 the judge says 1 in 40 % of cases: 0.4 * 0.38 too much."""
    found = many("biased")
    bias = 0.4 * (1 - TRUTH)
    assert np.mean([one.bias.value for one in found]) == pytest.approx(bias, abs=0.01)
    held = np.mean([one.bias.low <= bias <= one.bias.high for one in found])
    assert abs(held - 0.94) <= error_of(0.94)  # percentile bootstrap of 40 prompts
    assert np.mean([one.judge_only.low > TRUTH for one in found]) > 0.9
    assert np.mean([one.estimate.value for one in found]) == pytest.approx(TRUTH, abs=0.01)


def test_two_prompts_a_side_worked_by_hand() -> None:
    """y = 1, 0, 1 and f = 1, 0, 0 in three prompts, g = 1, 1, 0 in three others; lambda 0.5.

    theta = 2/3 + 0.5 (2/3 - 1/3) = 5/6. y - 0.5 f = 0.5, 0, 1: squares of deviations sum to 0.5, over n (n - 1) = 6.
    0.5 g: variance of the mean 0.25 * (2/3) / 6.
    """
    found = prediction_powered_mean([1, 0, 1], [1, 0, 0], [1, 1, 0], weight=0.5, level=0.5)
    variance = [0.5 / 6, 0.25 * (2 / 3) / 6]
    freedom = sum(variance) ** 2 / (variance[0] ** 2 / 2 + variance[1] ** 2 / 2)
    from scipy.stats import t

    half = t.ppf(0.75, freedom) * math.sqrt(sum(variance))
    assert found.estimate.value == pytest.approx(5 / 6)
    assert found.estimate.low == pytest.approx(5 / 6 - half)
    assert (found.weight, found.num_unlabelled, found.num_labelled_clusters, found.estimate.n) == (0.5, 3, 3, 3)
    assert found.judge_only.value == 0.5
    assert found.bias.value == pytest.approx(-1 / 3)


def slow(
    people: list[tuple[int, float, float]], others: list[tuple[int, float]], weight: float
) -> tuple[float, dict[int, float]]:
    """theta, and what each prompt adds to its deviation, with loops alone."""
    n, num = len(people), len(others)
    y = sum(value for _, value, _ in people) / n
    f = sum(value for _, _, value in people) / n
    g = sum(value for _, value in others) / num if num else 0.0
    shares: dict[int, float] = {}
    for prompt, value, said in people:
        shares[prompt] = shares.get(prompt, 0.0) + ((value - y) - weight * (said - f)) / n
    for prompt, said in others:
        shares[prompt] = shares.get(prompt, 0.0) + weight * (said - g) / num
    return y + (weight * (g - f) if num else 0.0), shares


@given(
    st.lists(st.tuples(st.integers(0, 9), WINS, WINS), min_size=4, max_size=30),
    st.lists(st.tuples(st.integers(5, 30), WINS), min_size=2, max_size=40),
)
def test_the_fitted_weight_is_the_best_there_is(
    people: list[tuple[int, float, float]], others: list[tuple[int, float]]
) -> None:
    """A grid search over lambda with the slow sums, and the slow theta at the weight that was fitted."""
    found = prediction_powered_mean(
        [y for _, y, _ in people], [f for _, _, f in people], [g for _, g in others],
        clusters=[c for c, _, _ in people], unlabelled_clusters=[c for c, _ in others], num_resamples=10,
    )  # fmt: skip
    theta, shares = slow(people, others, found.weight)
    assert found.estimate.value == pytest.approx(min(1.0, max(0.0, theta)), abs=1e-12)
    if found.weight > 0:
        least = sum(share**2 for share in shares.values())
        for weight in np.linspace(0, 1, 21):
            assert least <= sum(share**2 for share in slow(people, others, float(weight))[1].values()) + 1e-12


@given(st.lists(st.tuples(WINS, WINS), min_size=3, max_size=20), st.lists(WINS, max_size=20), st.booleans())
def test_without_weight_it_is_people_alone(
    pairs: list[tuple[float, float]], others: list[float], all_seen: bool
) -> None:
    """lambda = 0, and also no item that people did not see."""
    people, judge = [y for y, _ in pairs], [f for _, f in pairs]
    if all_seen:
        found = prediction_powered_mean(people, judge, [], num_resamples=50)
    else:
        found = prediction_powered_mean(people, judge, others, weight=0.0, num_resamples=50)
    assert (found.estimate, found.weight) == (found.people_only, 0.0)
    assert found.effective_labels == pytest.approx(len(people))
    assert found.estimate.value == pytest.approx(np.mean(people))


def test_the_bootstrap_without_weight_is_that_of_the_win_rate() -> None:
    people, _, prompts, asked = study("noisy", 3)
    found = found_in("noisy", 3, weight=0.0, num_resamples=4000)
    plain = win_rate(people[asked], prompts[asked], num_resamples=4000)
    width = plain.high - plain.low
    assert found.resampled.low == pytest.approx(plain.low, abs=0.05 * width)  # two draws of 4,000
    assert found.resampled.high == pytest.approx(plain.high, abs=0.05 * width)


def test_swapping_the_models_mirrors_everything() -> None:
    people, judge, prompts, asked = study("biased", 1)
    straight = found_in("biased", 1)
    mirrored = prediction_powered_mean(
        1 - people[asked], 1 - judge[asked], 1 - judge[~asked],
        clusters=prompts[asked], unlabelled_clusters=prompts[~asked], num_resamples=200, seed=1,
    )  # fmt: skip
    assert mirrored.weight == pytest.approx(straight.weight)
    for one, other in ((straight.estimate, mirrored.estimate), (straight.resampled, mirrored.resampled)):
        assert (1 - other.value, 1 - other.high, 1 - other.low) == pytest.approx((one.value, one.low, one.high))


def test_pairs_of_one_prompt_count_as_one() -> None:
    """Every pair thrice: three times the numbers, not a bit more certain."""
    once = prediction_powered_mean([1, 0, 1, 1, 0], [1, 0, 0, 1, 0.5], [1, 0, 1, 0.5], num_resamples=10)
    thrice = prediction_powered_mean(
        [1, 0, 1, 1, 0] * 3, [1, 0, 0, 1, 0.5] * 3, [1, 0, 1, 0.5] * 3,
        clusters=[*"abcde"] * 3, unlabelled_clusters=[*"fghi"] * 3, num_resamples=10,
    )  # fmt: skip
    assert (thrice.estimate.low, thrice.estimate.high) == pytest.approx((once.estimate.low, once.estimate.high))
    assert (once.estimate.n, thrice.estimate.n, thrice.num_labelled_clusters) == (5, 15, 5)


def test_one_prompt_gives_a_value_and_no_interval() -> None:
    found = prediction_powered_mean([1, 0], [1, 1], [1, 0.5], clusters=["p", "p"], unlabelled_clusters=["q", "r"])
    assert (found.estimate.value, found.weight, found.num_labelled_clusters) == (0.5, 0.0, 1)
    ends = (found.estimate.low, found.estimate.high, found.resampled.low, found.bias.low, found.effective_labels)
    assert all(math.isnan(end) for end in ends)


def test_where_all_people_agree_the_interval_still_says_something() -> None:
    """Six of six: Wilson's lower end 6 / (6 + 1.96**2)."""
    found = prediction_powered_mean([1] * 6, [1, 1, 0, 1, 1, 1], [1, 0, 1], num_resamples=10)
    assert (found.estimate.value, found.estimate.high, found.weight) == (1.0, 1.0, 0.0)
    assert found.estimate.low == pytest.approx(6 / (6 + 1.959964**2), abs=1e-6)
    assert found.effective_labels == 6


def test_what_does_not_belong_together_is_refused() -> None:
    with pytest.raises(ValueError, match="every item people judged: got 2 and 1"):
        prediction_powered_mean([1, 0], [1], [])
    with pytest.raises(ValueError, match="a win is 1"):
        prediction_powered_mean([1, 0], [1, 0], [2.0])
    with pytest.raises(ValueError, match="at least one finite number"):
        prediction_powered_mean([], [], [1.0])
    with pytest.raises(ValueError, match="or of neither"):
        prediction_powered_mean([1, 0], [1, 0], [1], clusters=[0, 1])
    with pytest.raises(ValueError, match="one cluster an item"):
        prediction_powered_mean([1, 0], [1, 0], [1], clusters=[0], unlabelled_clusters=[1])
    with pytest.raises(ValueError, match="weight is a finite number"):
        prediction_powered_mean([1, 0], [1, 0], [1], weight=-0.1)
