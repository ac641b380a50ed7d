"""Writes rows for the recipe from Dolly and OpenAssistant's Chinese demonstrations:

    python recipes/style/data.py --data FOLDER --out FOLDER

    demonstrations.jsonl   people's answers, each behind a system message that names the attributes it has, for `plaudit sft`
    practice.jsonl         other questions with attributes asked for at random, for `plaudit ppo`
    test.jsonl             as those, other questions, for `plaudit evaluate`

Every row has the attributes as `style`.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections.abc import Sequence
from pathlib import Path

from rewards import attributes_of

DOLLY, CHINESE = "dolly-15k/dolly-15k.jsonl", "oasst1-zh/oaast_sft_zh.jsonl"
KINDS = ("open_qa", "general_qa", "brainstorming", "creative_writing")
MOST_WORDS, MOST_CHARACTERS = 110, 160


def told(question: str, style: Sequence[str]) -> list[dict[str, str]]:
    """The prompt that asks for the style."""
    return [
        {"role": "system", "content": f"Answer {', '.join(style)}."},
        {"role": "user", "content": question},
    ]


def demonstration(question: str, answer: str) -> dict[str, object]:
    style = attributes_of(answer)
    return {"prompt": told(question, style), "completion": [{"role": "assistant", "content": answer}], "style": style}


def asked(question: str, generator: random.Random) -> dict[str, object]:
    language = "in Chinese" if generator.random() < 0.2 else "in English"
    style = [generator.choice(("brief", "full")), generator.choice(("formal", "casual")), language]
    if language == "in Chinese":
        style = [language]
    return {"prompt": told(question, style), "style": style}


def rows_of(path: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def english(folder: Path) -> list[tuple[str, str]]:
    """Dolly's questions that need no passage, each once, with answers that are not long."""
    rows = [row for row in rows_of(folder / DOLLY) if row["category"] in KINDS and not row["context"].strip()]
    pairs = {row["instruction"].strip(): row["response"].strip() for row in rows}
    return [(q, a) for q, a in pairs.items() if 0 < len(a.split()) <= MOST_WORDS and len(q.split()) <= 40]


def chinese(folder: Path) -> list[tuple[str, str]]:
    """Chinese questions with short answers."""
    pairs = {
        row["instruction"].strip(): row["output"].strip()
        for row in rows_of(folder / CHINESE)
        if not row["input"].strip()
    }
    return [(q, a) for q, a in pairs.items() if 0 < len(a) <= MOST_CHARACTERS and len(q) <= 80]


def main() -> None:
    parser = argparse.ArgumentParser(description="Questions with attributes of style, and answers that have them.")
    parser.add_argument("--data", type=Path, required=True, help="the folder of data sets")
    parser.add_argument("--out", type=Path, required=True, help="the folder to write into")
    parser.add_argument("--num-english", type=int, default=700)
    parser.add_argument("--num-chinese", type=int, default=150)
    parser.add_argument("--num-practice", type=int, default=400)
    parser.add_argument("--num-test", type=int, default=120)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    generator = random.Random(arguments.seed)
    ours, theirs = english(arguments.data), chinese(arguments.data)
    wanted = arguments.num_english + arguments.num_practice + arguments.num_test
    if len(ours) < wanted or not theirs:
        sys.exit(
            f"{len(ours)} English and {len(theirs)} Chinese rows fit, {wanted} English ones are asked for: ask for fewer"
        )
    generator.shuffle(ours)
    generator.shuffle(theirs)
    learnt = [*ours[: arguments.num_english], *theirs[: arguments.num_chinese]]
    rest = ours[arguments.num_english : wanted]
    parts = {
        "demonstrations": [demonstration(question, answer) for question, answer in learnt if attributes_of(answer)],
        "practice": [asked(question, generator) for question, _ in rest[: arguments.num_practice]],
        "test": [asked(question, generator) for question, _ in rest[arguments.num_practice :]],
    }
    arguments.out.mkdir(parents=True, exist_ok=True)
    for name, rows in parts.items():
        text = "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows)
        (arguments.out / f"{name}.jsonl").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
