"""Runs side by side: names that tell them apart, settings, last values, curves."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from plaudit.evaluation.run_comparison import compare_runs, comparison_tables, metric_text, panels, run_names
from plaudit.runs.history import PastRun
from plaudit.schemas.errors import PlauditError


def run(path: str, *, kl: float = 0.1, problems: tuple[str, ...] = (), **metrics: float) -> PastRun:
    rows = tuple({"step": float(step), **{k: v * step for k, v in metrics.items()}} for step in (1, 2))
    return PastRun(Path(path), config={"kl": kl, "seed": 0}, metrics=rows if metrics else (), problems=problems)


def test_names_are_as_short_as_they_can_be() -> None:
    assert run_names([run("x/a"), run("y/b")]) == ["a", "b"]
    assert run_names([run("x/a"), run("y/a")]) == ["x/a", "y/a"]
    for runs in ([run("a")], [run("a"), run("./a")]):
        with pytest.raises(PlauditError, match="two runs or more, each named once"):
            run_names(runs)


def test_tables() -> None:
    a, b = run("a", **{"kl/k1": 0.5, "zeal": 1.0}), run("b", kl=0.2, **{"kl/k1": 1.0, "seconds/x": 3.0})
    facts, settings, metrics = comparison_tables([a, b])
    assert facts.rows[2] == ("steps", "2", "2")
    assert settings.rows == (("kl", "0.1", "0.2"),)
    assert metrics.rows == (("kl/k1", "1", "2"), ("zeal", "2", "not measured"))
    assert [table.title for table in comparison_tables([run("a"), run("b")])] == ["Runs"]


def test_what_is_drawn() -> None:
    assert panels([run("a", zeal=1.0), run("b", **{"kl/k1": 1.0, "loss/policy": 1.0})]) == {
        "kl/k1": "KL, nats an answer",
        "loss/policy": "loss/policy",
    }
    assert panels([run("a", zeal=1.0, **{"seconds/x": 1.0})]) == {"zeal": "zeal"}


def test_numbers() -> None:
    assert [metric_text(x) for x in (0.000123456, 12345.6, float("nan"), None)] == [
        "0.0001235", "1.235e+04", "nan", "not measured"
    ]  # fmt: skip


def test_the_page(tmp_path: Path) -> None:
    a = run("x/a", **{"kl/k1": 0.5, "seconds/s": 1.0})
    b = run("y/a", problems=("metrics.jsonl:3 cannot be read",), **{"kl/k1": 0.25, "seconds/s": 2.0})
    compare_runs([a, b], tmp_path)
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"report.html", "summary.json", "training.png", "seconds_x_a.png", "seconds_y_a.png"}
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["runs"]["y/a"]["last"] == {"kl/k1": 0.5, "seconds/s": 4.0}
    assert summary["runs"]["x/a"]["seconds_by_phase"] == {"s": 3.0}
    assert "y/a: metrics.jsonl:3 cannot be read" in (tmp_path / "report.html").read_text()
