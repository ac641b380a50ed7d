"""Rows of runs, and the table over seeds."""

from __future__ import annotations

import json
import platform
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.equal_quality.settings import MOST_KL, NAMES, WIN_RATE


@dataclass(frozen=True, slots=True)
class Row:
    """One run: what it took to get there (None where it did not), and its best look within the KL."""

    model: str
    seed: int
    setting: str
    cpu_seconds: float | None
    episodes: int | None
    num_steps: int
    cpu_seconds_in_all: float
    best_win_rate: float
    kl_of_best: float

    @property
    def key(self) -> tuple[str, int, int]:
        """A row of the same key replaces it."""
        return self.model, NAMES.index(self.setting), self.seed

    def as_json(self) -> dict[str, Any]:
        """For rows.jsonl."""
        return asdict(self)

    def in_words(self) -> str:
        """For who waits."""
        reached = "not reached" if self.cpu_seconds is None else f"{self.cpu_seconds:.0f} CPU s"
        best = f"best {self.best_win_rate:.3f} at KL {self.kl_of_best:.2f}"
        return f"{self.model}, seed {self.seed}, {self.setting}: {reached}; {best}, {self.cpu_seconds_in_all:.0f} CPU s in all"


def row_of(model: str, seed: int, setting: str, metrics: Sequence[Mapping[str, float]]) -> Row:
    """From a run's metrics, of which some steps have a look."""
    spent, reached, best = 0.0, None, (0.0, 0.0)
    for step in metrics:
        spent += step["cpu_seconds"]
        if "monitor/win_rate" not in step or step["monitor/kl"] > MOST_KL:
            continue
        best = max(best, (step["monitor/win_rate"], step["monitor/kl"]))
        if reached is None and step["monitor/win_rate"] >= WIN_RATE:
            reached = spent, int(step["episodes"])
    cpu_seconds, episodes = reached or (None, None)
    return Row(model, seed, setting, cpu_seconds, episodes, len(metrics), spent, *best)


def read_rows(path: Path) -> list[Row]:
    """The rows so far."""
    if not path.exists():
        return []
    return [Row(**json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()]


def table(rows: Sequence[Row], threads: int) -> str:
    """results.md: a line a setting and model, medians over the seeds that got there."""
    lines = [
        "# CPU seconds to equal quality",
        "",
        f"Written by `python -m benchmarks.equal_quality.run`: until the win rate is {WIN_RATE:.2f} at a KL of at most "
        f"{MOST_KL:.0f}, on the demo's task; {threads} threads on {platform.machine()}. Medians over the seeds that got there, "
        "ranges in brackets.",
        "",
        "| model | setting | got there | CPU s | answers sampled | CPU s a step | best win rate | its KL |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for model, setting in dict.fromkeys((row.model, row.setting) for row in rows):
        mine = [row for row in rows if (row.model, row.setting) == (model, setting)]
        there = [row.cpu_seconds for row in mine if row.cpu_seconds is not None]
        episodes = [row.episodes for row in mine if row.episodes is not None]
        a_step = statistics.median(row.cpu_seconds_in_all / row.num_steps for row in mine)
        cells = (
            model,
            setting,
            f"{len(there)} of {len(mine)}",
            f"{statistics.median(there):.0f} [{min(there):.0f}, {max(there):.0f}]" if there else "",
            f"{statistics.median(episodes):.0f}" if episodes else "",
            f"{a_step:.1f}",
            f"{statistics.median(row.best_win_rate for row in mine):.3f}",
            f"{statistics.median(row.kl_of_best for row in mine):.2f}",
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"
