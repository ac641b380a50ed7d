"""Skills near an oracle's, intervals that hold what they say. Minutes, so `make prove` runs them."""

import pytest

from benchmarks.quality.figures import coverage, power, skills

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


def test_the_flag_finds_clickers_at_two_percent_false_alarms() -> None:
    alike = {row["judgements"]: row for row in power() if row["lowest"] == row["highest"]}
    assert alike[30]["clickers_found"] >= 0.90
    assert alike[50]["clickers_found"] >= 0.95
    assert all(row["honest_flagged"] <= 0.03 for row in alike.values())
    assert all(row["wrong_among_flagged_together"] <= 0.05 for row in alike.values())
