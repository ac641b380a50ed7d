"""distinct-n, worked by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plaudit.rules.diversity import distinct_at_equal_length, distinct_n

ROWS = st.lists(st.lists(st.sampled_from("abcd"), max_size=8).map(" ".join), max_size=6)


def test_ngrams_do_not_cross_texts() -> None:
    # ab bc | ab | none: 2 distinct of 3; a text's end and the next one's start are no pair
    assert distinct_n(["a b c", "A b.", "d"], 2) == pytest.approx(2 / 3)
    assert distinct_n(["a b c", "a b", "d"], 1) == pytest.approx(4 / 6)
    assert distinct_n([], 2) == distinct_n(["a"], 2) == 0.0


def test_the_cut_goes_round_the_texts() -> None:
    texts = ["a b a b a b", "c", "d e f g"]
    # 6 words: a c d | b e | a -> "a b a", "c", "d e": ab ba de
    assert distinct_n(texts, 2, max_tokens=6) == 1.0
    assert distinct_n(texts, 1, max_tokens=6) == pytest.approx(5 / 6)
    # all 11 words: ab ba ab ba ab | de ef fg
    assert distinct_n(texts, 2, max_tokens=11) == distinct_n(texts, 2) == pytest.approx(5 / 8)
    assert distinct_n(texts, 1, max_tokens=0) == 0.0


def test_both_models_get_the_same_number_of_words() -> None:
    brief, wordy = ["a b", "c d"], ["a b c a b c a b c", "d e d e"]
    found = distinct_at_equal_length(brief, wordy, 1)
    assert found == (1.0, 4 / 4)  # cut to 4 words: a b | d e
    assert distinct_at_equal_length(wordy, brief, 1) == found[::-1]
    assert distinct_at_equal_length([], wordy, 1) == (0.0, 0.0)


@given(ROWS, st.integers(1, 3), st.integers(0, 40))
def test_it_is_a_fraction_blind_to_case_and_spaces(texts: list[str], n: int, max_tokens: int) -> None:
    found = distinct_n(texts, n, max_tokens)
    assert 0 <= found <= 1
    assert distinct_n([f" {text.upper()} ".replace(" ", "\n ") for text in texts], n, max_tokens) == found


@given(ROWS, st.integers(0, 40))
def test_the_cut_keeps_exactly_as_many_words_as_asked(texts: list[str], max_tokens: int) -> None:
    """With every word unlike all others, distinct-1 times the words kept counts them."""
    unlike = [" ".join(f"w{row}x{place}" for place in range(len(text.split()))) for row, text in enumerate(texts)]
    available = sum(len(text.split()) for text in texts)
    same = ["w " * len(text.split()) for text in texts]
    kept = min(max_tokens, available)
    assert distinct_n(unlike, 1, max_tokens) == (1.0 if kept else 0.0)
    assert distinct_n(same, 1, max_tokens) == pytest.approx(1 / kept if kept else 0.0)
