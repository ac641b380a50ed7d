"""Repetition and loops, worked by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plaudit.rules.repetition import has_loop, ngrams, repeated_ngram_frac

TEXTS = st.lists(st.sampled_from(["a", "b", "c."]), max_size=14).map(" ".join)


@pytest.mark.parametrize(
    ("text", "n", "frac"),
    [
        ("a b c d", 1, 0.0),
        ("a a a a", 1, 3 / 4),
        ("a b a b a", 2, 2 / 4),  # ab ba ab ba
        ("A, b! a B a?", 2, 2 / 4),
        ("a b c", 3, 0.0),
        ("a b", 3, 0.0),
        ("", 1, 0.0),
    ],
)
def test_the_fraction_of_ngrams_that_came_before(text: str, n: int, frac: float) -> None:
    assert repeated_ngram_frac(text, n) == pytest.approx(frac)


@given(TEXTS, st.integers(1, 5))
def test_a_slow_reference_agrees_and_case_and_spaces_change_nothing(text: str, n: int) -> None:
    tokens = text.replace(".", "").split()
    runs = [" ".join(tokens[i : i + n]) for i in range(len(tokens) - n + 1)]
    again = sum(run in runs[:place] for place, run in enumerate(runs))
    found = repeated_ngram_frac(text, n)
    assert found == pytest.approx(again / len(runs) if runs else 0.0)
    assert 0 <= found < 1
    assert repeated_ngram_frac(text.upper().replace(" ", " \t "), n) == found


@pytest.mark.parametrize(
    "text",
    [
        "It is good to be here. We see it is good to be. And it is good to be.",
        "no no no no no no",
        "You can rest. Drink water. You can rest.",
        "- Drink more water\n- Sleep well\n- drink more water",
    ],
)
def test_loops(text: str) -> None:
    assert has_loop(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "It is good to be here. We see it is good to be.",
        "Yes. It rains. Yes.",
        "1. Milk\n2. Bread\nThen:\n1. Pay\n2. Go",
        "no no no no no",
        "Do this first, then do that, then do the rest.",
    ],
)
def test_no_loops(text: str) -> None:
    assert not has_loop(text)


@given(TEXTS)
def test_a_text_said_twice_is_a_loop(text: str) -> None:
    twice = f"{text} and so on.\n{text} and so on."
    assert has_loop(twice)
    assert has_loop(twice.upper())


def test_an_ngram_has_at_least_one_token() -> None:
    with pytest.raises(ValueError, match="n must be at least 1"):
        ngrams(["a"], 0)
