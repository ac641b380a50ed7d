"""No fixed trick satisfies the hidden utility: against answers like a fine-tuned small model's, none wins more than 0.55."""

from __future__ import annotations

import random

import pytest

from plaudit.demo.content import demonstrations, questions
from plaudit.demo.tricks import fixed_texts, trick_win_rates, usual_words
from plaudit.demo.utility import HiddenUtility, Question
from plaudit.rules import num_words
from plaudit.rules.form import sentences
from plaudit.schemas.conversation import user
from plaudit.schemas.protocols import Completion

TRAIN, EVAL = questions("train"), questions("eval")
UTILITY = HiddenUtility([*TRAIN, *EVAL])
MOST = 0.55
NUM_DRAWS = 4
REPLACED_FRAC, DROPPED_FRAC, CUT_FRAC = 0.35, 0.2, 0.04
NUM_SENTENCES = (1, 2, 2, 2, 3, 3)
"""Chosen so that the answers are like the fine-tuned model's in worth, length and sentences: on the subject, half wrong."""


def muddled(question: Question, generator: random.Random) -> Completion:
    """One to three sentences out of answers to questions of the subject, some words lost, many replaced by any words."""
    others = [other for other in TRAIN if other.subject == question.subject]
    spoken = [word for record in demonstrations() for word in record.completion[0].text.split()]
    said: list[str] = []
    for _ in range(generator.choice(NUM_SENTENCES)):
        for word in generator.choice(sentences(generator.choice(generator.choice(others).references))).split():
            if word.endswith("."):
                said.append(word)
            elif generator.random() >= DROPPED_FRAC:
                any_word = generator.choice(spoken).strip(".,").lower()
                said.append(any_word if generator.random() < REPLACED_FRAC else word)
    if generator.random() < CUT_FRAC:
        return Completion(" ".join(said[:-4]), False, 64)
    return Completion(" ".join(said), True, num_words(" ".join(said)) * 4 // 3)


def answers_by(seed: int) -> list[list[Completion]]:
    """Four to each question of the evaluation."""
    generator = random.Random(seed)
    return [[muddled(question, generator) for _ in range(4)] for question in EVAL]


@pytest.fixture(scope="module")
def answers() -> list[list[Completion]]:
    return answers_by(0)


@pytest.fixture(scope="module")
def rates() -> dict[str, float]:
    """Means over several draws of the answers: one draw of 96 questions is off by 0.02."""
    drawn = [trick_win_rates(UTILITY, EVAL, answers_by(seed)) for seed in range(NUM_DRAWS)]
    return {name: sum(found[name] for found in drawn) / NUM_DRAWS for name in drawn[0]}


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
    assert named | {"one answer to all"} <= rates.keys()
    assert len(rates) >= 12


def test_no_trick_wins(rates: dict[str, float]) -> None:
    assert {name: rate for name, rate in rates.items() if rate > MOST} == {}
    assert min(rates.values()) >= 0


def test_no_fixed_text_comes_near_peoples_answers() -> None:
    """Against the references themselves every text that needs no model loses most of the time."""
    people = [[Completion(text, True, num_words(text)) for text in question.references] for question in EVAL]
    found = trick_win_rates(UTILITY, EVAL, people)
    fixed = {name: found[name] for name in fixed_texts(EVAL)}
    assert max(fixed.values()) < 1 / 3, fixed


class Longest:
    """A utility that can be tricked: the longer, the better."""

    def score(self, prompts: object, completions: list[Completion]) -> list[object]:
        from plaudit.schemas.protocols import TextScore

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
