"""Where a run's metrics go besides its folder. docs/run-folder.md says what each tracker shows, and under which names.

The folder stays the truth: a tracker that fails is left with one warning, and what it lacks is sent when the run resumes.
"""

from __future__ import annotations

import secrets
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from enum import StrEnum
from importlib.util import find_spec
from itertools import groupby
from pathlib import Path
from typing import Protocol

from pydantic import JsonValue, TypeAdapter, ValidationError

from plaudit.runs.files import as_json, read_json_lines, read_metrics, under_dotted_names, write_json
from plaudit.runs.manifest import Status
from plaudit.runs.metric_names import as_trl_metrics
from plaudit.schemas.conversation import Frozen
from plaudit.schemas.errors import PlauditError

STATE = "trackers.json"
Sample = Mapping[str, JsonValue]


class Destination(StrEnum):
    """A tracker, or none."""

    TENSORBOARD = "tensorboard"
    WANDB = "wandb"
    MLFLOW = "mlflow"
    TRACKIO = "trackio"
    NONE = "none"


PACKAGES = {
    Destination.TENSORBOARD: "tensorboard",
    Destination.WANDB: "wandb",
    Destination.MLFLOW: "mlflow-skinny",
    Destination.TRACKIO: "trackio",
}
"""What to install for each."""


@dataclass(frozen=True, slots=True)
class RunCard:
    """What a tracker is told of a run: its folder, its config flattened to dotted names, and the id it goes by there."""

    folder: Path
    config: Mapping[str, JsonValue]
    run_id: str
    is_new: bool


class Tracker(Protocol):
    """A place that shows metrics. Any of its methods may raise anything."""

    @property
    def run_id(self) -> str:
        """What the run goes by there; opened with it again, the series go on."""
        ...

    def log(self, step: int, time: float, values: Mapping[str, float]) -> None:
        """Takes one row of metrics, TRL's names, with its Unix time."""
        ...

    def log_samples(self, step: int, rows: Sequence[Sample]) -> None:
        """Takes the samples of one step."""
        ...

    def close(self, status: Status) -> None:
        """Ends the session; all has been sent when it returns."""
        ...


class Held(Frozen):
    """What a tracker holds of a run: the run's id there, and so many rows of metrics.jsonl from the first.

    While `is_open`, rows written since are taken as sent too: the process was killed before it could count them.
    """

    run_id: str
    num_rows: int
    is_open: bool


_Opening = Callable[[RunCard], Tracker]
_HELD = TypeAdapter(dict[Destination, Held])
_wanted: ContextVar[tuple[Destination, ...]] = ContextVar("wanted", default=())


@contextmanager
def reporting_to(*destinations: Destination) -> Iterator[None]:
    """Runs created inside report there: `with reporting_to(Destination.WANDB): train(config, records)`."""
    token = _wanted.set(destinations)
    try:
        yield
    finally:
        _wanted.reset(token)


def available(destinations: Sequence[Destination], say: Callable[[str], object]) -> tuple[Destination, ...]:
    """The trackers that were asked for and are installed, `none` left out.

    Says how to get TensorBoard, the default, where it is missing; raises PlauditError for any other, and for `none`
    beside one.
    """
    if Destination.NONE in destinations:
        if set(destinations) != {Destination.NONE}:
            raise PlauditError(
                f"--report-to none stands alone, got {' '.join(destinations)}: take none out, or the rest"
            )
        return ()
    found = []
    for destination in dict.fromkeys(destinations):
        install = f"`pip install {PACKAGES[destination]}`"
        if find_spec(destination.value) is not None:
            found.append(destination)
        elif destination is Destination.TENSORBOARD:
            say(f"no TensorBoard event files: tensorboard is not installed ({install}, or --report-to none)")
        else:
            raise PlauditError(f"--report-to {destination} needs a package that is not installed: {install}")
    return tuple(found)


def opening(destination: Destination) -> _Opening:
    """How a tracker is opened; its package is imported then."""
    # Imported here because each module loads its tracker's package, and the run may want none of them.
    match destination:
        case Destination.TENSORBOARD:
            from plaudit.runs.event_files import EventFile

            return EventFile
        case Destination.WANDB | Destination.TRACKIO:
            from plaudit.runs.services import WandbRun

            return lambda card: WandbRun(card, destination)
        case Destination.MLFLOW:
            from plaudit.runs.services import MlflowRun

            return MlflowRun
        case Destination.NONE:
            raise ValueError("none is no tracker")


@dataclass(slots=True)
class _Open:
    """A tracker, and how many rows it held when it was opened: these are not sent again."""

    tracker: Tracker
    num_held: int


class Reports:
    """The trackers of one run. Every method returns, whatever becomes of them."""

    def __init__(self, folder: Path, config: Mapping[str, object], log: Callable[[str], object]) -> None:
        self._folder, self._config, self._log = folder, config, log
        self._wanted = _wanted.get()
        self._open: dict[Destination, _Open] = {}
        self._num_rows = 0

    def begin(self) -> None:
        """Opens the trackers of a new run."""
        for destination in self._wanted:
            self._begin(destination, None)
        self._write()

    def resume(self, num_rows_before: int) -> None:
        """Opens the trackers of a run whose folder was cut to its last checkpoint; each is sent the rows it lacks."""
        saved = {
            name: held.model_copy(
                update={
                    "num_rows": max(held.num_rows, num_rows_before) if held.is_open else held.num_rows,
                    "is_open": False,
                }
            )
            for name, held in _read_held(self._folder / STATE).items()
        }
        if saved or self._wanted:
            write_json(self._folder / STATE, saved)
        metrics, samples = self._folder / "metrics.jsonl", self._folder / "samples.jsonl"
        rows = read_metrics(metrics) if self._wanted and metrics.exists() else []
        for destination in self._wanted:
            self._begin(destination, saved.get(destination))
        self._write()
        for row in rows:
            self.log(row)
        if not samples.exists():
            return
        for destination, opened in [*self._open.items()]:
            if opened.num_held == 0:
                self._send_samples(destination, opened.tracker, read_json_lines(samples))

    def log(self, row: Mapping[str, float]) -> None:
        """Sends a row of metrics.jsonl to the trackers that do not hold it."""
        values = as_trl_metrics({name: float(x) for name, x in row.items() if name not in ("step", "time")})
        for destination, opened in [*self._open.items()]:
            if self._num_rows >= opened.num_held:
                with self._warned(destination):
                    opened.tracker.log(int(row["step"]), row["time"], values)
        self._num_rows += 1

    def log_samples(self, rows: Sequence[Mapping[str, object]]) -> None:
        """Sends samples to the trackers that do not hold their step."""
        for destination, opened in [*self._open.items()]:
            if self._num_rows > opened.num_held:
                self._send_samples(destination, opened.tracker, rows)

    def close(self, status: Status) -> None:
        """Ends the sessions of all trackers and records what they hold."""
        for destination, opened in [*self._open.items()]:
            with self._warned(destination):
                opened.tracker.close(status)
        self._write(is_open=False)
        self._open.clear()

    def _begin(self, destination: Destination, held: Held | None) -> None:
        run_id = f"{self._folder.resolve().name}-{secrets.token_hex(4)}" if held is None else held.run_id
        settings = {name: as_json(value) for name, value in self._config.items()}
        card = RunCard(self._folder, dict(under_dotted_names(settings)), run_id, held is None)
        # The event file of a resumed run is a new one, written from the first row on.
        is_new = held is None or destination is Destination.TENSORBOARD
        with self._warned(destination):
            self._open[destination] = _Open(opening(destination)(card), 0 if is_new or held is None else held.num_rows)

    def _send_samples(self, destination: Destination, tracker: Tracker, rows: Sequence[Mapping[str, object]]) -> None:
        plain = [{name: as_json(value) for name, value in row.items()} for row in rows]
        with self._warned(destination):
            for step, found in groupby(plain, key=lambda row: row["step"]):
                assert isinstance(step, int)
                tracker.log_samples(step, list(found))

    @contextmanager
    def _warned(self, destination: Destination) -> Iterator[None]:
        """Whatever the tracker raises ends it, with one warning, and not the run."""
        try:
            yield
        except Exception as error:
            reason = str(error).strip().partition("\n")[0] or type(error).__name__
            text = f"{destination} failed and is left out from here on ({reason}). metrics.jsonl has everything"
            failed = self._open.pop(destination, None)
            sys.stderr.write(f"{text}\n")
            # On a full disk these fail too; the run finds out by itself.
            with suppress(PlauditError, OSError):
                self._log(text)
                if failed is not None:
                    self._write({destination: self._held(failed, is_open=False)})

    def _held(self, opened: _Open, *, is_open: bool) -> Held:
        num_rows = max(opened.num_held, self._num_rows)
        return Held(run_id=opened.tracker.run_id, num_rows=num_rows, is_open=is_open)

    def _write(self, failed: Mapping[Destination, Held] | None = None, *, is_open: bool = True) -> None:
        """Records what the trackers hold; those left out before keep what stands there."""
        if not self._wanted:
            return
        now = {name: self._held(opened, is_open=is_open) for name, opened in self._open.items()}
        write_json(self._folder / STATE, {**_read_held(self._folder / STATE), **now, **(failed or {})})


def _read_held(path: Path) -> dict[Destination, Held]:
    """What the trackers hold; nothing where the file is missing or damaged, so that they are sent all of it."""
    try:
        return _HELD.validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return {}
