"""What ratings and corrections imply."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plaudit.schemas.conversation import assistant, user
from plaudit.schemas.feedback import Correction, Rating, Verdict
from plaudit.schemas.implied import comparison_of, demonstration_of, rankings_of


def rating(answer: str, score: float, *, prompt: str = "q", **fields: object) -> Rating:
    return Rating(prompt=(user(prompt),), completion=(assistant(answer),), score=score, **fields)  # type: ignore[arg-type]


def texts(completions: tuple[tuple[object, ...], ...]) -> list[str]:
    return [messages[-1].text for messages in completions]  # type: ignore[attr-defined]


def test_one_persons_scores_rank_the_answers_to_a_prompt() -> None:
    scores = {"fair": 0.5, "best": 0.9, "bad": 0.1, "also fair": 0.5}
    (found,) = rankings_of(rating(answer, score, annotator="ada", source="s") for answer, score in scores.items())
    assert texts(found.completions) == list(scores)
    assert found.ranks == (1, 0, 3, 1)
    assert (found.annotator, found.source, found.weight) == ("ada", "s", 1.0)


def test_people_prompts_and_scales_do_not_mix() -> None:
    """Ada's 3 of 5 says nothing beside Ben's 4 of 5, nor beside her own 0.2 of 1."""
    five = {"maximum": 5.0}
    alone = [
        rating("a", 3, annotator="ada", **five),
        rating("b", 4, annotator="ben", **five),
        rating("b", 0.2, annotator="ada"),
        rating("b", 4, annotator="ada", prompt="another", **five),
        rating("c", 1),
    ]
    assert rankings_of(alone) == []
    pair = [*alone, rating("b", 5, annotator="ada", **five)]
    (found,) = rankings_of(pair)
    assert (texts(found.completions), found.ranks) == (["a", "b"], (1, 0))


def on(axis: str, answer: str, score: float) -> Rating:
    return rating(answer, score, annotator="ada", maximum=5.0, extra={"axis": axis})


def test_each_axis_ranks_the_answers_by_itself() -> None:
    """Helpful is x, harmless is y: neither order stands for the other, and a single rating on a third says nothing."""
    said = [
        on("helpful", "x", 5),
        on("harmless", "x", 2),
        on("helpful", "y", 1),
        on("harmless", "y", 3),
        on("kind", "x", 4),
    ]
    helpful, harmless = rankings_of(said)
    assert (texts(helpful.completions), helpful.ranks, helpful.extra) == (["x", "y"], (0, 1), {"axis": "helpful"})
    assert (texts(harmless.completions), harmless.ranks, harmless.extra) == (["x", "y"], (1, 0), {"axis": "harmless"})
    (whole,) = rankings_of(
        [*said, rating("x", 1, annotator="ada", maximum=5), rating("y", 2, annotator="ada", maximum=5)]
    )[2:]
    assert (whole.ranks, whole.extra) == ((1, 0), {})


def test_an_answer_rated_again_counts_once_by_its_last_score() -> None:
    assert rankings_of([rating("a", 0), rating("a", 1)]) == []
    (found,) = rankings_of([rating("a", 0), rating("b", 0.5), rating("a", 1)])
    assert (texts(found.completions), found.ranks) == (["a", "b"], (0, 1))


def test_a_ranking_weighs_what_its_ratings_do_on_the_mean() -> None:
    (found,) = rankings_of([rating("a", 0, weight=0.5), rating("b", 1, weight=2.0)])
    assert found.weight == 1.25


@given(st.lists(st.floats(0, 1), min_size=2, max_size=8), st.randoms())
def test_ranks_order_answers_as_their_scores_do_in_any_order(scores: list[float], shuffler: random.Random) -> None:
    ratings = [rating(f"answer {i}", score) for i, score in enumerate(scores)]
    shuffler.shuffle(ratings)
    (found,) = rankings_of(ratings)
    by_rank = {rank: one.score for rank, one in zip(found.ranks, ratings, strict=True)}
    assert len(by_rank) == len(set(scores))
    assert [by_rank[rank] for rank in sorted(by_rank)] == sorted(by_rank.values(), reverse=True)


@pytest.mark.parametrize("corrected", ["better", "as it was"])
def test_a_correction_beats_what_it_was_made_from(corrected: str) -> None:
    one = Correction(
        id="7",
        annotator="ada",
        weight=2.0,
        prompt=(user("q"),),
        completion=(assistant("as it was"),),
        corrected=(assistant(corrected),),
    )
    shown = demonstration_of(one)
    assert (shown.completion, shown.weight, shown.annotator, shown.id) == (one.corrected, 2.0, "ada", "7")
    found = comparison_of(one)
    if corrected == "as it was":
        assert found is None
        return
    assert found is not None
    assert (found.a, found.b, found.verdict) == (one.corrected, one.completion, Verdict.A)
    assert (found.weight, found.annotator, found.id, found.prompt) == (2.0, "ada", "7", one.prompt)
