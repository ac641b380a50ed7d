"""Tables in words."""

from dataclasses import replace

import numpy as np
import pytest

from plaudit.evaluation.calibrated_judge import CalibratedJudge, PositionBias
from plaudit.evaluation.contest import ContestResult, Standing
from plaudit.evaluation.reward_quality import JudgedPairs, reward_quality
from plaudit.evaluation.tables import Table, contest_tables, estimate_text, number_text, quality_table
from plaudit.statistics import Estimate
from plaudit.statistics.prediction_powered import PredictionPowered

BASELINE = Standing(
    name="sft",
    win_rate=None,
    length_matched=None,
    num_left_out=0,
    position_consistency=None,
    utility=Estimate(0.5, 0.4, 0.6, 8),
    gain=Estimate(0.125, 0.0625, 0.25, 2),
    components={"content": 0.25},
    mean_length=20.25,
    stop_frac=0.5,
    repetition=0.0125,
    loop_frac=0.25,
    decline_frac=0.0,
    distinct=0.75,
    distinct_of_baseline=0.75,
    kl=None,
    perplexity=9.5,
    cpu_seconds=61.0,
)
PPO = replace(
    BASELINE,
    name="ppo",
    win_rate=Estimate(0.75, 0.7, 0.8, 16),
    components={"content": 0.5},
    kl=1.5,
    perplexity=None,
    cpu_seconds=None,
)
RESULT = ContestResult(BASELINE, (PPO,), num_prompts=2, num_answers=8)


def test_what_was_not_measured_says_so() -> None:
    assert estimate_text(Estimate(0.8125, 0.77, 0.851, 9)) == "0.812 [0.770, 0.851]"
    assert estimate_text(None) == number_text(None) == "not measured"
    assert number_text(1.005, 1) == "1.0"


def test_a_contest_in_three_tables() -> None:
    results, utility, form = contest_tables(RESULT)
    assert results.columns == ("model", "win rate", "length-matched", "KL", "perplexity", "CPU time")
    assert results.rows == (
        ("sft", "baseline", "baseline", "baseline", "9.50", "1 min 01 s"),
        ("ppo", "0.750 [0.700, 0.800]", "not measured", "1.50", "not measured", "not measured"),
    )
    assert "against sft on 2 prompts" in results.caption
    assert utility.columns == ("model", "mean", "gain", "content")
    assert utility.rows[0][2] == "baseline"
    assert utility.rows[1] == ("ppo", "0.500 [0.400, 0.600]", "0.125 [0.062, 0.250]", "0.50")
    assert form.columns[-1] == "sft's distinct-2"
    assert form.rows[0] == ("sft", "20.2", "50 %", "0.013", "25 %", "0 %", "0.750", "0.750")


def test_a_judge_that_only_compares_has_no_utility_and_tells_of_its_doubts() -> None:
    judged = replace(PPO, utility=None, components={}, position_consistency=0.875, num_left_out=3)
    baseline = replace(BASELINE, utility=None, components={})
    results, form = contest_tables(ContestResult(baseline, (judged,), 2, 8))
    assert results.columns[-2:] == ("position consistency", "pairs left out")
    assert [row[-2:] for row in results.rows] == [("baseline", "baseline"), ("0.88", "3")]
    assert form.title == "Form of the answers"


def test_the_reward_model_as_a_classifier() -> None:
    pairs = JudgedPairs(np.array([0, 0]), np.array([1, 1]), np.array([True, False]), np.array([0, 1]))
    quality = reward_quality(np.array([1.0, 0.0]), np.array([5.0, 5.0]), pairs, ["x", "y"])
    table = quality_table(quality)
    assert table.rows[0] == ("all", "0.500 [0.000, 1.000]", "2")
    assert [row[0] for row in table.rows[1:]] == ["about as long", "source: x", "source: y"]
    assert "Precision 0.500, recall 1.000, F1 0.667" in table.caption


def test_ragged_rows_are_refused() -> None:
    with pytest.raises(ValueError, match="table 'T': every row needs 2 cells"):
        Table("T", ("a", "b"), (("1", "2"), ("3",)))


CALIBRATED = CalibratedJudge(
    win_rates=PredictionPowered(
        estimate=Estimate(0.62, 0.55, 0.69, 40),
        resampled=Estimate(0.62, 0.56, 0.68, 40),
        people_only=Estimate(0.65, 0.5, 0.8, 40),
        judge_only=Estimate(0.7, 0.68, 0.72, 400),
        bias=Estimate(0.08, 0.01, 0.15, 40),
        weight=0.66,
        effective_labels=183.6,
        num_unlabelled=360,
        num_labelled_clusters=20,
    ),
    agreement=Estimate(0.8, 0.7, 0.9, 40),
    kappa=Estimate(0.55, 0.4, 0.7, 40),
    position=PositionBias(Estimate(0.125, 0.1, 0.15, 400), None),
)


def test_a_judge_beside_people() -> None:
    result = replace(RESULT, entrants=(replace(PPO, calibrated=CALIBRATED),))
    table = contest_tables(result)[1]
    assert table.columns == ("", "ppo")
    cells = dict(table.rows)
    assert cells["win rate, judge and people"] == "0.620 [0.550, 0.690]"
    assert cells["win rate, people alone"] == "0.650 [0.500, 0.800]"
    assert cells["judge's bias"] == "0.080 [0.010, 0.150]"
    assert (cells["pairs people judged"], cells["worth, in pairs of people's"]) == ("40 in 20 prompts", "184")
    assert (cells["verdict changes with the order"], cells["first shown wins"]) == (
        "0.125 [0.100, 0.150]",
        "not measured",
    )
    plain = replace(CALIBRATED, position=None)
    silent = contest_tables(replace(RESULT, entrants=(replace(PPO, calibrated=plain),)))[1]
    assert "first shown wins" not in dict(silent.rows)
