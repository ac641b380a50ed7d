"""Crowds too many for a matrix over all of them: the same intervals, and memory that grows as the crowd does."""

import tracemalloc

import numpy as np
import pytest

from plaudit.statistics import skill
from plaudit.statistics.skill import PairVerdicts, Skills, inferred_skills


def judged(num_people: int, judgements_a_person: int, overlap: int = 3, seed: int = 0) -> PairVerdicts:
    """Three in ten click at random, one in ten turns verdicts round, the others are right 0.65 to 0.9 of the time."""
    rng = np.random.default_rng(seed)
    right = rng.uniform(0.65, 0.9, num_people)
    right[: 3 * num_people // 10] = 0.5
    right[3 * num_people // 10 : 4 * num_people // 10] = 0.2
    num_pairs = num_people * judgements_a_person // overlap
    turns = [rng.permutation(num_people) for _ in range(judgements_a_person)]
    person = np.concatenate(turns)[: num_pairs * overlap]
    truth = rng.integers(0, 2, num_pairs).repeat(overlap)
    said = np.where(rng.random(len(person)) < right[person], truth, 1 - truth)
    return PairVerdicts.of(np.arange(num_pairs).repeat(overlap), person, said, rng.choice([-1, 1], len(person)))


def contradicting(num_couples: int) -> PairVerdicts:
    """Couples whom nobody else is compared with, who say the same of the first three pairs of thirty."""
    said = np.tile([1, 0, 1] + [1, 0] * 13 + [1], num_couples)
    same = np.tile(np.arange(30) < 3, num_couples)
    pair = np.arange(30 * num_couples).repeat(2)
    person = 2 * (pair // 30) + np.tile([0, 1], 30 * num_couples)
    return PairVerdicts.of(pair, person, np.stack([said, np.where(same, said, 1 - said)], axis=1).ravel())


def peak_mib(verdicts: PairVerdicts) -> tuple[float, Skills]:
    """The memory asked for at once, and what was found."""
    tracemalloc.start()
    try:
        found = inferred_skills(verdicts, num_draws=20)
        return tracemalloc.get_traced_memory()[1] / 2**20, found
    finally:
        tracemalloc.stop()


def test_both_ways_agree_at_600_people(monkeypatch: pytest.MonkeyPatch) -> None:
    """Within what 200 draws can tell: 3 % of a deviation on the mean; of the ends of intervals as much as another seed."""
    verdicts = judged(600, 20)
    exact, again = inferred_skills(verdicts), inferred_skills(verdicts, seed=1)
    monkeypatch.setattr(skill, "_MAX_DENSE_PEOPLE", 599)
    monkeypatch.setattr(skill._Strict, "observed_information", None)
    found = inferred_skills(verdicts)
    for one, other in zip(
        (found.a_better, found.skill, found.bias), (exact.a_better, exact.skill, exact.bias), strict=True
    ):
        assert np.array_equal(one, other)
    assert np.sqrt(np.mean((found.std / exact.std - 1) ** 2)) < 0.03
    assert (found.std / exact.std).mean() == pytest.approx(1, abs=0.01)
    assert (found.high - found.low).mean() == pytest.approx((exact.high - exact.low).mean(), rel=0.01)
    for end, of_exact, by_luck in ((found.low, exact.low, again.low), (found.high, exact.high, again.high)):
        assert np.abs(end - of_exact).mean() < 1.05 * np.abs(by_luck - of_exact).mean() < 0.03
        assert (end - of_exact).mean() == pytest.approx(0, abs=0.005)
    assert (found.low <= found.a_better).all()
    assert (found.a_better <= found.high).all()


def test_memory_grows_as_the_crowd_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """20,000 people, 20 verdicts each, in less than a matrix over people would take were its entries a byte (381 MiB).

    Two rounds of the fit: memory does not depend on their number.
    """
    monkeypatch.setattr(skill, "_MAX_ROUNDS", 2)
    monkeypatch.setattr(skill._Strict, "observed_information", None)
    (fewer, _), (more, found) = (peak_mib(judged(num, 20)) for num in (5_000, 20_000))
    assert more < 4.2 * fewer
    assert more < 20_000**2 / 2**20
    assert found.std.shape == (20_000,)
    for array in (found.a_better, found.low, found.high, found.skill, found.bias, found.std):
        assert np.isfinite(array).all()


def test_a_pair_that_all_judge_takes_no_memory_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(skill, "_MAX_ROUNDS", 2)
    monkeypatch.setattr(skill._Strict, "observed_information", None)
    num_people, rng = 6_000, np.random.default_rng(0)
    everybody = PairVerdicts.of(
        np.arange(4).repeat(num_people), np.tile(np.arange(num_people), 4), rng.random(4 * num_people) < 0.7
    )
    peak, found = peak_mib(everybody)
    assert peak < 2 * num_people**2 / 2**20
    assert found.a_better.min() > 0.99


def test_couples_who_contradict_each_other_stay_equal_and_uncertain_in_a_crowd() -> None:
    verdicts = contradicting(num_couples=505)
    found = inferred_skills(verdicts, num_draws=100)
    assert np.ptp(found.skill) < 1e-6
    # As far as the prior lets a skill lie: its deviation is 1.
    assert (found.std > 1).all()
    disagreed = np.arange(30 * 505) % 30 >= 3
    assert found.a_better[disagreed] == pytest.approx(np.full(27 * 505, 0.5), abs=1e-6)
    assert np.quantile(found.low[disagreed], 0.95) < 0.05
    assert np.quantile(found.high[disagreed], 0.05) > 0.95
