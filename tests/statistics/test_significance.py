"""Tests of significance: exact values, and false alarms as often as promised."""

import math
from itertools import combinations, product

import numpy as np
import pytest

from plaudit.statistics.significance import McNemar, mcnemar, permutation_test


@pytest.mark.parametrize(
    ("only_a", "only_b", "p_value"),
    [
        (0, 0, 1.0),
        (1, 0, 1.0),  # 2 * 1/2
        (0, 5, 1 / 16),  # 2 * 1/32
        (5, 1, 7 / 32),  # 2 * (1 + 6) / 64
        (3, 3, 1.0),  # 2 * P(X <= 3) exceeds 1
        (2, 8, 2 * (1 + 10 + 45) / 1024),
    ],
)
def test_mcnemar_counts_only_where_they_differ(only_a: int, only_b: int, p_value: float) -> None:
    a = [True] * only_a + [False] * only_b + [True] * 7 + [False] * 4
    b = [False] * only_a + [True] * only_b + [True] * 7 + [False] * 4
    found = mcnemar(a, b)
    assert (found.only_a, found.only_b) == (only_a, only_b)
    assert found.p_value == pytest.approx(p_value, abs=1e-12)
    assert mcnemar(b, a) == McNemar(only_b, only_a, found.p_value)


def test_mcnemar_wants_the_same_items() -> None:
    with pytest.raises(ValueError, match="same items"):
        mcnemar([True], [True, False])


def exact_p(a: list[float], b: list[float], paired: bool) -> float:
    """All relabellings, one by one."""
    observed = abs(math.fsum(a) / len(a) - math.fsum(b) / len(b))
    found = []
    if paired:
        for signs in product([1, -1], repeat=len(a)):
            found.append(sum(s * (x - y) for s, x, y in zip(signs, a, b, strict=True)) / len(a))
    else:
        pooled = a + b
        for chosen in combinations(range(len(pooled)), len(a)):
            left = [pooled[i] for i in chosen]
            right = [pooled[i] for i in range(len(pooled)) if i not in chosen]
            found.append(sum(left) / len(left) - sum(right) / len(right))
    return sum(abs(value) >= observed - 1e-9 for value in found) / len(found)


@pytest.mark.parametrize("paired", [True, False])
@pytest.mark.parametrize(
    ("a", "b"),
    [
        ([1.0, 2.0, 3.0, 4.0, 5.5], [0.5, 2.0, 1.0, 3.0, 3.5]),
        ([0.1, 0.2, 0.3, 0.4], [0.4, 0.3, 0.2, 0.1]),
        ([0.0, 0.0, 1.0, 1.0, 1.0, 1.0], [0.0, 0.0, 0.0, 0.0, 1.0, 0.0]),
    ],
)
def test_the_permutation_test_agrees_with_full_enumeration(a: list[float], b: list[float], paired: bool) -> None:
    """20,000 random relabellings: four standard errors are at most 0.015."""
    found = permutation_test(a, b, paired=paired, num_permutations=20_000)
    assert abs(found - exact_p(a, b, paired)) < 0.015
    assert permutation_test(b, a, paired=paired, num_permutations=20_000, seed=1) == pytest.approx(found, abs=0.02)


def test_the_sides_may_differ_in_number_unless_paired() -> None:
    a, b = [5.0, 6.0, 7.0], [1.0, 2.0]
    assert abs(permutation_test(a, b, paired=False) - exact_p(a, b, paired=False)) < 0.015
    with pytest.raises(ValueError, match="both sides"):
        permutation_test(a, b, paired=True)


def test_pairing_sees_what_a_comparison_of_means_cannot() -> None:
    rng = np.random.default_rng(0)
    items = rng.normal(scale=100, size=40)
    a, b = items + 1 + rng.normal(scale=0.5, size=40), items
    assert permutation_test(a, b, paired=True, num_permutations=999) == 0.001
    assert permutation_test(a, b, paired=False, num_permutations=999) > 0.5


def test_identical_sides_are_never_significant() -> None:
    assert permutation_test([0.1, 0.7, 0.3], [0.1, 0.7, 0.3], paired=True) == 1.0
    assert permutation_test([0.3, 0.3], [0.3, 0.3, 0.3], paired=False) == 1.0


@pytest.mark.parametrize("paired", [True, False])
def test_false_alarms_at_five_percent_come_as_often_as_that(paired: bool) -> None:
    """1,000 comparisons of equals: four standard errors are 0.028."""
    rng = np.random.default_rng(2)
    found = [
        permutation_test(rng.normal(size=12), rng.normal(size=12), paired=paired, num_permutations=199, seed=trial)
        for trial in range(1000)
    ]
    assert abs(np.mean(np.array(found) <= 0.05) - 0.05) < 0.028


@pytest.mark.parametrize("values", [[], [math.nan, 1.0]])
def test_what_cannot_be_compared_is_refused(values: list[float]) -> None:
    with pytest.raises(ValueError, match="finite number"):
        permutation_test(values, [1.0, 2.0], paired=False)
