"""Several training runs side by side: in what they were set differently, what they measured, how they got there."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from plaudit.evaluation.figures import CURVES, curves_figure, drawn, seconds_figure
from plaudit.evaluation.report import Report, write_report
from plaudit.evaluation.tables import NOT_MEASURED, Table
from plaudit.runs import duration_text
from plaudit.runs.history import MAIN_METRICS, PastRun, config_differences
from plaudit.schemas.errors import PlauditError

_MAX_PANELS = 8


def compare_runs(runs: Sequence[PastRun], folder: Path) -> tuple[Table, ...]:
    """Writes `report.html`, `summary.json` and the plots into the folder; gives the tables.

    Raises PlauditError for fewer than two runs, and for one named twice.
    """
    names = run_names(runs)
    tables = comparison_tables(runs)
    rows = {name: run.metrics for name, run in zip(names, runs, strict=True)}
    report = Report(
        title="Runs: " + ", ".join(names),
        intro=(f"{len(runs)} runs, {' and '.join(sorted({run.command for run in runs}))}.",),
        tables=tables,
        figures=drawn(
            curves_figure(rows, panels(runs)),
            *(seconds_figure(run.phase_seconds(), name) for name, run in zip(names, runs, strict=True)),
        ),
        notes=tuple(f"{name}: {problem}" for name, run in zip(names, runs, strict=True) for problem in run.problems),
        summary={
            "runs": {
                name: {
                    "path": run.path,
                    "command": run.command,
                    "status": run.status,
                    "steps": run.num_steps,
                    "seconds": run.seconds,
                    "last": run.last_values(),
                    "seconds_by_phase": run.phase_seconds(),
                }
                for name, run in zip(names, runs, strict=True)
            },
            "config_differences": config_differences(runs),
        },
    )
    write_report(report, folder)
    return tables


def run_names(runs: Sequence[PastRun]) -> list[str]:
    """A name for each: the folder's, with as many of its parents as it takes to tell them apart."""
    paths = [run.path.resolve() for run in runs]
    if len(runs) < 2 or len(set(paths)) < len(paths):
        raise PlauditError("a comparison needs two runs or more, each named once")
    for depth in range(1, max(len(path.parts) for path in paths) + 1):
        names = ["/".join(path.parts[-depth:]) for path in paths]
        if len(set(names)) == len(names):
            return names
    return [str(path) for path in paths]


def panels(runs: Sequence[PastRun]) -> dict[str, str]:
    """The metrics to draw with their headings: the main ones that any run has, of all metrics where none has those."""
    found = list(dict.fromkeys(name for run in runs for name in run.last_values()))
    names = [name for name in MAIN_METRICS if name in found] or [x for x in found if not x.startswith("seconds/")]
    return {name: CURVES.get(name, name) for name in names[:_MAX_PANELS]}


def comparison_tables(runs: Sequence[PastRun]) -> tuple[Table, ...]:
    """What they are, the settings in which they differ, and the last value of every metric."""
    names = run_names(runs)
    facts = {
        "command": [run.command for run in runs],
        "status": [run.status for run in runs],
        "steps": [str(run.num_steps) for run in runs],
        "duration": [NOT_MEASURED if run.seconds is None else duration_text(run.seconds) for run in runs],
    }
    differences = {
        setting: [_value_text(value) for value in values] for setting, values in config_differences(runs).items()
    }
    last = [run.last_values() for run in runs]
    metrics = [name for name in dict.fromkeys(name for values in last for name in values) if "seconds/" not in name]
    metrics.sort(key=lambda name: (MAIN_METRICS.index(name) if name in MAIN_METRICS else len(MAIN_METRICS), name))
    measured = {name: [metric_text(values.get(name)) for values in last] for name in metrics}
    tables = [_table("Runs", names, facts, "")]
    if differences:
        tables.append(_table("Settings that differ", names, differences, "All other settings are the same."))
    if measured:
        tables.append(_table("Metrics", names, measured, "Each metric's last value."))
    return tuple(tables)


def metric_text(value: float | None) -> str:
    """A number of whatever size with four significant digits."""
    if value is None:
        return NOT_MEASURED
    return f"{value:.4g}" if math.isfinite(value) else str(value)


def _value_text(value: object) -> str:
    return "not set" if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _table(title: str, names: Sequence[str], rows: Mapping[str, Sequence[str]], caption: str) -> Table:
    return Table(title, ("", *names), tuple((name, *cells) for name, cells in rows.items()), caption)
