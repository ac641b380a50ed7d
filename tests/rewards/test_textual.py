"""Scorers that read text: a person's function, anything that is a TextScorer."""

import math
from collections.abc import Sequence

import pytest

from plaudit.models.load import load_codec
from plaudit.rewards import FunctionScorer, TextualScorer
from plaudit.rewards.textual import completions
from plaudit.schemas.conversation import Message, Messages, Role, assistant, user
from plaudit.schemas.errors import PlauditError
from plaudit.schemas.protocols import Completion, TextScore
from tests.rewards.toy import prompts_of, rollouts_of

CODEC = load_codec("tiny")
TURNS = (Message(role=Role.SYSTEM, content="be brief"), user("hi"), assistant("hello"), user("and?"))
PROMPTS = prompts_of(CODEC, "a", TURNS)
ROLLOUTS = rollouts_of(CODEC, PROMPTS, [["x", "long answer~"], ["yy", ""]])


def test_answers_as_text_know_whether_they_ended_by_themselves() -> None:
    """The stop token counts as a token and is no text."""
    assert completions(ROLLOUTS) == [
        Completion(text="x", finished=True, num_tokens=2),
        Completion(text="long answer", finished=False, num_tokens=11),
        Completion(text="yy", finished=True, num_tokens=3),
        Completion(text="", finished=True, num_tokens=1),
    ]


class Recording:
    """A TextScorer that says what it is told and remembers what it was asked."""

    def __init__(self, scores: list[TextScore]) -> None:
        self.scores = scores
        self.asked: list[tuple[Sequence[Messages], Sequence[Completion]]] = []

    def score(self, prompts: Sequence[Messages], completions: Sequence[Completion]) -> list[TextScore]:
        self.asked.append((prompts, completions))
        return self.scores


def test_a_text_scorer_sees_each_answer_with_its_prompt() -> None:
    scorer = Recording([TextScore(float(i), {"form": i / 2, "words": -float(i)}) for i in range(4)])
    found = TextualScorer(scorer)(PROMPTS, ROLLOUTS)
    ((prompts, answers),) = scorer.asked
    assert list(prompts) == [(user("a"),), (user("a"),), TURNS, TURNS]
    assert list(answers) == completions(ROLLOUTS)
    assert found.total.tolist() == [0, 1, 2, 3]
    assert {name: x.tolist() for name, x in found.components.items()} == {
        "form": [0, 0.5, 1, 1.5],
        "words": [0, -1, -2, -3],
    }


@pytest.mark.parametrize(
    ("scores", "message"),
    [
        ([TextScore(1.0)], "4 completions, got 1 scores"),
        ([TextScore(1.0)] * 5, "4 completions, got 5 scores"),
        ([], "4 completions, got 0 scores"),
        ([TextScore(1.0, {"a": 1.0}), *[TextScore(1.0)] * 3], r"got 4 scores with components \['a'\]"),
        ([*[TextScore(1.0)] * 3, TextScore(1.0, {"b": 1.0})], r"got 4 scores with components \['b'\]"),
    ],
)
def test_scores_that_do_not_fit_the_answers_are_refused(scores: list[TextScore], message: str) -> None:
    """One score would otherwise be spread over all answers."""
    with pytest.raises(
        PlauditError, match=f"one score a completion, all with the same components.*{message.split(', ')[-1]}"
    ):
        TextualScorer(Recording(scores))(PROMPTS, ROLLOUTS)


def test_a_function_gets_texts_and_columns_one_entry_a_completion() -> None:
    """As TRL's GRPO calls it. A prompt of several messages is its texts; a prompt without a column's value gives None."""
    seen = {}

    def function(prompts: list[str], completions: list[str], **columns: list[object]) -> list[float]:
        seen.update(prompts=prompts, completions=completions, **columns)
        return [float(len(text)) for text in completions]

    columns = {PROMPTS[0].id: {"answer": 42, "source": "x"}, PROMPTS[1].id: {"answer": "y"}, "unused": {"source": 1}}
    found = FunctionScorer(function, columns)(PROMPTS, ROLLOUTS)
    assert found.total.tolist() == [1, 11, 2, 0]
    assert not found.components
    assert seen == {
        "prompts": ["a", "a", "be brief\nhi\nhello\nand?", "be brief\nhi\nhello\nand?"],
        "completions": ["x", "long answer", "yy", ""],
        "answer": [42, 42, "y", "y"],
        "source": ["x", "x", None, None],
    }


def test_a_function_without_columns_gets_none() -> None:
    def function(prompts: list[str], completions: list[str]) -> list[float]:
        return [1] * len(prompts)  # whole numbers will do

    assert FunctionScorer(function)(PROMPTS, ROLLOUTS).total.tolist() == [1.0] * 4


@pytest.mark.parametrize(
    ("scores", "message"),
    [
        ([1.0, 2.0], "4 completions, got 2 values, 0 of them not finite"),
        ([1.0] * 5, "4 completions, got 5 values, 0 of them not finite"),
        ([1.0, math.nan, 1.0, -math.inf], "4 completions, got 4 values, 2 of them not finite"),
    ],
)
def test_a_function_that_returns_something_else_is_told_so(scores: list[float], message: str) -> None:
    with pytest.raises(PlauditError, match=f"must return one finite number a completion: {message}"):
        FunctionScorer(lambda prompts, completions: scores)(PROMPTS, ROLLOUTS)


@pytest.mark.parametrize("returned", [None, 1.0, [1.0, None, 1.0, 1.0], ["a", "b", "c", "d"]])
def test_a_function_that_returns_no_numbers_is_told_so(returned: object) -> None:
    with pytest.raises(PlauditError, match=r"one finite number a completion: 4 completions, got (None|1\.0|\[)"):
        FunctionScorer(lambda prompts, completions: returned)(PROMPTS, ROLLOUTS)  # type: ignore[arg-type, return-value]
