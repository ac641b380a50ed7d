"""Writes rows for the recipe from SciTLDR: `python recipes/summarise/data.py --scitldr FOLDER --out FOLDER`.

    demonstrations.jsonl   abstracts with one of their summaries, for `plaudit sft`
    practice.jsonl         other abstracts, for `plaudit ppo`
    test.jsonl             abstracts of SciTLDR's test split, for `plaudit evaluate`

Every row has all of people's summaries as `references`. Abstracts of more words than `--max-words` are left out.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from pathlib import Path

ASK = "Summarise this abstract in one short sentence.\n\n{}"


def rows_of(path: Path, max_words: int) -> list[dict[str, object]]:
    """The rows of one of SciTLDR's files, each abstract once."""
    found: dict[str, dict[str, object]] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        abstract, targets = " ".join(map(str.strip, row["source"])), [target.strip() for target in row["target"]]
        if len(abstract.split()) <= max_words:
            found[abstract] = {"prompt": ASK.format(abstract), "completion": targets[0], "references": targets}
    return list(found.values())


def main() -> None:
    parser = argparse.ArgumentParser(description="Abstracts and summaries of SciTLDR as plaudit's rows.")
    parser.add_argument("--scitldr", type=Path, required=True, help="the folder with train.jsonl and test.jsonl")
    parser.add_argument("--out", type=Path, required=True, help="the folder to write into")
    parser.add_argument("--max-words", type=int, default=160)
    parser.add_argument("--num-demonstrations", type=int, default=500)
    parser.add_argument("--num-practice", type=int, default=400)
    parser.add_argument("--num-test", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    train, test = (rows_of(arguments.scitldr / f"{name}.jsonl", arguments.max_words) for name in ("train", "test"))
    known = {row["prompt"] for row in train}
    test = [row for row in test if row["prompt"] not in known]
    num_learnt, num_practice = arguments.num_demonstrations, arguments.num_practice
    if len(train) < num_learnt + num_practice or len(test) < arguments.num_test:
        sys.exit(
            f"{len(train)} training and {len(test)} test abstracts are within --max-words: raise it or ask for fewer"
        )
    for rows in (train, test):
        random.Random(arguments.seed).shuffle(rows)
    parts = {
        "demonstrations": train[:num_learnt],
        "practice": train[num_learnt : num_learnt + num_practice],
        "test": test[: arguments.num_test],
    }
    arguments.out.mkdir(parents=True, exist_ok=True)
    for name, rows in parts.items():
        text = "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows)
        (arguments.out / f"{name}.jsonl").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
