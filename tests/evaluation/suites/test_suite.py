"""Subsets and means of suites."""

import pytest

from plaudit.evaluation.suites.suite import Subset, mean_of
from plaudit.schemas.conversation import user


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
