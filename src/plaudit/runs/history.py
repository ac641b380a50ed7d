"""Run folders looked back at: what each was, how far it came and what it measured, however damaged it is."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from pydantic import JsonValue

from plaudit.runs.directory import INPUTS
from plaudit.runs.files import under_dotted_names
from plaudit.runs.manifest import Manifest, read_manifest
from plaudit.schemas.errors import PlauditError

Sample = Mapping[str, JsonValue]
"""A row of samples.jsonl."""
MAIN_METRICS = (
    *(
        "win_rate",
        "score/mean",
        "kl/k1",
        "monitor/win_rate",
        "validation/accuracy",
        "validation/loss",
        "train/accuracy",
        "train/loss",
    ),
    *("reward/mean", "answer/length", "answer/stop_frac", "loss/policy", "loss/value", "policy/entropy"),
)
"""The metrics to look at first, in this order."""
_NUM_HEX = 12
_INSIDE = frozenset({"checkpoints", "model", "value"})
"""Folders of a run that are none themselves."""


@dataclass(frozen=True, slots=True)
class PastRun:
    """A run folder as it is found. `problems` says what could not be read; everything else is what could.

    `config` has nested settings under dotted names, the command's own (its data, whose answers score) among them, and of each
    file that it read the first characters of its SHA-256. `metrics` are the rows of metrics.jsonl in order.
    """

    path: Path
    manifest: Manifest | None = None
    config: Mapping[str, JsonValue] = field(default_factory=dict)
    metrics: Sequence[Mapping[str, float]] = ()
    problems: tuple[str, ...] = ()

    @property
    def command(self) -> str:
        """What was run; "?" where the manifest does not say."""
        return self.manifest.command if self.manifest else "?"

    @property
    def status(self) -> str:
        """How it ended; "damaged" where the manifest does not say."""
        return self.manifest.status if self.manifest else "damaged"

    @property
    def began(self) -> datetime | None:
        """When its first process began."""
        return _time(self.manifest.starts[0].at) if self.manifest and self.manifest.starts else None

    @property
    def last_sign(self) -> float | None:
        """Unix seconds of its end, or of its last metrics where it has not ended."""
        ended = _time(self.manifest.ended_at) if self.manifest and self.manifest.ended_at else None
        if ended is not None:
            return ended.timestamp()
        return max((row["time"] for row in self.metrics if "time" in row), default=None)

    @property
    def seconds(self) -> float | None:
        """From its first process's beginning to its last sign; None where either is not known."""
        began, last = self.began, self.last_sign
        return None if began is None or last is None else max(0.0, last - began.timestamp())

    @property
    def num_steps(self) -> int:
        """The last step that left metrics."""
        return int(max((row.get("step", 0.0) for row in self.metrics), default=0.0))

    def last_values(self) -> dict[str, float]:
        """The last value of every metric, clock and step aside."""
        return {name: x for row in self.metrics for name, x in row.items() if name not in {"step", "time"}}

    def main_values(self, num: int = 3) -> dict[str, float]:
        """The first `num` of `MAIN_METRICS` that it has; of others where it has none of those."""
        last = self.last_values()
        names = [name for name in MAIN_METRICS if name in last] or list(last)
        return {name: last[name] for name in names[:num]}

    def phase_seconds(self) -> dict[str, float]:
        """Wall seconds by phase, over all steps."""
        sums: dict[str, float] = {}
        for row in self.metrics:
            for name, value in row.items():
                if name.startswith("seconds/"):
                    phase = name.removeprefix("seconds/")
                    sums[phase] = sums.get(phase, 0.0) + value
        return sums


def past_runs(folder: Path) -> list[PastRun]:
    """Every run at and below the folder, newest first, those without a known beginning last.

    Raises PlauditError where there is no such folder.
    """
    if not folder.is_dir():
        raise PlauditError(f"there is no folder {folder}: name one that holds run folders")
    found = [read_run(path) for path in _run_folders(folder)]
    return sorted(found, key=lambda run: (-(run.began.timestamp() if run.began else 0.0), str(run.path)))


def read_run(path: Path) -> PastRun:
    """The run in that folder. Raises PlauditError where it holds none."""
    if not _is_run(path):
        raise PlauditError(f"{path} is no run folder: it has neither a run's manifest.json nor metrics.jsonl")
    problems: list[str] = []
    manifest = None
    try:
        manifest = read_manifest(path / "manifest.json")
    except PlauditError:
        problems.append("manifest.json is missing or damaged")
    config = _object(path / "config.json")
    if config is None:
        problems.append("config.json is missing or damaged")
    metrics: list[Mapping[str, float]] = []
    for number, row in _rows(path / "metrics.jsonl"):
        numbers = None if row is None else _numbers(row)
        if numbers is None:
            problems.append(f"metrics.jsonl:{number} cannot be read")
        else:
            metrics.append(numbers)
    if not metrics and (summed := _summary_metrics(path / "summary.json")):
        metrics.append(summed)
    settings = {**_read_from(path / INPUTS), **dict(under_dotted_names(config or {}))}
    return PastRun(path, manifest, settings, metrics, tuple(problems))


def extreme_samples(path: Path, num: int) -> tuple[list[Sample], list[Sample]]:
    """The best and the worst `num` samples by score of a run's last step that has any, best and worst first."""
    scored: list[Sample] = [row for _, row in _rows(path / "samples.jsonl") if row and _is_number(row.get("score"))]
    last = max((_number(row.get("step")) for row in scored), default=0.0)
    ordered = sorted((row for row in scored if _number(row.get("step")) == last), key=lambda row: _number(row["score"]))
    worst = ordered[: min(num, len(ordered) // 2)]
    return ordered[len(worst) :][::-1][:num], worst


def config_differences(runs: Sequence[PastRun]) -> dict[str, list[JsonValue]]:
    """The settings in which the runs differ, each with its value in every run; None where a run has no such setting."""
    names = sorted({name for run in runs for name in run.config})
    values = {name: [run.config.get(name) for run in runs] for name in names}
    return {name: found for name, found in values.items() if any(value != found[0] for value in found)}


def _read_from(path: Path) -> dict[str, JsonValue]:
    """What a command was told besides its config, and which bytes it read; nothing for a run from Python."""
    match _object(path):
        case {"settings": dict(settings), "sha256": dict(digests)}:
            marks = {f"sha256 of {name}": str(digest)[:_NUM_HEX] for name, digest in digests.items()}
            return {**dict(under_dotted_names(settings)), **marks}
    return {}


def _summary_metrics(path: Path) -> dict[str, float]:
    """What `plaudit evaluate` found of its model, as metrics; nothing where that is no such summary."""
    match _object(path):
        case {"result": {"entrants": [{"win_rate": {"value": int() | float() as rate}}]}}:
            return {"step": 0.0, "win_rate": float(rate)}
    return {}


def _run_folders(folder: Path) -> Iterator[Path]:
    for place, inner, _ in os.walk(folder):
        if _is_run(Path(place)):
            yield Path(place)
            inner[:] = [name for name in inner if name not in _INSIDE]
        inner[:] = sorted(name for name in inner if not name.startswith("."))


def _is_run(path: Path) -> bool:
    """Whether a folder is a run's: a snapshot has a manifest too, a model a config."""
    if (path / "metrics.jsonl").is_file():
        return True
    if not (path / "manifest.json").is_file():
        return False
    manifest = _object(path / "manifest.json")
    return (path / "config.json").is_file() or (manifest is not None and "command" in manifest)


def _object(path: Path) -> dict[str, JsonValue] | None:
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def _rows(path: Path) -> Iterator[tuple[int, dict[str, JsonValue] | None]]:
    """The lines of a JSONL file, None for one that is no object; a last line still being written is left out."""
    try:
        lines = path.read_bytes().split(b"\n")[:-1]
    except OSError:
        return
    for number, line in enumerate(lines, start=1):
        try:
            found = json.loads(line)
        except ValueError:
            found = None
        yield number, found if isinstance(found, dict) else None


def _numbers(row: Mapping[str, JsonValue]) -> dict[str, float] | None:
    """The row with "nan" and "inf" as numbers again; None where a value is no number, and without a step."""
    if "step" not in row or not all(map(_is_number, row.values())):
        return None
    return {name: _number(value) for name, value in row.items()}


def _is_number(value: JsonValue | None) -> bool:
    return (isinstance(value, int | float) and not isinstance(value, bool)) or value in ("nan", "inf", "-inf")


def _number(value: JsonValue | None) -> float:
    return float(value) if isinstance(value, int | float | str) and _is_number(value) else 0.0


def _time(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None
