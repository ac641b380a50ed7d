"""`plaudit demo`: the flags reach the story. tests/demo tells it."""

from __future__ import annotations

import pytest

from plaudit.cli import demo
from plaudit.demo.settings import DemoConfig
from tests.cli.conftest import Plaudit


def test_flags_reach_the_demo(plaudit: Plaudit, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[DemoConfig] = []
    monkeypatch.setattr(demo, "tell", told.append)
    assert plaudit("demo", "--model", "tiny", "--out", "here", "--seed", "3").status == 0
    assert plaudit("demo").status == 0
    assert told == [DemoConfig(model="tiny", out="here", seed=3), DemoConfig()]


def test_ctrl_c_says_how_to_go_on(plaudit: Plaudit, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(config: DemoConfig) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(demo, "tell", interrupted)
    outcome = plaudit("demo")
    assert (outcome.status, outcome.err) == (
        130,
        "interrupted: the same command goes on after the last stage that ended\n",
    )
