"""Classification: worked by hand, and against scikit-learn."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, precision_recall_fscore_support, roc_auc_score

from plaudit.statistics.classification import (
    ReliabilityBin,
    auroc,
    classify,
    expected_calibration_error,
    reliability_bins,
)

PAIRS = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=30)
SCORED = st.lists(st.tuples(st.integers(-5, 5).map(float), st.booleans()), min_size=1, max_size=30)


def test_a_table_of_ten_worked_by_hand() -> None:
    predicted = [1, 1, 1, 1, 0, 0, 0, 0, 0, 0]
    actual = [1, 1, 1, 0, 1, 1, 0, 0, 0, 0]
    found = classify(predicted, actual)  # 3 hits, 1 false alarm, 2 misses, 4 correct rejections
    assert (found.precision, found.recall, found.f1, found.accuracy, found.n) == (3 / 4, 3 / 5, 6 / 9, 7 / 10, 10)


def test_what_nothing_measures_is_nan() -> None:
    found = classify([False, False], [False, False])
    assert [math.isnan(value) for value in (found.precision, found.recall, found.f1)] == [True] * 3
    assert found.accuracy == 1.0
    assert math.isnan(auroc([1.0, 2.0], [True, True]))


@given(PAIRS)
def test_scikit_learn_agrees(pairs: list[tuple[bool, bool]]) -> None:
    predicted, actual = [p for p, _ in pairs], [a for _, a in pairs]
    found = classify(predicted, actual)
    expected = precision_recall_fscore_support(actual, predicted, average="binary", zero_division=np.nan)
    if not any(actual) and not any(predicted):
        expected = (math.nan, math.nan, math.nan, None)
    np.testing.assert_allclose([found.precision, found.recall, found.f1], expected[:3], atol=1e-12)
    assert found.accuracy == pytest.approx(accuracy_score(actual, predicted))


def test_calibration_worked_by_hand() -> None:
    probabilities = [0.0, 0.05, 0.1, 0.95, 1.0, 1.0]
    outcomes = [0, 1, 0, 1, 1, 0.25]
    assert reliability_bins(probabilities, outcomes) == (
        ReliabilityBin(0.025, 0.5, 2),
        ReliabilityBin(0.1, 0.0, 1),
        ReliabilityBin(pytest.approx(2.95 / 3), 0.75, 3),
    )
    expected = (2 * 0.475 + 1 * 0.1 + 3 * (2.95 / 3 - 0.75)) / 6
    assert expected_calibration_error(probabilities, outcomes) == pytest.approx(expected)
    assert expected_calibration_error(probabilities, outcomes, num_bins=1) == pytest.approx(abs(3.1 / 6 - 3.25 / 6))


def slow_calibration_error(probabilities: list[float], outcomes: list[bool], num_bins: int) -> float:
    total = 0.0
    for index in range(num_bins):
        inside = [
            (p, y)
            for p, y in zip(probabilities, outcomes, strict=True)
            if index <= p * num_bins < index + 1 or (index == num_bins - 1 and p == 1)
        ]
        total += abs(sum(p - y for p, y in inside))
    return total / len(probabilities)


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=40), st.integers(1, 15))
def test_calibration_agrees_with_a_slow_reference(pairs: list[tuple[float, bool]], num_bins: int) -> None:
    probabilities, outcomes = [p for p, _ in pairs], [y for _, y in pairs]
    found = expected_calibration_error(probabilities, outcomes, num_bins)
    assert found == pytest.approx(slow_calibration_error(probabilities, outcomes, num_bins), abs=1e-12)
    assert sum(part.count for part in reliability_bins(probabilities, outcomes, num_bins)) == len(pairs)


def test_true_probabilities_are_calibrated() -> None:
    rng = np.random.default_rng(0)
    probabilities = rng.random(100_000)
    outcomes = rng.random(100_000) < probabilities
    assert expected_calibration_error(probabilities, outcomes) < 0.01
    assert expected_calibration_error(np.clip(1.5 * probabilities - 0.25, 0, 1), outcomes) > 0.05


def test_auroc_worked_by_hand() -> None:
    # positives 3, 2 against negatives 2, 1: wins 3>2, 3>1, 2>1 and the tie 2=2
    assert auroc([3.0, 2.0, 2.0, 1.0], [1, 1, 0, 0]) == 3.5 / 4
    assert auroc([1.0, 1.0, 1.0], [1, 0, 0]) == 0.5


@given(SCORED)
def test_auroc_agrees_with_scikit_learn_and_with_counting(pairs: list[tuple[float, bool]]) -> None:
    scores, outcomes = [s for s, _ in pairs], [y for _, y in pairs]
    found = auroc(scores, outcomes)
    if len(set(outcomes)) < 2:
        assert math.isnan(found)
        return
    assert found == pytest.approx(roc_auc_score(outcomes, scores))
    wins = [(p > n) + 0.5 * (p == n) for p, y in pairs if y for n, z in pairs if not z]
    assert found == pytest.approx(sum(wins) / len(wins))
    assert auroc([3 * score + 1 for score in scores], outcomes) == found
    assert auroc([-score for score in scores], outcomes) == pytest.approx(1 - found)


def test_lists_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="same length"):
        classify([True], [True, False])
    with pytest.raises(ValueError, match="at least 1"):
        auroc([], [])
    with pytest.raises(ValueError, match=r"probabilities must lie in \[0, 1\]"):
        reliability_bins([1.5], [1])
    with pytest.raises(ValueError, match="outcomes must lie"):
        reliability_bins([0.5], [2])
    with pytest.raises(ValueError, match="num_bins"):
        reliability_bins([0.5], [1], 0)
    with pytest.raises(ValueError, match="nan"):
        auroc([math.nan, 1.0], [1, 0])
