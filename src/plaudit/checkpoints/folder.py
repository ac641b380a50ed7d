"""One checkpoint: named tensors and a JSON state in a folder, sealed by checksums."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from pydantic import JsonValue
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from plaudit.runs.directory import RunDirectory
from plaudit.runs.files import full_disk_explained, sync_folder, write_json
from plaudit.schemas.errors import PlauditError

_TENSORS, _STATE, _SEAL = "tensors.safetensors", "state.json", "checksums.json"
_REPLACED = ".replaced"


class CheckpointDamagedError(PlauditError):
    """A checkpoint that is not what was written."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What `save_checkpoint` was given."""

    tensors: dict[str, torch.Tensor]
    state: dict[str, JsonValue]


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def save_checkpoint(folder: Path, tensors: Mapping[str, torch.Tensor], state: Mapping[str, JsonValue]) -> None:
    """Writes the folder beside its final place, syncs it, reads it back, and renames it there.

    A folder that stands there already is moved aside for the moment of the renaming; `latest_checkpoint` moves it back
    if the process ends in that moment. Raises PlauditError on a full disk; then nothing changed.
    """
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        with full_disk_explained(folder):
            partial.mkdir(parents=True)
            save_file(
                {name: tensor.detach().contiguous().cpu() for name, tensor in tensors.items()}, partial / _TENSORS
            )
            with (partial / _TENSORS).open("rb") as file:
                os.fsync(file.fileno())
            write_json(partial / _STATE, dict(state))
            write_json(partial / _SEAL, {name: _sha256(partial / name) for name in (_TENSORS, _STATE)})
            _verify(partial)
            _put_in_place(partial, folder)
    except SafetensorError as error:
        # safetensors reports a full disk as its own error, without the number that says so.
        raise PlauditError(
            f"cannot write the checkpoint {folder}: {error}. Free some space, then use --resume"
        ) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _put_in_place(partial: Path, folder: Path) -> None:
    """Renames `partial` to `folder`. At every moment one of the two versions is whole, under its name or aside."""
    replaced = folder.with_name(f".{folder.name}{_REPLACED}")
    shutil.rmtree(replaced, ignore_errors=True)
    try:
        if folder.exists():
            folder.rename(replaced)
        partial.rename(folder)
    except BaseException:
        if replaced.exists() and not folder.exists():
            replaced.rename(folder)
        raise
    sync_folder(folder.parent)
    shutil.rmtree(replaced, ignore_errors=True)


def _put_back(checkpoints: Path) -> None:
    """Undoes replacements that a killed process left half done, and removes the old version where it was done."""
    for replaced in checkpoints.glob(f".*{_REPLACED}"):
        folder = replaced.with_name(replaced.name.removeprefix(".").removesuffix(_REPLACED))
        if folder.exists():
            shutil.rmtree(replaced)
        else:
            replaced.rename(folder)


def _verify(folder: Path) -> None:
    try:
        seal = json.loads((folder / _SEAL).read_bytes())
        damaged = [name for name in (_TENSORS, _STATE) if seal[name] != _sha256(folder / name)]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointDamagedError(f"the checkpoint {folder} is incomplete: {error}") from error
    if damaged:
        raise CheckpointDamagedError(
            f"the checkpoint {folder} is damaged: {', '.join(damaged)} is not what was written"
        )


def load_checkpoint(folder: Path) -> Checkpoint:
    """What was saved there. Raises CheckpointDamagedError, naming the file, for anything else."""
    _verify(folder)
    return Checkpoint(load_file(folder / _TENSORS), json.loads((folder / _STATE).read_bytes()))


def latest_checkpoint(run: RunDirectory, say: Callable[[str], None] | None = None) -> tuple[int, Checkpoint | None]:
    """The newest checkpoint that verifies, and its step; 0 and None where the run never wrote one.

    Damaged ones are passed over and named by `say`, in the run's log unless given. Raises PlauditError where there are
    checkpoints and all of them are damaged.
    """
    _put_back(run.path / "checkpoints")
    steps = run.checkpoint_steps()
    for step in reversed(steps):
        try:
            return step, load_checkpoint(run.checkpoint_folder(step))
        except CheckpointDamagedError as error:
            (say or run.log)(f"{error}; using the one before")
    if steps:
        raise PlauditError(f"{run.path} holds no usable checkpoint to resume from: start a new run")
    return 0, None


def keep_latest(run: RunDirectory, num_kept: int) -> None:
    """Removes all but the `num_kept` newest checkpoints. The newest was verified when it was written."""
    for step in run.checkpoint_steps()[:-num_kept]:
        shutil.rmtree(run.checkpoint_folder(step))
