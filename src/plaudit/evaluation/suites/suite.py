"""What a suite is called, what it says of one model, and the rows it takes."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike

from plaudit.runs import spawn_seed
from plaudit.schemas.conversation import Messages, prompt_id
from plaudit.statistics import Estimate, bootstrap_interval, wilson_interval

Row = TypeVar("Row")


class Suite(StrEnum):
    """What can be measured of a model."""

    HHH = "hhh"
    TRUTHFULQA = "truthfulqa"
    HALLUCINATION = "hallucination"
    SUMMARIES = "summaries"
    TRANSLATION = "translation"
    OVERLAP = "overlap"
    INSTRUCTIONS = "instructions"
    OVER_REFUSAL = "over_refusal"
    REFUSALS = "refusals"
    TOXICITY = "toxicity"
    BIAS = "bias"
    READABILITY = "readability"


@dataclass(frozen=True, slots=True)
class Findings:
    """What one suite says of one model: figures by name, None where not measured; what was found row by row.

    `asked` are the prompts the model answered, `notes` what a reader has to know of these figures.
    """

    figures: Mapping[str, Estimate | None]
    rows: tuple[Mapping[str, object], ...]
    asked: tuple[Messages, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Subset:
    """How many rows of each set a suite takes: all, or `max_rows` drawn by `seed`."""

    max_rows: int | None = None
    seed: int = 0
    notes: list[str] = field(default_factory=list)
    """What was left out so far, for people."""

    def of(self, rows: Sequence[Row], what: str) -> list[Row]:
        """The rows, or the drawn ones in their old order; the same ones for every model."""
        if self.max_rows is None or len(rows) <= self.max_rows:
            return list(rows)
        generator = np.random.default_rng(spawn_seed(self.seed, "rows", what))
        kept = sorted(generator.choice(len(rows), size=self.max_rows, replace=False).tolist())
        note = f"{self.max_rows} of the {len(rows)} {what}, drawn with seed {self.seed}."
        if note not in self.notes:
            self.notes.append(note)
        return [rows[index] for index in kept]


def mean_of(values: ArrayLike, prompts: Sequence[Messages]) -> Estimate | None:
    """The mean with a 95 % bootstrap interval that resamples prompts; `prompts[i]` is that of value i. None of nothing."""
    clusters = [prompt_id(prompt) for prompt in prompts]
    return bootstrap_interval(values, clusters=clusters) if clusters else None


def fraction_of(values: ArrayLike, prompts: Sequence[Messages]) -> Estimate | None:
    """As `mean_of`, of values that are 1, 0, or 0.5 for a tie; where all are 0 or all are 1, Wilson's interval over prompts.

    Resampling equal values would give an interval without width, as though ten answers without a refusal proved that
    there is none.
    """
    found = mean_of(values, prompts)
    if found is None or found.value not in (0.0, 1.0):
        return found
    num_prompts = len({prompt_id(prompt) for prompt in prompts})
    sure = wilson_interval(found.value * num_prompts, num_prompts)
    return Estimate(found.value, sure.low, sure.high, found.n)


def grouped(groups: Sequence[Hashable]) -> dict[str, list[int]]:
    """The places of each group's members, in the order of first appearance."""
    found: dict[str, list[int]] = {}
    for place, group in enumerate(groups):
        found.setdefault(str(group), []).append(place)
    return found
