"""What of the hidden utility does the reward model hear? Its scores beside the utility's parts, within a prompt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from plaudit.demo.utility import WEIGHTS
from plaudit.evaluation.tables import Table, number_text
from plaudit.schemas.protocols import TextScore


@dataclass(frozen=True, slots=True)
class Perception:
    """Correlations over answers to the same prompt: of the reward model's score with the utility, and with each part of it.

    None where a part does not vary.
    """

    utility: float | None
    parts: Mapping[str, float | None]
    weight_in_utility: Mapping[str, float | None]


def perception(utilities: Sequence[Sequence[TextScore]], scores: Sequence[Sequence[float]]) -> Perception:
    """From the utility and the reward model's score of every answer, prompt by prompt."""
    worth = [[answer.score for answer in row] for row in utilities]
    parts = {name: [[answer.components[name] for answer in row] for row in utilities] for name in WEIGHTS}
    return Perception(
        utility=within_prompt_correlation(scores, worth),
        parts={name: within_prompt_correlation(scores, values) for name, values in parts.items()},
        weight_in_utility={name: within_prompt_correlation(worth, values) for name, values in parts.items()},
    )


def within_prompt_correlation(a: Sequence[Sequence[float]], b: Sequence[Sequence[float]]) -> float | None:
    """Pearson's correlation of what is left of both when each prompt's mean is taken away; None where nothing is."""
    left, right = (np.concatenate([np.asarray(row) - np.mean(row) for row in rows]) for rows in (a, b))
    size = float(np.linalg.norm(left) * np.linalg.norm(right))
    return float(left @ right) / size if size > 1e-12 else None


def perception_table(found: Mapping[str, Perception]) -> Table:
    """A column for each model whose answers were scored, a row for the utility and one for each part."""
    rows = [("the utility", "", *(number_text(one.utility) for one in found.values()))]
    first = next(iter(found.values()))
    for name in WEIGHTS:
        told = (number_text(one.parts[name]) for one in found.values())
        rows.append((name, number_text(first.weight_in_utility[name]), *told))
    return Table(
        "What the reward model hears of the utility",
        ("part", "in the utility", *(f"in its score, {name}'s answers" for name in found)),
        tuple(rows),
        "Correlations over answers to the same question. A part that weighs in the utility but not in the score is one that "
        "PPO cannot learn from it.",
    )
