"""Simulated people of every habit: careful or not, leaning to one side, tiring, lying, in league, quick to call a tie."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from plaudit.runs.seeds import spawn_seed
from plaudit.schemas.feedback import Verdict
from plaudit.testing.people import ranks_of

_VERDICTS = {(0, 1): Verdict.A, (1, 0): Verdict.B, (0, 0): Verdict.TIE}
_TIME_SPREAD, _SHARP = 0.5, 1000.0


@dataclass(frozen=True, slots=True)
class Shown:
    """An item as one person sees it: the names and the utilities of its answers, in the order of display.

    An answer's name stands for its text and is the same wherever the answer is shown. Ratings want utilities in [0, 1].
    """

    item: str
    answers: tuple[str, ...]
    utilities: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.answers) != len(self.utilities) or not self.answers:
            raise ValueError(
                f"one utility an answer, and at least one of them: {len(self.answers)} answers, "
                f"{len(self.utilities)} utilities"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotator:
    """A person whose answer to an item follows from `seed`, the person's name and the item: whoever asks, and when.

    What is felt of an answer is skill * utility plus noise of Gumbel's law, so that of two answers the better is put first
    with log-odds skill * difference (Bradley and Terry 1952), and several are ranked as one would choose the best again and
    again (Plackett 1975; why Gumbel's law does that: Yellott 1977). Verdicts and ranks are by place of display.
    """

    name: str
    skill: float = 20.0
    """How sharply utilities are seen, in log-odds for a difference of 1. 0 is one who clicks at random."""
    left_lean: float = 0.0
    """The log-odds by which the answer shown first is favoured over the one shown last, falling evenly in between."""
    fatigue: float = 0.0
    """How much of the noise each answer already given adds: skill / (1 + fatigue * ordinal) is left."""
    lie_frac: float = 0.0
    """On this share of items the worse answer is taken for the better."""
    tie: float = 0.0
    """Answers felt closer than this, in log-odds, are called equal (Rao and Kupper 1967)."""
    circle: str = ""
    """People of one circle judge by worths they agreed on in secret, not by utilities. Empty: by oneself."""
    reading_s: float = 12.0
    """The median of the seconds spent on each answer that is shown."""
    seed: int = 0
    """The world's seed: the same for all who are to share a circle."""

    def __post_init__(self) -> None:
        for name, value in (("skill", self.skill), ("fatigue", self.fatigue), ("tie", self.tie)):
            if not 0 <= value < math.inf:
                raise ValueError(f"{name} must be at least 0 and finite, got {value}: lie_frac turns verdicts round")
        if not 0 <= self.lie_frac <= 1:
            raise ValueError(f"lie_frac is a share of items in [0, 1], got {self.lie_frac}")
        if not self.reading_s > 0:
            raise ValueError(f"reading_s must be above 0, got {self.reading_s}")

    def ranks(self, shown: Shown, ordinal: int = 0) -> tuple[int, ...]:
        """One rank an answer in the order of display, 0 best, equal ranks for ties.

        `ordinal` is how many items this person has answered before, the only thing beyond person and item that counts.
        """
        skill, last = self._skill(ordinal), max(1, len(shown.answers) - 1)
        felt = [
            skill * worth
            - math.log(-math.log(self._chance("feeling", shown.item, answer)))
            + self.left_lean * (1 - place / last)
            for place, (answer, worth) in enumerate(zip(shown.answers, self._worths(shown), strict=True))
        ]
        return ranks_of(np.array(felt), self.tie)

    def verdict(self, shown: Shown, ordinal: int = 0) -> Verdict:
        """`a` where the answer shown first is preferred, `b` where the second is, or `tie`. Raises ValueError beyond two."""
        if len(shown.answers) != 2:
            raise ValueError(
                f"a verdict is on two answers, item {shown.item!r} shows {len(shown.answers)}: ask for ranks"
            )
        a, b = self.ranks(shown, ordinal)
        return _VERDICTS[a, b]

    def rating(self, shown: Shown, num_points: int = 5, ordinal: int = 0) -> int:
        """The one answer's rating, 1 (worst) to `num_points`.

        P(rating > k) = s(skill * (utility - k / num_points) - logit(k / num_points)), s the logistic function: an ordered
        logit (McCullagh 1980). One who sees sharply divides [0, 1] evenly, one without skill gives all ratings as often.
        """
        if len(shown.answers) != 1:
            raise ValueError(f"a rating is of one answer, item {shown.item!r} shows {len(shown.answers)}")
        if num_points < 2:
            raise ValueError(f"a scale has at least two points, got {num_points}")
        skill = self._skill(ordinal)
        felt = skill * self._worths(shown)[0] + _logit(self._chance("rating", shown.item, shown.answers[0]))
        steps = (k / num_points for k in range(1, num_points))
        return 1 + sum(felt > skill * step + _logit(step) for step in steps)

    def seconds(self, shown: Shown) -> float:
        """The time spent on the item: log-normal, its median `reading_s` an answer."""
        spread = _TIME_SPREAD * NormalDist().inv_cdf(self._chance("time", shown.item))
        return self.reading_s * len(shown.answers) * math.exp(spread)

    def _skill(self, ordinal: int) -> float:
        if ordinal < 0:
            raise ValueError(f"ordinal counts the answers given before, from 0: got {ordinal}")
        return self.skill / (1 + self.fatigue * ordinal)

    def _worths(self, shown: Shown) -> list[float]:
        """What the person holds the answers to be worth, before noise."""
        worths = list(shown.utilities)
        if self.circle:
            worths = [_chance(self.seed, "circle", self.circle, answer) for answer in shown.answers]
        lies = self._chance("lie", shown.item) < self.lie_frac
        return [1 - worth for worth in worths] if lies else worths

    def _chance(self, *names: str) -> float:
        return _chance(self.seed, "person", self.name, *names)


def _chance(seed: int, *names: str) -> float:
    """A number evenly spread over (0, 1), ends excluded, that depends on the seed and the names alone."""
    return ((spawn_seed(seed, *names) >> 11) + 0.5) / 2**52


def _logit(chance: float) -> float:
    return math.log(chance / (1 - chance))


def mixed_crowd(
    num_people: int = 60,
    *,
    clicker_frac: float = 0.3,
    liar_frac: float = 0.1,
    circle_frac: float = 0.0,
    accuracy: tuple[float, float] = (0.65, 0.9),
    gap: float = 0.1,
    seed: int = 0,
) -> tuple[Annotator, ...]:
    """People called p00, p01, ...: first the clickers, then the liars, then those of a circle, then the honest.

    Liars and honest people put the better of two answers whose utilities differ by `gap` first (liars: last) with a chance
    spread evenly between those of `accuracy`. Those of the circle follow its order closely; clickers take a tenth of the
    time. Raises ValueError for shares beyond 1.
    """
    counts = [round(frac * num_people) for frac in (clicker_frac, liar_frac, circle_frac)]
    if min(counts) < 0 or sum(counts) > num_people:
        raise ValueError(f"shares of people must lie in [0, 1] together: {clicker_frac}, {liar_frac}, {circle_frac}")
    clickers, liars, colluders = counts
    low, high = accuracy
    found = []
    for index in range(num_people):
        name = f"p{index:02}"
        right = low + (high - low) * _chance(seed, "accuracy", name)
        skill = _logit(right) / gap
        if index < clickers:
            found.append(Annotator(name=name, skill=0.0, reading_s=1.2, seed=seed))
        elif index < clickers + liars:
            found.append(Annotator(name=name, skill=skill, lie_frac=1.0, seed=seed))
        elif index < clickers + liars + colluders:
            found.append(Annotator(name=name, skill=_SHARP, circle="circle", seed=seed))
        else:
            found.append(Annotator(name=name, skill=skill, seed=seed))
    return tuple(found)
