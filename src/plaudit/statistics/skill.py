"""Which answer of a pair is better, and how far each person's word can be trusted: both from the verdicts alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import block_diag, csr_matrix
from scipy.special import expit

from plaudit.statistics.laplace import dense_draws, sparse_draws

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_MAX_ROUNDS, _ROUNDING = 500, 1e-7
_NEWTON_STEPS = 3
_TURNED_BACK, _MATTERS, _DIGITS = 100.0, 1e-3, 9
_MAX_DENSE_PEOPLE = 1000


@dataclass(frozen=True, slots=True)
class PairVerdicts:
    """N verdicts on pairs of answers a and b.

    `for_a` is 1 where a was preferred, 0 where b was, 0.5 for a tie; `a_left` is 1 where a stood on the left, -1 where it
    stood on the right, 0 where the sides are not known.
    """

    pair: Ints
    person: Ints
    for_a: Floats
    a_left: Floats

    @classmethod
    def of(cls, pair: ArrayLike, person: ArrayLike, for_a: ArrayLike, a_left: ArrayLike | None = None) -> PairVerdicts:
        """The verdicts, checked. Pairs and people are numbered from 0. Raises ValueError for what does not fit."""
        pairs, people = np.asarray(pair, np.int64), np.asarray(person, np.int64)
        said = np.asarray(for_a, np.float64)
        side = np.zeros(len(said)) if a_left is None else np.asarray(a_left, np.float64)
        if not (pairs.shape == people.shape == said.shape == side.shape and said.ndim == 1 and len(said)):
            shapes = [array.shape for array in (pairs, people, said, side)]
            raise ValueError(f"pair, person, for_a and a_left must be lists of one length above 0: got {shapes}")
        if not np.isin(said, (0.0, 0.5, 1.0)).all() or not np.isin(side, (-1.0, 0.0, 1.0)).all():
            raise ValueError("for_a is 1, 0 or 0.5 for a tie; a_left is 1, -1 or 0 where it is not known")
        if pairs.min() < 0 or people.min() < 0:
            raise ValueError("pairs and people are numbered from 0")
        return cls(pairs, people, said, side)


@dataclass(frozen=True, slots=True)
class SkillPrior:
    """Normal priors: of skills (log-odds of a right verdict, left bias apart), and of biases around 0."""

    skill_mean: float = 0.7
    skill_std: float = 1.0
    bias_std: float = 0.5


@dataclass(frozen=True, slots=True)
class Skills:
    """`a_better` [I]: P(a is better); `low`, `high` [I] what that becomes as the people's skills are moved within reason.

    `skill` [J]: the log-odds with which a person's strict verdict is right, bias apart: 0 says nothing, below 0 turns
    verdicts round. `bias` [J]: how far they lean to the left. `std` [J]: the deviation of `skill`.
    """

    a_better: Floats
    low: Floats
    high: Floats
    skill: Floats
    bias: Floats
    std: Floats

    @property
    def accuracy(self) -> Floats:
        """P(a strict verdict is right) [J], sides balanced."""
        mean: Floats = (expit(self.skill + self.bias) + expit(self.skill - self.bias)) / 2
        return mean


def inferred_skills(
    verdicts: PairVerdicts,
    *,
    prior: SkillPrior | None = None,
    level: float = 0.95,
    num_draws: int = 200,
    seed: int = 0,
) -> Skills:
    """P(a is better) for every pair and everybody's skill, by expectation-maximisation.

    P(says the left one | the left one is better) = s(skill + bias), P(says the left one | the right one is better) =
    s(bias - skill), s the logistic function: the confusion matrix of Dawid and Skene (1979) over sides, in coordinates
    that can have priors of their own. A liar's verdicts count, turned round; a clicker's count for nothing. Without sides
    bias is 0. Ties say nothing of who is better, nor of skill; a pair's chance is drawn to a half by the share of ties among
    its verdicts, each weighing as much as its person's skill.

    One verdict a pair cannot tell skill from luck: then skills stay near the prior's mean, and say so by their deviation.

    Where two people, or two camps, contradict each other more than they agree, the posterior has one peak with either in the
    right, alike but for the names. Everybody starts equal, so what the verdicts do not tell apart ends equal, on the saddle
    between the peaks: a step to one of them would let rounding, or who was numbered first, say who lies. The intervals are
    then wide enough for both peaks (`plaudit.statistics.laplace`).

    Intervals are exact, up to the normal curve, for 1000 people at most, in memory quadratic and time cubic in people. Above
    that they come from `sparse_draws`, in memory and time linear in verdicts.
    """
    prior, known = prior or SkillPrior(), _Strict.of(verdicts)
    skill, bias, chance = _fit(known, prior)
    moves, std = known.displacements(skill, bias, chance, prior, num_draws, seed)
    drawn = np.empty((num_draws, known.num_pairs))
    for row, more in zip(drawn, moves, strict=True):
        row[:] = known.chances(skill + more[:, 0], bias + more[:, 1])
    low, high = np.quantile(drawn, [0.5 - level / 2, 0.5 + level / 2], axis=0, overwrite_input=True)
    sure = 1 - _tie_shares(known.num_pairs, verdicts, skill)
    return Skills(
        0.5 + sure * (chance - 0.5),
        0.5 + sure * (np.minimum(low, chance) - 0.5),
        0.5 + sure * (np.maximum(high, chance) - 0.5),
        skill,
        bias,
        std,
    )


def _fit(known: _Strict, prior: SkillPrior) -> tuple[Floats, Floats, Floats]:
    """Skill [J], bias [J] and P(a is better) [I].

    Rounding grows where steps get longer again after having been short: there it may be all that tells people apart. Then
    a fit on rounded numbers, in which equals stay equal, has the say.
    """
    *found, turned_back = _climb(known, prior, None)
    if turned_back:
        *steady, _ = _climb(known, prior, _DIGITS)
        if np.abs(steady[2] - found[2]).max() > _MATTERS:
            found = steady
    return found[0], found[1], found[2]


def _climb(known: _Strict, prior: SkillPrior, digits: int | None) -> tuple[Floats, Floats, Floats, bool]:
    """Skill, bias and chances by expectation-maximisation, and whether its steps got much longer on the way."""
    skill, bias = np.full(known.num_people, prior.skill_mean), np.zeros(known.num_people)
    chance, least, turned_back = known.chances(skill, bias), np.inf, False
    for _ in range(_MAX_ROUNDS):
        for _ in range(_NEWTON_STEPS):
            gradient, information = known.derivatives(skill, bias, chance, prior)
            step = np.linalg.solve(information, gradient[:, :, None])[:, :, 0]
            skill, bias = skill + step[:, 0], bias + step[:, 1]
        if digits is not None:
            skill, bias = np.round(skill, digits), np.round(bias, digits)
        found = known.chances(skill, bias)
        if digits is not None:
            found = np.round(found, digits)
        moved, chance = float(np.abs(found - chance).max()), found
        least, turned_back = min(least, moved), turned_back or moved > _TURNED_BACK * least
        if moved < _ROUNDING:
            break
    return skill, bias, chance, turned_back


def others_opinion(verdicts: PairVerdicts, skills: Skills) -> tuple[Ints, Floats]:
    """For each strict verdict who gave it, and the chance that it is right by the verdicts of all others on its pair."""
    known = _Strict.of(verdicts)
    of_a = known.without(skills.skill, skills.bias)
    return known.person, np.where(known.said_a > 0, of_a, 1 - of_a)


@dataclass(frozen=True, slots=True)
class _Strict:
    """The verdicts that are no ties. `said_a` is 1 or -1; `lean` 1 where the answer said to be better stood on the left."""

    num_pairs: int
    num_people: int
    pair: Ints
    person: Ints
    said_a: Floats
    lean: Floats

    @classmethod
    def of(cls, verdicts: PairVerdicts) -> _Strict:
        strict = verdicts.for_a != 0.5
        said_a = 2 * verdicts.for_a[strict] - 1
        return cls(
            int(verdicts.pair.max()) + 1,
            int(verdicts.person.max()) + 1,
            verdicts.pair[strict],
            verdicts.person[strict],
            said_a,
            verdicts.a_left[strict] * said_a,
        )

    def _logits(self, skill: Floats, bias: Floats) -> tuple[Floats, Floats]:
        """The log-odds of saying what was said, where that is the better answer, and where it is the worse."""
        k, b = skill[self.person], self.lean * bias[self.person]
        return b + k, b - k

    def _evidence(self, skill: Floats, bias: Floats) -> Floats:
        """What each verdict adds to the log-odds of a being better: log of s(bias + skill) / s(bias - skill)."""
        if_better, if_worse = self._logits(skill, bias)
        found: Floats = self.said_a * (np.logaddexp(0.0, -if_worse) - np.logaddexp(0.0, -if_better))
        return found

    def chances(self, skill: Floats, bias: Floats) -> Floats:
        """P(a is better) [I], both answers as likely beforehand."""
        chances: Floats = expit(np.bincount(self.pair, self._evidence(skill, bias), minlength=self.num_pairs))
        return chances

    def without(self, skill: Floats, bias: Floats) -> Floats:
        """For each verdict, P(a is better) by the others on its pair."""
        evidence = self._evidence(skill, bias)
        chances: Floats = expit(np.bincount(self.pair, evidence, minlength=self.num_pairs)[self.pair] - evidence)
        return chances

    def derivatives(self, skill: Floats, bias: Floats, chance: Floats, prior: SkillPrior) -> tuple[Floats, Floats]:
        """The gradient [J, 2] by skill and bias of the log-posterior, the better answers weighed by their chances, and minus
        its second derivative [J, 2, 2]."""
        gradient = np.stack([(prior.skill_mean - skill) / prior.skill_std**2, -bias / prior.bias_std**2], axis=1)
        information = np.tile(np.diag([prior.skill_std**-2, prior.bias_std**-2]), (self.num_people, 1, 1))
        if_better, if_worse = self._logits(skill, bias)
        of_a = chance[self.pair]
        said_better = np.where(self.said_a > 0, of_a, 1 - of_a)
        for sign, weight, logit in ((1.0, said_better, if_better), (-1.0, 1 - said_better, if_worse)):
            wrong, directions = expit(-logit), np.stack([np.full(len(logit), sign), self.lean])
            for i, first in enumerate(directions):
                gradient[:, i] += np.bincount(self.person, weight * wrong * first, minlength=self.num_people)
                for j, second in enumerate(directions):
                    bend = weight * wrong * (1 - wrong) * first * second
                    information[:, i, j] += np.bincount(self.person, bend, minlength=self.num_people)
        return gradient, information

    def observed_information(self, skill: Floats, bias: Floats, chance: Floats, prior: SkillPrior) -> Floats:
        """Minus the second derivative of the marginal log-posterior [2J, 2J], skill and bias of each person side by side.

        That with the better answers known, less the covariance of its gradient over not knowing them (Louis 1982, eq. 3.2):
        one verdict a pair then tells nothing of skill, as it must.
        """
        rows = self._contrasts(skill, bias)
        lost = rows.multiply((chance * (1 - chance))[:, None]).T @ rows
        complete = block_diag(list(self.derivatives(skill, bias, chance, prior)[1]))
        observed: Floats = (complete - lost).toarray()
        return observed

    def displacements(
        self, skill: Floats, bias: Floats, chance: Floats, prior: SkillPrior, num_draws: int, seed: int
    ) -> tuple[Floats, Floats]:
        """Draws [num_draws, J, 2] of how far skill and bias may lie from these, and the deviations of skill [J]."""
        generator = np.random.default_rng(seed)
        if self.num_people <= _MAX_DENSE_PEOPLE:
            prior_std = np.tile([prior.skill_std, prior.bias_std], self.num_people)
            observed = self.observed_information(skill, bias, chance, prior)
            draws, std = dense_draws(observed, prior_std, num_draws, generator)
        else:
            lost = self._contrasts(skill, bias).multiply(np.sqrt(chance * (1 - chance))[:, None]).tocsr()
            draws, std = sparse_draws(self.derivatives(skill, bias, chance, prior)[1], lost, num_draws, generator)
        return draws.reshape(num_draws, self.num_people, 2), std[::2]

    def _contrasts(self, skill: Floats, bias: Floats) -> csr_matrix:
        """How much more the gradient by skill and bias of each person is where a is the better one of a pair [I, 2J]."""
        if_better, if_worse = (expit(-logit) for logit in self._logits(skill, bias))
        more = self.said_a * np.stack([if_better + if_worse, self.lean * (if_better - if_worse)])
        places = np.tile(self.pair, 2), np.concatenate([2 * self.person, 2 * self.person + 1])
        return csr_matrix((more.ravel(), places), shape=(self.num_pairs, 2 * self.num_people))


def _tie_shares(num_pairs: int, verdicts: PairVerdicts, skill: Floats) -> Floats:
    """The share of ties among each pair's verdicts, weighed by how much each person's word says."""
    weight = np.abs(skill[verdicts.person]) + 1e-6
    total = np.bincount(verdicts.pair, weight, minlength=num_pairs)
    tied = np.bincount(verdicts.pair, weight * (verdicts.for_a == 0.5), minlength=num_pairs)
    shares: Floats = np.divide(tied, total, out=np.zeros(num_pairs), where=total > 0)
    return shares
