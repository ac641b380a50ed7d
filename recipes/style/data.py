"""Writes rows for the recipe from Dolly and OpenAssistant's Chinese demonstrations:

    python -m recipes.style.data --data FOLDER --out FOLDER

    demonstrations.jsonl   people's answers, each behind a system message that names the attributes it has, for `plaudit sft`
    practice.jsonl         other questions with attributes asked for at random, for `plaudit ppo`
    test.jsonl             as those, other questions, for `plaudit evaluate`

Every row has the attributes as `style`.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import JsonValue

from plaudit.formats.jsonl import write_rows
from plaudit.schemas.errors import PlauditError, RowError
from recipes.command import exit_status, readable_rows
from recipes.style.rewards import attributes_of

DOLLY, CHINESE = "dolly-15k/dolly-15k.jsonl", "oasst1-zh/oaast_sft_zh.jsonl"
KINDS = ("open_qa", "general_qa", "brainstorming", "creative_writing")
MOST_WORDS, MOST_CHARACTERS = 110, 160


@dataclass(frozen=True, kw_only=True, slots=True)
class StyleData:
    """Questions with attributes of style, and answers that have them."""

    data: Path
    """The folder of data sets."""
    out: Path = Path("runs/style/data")
    """The folder to write into."""
    num_english: int = 700
    """Demonstrations in English."""
    num_chinese: int = 150
    """Demonstrations in Chinese."""
    num_practice: int = 400
    """Questions to practise on."""
    num_test: int = 120
    """Questions to evaluate on."""
    seed: int = 0
    """Which of them are drawn, and what is asked of each."""


def told(question: str, style: Sequence[str]) -> list[JsonValue]:
    """The prompt that asks for the style."""
    return [
        {"role": "system", "content": f"Answer {', '.join(style)}."},
        {"role": "user", "content": question},
    ]


def demonstration(question: str, answer: str) -> dict[str, JsonValue]:
    """A question behind the attributes of its answer, and the answer."""
    style = attributes_of(answer)
    return {
        "prompt": told(question, style),
        "completion": [{"role": "assistant", "content": answer}],
        "style": [*style],
    }


def asked(question: str, generator: random.Random) -> dict[str, JsonValue]:
    """A question behind attributes drawn at random."""
    language = "in Chinese" if generator.random() < 0.2 else "in English"
    style = [generator.choice(("brief", "full")), generator.choice(("formal", "casual")), language]
    if language == "in Chinese":
        style = [language]
    return {"prompt": told(question, style), "style": [*style]}


def rows_of(path: Path, *names: str) -> list[dict[str, str]]:
    """The columns of these names, which are texts, of every row."""
    found: list[dict[str, str]] = []
    for row in readable_rows(path):
        texts = {name: text for name in names if isinstance(text := row.columns.get(name), str)}
        if len(texts) < len(names):
            missing = next(name for name in names if name not in texts)
            raise RowError(str(path), row.line, missing, "a text", str(row.columns.get(missing, "nothing")))
        found.append(texts)
    return found


def english(folder: Path) -> list[tuple[str, str]]:
    """Dolly's questions that need no passage, each once, with answers that are not long."""
    rows = [
        row
        for row in rows_of(folder / DOLLY, "category", "context", "instruction", "response")
        if row["category"] in KINDS and not row["context"].strip()
    ]
    pairs = {row["instruction"].strip(): row["response"].strip() for row in rows}
    return [(q, a) for q, a in pairs.items() if 0 < len(a.split()) <= MOST_WORDS and len(q.split()) <= 40]


def chinese(folder: Path) -> list[tuple[str, str]]:
    """Chinese questions with short answers."""
    pairs = {
        row["instruction"].strip(): row["output"].strip()
        for row in rows_of(folder / CHINESE, "instruction", "input", "output")
        if not row["input"].strip()
    }
    return [(q, a) for q, a in pairs.items() if 0 < len(a) <= MOST_CHARACTERS and len(q) <= 80]


def write(settings: StyleData) -> None:
    """Writes the three files. Raises PlauditError where there are not enough rows for them."""
    generator = random.Random(settings.seed)
    ours, theirs = english(settings.data), chinese(settings.data)
    wanted = settings.num_english + settings.num_practice + settings.num_test
    if len(ours) < wanted or not theirs:
        raise PlauditError(
            f"{len(ours)} English and {len(theirs)} Chinese rows fit, {wanted} English ones are asked for: ask for fewer"
        )
    generator.shuffle(ours)
    generator.shuffle(theirs)
    learnt = [*ours[: settings.num_english], *theirs[: settings.num_chinese]]
    rest = ours[settings.num_english : wanted]
    parts = {
        "demonstrations": [demonstration(question, answer) for question, answer in learnt if attributes_of(answer)],
        "practice": [asked(question, generator) for question, _ in rest[: settings.num_practice]],
        "test": [asked(question, generator) for question, _ in rest[settings.num_practice :]],
    }
    for name, rows in parts.items():
        write_rows(rows, settings.out / f"{name}.jsonl")


def main(argv: Sequence[str] | None = None) -> int:
    """The exit status."""
    return exit_status(write, StyleData, "style", argv, "data")


if __name__ == "__main__":
    sys.exit(main())
