"""A miniature of people's data sets, written here: the files, columns and traps of the real ones, none of their text."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

NUM_DEMONSTRATIONS, NUM_DIALOGUES = 40, 36
SECRET = "zanzibar"
"""Stands in every prompt and answer of a pair: nothing that is to be shown may hold it."""


def _write(path: Path, rows: list[dict[str, object]]) -> None:
    path.parent.mkdir(parents=True)
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")


def _demonstrations() -> list[dict[str, object]]:
    rows: list[dict[str, object]] = [
        {"instruction": f"Say {i}.", "context": "", "response": f"It is {i}.", "category": "open_qa"}
        for i in range(NUM_DEMONSTRATIONS)
    ]
    rows[3]["context"] = "A passage."
    # The same prompt twice, and a row that is too long.
    return [*rows, {**rows[0], "response": "Zero."}, {**rows[1], "instruction": "long " * 60}]


def _pairs(name: str, generator: random.Random) -> list[tuple[str, str]]:
    """Preferred and other dialogue. Helpful answers are better with an `e` and long, harmless ones with one and short."""
    found = []
    for i in range(NUM_DIALOGUES):
        good, bad = ("eee", "o") if name == "helpful" else ("e", "ooo")
        tail = "".join(generator.choice("ab") for _ in range(generator.randint(1, 5)))
        opening = f"\n\nHuman: {name} {SECRET} {i}"
        found.append(
            (f"{opening}\n\nAssistant: {SECRET} {good}{tail}", f"{opening}\n\nAssistant: {SECRET} {bad}{tail}")
        )
        if i % 6 == 0:
            # The dialogue goes on in a second pair: its prompt begins with the first one.
            longer = f"{opening}\n\nAssistant: {SECRET}\n\nHuman: more"
            found.append((f"{longer}\n\nAssistant: {good}", f"{longer}\n\nAssistant: {bad}"))
    long = f"\n\nHuman: {'long ' * 60}"
    return [*found, (f"{long}\n\nAssistant: e", f"{long}\n\nAssistant: o")]


@pytest.fixture(scope="session")
def miniature(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that $PLAUDIT_DATA would name."""
    folder, generator = tmp_path_factory.mktemp("data"), random.Random(0)
    _write(folder / "dolly-15k" / "dolly-15k.jsonl", _demonstrations())
    helpful, harmless = _pairs("helpful", generator), _pairs("harmless", generator)
    _write(
        folder / "hh-helpful-base" / "pairs.jsonl",
        [{"text": [good, bad], "score": [1.0, 0.0]} for good, bad in helpful],
    )
    _write(folder / "hh-harmless-base" / "pairs.jsonl", [{"chosen": good, "rejected": bad} for good, bad in harmless])
    return folder
