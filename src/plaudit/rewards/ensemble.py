"""Several scorers of one kind: their mean, less what they disagree."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from plaudit.batches.rollouts import Rollouts
from plaudit.rewards.scorer import Scorer, Scores
from plaudit.schemas.errors import PlauditError
from plaudit.text.prompts import EncodedPrompt


class EnsembleScorer:
    """mean - spread_coef * spread of the members' totals; the spread is their standard deviation (over M, not M - 1).

    Reward models that were fitted to the same rows agree where the rows say something and differ where they say nothing:
    there a policy would find answers that one of them is wrong about. (Coste et al. 2023, "Reward model ensembles help
    mitigate overoptimization", where the variance is taken off; a deviation has the score's own unit.)
    """

    def __init__(self, members: Sequence[Scorer], spread_coef: float) -> None:
        if len(members) < 2:
            raise PlauditError(f"an ensemble needs at least two members, got {len(members)}: one has no spread")
        self._members, self._spread_coef = tuple(members), spread_coef

    def __call__(self, prompts: Sequence[EncodedPrompt], rollouts: Rollouts) -> Scores:
        """The components are `ensemble_mean` and `ensemble_spread`."""
        scores = torch.stack([member(prompts, rollouts).total for member in self._members])
        mean, spread = scores.mean(0), scores.std(0, correction=0)
        return Scores(mean - self._spread_coef * spread, {"ensemble_mean": mean, "ensemble_spread": spread})
