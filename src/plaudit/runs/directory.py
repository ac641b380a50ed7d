"""The run folder: manifest, config, metrics, samples, checkpoints, log. docs/run-folder.md describes the files."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from pydantic import JsonValue

from plaudit.runs.files import append_jsonl, as_json, cut_after_step, full_disk_explained, write_json
from plaudit.runs.learning import snapshots_in_use
from plaudit.runs.manifest import Manifest, Status, read_manifest, start_now, utc_now
from plaudit.runs.trackers import Reports
from plaudit.schemas.errors import PlauditError

_CHECKPOINT = re.compile(r"step-(\d{6,})")
INPUTS = "inputs.json"
"""The command line writes it into a new folder before the run begins: what the run will read."""


class RunDirectory:
    """One run's folder, open for writing. As a context manager it records how the run ended:

    with RunDirectory.create(path, command="sft", config=config, seed=0) as run:
        run.log_metrics(1, {"loss/policy": 2.3})
    """

    def __init__(self, path: Path, manifest: Manifest, config: Mapping[str, object]) -> None:
        self.path = path
        self._manifest = manifest
        self._write_manifest()
        self._reports = Reports(path, {"command": manifest.command, **config, "seed": manifest.seed}, self.log)

    @classmethod
    def create(
        cls,
        path: Path | str,
        *,
        command: str,
        config: Mapping[str, object],
        seed: int,
        resume: bool = False,
        may_change: Collection[str] = (),
        parent: str | None = None,
        device: str = "",
    ) -> Self:
        """A new run folder, or with `resume` the one that holds this run (same command, seed and config).

        `may_change` names config keys in which a resumed run may differ (where it is told to resume from, say). What it
        learns from (`learning_from`) stands in the manifest. Raises PlauditError where the folder holds anything else,
        cannot be made, or does not fit.
        """
        path, resolved = Path(path), as_json(config)
        assert isinstance(resolved, dict)
        start = start_now(device)
        if resume:
            old = read_manifest(path / "manifest.json")
            _check_resumable(path, old, command, seed, resolved, may_change)
            again = {"status": "running", "ended_at": None, "starts": (*old.starts, start)}
            return cls(path, old.model_copy(update=again), resolved)
        new_run_folder(path)
        write_json(path / "config.json", resolved)
        names = snapshots_in_use()
        run = cls(
            path,
            Manifest(command=command, seed=seed, status="running", snapshots=names, parent=parent, starts=(start,)),
            resolved,
        )
        run._reports.begin()
        return run

    @property
    def manifest(self) -> Manifest:
        """The manifest as it stands on disk."""
        return self._manifest

    def log_metrics(self, step: int, values: Mapping[str, float]) -> None:
        """Appends one line to metrics.jsonl: `step`, `time` (Unix seconds) and the values."""
        if not values.keys().isdisjoint({"step", "time"}):
            raise ValueError(f"a metric cannot be called step or time: {sorted(values)}")
        row = {"step": step, "time": round(time.time(), 3), **values}
        append_jsonl(self.path / "metrics.jsonl", [row])
        self._reports.log(row)

    def log_samples(self, rows: Iterable[Mapping[str, object]]) -> None:
        """Appends the rows to samples.jsonl. Each carries `step`, so that a resumed run can cut those it repeats."""
        rows = list(rows)
        for row in rows:
            if not isinstance(row.get("step"), int):
                raise ValueError(f"a sample needs a whole number `step`, got keys {sorted(row)}")
        append_jsonl(self.path / "samples.jsonl", rows)
        self._reports.log_samples(rows)

    def log(self, text: str) -> None:
        """Appends the time and the text to log.txt."""
        path = self.path / "log.txt"
        with full_disk_explained(path), path.open("a", encoding="utf-8") as file:
            file.write(f"{utc_now()} {text}\n")

    def checkpoint_folder(self, step: int) -> Path:
        """Where the checkpoint of `step` belongs. Its parent exists; the folder is for the writer to rename into."""
        parent = self.path / "checkpoints"
        with full_disk_explained(parent):
            parent.mkdir(exist_ok=True)
        return parent / f"step-{step:06d}"

    def checkpoint_steps(self) -> list[int]:
        """The steps that have a checkpoint folder, ascending; folders still being written do not count."""
        matches = (_CHECKPOINT.fullmatch(entry.name) for entry in (self.path / "checkpoints").glob("step-*"))
        return sorted(int(match[1]) for match in matches if match)

    def truncate_after(self, step: int) -> None:
        """Cuts metrics and samples of later steps, which a run resumed from `step` will write again.

        Trackers go on from there; what they had of later steps they keep, and are not sent again.
        """
        metrics = self.path / "metrics.jsonl"
        num_rows = metrics.read_bytes().count(b"\n") if metrics.exists() else 0
        for name in ("metrics.jsonl", "samples.jsonl"):
            cut_after_step(self.path / name, step)
        self._reports.resume(num_rows)

    def finish(self, status: Status) -> None:
        """Records the end of the run and how it came, on the trackers too."""
        self._manifest = Manifest.model_validate({**dict(self._manifest), "status": status, "ended_at": utc_now()})
        self._write_manifest()
        self._reports.close(status)

    def _write_manifest(self) -> None:
        write_json(self.path / "manifest.json", self._manifest)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._manifest.status != "running":
            return
        if error is None:
            self.finish("finished")
            return
        # On a full disk this write fails too; the first error is the one to tell.
        with suppress(PlauditError):
            self.finish("interrupted" if isinstance(error, KeyboardInterrupt) else "failed")


def new_run_folder(path: Path) -> None:
    """Makes the folder of a new run. Raises PlauditError where it holds anything, but for `inputs.json`."""
    try:
        path.mkdir(parents=True, exist_ok=True)
        names = sorted(entry.name for entry in path.iterdir() if entry.name != INPUTS)
    except OSError as error:
        raise PlauditError(
            f"cannot make the run folder {path}: {error.strerror}. Give a folder you may write to"
        ) from error
    if not names:
        return
    if "manifest.json" in names:
        old = read_manifest(path / "manifest.json")
        onward = (
            f"Continue it with --resume {path}, or give another folder" if _can_resume(path) else "Give another folder"
        )
        raise PlauditError(
            f"{path} already holds a `{old.command}` run ({old.status}, begun {old.starts[0].at}). {onward}"
        )
    shown = ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
    raise PlauditError(f"the run folder {path} is not empty (it holds {shown}). Give a new or empty folder")


def _can_resume(path: Path) -> bool:
    """Whether the run there is of a command that knows `--resume`."""
    try:
        return "resume" in json.loads((path / "config.json").read_bytes())
    except (OSError, ValueError):
        return False


def _check_resumable(
    path: Path, old: Manifest, command: str, seed: int, config: Mapping[str, JsonValue], may_change: Collection[str]
) -> None:
    if old.command != command:
        raise PlauditError(
            f"{path} holds a `{old.command}` run, not `{command}`: resume it with `plaudit {old.command}`"
        )
    try:
        saved = json.loads((path / "config.json").read_bytes())
    except (OSError, ValueError) as error:
        raise PlauditError(
            f"cannot resume {path}: its config.json cannot be read ({error}). Start a new run"
        ) from error
    saved, given = {"seed": old.seed, **saved}, {"seed": seed, **config}
    keys = [key for key in sorted(saved.keys() | given.keys()) if key not in may_change]
    changed = [
        f"{key} was {saved.get(key)!r}, now {given.get(key)!r}" for key in keys if saved.get(key) != given.get(key)
    ]
    if changed:
        raise PlauditError(
            f"cannot resume {path} with another config: {'; '.join(changed[:5])}. "
            "Give the run's own values back (config.json there has them), or start a new run"
        )
