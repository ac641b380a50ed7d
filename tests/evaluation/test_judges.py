"""Scorers and people as judges."""

import math
from collections.abc import Sequence

import numpy as np
import pytest

from plaudit.evaluation.judges import Judge, PeopleJudge, ScoreJudge
from plaudit.schemas.conversation import Messages, assistant, user
from plaudit.schemas.feedback import Comparison, Ranking, Verdict
from plaudit.schemas.protocols import Completion, TextScore

HI, BYE = (user("hi"),), (user("bye"),)
NAN = math.nan


def answers(*texts: str) -> list[Completion]:
    return [Completion(text, finished=True, num_tokens=len(text)) for text in texts]


class Counted:
    """Scores an answer by the number it is; remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []

    def score(self, prompts: Sequence[Messages], completions: Sequence[Completion]) -> list[TextScore]:
        self.asked += [(prompt[0].text, answer.text) for prompt, answer in zip(prompts, completions, strict=True)]
        return [TextScore(float(answer.text), {"whole": float(answer.text) // 1}) for answer in completions]


def test_the_higher_score_wins_and_equal_scores_tie() -> None:
    judge: Judge = ScoreJudge(Counted())
    found = judge.judged([HI, BYE], [answers("1", "2.5"), answers("0")], [answers("2.5", "1", "-3"), answers("9")])
    np.testing.assert_array_equal(found.wins[0], [[0, 0.5, 1], [0.5, 1, 1]])
    np.testing.assert_array_equal(found.wins[1], [[0]])
    assert (found.num_left_out, found.position_consistency) == (0, None)


def test_an_answer_is_scored_once_whatever_it_is_compared_with() -> None:
    scorer = Counted()
    judge = ScoreJudge(scorer)
    judge.judged([HI], [answers("1", "1")], [answers("2")])
    judge.judged([HI, BYE], [answers("3"), answers("1")], [answers("2"), answers("2")])
    found = judge.utilities([HI], [answers("3", "1")])
    assert scorer.asked == [("hi", "1"), ("hi", "2"), ("hi", "3"), ("bye", "1"), ("bye", "2")]
    assert found == [[TextScore(3.0, {"whole": 3.0}), TextScore(1.0, {"whole": 1.0})]]


def test_a_cut_answer_is_another_than_a_finished_one_of_the_same_text() -> None:
    class Finish:
        def score(self, prompts: Sequence[Messages], completions: Sequence[Completion]) -> list[TextScore]:
            return [TextScore(float(answer.finished)) for answer in completions]

    cut = [Completion("1", finished=False, num_tokens=1)]
    assert ScoreJudge(Finish()).judged([HI], [answers("1")], [cut]).wins[0].item() == 1.0


def test_no_number_is_no_judgement() -> None:
    with pytest.raises(ValueError, match="nan"):
        ScoreJudge(Counted()).judged([HI], [answers("nan")], [answers("1")])


def comparison(a: str, b: str, verdict: Verdict, prompt: Messages = HI, weight: float = 1.0) -> Comparison:
    return Comparison(prompt=prompt, a=(assistant(a),), b=(assistant(b),), verdict=verdict, weight=weight)


def test_people_are_quoted_in_either_order_and_nobody_for_the_rest() -> None:
    ranking = Ranking(
        prompt=HI,
        completions=tuple((assistant(text),) for text in ("good ", "bad", "same", "unseen")),
        ranks=(0, 2, 0, None),
    )
    judge: Judge = PeopleJudge([ranking, comparison("x", "y", Verdict.B, BYE)])
    found = judge.judged(
        [HI, BYE], [answers("good", "bad"), answers("y")], [answers("bad", "same", "unseen"), answers("x")]
    )
    np.testing.assert_array_equal(found.wins[0], [[1, 0.5, NAN], [NAN, 0, NAN]])
    np.testing.assert_array_equal(found.wins[1], [[1]])
    assert found.num_left_out == 3
    assert judge.utilities([HI], [answers("good")]) is None


def test_a_word_on_one_prompt_is_none_on_another() -> None:
    found = PeopleJudge([comparison("x", "y", Verdict.A)]).judged([BYE], [answers("x")], [answers("y")])
    assert found.num_left_out == 1


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        ([Verdict.A, Verdict.A, Verdict.B], 1.0),
        ([Verdict.B, Verdict.TIE], 0.0),
        ([Verdict.A, Verdict.B], 0.5),
        ([Verdict.BOTH_BAD], 0.5),
        ([Verdict.INCOMPARABLE], NAN),
        ([Verdict.INCOMPARABLE, Verdict.A], 1.0),
    ],
)
def test_the_majority_counts(verdicts: list[Verdict], expected: float) -> None:
    """The second record shows the sides swapped, as another person may have seen them."""
    swapped = {Verdict.A: Verdict.B, Verdict.B: Verdict.A}
    records = [
        comparison("y", "x", swapped.get(verdict, verdict)) if i == 1 else comparison("x", "y", verdict)
        for i, verdict in enumerate(verdicts)
    ]
    found = PeopleJudge(records).judged([HI], [answers("x")], [answers("y")])
    np.testing.assert_array_equal(found.wins[0], [[expected]])


def test_weights_decide_a_split_vote() -> None:
    """A ranking of many answers weighs as much on each pair as a comparison of two."""
    ranking = Ranking(prompt=HI, completions=tuple((assistant(text),) for text in "xyz"), ranks=(0, 1, 2), weight=1.0)
    for weight, expected in ((1.5, 0.0), (1.0, 0.5), (0.5, 1.0)):
        judge = PeopleJudge([ranking, comparison("x", "y", Verdict.B, weight=weight)])
        assert judge.judged([HI], [answers("x")], [answers("y")]).wins[0].item() == expected
