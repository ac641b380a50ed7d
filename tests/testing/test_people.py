"""Simulated people: who is careful is right more often, the clicker is not, the adversary is worse than chance."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plaudit.schemas.conversation import assistant, prompt_id, user
from plaudit.schemas.feedback import Ranking
from plaudit.schemas.preference import pairs_from_ranks
from plaudit.schemas.protocols import Completion
from plaudit.testing import SimulatedPerson, default_panel, panel_rankings
from plaudit.testing.people import Manner

PROMPTS = [(user(f"question {i}"),) for i in range(40)]
ANSWERS = [[Completion(f"answer {k} to {i}", k % 2 == 0, 3) for k in range(4)] for i in range(40)]


def worths(num: int = 40, seed: int = 0) -> list[list[float]]:
    """Four utilities in [0, 1] a prompt."""
    return np.random.default_rng(seed).random((num, 4)).tolist()


def accuracy(person: SimulatedPerson, num: int = 1500, seed: int = 0) -> float:
    """The share of pairs on which the person agrees with the utility, ties half."""
    generator = np.random.default_rng(seed)
    right = []
    for utilities in worths(num, seed + 1):
        for pair in pairs_from_ranks(person.ranks(utilities, generator), 1.0):
            truth = float(utilities[pair.a] > utilities[pair.b])
            right.append(1 - abs(pair.target - truth))
    return float(np.mean(right))


def test_the_noisier_the_less_often_right() -> None:
    found = [accuracy(SimulatedPerson("p", noise, tie=0.0)) for noise in (0.0, 0.05, 0.1, 0.2, 0.4, 3.0)]
    assert found[0] == 1.0
    assert found == sorted(found, reverse=True)
    # With noise far above the utilities' spread, next to nothing is left.
    assert found[-1] == pytest.approx(0.5, abs=0.05)


def test_noise_is_the_deviation_of_what_is_felt() -> None:
    """P(the better of two is ranked first) = Phi(difference / (noise sqrt 2)); for 0.1 and noise 0.1 that is 0.760."""
    person, generator = SimulatedPerson("p", 0.1, tie=0.0), np.random.default_rng(0)
    first = [person.ranks([0.6, 0.5], generator) == (0, 1) for _ in range(6000)]
    # Three standard deviations of 6000 throws.
    assert np.mean(first) == pytest.approx(0.760, abs=0.017)


def test_the_clicker_is_right_by_chance() -> None:
    # Pairs of one ranking hang together: of 9000 pairs in 1500 rankings, three deviations are under 0.03.
    assert accuracy(SimulatedPerson("p", 0.0, Manner.CLICKER)) == pytest.approx(0.5, abs=0.03)


def test_the_adversary_is_worse_than_chance_and_mirrors_an_honest_person() -> None:
    assert accuracy(SimulatedPerson("p", 0.0, Manner.ADVERSARY, tie=0.0)) == 0.0
    honest, adversary = (accuracy(SimulatedPerson("p", 0.08, manner)) for manner in (Manner.HONEST, Manner.ADVERSARY))
    assert adversary < 0.25
    assert adversary == pytest.approx(1 - honest, abs=0.02)


@pytest.mark.parametrize(
    ("utilities", "ranks"),
    [
        ([0.9, 0.5, 0.1], (0, 1, 2)),
        ([0.1, 0.9, 0.5], (2, 0, 1)),
        ([0.5, 0.5, 0.5], (0, 0, 0)),
        ([0.50, 0.51, 0.10], (0, 0, 2)),
        ([0.10, 0.50, 0.51], (2, 0, 0)),
        # Each as good as the next one: the chain is one rank, though its ends differ.
        ([0.53, 0.515, 0.50], (0, 0, 0)),
        ([0.52, 0.50, 0.10, 0.115], (0, 1, 2, 2)),
        ([0.7], (0,)),
    ],
)
def test_utilities_closer_than_the_tie_share_a_rank(utilities: list[float], ranks: tuple[int, ...]) -> None:
    person = SimulatedPerson("p", 0.0, tie=0.02 - 1e-9)
    assert person.ranks(utilities, np.random.default_rng(0)) == ranks


@given(st.lists(st.floats(0, 1), min_size=1, max_size=6), st.integers(0, 2**32), st.sampled_from(list(Manner)))
def test_ranks_count_the_answers_that_are_better(utilities: list[float], seed: int, manner: Manner) -> None:
    """As in a race: the rank of an answer is the number of answers of a better rank, whoever ranks."""
    ranks = SimulatedPerson("p", 0.1, manner).ranks(utilities, np.random.default_rng(seed))
    assert all(rank == sum(other < rank for other in ranks) for rank in ranks)
    assert all(type(rank) is int for rank in ranks)


def test_the_panel_has_six_of_different_skill_a_clicker_and_an_adversary() -> None:
    panel = default_panel()
    honest = [person for person in panel if person.manner is Manner.HONEST]
    assert len({person.name for person in panel}) == len(panel)
    assert len(honest) >= 6
    assert len({person.noise for person in honest}) == len(honest)
    assert [person.manner for person in panel].count(Manner.CLICKER) == 1
    assert [person.manner for person in panel].count(Manner.ADVERSARY) == 1
    skill = [accuracy(person) for person in honest]
    assert skill == sorted(skill, reverse=True)
    assert min(skill) > 0.6


def rankings(seed: int = 0, per_prompt: int = 4, utilities: Sequence[Sequence[float]] | None = None) -> list[Ranking]:
    return panel_rankings(default_panel(), PROMPTS, ANSWERS, utilities or worths(), per_prompt=per_prompt, seed=seed)


def test_each_prompt_is_ranked_by_different_people() -> None:
    found = rankings()
    assert len(found) == 4 * len(PROMPTS)
    for start, prompt in zip(range(0, len(found), 4), PROMPTS, strict=True):
        people = [record.annotator for record in found[start : start + 4]]
        assert len(set(people)) == 4
        assert {record.prompt for record in found[start : start + 4]} == {prompt}
    # Over all prompts everybody has a turn.
    assert {record.annotator for record in found} == {person.name for person in default_panel()}


def test_a_ranking_says_all_there_is_to_know() -> None:
    record = rankings()[0]
    assert record.completions == tuple((assistant(answer.text),) for answer in ANSWERS[0])
    assert record.truncated == (False, True, False, True)
    assert record.source == "simulated panel"
    assert record.id == f"{prompt_id(PROMPTS[0])}-{record.annotator}"
    assert len({ranking.id for ranking in rankings()}) == 4 * len(PROMPTS)


def test_more_answers_are_dealt_on_sheets() -> None:
    """Every sheet ranked by as many people, nobody given two of a prompt, everybody's sheet a matter of chance."""
    answers = [[Completion(f"answer {k} to {i}", True, 3) for k in range(8)] for i in range(40)]
    utilities = [[*low, *(1 + x for x in high)] for low, high in zip(worths(), worths(seed=1), strict=True)]
    panel = [SimulatedPerson(f"p{i}", 0.0, tie=0.0) for i in range(8)]
    found = panel_rankings(panel, PROMPTS, answers, utilities, per_prompt=6, num_sheets=2, seed=0)
    assert len({ranking.id for ranking in found}) == 6 * len(PROMPTS)
    first_of_p0 = []
    for prompt, row, worth in zip(PROMPTS, answers, utilities, strict=True):
        sheets = [tuple((assistant(a.text),) for a in row[start : start + 4]) for start in (0, 4)]
        records = [record for record in found if record.prompt == prompt]
        assert [sum(record.completions == sheet for record in records) for sheet in sheets] == [3, 3]
        for record in records:
            shown = worth[:4] if record.completions == sheets[0] else worth[4:]
            assert record.ranks == tuple(sum(other > x for other in shown) for x in shown)
        first_of_p0 += [record.completions == sheets[0] for record in records if record.annotator == "p0"]
    assert 5 < sum(first_of_p0) < len(first_of_p0) - 5


def test_rankings_follow_from_the_seed_and_the_prompt_alone() -> None:
    assert rankings(3) == rankings(3)
    assert rankings(3) != rankings(4)
    utilities = worths()
    some = panel_rankings(
        default_panel(), PROMPTS[5:7][::-1], ANSWERS[5:7][::-1], utilities[5:7][::-1], per_prompt=4, seed=3
    )
    of_prompt = {record.id: record for record in rankings(3)}
    assert some == [of_prompt[record.id] for record in some]


def test_everybody_feels_otherwise_about_every_prompt() -> None:
    """Two people of one mind and noise, answers all alike: their orders agree no more often than two deals of cards."""
    panel = [SimulatedPerson(name, 1.0, tie=0.0) for name in ("one", "other")]
    found = panel_rankings(panel, PROMPTS, ANSWERS, [[0.5] * 4] * 40, per_prompt=2, seed=0)
    ranks = {name: [record.ranks for record in found if record.annotator == name] for name in ("one", "other")}
    assert sum(a == b for a, b in zip(ranks["one"], ranks["other"], strict=True)) <= 6
    # Of 24 orders, 40 deals show 20 or so.
    assert len(set(ranks["one"])) >= 12


def test_nobody_sees_more_than_the_order_shows() -> None:
    """The utility reaches a ranking through the ranks only."""
    dumped = [record.model_dump(exclude={"ranks"}) for record in rankings(utilities=worths(seed=1))]
    assert dumped == [record.model_dump(exclude={"ranks"}) for record in rankings(utilities=worths(seed=2))]


def test_the_panel_as_a_whole_is_right_more_often_than_not() -> None:
    utilities = worths()
    by_prompt = {prompt_id(prompt): row for prompt, row in zip(PROMPTS, utilities, strict=True)}
    right = [
        (record.ranks[a] < record.ranks[b]) == (row[a] > row[b])
        for record in rankings(per_prompt=8)
        for row in [by_prompt[prompt_id(record.prompt)]]
        for a, b in combinations(range(4), 2)
        if record.ranks[a] != record.ranks[b]
    ]
    assert 0.6 < np.mean(right) < 0.9


def test_missing_answers_are_noticed() -> None:
    with pytest.raises(ValueError, match="zip"):
        panel_rankings(default_panel(), PROMPTS, ANSWERS[:-1], worths(), per_prompt=4, seed=0)
