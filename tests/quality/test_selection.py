"""What is asked next: worked by hand, against slow references, and never worse than chance on a fixed pile."""

from __future__ import annotations

import math
from collections import Counter
from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from plaudit.quality.selection import (
    Candidates,
    Choice,
    Strategy,
    disagreements,
    foresight,
    near_identical,
    next_items,
)
from tests.quality.static_pile import gains

Floats = NDArray[np.float64]
each_strategy = pytest.mark.parametrize("strategy", list(Strategy))


def pool(num: int = 40, num_answers: int = 4, seed: int = 0, num_members: int = 5) -> list[Candidates]:
    rng = np.random.default_rng(seed)
    return [Candidates.of(f"prompt {p}", rng.normal(size=(num_members, num_answers))) for p in range(num)]


def slow_disagreement(scores: Floats, a: int, b: int) -> float:
    chances = [1 / (1 + math.exp(member[b] - member[a])) for member in scores]
    mean = sum(chances) / len(chances)
    return sum((chance - mean) ** 2 for chance in chances) / len(chances)


def test_disagreement_worked_by_hand() -> None:
    """Members say 1/2 and 3/4 of the first pair: 1/64. Both are sure of the second, one ten times as sure: nothing."""
    found = disagreements([[0.0, 0.0, -30.0], [math.log(3), 0.0, -300.0]])
    assert found[0, 1] == found[1, 0] == pytest.approx(1 / 64)
    assert found[1, 2] == pytest.approx(0, abs=1e-12)
    assert np.diag(found).tolist() == [0, 0, 0]
    # Half say surely a, half surely b.
    assert disagreements([[50.0, 0.0], [-50.0, 0.0]])[0, 1] == pytest.approx(0.25)


@given(st.lists(st.lists(st.floats(-5, 5), min_size=3, max_size=3), min_size=1, max_size=4))
def test_disagreement_is_the_variance_of_the_chances(rows: list[list[float]]) -> None:
    scores = np.array(rows)
    found = disagreements(scores)
    for a, b in combinations(range(3), 2):
        assert found[a, b] == pytest.approx(slow_disagreement(scores, a, b), abs=1e-12)
    # What a member adds to all its scores says nothing of which is better.
    assert disagreements(scores + np.arange(len(rows))[:, None]) == pytest.approx(found, abs=1e-9)


def test_near_identical_texts_are_seen() -> None:
    texts = ["Boil the water first.", "boil WATER first!", "Pour the milk in.", "", "", "好的"]
    alike = near_identical(texts)
    assert alike.tolist() == [[bool(alike[j, i]) for j in range(6)] for i in range(6)]
    assert {(i, j) for i, j in combinations(range(6), 2) if alike[i, j]} == {(0, 1), (3, 4)}
    assert np.diag(alike).all()
    # Three of four content words on either side: F1 0.75.
    mild = ["red cat sleeps here tonight", "red cat sleeps outside tonight"]
    assert near_identical(mild, 0.7)[0, 1]
    assert not near_identical(mild, 0.9)[0, 1]


def test_the_most_disputed_pairs_and_prompts_are_asked() -> None:
    """Against a loop over all pairs of all prompts; the random ones are chance's."""
    candidates = pool(30)
    best = {
        one.prompt: max((slow_disagreement(one.scores, a, b), (a, b)) for a, b in combinations(range(4), 2))
        for one in candidates
    }
    chosen = next_items(candidates, 10, Strategy.DISAGREEMENT, seed=3)
    drawn = {choice.prompt for choice in chosen if choice.is_random}
    assert len(drawn) == 2
    others = sorted((one for one in best if one not in drawn), key=lambda name: -best[name][0])[:8]
    asked = {choice.prompt: choice for choice in chosen if not choice.is_random}
    assert set(asked) == set(others)
    for name, choice in asked.items():
        assert choice.answers == best[name][1]
        assert choice.disagreement == pytest.approx(best[name][0])


def test_several_answers_are_those_most_disputed_with_those_before() -> None:
    asked = 0
    for one in pool(20, num_answers=6):
        variance = [[slow_disagreement(one.scores, a, b) for b in range(6)] for a in range(6)]
        shown = list(max(combinations(range(6), 2), key=lambda pair: variance[pair[0]][pair[1]]))
        while len(shown) < 4:
            left = [x for x in range(6) if x not in shown]
            shown.append(max(left, key=lambda x: sum(variance[x][y] for y in shown)))
        # One item is one at random; of two, the other is chosen. A pool of two prompts, this one disputed far more.
        calm = Candidates.of("calm", np.zeros((5, 6)))
        found = next_items([one, calm], 2, Strategy.DISAGREEMENT, num_shown=4, seed=int(one.prompt[7:]))
        for choice in found:
            if choice.prompt != "calm" and not choice.is_random:
                assert choice.answers == tuple(sorted(shown))
                mean = np.mean([variance[a][b] for a, b in combinations(choice.answers, 2)])
                assert choice.disagreement == pytest.approx(mean)
                asked += 1
    assert asked > 5


def thompson_law(favourites: list[int]) -> dict[tuple[int, int], float]:
    """P(pair): one member, then another drawn until its favourite differs, summed over all that may be drawn."""
    law: Counter[tuple[int, int]] = Counter()
    for first, second in product(favourites, repeat=2):
        if first != second:
            others = sum(favourite != first for favourite in favourites)
            law[min(first, second), max(first, second)] += 1 / len(favourites) / others  # type: ignore[assignment]
    return dict(law)


def test_double_thompson_sampling_has_its_law() -> None:
    """Favourites 0, 0, 1, 2, and an answer that is nobody's: {0, 1} and {0, 2} at 5/12 each, {1, 2} at 1/6."""
    scores = 3.0 * np.eye(4)[[0, 0, 1, 2]]
    law = thompson_law([0, 0, 1, 2])
    assert law == pytest.approx({(0, 1): 5 / 12, (0, 2): 5 / 12, (1, 2): 1 / 6})
    candidates = [Candidates.of(str(p), scores) for p in range(4000)]
    chosen = next_items(candidates, 4000, Strategy.THOMPSON)
    found = Counter(choice.answers for choice in chosen if not choice.is_random)
    assert found.total() == 3400
    # Three deviations of 3400 draws are 0.025.
    assert {pair: num / 3400 for pair, num in found.items()} == pytest.approx(law, abs=0.026)


def test_where_all_have_one_favourite_it_meets_the_most_disputed() -> None:
    scores = np.array([[5.0, 1.0, 0.0, -3.0], [5.0, 1.0, 4.5, -3.0]])
    candidates = [Candidates.of(str(p), scores) for p in range(20)]
    chosen = next_items(candidates, 20, Strategy.THOMPSON)
    assert {choice.answers for choice in chosen if not choice.is_random} == {(0, 2)}


def test_random_pairs_are_evenly_spread_over_those_that_may_be_shown() -> None:
    alike = np.zeros((4, 4), bool)
    alike[0, 1] = alike[1, 0] = alike[0, 2] = alike[2, 0] = True
    candidates = [Candidates.of(str(p), np.zeros((1, 4)), alike) for p in range(4000)]
    chosen = next_items(candidates, 4000, Strategy.RANDOM)
    assert all(choice.is_random for choice in chosen)
    counts = Counter(choice.answers for choice in chosen)
    assert set(counts) == {(0, 3), (1, 2), (1, 3), (2, 3)}
    assert [num / 4000 for num in counts.values()] == pytest.approx([0.25] * 4, abs=0.021)


@each_strategy
@given(
    num_prompts=st.integers(1, 6),
    num_answers=st.integers(2, 5),
    num_items=st.integers(0, 40),
    num_shown=st.integers(2, 4),
    seed=st.integers(0, 1000),
)
def test_every_batch_keeps_the_rules(
    strategy: Strategy, num_prompts: int, num_answers: int, num_items: int, num_shown: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    candidates = []
    for p in range(num_prompts):
        half = rng.random((num_answers, num_answers)) < 0.3
        candidates.append(Candidates.of(f"p{p}", rng.normal(size=(3, num_answers)), half | half.T))
    chosen = next_items(candidates, num_items, strategy, num_shown=num_shown, seed=seed)
    of_prompt = {one.prompt: one for one in candidates}
    shown: set[tuple[str, int, int]] = set()
    turns: Counter[str] = Counter()
    for choice in chosen:
        assert 2 <= len(choice.answers) <= num_shown
        assert list(choice.answers) == sorted(set(choice.answers))
        for a, b in combinations(choice.answers, 2):
            assert not of_prompt[choice.prompt].alike_mask[a, b]
            assert (choice.prompt, a, b) not in shown
            shown.add((choice.prompt, a, b))
        turns[choice.prompt] += 1
        # Whoever still has an unseen pair has had its turn before another has two more.
        for one in candidates:
            free = [
                (a, b)
                for a, b in combinations(range(num_answers), 2)
                if not one.alike_mask[a, b] and (one.prompt, a, b) not in shown
            ]
            assert not free or turns[one.prompt] >= turns[choice.prompt] - 1
    assert sum(choice.is_random for choice in chosen) >= 0.15 * len(chosen)
    assert len(chosen) <= num_items
    if len(chosen) < num_items:
        total = sum(int((~one.alike_mask).sum()) // 2 for one in candidates)
        assert len(shown) == total


def test_the_random_share_looks_at_no_score() -> None:
    """The same prompts and answers whatever the members say and whichever way the others are chosen."""

    def drawn(candidates: list[Candidates], strategy: Strategy) -> list[tuple[str, tuple[int, ...]]]:
        chosen = next_items(candidates, 40, strategy, seed=5)
        return [(choice.prompt, choice.answers) for choice in chosen if choice.is_random]

    one, other = pool(100, seed=1), pool(100, seed=2)
    first = drawn(one, Strategy.DISAGREEMENT)
    assert len(first) == 6
    assert first == drawn(other, Strategy.DISAGREEMENT) == drawn(one, Strategy.THOMPSON)
    everything = next_items(one, 40, Strategy.RANDOM, seed=5)
    assert set(first) <= {(choice.prompt, choice.answers) for choice in everything}
    assert len(drawn(pool(100), Strategy.RANDOM)) == 40


def test_all_prompts_have_the_same_chance_of_being_drawn() -> None:
    counts = Counter(
        choice.prompt
        for seed in range(400)
        for choice in next_items(pool(10), 4, Strategy.DISAGREEMENT, seed=seed)
        if choice.is_random
    )
    # 400 draws over ten prompts: 40 each, give or take three deviations of 6.
    assert len(counts) == 10
    assert all(20 < num < 60 for num in counts.values())


@each_strategy
def test_neither_the_pools_order_nor_its_company_changes_a_prompts_draw(strategy: Strategy) -> None:
    candidates = pool(30, seed=4)
    chosen = next_items(candidates, 12, strategy, seed=9)
    assert next_items(candidates[::-1], 12, strategy, seed=9) == chosen
    assert next_items(candidates, 12, strategy, seed=10) != chosen
    # Everybody is asked, in a large pool and in a small one: who is drawn at random differs, the draws do not.
    all_asked, some_asked = (next_items(some, len(some), strategy, seed=9) for some in (candidates, candidates[:12]))
    before = {(choice.prompt, choice.is_random): choice.answers for choice in all_asked}
    shared = [choice for choice in some_asked if (choice.prompt, choice.is_random) in before]
    assert len(shared) > 5
    assert all(before[choice.prompt, choice.is_random] == choice.answers for choice in shared)


def test_random_items_stand_anywhere_among_the_others() -> None:
    """Who stops halfway has seen about as many of them as who goes on."""
    places = [
        place
        for seed in range(60)
        for place, choice in enumerate(next_items(pool(40), 20, Strategy.DISAGREEMENT, seed=seed))
        if choice.is_random
    ]
    assert len(places) == 180
    assert np.mean(places) == pytest.approx(9.5, abs=1.3)  # three deviations: 3 * 5.8 / sqrt(180)


def test_what_cannot_be_asked_is_refused() -> None:
    with pytest.raises(ValueError, match=r"'p': scores must be finite, members by answers, got shape \(3,\)"):
        Candidates.of("p", [1.0, 2.0, 3.0])
    with pytest.raises(ValueError, match="scores must be finite"):
        Candidates.of("p", [[1.0, math.nan]])
    with pytest.raises(ValueError, match="alike_mask must be symmetric, 2 by 2"):
        Candidates.of("p", [[1.0, 2.0]], [[True, True], [False, True]])
    with pytest.raises(ValueError, match=r"random_frac must lie in \[0\.15, 1\], got 0\.1"):
        next_items(pool(), 5, Strategy.THOMPSON, random_frac=0.1)
    with pytest.raises(ValueError, match="at least two answers"):
        next_items(pool(), 5, Strategy.THOMPSON, num_shown=1)
    with pytest.raises(ValueError, match="names a prompt twice: 'prompt 0'"):
        next_items([*pool(3), pool(1)[0]], 5, Strategy.RANDOM)
    with pytest.raises(ValueError, match="'prompt 0' has one member's scores"):
        next_items(pool(3, num_members=1), 5, Strategy.DISAGREEMENT)
    assert len(next_items(pool(3, num_members=1), 3, Strategy.RANDOM)) == 3
    assert next_items([], 3, Strategy.RANDOM) == []
    lone = Candidates.of("p", [[1.0], [2.0]])
    assert next_items([lone], 3, Strategy.DISAGREEMENT) == []


def test_foresight_worked_by_hand() -> None:
    """Four pairs a, b, c, d of which a and b were won by the first: the mean chance has c wrong alone.

    Chances' means .9, .77, .63, .4, variances 0, .036, .142, .127: c is disputed more than each of the three that are right,
    and closer to a half than two of them. Misses are .1, .23, .63, .4, in the order of the variances.
    """

    def logits(*chances: float) -> list[float]:
        return [math.log(chance / (1 - chance)) for chance in chances]

    table = np.array([logits(0.9, 0.9, 0.9), logits(0.5, 0.9, 0.9), logits(0.1, 0.9, 0.9), logits(0.2, 0.1, 0.9)]).T
    found = foresight(table, [1, 1, 0, 0], ["p", "q", "r", "s"], num_resamples=200)
    assert found.auroc.value == 1.0
    assert found.closeness_auroc.value == pytest.approx(2 / 3)
    assert found.rank_correlation.value == pytest.approx(1.0)
    # Some of 200 draws of four hold no error.
    assert math.isnan(found.auroc.low)
    assert found.auroc.n == 4
    tied = foresight(table, [1, 0.5, 0, 0], ["p", "q", "r", "s"], num_resamples=10)
    assert tied.auroc.value == 1.0
    assert tied.closeness_auroc.value == pytest.approx(1 / 2)
    # The miss on b is .27 now, the order stays.
    assert tied.rank_correlation.value == pytest.approx(1.0)


def ensemble(blind: float, num: int = 600, seed: int = 0) -> tuple[Floats, Floats, Floats]:
    """Members' differences, verdicts without noise and prompts; a share of the error is common to all members."""
    rng = np.random.default_rng(seed)
    truth = rng.normal(size=num)
    common, own = rng.normal(size=num), rng.normal(size=(6, num)) * rng.uniform(0.1, 2.5, num)
    return truth + blind * common + (1 - blind) * own, (truth > 0).astype(float), np.arange(num) // 3


def test_shared_blind_spots_show() -> None:
    """Where members err apart, disagreement foretells error, among pairs as close as each other too; where all err together,
    it seems to, and is only closeness."""
    apart, together = (foresight(*ensemble(blind), num_resamples=100) for blind in (0.0, 0.98))
    assert apart.auroc.low > 0.6
    assert apart.rank_correlation.low > 0.3
    assert apart.beyond_closeness.low > 0.53
    assert together.auroc.low > 0.55
    assert together.beyond_closeness.low < 0.5
    assert together.beyond_closeness.value == pytest.approx(
        0.5, abs=0.06
    )  # about its error: 100 errors among 600 pairs


def test_beyond_closeness_worked_by_hand() -> None:
    """Twenty pairs, two of each closeness, one of them wrong: in seven of ten the wrong one is disputed more."""
    chances, wins = [], []
    for tenth in range(10):
        mean = 0.55 + 0.04 * tenth
        for is_wrong in (True, False):
            spread = 0.04 if is_wrong == (tenth < 7) else 0.01
            chances.append([mean - spread, mean + spread])
            wins.append(0 if is_wrong else 1)
    table = np.log(np.array(chances) / (1 - np.array(chances))).T
    found = foresight(table, wins, np.arange(20), num_resamples=10)
    assert found.beyond_closeness.value == pytest.approx(0.7)


def test_foresight_against_counting() -> None:
    differences, for_a, prompts = ensemble(0.5, 90)
    chances = 1 / (1 + np.exp(-differences))
    wrong = [(mean > 0.5) != bool(verdict) for mean, verdict in zip(chances.mean(0), for_a, strict=True)]
    variance = chances.var(0)
    wins = [
        float(variance[i] > variance[j]) + 0.5 * float(variance[i] == variance[j])
        for i, j in product(range(90), repeat=2)
        if wrong[i] and not wrong[j]
    ]
    found = foresight(differences, for_a, prompts, num_resamples=100)
    assert found.auroc.value == pytest.approx(float(np.mean(wins)))
    assert found.auroc.low < found.auroc.value < found.auroc.high
    # Each pair three times over, under the name of its own prompt: nothing new is known.
    often = foresight(np.tile(differences, 3), np.tile(for_a, 3), np.tile(prompts, 3), num_resamples=100)
    assert (often.auroc.low, often.auroc.high) == pytest.approx((found.auroc.low, found.auroc.high))


def test_foresight_refuses_what_does_not_fit() -> None:
    with pytest.raises(ValueError, match="two members or more"):
        foresight([[0.5]], [1], ["p"])
    with pytest.raises(ValueError, match="a verdict and a prompt a pair"):
        foresight([[0.5], [0.4]], [1, 0], ["p"])
    with pytest.raises(ValueError, match=r"for_a is 1, 0 or 0\.5"):
        foresight([[0.5], [0.4]], [0.7], ["p"])
    found = foresight([[0.5, 0.4], [0.5, 0.4]], [0.5, 0.5], ["p", "q"], num_resamples=10)
    assert math.isnan(found.auroc.value)
    assert math.isnan(found.rank_correlation.value)


def test_a_static_pile_is_learnt_no_slower_than_at_random() -> None:
    """The proof is in tests/proofs: forty worlds of four kinds. Here six of the kind in which selection gains most."""
    for found in gains("outliers", range(6)).values():
        assert found.shape == (6, 8)
        assert np.all(found[:, 0] == 0)  # the first batch is everybody's
        assert found.mean() > 0
        assert found[:, -1].mean() > 0


def test_a_choice_says_where_it_came_from() -> None:
    found = next_items(pool(1), 1, Strategy.DISAGREEMENT)[0]
    assert isinstance(found, Choice)
    assert (found.prompt, found.is_random) == ("prompt 0", True)
