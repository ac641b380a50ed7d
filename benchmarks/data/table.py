"""Prints what `open_records` makes of each published set in $PLAUDIT_DATA: rows read, records kept, what was left out and why.

The figures in README.md come from it; no text of the data does.
"""

import os
import sys
import zipfile
from collections import Counter
from pathlib import Path

from plaudit.formats import open_records
from plaudit.formats.jsonl import objects
from plaudit.formats.native import kind_of, plural

_BESIDE = ("SOURCE", "LICENSE")
_NOT_TEXT = {"seaquest-human-prefs"}


def files(folder: Path) -> list[Path]:
    """The sets' files; the pages and licences beside them, and the clips of a game, are none."""
    found = [path for path in sorted(folder.glob("*/*")) if not path.name.startswith(_BESIDE) and path.suffix != ".xml"]
    return [path for path in found if path.parent.name not in _NOT_TEXT]


def num_rows(path: Path) -> int:
    """How many rows the file has: objects, table rows, lines that are not blank, or files of an archive."""
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            return sum(not member.is_dir() for member in archive.infolist())
    if path.suffix in {".pos", ".neg", ".txt"}:
        return sum(bool(line.strip()) for line in path.read_bytes().split(b"\n"))
    return sum(1 for _ in objects(path))


def table(folder: Path) -> str:
    """The sets as a Markdown table."""
    lines = ["| file | shape | rows read | records kept | left out, and why | refused |", "|---|---|---|---|---|---|"]
    for path in files(folder):
        records = open_records(path, on_error="skip")
        kinds = Counter(kind_of(record) for record in records)
        kept = ", ".join(f"{count:,} {plural(kind)}" for kind, count in kinds.most_common())
        left_out = ", ".join(f"{count} x {reason}" for reason, count in records.dropped.items()) or "none"
        refused = str(len(records.skipped)) if records.skipped else "none"
        name = path.relative_to(folder).as_posix()
        lines.append(f"| {name} | {records.shape} | {num_rows(path):,} | {kept} | {left_out} | {refused} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    if not os.environ.get("PLAUDIT_DATA"):
        sys.exit("PLAUDIT_DATA is unset: set it to the folder of real data sets")
    print(table(Path(os.environ["PLAUDIT_DATA"])), end="")
