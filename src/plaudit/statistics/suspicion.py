"""Who answers as though the answers did not matter, or as though they were upside down? With a stated rate of false alarms."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from plaudit.statistics.skill import PairVerdicts, Skills, others_opinion

Floats = NDArray[np.float64]

_MAX_ROUNDS, _ROUNDING, _LEAST_SPREAD = 500, 1e-6, 0.02
_HONEST = np.linspace(0.6, 0.95, 15)
"""The accuracies an honest person may have: below 0.6 one cannot be told from a clicker by tens of verdicts."""


@dataclass(frozen=True, slots=True)
class Suspicion:
    """Per person [J]. `p_value`: in what share of cases an honest person would agree with the others as little as this.

    `clicker` and `liar` are the chances that the verdicts came from one who clicks at random, or turns them round.
    `honest_accuracy` is what the crowd's honest people reach, `num_verdicts` [J] how many strict ones there are to go by.
    """

    p_value: Floats
    clicker: Floats
    liar: Floats
    num_verdicts: NDArray[np.int64]
    honest_accuracy: float

    def flagged(self, rate: float = 0.02) -> NDArray[np.bool_]:
        """Whom to look at, each honest person wrongly with chance `rate` at most."""
        return self.p_value <= rate

    def flagged_together(self, rate: float = 0.05) -> NDArray[np.bool_]:
        """Whom to look at so that of those flagged a share of `rate` at most is honest on the mean, however many are tested."""
        return flagged_together(self.p_value, rate)


def flagged_together(p_values: Floats, rate: float = 0.05) -> NDArray[np.bool_]:
    """Which tests to call positive, so that a share of `rate` of these at most is wrong on the mean.

    (Benjamini and Hochberg 1995.)
    """
    order = np.argsort(p_values)
    passed = p_values[order] <= rate * np.arange(1, len(order) + 1) / len(order)
    found = np.zeros(len(order), bool)
    if passed.any():
        found[order[: int(np.flatnonzero(passed)[-1]) + 1]] = True
    return found


def suspicion(verdicts: PairVerdicts, skills: Skills, *, num_draws: int = 2000, seed: int = 0) -> Suspicion:
    """How far each person's verdicts look like those of somebody who does not judge.

    Each strict verdict is held against what the others' verdicts say of its pair, this person's left out. A person of
    accuracy q says what they did with chance q p + (1 - q)(1 - p), p the others' chance that it is right: q lies between 0.6
    and 0.95 for honest people, between 0.05 and 0.4 for liars, and is 1/2 for clickers. How common the three are, and where
    the honest people's q lie (a normal curve over them), is fitted to the crowd. The p-value is that of the log-likelihood
    ratio of honest to clicker, over verdicts drawn anew from honest people of this crowd on the same pairs.

    The rate of false alarms is that of a crowd whose honest people are alike; where some are hardly better than a clicker
    they are taken for one more often (the figures are in docs/quality.md).
    """
    person, agrees = others_opinion(verdicts, skills)
    num_people = len(skills.skill)
    accuracies, shares, likely = _crowd(person, agrees, num_people)
    honest = shares[: len(_HONEST)] / shares[: len(_HONEST)].sum()
    centre = float(honest @ _HONEST)
    said, against = np.log(2 * _chance(centre, agrees)), np.log(2 * _chance(centre, 1 - agrees))
    seen = np.bincount(person, said, minlength=num_people)
    generator = np.random.default_rng(seed)
    as_low = np.zeros(num_people)
    for _ in range(num_draws):
        accuracy = generator.choice(_HONEST, num_people, p=honest)[person]
        again = generator.random(len(agrees)) < _chance(accuracy, agrees)
        as_low += np.bincount(person, np.where(again, said, against), minlength=num_people) <= seen
    counts = np.bincount(person, minlength=num_people)
    kinds = [likely[:, chosen].sum(1) for chosen in (accuracies == 0.5, accuracies < 0.5)]
    return Suspicion((as_low + 1) / (num_draws + 1), kinds[0], kinds[1], counts, centre)


def _chance(accuracy: Floats | float, agrees: Floats) -> Floats:
    """P(a person of that accuracy says what the others hold right with chance `agrees`)."""
    found: Floats = accuracy * agrees + (1 - accuracy) * (1 - agrees)
    return found


def _crowd(person: NDArray[np.int64], agrees: Floats, num_people: int) -> tuple[Floats, Floats, Floats]:
    """The accuracies looked at [G], honest ones first; how common each is [G]; each person's chances of them [J, G]."""
    accuracies = np.concatenate([_HONEST, [0.5], 1 - _HONEST])
    logs = np.stack([np.bincount(person, np.log(_chance(q, agrees)), minlength=num_people) for q in accuracies], axis=1)
    shares = np.full(len(accuracies), 1 / len(accuracies))
    for _ in range(_MAX_ROUNDS):
        weighed = logs + np.log(shares)
        likely = np.exp(weighed - logsumexp(weighed, axis=1, keepdims=True))
        kinds = np.array(
            [likely[:, chosen].sum() for chosen in (accuracies > 0.5, accuracies == 0.5, accuracies < 0.5)]
        )
        # Liars are turned round, and otherwise as able as the honest.
        able = likely[:, : len(_HONEST)].sum(0) + likely[:, len(_HONEST) + 1 :].sum(0)
        centre = float(able @ _HONEST / able.sum())
        spread = max(float(np.sqrt(able @ (_HONEST - centre) ** 2 / able.sum())), _LEAST_SPREAD)
        shape = np.exp(-(((_HONEST - centre) / spread) ** 2) / 2) + 1e-12
        shape /= shape.sum()
        honest, clicker, liar = (kinds + 1) / (num_people + 3)
        found = np.concatenate([honest * shape, [clicker], liar * shape])
        moved, shares = float(np.abs(found - shares).max()), found
        if moved < _ROUNDING:
            break
    return accuracies, shares, likely
