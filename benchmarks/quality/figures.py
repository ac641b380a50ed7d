"""What the quality models promise, on crowds whose truth is known: `python -m benchmarks.quality.figures`.

Writes figures.json beside this file; `make prove` computes the figures anew and holds them to their bounds.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from plaudit.statistics.bradley_terry import Votes, ranked
from plaudit.statistics.skill import PairVerdicts, inferred_skills
from plaudit.statistics.suspicion import suspicion

Floats = NDArray[np.float64]
FIGURES = Path(__file__).with_name("figures.json")


NUM_CLICKERS, NUM_LIARS, NUM_HONEST = 18, 6, 36


def crowd(
    rng: np.random.Generator, judgements_a_person: int, overlap: int, honest: tuple[float, float] = (0.65, 0.9)
) -> tuple[Floats, Floats, PairVerdicts]:
    """60 people: 18 click at random, 36 are right with a chance between those of `honest`, 6 turn such verdicts round.

    Accuracies in that order, liars before the honest; +1 where a is better; the verdicts, sides balanced.
    """
    liars, able = rng.uniform(*honest, NUM_LIARS), rng.uniform(*honest, NUM_HONEST)
    accuracy = np.concatenate([np.full(NUM_CLICKERS, 0.5), 1 - liars, able])
    num_pairs = 60 * judgements_a_person // overlap
    truth, load = rng.choice([-1.0, 1.0], num_pairs), np.zeros(60)
    people = np.empty((num_pairs, overlap), int)
    for row in people:
        row[:] = np.argsort(load + 0.999 * rng.random(60))[:overlap]
        load[row] += 1
    pair, person = np.repeat(np.arange(num_pairs), overlap), people.ravel()
    right = rng.random(len(pair)) < accuracy[person]
    said_a = np.where(right, truth[pair], -truth[pair])
    return accuracy, truth, PairVerdicts.of(pair, person, (said_a + 1) / 2, rng.choice([-1.0, 1.0], len(pair)))


def gain(chance: Floats, truth: Floats) -> float:
    """Accuracy of the likelier label, a half where neither is, above 0.5."""
    right = np.where(np.abs(chance - 0.5) < 1e-9, 0.5, (chance > 0.5) == (truth > 0))
    return float(right.mean()) - 0.5


def log_loss(chance: Floats, truth: Floats) -> float:
    """Nats a pair."""
    return float(-np.log(np.where(truth > 0, chance, 1 - chance)).mean())


def skills(num_crowds: int = 40) -> dict[str, dict[str, float]]:
    """Inferred labels beside those of an oracle that knows every accuracy, and a majority vote. Means over crowds."""
    found = {}
    for judgements, overlap in ((100, 3), (300, 5)):
        rows = []
        for seed in range(num_crowds):
            accuracy, truth, verdicts = crowd(np.random.default_rng(seed), judgements, overlap)
            said_a = 2 * verdicts.for_a - 1
            oracle = expit(np.bincount(verdicts.pair, logit(accuracy)[verdicts.person] * said_a))
            majority = (1 + np.sign(np.bincount(verdicts.pair, said_a))) / 2
            chance = inferred_skills(verdicts, num_draws=2).a_better
            best = gain(oracle, truth)
            excess = log_loss(chance, truth) - log_loss(oracle, truth)
            rows.append((best, gain(chance, truth) / best, gain(majority, truth) / best, excess))
        names = ("oracle_gain", "of_oracle", "majority_of_oracle", "excess_log_loss")
        found[f"{judgements} judgements a person, {overlap} a pair"] = dict(
            zip(names, np.mean(rows, axis=0).round(4).tolist(), strict=True)
        )
    return found


def power(num_crowds: int = 40, rate: float = 0.02) -> list[dict[str, float]]:
    """Whom the flag at that rate finds, by honest people's accuracy and judgements a person, five on a pair."""
    found = []
    for honest in ((0.85, 0.85), (0.65, 0.9)):
        for judgements in (15, 30, 50, 100):
            rows = []
            for seed in range(num_crowds):
                _, _, verdicts = crowd(np.random.default_rng(seed), judgements, 5, honest)
                said = suspicion(verdicts, inferred_skills(verdicts, num_draws=2), num_draws=500, seed=seed)
                flagged, together = said.flagged(rate), said.flagged_together(0.05)
                clickers, liars, able = np.split(flagged, [NUM_CLICKERS, NUM_CLICKERS + NUM_LIARS])
                wrong = together[NUM_CLICKERS + NUM_LIARS :].sum() / max(1, together.sum())
                rows.append((clickers.mean(), liars.mean(), able.mean(), wrong))
            names = ("clickers_found", "liars_found", "honest_flagged", "wrong_among_flagged_together")
            means = dict(zip(names, np.mean(rows, axis=0).round(4).tolist(), strict=True))
            found.append({"lowest": honest[0], "highest": honest[1], "judgements": judgements, **means})
    return found


def coverage(num_worlds: int = 1000, num_contestants: int = 6, num_people: int = 60) -> dict[str, float]:
    """How often 95 % intervals hold the truth: of ratings, of the weakest coverage of one contestant, of win rates.

    900 votes with ties, cast by people of unequal industry; contestant 0 is nobody's anchor, and is counted like the others.
    """
    held, of_rates = np.zeros((num_worlds, num_contestants)), []
    true = np.linspace(-1.0, 1.0, num_contestants)
    for seed in range(num_worlds):
        rng = np.random.default_rng(seed)
        pairs = np.stack([rng.permutation(num_contestants)[:2] for _ in range(900)])
        d = true[pairs[:, 0]] - true[pairs[:, 1]]
        weights = np.stack([np.exp(d / 2), np.exp(-d / 2), np.full(900, 0.7)], axis=1)
        drawn = (rng.random(900)[:, None] > (weights / weights.sum(1, keepdims=True)).cumsum(1)).sum(1)
        share = rng.dirichlet(np.full(num_people, 2.0))
        votes = Votes.of(
            pairs[:, 0], pairs[:, 1], np.array([1.0, 0.0, 0.5])[drawn], rng.choice(num_people, 900, p=share)
        )
        found = ranked(votes, num_contestants, num_resamples=300, seed=seed)
        held[seed] = [one.low <= x <= one.high for one, x in zip(found.ratings, true, strict=True)]
        rate = found.win_rate(0, num_contestants - 1)
        assert rate is not None
        up, down, tie = np.exp(-1.0), np.exp(1.0), 0.7
        of_rates.append(rate.low <= (up + tie / 2) / (up + down + tie) <= rate.high)
    by_contestant = held.mean(axis=0)
    return {
        "ratings": round(float(held.mean()), 4),
        "lowest_of_a_contestant": round(float(by_contestant.min()), 4),
        "highest_of_a_contestant": round(float(by_contestant.max()), 4),
        "win_rate_of_the_ends": round(float(np.mean(of_rates)), 4),
    }


def figures() -> dict[str, object]:
    """All of them."""
    return {"skills": skills(), "power": power(), "coverage": coverage()}


if __name__ == "__main__":
    FIGURES.write_text(json.dumps(figures(), indent=1) + "\n", encoding="utf-8")
    print(FIGURES.read_text(encoding="utf-8"))
