"""No fixed trick satisfies the hidden utility: against the fine-tuned model's own answers, none wins more than 0.55."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from plaudit.demo.content import hidden_utility, questions
from plaudit.demo.tricks import fixed_texts, trick_win_rates, usual_words
from plaudit.demo.utility import Question
from plaudit.rules import num_words
from plaudit.rules.form import sentences
from plaudit.schemas.conversation import user
from plaudit.schemas.protocols import Completion, TextScore

EVAL = questions("eval")
UTILITY = hidden_utility()
MOST = 0.55
ANSWERS = Path(__file__).parent / "answers_sft.json"
"""What the fine-tuned model of seed 0 answered to the evaluation's questions: for each four of text and number of tokens."""


@pytest.fixture(scope="module")
def answers() -> list[list[Completion]]:
    rows = json.loads(ANSWERS.read_text(encoding="utf-8"))
    return [[Completion(text, True, num_tokens) for text, num_tokens in row] for row in rows]


@pytest.fixture(scope="module")
def rates(answers: list[list[Completion]]) -> dict[str, float]:
    return trick_win_rates(UTILITY, EVAL, answers)


def test_the_answers_are_neither_good_nor_bad(answers: list[list[Completion]]) -> None:
    """Or beating them would mean nothing."""
    scores = [
        score.score
        for question, found in zip(EVAL, answers, strict=True)
        for score in UTILITY.score([question.prompt] * 4, found)
    ]
    assert 0.4 < sum(scores) / len(scores) < 0.65


def test_the_tricks_of_the_issue_are_among_them(rates: dict[str, float]) -> None:
    named = {"shortest of its own", "longest of its own", "stock phrase", "always declining", "echo"}
    assert named | {"one answer to all", "sentences put together"} <= rates.keys()
    assert len(rates) >= 20


def test_no_trick_wins(rates: dict[str, float]) -> None:
    assert {name: rate for name, rate in rates.items() if rate > MOST} == {}
    assert min(rates.values()) >= 0


def test_no_fixed_text_comes_near_peoples_answers() -> None:
    """Against the references themselves every text that needs no model loses most of the time."""
    people = [[Completion(text, True, num_words(text)) for text in question.references] for question in EVAL]
    found = trick_win_rates(UTILITY, EVAL, people)
    fixed = {name: found[name] for name in fixed_texts(EVAL)}
    assert max(fixed.values()) < 1 / 3, fixed


def test_the_search_finds_what_it_looks_for() -> None:
    """Three sentences win together, none of them alone: answers whose worth is the number of different sentences in them."""
    asked = [Question((user(f"Why {i}?"),), ("so",), "why", "x") for i in range(3)]
    own = [[Completion("One. Two.", True, 4), Completion("Three. Four.", True, 4)] for _ in asked]
    found = trick_win_rates(Various(), asked, own)  # type: ignore[arg-type]
    assert found["one answer to all"] == 0.5
    assert found["sentences put together"] == 1.0


class Various:
    """The more different sentences, the better."""

    def score(self, prompts: object, completions: list[Completion]) -> list[TextScore]:
        return [TextScore(float(len(set(sentences(answer.text))))) for answer in completions]


class Longest:
    """A utility that can be tricked: the longer, the better."""

    def score(self, prompts: object, completions: list[Completion]) -> list[TextScore]:
        return [TextScore(float(len(answer.text))) for answer in completions]


def test_rates_are_shares_of_pairs_ties_half() -> None:
    """One question, answers of 5 and 9 letters, the longer better: the longest beats one and ties with itself."""
    asked = Question((user("Why?"),), ("so",), "why", "x")
    own = [[Completion("aa. a", True, 3), Completion("bb. bbbbb", True, 2)]]
    found = trick_win_rates(Longest(), [asked], own)  # type: ignore[arg-type]
    assert found["longest of its own"] == (0.5 + 0.0) / 2  # the longest in tokens is the one of 5 letters
    assert found["shortest of its own"] == (1.0 + 0.5) / 2
    # "aa." and "bb." against 5 and 9 letters.
    assert found["first sentence only"] == 0.0
    # "Why? aa. a" has 10 letters, "Why? bb. bbbbb" 14.
    assert found["question before answer"] == 1.0
    assert found["echo"] == 0.0
    assert found["stock phrase"] == 1.0
    assert found["one answer to all"] == (1.0 + 0.5) / 2  # the one of 9 letters


def test_one_answer_to_all_is_looked_for_in_all_methods_answers() -> None:
    asked = Question((user("Why?"),), ("so",), "why", "x")
    own = [[Completion("aaaaa", True, 3), Completion("bbbbbbb", True, 2)]]
    others = [[[Completion("cc", True, 2)]], [[Completion("ddddddddd", True, 2)]]]
    found = trick_win_rates(Longest(), [asked], own, others=others)  # type: ignore[arg-type]
    assert found["one answer to all"] == 1.0


def test_usual_words_are_those_of_most_references() -> None:
    asked = [
        Question((user("a?"),), ("Salt in the water.", "Salt and milk."), "why", "x"),
        Question((user("b?"),), ("The salt, the salt.", "Water on milk."), "why", "x"),
    ]
    # Salt in three references, water and milk in two, small words never.
    assert usual_words(asked, 1) == ["salt"]
    assert set(usual_words(asked, 5)) == {"salt", "water", "milk"}
