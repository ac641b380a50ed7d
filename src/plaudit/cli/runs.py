"""`plaudit runs list|show|compare`: what has been run, what came of it, and what made the difference."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import tyro
from pydantic import JsonValue
from rich.console import Console
from rich.table import Table
from rich.text import Text

from plaudit.runs import duration_text
from plaudit.runs.history import PastRun, Sample, extreme_samples, past_runs, read_run
from plaudit.schemas.errors import PlauditError

_SILENT_S = 600
_MAX_CHARS = 300
_CONTROL = {code: "�" for code in [*range(32), 127] if chr(code) not in "\n\t"}


@dataclass(frozen=True, kw_only=True, slots=True)
class RunsList:
    """List the runs at and below a folder, newest first."""

    folder: tyro.conf.Positional[Path] = Path("runs")
    """Where the run folders are."""
    num: int = 50
    """How many to list."""

    def __post_init__(self) -> None:
        if self.num < 1:
            raise PlauditError(f"--num must be at least 1, got {self.num}")

    def run(self) -> int:
        """Prints the list; 1 where there is no run."""
        runs = past_runs(self.folder)
        if not runs:
            print(f"{self.folder} holds no run")
            return 1
        table = Table()
        table.add_column("run", overflow="fold")
        for heading in ("command", "status", "steps", "last metrics", "duration", "began"):
            table.add_column(heading, justify="right" if heading in {"steps", "duration"} else "left")
        for run in runs[: self.num]:
            table.add_row(
                _plain(_name(run.path, self.folder)),
                _plain(run.command),
                _plain(_status(run, time.time())),
                str(run.num_steps or ""),
                _plain(", ".join(f"{name} {_number(value)}" for name, value in run.main_values().items())),
                "" if run.seconds is None else duration_text(run.seconds),
                "" if run.began is None else f"{run.began:%Y-%m-%d %H:%M}",
            )
        Console().print(table)
        if len(runs) > self.num:
            print(f"{self.num} of {len(runs)} runs: --num {len(runs)} lists all")
        for run in runs:
            for problem in run.problems:
                print(f"{_name(run.path, self.folder)}: {problem}")
        return 0


@dataclass(frozen=True, kw_only=True, slots=True)
class RunsShow:
    """Show one run: its settings, its last metrics, its best and worst samples, where its time went."""

    folder: tyro.conf.Positional[Path]
    """The run's folder."""
    num_samples: int = 2
    """How many of the best and of the worst samples of the last step to print."""

    def __post_init__(self) -> None:
        if self.num_samples < 0:
            raise PlauditError(f"--num-samples must be at least 0, got {self.num_samples}")

    def run(self) -> int:
        """Prints."""
        run, console = read_run(self.folder), Console()
        began = "" if run.began is None else f", begun {run.began:%Y-%m-%d %H:%M} UTC"
        took = "" if run.seconds is None else f", {duration_text(run.seconds)}"
        console.print(
            _plain(f"{self.folder}: {run.command}, {_status(run, time.time())}, {run.num_steps} steps{took}{began}"),
            soft_wrap=True,
        )
        for problem in run.problems:
            console.print(_plain(problem), style="red", soft_wrap=True)
        _print_pairs("Settings", {name: json.dumps(x, ensure_ascii=False) for name, x in run.config.items()}, console)
        last = {name: x for name, x in run.last_values().items() if not name.startswith("seconds/")}
        _print_pairs("Last metrics", {name: _number(value) for name, value in last.items()}, console)
        phases = run.phase_seconds()
        _print_pairs("Seconds by phase", {name: f"{seconds:.2f}" for name, seconds in phases.items()}, console)
        if self.num_samples:
            best, worst = extreme_samples(self.folder, self.num_samples)
            _print_samples("Best samples of the last step", best, console)
            _print_samples("Worst samples of the last step", worst, console)
        return 0


@dataclass(frozen=True, kw_only=True, slots=True)
class RunsCompare:
    """Set runs side by side: settings that differ, metrics, curves; a page, plots and JSON."""

    folders: tyro.conf.Positional[tuple[Path, ...]]
    """The runs' folders, two or more."""
    out: Path = Path("runs-comparison")
    """The folder for report.html, summary.json and the plots; must be new or empty."""

    def run(self) -> int:
        """Prints the tables and writes the page."""
        from plaudit.cli.evaluate import show_tables
        from plaudit.evaluation.run_comparison import compare_runs

        if self.out.exists() and (not self.out.is_dir() or any(self.out.iterdir())):
            raise PlauditError(f"{self.out} is not empty: give a new or empty folder")
        runs = [read_run(folder) for folder in self.folders]
        show_tables(compare_runs(runs, self.out), Console())
        for run in runs:
            for problem in run.problems:
                print(f"{run.path}: {problem}")
        print(f"report: {self.out / 'report.html'}")
        return 0


def _name(path: Path, folder: Path) -> str:
    return str(path if path == folder else path.relative_to(folder))


def _status(run: PastRun, now: float) -> str:
    """The status; of a run that has long said nothing, since when."""
    if run.status != "running":
        return run.status
    last = run.last_sign or (run.began.timestamp() if run.began else None)
    if last is None or now - last < _SILENT_S:
        return "running"
    return f"running, silent for {duration_text(now - last)}"


def _number(value: float) -> str:
    return f"{value:.4g}"


def _print_pairs(title: str, pairs: Mapping[str, str], console: Console) -> None:
    if not pairs:
        return
    table = Table(show_header=False)
    for name, value in pairs.items():
        table.add_row(_plain(name), _plain(value))
    console.print(Text(title, style="bold"))
    console.print(table)


def _print_samples(title: str, rows: Sequence[Sample], console: Console) -> None:
    if rows:
        console.print(Text(title, style="bold"))
    for row in rows:
        score, cut = row["score"], "" if row.get("finished", True) else " (cut off)"
        number = _number(score) if isinstance(score, float) else str(score)
        console.print(_plain(f"  score {number}{cut}: {_short(row.get('prompt'))}"), soft_wrap=True)
        console.print(_plain(f"    {_short(row.get('answer'))}"), soft_wrap=True)


def _short(value: JsonValue) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _MAX_CHARS else f"{text[:_MAX_CHARS]}..."


def _plain(text: str) -> Text:
    """The text without control characters and without markup."""
    return Text(text.translate(_CONTROL))
