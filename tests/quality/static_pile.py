"""Choosing from a fixed pile of answers, in small worlds whose truth is known: how good the scores become, label by label."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from plaudit.quality.selection import Candidates, Strategy, next_items
from plaudit.runs.seeds import spawn_seed
from plaudit.statistics.logistic import logistic_weights

Floats = NDArray[np.float64]

NUM_PROMPTS, NUM_ANSWERS, WIDTH, NUM_MEMBERS = 120, 5, 12, 6
BATCH, NUM_ROUNDS = 20, 8
WORLDS = ("linear", "outliers", "bent", "noisy")


@dataclass(frozen=True)
class World:
    """`seen` [P, N, D] are what reward models see of the answers in the pile, `worth` [P, N] their utilities in log-odds.

    linear: worth is linear in what is seen. outliers: one answer in twenty is ten times as far out. bent: a third of the
    worth is not linear. noisy: a fifth of the verdicts are a coin's.
    """

    seen: Floats
    worth: Floats
    held_seen: Floats
    held_worth: Floats
    coin_frac: float

    @classmethod
    def of(cls, kind: str, seed: int) -> World:
        rng = np.random.default_rng(spawn_seed(seed, "world", kind))
        direction, bend = rng.normal(size=(2, WIDTH)) * 1.5 / np.sqrt(WIDTH)
        shape = (2 * NUM_PROMPTS, NUM_ANSWERS, WIDTH)
        seen = rng.normal(size=shape)
        if kind == "outliers":
            seen *= np.where(rng.random((*shape[:2], 1)) < 0.05, 10.0, 1.0)
        worth = seen @ direction
        if kind == "bent":
            worth = worth + 0.7 * np.abs(seen) @ bend
        near, far = np.split(seen, 2), np.split(worth, 2)
        return cls(near[0], far[0], near[1], far[1], 0.2 if kind == "noisy" else 0.0)


def curve(world: World, strategy: Strategy, seed: int) -> list[float]:
    """The share of held-out pairs in their true order after each batch of labels; the first batch is everybody's, random."""
    rng = np.random.default_rng(spawn_seed(seed, "labels"))
    coins, luck = rng.random((2, NUM_PROMPTS, NUM_ANSWERS, NUM_ANSWERS))
    asked: list[tuple[int, int, int]] = []
    alike = np.tile(np.eye(NUM_ANSWERS, dtype=bool), (NUM_PROMPTS, 1, 1))
    weights, found = np.zeros((NUM_MEMBERS, WIDTH)), []
    for batch in range(NUM_ROUNDS):
        pool = [Candidates.of(str(p), weights @ world.seen[p].T, alike[p]) for p in range(NUM_PROMPTS)]
        how = strategy if batch else Strategy.RANDOM
        for choice in next_items(pool, BATCH, how, seed=spawn_seed(seed, "batch", batch)):
            p, (a, b) = int(choice.prompt), choice.answers
            alike[p, a, b] = alike[p, b, a] = True
            asked.append((p, a, b))
        p, a, b = np.array(asked).T
        chance = np.where(coins[p, a, b] < world.coin_frac, 0.5, expit(world.worth[p, a] - world.worth[p, b]))
        weights = members(world.seen[p, a] - world.seen[p, b], luck[p, a, b] < chance, spawn_seed(seed, "fit", batch))
        found.append(held_out_accuracy(world, weights))
    return found


def members(differences: Floats, a_preferred: NDArray[np.bool_], seed: int) -> Floats:
    """The weights [K, D] of members fitted to resampled labels, with a normal prior of deviation 1."""
    rng, num = np.random.default_rng(seed), len(a_preferred)
    rows = rng.integers(num, size=(NUM_MEMBERS, num))
    return np.array([logistic_weights(differences[drawn], a_preferred[drawn], 1 / num) for drawn in rows])


def held_out_accuracy(world: World, weights: Floats) -> float:
    """Of the mean score, over all pairs of answers to the prompts outside the pile."""
    score = world.held_seen @ weights.mean(axis=0)
    a, b = np.triu_indices(NUM_ANSWERS, 1)
    return float(((score[:, a] > score[:, b]) == (world.held_worth[:, a] > world.held_worth[:, b])).mean())


def gains(kind: str, seeds: Sequence[int]) -> dict[Strategy, Floats]:
    """By strategy, held-out accuracy above that of random choice [seeds, batches]: the same worlds, the same luck."""
    worlds = [World.of(kind, seed) for seed in seeds]
    curves = {
        strategy: np.array([curve(world, strategy, seed) for world, seed in zip(worlds, seeds, strict=True)])
        for strategy in Strategy
    }
    at_random = curves.pop(Strategy.RANDOM)
    return {strategy: found - at_random for strategy, found in curves.items()}
