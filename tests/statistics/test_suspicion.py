"""Who is flagged, and how often wrongly."""

import math

import numpy as np
import pytest

from plaudit.statistics.skill import PairVerdicts, SkillPrior, inferred_skills, others_opinion
from plaudit.statistics.suspicion import Suspicion, suspicion
from tests.statistics.test_skill import crowd


def test_the_others_opinion_leaves_a_person_out() -> None:
    """Skill log 4: one verdict for a gives 0.8, two 16/17, one for and one against a coin."""
    prior = SkillPrior(skill_mean=math.log(4), skill_std=1e-4, bias_std=1e-4)
    verdicts = PairVerdicts.of([0, 0, 0, 1, 2, 2], [0, 1, 2, 0, 0, 1], [1, 1, 0, 1, 0.5, 0])
    person, agrees = others_opinion(verdicts, inferred_skills(verdicts, prior=prior))
    assert person.tolist() == [0, 1, 2, 0, 1]
    # Of the third: two said a, it says b. The fourth is alone on its pair, and so is the one beside the tie.
    assert agrees.tolist() == pytest.approx([0.5, 0.5, 1 / 17, 0.5, 0.5], abs=1e-4)


def found_in(accuracy: list[float], num_pairs: int = 500, overlap: int = 5, seed: int = 0) -> Suspicion:
    _, verdicts = crowd(np.array(accuracy), num_pairs, overlap, seed)
    return suspicion(verdicts, inferred_skills(verdicts, num_draws=2), num_draws=400)


def test_clickers_and_liars_are_flagged_and_told_apart() -> None:
    found = found_in([0.85] * 8 + [0.5, 0.5, 0.15])
    assert found.flagged().tolist() == [False] * 8 + [True] * 3
    assert found.flagged_together().tolist() == [False] * 8 + [True] * 3
    assert (found.clicker[8:10] > 0.95).all()
    assert found.liar[10] > 0.95
    assert (found.clicker[:8] + found.liar[:8] < 0.05).all()
    assert found.honest_accuracy == pytest.approx(0.85, abs=0.04)


def test_a_crowd_of_honest_people_is_rarely_flagged() -> None:
    flagged = [found_in([0.8] * 12, 120, seed=seed).flagged(0.05).mean() for seed in range(12)]
    assert 0 < np.mean(flagged) < 0.09


def test_who_gave_few_verdicts_or_stands_alone_is_not_flagged() -> None:
    rng = np.random.default_rng(0)
    _, verdicts = crowd(np.full(6, 0.85), 200, 5)
    extra = 3
    together = PairVerdicts.of(
        np.concatenate([verdicts.pair, rng.integers(0, 200, extra), [200, 201, 202]]),
        np.concatenate([verdicts.person, np.full(extra, 6), np.full(3, 7)]),
        np.concatenate([verdicts.for_a, rng.integers(0, 2, extra), [0, 0, 1]]),
        np.concatenate([verdicts.a_left, np.ones(extra + 3)]),
    )
    found = suspicion(together, inferred_skills(together, num_draws=2), num_draws=400)
    assert found.num_verdicts.tolist()[6:] == [3, 3]
    assert not found.flagged()[7]
    assert found.p_value[7] == 1.0


def test_the_rate_among_those_flagged_worked_by_hand() -> None:
    """Five tested at 0.1: the bounds are 0.02, 0.04, 0.06, 0.08, 0.1; the third, 0.05, is the last to keep its own."""
    p = np.array([0.9, 0.05, 0.01, 0.045, 0.085])
    found = Suspicion(p, p, p, np.ones(5, int), 0.8)
    assert found.flagged_together(0.1).tolist() == [False, True, True, True, False]
    assert not found.flagged_together(0.01).any()
    assert found.flagged(0.01).tolist() == [False, False, True, False, False]
