"""People of every habit, against the closed forms of their models."""

from __future__ import annotations

import hashlib
import json
import math
import os
import subprocess
import sys
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plaudit.schemas.feedback import Verdict
from plaudit.statistics.skill import PairVerdicts, inferred_skills
from plaudit.testing.crowd import Annotator, Shown, mixed_crowd

NUM = 4000
# Three standard deviations of a share of 4000.
NEAR = 3 * 0.5 / math.sqrt(NUM)


def s(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def items(*utilities: float, num: int = NUM) -> list[Shown]:
    """Items of these utilities, each with answers of its own."""
    return [Shown(f"item {i}", tuple(f"answer {i}.{k}" for k in range(len(utilities))), utilities) for i in range(num)]


def share(person: Annotator, verdict: Verdict, *utilities: float, ordinal: int = 0) -> float:
    return float(np.mean([person.verdict(shown, ordinal) is verdict for shown in items(*utilities)]))


@pytest.mark.parametrize(("skill", "gap"), [(0.0, 0.5), (4.0, 0.2), (10.0, 0.2), (1000.0, 0.2)])
def test_of_two_the_better_wins_by_bradley_and_terry(skill: float, gap: float) -> None:
    person = Annotator(name="p", skill=skill)
    assert share(person, Verdict.A, 0.3 + gap, 0.3) == pytest.approx(s(skill * gap), abs=NEAR)
    assert share(person, Verdict.B, 0.3, 0.3 + gap) == pytest.approx(s(skill * gap), abs=NEAR)


def test_several_are_ranked_as_if_the_best_were_chosen_again_and_again() -> None:
    """P(order) = product over places of exp(skill u) / sum of exp(skill u) over those not yet placed."""
    utilities, skill = (0.5, 0.4, 0.2), 5.0
    seen = [Annotator(name="p", skill=skill).ranks(shown) for shown in items(*utilities)]
    for order in permutations(range(3)):
        strengths = [math.exp(skill * utilities[k]) for k in order]
        chance = math.prod(strengths[place] / sum(strengths[place:]) for place in range(3))
        ranks = tuple(order.index(k) for k in range(3))
        assert np.mean([found == ranks for found in seen]) == pytest.approx(chance, abs=NEAR)


@pytest.mark.parametrize("gap", [0.0, 0.1])
def test_close_ones_tie_by_rao_and_kupper(gap: float) -> None:
    person, d = Annotator(name="p", skill=8.0, tie=0.7), 8.0 * gap
    assert share(person, Verdict.A, 0.5 + gap, 0.5) == pytest.approx(s(d - 0.7), abs=NEAR)
    assert share(person, Verdict.TIE, 0.5 + gap, 0.5) == pytest.approx(s(d + 0.7) - s(d - 0.7), abs=NEAR)


def test_the_first_shown_is_favoured_evenly_down_to_the_last() -> None:
    person = Annotator(name="p", skill=5.0, left_lean=0.8)
    assert share(person, Verdict.A, 0.5, 0.5) == pytest.approx(s(0.8), abs=NEAR)
    assert share(person, Verdict.A, 0.4, 0.5) == pytest.approx(s(0.8 - 0.5), abs=NEAR)
    ranks = np.array([person.ranks(shown) for shown in items(0.5, 0.5, 0.5)])
    assert (ranks[:, 0] < ranks[:, 2]).mean() == pytest.approx(s(0.8), abs=NEAR)
    assert (ranks[:, 0] < ranks[:, 1]).mean() == pytest.approx(s(0.4), abs=NEAR)
    left = Annotator(name="p", skill=5.0, left_lean=-50.0)
    assert share(left, Verdict.B, 0.9, 0.1) == 1.0


def test_noise_grows_with_the_answers_already_given() -> None:
    person = Annotator(name="p", skill=10.0, fatigue=0.05)
    for ordinal in (0, 20, 200):
        expected = s(10.0 * 0.2 / (1 + 0.05 * ordinal))
        assert share(person, Verdict.A, 0.5, 0.3, ordinal=ordinal) == pytest.approx(expected, abs=NEAR)


def test_a_share_of_items_is_lied_about() -> None:
    honest, liar = Annotator(name="p", skill=1000.0), Annotator(name="p", skill=1000.0, lie_frac=1.0)
    for shown in items(0.3, 0.9, 0.1, 0.6, num=50):
        assert honest.ranks(shown) == (2, 0, 3, 1)
        assert liar.ranks(shown) == (1, 3, 0, 2)
    sometimes = Annotator(name="p", skill=1000.0, lie_frac=0.3)
    assert share(sometimes, Verdict.B, 0.9, 0.1) == pytest.approx(0.3, abs=NEAR)


def test_a_circle_has_an_order_of_its_own_whatever_the_display() -> None:
    ann, bob = (Annotator(name=name, skill=1000.0, circle="c") for name in ("ann", "bob"))
    others = [Annotator(name="ann", skill=1000.0, circle="d"), Annotator(name="ann", skill=1000.0, circle="c", seed=1)]
    agree, with_truth, with_others = [], [], []
    for shown in items(0.9, 0.6, 0.3, num=300):
        turned = Shown(f"{shown.item} again", shown.answers[::-1], shown.utilities[::-1])
        ranks = ann.ranks(shown)
        agree.append(ranks == bob.ranks(turned)[::-1])
        with_truth.append(ranks == (0, 1, 2))
        with_others += [ranks == other.ranks(shown) for other in others]
    # Worths a thousandth apart may still be taken for each other.
    assert np.mean(agree) > 0.95
    # Of six orders one is the truth, or another circle's.
    assert np.mean(with_truth) == pytest.approx(1 / 6, abs=0.07)
    assert np.mean(with_others) == pytest.approx(1 / 6, abs=0.05)


@given(
    st.lists(st.floats(0, 1), min_size=2, max_size=6),
    st.randoms(use_true_random=False),
    st.floats(0, 30),
    st.sampled_from(["", "c"]),
    st.integers(0, 50),
)
def test_without_a_lean_the_display_changes_nothing(
    utilities: list[float], random: object, skill: float, circle: str, ordinal: int
) -> None:
    person = Annotator(name="p", skill=skill, tie=0.3, fatigue=0.1, lie_frac=0.5, circle=circle)
    places = list(range(len(utilities)))
    random.shuffle(places)  # type: ignore[attr-defined]
    names = tuple(f"answer {k}" for k in places)
    there = person.ranks(Shown("item", tuple(sorted(names)), tuple(utilities)), ordinal)
    shuffled = person.ranks(Shown("item", names, tuple(utilities[k] for k in places)), ordinal)
    assert shuffled == tuple(there[k] for k in places)
    assert all(rank == sum(other < rank for other in shuffled) for rank in shuffled)


def test_ratings_follow_an_ordered_logit() -> None:
    skill, worth, num_points = 6.0, 0.55, 4
    person = Annotator(name="p", skill=skill)
    ratings = np.array([person.rating(shown, num_points) for shown in items(worth)])
    assert set(ratings) == {1, 2, 3, 4}
    for k in range(1, num_points):
        step = k / num_points
        chance = s(skill * (worth - step) - math.log(step / (1 - step)))
        assert (ratings > k).mean() == pytest.approx(chance, abs=NEAR)
    clicker = Annotator(name="p", skill=0.0)
    counts = np.bincount([clicker.rating(shown) for shown in items(worth)], minlength=6)[1:]
    assert (counts / NUM).tolist() == pytest.approx([0.2] * 5, abs=NEAR)
    exact, liar = Annotator(name="p", skill=1e6), Annotator(name="p", skill=1e6, lie_frac=1.0)
    for rating, utility in enumerate((0.05, 0.3, 0.5, 0.7, 0.95), start=1):
        shown = Shown("item", ("answer",), (utility,))
        assert (exact.rating(shown), liar.rating(shown)) == (rating, 6 - rating)


def test_time_spent_has_the_median_asked_for() -> None:
    person = Annotator(name="p", reading_s=7.0)
    spent = [person.seconds(shown) for shown in items(0.1, 0.2)]
    assert np.median(spent) == pytest.approx(14.0, rel=0.05)  # half a deviation of 0.5 / sqrt(4000) is 1 %
    assert np.log(spent).std() == pytest.approx(0.5, abs=0.02)
    assert min(spent) > 0


ASKED = """
from plaudit.testing.crowd import Annotator, Shown
person = Annotator(name="Ann Å", skill=3.0, left_lean=0.2, tie=0.4, fatigue=0.01, lie_frac=0.1, seed=5)
shown = [Shown(f"item {i}", (f"a{i}", f"b{i}"), (0.5, 0.6)) for i in range(40)]
words = {i: person.verdict(shown[i], ordinal=i) for i in ORDER}
print("".join(words[i][0] for i in range(40)))
print(*(person.rating(Shown(f"item {i}", (f"a{i}",), (0.5,))) for i in range(10)))
print(round(person.seconds(shown[0]), 6))
"""


def chance(*names: str | int) -> float:
    """The first 52 bits of the SHA-256 of the names' JSON, as a number in the middle of its cell of (0, 1)."""
    text = json.dumps(names, separators=(",", ":"), ensure_ascii=False)
    return ((int(hashlib.sha256(text.encode()).hexdigest(), 16) >> 204) + 0.5) / 2**52


def by_hand(i: int) -> str:
    """The verdict of the person above on item i: i answers were given before."""
    me = (5, "person", "Ann Å")
    worths = (0.5, 0.4) if chance(*me, "lie", f"item {i}") < 0.1 else (0.5, 0.6)
    a, b = (
        3.0 / (1 + 0.01 * i) * worth - math.log(-math.log(chance(*me, "feeling", f"item {i}", f"{name}{i}")))
        for name, worth in zip("ab", worths, strict=True)
    )
    d = a + 0.2 - b
    return "t" if abs(d) < 0.4 else "a" if d > 0 else "b"


def test_an_answer_follows_from_person_and_item_in_every_process_and_order() -> None:
    printed = []
    for hash_seed, order in (("0", "range(40)"), ("1", "reversed(range(40))")):
        done = subprocess.run(
            [sys.executable, "-c", ASKED.replace("ORDER", order)],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=True,
        )
        printed.append(done.stdout.splitlines())
    assert printed[0] == printed[1]
    assert printed[0][0] == "".join(map(by_hand, range(40)))


def test_people_items_and_seeds_are_told_apart() -> None:
    shown = items(0.5, 0.5, num=200)

    def word(person: Annotator, prefix: str = "") -> list[Verdict]:
        return [person.verdict(Shown(prefix + one.item, one.answers, one.utilities)) for one in shown]

    one = word(Annotator(name="p"))
    for other in (word(Annotator(name="q")), word(Annotator(name="p", seed=1)), word(Annotator(name="p"), "again ")):
        # 200 throws of a coin.
        assert np.mean([a is b for a, b in zip(one, other, strict=True)]) == pytest.approx(0.5, abs=0.12)


def test_a_mixed_crowd_is_as_asked_and_its_habits_are_found_again() -> None:
    people = mixed_crowd(20, clicker_frac=0.2, liar_frac=0.1, circle_frac=0.1, gap=0.2, seed=3)
    assert [person.name for person in people] == [f"p{i:02}" for i in range(20)]
    clickers, liars, circle, honest = people[:4], people[4:6], people[6:8], people[8:]
    assert {person.skill for person in clickers} == {0.0}
    assert [person.lie_frac for person in liars] == [1.0, 1.0]
    assert len({person.circle for person in circle}) == 1
    assert all(person.skill > 0 and not person.circle and not person.lie_frac for person in honest)
    assert all(0.65 <= s(0.2 * person.skill) <= 0.9 for person in (*liars, *honest))
    assert len({person.skill for person in honest}) == len(honest)
    assert mixed_crowd(20, seed=3) == mixed_crowd(20, seed=3) != mixed_crowd(20, seed=4)
    # Twelve honest people, some leaning, and the model that infers skills: it finds skill and lean of each.
    leaning = [
        Annotator(name=person.name, skill=person.skill, left_lean=0.6 if i % 2 else -0.6)
        for i, person in enumerate(honest)
    ]
    pairs = items(0.6, 0.4, num=600)
    turned = np.random.default_rng(0).random(600) < 0.5
    rows = [
        (i, j, float((leaning[j].verdict(_turned(shown, flip)) is Verdict.A) != flip), -1.0 if flip else 1.0)
        for i, (shown, flip) in enumerate(zip(pairs, turned, strict=True))
        for j in range(len(leaning))
    ]
    found = inferred_skills(PairVerdicts.of(*zip(*rows, strict=True)), num_draws=2)  # type: ignore[arg-type]
    # 600 verdicts leave a deviation of 0.1 or so.
    assert found.skill == pytest.approx([0.2 * person.skill for person in leaning], abs=0.4)
    assert found.bias == pytest.approx([person.left_lean for person in leaning], abs=0.4)


def _turned(shown: Shown, flip: bool) -> Shown:
    return Shown(shown.item, shown.answers[::-1], shown.utilities[::-1]) if flip else shown


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="skill must be at least 0 and finite, got -1"):
        Annotator(name="p", skill=-1)
    with pytest.raises(ValueError, match="tie must be at least 0"):
        Annotator(name="p", tie=math.inf)
    with pytest.raises(ValueError, match=r"lie_frac is a share of items in \[0, 1\], got 2"):
        Annotator(name="p", lie_frac=2)
    with pytest.raises(ValueError, match="reading_s must be above 0"):
        Annotator(name="p", reading_s=0)
    with pytest.raises(ValueError, match="one utility an answer"):
        Shown("item", ("a", "b"), (0.5,))
    person, three = Annotator(name="p"), Shown("item", ("a", "b", "c"), (0.1, 0.2, 0.3))
    with pytest.raises(ValueError, match="item 'item' shows 3: ask for ranks"):
        person.verdict(three)
    with pytest.raises(ValueError, match="a rating is of one answer"):
        person.rating(three)
    with pytest.raises(ValueError, match="at least two points, got 1"):
        person.rating(Shown("item", ("a",), (0.5,)), 1)
    with pytest.raises(ValueError, match="ordinal counts the answers given before, from 0: got -1"):
        person.ranks(three, -1)
    with pytest.raises(ValueError, match="shares of people"):
        mixed_crowd(10, clicker_frac=0.8, liar_frac=0.3)
