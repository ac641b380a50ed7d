"""Accuracy, calibration and slices of a reward model, worked by hand."""

import math

import numpy as np
import pytest

from plaudit.evaluation.reward_quality import JudgedPairs, correct, reward_quality


def pairs(*rows: tuple[int, int, bool, int]) -> JudgedPairs:
    a, b, preferred, prompts = (np.array(column) for column in zip(*rows, strict=True))
    return JudgedPairs(a, b, preferred, prompts)


SCORES = np.array([2.0, 0.0, 1.0, 1.0])
PAIRS = pairs((0, 1, True, 0), (1, 0, True, 0), (2, 3, True, 1), (1, 2, False, 1))


def test_a_higher_score_for_the_preferred_is_right_and_an_equal_one_half() -> None:
    assert correct(SCORES, PAIRS).tolist() == [1.0, 0.0, 0.5, 1.0]


def test_every_number_of_four_pairs() -> None:
    found = reward_quality(SCORES, np.array([10.0, 10.0, 4.0, 5.0]), PAIRS, ["x", "y", "x", "x"])
    assert (found.accuracy.value, found.accuracy.n) == (2.5 / 4, 4)
    # prompts have 1/2 and 3/4, so resampled prompts have means between these
    assert (found.accuracy.low, found.accuracy.high) == (0.5, 0.75)
    # said "a": pairs 0 (right); preferred a: pairs 0, 1, 2
    assert (found.precision, found.recall, found.f1) == (1.0, 1 / 3, 0.5)
    # s(2) = 0.8808 of 1, s(-2) = 0.1192 of 1, s(0) = 0.5 of 1, s(-1) = 0.2689 of 0
    sigmoid = [1 / (1 + math.exp(-x)) for x in (2, -2, 0, -1)]
    gaps = [abs(p - y) for p, y in zip(sigmoid, (1, 1, 1, 0), strict=True)]
    assert found.expected_calibration_error == pytest.approx(sum(gaps) / 4)
    assert sum(part.count for part in found.reliability) == 4
    assert {name: (e.value, e.n) for name, e in found.by_source.items()} == {"x": (2.5 / 3, 3), "y": (0.0, 1)}


def test_slices_by_how_much_longer_the_preferred_is() -> None:
    """The difference over the longer: 0, 0.1 (a border: longer), -0.4, 0.9."""
    scores, lengths = np.array([1.0, 0.0]), np.array([10.0, 10.0])
    by_length = reward_quality(scores, lengths, pairs((0, 1, True, 0)), ["s"]).by_length_difference
    assert list(by_length) == ["about as long"]
    table = {(10, 9): "preferred longer", (6, 10): "preferred shorter", (10, 1): "preferred much longer"}
    table |= {(1, 10): "preferred much shorter", (100, 91): "about as long", (91, 100): "about as long"}
    for (preferred, other), name in table.items():
        lengths = np.array([preferred, other], dtype=float)
        for swapped in (pairs((0, 1, True, 0)), pairs((1, 0, False, 0))):
            found = reward_quality(scores, lengths, swapped, ["s"])
            assert list(found.by_length_difference) == [name]
            assert found.accuracy.value == 1.0


def test_shuffled_labels_give_a_half() -> None:
    rng = np.random.default_rng(0)
    n = 4000
    judged = JudgedPairs(np.arange(n), np.arange(n) + n, rng.random(n) < 0.5, np.arange(n))
    found = reward_quality(rng.normal(size=2 * n), np.full(2 * n, 5.0), judged, ["s"] * n)
    assert found.accuracy.low < 0.5 < found.accuracy.high


def test_swapping_the_sides_changes_no_accuracy_and_no_slice() -> None:
    rng = np.random.default_rng(1)
    a, b, preferred = np.arange(60), np.arange(60) + 60, rng.random(60) < 0.6
    scores, lengths, sources = rng.normal(size=120), rng.integers(1, 50, 120).astype(float), ["s"] * 60
    found = reward_quality(scores, lengths, JudgedPairs(a, b, preferred, a // 3), sources)
    swapped = reward_quality(scores, lengths, JudgedPairs(b, a, ~preferred, a // 3), sources)
    assert found.accuracy == swapped.accuracy
    assert found.by_length_difference == swapped.by_length_difference


def test_no_pair_is_no_quality() -> None:
    empty = np.array([], dtype=np.int64)
    with pytest.raises(ValueError, match="at least one strict pair"):
        reward_quality(SCORES, SCORES, JudgedPairs(empty, empty, empty.astype(bool), empty), [])


def test_few_pairs_have_an_interval_too() -> None:
    """Wilson's over prompts: of one prompt, and of two that are all right, the bootstrap would say nothing, or no width."""
    lengths = np.ones(4)
    one = reward_quality(SCORES, lengths, pairs((0, 1, True, 0), (1, 0, True, 0)), ["x", "x"]).accuracy
    assert (one.value, one.n) == (0.5, 2)
    assert (one.low, one.high) == pytest.approx((0.0546, 0.9454), abs=1e-4)
    right = reward_quality(SCORES, lengths, pairs((0, 1, True, 0), (2, 1, True, 1)), ["x", "x"]).accuracy
    assert (right.value, right.high, right.n) == (1.0, 1.0, 2)
    assert right.low == pytest.approx(0.3424, abs=1e-4)
