"""Plots exist where there is data, are pictures in two themes, and never change the numbers they show."""

import struct
import zlib
from dataclasses import replace

import numpy as np
import pytest

from plaudit.evaluation import figures
from plaudit.evaluation.contest import ContestResult
from plaudit.evaluation.figures import Figure
from plaudit.evaluation.frontier import FrontierPoint
from plaudit.evaluation.reward_quality import JudgedPairs, RewardQuality, reward_quality
from plaudit.statistics import Estimate
from tests.evaluation.test_tables import BASELINE, CALIBRATED, PPO, RESULT


@pytest.fixture(scope="module")
def quality() -> RewardQuality:
    rng = np.random.default_rng(0)
    a, b = np.arange(80), np.arange(80) + 80
    pairs = JudgedPairs(a, b, rng.random(80) < 0.5, a // 4)
    return reward_quality(rng.normal(size=160), rng.integers(1, 60, 160).astype(float), pairs, ["s"] * 80)


def pixels(png: bytes) -> tuple[int, int, tuple[int, ...]]:
    """Width, height and the colour of the corner of an 8-bit RGBA picture."""
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    width, height, depth, kind = struct.unpack(">IIBB", png[16:26])
    assert (depth, kind) == (8, 6)
    data, at = b"", 8
    while at < len(png):
        (length,) = struct.unpack(">I", png[at : at + 4])
        if png[at + 4 : at + 8] == b"IDAT":
            data += png[at + 8 : at + 8 + length]
        at += 12 + length
    return width, height, tuple(zlib.decompress(data)[1:5])


def check(figure: Figure | None, name: str) -> None:
    assert figure is not None
    assert figure.name == name
    assert figure.title
    assert figure.caption
    light, dark = pixels(figure.light), pixels(figure.dark)
    assert light[:2] == dark[:2]
    assert light[0] == 972
    assert light[2] == (255, 255, 255, 255)
    assert max(dark[2][:3]) < 50


def test_win_rates(recwarn: pytest.WarningsRecorder) -> None:
    long = replace(PPO, name="runs/" + 30 * "very/" + "long")
    strange = replace(PPO, name="$x_{ 模型 <b>", length_matched=Estimate(0.7, float("nan"), float("nan"), 100))
    check(figures.win_rates_figure(ContestResult(BASELINE, (PPO, strange, long), 2, 8)), "win_rates")
    assert figures.win_rates_figure(ContestResult(BASELINE, (), 2, 8)) is None
    assert figures.win_rates_figure(ContestResult(BASELINE, (replace(PPO, win_rate=None),), 2, 8)) is None
    assert not recwarn.list


def test_the_calibrated_judge() -> None:
    assert figures.calibration_figure(RESULT) is None
    check(figures.calibration_figure(replace(RESULT, entrants=(replace(PPO, calibrated=CALIBRATED),))), "calibration")


def test_the_frontier() -> None:
    points = [FrontierPoint(0.1 * i, 0.2 * i, str(i)) for i in range(9)]
    check(figures.frontier_figure({"ppo": points, "dpo": points[-1:], "none": []}), "reward_against_kl")
    assert figures.frontier_figure({"none": []}) is None
    assert figures.frontier_figure({}) is None


def test_the_reward_models_plots(quality: RewardQuality) -> None:
    check(figures.reliability_figure(quality), "reliability")
    check(figures.length_slices_figure(quality), "accuracy_by_length")
    assert figures.reliability_figure(None) is None
    assert figures.length_slices_figure(None) is None


@pytest.mark.parametrize("metrics", [["score/mean"], ["score/mean", "kl/k1", "answer/length"], list(figures.CURVES)])
def test_training_curves(metrics: list[str]) -> None:
    rows = [{"step": float(step), **dict.fromkeys(metrics, 0.5 * step)} for step in range(5)]
    check(figures.training_figure({"ppo": rows, "rloo": rows[:2], "new": []}), "training")


def test_training_without_a_known_metric() -> None:
    assert figures.training_figure({"sft": [{"step": 1.0, "loss": 2.0}]}) is None
    assert figures.training_figure({}) is None


def test_estimates_of_one_or_several_series() -> None:
    settings = {"limits": (0.0, 1.0), "middle": 0.5, "label": "fraction", "caption": "Bars."}
    low, high, sure = (
        Estimate(0.1, 0.0, 0.3, 9),
        Estimate(0.9, 0.6, 1.0, 9),
        Estimate(1.0, float("nan"), float("nan"), 9),
    )
    alone = figures.estimates_figure(
        "alone", "One", {"": {"a figure of many words that need two lines": low}}, **settings
    )
    check(alone, "alone")
    several = {"a": {"one": low, "two": high}, "b": {"two": sure, "three": low}, "c": {}}
    check(figures.estimates_figure("several", "Three", several, **settings), "several")
    swapped = figures.estimates_figure("several", "Three", {**several, "b": {"two": low}}, **settings)
    assert swapped != figures.estimates_figure("several", "Three", several, **settings)
    assert figures.estimates_figure("none", "None", {}, **settings) is None
    assert figures.estimates_figure("none", "None", {"a": {}}, **settings) is None


def test_seconds() -> None:
    check(figures.seconds_figure({"sample": 12.5, "update": 0.0}), "seconds")
    check(figures.seconds_figure({"sample": 0.0}), "seconds")
    assert figures.seconds_figure({}) is None


def test_the_same_data_give_the_same_bytes() -> None:
    assert figures.win_rates_figure(RESULT) == figures.win_rates_figure(RESULT)


def test_long_names_keep_their_ends() -> None:
    assert figures.short("runs/ppo/model") == "runs/ppo/model"
    assert figures.short("x" * 24) == "x" * 24
    assert figures.short("a" * 30 + "/seed-3/model") == "…" + "a" * 10 + "/seed-3/model"


def test_what_has_no_data_is_left_out() -> None:
    figure = figures.win_rates_figure(RESULT)
    assert figures.drawn(None, figure, None) == (figure,)
