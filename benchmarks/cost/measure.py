"""What a step of PPO costs, measured and on paper: `make bench-cost`, half an hour on two idle cores.

Each point of `points.py` runs in a process of its own. Writes results.json, results.md and cost.png beside this file.
"""

from __future__ import annotations

import json
import platform
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
import tyro

from benchmarks.cost.points import SWEEPS, VARIED, Point, measured, predicted, write_models
from plaudit.cli.agreement import model_config
from plaudit.cli.doctor import measured_rates, model_size
from plaudit.cli.forecast import EFFICIENCY
from plaudit.models.load import multiplies_bfloat16
from plaudit.runs import Progress, installed_versions

HERE = Path(__file__).parent
_PHASES = ("sample", "score", "old", "reference", "value", "update")


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """Measure steps of PPO beside their forecasts."""

    sweeps: tuple[str, ...] = tuple(SWEEPS)
    """Which of the sweeps in points.py."""
    point: str = ""
    """One point as JSON, for the process that measures it."""
    models: str = ""
    """The folder with the point's models."""
    out: Path = HERE
    """Where the results are written."""


def in_own_process(point: Point, models: Path) -> dict[str, Any]:
    """The point, measured by another Python."""
    command = [
        sys.executable,
        "-m",
        "benchmarks.cost.measure",
        "--point",
        json.dumps(asdict(point)),
        "--models",
        models,
    ]
    done = subprocess.run([str(part) for part in command], check=True, capture_output=True, text=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def rows_of(sweeps: Sequence[str]) -> list[dict[str, Any]]:
    """Every point once, with what it took and what was forecast."""
    points = list(dict.fromkeys(point for sweep in sweeps for point in SWEEPS[sweep]))
    shapes = sorted({(point.num_layers, point.width) for point in points})
    found: dict[Point, dict[str, Any]] = {}
    with Progress("cost", total=len(points)) as progress:
        for shape in shapes:
            with tempfile.TemporaryDirectory() as scratch:
                of_shape = [point for point in points if (point.num_layers, point.width) == shape]
                policy, _ = write_models(of_shape[0], Path(scratch))
                size = model_size(model_config(policy))
                for point in of_shape:
                    # Measured anew each time: a shared machine is not as fast now as it was a minute ago.
                    rates = measured_rates(torch.device("cpu"), size, point.num_prompts * point.num_answers)
                    row = {"point": asdict(point), "rates": asdict(rates), "parameters": size.parameters}
                    row |= {
                        "predicted": predicted(point, size, rates),
                        "measured": in_own_process(point, Path(scratch)),
                    }
                    found[point] = row
                    progress.advance(note=_in_words(row))
    return [found[point] for point in points]


def total(row: dict[str, Any], which: str) -> float:
    """Seconds of the whole step."""
    return float(sum(row[which]["seconds"].values()))


def _in_words(row: dict[str, Any]) -> str:
    return f"{total(row, 'measured'):.1f} s, forecast {total(row, 'predicted'):.1f} s"


def table(rows: Sequence[dict[str, Any]], threads: int) -> str:
    """results.md."""
    kind = "bfloat16 products" if multiplies_bfloat16(torch.device("cpu")) else "float32"
    lines = [
        "# A step of PPO, measured and forecast",
        "",
        f"Written by `make bench-cost`: SmolLM2-135M's shape, {kind}, {threads} threads on {platform.machine()}. Seconds by "
        "phase, with measured over forecast in brackets.",
        "",
        "| " + " | ".join(("point", *_PHASES, "whole step", "peak memory, GB")) + " |",
        "|" + "---|" * (len(_PHASES) + 3),
    ]
    for row in rows:
        found, paper = row["measured"], row["predicted"]
        cells = [_against(found["seconds"].get(name, 0.0), paper["seconds"][name]) for name in _PHASES]
        cells.append(_against(total(row, "measured"), total(row, "predicted")))
        cells.append(_against(found["peak_rss_mb"] / 1000, paper["peak_rss_mb"] / 1000))
        lines.append(f"| {_difference(row['point'])} | {' | '.join(cells)} |")
    lines += ["", "How near the learner comes to the speed of the bare products, trained and frozen work apart:", ""]
    lines += ["| point | updates | score, old and reference |", "|---|---|---|"]
    for row in rows:
        updates, frozen = (_share(row, phases) for phases in (("update",), ("score", "old", "reference")))
        lines.append(f"| {_difference(row['point'])} | {updates:.2f} | {frozen:.2f} |")
    ratios = sorted(total(row, "measured") / total(row, "predicted") for row in rows)
    memory = sorted(row["measured"]["peak_rss_mb"] / row["predicted"]["peak_rss_mb"] for row in rows)
    lines += [
        "",
        f"Whole steps take {ratios[0]:.2f} to {ratios[-1]:.2f} times the forecast, {ratios[len(ratios) // 2]:.2f} at the "
        f"median; memory {memory[0]:.2f} to {memory[-1]:.2f} times, {memory[len(memory) // 2]:.2f}.",
        "",
    ]
    return "\n".join(lines)


def _share(row: dict[str, Any], phases: Sequence[str]) -> float:
    """The arithmetic of the phases over what the bare products would have done in the time they took."""
    paper, found = (sum(row[which]["seconds"].get(name, 0.0) for name in phases) for which in ("predicted", "measured"))
    return EFFICIENCY * paper / found


def _against(found: float, paper: float) -> str:
    return f"{found:.2f} ({found / paper:.2f})" if paper else "–"


def _difference(point: dict[str, Any]) -> str:
    base = asdict(Point())
    changed = [f"`{name}` {value}" for name, value in point.items() if value != base[name]]
    return ", ".join(changed) or "the base"


def plot(rows: Sequence[dict[str, Any]], sweeps: Sequence[str], path: Path) -> None:
    """Seconds of a step against each of the sizes: measured as dots, the forecast as a line."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib.figure import Figure

    of_point = {Point(**row["point"]): row for row in rows}
    numbered = [sweep for sweep in sweeps if sweep != "what learns"]
    figure = Figure(figsize=(3.2 * len(numbered), 3.2), layout="constrained")
    for axes, sweep in zip(figure.subplots(1, len(numbered), squeeze=False)[0], numbered, strict=True):
        chosen = [of_point[point] for point in SWEEPS[sweep]]
        xs = [row["parameters"] / 1e6 for row in chosen]
        if sweep in VARIED:
            xs = [VARIED[sweep](point) for point in SWEEPS[sweep]]
        axes.plot(xs, [total(row, "predicted") for row in chosen], color="#888888", label="forecast")
        axes.plot(xs, [total(row, "measured") for row in chosen], "o", color="#1f5fa8", label="measured")
        axes.set_xlabel(sweep)
        axes.set_ylim(bottom=0)
    figure.axes[0].set_ylabel("seconds a step")
    figure.axes[0].legend(frameon=False)
    figure.savefig(path, dpi=110)


def main() -> None:
    """Measures and writes."""
    settings = tyro.cli(Settings)
    if settings.point:
        policy, reward = (str(Path(settings.models) / name) for name in ("policy", "reward"))
        print(json.dumps(measured(Point(**json.loads(settings.point)), policy, reward)))
        return
    rows = rows_of(settings.sweeps)
    result = {"versions": installed_versions(), "threads": torch.get_num_threads(), "rows": rows}
    (settings.out / "results.json").write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    (settings.out / "results.md").write_text(table(rows, torch.get_num_threads()), encoding="utf-8")
    plot(rows, settings.sweeps, settings.out / "cost.png")


if __name__ == "__main__":
    main()
