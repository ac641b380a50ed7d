"""Writes the tables of docs/quality.md from benchmarks/quality/figures.json: `python docs/quality_tables.py`."""

import json
import re
from pathlib import Path

PAGE = Path(__file__).with_name("quality.md")
FIGURES = PAGE.parent.parent / "benchmarks" / "quality" / "figures.json"


def _table(head: tuple[str, ...], rows: list[list[str]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)]) + "\n"


def tables() -> dict[str, str]:
    """Each by its marker."""
    found = json.loads(FIGURES.read_text(encoding="utf-8"))
    skills = [
        [crowd, f"{row['of_oracle']:.3f}", f"{row['majority_of_oracle']:.3f}", f"{row['excess_log_loss']:.4f}"]
        for crowd, row in found["skills"].items()
    ]
    power = [
        [
            f"{row['lowest']:g}" if row["lowest"] == row["highest"] else f"{row['lowest']:g} to {row['highest']:g}",
            f"{row['judgements']}",
            *(f"{row[name]:.3f}" for name in ("clickers_found", "liars_found", "honest_flagged")),
            f"{row['wrong_among_flagged_together']:.3f}",
        ]
        for row in found["power"]
    ]
    coverage = [[name.replace("_", " "), f"{value:.3f}"] for name, value in found["coverage"].items()]
    return {
        "skills": _table(("crowd", "of an oracle's gain", "a majority's", "log-loss above the oracle's, nats"), skills),
        "power": _table(
            (
                "honest people's accuracy",
                "judgements a person",
                "clickers found",
                "liars found",
                "honest people flagged",
                "honest among those flagged together",
            ),
            power,
        ),
        "coverage": _table(("of", "share of intervals"), coverage),
    }


def updated(page: str) -> str:
    """The page with the tables as they are now."""
    for name, table in tables().items():
        marked = re.compile(rf"(<!-- {name} -->\n).*?(<!-- end of {name} -->)", flags=re.DOTALL)
        page = marked.sub(lambda match, table=table: match[1] + table + match[2], page)
    return page


if __name__ == "__main__":
    PAGE.write_text(updated(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
