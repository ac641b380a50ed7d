"""Sample sizes: textbook values, a slow reference, and simulated studies that find what was promised as often as promised."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from plaudit.statistics.power import (
    Clustering,
    exact_judgements_for_win_rate,
    exact_win_rate_power,
    judgements_for_mean_difference,
    judgements_for_win_rate,
    mean_difference_power,
    paired_deviation,
    verdict_variance,
    win_rate_power,
)
from plaudit.statistics.winrate import win_rate

Floats = NDArray[np.float64]


def test_the_variance_of_a_verdict_worked_by_hand() -> None:
    """Half wins, a fifth ties, three tenths losses: mean 0.6, mean square 0.5 + 0.05."""
    assert verdict_variance(0.6, 0.2) == pytest.approx(0.55 - 0.36)
    assert verdict_variance(0.5, 0.0) == 0.25
    assert verdict_variance(0.9, 0.2) == pytest.approx(0.81 - 0.81 + 0.04)


def test_textbook_sizes() -> None:
    """0.5 against 0.6 at 5 % and 80 %: (1.959964 * 0.5 + 0.841621 * sqrt(0.24))^2 / 0.01 = 193.8; double at effect 2."""
    assert judgements_for_win_rate(0.1) == 194
    assert judgements_for_win_rate(0.1, effect=2.0) == 388
    # Cohen's d = 0.5 in a paired t-test at 5 % and 80 % wants 34 pairs (Cohen 1988, table 2.4.1, one sample)
    assert judgements_for_mean_difference(0.5, 1.0) == 34
    assert paired_deviation(1.5, 0.5) == pytest.approx(1.5)


@given(st.sampled_from([0.05, 0.1, 0.2]), st.sampled_from([0.0, 0.1, 0.3]), st.sampled_from([0.5, 0.8, 0.95]))
def test_the_size_is_the_smallest_with_that_power(margin: float, ties: float, power: float) -> None:
    num = judgements_for_win_rate(margin, power=power, tie_frac=ties)
    other_tail = 1e-3  # the size neglects that the wrong side may be significant too
    assert win_rate_power(num, margin, tie_frac=ties) >= power - 1e-12
    assert win_rate_power(num - 1, margin, tie_frac=ties) < power + other_tail
    effect = Clustering(people_per_pair=3, pair_correlation=0.4).design_effect
    assert win_rate_power(num, margin, tie_frac=ties) == pytest.approx(
        win_rate_power(round(10 * effect * num), margin, tie_frac=ties, effect=10 * effect), abs=1e-2 / num
    )


def slow_exact_power(num: int, margin: float, ties: float, alpha: float) -> float:
    """Every sequence of wins, losses and ties, one by one."""
    win = 0.5 + margin - ties / 2
    chance = {"w": win, "l": 1 - ties - win, "t": ties}
    power = 0.0
    for sequence in product("wlt", repeat=num):
        wins, losses = sequence.count("w"), sequence.count("l")
        tail = sum(math.comb(wins + losses, k) for k in range(min(wins, losses) + 1)) / 2 ** (wins + losses)
        if 2 * tail <= alpha:
            power += math.prod(chance[verdict] for verdict in sequence)
    return power


@pytest.mark.parametrize(("margin", "ties", "alpha"), [(0.3, 0.0, 0.05), (0.25, 0.3, 0.1), (0.4, 0.1, 0.25)])
def test_the_exact_power_agrees_with_every_outcome_enumerated(margin: float, ties: float, alpha: float) -> None:
    for num in (1, 4, 8):
        expected = slow_exact_power(num, margin, ties, alpha)
        assert exact_win_rate_power(num, margin, tie_frac=ties, alpha=alpha) == pytest.approx(expected, abs=1e-9)


def test_the_exact_size_stays_enough() -> None:
    num = exact_judgements_for_win_rate(0.15, tie_frac=0.1)
    assert all(exact_win_rate_power(more, 0.15, tie_frac=0.1) >= 0.8 for more in range(num, num + 30))
    assert exact_win_rate_power(num - 1, 0.15, tie_frac=0.1) < 0.8
    assert judgements_for_win_rate(0.15, tie_frac=0.1) < num < 1.2 * judgements_for_win_rate(0.15, tie_frac=0.1)


def study(rng: np.random.Generator, prompts: int, shape: Clustering, mean: float, ties: float) -> Floats:
    """Verdicts [prompts, pairs, people]: each copies its pair's, which copies its prompt's, often enough to correlate so."""
    copies = math.sqrt(shape.pair_correlation)
    pair_copies = math.sqrt(shape.prompt_correlation / shape.pair_correlation) if shape.pair_correlation else 0.0
    win = mean - ties / 2

    def drawn(*size: int) -> Floats:
        return rng.choice([1.0, 0.5, 0.0], size=size, p=[win, ties, 1 - ties - win])

    q, k = shape.pairs_per_prompt, shape.people_per_pair
    of_pair = np.where(rng.random((prompts, q)) < pair_copies, drawn(prompts, 1), drawn(prompts, q))
    return np.where(rng.random((prompts, q, k)) < copies, of_pair[:, :, None], drawn(prompts, q, k))


SHAPES = [
    Clustering(),
    Clustering(people_per_pair=3, pair_correlation=0.4),
    Clustering(pairs_per_prompt=4, people_per_pair=2, pair_correlation=0.5, prompt_correlation=0.2),
]


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: f"effect {shape.design_effect:.1f}")
@pytest.mark.parametrize("ties", [0.0, 0.25])
def test_planned_studies_find_the_margin_as_often_as_promised(shape: Clustering, ties: float) -> None:
    """4,000 studies of the size that 80 % asks for, tested with prompts as clusters; and 4,000 without any difference."""
    rng, margin, num_studies = np.random.default_rng(7), 0.1, 4000
    judgements = judgements_for_win_rate(margin, tie_frac=ties, effect=shape.design_effect)
    prompts = math.ceil(judgements / shape.per_prompt)

    def rejected(mean: float) -> float:
        count = 0
        for _ in range(num_studies):
            means = study(rng, prompts, shape, mean, ties).mean(axis=(1, 2))
            count += abs(means.mean() - 0.5) > 1.959964 * means.std(ddof=1) / math.sqrt(prompts)
        return count / num_studies

    allowed = 3 * math.sqrt(0.8 * 0.2 / num_studies)
    assert (
        0.8 - allowed <= rejected(0.5 + margin) <= 0.8 + allowed + 0.02
    )  # it takes the spread as it is, the plan that at 0.5
    assert abs(rejected(0.5) - 0.05) <= 3 * math.sqrt(0.05 * 0.95 / num_studies) + 0.005  # prompts are few


def test_the_interval_of_a_planned_study_covers_the_truth() -> None:
    """400 studies of four pairs a prompt and two people a pair: the report's interval holds 0.6."""
    rng, shape, held = np.random.default_rng(5), SHAPES[2], 0
    judgements = judgements_for_win_rate(0.1, tie_frac=0.2, effect=shape.design_effect)
    prompts = math.ceil(judgements / shape.per_prompt)
    clusters = np.repeat(np.arange(prompts), shape.per_prompt)
    for number in range(400):
        found = win_rate(study(rng, prompts, shape, 0.6, 0.2).ravel(), clusters, num_resamples=400, seed=number)
        held += found.low <= 0.6 <= found.high
    assert abs(held / 400 - 0.95) <= 3 * math.sqrt(0.95 * 0.05 / 400)


def test_the_design_effect_is_the_variance_of_simulated_means() -> None:
    shape, rng = SHAPES[2], np.random.default_rng(1)
    means = [study(rng, 50, shape, 0.5, 0.2).mean() for _ in range(6000)]
    independent = verdict_variance(0.5, 0.2) / (50 * shape.per_prompt)
    assert shape.design_effect == pytest.approx(1 + 0.5 + 3 * 2 * 0.2)
    # the variance of 6,000 means has a standard error of sqrt(2 / 6000) = 1.8 %
    assert np.var(means) / independent == pytest.approx(shape.design_effect, rel=0.055)


def test_the_power_for_means_agrees_with_simulated_ratings() -> None:
    """34 pairs whose difference is half a deviation: 4,000 t-tests."""
    rng = np.random.default_rng(2)
    differences = rng.normal(0.5, 1.0, size=(4000, 34))
    t = differences.mean(axis=1) / (differences.std(axis=1, ddof=1) / math.sqrt(34))
    found = np.mean(np.abs(t) > 2.034515)  # t of 33 degrees of freedom at 97.5 %
    assert found == pytest.approx(mean_difference_power(34, 0.5, 1.0), abs=3 * math.sqrt(0.8 * 0.2 / 4000))


def test_what_no_study_can_find_is_refused() -> None:
    with pytest.raises(ValueError, match=r"lies between 0\.3 and 0\.7, not at 0\.8"):
        judgements_for_win_rate(0.3, tie_frac=0.6)
    with pytest.raises(ValueError, match="above 0"):
        judgements_for_win_rate(0.0)
    with pytest.raises(ValueError, match="above 0"):
        judgements_for_mean_difference(-1.0, 1.0)
    with pytest.raises(ValueError, match="deviation must be above 0"):
        judgements_for_mean_difference(1.0, 0.0)
    with pytest.raises(ValueError, match="fractions such as"):
        judgements_for_win_rate(0.1, power=80.0)
    with pytest.raises(ValueError, match="at least one pair"):
        Clustering(people_per_pair=0)
    with pytest.raises(ValueError, match="prompt_correlation <= pair_correlation"):
        Clustering(pair_correlation=0.1, prompt_correlation=0.2)
    with pytest.raises(ValueError, match="correlation in"):
        paired_deviation(1.0, 1.0)
    with pytest.raises(ValueError, match="choose a larger margin"):
        judgements_for_mean_difference(1e-6, 1.0)
    assert win_rate_power(10, 0.5) == 1.0  # every verdict the same
    assert mean_difference_power(1, 1.0, 1.0) == 0.0
