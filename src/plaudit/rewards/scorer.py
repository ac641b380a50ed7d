"""The one interface by which trainers and evaluations ask what an answer is worth."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import torch
from jaxtyping import Float
from torch import Tensor

from plaudit.batches.rollouts import Rollouts
from plaudit.schemas.errors import PlauditError
from plaudit.text.prompts import EncodedPrompt


@dataclass(frozen=True, slots=True)
class Scores:
    """`total` is what counts; `components` are logged by name; `dense` adds rewards at single answer tokens."""

    total: Float[Tensor, "B"]
    components: dict[str, Float[Tensor, "B"]] = field(default_factory=dict)
    dense: Float[Tensor, "B T"] | None = None


class Scorer(Protocol):
    """Scores sampled answers. Higher is better."""

    def __call__(self, prompts: Sequence[EncodedPrompt], rollouts: Rollouts) -> Scores:
        """One score for each of the rollouts' answers; `text.prompts.asked` says what each is an answer to."""
        ...


class WeightedSum:
    """Several scorers' totals, each times its weight."""

    def __init__(self, parts: Mapping[str, tuple[Scorer, float]]) -> None:
        if not parts:
            raise PlauditError("a weighted sum needs at least one scorer")
        self._parts = dict(parts)

    def __call__(self, prompts: Sequence[EncodedPrompt], rollouts: Rollouts) -> Scores:
        total = torch.zeros(len(rollouts))
        dense: Tensor | None = None
        components: dict[str, Tensor] = {}
        for name, (scorer, weight) in self._parts.items():
            scores = scorer(prompts, rollouts)
            total = total + weight * scores.total
            components[name] = scores.total
            components |= {f"{name}/{part}": value for part, value in scores.components.items()}
            if scores.dense is not None:
                dense = weight * scores.dense if dense is None else dense + weight * scores.dense
        return Scores(total, components, dense)


class Summed:
    """Scorers that pay one after the other: totals and dense rewards add up, components stand side by side."""

    def __init__(self, *scorers: Scorer) -> None:
        self._scorers = scorers

    def __call__(self, prompts: Sequence[EncodedPrompt], rollouts: Rollouts) -> Scores:
        """Raises PlauditError where two of them have a component of one name."""
        found = [scorer(prompts, rollouts) for scorer in self._scorers]
        names = Counter(name for scores in found for name in scores.components)
        if twice := sorted(name for name, times in names.items() if times > 1):
            raise PlauditError(f"two scorers have a component called {', '.join(twice)}: give one another name")
        total = torch.zeros(len(rollouts))
        dense: Tensor | None = None
        for scores in found:
            total = total + scores.total
            if scores.dense is not None:
                dense = scores.dense if dense is None else dense + scores.dense
        return Scores(total, {name: x for scores in found for name, x in scores.components.items()}, dense)
