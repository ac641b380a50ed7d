"""Writes rows for the recipe from SciTLDR: `python -m recipes.summarise.data --scitldr FOLDER --out FOLDER`.

    demonstrations.jsonl   abstracts with one of their summaries, for `plaudit sft`
    practice.jsonl         other abstracts, for `plaudit ppo`
    test.jsonl             abstracts of SciTLDR's test split, for `plaudit evaluate`

Every row has all of people's summaries as `references`.
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

ASK = "Summarise this abstract in one short sentence.\n\n{}"


@dataclass(frozen=True, kw_only=True, slots=True)
class SummariseData:
    """Abstracts and their summaries out of SciTLDR, as plaudit's rows."""

    scitldr: Path
    """The folder with train.jsonl and test.jsonl."""
    out: Path = Path("runs/summarise/data")
    """The folder to write into."""
    max_words: int = 160
    """Abstracts of more words are left out."""
    num_demonstrations: int = 500
    """Abstracts to learn summaries of."""
    num_practice: int = 400
    """Abstracts to practise on."""
    num_test: int = 200
    """Abstracts to evaluate on."""
    seed: int = 0
    """Which of them are drawn."""


def rows_of(path: Path, max_words: int) -> list[dict[str, JsonValue]]:
    """The rows of one of SciTLDR's files, each abstract once."""
    found: dict[str, dict[str, JsonValue]] = {}
    for row in readable_rows(path):
        match row.columns:
            case {"source": [str(), *_] as sentences, "target": [str(), *_] as summaries}:
                abstract, targets = " ".join(str(x).strip() for x in sentences), [str(x).strip() for x in summaries]
            case _:
                raise RowError(
                    str(path), row.line, "source", "`source` and `target`, lists of sentences", "other columns"
                )
        if len(abstract.split()) <= max_words:
            found[abstract] = {"prompt": ASK.format(abstract), "completion": targets[0], "references": [*targets]}
    return list(found.values())


def write(settings: SummariseData) -> None:
    """Writes the three files. Raises PlauditError where there are not enough rows for them."""
    train, test = (rows_of(settings.scitldr / f"{name}.jsonl", settings.max_words) for name in ("train", "test"))
    known = {row["prompt"] for row in train}
    test = [row for row in test if row["prompt"] not in known]
    num_learnt, num_practice = settings.num_demonstrations, settings.num_practice
    if len(train) < num_learnt + num_practice or len(test) < settings.num_test:
        raise PlauditError(
            f"{len(train)} training and {len(test)} test abstracts are within --max-words: raise it or ask for fewer"
        )
    for rows in (train, test):
        random.Random(settings.seed).shuffle(rows)
    write_rows(train[:num_learnt], settings.out / "demonstrations.jsonl")
    write_rows(train[num_learnt : num_learnt + num_practice], settings.out / "practice.jsonl")
    write_rows(test[: settings.num_test], settings.out / "test.jsonl")


def main(argv: Sequence[str] | None = None) -> int:
    """The exit status."""
    return exit_status(write, SummariseData, "summarise", argv, "data")


if __name__ == "__main__":
    sys.exit(main())
