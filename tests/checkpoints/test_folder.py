"""A checkpoint appears whole or not at all, and is trusted only if it is what was written."""

import errno
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors import SafetensorError
from torch import Tensor

from plaudit.checkpoints import folder as folder_module
from plaudit.checkpoints.folder import (
    CheckpointDamagedError,
    keep_latest,
    latest_checkpoint,
    load_checkpoint,
    save_checkpoint,
)
from plaudit.runs import RunDirectory
from plaudit.schemas.errors import PlauditError

FILES = ["checksums.json", "state.json", "tensors.safetensors"]
STATE = {"step": 3, "kl_coef": 0.05, "best": None, "texts": ["好", ""], "nested": {"a": [1, 2.5, True]}}


def tensors(fill: float = 1.0) -> dict[str, Tensor]:
    return {
        "policy/weight": torch.full((2, 3), fill),
        "transposed": torch.arange(6.0).reshape(2, 3).T,
        "half": torch.tensor([1.5], dtype=torch.bfloat16),
        "generator": torch.Generator().manual_seed(3).get_state(),
        "num_done": torch.tensor(7),
        "learning": torch.ones(2, requires_grad=True),
    }


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    return RunDirectory.create(tmp_path / "run", command="ppo", config={}, seed=0)


def saved(run: RunDirectory, *steps: int) -> None:
    for step in steps:
        save_checkpoint(run.checkpoint_folder(step), tensors(float(step)), {"step": step})


def test_what_is_loaded_is_what_was_saved(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "a", tensors(), STATE)
    found = load_checkpoint(tmp_path / "a")
    assert found.state == STATE
    assert found.tensors.keys() == tensors().keys()
    for name, tensor in tensors().items():
        assert found.tensors[name].dtype == tensor.dtype
        assert torch.equal(found.tensors[name], tensor)
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == FILES
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_second_save_replaces_the_first(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "a", tensors(1.0), {"step": 1})
    save_checkpoint(tmp_path / "a", tensors(2.0), {"step": 2})
    found = load_checkpoint(tmp_path / "a")
    assert found.state == {"step": 2}
    assert torch.equal(found.tensors["policy/weight"], torch.full((2, 3), 2.0))


def test_while_a_checkpoint_is_replaced_one_version_is_always_there(
    run: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After every change of a name, a process that begins anew finds the old version or the new one."""
    saved(run, 1, 2)
    rename, found = Path.rename, []
    copies = iter(range(100))

    def seen(path: Path, target: Path) -> Path:
        renamed = rename(path, target)
        twin = run.path.with_name(f"twin-{next(copies)}")
        shutil.copytree(run.path, twin)
        with monkeypatch.context() as patch:
            patch.setattr(Path, "rename", rename)
            twin_run = RunDirectory.create(twin, command="ppo", config={}, seed=0, resume=True)
            found.append(latest_checkpoint(twin_run)[1].state)
            assert twin_run.checkpoint_steps() == [1, 2]
        return renamed

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", seen)
        save_checkpoint(run.checkpoint_folder(2), tensors(9.0), {"step": 2, "again": True})
    assert found == [{"step": 2}, {"step": 2, "again": True}]
    assert sorted(path.name for path in (run.path / "checkpoints").iterdir()) == ["step-000001", "step-000002"]


def test_an_interrupted_replacement_leaves_the_old_version(run: RunDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    saved(run, 1)
    rename = Path.rename

    def interrupted_at_the_second(path: Path, target: Path) -> Path:
        if path.name.endswith(".partial"):
            raise KeyboardInterrupt
        return rename(path, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", interrupted_at_the_second)
        with pytest.raises(KeyboardInterrupt):
            save_checkpoint(run.checkpoint_folder(1), tensors(9.0), {"step": 9})
    assert [path.name for path in (run.path / "checkpoints").iterdir()] == ["step-000001"]
    assert latest_checkpoint(run)[1].state == {"step": 1}


def test_the_parent_is_synced_once_the_name_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[tuple[Path, bool]] = []
    monkeypatch.setattr(
        folder_module, "sync_folder", lambda folder: synced.append((folder, (folder / "a" / "state.json").exists()))
    )
    save_checkpoint(tmp_path / "a", tensors(), STATE)
    assert synced == [(tmp_path, True)]


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def altered(path: Path) -> None:
    """One bit of the last byte, the length unchanged."""
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


damages = pytest.mark.parametrize("damage", [truncated, altered, Path.unlink], ids=["truncated", "altered", "missing"])


@damages
@pytest.mark.parametrize("name", ["tensors.safetensors", "state.json"])
def test_a_damaged_file_is_named_and_refused(tmp_path: Path, name: str, damage: Callable[[Path], None]) -> None:
    save_checkpoint(tmp_path / "a", tensors(), STATE)
    damage(tmp_path / "a" / name)
    with pytest.raises(CheckpointDamagedError, match=rf"(?s)checkpoint .*a is (damaged|incomplete).*{name}"):
        load_checkpoint(tmp_path / "a")


@pytest.mark.parametrize("seal", ["", "{}", "[]", "{"])
def test_a_damaged_seal_is_refused(tmp_path: Path, seal: str) -> None:
    save_checkpoint(tmp_path / "a", tensors(), STATE)
    (tmp_path / "a" / "checksums.json").write_text(seal)
    with pytest.raises(CheckpointDamagedError, match="is incomplete"):
        load_checkpoint(tmp_path / "a")


def test_files_of_two_checkpoints_make_none(tmp_path: Path) -> None:
    for name in ("a", "b"):
        save_checkpoint(tmp_path / name, tensors(), {"name": name})
    (tmp_path / "a" / "state.json").write_bytes((tmp_path / "b" / "state.json").read_bytes())
    with pytest.raises(CheckpointDamagedError, match=r"state\.json is not what was written"):
        load_checkpoint(tmp_path / "a")


@damages
def test_the_one_before_a_damaged_one_is_used_and_the_log_says_why(
    run: RunDirectory, damage: Callable[[Path], None]
) -> None:
    saved(run, 1, 2, 3)
    damage(run.checkpoint_folder(3) / "tensors.safetensors")
    step, found = latest_checkpoint(run)
    assert (step, found.state) == (2, {"step": 2})
    assert torch.equal(found.tensors["policy/weight"], torch.full((2, 3), 2.0))
    log = (run.path / "log.txt").read_text()
    assert "step-000003" in log
    assert "tensors.safetensors" in log
    assert log.endswith("using the one before\n")


def test_the_newest_is_used(run: RunDirectory) -> None:
    saved(run, 1, 10, 9)
    assert latest_checkpoint(run)[0] == 10
    assert not (run.path / "log.txt").exists()


def test_a_run_whose_checkpoints_are_all_damaged_says_what_to_do(run: RunDirectory) -> None:
    saved(run, 1)
    truncated(run.checkpoint_folder(1) / "state.json")
    with pytest.raises(PlauditError, match="holds no usable checkpoint to resume from: start a new run"):
        latest_checkpoint(run)


def test_a_run_that_wrote_no_checkpoint_is_at_its_beginning(run: RunDirectory) -> None:
    """Nothing there, or what was left of one that was being written."""
    assert latest_checkpoint(run) == (0, None)
    run.checkpoint_folder(1).with_name(".step-000001.partial").mkdir()
    assert latest_checkpoint(run) == (0, None)


def test_a_damaged_one_is_named_to_whoever_listens(run: RunDirectory) -> None:
    saved(run, 1, 2)
    altered(run.checkpoint_folder(2) / "tensors.safetensors")
    said: list[str] = []
    assert latest_checkpoint(run, said.append)[0] == 1
    (text,) = said
    assert "step-000002 is damaged: tensors.safetensors is not what was written; using the one before" in text
    assert not (run.path / "log.txt").exists()


def test_only_the_newest_are_kept(run: RunDirectory) -> None:
    saved(run, 1, 2, 3, 4)
    keep_latest(run, 2)
    assert run.checkpoint_steps() == [3, 4]
    keep_latest(run, 5)
    assert run.checkpoint_steps() == [3, 4]


def no_space(*_: object, **__: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def no_space_in_rust(*_: object, **__: object) -> None:
    raise SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")


def interrupted(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


def half_a_file(_: object, path: Path) -> None:
    """What a disk that lies leaves: the call succeeds, the bytes are not there."""
    path.write_bytes(b"")
    raise SafetensorError("I/O error: No space left on device")


PLACES = [(os, "fsync"), (folder_module, "save_file"), (folder_module, "write_json"), (folder_module, "_verify")]
places = pytest.mark.parametrize("place", PLACES, ids=["fsync", "save_file", "write_json", "_verify"])


@places
def test_an_interrupted_write_leaves_nothing_and_the_old_ones_in_place(
    run: RunDirectory, monkeypatch: pytest.MonkeyPatch, place: tuple[object, str]
) -> None:
    saved(run, 1)
    with monkeypatch.context() as patch:
        patch.setattr(*place, interrupted)
        with pytest.raises(KeyboardInterrupt):
            saved(run, 2)
    assert [path.name for path in (run.path / "checkpoints").iterdir()] == ["step-000001"]
    assert latest_checkpoint(run)[0] == 1


@places
def test_a_full_disk_is_explained_and_leaves_nothing(
    run: RunDirectory, monkeypatch: pytest.MonkeyPatch, place: tuple[object, str]
) -> None:
    saved(run, 1)
    with monkeypatch.context() as patch:
        patch.setattr(*place, no_space)
        with pytest.raises(PlauditError, match=r"step-000002: No space left on device.*Free some space.*--resume"):
            saved(run, 2)
    assert [path.name for path in (run.path / "checkpoints").iterdir()] == ["step-000001"]
    assert latest_checkpoint(run)[0] == 1


@pytest.mark.parametrize("failure", [no_space_in_rust, half_a_file])
def test_a_full_disk_that_safetensors_reports_is_explained_too(
    run: RunDirectory, monkeypatch: pytest.MonkeyPatch, failure: Callable[..., None]
) -> None:
    monkeypatch.setattr(folder_module, "save_file", failure)
    with pytest.raises(PlauditError, match=r"cannot write the checkpoint .*step-000002.*No space left.*--resume"):
        saved(run, 2)
    assert list((run.path / "checkpoints").iterdir()) == []


def test_what_a_killed_process_left_behind_is_no_checkpoint_and_does_not_disturb(run: RunDirectory) -> None:
    leftover = run.checkpoint_folder(2).with_name(".step-000002.partial")
    leftover.mkdir()
    (leftover / "tensors.safetensors").write_bytes(b"half")
    assert run.checkpoint_steps() == []
    saved(run, 2)
    assert latest_checkpoint(run)[0] == 2
    assert not leftover.exists()


def test_the_bytes_are_synced_before_the_name_appears(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    events: list[str] = []
    fsync, rename = os.fsync, Path.rename

    def synced(handle: int) -> None:
        name = Path(os.readlink(f"/proc/self/fd/{handle}")).name if Path("/proc/self/fd").exists() else "?"
        events.append(name)
        fsync(handle)

    def renamed(path: Path, target: Path) -> Path:
        events.append("renamed")
        return rename(path, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(Path, "rename", renamed)
    save_checkpoint(tmp_path / "a", tensors(), STATE)
    before = events[: events.index("renamed")]
    assert len(before) >= 3
    if "?" not in events:
        assert "tensors.safetensors" in before


def test_nothing_is_pickled(tmp_path: Path) -> None:
    """The tensors' file opens with the length of a JSON header, and the rest is JSON."""
    save_checkpoint(tmp_path / "a", tensors(), STATE)
    content = (tmp_path / "a" / "tensors.safetensors").read_bytes()
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    assert header["policy/weight"]["shape"] == [2, 3]
    assert json.loads((tmp_path / "a" / "state.json").read_text()) == STATE
