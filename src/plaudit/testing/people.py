"""Simulated people who rank answers by a utility that only they can see, each in their own way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from plaudit.runs.seeds import spawn_seed
from plaudit.schemas.conversation import Messages, assistant, prompt_id
from plaudit.schemas.feedback import Ranking
from plaudit.schemas.protocols import Completion


class Manner(StrEnum):
    """How a person answers."""

    HONEST = "honest"
    CLICKER = "clicker"
    ADVERSARY = "adversary"


@dataclass(frozen=True, slots=True)
class SimulatedPerson:
    """`noise` is the standard deviation of what the person adds to the utility; utilities closer than `tie` are equal."""

    name: str
    noise: float
    manner: Manner = Manner.HONEST
    tie: float = 0.01

    def ranks(self, utilities: Sequence[float], generator: np.random.Generator) -> tuple[int, ...]:
        """One rank an answer, 0 best, equal ranks for ties."""
        match self.manner:
            case Manner.CLICKER:
                return tuple(int(rank) for rank in generator.permutation(len(utilities)))
            case Manner.HONEST:
                seen = np.asarray(utilities, dtype=float)
            case Manner.ADVERSARY:
                seen = -np.asarray(utilities, dtype=float)
        return ranks_of(seen + self.noise * generator.standard_normal(len(utilities)), self.tie)


def ranks_of(felt: NDArray[np.float64], tie: float) -> tuple[int, ...]:
    """One rank an answer, 0 best: how many are felt to be better. Neighbours in that order closer than `tie` share one."""
    order = np.argsort(-felt, kind="stable")
    ranks = np.zeros(len(felt), dtype=int)
    for place, (before, here) in enumerate(pairwise(order), start=1):
        ranks[here] = ranks[before] if felt[before] - felt[here] < tie else place
    return tuple(int(rank) for rank in ranks)


def default_panel() -> tuple[SimulatedPerson, ...]:
    """Eight people: six honest ones from careful to careless, one who clicks at random, one who ranks upside down."""
    noises = {"ada": 0.02, "ben": 0.03, "cho": 0.04, "dee": 0.06, "eli": 0.08, "fay": 0.12}
    return (
        *(SimulatedPerson(name, noise) for name, noise in noises.items()),
        SimulatedPerson("gus", 0.0, Manner.CLICKER),
        SimulatedPerson("hal", 0.04, Manner.ADVERSARY),
    )


def panel_rankings(
    panel: Sequence[SimulatedPerson],
    prompts: Sequence[Messages],
    answers: Sequence[Sequence[Completion]],
    utilities: Sequence[Sequence[float]],
    *,
    per_prompt: int,
    seed: int,
    num_sheets: int = 1,
) -> list[Ranking]:
    """`per_prompt` people, drawn anew for each prompt, rank its answers. Who and how follows from the seed and the prompt.

    The answers to a prompt, in order, fill `num_sheets` sheets of one length. Each person gets one of them, and each sheet
    as many people, to one.
    """
    rankings = []
    for prompt, completions, worths in zip(prompts, answers, utilities, strict=True):
        name = prompt_id(prompt)
        drawn = np.random.default_rng(spawn_seed(seed, "who", name)).choice(len(panel), per_prompt, replace=False)
        size = len(completions) // num_sheets
        sheet_of = {int(index): place % num_sheets for place, index in enumerate(drawn)}
        for index in sorted(sheet_of):
            person, shown = panel[index], slice(sheet_of[index] * size, (sheet_of[index] + 1) * size)
            generator = np.random.default_rng(spawn_seed(seed, "rank", name, person.name))
            rankings.append(
                Ranking(
                    id=f"{name}-{person.name}",
                    source="simulated panel",
                    annotator=person.name,
                    prompt=prompt,
                    completions=tuple((assistant(answer.text),) for answer in completions[shown]),
                    truncated=tuple(not answer.finished for answer in completions[shown]),
                    ranks=person.ranks(worths[shown], generator),
                )
            )
    return rankings
