"""Skills near an oracle's, intervals that hold what they say. Minutes, so `make prove` runs them."""

import pytest

from benchmarks.quality.figures import coverage, skills

pytestmark = pytest.mark.prove


def test_inferred_labels_come_near_an_oracles() -> None:
    found = skills()
    few, many = found.values()
    assert few["of_oracle"] >= 0.95
    assert many["excess_log_loss"] <= 0.015
    assert few["of_oracle"] > few["majority_of_oracle"] + 0.2


def test_intervals_of_ratings_hold_the_truth_as_often_as_they_say() -> None:
    found = coverage()
    assert all(0.93 <= share <= 0.97 for share in found.values()), found
