"""Writes the demo's table in README.md from the runs in benchmarks/demo: `python docs/results.py`."""

import json
import re
from pathlib import Path
from statistics import mean

ROOT = Path(__file__).parent.parent
_TABLE = re.compile(r"(<!-- demo -->\n).*?(<!-- end of demo -->)", flags=re.DOTALL)
_METHODS = ("PPO", "best of 4", "DPO", "RLOO")


def summaries() -> list[dict]:
    """The committed runs, by seed."""
    found = [
        json.loads(path.read_text(encoding="utf-8")) for path in (ROOT / "benchmarks" / "demo").glob("seed-*.json")
    ]
    return sorted(found, key=lambda run: run["seed"])


def _row(name: str, runs: list[dict]) -> str:
    """One line: the run's figures, or the means of several."""

    def of(get: object) -> float | None:
        values = [get(run) for run in runs]  # type: ignore[operator]
        return None if None in values else mean(values)

    def text(value: float | None, digits: int = 2) -> str:
        return "" if value is None else f"{value:.{digits}f}"

    cells = [name]
    cells += [text(of(lambda run, m=method: run["win_rates"].get(m))) for method in _METHODS]
    cells.append(text(of(lambda run: run["win_rate_length_matched"])))
    cells.append(text(of(lambda run: run["kl"])))
    cells.append(text(of(lambda run: run["perplexity_after"] / run["perplexity_before"]), 3))
    cells.append(text(of(lambda run: run["distinct_after"] / run["distinct_before"])))
    cells.append(text(of(lambda run: run["reward_model_accuracy"])))
    cells.append(text(of(lambda run: max(run["tricks"].values()))))
    cells.append(text(of(lambda run: (run["seconds"] - _rloo_seconds(run)) / 60), 0))
    cells.append(text(of(lambda run: run["peak_rss_mb"] / 1000), 1))
    return "| " + " | ".join(cells) + " |"


def _rloo_seconds(run: dict) -> float:
    """What the seconds hold of RLOO, which a plain run leaves out."""
    return sum(run["seconds_by_phase"].get(stage, 0.0) for stage in ("rloo", "evaluate_rloo"))


def _costs(runs: list[dict]) -> str:
    """CPU seconds by method, the means."""
    parts = []
    for method in _METHODS:
        spent = [run["cpu_seconds_by_method"].get(method) for run in runs]
        if None not in spent:
            parts.append(f"{method} {mean(spent):.0f}")
    return f"CPU seconds, mean (reward model included where one is used): {', '.join(parts)}."


def table() -> str:
    """All seeds, and their means."""
    runs = summaries()
    if not runs:
        return "No run is committed yet.\n"
    head = (
        "seed",
        "PPO",
        "best of 4",
        "DPO",
        "RLOO",
        "PPO, length-matched",
        "KL",
        "perplexity, times SFT's",
        "distinct-2, times SFT's",
        "reward model's accuracy",
        "best fixed trick",
        "minutes",
        "GB",
    )
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += [_row(str(run["seed"]), [run]) for run in runs]
    if len(runs) > 1:
        lines.append(_row("mean", runs))
    return "\n".join([*lines, "", _costs(runs)]) + "\n"


def updated(page: str) -> str:
    """The page with the table as it is now."""
    return _TABLE.sub(lambda match: match[1] + table() + match[2], page)


if __name__ == "__main__":
    readme = ROOT / "README.md"
    readme.write_text(updated(readme.read_text(encoding="utf-8")), encoding="utf-8")
