"""Krippendorff's alpha: his own worked example, and a slow reference."""

import math
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plaudit.statistics.agreement import Scale, cohen_kappa, krippendorff_alpha

# Krippendorff 2011, section C: four observers (rows), twelve units (columns), a dot for a missing rating.
EXAMPLE = ["1 2 3 3 2 1 4 1 2 . . .", "1 2 3 3 2 2 4 1 2 5 . 3", ". 3 3 3 2 3 4 2 2 5 1 .", "1 2 3 3 2 4 4 1 2 5 1 ."]
RATINGS = st.lists(st.lists(st.none() | st.integers(1, 4), max_size=5), min_size=1, max_size=8)


@pytest.mark.parametrize(("scale", "alpha"), [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849)])
def test_the_published_example(scale: Scale, alpha: float) -> None:
    rows = [[None if mark == "." else int(mark) for mark in row.split()] for row in EXAMPLE]
    units = list(zip(*rows, strict=True))
    assert round(krippendorff_alpha(units, scale), 3) == alpha


def test_two_people_and_four_items_worked_by_hand() -> None:
    """Pairs (a,a), (a,b), (b,b), (b,b): observed 2 of 8 coincidences differ; expected 2 * 3 * 5 / (8 * 7)."""
    found = krippendorff_alpha([[0, 0], [0, 1], [1, 1], [1, 1]], "nominal")
    assert found == pytest.approx(1 - (2 / 8) / (30 / 56))


def slow_alpha(ratings: list[list[int | None]], scale: str) -> float:
    """1 - observed / expected disagreement over all ordered pairs, as the definition has it."""
    items = [[value for value in item if value is not None] for item in ratings]
    items = [item for item in items if len(item) > 1]
    pool = [value for item in items for value in item]

    def distance(c: int, k: int) -> float:
        if scale == "nominal":
            return float(c != k)
        if scale == "interval":
            return float((c - k) ** 2)
        low, high = min(c, k), max(c, k)
        return (sum(low <= value <= high for value in pool) - (pool.count(c) + pool.count(k)) / 2) ** 2

    observed = sum(distance(c, k) / (len(item) - 1) for item in items for c, k in permutations(item, 2)) / len(pool)
    expected = sum(distance(c, k) for c, k in permutations(pool, 2)) / (len(pool) * (len(pool) - 1))
    return 1 - observed / expected


@given(RATINGS, st.sampled_from(["nominal", "ordinal", "interval"]))
def test_a_slow_reference_agrees(ratings: list[list[int | None]], scale: Scale) -> None:
    found = krippendorff_alpha(ratings, scale)
    used = {value for item in ratings if sum(v is not None for v in item) > 1 for value in item if value is not None}
    if len(used) < 2:
        assert math.isnan(found)
    else:
        assert found == pytest.approx(slow_alpha(ratings, scale), abs=1e-9)


def test_agreement_is_one_and_chance_is_nought() -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(1, 6, size=3000)
    noise = rng.integers(1, 6, size=(3000, 3))
    for scale in ("nominal", "ordinal", "interval"):
        assert krippendorff_alpha([[value] * 3 for value in truth], scale) == pytest.approx(1.0)
        assert abs(krippendorff_alpha(noise.tolist(), scale)) < 0.05  # 3,000 items of pure chance


def test_kappa_worked_by_hand() -> None:
    """Cohen's own layout: 20 and 15 items agreed on, 5 and 10 not: p_o = 0.7, p_e = 0.5 * 0.6 + 0.5 * 0.4 = 0.5."""
    a = [1] * 25 + [0] * 25
    b = [1] * 20 + [0] * 5 + [1] * 10 + [0] * 15
    assert cohen_kappa(a, b) == pytest.approx(0.4)
    assert cohen_kappa(b, a) == pytest.approx(0.4)


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=40))
def test_kappa_agrees_with_scikit_learn(pairs: list[tuple[int, int]]) -> None:
    from sklearn.metrics import cohen_kappa_score

    a, b = [x for x, _ in pairs], [y for _, y in pairs]
    if len({*a, *b}) == 1:
        assert math.isnan(cohen_kappa(a, b))
    else:
        assert cohen_kappa(a, b) == pytest.approx(cohen_kappa_score(a, b), abs=1e-12)


def test_kappa_of_lists_that_do_not_belong_together_is_refused() -> None:
    with pytest.raises(ValueError, match="the same length"):
        cohen_kappa([1], [1, 2])
    with pytest.raises(ValueError, match="at least 1"):
        cohen_kappa([], [])
