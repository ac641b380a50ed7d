"""inputs.json: what a run read, whether it still is the same, and where a model's training data was."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from plaudit.cli.inputs import (
    check_unchanged,
    read_inputs,
    recorded_inputs,
    saved_settings,
    sha256_of,
    training_runs,
)
from plaudit.runs import RunDirectory
from plaudit.schemas.errors import PlauditError


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "d.jsonl"
    path.write_bytes(b"one\n")
    return path


def begun(run: Path, data: Path, **config: object) -> Path:
    """A run folder as a command leaves it."""
    with (
        recorded_inputs(run, {"data": data, "shape": None}, {"data": data}),
        RunDirectory.create(run, command="sft", config={"out": str(run), "resume": False, **config}, seed=0),
    ):
        pass
    return run


def test_what_is_kept(tmp_path: Path, data: Path) -> None:
    inputs = read_inputs(begun(tmp_path / "run", data))
    assert inputs is not None
    assert inputs.settings == {"data": str(data), "shape": None}
    assert inputs.sha256 == {"data": hashlib.sha256(b"one\n").hexdigest()}


def test_a_snapshot_is_known_by_its_manifest(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_bytes(b"{}")
    assert sha256_of(tmp_path) == hashlib.sha256(b"{}").hexdigest()


def test_any_other_folder_is_known_by_all_its_files(tmp_path: Path) -> None:
    for name in ("state.json", "data-0.arrow"):
        (tmp_path / name).write_text(name)
    named = "".join(f"{name} {hashlib.sha256(name.encode()).hexdigest()}\n" for name in ("data-0.arrow", "state.json"))
    before = sha256_of(tmp_path)
    assert before == hashlib.sha256(named.encode()).hexdigest()
    (tmp_path / "data-0.arrow").write_text("other")
    assert sha256_of(tmp_path) != before


def test_a_run_that_fails_before_it_begins_leaves_nothing(tmp_path: Path, data: Path) -> None:
    run = tmp_path / "runs" / "a"

    def failing() -> None:
        with recorded_inputs(run, {}, {"data": data}):
            assert (run / "inputs.json").is_file()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        failing()
    assert not run.exists()


def test_a_run_that_fails_after_it_began_keeps_its_inputs(tmp_path: Path, data: Path) -> None:
    run = tmp_path / "a"

    def failing() -> None:
        with recorded_inputs(run, {}, {"data": data}):
            RunDirectory.create(run, command="sft", config={}, seed=0)
            raise PlauditError("full")

    with pytest.raises(PlauditError, match="full"):
        failing()
    assert read_inputs(run) is not None


def test_a_taken_folder_is_refused_and_left_alone(tmp_path: Path, data: Path) -> None:
    run = begun(tmp_path / "run", data)
    before = {path.name: path.read_bytes() for path in run.iterdir()}
    with pytest.raises(PlauditError, match="already holds a `sft` run"), recorded_inputs(run, {"x": 1}, {}):
        pytest.fail("was let in")
    assert {path.name: path.read_bytes() for path in run.iterdir()} == before


def test_a_folder_that_a_killed_start_left_is_no_obstacle(tmp_path: Path, data: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    (run / "inputs.json").write_text("torn")
    begun(run, data)
    assert read_inputs(run) is not None


def test_changed_and_missing_data_is_named(tmp_path: Path, data: Path) -> None:
    run = begun(tmp_path / "run", data)
    check_unchanged(run, {"data": data})
    data.write_bytes(b"two\n")
    with pytest.raises(PlauditError, match=r"cannot resume .*run: .*d.jsonl is not the data it began with"):
        check_unchanged(run, {"data": data})
    data.unlink()
    with pytest.raises(PlauditError, match=r"d.jsonl cannot be read: No such file"):
        check_unchanged(run, {"data": data})
    moved = tmp_path / "moved.jsonl"
    moved.write_bytes(b"one\n")
    check_unchanged(run, {"data": moved})


def test_a_file_that_the_run_did_not_read_is_refused(tmp_path: Path, data: Path) -> None:
    with pytest.raises(PlauditError, match="is not the test_data it began with"):
        check_unchanged(begun(tmp_path / "run", data), {"data": data, "test_data": data})


def test_saved_settings_are_both_files_without_resume(tmp_path: Path, data: Path) -> None:
    run = begun(tmp_path / "run", data, seed=3)
    assert saved_settings(run, "sft") == {"data": str(data), "shape": None, "out": str(run), "seed": 3}


def test_a_run_from_python_has_the_trainers_settings_only(tmp_path: Path) -> None:
    with RunDirectory.create(tmp_path / "run", command="sft", config={"out": str(tmp_path / "run")}, seed=0):
        pass
    assert saved_settings(tmp_path / "run", "sft") == {"out": str(tmp_path / "run")}
    check_unchanged(tmp_path / "run", {"data": tmp_path / "nothing"})


def test_what_cannot_be_continued_says_so(tmp_path: Path, data: Path) -> None:
    run = begun(tmp_path / "run", data)
    with pytest.raises(PlauditError, match="holds no run that can be continued"):
        saved_settings(tmp_path / "nowhere", "sft")
    with pytest.raises(PlauditError, match="holds a `sft` run: continue it with `plaudit sft --resume"):
        saved_settings(run, "ppo")
    moved = run.rename(tmp_path / "moved")
    with pytest.raises(PlauditError, match=r"moved was made as .*run': continue it from the folder"):
        saved_settings(moved, "sft")
    (moved / "inputs.json").write_text('{"settings": 3}')
    with pytest.raises(PlauditError, match=r"inputs.json is not what `plaudit` wrote"):
        read_inputs(moved)


def test_a_model_below_the_home_folder_leads_back_too(
    tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a prompt that it was trained on would go unnoticed."""
    monkeypatch.setenv("HOME", str(tmp_path))
    sft = begun(tmp_path / "sft", data, model="tiny")
    assert training_runs("~/sft/model") == [sft]


def test_a_model_leads_back_through_all_the_runs_it_was_made_with(tmp_path: Path, data: Path) -> None:
    sft = begun(tmp_path / "sft", data, model="tiny")
    reward = begun(tmp_path / "reward", data, model=f"{sft}/model")
    ppo = begun(tmp_path / "ppo", data, model=f"{sft}/model", reward_model=f"{reward}/model")
    assert training_runs(f"{ppo}/model") == [ppo, sft, reward]
    others = [begun(tmp_path / f"reward-{i}", data, model=f"{sft}/model") for i in range(2)]
    named = [f"{other}/model" for other in others]
    rloo = begun(tmp_path / "rloo", data, model=f"{sft}/model", reward_model=f"{reward}/model", reward_ensemble=named)
    assert training_runs(f"{rloo}/model") == [rloo, sft, reward, *others]
    assert training_runs("tiny") == []
    config = json.loads((sft / "config.json").read_text())
    (sft / "config.json").write_text(json.dumps(config | {"model": f"{ppo}/model"}))
    assert training_runs(f"{ppo}/model") == [ppo, sft, reward]
