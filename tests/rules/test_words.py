"""Words, stems and overlap: worked by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plaudit.rules.words import STOP_WORDS, best_overlap_f1, content_words, overlap_f1, words

WORDS = ["Run", "runs", "the", "cats", "sat,", "don't", "Mats", "a", "it's", "not", "7", "好", "café", "—", "(made"]
TEXTS = st.lists(st.sampled_from(WORDS), max_size=12).map(" ".join)


def test_words_are_lower_case_and_bare() -> None:
    assert words("“Don’t PANIC!” she said; it's 3.5 km - e_mail me.") == (
        ["don't", "panic", "she", "said", "it's", "3", "5", "km", "e", "mail", "me"]
    )
    assert words("我爱 Python3，真的") == ["我", "爱", "python3", "真", "的"]
    assert words(" ... ") == []


@pytest.mark.parametrize(
    "family",
    [
        "run runs running",
        "make makes making",
        "bake bakes baked baking",
        "stop stops stopped stopping",
        "fall falls falling",
        "pass passes passed passing",
        "city cities",
        "box boxes boxed boxing",
        "wish wishes wished wishing",
        "glass glasses",
        "try trying",
        "house houses housed housing",
        "agree agrees agreeing",
        "try tries tried trying",
        "arrive arrives arrived arriving",
        "change changes changed changing",
        "add adds added adding",
        "need needs needed needing",
        "hope hopes hoped hoping",
        "hop hops hopped hopping",
        "type types typed typing",
        "show shows showed showing",
        "visit visits visited visiting",
        "potato potatoes",
        "shoe shoes",
        "use uses used using",
        "go goes going",
        "pie pies",
        "lie lies lied",
        "focus focuses focused focusing",
    ],
)
def test_one_word_in_several_forms_has_one_stem(family: str) -> None:
    assert len(set(content_words(family))) == 1


@pytest.mark.parametrize(
    "pair",
    [
        "king kin",
        "gas ga",
        "sing sin",
        "bus bu",
        "red r",
        "this thi",
        "thing th",
        "bed b",
        "car care",
        "plan plane",
        "hope hop",
        "hoping hopping",
        "speed spe",
        "spring spr",
        "cress cre",
    ],
)
def test_short_and_unlike_words_stay_apart(pair: str) -> None:
    assert len(set(words(pair)) & STOP_WORDS) or len(set(content_words(pair))) == 2


def test_a_single_letter_is_left_alone() -> None:
    assert content_words("e s U.S.") == ["e", "s", "u", "s"]


def test_stop_words_go_and_negations_stay() -> None:
    assert content_words("The cat's on the mats, and it isn't happy.") == ["cat", "mat", "not", "happy"]
    assert content_words("They've not said that you can't or cannot.") == ["not", "said", "not", "not"]
    assert content_words("This is what it was.") == []


def test_overlap_worked_by_hand() -> None:
    # {cat, chase, mouse} and {dog, chase, cat, garden}: 2 shared of 3 and 4
    assert overlap_f1("The cat chases a mouse", "A dog chased the cats in the garden") == pytest.approx(4 / 7)
    # saying one right word four times: shared once of 4 and 2
    assert overlap_f1("tea tea tea tea", "green tea") == pytest.approx(2 / 6)
    assert overlap_f1("tea tea", "tea and more tea") == 1.0
    assert (
        overlap_f1("", "tea") == overlap_f1("tea", "") == overlap_f1("the", "the") == overlap_f1("tea", "coffee") == 0
    )


def test_the_best_reference_counts() -> None:
    assert best_overlap_f1("green tea", ["coffee", "tea", "green tea leaves"]) == pytest.approx(4 / 5)
    with pytest.raises(ValueError, match="at least one reference"):
        best_overlap_f1("green tea", [])


@given(TEXTS, TEXTS)
def test_overlap_is_a_symmetric_fraction_blind_to_case_order_and_spaces(a: str, b: str) -> None:
    found = overlap_f1(a, b)
    assert 0 <= found <= 1
    assert overlap_f1(b, a) == found
    assert overlap_f1("  ".join(reversed(a.upper().split(" "))), b) == found
    assert overlap_f1(a, a) == (1.0 if content_words(a) else 0.0)


@given(TEXTS)
def test_a_word_is_the_same_whatever_stands_round_it(text: str) -> None:
    assert [word for piece in text.split() for word in content_words(piece)] == content_words(text)


def test_the_stop_words_are_words() -> None:
    assert all(words(word) == [word] for word in STOP_WORDS)
    assert STOP_WORDS.isdisjoint({"not", "no", "never", "none", "nothing", "nobody"})
