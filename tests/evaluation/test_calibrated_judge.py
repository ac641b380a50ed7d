"""A judge beside people: every number by hand or by the statistics that define it, and nothing from too little."""

from __future__ import annotations

import math

import numpy as np
import pytest

from plaudit.evaluation.calibrated_judge import MIN_PEOPLE_PROMPTS, calibrated_judge, position_bias
from plaudit.evaluation.judges import Judged
from plaudit.statistics.prediction_powered import prediction_powered_mean

NAN = math.nan


def judged(*words: float, orders: list[tuple[float, float]] | None = None) -> Judged:
    """One pair a prompt."""
    tables = tuple(np.array([[word]]) for word in words)
    in_order = None if orders is None else tuple(np.array([[list(pair)]]) for pair in orders)
    return Judged(tables, orders=in_order)


JUDGE = judged(1, 1, 0, 0, 0.5, 1, 1, 0, 1, 0, 1, 1, 0, NAN)
PEOPLE = judged(1, 0, 0, 0, 0.5, 1, 1, 1, 0.5, 0, NAN, NAN, NAN, 1)


def test_fourteen_pairs_worked_by_hand() -> None:
    """Ten judged by both, seven of them alike; three by the judge alone; one by people alone, which counts nowhere."""
    found = calibrated_judge(JUDGE, PEOPLE, range(14))
    assert found is not None
    assert (found.agreement.value, found.agreement.n) == (0.7, 10)
    # classes: people 4 wins, 4 losses, 2 ties; the judge 5 wins, 4 losses, 1 tie
    by_chance = (4 * 5 + 4 * 4 + 2 * 1) / 100
    assert found.kappa.value == pytest.approx((0.7 - by_chance) / (1 - by_chance))
    assert found.agreement.low < 0.7 < found.agreement.high
    assert found.kappa.low < found.kappa.value < found.kappa.high
    rates = found.win_rates
    assert (rates.people_only.value, rates.people_only.n, rates.num_unlabelled) == (0.5, 10, 3)
    assert rates.judge_only.value == pytest.approx((5.5 + 2) / 13)
    assert rates.bias.value == pytest.approx(0.05)
    assert found.position is None


def test_it_is_prediction_powered_inference_over_prompts() -> None:
    """Two by two answers a prompt, people on the first pair of the first twelve prompts."""
    rng = np.random.default_rng(0)
    says = rng.choice([0.0, 0.5, 1.0], size=(20, 2, 2))
    said = np.full((20, 2, 2), NAN)
    said[:12, 0, 0] = np.where(rng.random(12) < 0.7, says[:12, 0, 0], 1.0)
    found = calibrated_judge(Judged(tuple(says)), Judged(tuple(said)), range(20), seed=5)
    assert found is not None
    rest = says.reshape(20, 4)
    expected = prediction_powered_mean(
        said[:12, 0, 0], says[:12, 0, 0], np.concatenate([rest[:12, 1:].ravel(), rest[12:].ravel()]),
        clusters=range(12), unlabelled_clusters=[*np.repeat(range(12), 3), *np.repeat(range(12, 20), 4)], seed=5,
    )  # fmt: skip
    assert found.win_rates.estimate.value == pytest.approx(expected.estimate.value)
    assert found.win_rates.estimate.low == pytest.approx(expected.estimate.low)
    assert found.win_rates.weight == pytest.approx(expected.weight)


def test_under_ten_prompts_nothing_is_said() -> None:
    assert MIN_PEOPLE_PROMPTS == 10
    nine = judged(*[1, 0, 1] * 3, NAN, NAN)
    assert calibrated_judge(judged(*[1] * 11), nine, range(11)) is None
    # ten pairs, but of nine prompts
    assert calibrated_judge(judged(*[1] * 10), judged(*[1, 0] * 5), [0, 0, *range(1, 9)]) is None
    assert calibrated_judge(judged(*[1] * 10), judged(*[1, 0] * 5), range(10)) is not None


def test_everybody_judged_by_people_leaves_the_judge_nothing_to_add() -> None:
    found = calibrated_judge(judged(*[1, 0] * 6), judged(*[1, 1, 0] * 4), range(12))
    assert found is not None
    assert found.win_rates.estimate == found.win_rates.people_only


def test_the_order_decides() -> None:
    """As wins of A, shown first and shown second: steady, flipped to whoever is first (twice), a tie gone, no word."""
    orders = [(1.0, 1.0), (1.0, 0.0), (1.0, 0.0), (0.0, 0.5), (NAN, NAN)]
    found = position_bias(judged(1, 0.5, 0.5, 0.5, NAN, orders=orders), range(5))
    assert found is not None
    assert (found.flipped.value, found.flipped.n) == (0.75, 4)
    # strict words: A first: 1, 1, 1, 0 wins for the first; B first: its wins are 0, 1, 1 (the tie aside)
    assert found.first is not None
    assert (found.first.value, found.first.n) == (pytest.approx(5 / 7), 7)
    assert found.first.low < 5 / 7 < found.first.high


def test_a_judge_that_never_decides_has_no_first() -> None:
    found = position_bias(judged(0.5, 0.5, orders=[(0.5, 0.5)] * 2), range(2))
    assert found is not None
    assert (found.flipped.value, found.first) == (0.0, None)
    assert position_bias(judged(NAN, orders=[(NAN, NAN)]), [0]) is None
    assert position_bias(judged(1.0), [0]) is None
