"""Runs looked back at: finished, unfinished and damaged ones, and what is no run at all."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from plaudit.runs import RunDirectory
from plaudit.runs.history import PastRun, config_differences, extreme_samples, past_runs, read_run
from plaudit.runs.manifest import Manifest
from plaudit.schemas.errors import PlauditError

BEGAN = datetime(2030, 5, 1, 12, 0, 0, tzinfo=UTC)


def made(path: Path, *, config: Mapping[str, object] | None = None, minutes: int = 0, status: str = "finished") -> Path:
    """A run begun so many minutes after noon, two steps of a minute each, ended after three minutes."""
    began = BEGAN + timedelta(minutes=minutes)
    with RunDirectory.create(path, command="ppo", config=config or {"seed": 0}, seed=0) as run:
        for step, score in ((1, 0.5), (2, math.nan)):
            run.log_metrics(step, {"score/mean": score, "kl/k1": 0.1 * step, "seconds/sample": 1.5, "zeal": 1.0})
        run.log_samples({"step": step, "score": step + k, "answer": f"{step}.{k}"} for step in (1, 2) for k in range(4))
    manifest = json.loads((path / "manifest.json").read_text())
    manifest["starts"][0]["at"] = began.isoformat()
    manifest["ended_at"] = (began + timedelta(minutes=3)).isoformat() if status != "running" else None
    manifest["status"] = status
    (path / "manifest.json").write_text(json.dumps(manifest))
    lines = [json.loads(line) for line in (path / "metrics.jsonl").read_text().splitlines()]
    times = [{**line, "time": began.timestamp() + 60 * line["step"]} for line in lines]
    (path / "metrics.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in times))
    return path


def test_a_finished_run(tmp_path: Path) -> None:
    run = read_run(made(tmp_path / "a", config={"seed": 0, "sampling": {"top_p": 1.0, "extra": {}}}))
    assert (run.command, run.status, run.num_steps, run.seconds, run.began) == ("ppo", "finished", 2, 180.0, BEGAN)
    assert run.config == {"seed": 0, "sampling.top_p": 1.0, "sampling.extra": {}}
    assert math.isnan(run.last_values()["score/mean"])
    assert list(run.main_values(2)) == ["score/mean", "kl/k1"]
    assert run.main_values()["kl/k1"] == 0.2
    assert run.phase_seconds() == {"sample": 3.0}
    assert run.problems == ()


def test_what_a_command_read_is_of_its_settings(tmp_path: Path) -> None:
    """Two runs whose configs are the same differ in data of the same name, and in who scored."""
    runs = []
    for name, digest in (("a", "f" * 64), ("b", "e" * 64)):
        inputs = {"settings": {"data": "d.jsonl", "reward_function": f"{name}.py:f"}, "sha256": {"data": digest}}
        (made(tmp_path / name) / "inputs.json").write_text(json.dumps(inputs))
        runs.append(read_run(tmp_path / name))
    assert runs[0].config["data"] == "d.jsonl"
    assert config_differences(runs) == {"reward_function": ["a.py:f", "b.py:f"], "sha256 of data": ["f" * 12, "e" * 12]}


def test_a_run_that_was_killed_lasts_until_its_last_metrics(tmp_path: Path) -> None:
    run = read_run(made(tmp_path / "a", status="running"))
    assert (run.status, run.seconds) == ("running", 120.0)
    with (tmp_path / "a" / "metrics.jsonl").open("a") as file:
        file.write('{"step": 3, "sco')
    torn = read_run(tmp_path / "a")
    assert (torn.num_steps, torn.problems) == (2, ())


def test_metrics_without_a_known_name_are_shown_too(tmp_path: Path) -> None:
    run = PastRun(tmp_path, metrics=({"step": 1.0, "zeal": 2.0},))
    assert run.main_values() == {"zeal": 2.0}


@pytest.mark.parametrize("broken", ["", "{", "[]", '{"command": "ppo"}'])
def test_a_damaged_manifest_is_told_and_the_rest_read(tmp_path: Path, broken: str) -> None:
    path = made(tmp_path / "a")
    (path / "manifest.json").write_text(broken)
    run = read_run(path)
    assert (run.status, run.command, run.num_steps, run.seconds, run.began) == ("damaged", "?", 2, None, None)
    assert run.problems == ("manifest.json is missing or damaged",)


def test_damaged_lines_are_counted(tmp_path: Path) -> None:
    path = made(tmp_path / "a")
    text = (path / "metrics.jsonl").read_text()
    (path / "metrics.jsonl").write_text('nonsense\n{"step": 1, "a": "b"}\n{"a": 1}\n[1]\n' + text)
    (path / "config.json").unlink()
    run = read_run(path)
    assert run.num_steps == 2
    assert run.problems == (
        "config.json is missing or damaged",
        *(f"metrics.jsonl:{number} cannot be read" for number in (1, 2, 3, 4)),
    )


def test_only_metrics_are_left(tmp_path: Path) -> None:
    (tmp_path / "metrics.jsonl").write_text('{"step": 4, "loss": 1}\n')
    run = read_run(tmp_path)
    assert (run.num_steps, run.status, len(run.problems)) == (4, "damaged", 2)


def test_an_evaluation_shows_its_win_rate(tmp_path: Path) -> None:
    RunDirectory.create(tmp_path / "e", command="evaluate", config={}, seed=0).finish("finished")
    assert read_run(tmp_path / "e").last_values() == {}
    (tmp_path / "e" / "summary.json").write_text('{"result": {"entrants": [{"win_rate": {"value": 0.75}}]}}')
    run = read_run(tmp_path / "e")
    assert (run.main_values(), run.num_steps) == ({"win_rate": 0.75}, 0)


def test_the_newest_stands_first_and_what_is_no_run_is_left_out(tmp_path: Path) -> None:
    made(tmp_path / "old")
    made(tmp_path / "story" / "new", minutes=5)
    made(tmp_path / "story" / "middle", minutes=2)
    (made(tmp_path / "broken") / "manifest.json").unlink()
    for model in (tmp_path / "old" / "model", tmp_path / "exported"):
        model.mkdir()
        (model / "config.json").write_text('{"model_type": "llama"}')
    (tmp_path / "snapshot").mkdir()
    (tmp_path / "snapshot" / "manifest.json").write_text('{"id": "x", "files": []}')
    (tmp_path / ".hidden").mkdir()
    (tmp_path / ".hidden" / "metrics.jsonl").write_text("")
    found = [str(run.path.relative_to(tmp_path)) for run in past_runs(tmp_path)]
    assert found == ["story/new", "story/middle", "old", "broken"]
    assert [run.path for run in past_runs(tmp_path / "old")] == [tmp_path / "old"]


def test_where_there_is_none(tmp_path: Path) -> None:
    assert past_runs(tmp_path) == []
    with pytest.raises(PlauditError, match="there is no folder"):
        past_runs(tmp_path / "nowhere")
    with pytest.raises(PlauditError, match="is no run folder"):
        read_run(tmp_path)


def test_the_best_and_the_worst_of_the_last_step(tmp_path: Path) -> None:
    path = made(tmp_path / "a")
    best, worst = extreme_samples(path, 1)
    assert ([row["answer"] for row in best], [row["answer"] for row in worst]) == (["2.3"], ["2.0"])
    best, worst = extreme_samples(path, 9)
    assert [row["answer"] for row in best] + [row["answer"] for row in worst] == ["2.3", "2.2", "2.0", "2.1"]
    (path / "samples.jsonl").write_text('{"step": 1, "answers": []}\n{"score": 2}\n')
    assert extreme_samples(path, 1) == ([{"score": 2}], [])
    (path / "samples.jsonl").unlink()
    assert extreme_samples(path, 1) == ([], [])


def test_settings_that_differ(tmp_path: Path) -> None:
    a = read_run(made(tmp_path / "a", config={"seed": 0, "kl": 0.1, "s": {"t": 1}}))
    b = read_run(made(tmp_path / "b", config={"seed": 0, "kl": 0.2, "s": {"t": 1, "u": None}, "v": True}))
    assert config_differences([a, b]) == {"kl": [0.1, 0.2], "v": [None, True]}
    assert config_differences([a, a]) == {}


def test_a_manifest_without_starts_has_no_beginning(tmp_path: Path) -> None:
    run = PastRun(tmp_path, Manifest(command="sft", seed=0, status="running", starts=()))
    assert (run.began, run.seconds, run.num_steps) == (None, None, 0)
