"""Subsets and means of suites."""

import pytest

from plaudit.evaluation.suites.suite import Subset, fraction_of, mean_of
from plaudit.schemas.conversation import user
from plaudit.statistics import wilson_interval


def test_a_subset_is_the_same_each_time_in_order_and_said_once() -> None:
    subset = Subset(4, seed=1)
    taken = subset.of(range(50), "rows")
    assert taken == subset.of(range(50), "rows") == sorted(set(taken))
    assert len(taken) == 4
    assert subset.notes == ["4 of the 50 rows, drawn with seed 1."]
    assert Subset(4, seed=2).of(range(50), "rows") != taken
    assert Subset(4, seed=1).of(range(50), "others") != taken


def test_all_rows_where_there_are_no_more() -> None:
    for subset in (Subset(), Subset(3)):
        assert subset.of([5, 3, 4], "rows") == [5, 3, 4]
        assert subset.notes == []


def test_intervals_resample_prompts_not_rows() -> None:
    one, two = (user("a"),), (user("b"),)
    found = mean_of([1.0, 1.0, 0.0], [one, one, two])
    assert found is not None
    assert (found.value, found.low, found.high) == (pytest.approx(2 / 3), 0.0, 1.0)
    assert mean_of([], []) is None


def test_a_fraction_of_nothing_but_zeros_is_not_certain() -> None:
    """Wilson's interval over prompts: two answers to one prompt are no more sure than one."""
    prompts = [(user(str(i // 2)),) for i in range(20)]
    for value in (0.0, 1.0):
        found, sure = fraction_of([value] * 20, prompts), wilson_interval(10 * value, 10)
        assert found is not None
        assert (found.value, found.low, found.high, found.n) == (value, sure.low, sure.high, 20)
    assert fraction_of([0.0, 1.0] * 10, prompts) == mean_of([0.0, 1.0] * 10, prompts)
    assert fraction_of([], []) is None
