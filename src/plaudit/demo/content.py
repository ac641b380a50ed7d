"""The demo's own texts: demonstrations, questions with reference answers; written for it, shipped with it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources

from plaudit.demo.utility import HiddenUtility, Question
from plaudit.runs.seeds import spawn_seed
from plaudit.schemas.conversation import assistant, user
from plaudit.schemas.feedback import Demonstration


def _rows(name: str) -> Iterator[dict[str, str | list[str]]]:
    text = resources.files("plaudit.demo").joinpath("content", f"{name}.jsonl").read_text(encoding="utf-8")
    return (json.loads(line) for line in text.splitlines())


def demonstrations(name: str = "demonstrations") -> list[Demonstration]:
    """What good answers look like, some of them polite refusals: `demonstrations`, or the `anchors` kept for PPO."""
    return [
        Demonstration(
            prompt=(user(str(row["prompt"])),),
            completion=(assistant(str(row["completion"])),),
            source="plaudit demo",
            extra={"kind": row["kind"]},
        )
        for row in _rows(name)
    ]


def questions(name: str) -> list[Question]:
    """The questions of `train` (ranked by the panel, practised on by PPO) or `eval` (asked in the evaluation only)."""
    return [
        Question((user(str(row["prompt"])),), tuple(map(str, row["references"])), str(row["kind"]), str(row["subject"]))
        for row in _rows(f"{name}_prompts")
    ]


def hidden_utility() -> HiddenUtility:
    """What people care about. They know all questions and subjects, however few of them are asked."""
    texts = [
        (str(row["subject"]), f"{row['prompt']} {row['completion']}")
        for name in ("demonstrations", "anchors")
        for row in _rows(name)
    ]
    return HiddenUtility([*questions("train"), *questions("eval")], texts)


@dataclass(frozen=True, slots=True)
class Content:
    """All of it; no demonstration has two uses."""

    learnt: list[Demonstration]
    """What the fine-tuning learns from."""
    anchor: list[Demonstration]
    """What PPO's language-modelling term reads: fine-tuning knows its own by heart, and they would hold nothing back."""
    held: list[Demonstration]
    """What the perplexity is measured on."""
    train: list[Question]
    eval: list[Question]


def content(seed: int, *, num_held: int, num_train: int | None = None, num_eval: int | None = None) -> Content:
    """The texts, `num_held` demonstrations drawn for the perplexity by the seed; the first questions if told how many."""
    shuffled = sorted(
        demonstrations(), key=lambda record: spawn_seed(seed, "held demonstration", record.prompt[0].text)
    )
    return Content(
        learnt=shuffled[num_held:],
        anchor=demonstrations("anchors"),
        held=shuffled[:num_held],
        train=questions("train")[:num_train],
        eval=questions("eval")[:num_eval],
    )
