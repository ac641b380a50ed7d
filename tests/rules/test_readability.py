"""Syllables and Flesch's formulas, worked by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plaudit.rules.readability import num_spoken_syllables, readability

SYLLABLES = {
    1: "cat the make makes walked games clothes whole sale sales eye you queue through thought loved loves agreed_2 free "
    "trees bored asked used fixed helped stopped played tried style styles rule goes does fruit suit build guide juice "
    "mouse a I tea seas team dream flea don't can't we've they'll it's seen flies guest shoe",
    2: "million making wanted needed boxes wishes churches changes houses table tables little people quiet science poet "
    "poem ruin being flying seeing didn't couldn't nation social station simple rhythm prism started patient ancient client "
    "diet union region special carried studied coffee apple uncle added hated ended pages dances heroes lion going doing "
    "fluid guitar hundred sacred queen_1 eaten ocean treated heater sequence",
    3: "national create_2 creation idea ideas radio piano previous beautiful telephone computer tourism decided "
    "banana library area audience official religious serious various biology_4 employee article languages potatoes "
    "violin violence actual gradual influence theory museum media medium vegetable_4 tomorrow creating created",
    4: "reality experience usually material variety society anxiety appreciate associate continuity_5 biology",
    5: "university readability",
}
COUNTED = [
    (word.partition("_")[0], int(word.partition("_")[2] or number))
    for number, row in SYLLABLES.items()
    for word in row.split()
]


@pytest.mark.parametrize(("word", "number"), COUNTED)
def test_syllables(word: str, number: int) -> None:
    assert num_spoken_syllables(word) == number
    assert num_spoken_syllables(word.upper()) == number


def test_both_formulas_worked_by_hand() -> None:
    # 2 sentences; 6 + 3 = 9 words; syllables the 1 cat 1 sat 1 on 1 the 1 table 2 | it 1 was 1 happy 2 = 11
    found = readability("The cat sat on the table. It was happy.")
    assert found.reading_ease == pytest.approx(206.835 - 1.015 * 4.5 - 84.6 * 11 / 9)
    assert found.grade == pytest.approx(0.39 * 4.5 + 11.8 * 11 / 9 - 15.59)
    # letters 3 3 3 2 3 5 2 3 5 = 29
    assert (found.words_per_sentence, found.letters_per_word) == (4.5, pytest.approx(29 / 9))
    assert (found.han_per_sentence, found.num_sentences) == (None, 2)


def test_longer_words_and_sentences_are_harder() -> None:
    plain = readability("We met at the lake. It was cold. We swam.")
    hard = readability("Participants congregated at the reservoir notwithstanding the considerable inclemency.")
    assert plain.reading_ease is not None
    assert plain.grade is not None
    assert hard.reading_ease is not None
    assert hard.grade is not None
    assert plain.reading_ease > 90 > 30 > hard.reading_ease
    assert plain.grade < 2 < 12 < hard.grade


@pytest.mark.parametrize("text", ["", " \n", "...", "—", "1. 2. 3."])
def test_without_a_sentence_nothing_is_measured(text: str) -> None:
    found = readability(text)
    measures = (found.reading_ease, found.grade, found.words_per_sentence, found.letters_per_word)
    assert measures == (None, None, None, None)
    assert (found.han_per_sentence, found.num_sentences) == (None, 0)


def test_chinese_is_measured_in_characters_a_sentence() -> None:
    found = readability("今天下雨。我们在家看书！")  # 4 and 6 characters
    assert (found.han_per_sentence, found.num_sentences) == (5.0, 2)
    assert found.reading_ease is found.grade is found.words_per_sentence is found.letters_per_word is None
    mixed = readability("我用 Python 写程序。")
    assert (mixed.han_per_sentence, mixed.letters_per_word, mixed.reading_ease) == (5.0, 6.0, None)


def test_a_contraction_is_one_word_and_its_apostrophe_no_letter() -> None:
    assert readability("It’s Ann's.").letters_per_word == 3.5
    assert readability("It’s Ann's.") == readability("It's ANN'S!")


@given(st.lists(st.sampled_from(["We met", "It rained all day", "Nobody noticed"]), min_size=1, max_size=5))
def test_saying_a_text_twice_changes_no_mean(pieces: list[str]) -> None:
    text = "".join(f"{piece}. " for piece in pieces)
    once, twice = readability(text), readability(text * 2)
    assert twice.num_sentences == 2 * once.num_sentences
    assert twice.reading_ease == pytest.approx(once.reading_ease)
    assert twice.grade == pytest.approx(once.grade)
    assert twice.words_per_sentence == pytest.approx(once.words_per_sentence)


@given(st.text())
def test_any_text_can_be_measured(text: str) -> None:
    found = readability(text)
    assert found.num_sentences >= 0
    assert all(value is None or value > 0 for value in (found.words_per_sentence, found.han_per_sentence))
