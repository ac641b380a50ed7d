"""What is compared: several answers of each method to each prompt, and what the method cost."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from plaudit.runs import write_json
from plaudit.schemas.protocols import Completion

AnswerSets = Sequence[Sequence[Completion]]
"""Prompt by prompt, one model's answers."""


@dataclass(frozen=True, slots=True)
class Entrant:
    """A method and its answers, prompt by prompt. None where something was not measured.

    `cpu_seconds` made the method (training, or sampling what it chose from), `kl` is k1 to the baseline summed over an
    answer (nats), `perplexity` that of held-out demonstrations.
    """

    name: str
    answers: AnswerSets
    cpu_seconds: float | None = None
    kl: float | None = None
    perplexity: float | None = None


def save_entrant(entrant: Entrant, path: Path) -> None:
    """Writes an entrant, so that its answers need not be sampled again."""
    write_json(path, asdict(entrant))


def load_entrant(path: Path) -> Entrant:
    """Reads it back."""
    row = json.loads(path.read_text(encoding="utf-8"))
    row["answers"] = [[Completion(**answer) for answer in options] for options in row["answers"]]
    return Entrant(**row)


def best_of_n(answers: AnswerSets, scores: Sequence[Sequence[float]], n: int) -> list[list[Completion]]:
    """The best by score of each `n` successive answers: k * n answers a prompt give k. The first of equals is taken.

    Raises ValueError where a prompt's answers cannot be divided by n, or lack a score.
    """
    picks = []
    for number, (options, worths) in enumerate(zip(answers, scores, strict=True), start=1):
        if n < 1 or not options or len(options) % n or len(options) != len(worths):
            raise ValueError(
                f"best of {n} wants a multiple of {n} answers, each with a score: prompt {number} has {len(options)} "
                f"answers and {len(worths)} scores"
            )
        groups = range(0, len(options), n)
        picks.append([options[max(range(start, start + n), key=lambda i: worths[i])] for start in groups])
    return picks
