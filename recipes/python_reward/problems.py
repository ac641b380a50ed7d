"""Writes arithmetic problems, made here: `python recipes/python_reward/problems.py --out FOLDER`.

    demonstrations.jsonl   problems with a worked answer, for `plaudit sft`
    practice.jsonl         problems to practise on, for `plaudit ppo`
    test.jsonl             problems for `plaudit evaluate`

Every row has the result as `ground_truth`, as GSM8K's rows have in plaudit. No problem stands in two files.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Iterator
from pathlib import Path

PEOPLE = ("Ana", "Ben", "Chloe", "Dan", "Ella", "Finn", "Gita", "Hugo", "Iris", "Jonas")
THINGS = ("apples", "books", "buttons", "coins", "eggs", "marbles", "pears", "pencils", "stamps", "tickets")
GAINS = ("finds {n} more", "is given {n} more", "buys another {n}")
LOSSES = ("gives away {n}", "loses {n}", "sells {n}")
FILES = ("demonstrations", "practice", "test")


def problem(generator: random.Random, num_changes: int) -> dict[str, str]:
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


def problems(generator: random.Random, num_changes: int) -> Iterator[dict[str, str]]:
    """Different ones, without end."""
    seen: set[str] = set()
    while True:
        found = problem(generator, num_changes)
        if found["prompt"] not in seen:
            seen.add(found["prompt"])
            yield found


def main() -> None:
    parser = argparse.ArgumentParser(description="Arithmetic problems made by code, none in two files.")
    parser.add_argument("--out", type=Path, required=True, help="the folder to write into")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--num-changes", type=int, default=3, help="steps of a problem; more is harder")
    for name, number in zip(FILES, (400, 600, 200), strict=True):
        parser.add_argument(f"--num-{name}", type=int, default=number)
    arguments = parser.parse_args()
    made = problems(random.Random(arguments.seed), arguments.num_changes)
    arguments.out.mkdir(parents=True, exist_ok=True)
    for name in FILES:
        rows = [next(made) for _ in range(vars(arguments)[f"num_{name}"])]
        text = "".join(f"{json.dumps(row)}\n" for row in rows)
        (arguments.out / f"{name}.jsonl").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
