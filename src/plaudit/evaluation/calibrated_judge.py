"""A judge that few people calibrate: how far to trust it, and the win rate that both give together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from plaudit.evaluation.judges import Floats, Judged
from plaudit.statistics import Estimate, bootstrap_interval
from plaudit.statistics.agreement import cohen_kappa
from plaudit.statistics.prediction_powered import PredictionPowered, prediction_powered_mean

MIN_PEOPLE_PROMPTS = 10
"""Prompts with people's verdicts under which nothing is estimated: there the intervals cover less than they say."""


@dataclass(frozen=True, slots=True)
class PositionBias:
    """How much the order decides, of a judge asked in both. Intervals are over prompts.

    `flipped` is the share of pairs whose verdict changes with the order, `first` the share of verdicts other than a tie,
    of both orders, that go to the answer shown first: 0.5 for a judge that does not mind. None without such a verdict.
    """

    flipped: Estimate
    first: Estimate | None


@dataclass(frozen=True, slots=True)
class CalibratedJudge:
    """The judge beside people on the same pairs. `agreement` counts equal verdicts of win, loss and tie; `kappa` is Cohen's.

    `win_rates` holds the win rate of both together, of people alone and of the judge alone, and the judge's bias.
    """

    win_rates: PredictionPowered
    agreement: Estimate
    kappa: Estimate
    position: PositionBias | None


def calibrated_judge(
    judge: Judged, people: Judged, clusters: Sequence[int] | NDArray[np.int64], *, seed: int = 0
) -> CalibratedJudge | None:
    """What people's word on some pairs makes of the judge's word on all; `clusters[i]` names prompt i.

    None under ten prompts with pairs that both judged. Pairs without the judge's word are left out. The pairs people
    saw have to be a random sample of all, or the estimate is of pairs like those.
    """
    says = np.concatenate([table.ravel() for table in judge.wins])
    said = np.concatenate([table.ravel() for table in people.wins])
    owners = np.repeat(np.asarray(clusters), [table.size for table in judge.wins])
    both = ~np.isnan(says) & ~np.isnan(said)
    alone = ~np.isnan(says) & np.isnan(said)
    if len(np.unique(owners[both])) < MIN_PEOPLE_PROMPTS:
        return None
    # A pair's two verdicts in one number, as the bootstrap resamples numbers: 3 times people's class and the judge's.
    classes = 3 * _classes(said[both]) + _classes(says[both])
    return CalibratedJudge(
        win_rates=prediction_powered_mean(
            said[both],
            says[both],
            says[alone],
            clusters=owners[both],
            unlabelled_clusters=owners[alone],
            seed=seed,
        ),
        agreement=bootstrap_interval(classes // 3 == classes % 3, clusters=owners[both], seed=seed),
        kappa=bootstrap_interval(
            classes, lambda drawn: cohen_kappa(drawn // 3, drawn % 3), clusters=owners[both], seed=seed
        ),
        position=position_bias(judge, clusters, seed=seed),
    )


def position_bias(judged: Judged, clusters: Sequence[int] | NDArray[np.int64], *, seed: int = 0) -> PositionBias | None:
    """How much the order decides; None for a judge that saw no order, or had no word in both."""
    if judged.orders is None:
        return None
    words = np.concatenate([table.reshape(-1, 2) for table in judged.orders])
    owners = np.repeat(np.asarray(clusters), [table.size for table in judged.wins])
    heard = ~np.isnan(words).any(axis=1)
    words, owners = words[heard], owners[heard]
    if not len(words):
        return None
    # Both orders as "the first shown wins", one below the other.
    firsts, twice = np.concatenate([words[:, 0], 1 - words[:, 1]]), np.concatenate([owners, owners])
    strict = firsts != 0.5
    return PositionBias(
        flipped=bootstrap_interval(words[:, 0] != words[:, 1], clusters=owners, seed=seed),
        first=bootstrap_interval(firsts[strict], clusters=twice[strict], seed=seed) if strict.any() else None,
    )


def _classes(wins: Floats) -> Floats:
    """0 a loss, 1 a tie, 2 a win."""
    return 1 + np.sign(wins - 0.5)
