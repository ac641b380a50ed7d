"""Writes arithmetic problems, made here: `python -m recipes.python_reward.problems --out FOLDER`.

    demonstrations.jsonl   problems with a worked answer, for `plaudit sft`
    practice.jsonl         problems to practise on, for `plaudit ppo`
    test.jsonl             problems for `plaudit evaluate`

Every row has the result as `ground_truth`, as GSM8K's rows have in plaudit. No problem stands in two files.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import JsonValue

from plaudit.formats.jsonl import write_rows
from recipes.command import exit_status

PEOPLE = ("Ana", "Ben", "Chloe", "Dan", "Ella", "Finn", "Gita", "Hugo", "Iris", "Jonas")
THINGS = ("apples", "books", "buttons", "coins", "eggs", "marbles", "pears", "pencils", "stamps", "tickets")
GAINS = ("finds {n} more", "is given {n} more", "buys another {n}")
LOSSES = ("gives away {n}", "loses {n}", "sells {n}")
FILES = ("demonstrations", "practice", "test")


@dataclass(frozen=True, kw_only=True, slots=True)
class Problems:
    """Arithmetic problems made by code, none in two files."""

    out: Path = Path("runs/python_reward/problems")
    """The folder to write into."""
    num_changes: int = 3
    """Steps of a problem; more is harder."""
    num_demonstrations: int = 400
    """Problems with a worked answer."""
    num_practice: int = 600
    """Problems to practise on."""
    num_test: int = 200
    """Problems to evaluate on."""
    seed: int = 0
    """Which problems are made."""


def problem(generator: random.Random, num_changes: int) -> dict[str, JsonValue]:
    """Somebody has some things, and `num_changes` times gets more or fewer; the answer works it out step by step."""
    person, things = generator.choice(PEOPLE), generator.choice(THINGS)
    has = generator.randint(20, 99)
    told, worked = [f"{person} has {has} {things}."], []
    for _ in range(num_changes):
        grows = has < 30 or generator.random() < 0.5
        n = generator.randint(11, 89) if grows else generator.randint(11, has - 5)
        told.append(f"{person} {generator.choice(GAINS if grows else LOSSES).format(n=n)}.")
        after = has + n if grows else has - n
        worked.append(f"{has} {'+' if grows else '-'} {n} = {after}.")
        has = after
    question = " ".join([*told, f"How many {things} does {person} have now?"])
    return {"prompt": question, "completion": " ".join([*worked, f"The answer is {has}."]), "ground_truth": str(has)}


def problems(generator: random.Random, num_changes: int) -> Iterator[dict[str, JsonValue]]:
    """Different ones, without end."""
    seen: set[JsonValue] = set()
    while True:
        found = problem(generator, num_changes)
        if found["prompt"] not in seen:
            seen.add(found["prompt"])
            yield found


def write(settings: Problems) -> None:
    """Writes the three files."""
    made = problems(random.Random(settings.seed), settings.num_changes)
    counts = (settings.num_demonstrations, settings.num_practice, settings.num_test)
    for name, number in zip(FILES, counts, strict=True):
        write_rows((next(made) for _ in range(number)), settings.out / f"{name}.jsonl")


def main(argv: Sequence[str] | None = None) -> int:
    """The exit status."""
    return exit_status(write, Problems, "python_reward", argv, "problems")


if __name__ == "__main__":
    sys.exit(main())
