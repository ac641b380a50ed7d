"""`plaudit runs`: over real runs of `tiny`, unfinished ones and damaged ones."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from plaudit.runs import RunDirectory
from tests.cli.conftest import FEW_ANSWERS, Plaudit

REWARD = "def brief(prompts, completions, **columns):\n    return [-len(answer) / 10 for answer in completions]\n"


@pytest.fixture
def two_runs(plaudit: Plaudit, prompts: Path) -> list[Path]:
    Path("r.py").write_text(REWARD)
    words = ("--data", prompts, "--model", "tiny", "--reward-function", "r.py:brief", *FEW_ANSWERS)
    for seed in (0, 1):
        assert plaudit("ppo", *words, "--seed", seed, "--out", f"runs/ppo{seed}").status == 0
    return [Path("runs/ppo0"), Path("runs/ppo1")]


def test_list(plaudit: Plaudit, two_runs: list[Path]) -> None:
    RunDirectory.create("runs/going", command="sft", config={}, seed=0)
    (two_runs[1] / "manifest.json").write_text("{")
    outcome = plaudit("runs", "list")
    assert outcome.status == 0
    (row,) = [line for line in outcome.out.splitlines() if "ppo0" in line]
    assert all(text in row for text in ("finished", " 2 ", "score/mean -0.", "kl/k1"))
    (row,) = [line for line in outcome.out.splitlines() if "going" in line]
    assert "sft" in row
    assert "running" in row
    (row,) = [line for line in outcome.out.splitlines() if "ppo1" in line and "│" in line]
    assert "damaged" in row
    assert "ppo1: manifest.json is missing or damaged" in outcome.out
    assert "1 of 3 runs: --num 3 lists all" in plaudit("runs", "list", "runs", "--num", "1").out


def test_a_run_that_has_long_been_silent(plaudit: Plaudit) -> None:
    RunDirectory.create("runs/a", command="sft", config={}, seed=0)
    manifest = json.loads(Path("runs/a/manifest.json").read_text())
    manifest["starts"][0]["at"] = "2020-01-01T00:00:00+00:00"
    Path("runs/a/manifest.json").write_text(json.dumps(manifest))
    assert "running, silent for" in plaudit("runs", "list").out


def test_show(plaudit: Plaudit, two_runs: list[Path]) -> None:
    outcome = plaudit("runs", "show", two_runs[0])
    assert outcome.status == 0
    for text in (
        "runs/ppo0: ppo, finished, 2 steps",
        "Settings",
        "experience.prompts_per_step",
        "Last metrics",
        "kl/k1",
    ):
        assert text in outcome.out
    assert "Seconds by phase" in outcome.out
    assert "Best samples of the last step" in outcome.out
    assert "Worst samples" not in plaudit("runs", "show", two_runs[0], "--num-samples", "0").out
    (two_runs[0] / "samples.jsonl").write_text(
        '{"step": 1, "score": 1.5, "prompt": "[red]\\u001b[2J", "answer": null}\n'
    )
    shown = plaudit("runs", "show", two_runs[0]).out
    assert "score 1.5: [red]�[2J" in shown
    (two_runs[0] / "config.json").write_text("[")
    assert "config.json is missing or damaged" in plaudit("runs", "show", two_runs[0]).out


def test_compare(plaudit: Plaudit, two_runs: list[Path]) -> None:
    outcome = plaudit("runs", "compare", *two_runs)
    assert outcome.status == 0
    for text in ("Settings that differ", "runs/ppo1", "Metrics", "score/mean", "report: runs-comparison/report.html"):
        assert text in outcome.out
    assert "kl_coef" not in outcome.out.split("Settings that differ")[1].split("Metrics")[0]
    assert {"report.html", "training.png", "summary.json"} <= set(os.listdir("runs-comparison"))
    assert "runs-comparison is not empty" in plaudit("runs", "compare", *two_runs).refused()
    with (two_runs[0] / "metrics.jsonl").open("a") as file:
        file.write("torn\n")
    again = plaudit("runs", "compare", *two_runs, "--out", "again")
    assert "runs/ppo0: metrics.jsonl:3 cannot be read" in again.out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("list", "nowhere"), "there is no folder nowhere"),
        (("list", "--num", "0"), "--num must be at least 1"),
        (("show", "empty"), "empty is no run folder"),
        (("show", "nowhere"), "nowhere is no run folder"),
        (("show", "empty", "--num-samples", "-1"), "at least 0"),
        (("compare", "empty", "nowhere"), "empty is no run folder"),
    ],
)
def test_what_is_refused(plaudit: Plaudit, words: tuple[str, ...], message: str) -> None:
    Path("empty").mkdir()
    assert message in plaudit("runs", *words).refused()


def test_one_run_is_no_comparison_and_no_run_no_list(plaudit: Plaudit) -> None:
    RunDirectory.create("runs/a", command="sft", config={}, seed=0)
    assert "two runs or more" in plaudit("runs", "compare", "runs/a").refused()
    assert not Path("runs-comparison").exists()
    Path("empty").mkdir()
    outcome = plaudit("runs", "list", "empty")
    assert (outcome.status, outcome.out) == (1, "empty holds no run\n")


def test_looking_back_loads_no_torch(tmp_path: Path) -> None:
    RunDirectory.create(tmp_path / "a", command="sft", config={}, seed=0)
    code = (
        "import sys\nfrom plaudit.cli.main import main\n"
        f"assert main(['runs', 'list', {str(tmp_path)!r}]) == main(['runs', 'show', {str(tmp_path / 'a')!r}]) == 0\n"
        "assert 'torch' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
