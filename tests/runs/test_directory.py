"""A run folder: what it refuses, what it records, and that a resumed run leaves the same files."""

import errno
import json
import math
import os
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import pytest

from plaudit.runs.directory import RunDirectory
from plaudit.runs.learning import learning_from
from plaudit.schemas.errors import PlauditError


@dataclass(frozen=True, slots=True)
class Config:
    learning_rate: float = 1e-5
    out: Path = Path("x")
    resume: bool = False


CONFIG = asdict(Config())


def create(path: Path, **changes: object) -> RunDirectory:
    arguments: dict[str, object] = {"command": "sft", "config": CONFIG, "seed": 3}
    return RunDirectory.create(path, **{**arguments, **changes})


def test_a_new_run_records_what_it_was_made_of(tmp_path: Path) -> None:
    with learning_from("demo"), create(tmp_path / "a" / "run", parent="runs/sft", device="cpu") as run:
        during = json.loads((run.path / "manifest.json").read_text())
    after = json.loads((run.path / "manifest.json").read_text())
    assert (during["status"], during["ended_at"]) == ("running", None)
    assert (after["status"], after["ended_at"] >= after["starts"][0]["at"]) == ("finished", True)
    assert (after["command"], after["seed"], after["snapshots"]) == ("sft", 3, ["demo"])
    assert after["parent"] == "runs/sft"
    assert len(after["starts"]) == 1
    start = after["starts"][0]
    assert start["argv"] == sys.argv
    assert start["device"] == "cpu"
    assert {"python", "plaudit", "torch", "transformers", "numpy"} <= start["versions"].keys()
    saved = json.loads((run.path / "config.json").read_text())
    assert saved == {"learning_rate": 1e-5, "out": "x", "resume": False}


@pytest.mark.parametrize(("error", "status"), [(KeyboardInterrupt, "interrupted"), (RuntimeError, "failed")])
def test_the_way_it_ended_is_recorded(tmp_path: Path, error: type[BaseException], status: str) -> None:
    with pytest.raises(error), create(tmp_path):
        raise error
    assert json.loads((tmp_path / "manifest.json").read_text())["status"] == status


def test_a_status_the_run_gave_itself_stays(tmp_path: Path) -> None:
    with create(tmp_path) as run:
        run.finish("stopped")
    assert run.manifest.status == "stopped"


def test_a_folder_with_other_things_in_it_is_refused_and_left_alone(tmp_path: Path) -> None:
    for name in "abcd":
        (tmp_path / name).touch()
    with pytest.raises(PlauditError, match=r"not empty \(it holds a, b, c, \.\.\.\)"):
        create(tmp_path)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == list("abcd")


def test_a_folder_with_a_run_in_it_says_how_to_resume(tmp_path: Path) -> None:
    create(tmp_path).finish("interrupted")
    before = (tmp_path / "manifest.json").read_bytes()
    with pytest.raises(PlauditError, match=r"holds a `sft` run \(interrupted, begun .*--resume"):
        create(tmp_path, seed=4)
    assert (tmp_path / "manifest.json").read_bytes() == before


def test_a_file_in_the_way_is_a_users_mistake(tmp_path: Path) -> None:
    (tmp_path / "run").touch()
    with pytest.raises(PlauditError, match="cannot make the run folder"):
        create(tmp_path / "run")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"command": "ppo"}, "holds a `sft` run, not `ppo`: resume it with `plaudit sft`"),
        ({"seed": 4}, "seed was 3, now 4"),
        ({"config": {**CONFIG, "learning_rate": 1.0}}, "learning_rate was 1e-05, now 1.0"),
        ({"config": {**CONFIG, "new": 1}}, "new was None, now 1"),
        ({"config": {"learning_rate": 1e-5, "out": "x"}}, "resume was False, now None"),
    ],
)
def test_another_run_cannot_be_resumed_here(tmp_path: Path, changes: dict[str, object], message: str) -> None:
    create(tmp_path).finish("interrupted")
    before = (tmp_path / "manifest.json").read_bytes()
    with pytest.raises(PlauditError, match=message):
        create(tmp_path, resume=True, **changes)
    assert (tmp_path / "manifest.json").read_bytes() == before


def test_there_must_be_something_to_resume(tmp_path: Path) -> None:
    with pytest.raises(PlauditError, match="not the manifest"):
        create(tmp_path, resume=True)


def test_a_resumed_run_keeps_its_history(tmp_path: Path) -> None:
    with learning_from("demo"):
        first = create(tmp_path).manifest
    config = {**CONFIG, "resume": True}
    again = create(tmp_path, resume=True, config=config, may_change=["resume"])
    assert again.manifest.starts[0] == first.starts[0]
    assert len(again.manifest.starts) == 2
    assert again.manifest.snapshots == ("demo",)
    assert again.manifest.status == "running"
    assert json.loads((tmp_path / "config.json").read_text())["resume"] is False


def train(run: RunDirectory, first: int, last: int) -> None:
    for step in range(first, last + 1):
        run.log_metrics(step, {"loss/policy": math.nan if step == 2 else 1 / step})
        run.log_samples([{"step": step, "text": f"答 {step}.{index}"} for index in range(2)])
        if step % 2 == 0:
            run.checkpoint_folder(step).mkdir()


def metrics_without_time(run: RunDirectory) -> list[dict[str, object]]:
    rows = [json.loads(line) for line in (run.path / "metrics.jsonl").read_text().splitlines()]
    for row in rows:
        assert abs(row.pop("time") - time.time()) < 60
    return rows


def test_resumed_files_equal_uninterrupted_ones(tmp_path: Path) -> None:
    whole, broken = create(tmp_path / "whole"), create(tmp_path / "broken")
    train(whole, 1, 5)
    train(broken, 1, 3)
    for name in ("metrics.jsonl", "samples.jsonl"):
        with (broken.path / name).open("ab") as file:
            file.write(b'{"step": 4, "lo')
    resumed = create(tmp_path / "broken", resume=True)
    step = resumed.checkpoint_steps()[-1]
    assert step == 2
    resumed.truncate_after(step)
    train(resumed, step + 1, 5)
    assert (whole.path / "samples.jsonl").read_bytes() == (resumed.path / "samples.jsonl").read_bytes()
    assert metrics_without_time(whole) == metrics_without_time(resumed)
    assert [row["step"] for row in metrics_without_time(resumed)] == [1, 2, 3, 4, 5]


def test_checkpoints_are_listed_by_step_and_unfinished_ones_are_not(tmp_path: Path) -> None:
    run = create(tmp_path)
    assert run.checkpoint_steps() == []
    for step in (1_000_000, 20, 3):
        run.checkpoint_folder(step).mkdir()
    (tmp_path / "checkpoints" / ".step-000009.partial").mkdir()
    (tmp_path / "checkpoints" / "step-000008.partial").mkdir()
    assert run.checkpoint_steps() == [3, 20, 1_000_000]
    assert run.checkpoint_folder(20).name == "step-000020"


def test_rows_that_could_not_be_cut_again_are_refused(tmp_path: Path) -> None:
    run = create(tmp_path)
    with pytest.raises(ValueError, match="whole number `step`"):
        run.log_samples([{"step": 1}, {"text": "a"}])
    with pytest.raises(ValueError, match="step or time"):
        run.log_metrics(1, {"time": 3.0})
    assert not (tmp_path / "samples.jsonl").exists()


def test_the_log_keeps_every_line(tmp_path: Path) -> None:
    run = create(tmp_path)
    run.log("first")
    run.log("好")
    lines = (tmp_path / "log.txt").read_text(encoding="utf-8").splitlines()
    assert [line.split(" ", 1)[1] for line in lines] == ["first", "好"]


def test_a_full_disk_at_the_end_does_not_hide_the_error_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_space(_: int) -> None:
        raise OSError(errno.ENOSPC, "full")

    run = create(tmp_path)
    monkeypatch.setattr(os, "fsync", no_space)
    with pytest.raises(KeyError, match="first"), run:
        raise KeyError("first")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full (Linux)")
def test_a_full_disk_during_a_run_is_told_once(tmp_path: Path) -> None:
    run = create(tmp_path / "run")
    (run.path / "metrics.jsonl").symlink_to("/dev/full")
    with pytest.raises(PlauditError, match=r"metrics\.jsonl: No space left"), run:
        run.log_metrics(1, {"a": 1.0})
    assert run.manifest.status == "failed"
