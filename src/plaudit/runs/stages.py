"""A story told in stages: each is told once, and what it took is written down."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from plaudit.runs.files import as_json, write_json
from plaudit.runs.memory import give_memory_back, peak_rss_mb
from plaudit.runs.phases import PhaseTimer
from plaudit.schemas.errors import PlauditError

_FILE = "stages.json"


@dataclass(frozen=True, slots=True)
class Cost:
    """What a stage took, attempts that were interrupted included."""

    seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_rss_mb: float = 0.0

    def __add__(self, other: Cost) -> Cost:
        return Cost(
            self.seconds + other.seconds,
            self.cpu_seconds + other.cpu_seconds,
            max(self.peak_rss_mb, other.peak_rss_mb),
        )


class Stages:
    """The stages that have ended, kept in `<folder>/stages.json`: started again, the story goes on where it broke off.

    stages = Stages(folder, asdict(config), say=print)
    stages.run("sft", "fine-tuning", lambda resume: sft.train(replace(config, resume=resume), demonstrations))

    A stage keeps to the folder that bears its name, or writes its files whole. Raises PlauditError for a folder that
    holds anything else, or the same story with other settings.
    """

    def __init__(self, folder: Path, settings: Mapping[str, object], *, say: Callable[[str], object]) -> None:
        self._folder, self._say, self._settings = folder, say, as_json(dict(settings))
        self.costs: dict[str, Cost] = {}
        self._interrupted: dict[str, Cost] = {}
        folder.mkdir(parents=True, exist_ok=True)
        if (folder / _FILE).is_file():
            self._read()
        elif any(folder.iterdir()):
            raise PlauditError(f"{folder} is not empty and holds no run of this kind: give a new folder with --out")
        else:
            self._write()

    def run(self, name: str, title: str, work: Callable[[bool], object]) -> None:
        """Does the work and records it; a stage already recorded is passed over.

        `work` is told whether an attempt that broke off has left a checkpoint to resume from. What one without a
        checkpoint has left is cleared away first.
        """
        if name in self.costs:
            self._say(f"== {title}: done before")
            return
        self._say(f"== {title}")
        timer = PhaseTimer()
        try:
            with timer(name):
                work(self._left_a_checkpoint(name))
        except BaseException:
            self._interrupted[name] = self._cost(name, timer)
            # On a full disk this fails too; the first error is the one to tell.
            with suppress(PlauditError):
                self._write()
            raise
        self.costs[name] = self._cost(name, timer)
        self._interrupted.pop(name, None)
        self._write()
        # Or the next stage's memory comes on top of what this one no longer uses.
        give_memory_back()

    def _left_a_checkpoint(self, name: str) -> bool:
        left = self._folder / name
        if any(left.glob("checkpoints/step-*")):
            return True
        shutil.rmtree(left, ignore_errors=True)
        return False

    def _cost(self, name: str, timer: PhaseTimer) -> Cost:
        taken = Cost(timer.seconds()[name], timer.cpu_seconds()[name], peak_rss_mb())
        return self._interrupted.get(name, Cost()) + taken

    def _read(self) -> None:
        path = self._folder / _FILE
        try:
            saved = json.loads(path.read_bytes())
            settings = saved["settings"]
            self.costs = {name: Cost(**cost) for name, cost in saved["stages"].items()}
            self._interrupted = {name: Cost(**cost) for name, cost in saved.get("interrupted", {}).items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise PlauditError(f"{path} cannot be read ({error}): give a new folder with --out") from error
        if settings != self._settings:
            raise PlauditError(
                f"{self._folder} holds a run with other settings ({_differences(settings, self._settings)}): give those "
                "back, or a new folder with --out"
            )

    def _write(self) -> None:
        write_json(
            self._folder / _FILE,
            {
                "settings": self._settings,
                "stages": {name: asdict(cost) for name, cost in self.costs.items()},
                "interrupted": {name: asdict(cost) for name, cost in self._interrupted.items()},
            },
        )


def _differences(saved: object, given: object, name: str = "") -> str:
    """`seed was 0, now 1`: the settings that differ, nested ones under their dotted names."""
    if not isinstance(saved, dict) or not isinstance(given, dict):
        return f"{name} was {saved!r}, now {given!r}"
    return ", ".join(
        _differences(saved.get(key), given.get(key), f"{name}.{key}" if name else key)
        for key in sorted(saved.keys() | given.keys())
        if saved.get(key) != given.get(key)
    )
