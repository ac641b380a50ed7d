"""`inputs.json` of a run folder: what the command read, so that a run can be continued and its data be known later."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from pydantic import JsonValue, ValidationError

from plaudit.runs import as_json, write_json
from plaudit.runs.directory import INPUTS, new_run_folder
from plaudit.runs.manifest import read_manifest
from plaudit.schemas.conversation import Frozen
from plaudit.schemas.errors import PlauditError


class Inputs(Frozen):
    """The command's own settings as JSON, and the SHA-256 of every file that one of them names."""

    settings: dict[str, JsonValue]
    sha256: dict[str, str]


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file's bytes; of its manifest for a snapshot's folder, of all its files' for another folder.

    Raises PlauditError where one of them cannot be read.
    """
    try:
        if path.is_dir() and not (path / "manifest.json").exists():
            named = [f"{file.name} {_digest(file)}\n" for file in sorted(path.iterdir()) if file.is_file()]
            return hashlib.sha256("".join(named).encode()).hexdigest()
        return _digest(path / "manifest.json" if path.is_dir() else path)
    except OSError as error:
        raise PlauditError(f"{path} cannot be read: {error.strerror}") from error


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def recorded_inputs(run: Path, settings: Mapping[str, object], files: Mapping[str, Path]) -> Iterator[None]:
    """Makes a new run folder with its inputs.json; takes both away where the run inside fails before it begins.

    Raises PlauditError where the folder is taken.
    """
    new_run_folder(run)
    plain = as_json(dict(settings))
    assert isinstance(plain, dict)
    write_json(run / INPUTS, Inputs(settings=plain, sha256={name: sha256_of(path) for name, path in files.items()}))
    try:
        yield
    except BaseException:
        if not (run / "manifest.json").exists():
            (run / INPUTS).unlink()
            with suppress(OSError):
                run.rmdir()
        raise


def read_inputs(run: Path) -> Inputs | None:
    """The inputs of a run; None for one that was not started from the command line."""
    path = run / INPUTS
    if not path.is_file():
        return None
    try:
        return Inputs.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise PlauditError(f"{path} is not what `plaudit` wrote: {error}") from error


def check_unchanged(run: Path, files: Mapping[str, Path]) -> None:
    """Raises PlauditError where a file of a resumed run is not the one the run began with."""
    inputs = read_inputs(run)
    if inputs is None:
        return
    for name, path in files.items():
        if inputs.sha256.get(name) != sha256_of(path):
            raise PlauditError(
                f"cannot resume {run}: {path} is not the {name} it began with. Give the old file back, or start a new run"
            )


def saved_settings(run: Path, command: str) -> dict[str, JsonValue]:
    """All settings of the run in that folder, its command's own and its trainer's, in one mapping.

    Raises PlauditError for a folder without a run, another command's run, and a run that has been moved.
    """
    try:
        config = json.loads((run / "config.json").read_bytes())
    except (OSError, ValueError) as error:
        raise PlauditError(f"--resume {run}: that folder holds no run that can be continued ({error})") from error
    manifest = read_manifest(run / "manifest.json")
    if manifest.command != command:
        raise PlauditError(
            f"{run} holds a `{manifest.command}` run: continue it with `plaudit {manifest.command} --resume {run}`"
        )
    if Path(config["out"]).resolve() != run.resolve():
        raise PlauditError(
            f"{run} was made as {config['out']!r}: continue it from the folder where that path leads to it"
        )
    inputs = read_inputs(run)
    return {**({} if inputs is None else inputs.settings), **{k: v for k, v in config.items() if k != "resume"}}


def training_runs(model: str) -> list[Path]:
    """The run folders a model comes from, nearest first: its own, and those of the models that run was made with."""
    found: list[Path] = []
    waiting = [model]
    while waiting:
        run = Path(waiting.pop(0)).expanduser().parent
        if run in found or not (run / INPUTS).is_file() or not (run / "config.json").is_file():
            continue
        found.append(run)
        config = json.loads((run / "config.json").read_bytes())
        named = [config.get(name) for name in ("model", "reward_model", "span_model")]
        waiting += [name for name in (*named, *config.get("reward_ensemble", ())) if isinstance(name, str)]
    return found
