"""Length and ending, worked by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plaudit.rules.form import ends_with_stop, num_sentences, num_words, sentences


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("...", []),
        ("One. Two!", ["One.", "Two!"]),
        ('She said "Go." Then he left (at 5.30).', ['She said "Go."', "Then he left (at 5.30)."]),
        ("Pi is 3.14 and more... or not?", ["Pi is 3.14 and more...", "or not?"]),
        ("A list:\n1. Milk\n2. Bread, fresh.\n\nDone", ["A list:", "Milk", "Bread, fresh.", "Done"]),
        ("你好。再见！", ["你好。", "再见！"]),
        ("no stop", ["no stop"]),
        ("Well… I see.", ["Well…", "I see."]),
        ('**Note.** He asked ("Why?") and left.', ["**Note.**", 'He asked ("Why?")', "and left."]),
    ],
)
def test_sentences(text: str, expected: list[str]) -> None:
    assert sentences(text) == expected
    assert num_sentences(text) == len(expected)


def test_words_are_counted() -> None:
    assert num_words("It's 5 o'clock, isn't it? 好的") == 7
    assert num_words("") == 0


@pytest.mark.parametrize(
    "text", ["Yes.", "Yes!", "Is it?  \n", 'He said "no."', "(So it is.)", "**Done.**", "好的。", "He said “no”."]
)
def test_finished(text: str) -> None:
    assert ends_with_stop(text)


@pytest.mark.parametrize(
    "text", ["", "and then", "first,", "the steps:", "I wonder...", "I wonder…", "3.5 km", '"no"', "- milk", "嗯。。"]
)
def test_unfinished(text: str) -> None:
    assert not ends_with_stop(text)


@given(st.text(), st.sampled_from(["", " ", "\n", "\t \n"]))
def test_white_space_and_case_change_nothing(text: str, space: str) -> None:
    assert ends_with_stop(space + text + space) == ends_with_stop(text)
    assert num_words(space + text + space) == num_words(text)
    assert num_sentences(space + text + space) == num_sentences(text)


@given(
    st.lists(st.sampled_from(["We met", "It rained all day", "Ok then"]), min_size=1, max_size=6),
    st.sampled_from(".!?"),
)
def test_joined_sentences_come_apart_again(pieces: list[str], stop: str) -> None:
    text = " ".join(piece + stop for piece in pieces)
    assert sentences(text) == [piece + stop for piece in pieces]
    assert ends_with_stop(text)
