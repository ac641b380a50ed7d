"""How long a store takes as it grows: `python -m benchmarks.store.growth`, about ten minutes and 4 GB of disk.

Imports 10,000, 100,000 and 1,000,000 judgements (three people on each pair, a thousand people in all), then reads them as
records, freezes them, checks them against the log and says what is known of the people; each size in a process of its own, so
that its memory is its own. Writes results.json and growth.png beside this file.
"""

from __future__ import annotations

import json
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from plaudit.quality.from_store import snapshot_of
from plaudit.quality.panel import people_report
from plaudit.schemas.conversation import assistant, user
from plaudit.schemas.feedback import Comparison, Verdict
from plaudit.store import Query, open_store
from plaudit.store.backup import check

HERE = Path(__file__).parent
SIZES = (10_000, 100_000, 1_000_000)
NUM_PEOPLE, OVERLAP = 1000, 3


def records(num: int) -> Iterator[Comparison]:
    """So many judgements."""
    for number in range(num):
        pair = number // OVERLAP
        yield Comparison(
            id=f"r{number}",
            annotator=f"person {(pair * 7 + number % OVERLAP * 331) % NUM_PEOPLE}",
            prompt=(user(f"Question {pair}: what would you do with {pair % 97} apples and {pair % 89} pears?"),),
            a=(assistant(f"I would bake a cake of {pair % 13} layers, and share it with whoever comes."),),
            b=(assistant(f"I would sell them for {pair % 17} coins each on the market on Saturday."),),
            verdict=Verdict.A if pair * 2654435761 % 2**32 % 100 < 50 + 20 * (number % OVERLAP) else Verdict.B,
        )


def measured(num: int, folder: Path) -> dict[str, float]:
    """Seconds by phase, the peak of memory and the size on disk."""
    store = open_store(f"sqlite:///{folder / 'store.db'}")
    project = store.projects.create("growth")
    found: dict[str, float] = {"judgements": num}

    def timed(name: str, began: float) -> None:
        found[f"{name}_s"] = round(time.perf_counter() - began, 2)
        found[f"{name}_peak_mb"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)

    began = time.perf_counter()
    store.imports.add(project.id, records(num), source="growth", consent="made up")
    timed("import", began)
    began = time.perf_counter()
    people_report(store, project.id)
    timed("quality", began)
    began = time.perf_counter()
    snapshot_of(store, Query(project_id=project.id), folder / "snapshot")
    timed("snapshot", began)
    began = time.perf_counter()
    check(store, "the store")
    timed("check", began)
    store.close()
    found["disk_mb"] = round((folder / "store.db").stat().st_size / 2**20)
    return found


def plot(rows: list[dict[str, float]], path: Path) -> None:
    """Seconds against size, each on a logarithmic scale: a straight line of slope 1 is linear growth."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.subplots()
    sizes = [row["judgements"] for row in rows]
    for name in ("import", "quality", "snapshot", "check"):
        axes.loglog(sizes, [row[f"{name}_s"] for row in rows], marker="o", label=name)
    axes.loglog(sizes, [rows[-1]["import_s"] * size / sizes[-1] for size in sizes], "k:", label="linear")
    axes.set_xlabel("judgements")
    axes.set_ylabel("seconds")
    axes.legend()
    figure.savefig(path, dpi=120)


def main() -> None:
    """Measures every size and writes the figures."""
    rows = []
    for num in SIZES:
        command = [sys.executable, "-m", "benchmarks.store.growth", str(num)]
        rows.append(json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))
        print(rows[-1], flush=True)
    result = {"python": platform.python_version(), "database": "SQLite", "sizes": rows}
    (HERE / "results.json").write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    plot(rows, HERE / "growth.png")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        with tempfile.TemporaryDirectory() as scratch:
            print(json.dumps(measured(int(sys.argv[1]), Path(scratch))))
    else:
        main()
