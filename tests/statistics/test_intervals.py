"""Intervals: worked examples, slow references, and how often they cover the truth."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plaudit.statistics.intervals import bootstrap_interval, mean, paired_difference, wilson_interval


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [
        (81, 263, 0.2553, 0.3662),  # Newcombe 1998, table I, method 3
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
        (29, 29, 0.8830, 1.0000),  # n / (n + z**2)
    ],
)
def test_wilson_agrees_with_the_published_table(successes: int, n: int, low: float, high: float) -> None:
    found = wilson_interval(successes, n)
    assert (found.value, found.n) == (successes / n, n)
    assert (round(found.low, 4), round(found.high, 4)) == (low, high)


@given(st.integers(1, 500), st.floats(0, 1), st.floats(0.5, 0.999))
def test_wilson_ends_are_where_the_score_test_turns(n: int, fraction: float, level: float) -> None:
    """Independent of the closed form: at either end the score statistic equals the normal quantile."""
    from statistics import NormalDist

    successes = fraction * n
    found, z = wilson_interval(successes, n, level), NormalDist().inv_cdf(0.5 + level / 2)
    assert 0 <= found.low <= found.value + 1e-12
    assert found.value - 1e-12 <= found.high <= 1
    for end in (found.low, found.high):
        assert n * (end - fraction) ** 2 == pytest.approx(z**2 * end * (1 - end), abs=1e-8)


def test_wilson_covers_the_truth() -> None:
    """Exact: the probability of an interval that holds p, averaged over p between 0.05 and 0.95."""
    from scipy.stats import binom

    n, coverages = 64, []
    ends = [wilson_interval(k, n) for k in range(n + 1)]
    for p in np.linspace(0.05, 0.95, 181):
        coverages.append(sum(binom.pmf(k, n, p) for k, end in enumerate(ends) if end.low <= p <= end.high))
    assert 0.94 < np.mean(coverages) < 0.96


@pytest.mark.parametrize(("successes", "n"), [(-1, 3), (4, 3), (0, 0)])
def test_impossible_counts_are_refused(successes: int, n: int) -> None:
    with pytest.raises(ValueError, match="successes must lie"):
        wilson_interval(successes, n)


def test_a_bootstrap_of_two_clusters_worked_by_hand() -> None:
    """Clusters x = {0, 0, 3} and y = {8}: the draws xx, xy, yx, yy have means 1, 11/4, 11/4, 8 with odds 1:2:1.

    The 12.5 % quantile lies among the xx (25 % of draws), the 87.5 % quantile among the yy, the median among the rest.
    """
    values, clusters = [0.0, 8.0, 0.0, 3.0], ["x", "y", "x", "x"]
    wide = bootstrap_interval(values, clusters=clusters, level=0.75, num_resamples=1001)
    assert (wide.value, wide.low, wide.high, wide.n) == (2.75, 1.0, 8.0, 4)
    narrow = bootstrap_interval(values, clusters=clusters, level=0.2, num_resamples=1001)
    assert (narrow.low, narrow.high) == (2.75, 2.75)


def test_the_interval_of_a_mean_agrees_with_the_exact_bootstrap_distribution() -> None:
    """Four values have 4**4 equally likely resamples: all of them, enumerated."""
    from itertools import product

    values = [0.0, 1.0, 4.0, 10.0]
    means = sorted(sum(draw) / 4 for draw in product(values, repeat=4))
    found = bootstrap_interval(values, num_resamples=20_000)
    assert means.index(found.low) / 256 <= 0.025 + 0.005  # 20,000 draws place the 2.5 % end within 0.5 % of the mass
    assert (255 - means[::-1].index(found.low)) / 256 >= 0.025 - 0.005
    assert means.index(found.high) / 256 <= 0.975 + 0.005
    assert (256 - means[::-1].index(found.high)) / 256 >= 0.975 - 0.005


def coverage(answers_per_prompt: int, clustered: bool, num_trials: int) -> float:
    """How often the interval holds the mean 0: many times 40 prompts, half of the variance between prompts."""
    rng, held = np.random.default_rng(1), 0
    prompts = np.repeat(np.arange(40), answers_per_prompt)
    for trial in range(num_trials):
        values = rng.normal(size=40)[prompts] + rng.normal(size=len(prompts))
        found = bootstrap_interval(values, clusters=prompts if clustered else None, num_resamples=300, seed=trial)
        held += found.low <= 0 <= found.high
    return held / num_trials


def test_the_clustered_interval_covers_the_truth_and_the_naive_one_does_not() -> None:
    assert 0.93 <= coverage(4, clustered=True, num_trials=1000) <= 0.97
    assert coverage(4, clustered=False, num_trials=300) < 0.85


def test_the_paired_difference_cancels_what_both_share() -> None:
    """Items differ by 100, a and b by 1 and a little noise: unpaired bounds could not exclude 0."""
    rng = np.random.default_rng(0)
    items = rng.normal(scale=100, size=50)
    a, b = items + 1 + rng.normal(scale=0.1, size=50), items
    found = paired_difference(a, b)
    assert found.value == pytest.approx(np.mean(a - b))
    assert 0.9 < found.low < found.value < found.high < 1.1


def test_the_paired_difference_of_means_is_the_interval_of_the_differences() -> None:
    rng = np.random.default_rng(0)
    a, b, clusters = rng.normal(size=30), rng.normal(size=30), np.arange(30) // 3
    found = paired_difference(a, b, clusters=clusters, seed=3)
    expected = bootstrap_interval(a - b, clusters=clusters, seed=3)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_any_statistic_can_be_asked_for() -> None:
    found = bootstrap_interval([1.0, 2.0, 9.0], lambda values: float(np.median(values)), num_resamples=999)
    assert (found.value, found.low, found.high) == (2.0, 1.0, 9.0)


def test_the_order_of_rows_and_the_names_of_clusters_do_not_matter_to_the_value_or_much_to_the_ends() -> None:
    rng = np.random.default_rng(0)
    values, clusters = rng.normal(size=200), np.arange(200) // 4
    order = rng.permutation(200)
    straight = bootstrap_interval(values, clusters=clusters, num_resamples=4000)
    shuffled = bootstrap_interval(values[order], clusters=[f"prompt {c}" for c in clusters[order]], num_resamples=4000)
    assert straight.value == pytest.approx(shuffled.value, abs=1e-12)
    width = straight.high - straight.low
    assert abs(straight.low - shuffled.low) < 0.05 * width  # two draws of 4,000: noise of a quantile's place
    assert abs(straight.high - shuffled.high) < 0.05 * width


def test_one_seed_gives_one_answer() -> None:
    values = [0.0, 1.0, 1.0, 0.5, 0.0, 1.0, 0.3]
    assert bootstrap_interval(values, seed=1) == bootstrap_interval(values, seed=1)
    assert bootstrap_interval(values, seed=1, num_resamples=50) != bootstrap_interval(values, seed=2, num_resamples=50)


def test_one_cluster_gives_a_value_and_no_interval() -> None:
    found = bootstrap_interval([1.0, 2.0], clusters=[7, 7])
    assert (found.value, found.n) == (1.5, 2)
    assert math.isnan(found.low)
    assert math.isnan(found.high)


@pytest.mark.parametrize("values", [[], [[1.0]], [math.nan], [math.inf, 1.0]])
def test_what_has_no_mean_is_refused(values: list[float]) -> None:
    with pytest.raises(ValueError, match="at least one finite number"):
        bootstrap_interval(values)


def test_missing_clusters_partners_and_wrong_levels_are_refused() -> None:
    with pytest.raises(ValueError, match="one cluster a value"):
        bootstrap_interval([1.0, 2.0], clusters=[1])
    with pytest.raises(ValueError, match="both sides"):
        paired_difference([1.0, 2.0], [1.0])
    for level in (0.0, 1.0, 95.0):
        with pytest.raises(ValueError, match="level"):
            bootstrap_interval([1.0, 2.0], level=level)
        with pytest.raises(ValueError, match="level"):
            wilson_interval(1, 2, level)


def test_mean_is_a_float() -> None:
    assert type(mean(np.array([1.0, 2.0]))) is float
