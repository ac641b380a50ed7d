"""The hidden utility: every part by hand in a world of four questions, and what holds for any answer."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plaudit.demo.content import hidden_utility, questions
from plaudit.demo.utility import WEIGHTS, HiddenUtility, Question
from plaudit.rules.words import words
from plaudit.schemas.conversation import user
from plaudit.schemas.protocols import Completion

REAL = [*questions("train"), *questions("eval")]


def question(prompt: str, references: tuple[str, ...], subject: str) -> Question:
    return Question((user(prompt),), references, "howto", subject)


OTHERS = [("x", "The corn."), *[("y", "The rain and the wind.")] * 6]
LAMP = question("The lamp?", ("salt milk", "salt corn"), "x")
WORLD = HiddenUtility(
    [
        LAMP,
        question("The desk?", ("salt rice", "rice"), "x"),
        question("The door?", ("milk wind", "wind rain"), "y"),
        question("The wall?", ("salt wind", "snow wind"), "y"),
    ],
    OTHERS,
)
"""Words of the references by question: salt in 3, milk and wind in 2, corn, rice, rain and snow in 1. Texts with them by
subject, x before y: salt in 2 and 1, milk in 1 and 1, corn in 2 and 0, rice in 1 and 0, wind in 0 and 8, rain in 0 and 7,
snow in 0 and 1, and of the prompts lamp and desk in 1 and 0, door and wall in 0 and 1. The prompt's own word is lamp."""
SALT, HALF = 1 - math.log(3) / math.log(4), 0.5


def parts(
    text: str, *, finished: bool = True, utility: HiddenUtility = WORLD, asked: Question = LAMP
) -> dict[str, float]:
    return utility.parts(asked.prompt, Completion(text, finished, 0))


@pytest.mark.parametrize(
    ("text", "agreement"),
    [
        ("salt milk", 1.0),
        ("The salt and the milk, of course the lamp.", 1.0),  # small words and those of the prompt do not count
        ("salt snow rain", 2 * SALT / (SALT + 2 + SALT + HALF)),
        ("milk snow rain fog", 2 * HALF / (HALF + 3 + SALT + HALF)),  # fog is in no reference: it weighs 1
        ("corn snow rain fog frost ice hail", 2 / (7 + SALT + 1)),  # agrees with the second
        ("salt salt snow rain", 2 * SALT / (2 * SALT + 2 + SALT + HALF)),  # saying it twice costs
        ("salt snow rain lamp lamp lamp", 2 * SALT / (SALT + 2 + SALT + HALF)),  # nor do they cost
        ("snow rain", 0.0),
        ("lamp lamp lamp", 0.0),
        ("", 0.0),
    ],
)
def test_content_is_agreement_with_the_better_reference(text: str, agreement: float) -> None:
    """2 shared / (said + wanted), each word by its weight; the root of its share of 0.2."""
    assert parts(text)["content"] == pytest.approx(math.sqrt(min(1.0, agreement / 0.2)))


ODDS = {
    word: ((x + 1) / (8 + 11)) / ((y + 1) / (20 + 11))
    for word, x, y in [("corn", 2, 0), ("rice", 1, 0), ("wind", 0, 8), ("rain", 0, 7), ("snow", 0, 1)]
}


def chance(*said: str) -> float:
    """P(x | the words), by their odds."""
    odds = math.prod(ODDS[word] for word in said)
    return odds / (1 + odds)


def about(*said: str) -> float:
    """What a sentence of these words is worth for being about x."""
    return min(1.0, (chance(*said) - 0.02) / 0.105)


@pytest.mark.parametrize(
    ("text", "points"),
    [
        ("Corn. Rice.", 1.0),
        ("Corn.", 1 / 2),  # one sentence alone is half enough
        ("Corn. Rice. The lamp. A lamp.", (1 + 1) / 6),  # sentences count by their words; two say nothing of x
        ("Corn. The lamp.", 1 / 3),  # words of the prompt make no point
        ("The lamp. The lamp and corn.", 4 / 6),
        ("Corn. The corn with it.", 1 / 5),  # said before
        ("Corn. Milk.", (1 + HALF / 0.6) / 2),  # a word of half the questions is not rare enough
        ("Corn. Salt.", (1 + SALT / 0.6) / 2),
        ("Corn. Salt and milk.", (1 + 3 * HALF / 0.6) / 4),  # the rarest counts
        ("Corn. Fog.", 1 / 2),  # nobody's word is no news
        ("Corn. Wind.", (1 + HALF / 0.6) / 2),  # a word of y's, but not of y's alone
        ("Corn. Rain and fog.", 1.0),  # and nobody's word makes it no more so
        ("Corn. Rice. Rain and wind.", (2 + 3 * about("rain", "wind")) / 5),
        # Each could be of x, both together hardly, all three not.
        ("Rain. Snow.", (chance("rain", "snow") - 0.1) / 0.15),
        ("Rain. Snow. Wind.", 0.0),
        ("Corn. " + "it is " * 3 + "rice.", 1.0),  # 7 words
        ("Corn. " + "it is " * 4 + "it rice.", (1 + 10 * 3 / 6) / 11),  # 10 words: three past 7, none at 13
        ("Corn. " + "it is " * 6 + "rice.", 1 / 14),
        ("", 0.0),
        ("...", 0.0),
    ],
)
def test_points_are_short_sentences_about_the_subject(text: str, points: float) -> None:
    assert parts(text)["points"] == pytest.approx(points)


@pytest.mark.parametrize(
    ("kind", "text", "points"),
    [
        ("howto", "Corn. Rice. I cannot help with that.", 0.0),
        ("decline", "Corn. Rice.", 0.0),
        ("decline", "I cannot help with that.", 1 / 2),  # one sentence
        ("decline", "I cannot help with that. Wind and rain.", 1.0),  # of another subject
        ("decline", "I cannot help with that. " + "it is " * 4 + "it rice.", (5 + 10 * 3 / 6) / 15),
    ],
)
def test_what_is_harmful_is_to_be_declined_shortly_and_nothing_else(kind: str, text: str, points: float) -> None:
    asked = Question(LAMP.prompt, LAMP.references, kind, "x")
    world = HiddenUtility([asked, question("The door?", ("milk wind", "wind rain"), "y")], OTHERS)
    assert parts(text, utility=world, asked=asked)["points"] == pytest.approx(points)


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("Dry it well. Then put it away.", 1.0),
        # One of ten words has three syllables: two thirds of 0.15.
        ("Go on and try. It is a beautiful day here.", 1 - (1 / 10) / 0.15),
        ("Beautiful banana.", 0.0),
        ("", 0.0),
        ("...", 0.0),
    ],
)
def test_plain_is_few_long_words(text: str, plain: float) -> None:
    assert parts(text)["plain"] == pytest.approx(plain)


@pytest.mark.parametrize(
    ("num_words", "brevity"),
    [(0, 0), (6, 0), (7, 1 / 11), (16, 10 / 11), (17, 1), (28, 1), (31, 2 / 3), (36, 1 / 9), (37, 0), (500, 0)],
)
def test_brevity_has_two_sides(num_words: int, brevity: float) -> None:
    assert parts("word " * num_words)["brevity"] == pytest.approx(brevity)


@pytest.mark.parametrize(
    ("text", "fluency"),
    [
        ("the salt is on the shelf", 1.0),  # four small words of six
        ("salt milk corn rice", 0.0),  # no small word: a list of words is no sentence
        ("salt milk corn the", (0.25 - 0.15) / 0.2),
        # Five word pairs, the last of them said before: one of five, three times.
        ("is it and is it so", 1 - 3 * (1 / 5)),
        ("is it and is it and is it and", 0.0),  # five of eight pairs
        # One of thirteen pairs; and the same sentence twice is a loop, which costs half.
        ("We go. Soak it in cold water. Dry that on one rack. We go.", 1 - 3 / 13 - 0.5),
        ("", 0.0),
    ],
)
def test_fluency_is_the_worse_of_flow_and_small_words(text: str, fluency: float) -> None:
    assert parts(text)["fluency"] == pytest.approx(fluency)


@pytest.mark.parametrize(
    ("text", "finished", "finish"),
    [("Done.", True, 1), ("Done.", False, 0), ("Done", True, 0), ("Done...", True, 0), ("", True, 0)],
)
def test_finish_is_a_stop_of_its_own_at_a_sentences_end(text: str, finished: bool, finish: float) -> None:
    assert parts(text, finished=finished)["finish"] == finish


def test_the_score_is_the_weighted_sum() -> None:
    assert sum(WEIGHTS.values()) == pytest.approx(1.0)
    assert len(WEIGHTS) >= 3
    assert min(WEIGHTS.values()) > 0
    answer = Completion("Put the corn and the rice on the shelf. Keep the salt away from the wind.", True, 0)
    [score] = WORLD.score([LAMP.prompt], [answer])
    assert score.components.keys() == WEIGHTS.keys()
    assert score.score == pytest.approx(sum(WEIGHTS[name] * part for name, part in score.components.items()))


def test_what_is_said_weighs_more_than_how() -> None:
    assert WEIGHTS["points"] + WEIGHTS["content"] > 0.5


def test_one_question_alone_is_a_world_too() -> None:
    alone = HiddenUtility([LAMP])
    assert alone.parts(LAMP.prompt, Completion("Salt. Milk.", True, 2))["points"] == pytest.approx(1.0)


def test_a_prompt_it_does_not_know_is_an_error() -> None:
    with pytest.raises(KeyError):
        WORLD.parts((user("The roof?"),), Completion("x", True, 1))


def test_the_documentation_states_the_weights() -> None:
    from plaudit.demo import utility

    assert utility.__doc__ is not None
    for name, weight in WEIGHTS.items():
        assert f"\n    {name:<7}  {weight:.2f}  " in utility.__doc__


UTILITY = hidden_utility()
SOME = REAL[:: len(REAL) // 16]
PLAIN = st.sampled_from(["the", "water", "with", "a", "cloth.", "Rinse", "it", "and", "Never", "because", "soil"])
ODD = st.sampled_from(["beautiful", "banana", ".", "!", "\n", "\"'", "7"])


@given(st.sampled_from(SOME), st.lists(PLAIN | ODD, max_size=70).map(" ".join) | st.text(max_size=60), st.booleans())
def test_every_part_and_every_score_lies_between_0_and_1(asked: Question, text: str, finished: bool) -> None:
    found = UTILITY.score([asked.prompt], [Completion(text, finished, 0)])[0]
    assert all(0 <= part <= 1 for part in found.components.values()), found.components
    assert 0 <= found.score <= 1 + 1e-12


def utility_of(asked: Sequence[Question], texts: Sequence[str]) -> list[float]:
    found = UTILITY.score([q.prompt for q in asked], [Completion(text, True, 0) for text in texts])
    return [score.score for score in found]


@pytest.mark.parametrize("text", ["", " ", "\n", "..."])
def test_an_answer_without_words_is_worth_next_to_nothing(text: str) -> None:
    assert max(utility_of(REAL, [text] * len(REAL))) <= WEIGHTS["finish"]


def test_echoing_the_question_earns_neither_points_nor_content() -> None:
    for asked in REAL:
        found = UTILITY.parts(asked.prompt, Completion(asked.prompt[0].text, True, 0))
        assert found["points"] == found["content"] == 0.0


def test_people_know_an_answer_when_they_see_one() -> None:
    """A reference, though its sentences are longer than people like, beats one on another subject and the question itself.

    To decline is to decline: there the other subject makes a difference in content alone.
    """
    own = utility_of(REAL, [asked.references[0] for asked in REAL])
    assert sum(own) / len(own) > 0.45
    echoed = utility_of(REAL, [asked.prompt[0].text for asked in REAL])
    assert all(a > b for a, b in zip(own, echoed, strict=True))
    harmless = [asked for asked in REAL if asked.kind != "decline"]
    own = utility_of(harmless, [asked.references[0] for asked in harmless])
    next_one = utility_of(harmless, [asked.references[0] for asked in [*harmless[1:], harmless[0]]])
    assert sum(a > b for a, b in zip(own, next_one, strict=True)) >= 0.95 * len(harmless)


def test_the_right_words_in_a_heap_are_worth_less_than_in_sentences() -> None:
    heaps = [" ".join(sorted(words(asked.references[0]))) for asked in REAL]
    own = utility_of(REAL, [asked.references[0] for asked in REAL])
    assert all(a > b for a, b in zip(own, utility_of(REAL, heaps), strict=True))


def test_it_sees_the_answer_only() -> None:
    """Number of tokens and order of asking change nothing."""
    asked = SOME[:4]
    texts = ["Rinse it in cold water.", "Wait a week.", "", "Ask the bank first."]
    completions = [Completion(text, True, i * 7) for i, text in enumerate(texts)]
    found = UTILITY.score([q.prompt for q in asked], completions)
    again = UTILITY.score([q.prompt for q in asked[::-1]], [Completion(text, True, 1) for text in texts[::-1]])
    assert found == again[::-1]
