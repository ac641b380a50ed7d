"""Skills and pairs' chances against the marginal likelihood written out, and on crowds whose truth is known."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit, logit

from plaudit.statistics import skill
from plaudit.statistics.dawid_skene import dawid_skene
from plaudit.statistics.skill import PairVerdicts, SkillPrior, inferred_skills

Floats = NDArray[np.float64]
PRIOR = SkillPrior()


def crowd(
    accuracy: Floats, num_pairs: int, overlap: int, seed: int = 0, bias: Floats | None = None
) -> tuple[Floats, PairVerdicts]:
    """+1 where a is better, and the verdicts of people of these accuracies and leanings to the left (log-odds)."""
    rng = np.random.default_rng(seed)
    lean = np.zeros(len(accuracy)) if bias is None else bias
    truth = rng.choice([-1.0, 1.0], num_pairs)
    people = np.stack([rng.permutation(len(accuracy))[:overlap] for _ in range(num_pairs)]).ravel()
    pair = np.repeat(np.arange(num_pairs), overlap)
    a_left = rng.choice([-1.0, 1.0], len(pair))
    says_left = rng.random(len(pair)) < expit(logit(accuracy)[people] * truth[pair] * a_left + lean[people])
    return truth, PairVerdicts.of(pair, people, says_left == (a_left > 0), a_left)


def slow_loss(x: Floats, verdicts: PairVerdicts, prior: SkillPrior) -> float:
    """Minus the log of the verdicts' probability, the better answers summed out, with the priors: a verdict at a time."""
    skill, bias = np.split(x, 2)
    logs: dict[int, list[float]] = {}
    for i, j, for_a, left in zip(verdicts.pair, verdicts.person, verdicts.for_a, verdicts.a_left, strict=True):
        if for_a == 0.5:
            continue
        both = logs.setdefault(int(i), [0.0, 0.0])
        for k, better in enumerate((1.0, -1.0)):
            says_a = 1 / (1 + math.exp(-(better * skill[j] + left * bias[j])))
            both[k] += math.log(says_a if for_a == 1 else 1 - says_a)
    loss = -sum(math.log(math.exp(a) / 2 + math.exp(b) / 2) for a, b in logs.values())
    loss += float(((skill - prior.skill_mean) ** 2).sum()) / (2 * prior.skill_std**2)
    return loss + float((bias**2).sum()) / (2 * prior.bias_std**2)


def test_one_careful_persons_word_worked_by_hand() -> None:
    """With skill log 4 a verdict is right four times in five; the prior is so narrow that nothing is learnt."""
    prior = SkillPrior(skill_mean=math.log(4), skill_std=1e-4, bias_std=1e-4)
    found = inferred_skills(PairVerdicts.of([0, 1, 1, 2], [0, 0, 1, 0], [1, 0, 1, 0.5]), prior=prior)
    assert found.a_better.tolist() == pytest.approx([0.8, 0.5, 0.5], abs=1e-4)
    assert found.accuracy.tolist() == pytest.approx([0.8, 0.8], abs=1e-4)
    # One of two says a, the other a tie: half way from 0.8 to a coin.
    tied = inferred_skills(PairVerdicts.of([0, 0], [0, 1], [1, 0.5]), prior=prior)
    assert tied.a_better.tolist() == pytest.approx([0.65], abs=1e-4)


def test_a_lean_to_the_left_worked_by_hand() -> None:
    """Skill log 4 and bias log 2: says left with odds 8 to 1 where left is better, 1 to 2 where right is."""
    verdicts = PairVerdicts.of([0, 1], [0, 0], [1, 1], [1, -1])
    prior = SkillPrior(skill_mean=math.log(4), skill_std=1e-4, bias_std=1e-4)
    found = inferred_skills(verdicts, prior=prior)
    assert found.a_better[0] == pytest.approx(found.a_better[1], abs=1e-3)
    chance = skill._Strict.of(verdicts).chances(np.full(1, math.log(4)), np.full(1, math.log(2)))
    # Said left, a on the left: (8/9) / (1/3); a on the right and said right: (2/3) / (1/9).
    assert chance.tolist() == pytest.approx([(8 / 9) / (8 / 9 + 1 / 3), (2 / 3) / (2 / 3 + 1 / 9)])


@pytest.mark.parametrize("seed", range(3))
def test_the_fit_is_the_maximum_of_the_marginal_likelihood(seed: int) -> None:
    rng = np.random.default_rng(seed)
    _, verdicts = crowd(rng.uniform(0.3, 0.9, 6), 60, 4, seed, rng.normal(0, 0.5, 6))
    found = inferred_skills(verdicts)
    at = np.r_[found.skill, found.bias]
    for i in range(12):
        step = np.zeros(12)
        step[i] = 1e-5
        slope = (slow_loss(at + step, verdicts, PRIOR) - slow_loss(at - step, verdicts, PRIOR)) / 2e-5
        assert abs(slope) < 1e-4
    curvature = np.empty((12, 12))
    for i in range(12):
        step = np.zeros(12)
        step[i] = 1e-4
        for j in range(12):
            other = np.zeros(12)
            other[j] = 1e-4
            corners = [slow_loss(at + a * step + b * other, verdicts, PRIOR) * a * b for a in (-1, 1) for b in (-1, 1)]
            curvature[i, j] = sum(corners) / 4e-8
    assert np.sqrt(np.diag(np.linalg.inv(curvature))[:6]) == pytest.approx(found.std, rel=1e-3)
    best = minimize(slow_loss, at + 0.1, (verdicts, PRIOR), method="BFGS", options={"gtol": 1e-7}).x
    assert np.abs(best - at).max() < 1e-4


def test_liars_are_turned_round_clickers_ignored_and_leaners_set_straight() -> None:
    accuracy = np.array([0.85, 0.8, 0.75, 0.8, 0.5, 0.15])
    lean = np.array([0, 0, 0, 1.5, 0, 0.0])
    truth, verdicts = crowd(accuracy, 800, 4, bias=lean)
    found = inferred_skills(verdicts)
    assert np.abs(found.skill[:3] - logit(accuracy[:3])).max() < 0.35
    assert found.bias[3] == pytest.approx(1.5, abs=0.4)
    assert np.abs(np.delete(found.bias, 3)).max() < 0.4
    assert abs(found.skill[4]) < 0.3
    assert found.skill[5] < -1
    right = ((found.a_better > 0.5) == (truth > 0)).mean()
    votes = np.bincount(verdicts.pair, 2 * verdicts.for_a - 1)
    by_majority = np.where(votes == 0, 0.5, (votes > 0) == (truth > 0)).mean()
    assert right > by_majority + 0.05


@given(st.integers(0, 30))
def test_names_of_people_and_answers_change_nothing(seed: int) -> None:
    rng = np.random.default_rng(seed)
    _, verdicts = crowd(rng.uniform(0.4, 0.9, 5), 40, 3, seed)
    people, flip = rng.permutation(5), rng.choice([-1.0, 1.0], 40)
    side = flip[verdicts.pair]
    again = PairVerdicts.of(
        verdicts.pair,
        people[verdicts.person],
        np.where(side > 0, verdicts.for_a, 1 - verdicts.for_a),
        verdicts.a_left * side,
    )
    before, after = inferred_skills(verdicts, num_draws=2), inferred_skills(again, num_draws=2)
    assert np.allclose(after.skill[people], before.skill, atol=1e-5)
    assert np.allclose(after.bias[people], before.bias, atol=1e-5)
    assert np.allclose(after.a_better, np.where(flip > 0, before.a_better, 1 - before.a_better), atol=1e-5)


def test_intervals_hold_the_chance_and_shrink_as_people_are_known() -> None:
    accuracy = np.full(8, 0.8)
    few, many = (inferred_skills(crowd(accuracy, num, 3)[1]) for num in (10, 1000))
    for found in (few, many):
        assert (found.low <= found.a_better).all()
        assert (found.a_better <= found.high).all()
    assert (few.high - few.low).mean() > 3 * (many.high - many.low).mean()
    assert few.std.mean() > 2 * many.std.mean()


def test_one_verdict_a_pair_leaves_skills_at_the_prior() -> None:
    """Nobody is compared with anybody: what is said of a person is what was thought before."""
    found = inferred_skills(crowd(np.array([0.9, 0.5, 0.1]), 300, 1)[1])
    assert np.abs(found.skill - PRIOR.skill_mean).max() < 0.2
    assert (found.std > 0.5).all()


def test_only_ties_say_nothing() -> None:
    found = inferred_skills(PairVerdicts.of([0, 0, 1], [0, 1, 0], [0.5, 0.5, 0.5]))
    assert found.a_better.tolist() == [0.5, 0.5]
    assert found.std.tolist() == [PRIOR.skill_std, PRIOR.skill_std]


def camps(size: int, num_pairs: int, agreed: int, seed: int = 0) -> PairVerdicts:
    """Two camps, each of one mind, that say the same of the first pairs and the opposite of the others."""
    rng = np.random.default_rng(seed)
    first = rng.integers(0, 2, num_pairs)
    second = np.where(np.arange(num_pairs) < agreed, first, 1 - first)
    said = np.stack([first] * size + [second] * size, axis=1).ravel()
    order = rng.permutation(len(said))
    pair, person = np.arange(num_pairs).repeat(2 * size), np.tile(rng.permutation(2 * size), num_pairs)
    return PairVerdicts.of(pair[order], person[order], said[order])


def held(posterior: Floats, values: Floats, low: float, high: float) -> float:
    """How much of a posterior on a grid lies between two values."""
    return float(posterior[(values >= low) & (values <= high)].sum())


@pytest.mark.parametrize(("num_pairs", "agreed"), [(5, 0), (10, 1), (10, 3), (30, 0), (30, 9), (100, 10), (100, 30)])
def test_two_who_contradict_each_other_are_equals_and_intervals_reach_both_peaks(num_pairs: int, agreed: int) -> None:
    """Against the posterior of both skills on a grid, bias left out: without sides it says nothing."""
    found = inferred_skills(camps(1, num_pairs, agreed))
    assert found.skill[0] == pytest.approx(found.skill[1], abs=1e-6)
    assert found.a_better[agreed:] == pytest.approx(np.full(num_pairs - agreed, 0.5), abs=1e-6)
    x, y = np.meshgrid(np.linspace(-7, 8.4, 309), np.linspace(-7, 8.4, 309))
    same = expit(x) * expit(y) + expit(-x) * expit(-y)
    logs = agreed * np.log(same) + (num_pairs - agreed) * np.log1p(-same)
    logs -= ((x - PRIOR.skill_mean) ** 2 + (y - PRIOR.skill_mean) ** 2) / (2 * PRIOR.skill_std**2)
    posterior = np.exp(logs - logs.max())
    posterior /= posterior.sum()
    assert held(posterior, expit(x - y), found.low[-1], found.high[-1]) > 0.95
    assert held(posterior, x, found.skill[0] - 1.96 * found.std[0], found.skill[0] + 1.96 * found.std[0]) > 0.95
    for pair in range(agreed):
        low, high = found.low[pair], found.high[pair]
        low, high = (low, high) if found.a_better[pair] > 0.5 else (1 - high, 1 - low)
        assert max(held(posterior, expit(x + y), low, high), held(posterior, expit(-x - y), low, high)) > 0.95


@pytest.mark.parametrize("shape", [(2, 10, 1), (2, 100, 30), (3, 30, 3), (4, 30, 9), (5, 100, 10)])
def test_neither_of_two_camps_is_called_liars(shape: tuple[int, int, int]) -> None:
    """Whatever the order of names: rounding has no say, however many rounds the fit takes."""
    for seed in range(3):
        found = inferred_skills(camps(*shape, seed=seed))
        assert np.ptp(found.skill) < 1e-6
        assert (found.std > 2 * PRIOR.skill_std).all()
        disagreed = slice(shape[2], None)
        assert found.a_better[disagreed] == pytest.approx(np.full(shape[1] - shape[2], 0.5), abs=1e-6)
        assert found.low[disagreed].max() < 0.01
        assert found.high[disagreed].min() > 0.99


def test_one_more_voice_settles_who_is_right() -> None:
    """Camps of two that agree on a tenth of the pairs, and a fifth person of one camp's mind: nothing is flat any more."""
    even = camps(2, 30, 3)
    last = even.person == 0
    joined = PairVerdicts.of(
        np.r_[even.pair, even.pair[last]], np.r_[even.person, np.full(30, 4)], np.r_[even.for_a, even.for_a[last]]
    )
    found = inferred_skills(joined)
    assert found.skill[[0, 4]].min() > 1.5
    assert np.sort(found.skill)[:2].max() < -1
    assert found.std.max() < PRIOR.skill_std


verdict = st.tuples(
    st.integers(0, 4), st.integers(0, 4), st.sampled_from([0.0, 0.5, 1.0]), st.sampled_from([-1.0, 0.0, 1.0])
)
opposed = st.lists(st.sampled_from([0.0, 1.0]), min_size=2, max_size=4).flatmap(
    lambda row: st.integers(1, 30).map(
        lambda num: [(i, j, said if i % 2 else 1 - said, 0.0) for i in range(num) for j, said in enumerate(row)]
    )
)


@given(st.lists(verdict, min_size=1, max_size=40) | opposed, st.sampled_from([PRIOR, SkillPrior(0.0, 3.0, 2.0)]))
def test_any_table_of_verdicts_gives_finite_numbers_and_intervals_that_hold_them(
    table: list[tuple[int, int, float, float]], prior: SkillPrior
) -> None:
    verdicts = PairVerdicts.of(*zip(*table, strict=True))
    found = inferred_skills(verdicts, prior=prior, num_draws=10)
    for array in (found.a_better, found.low, found.high, found.skill, found.bias, found.std, found.accuracy):
        assert np.isfinite(array).all()
    assert (found.std > 0).all()
    assert (found.low >= 0).all()
    assert (found.low <= found.a_better).all()
    assert (found.a_better <= found.high).all()
    assert (found.high <= 1).all()


@pytest.mark.parametrize(
    ("lists", "message"),
    [
        (([], [], []), "lists of one length above 0"),
        (([0], [0, 1], [1]), "lists of one length"),
        (([0], [0], [0.3]), "for_a is 1, 0 or 0.5"),
        (([0], [0], [1], [2]), "a_left is 1, -1 or 0"),
        (([-1], [0], [1]), "numbered from 0"),
    ],
)
def test_bad_verdicts_are_refused(lists: tuple[object, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        PairVerdicts.of(*lists)  # type: ignore[arg-type]


def test_dawid_skene_against_loops() -> None:
    """The same expectation-maximisation, written with loops over labels."""
    rng = np.random.default_rng(0)
    truth, people = rng.integers(0, 3, 50), np.tile(np.arange(4), 50)
    items = np.repeat(np.arange(50), 4)
    right = rng.random(200) < np.array([0.9, 0.7, 0.6, 0.3])[people]
    labels = np.where(right, truth[items], rng.integers(0, 3, 200))
    found = dawid_skene(items, people, labels, 3)
    posterior = np.array([[(labels[items == i] == c).sum() for c in range(3)] for i in range(50)], float)
    posterior = (posterior + 1 / 3) / (posterior.sum(1, keepdims=True) + 1)
    for _ in range(500):
        confusion = np.full((4, 3, 3), 0.5) + 1.5 * np.eye(3)
        for i, j, said in zip(items, people, labels, strict=True):
            confusion[j, :, said] += posterior[i]
        confusion /= confusion.sum(-1, keepdims=True)
        prior = (posterior.sum(0) + 1) / 53
        posterior = np.tile(prior, (50, 1))
        for i, j, said in zip(items, people, labels, strict=True):
            posterior[i] *= confusion[j, :, said]
        posterior /= posterior.sum(1, keepdims=True)
    assert np.abs(found.posterior - posterior).max() < 1e-6
    assert np.abs(found.confusion - confusion).max() < 1e-6
    assert np.abs(found.prior - prior).max() < 1e-6
    assert (found.posterior.argmax(1) == truth).mean() > 0.8
    assert found.confusion[0].diagonal().mean() > found.confusion[3].diagonal().mean()


@pytest.mark.parametrize(
    ("lists", "settings", "message"),
    [
        (([0], [0], [2]), {"num_classes": 2}, r"labels must lie in 0\.\.1"),
        (([0], [0], []), {"num_classes": 2}, "three lists of one length"),
        (([0], [0], [0]), {"num_classes": 2, "wrong": 0.0}, "counts must be above 0"),
    ],
)
def test_bad_labels_are_refused(lists: tuple[object, ...], settings: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        dawid_skene(*lists, **settings)  # type: ignore[arg-type]
