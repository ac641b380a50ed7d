"""Best of n: groups of successive answers, the first of equals."""

import pytest

from plaudit.evaluation.answers import best_of_n
from plaudit.schemas.protocols import Completion


def answers(texts: str) -> list[Completion]:
    return [Completion(text, finished=True, num_tokens=1) for text in texts]


def test_the_best_of_each_two_worked_by_hand() -> None:
    found = best_of_n([answers("abcd"), answers("ef")], [[0.1, 0.3, -1.0, -2.0], [5.0, 5.0]], n=2)
    assert [[answer.text for answer in picks] for picks in found] == [["b", "c"], ["e"]]


def test_the_best_of_one_is_everything() -> None:
    options = [answers("abc")]
    assert best_of_n(options, [[3.0, 1.0, 2.0]], n=1) == options


def test_four_times_k_answers_give_k() -> None:
    (picks,) = best_of_n([answers("abcdefgh")], [[0, 0, 0, 1, 2, 0, 0, 0]], n=4)
    assert [answer.text for answer in picks] == ["d", "e"]


@pytest.mark.parametrize(("texts", "scores", "n"), [("abc", [1, 2, 3], 2), ("", [], 1), ("ab", [1], 2)])
def test_groups_that_do_not_come_out_are_refused(texts: str, scores: list[float], n: int) -> None:
    with pytest.raises(ValueError, match=f"best of {n} wants a multiple of {n} answers.*prompt 2 has {len(texts)}"):
        best_of_n([answers("xy" * n), answers(texts)], [[0.0, 0.0] * n, scores], n)


def test_the_best_of_none_is_refused() -> None:
    with pytest.raises(ValueError, match="best of 0"):
        best_of_n([answers("ab")], [[0.0, 1.0]], n=0)


def test_every_prompt_needs_its_scores() -> None:
    with pytest.raises(ValueError, match="zip"):
        best_of_n([answers("ab")], [], n=2)
