"""BLEU, chrF and ROUGE: worked by hand, against the libraries' own corpus figures, and a slow reference."""

import math
from itertools import combinations
from statistics import mean

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plaudit.evaluation.overlap import Language, Overlap, bleu, chrf, rouge

TEXTS = ["the cat sat on the mat", "it rains all day long", "nobody came to the party at six", "so"]
REFERENCES = [
    ["the cat lay on the mat", "on the mat sat the cat"],
    ["it rained all day long", "all day long it rains hard"],
    ["nobody at all came", "no one came to the party"],
    ["so", "so it is"],
]
LINES = st.lists(st.sampled_from(["red", "blue", "sky", "the", "sees"]), min_size=1, max_size=6).map(" ".join)


def test_bleu_worked_by_hand() -> None:
    # "the cat the cat on the mat": unigrams clipped the 2, cat 1, on 1, mat 1 = 5 of 7; pairs the-cat, on-the, the-mat = 3
    # of 6; triples on-the-mat = 1 of 5; no four of 4, smoothed to 1/2 of 4. Lengths 7 and 6: no brevity penalty.
    found = bleu(["the cat the cat on the mat"], [["the cat sat on the mat"]])
    expected = 100 * (5 / 7 * 3 / 6 * 1 / 5 * 0.5 / 4) ** (1 / 4)
    assert found.rows == (pytest.approx(expected),)
    assert found.corpus.value == pytest.approx(expected)
    # all four n-grams right, 5 words against 6
    assert bleu(["the cat sat on the"], [["the cat sat on the mat"]]).corpus.value == pytest.approx(
        100 * math.exp(1 - 6 / 5)
    )


def test_chrf_worked_by_hand() -> None:
    # "ab" and "abc": order 1 has 2 of 2 and 2 of 3, order 2 has 1 of 1 and 1 of 2; order 3 only the reference has.
    precision, recall = 1.0, (2 / 3 + 1 / 2) / 2
    expected = 100 * 5 * precision * recall / (4 * precision + recall)
    assert chrf(["ab"], [["abc"]]).rows == (pytest.approx(expected),)
    assert chrf([" a b"], [["abc", "xy"]]).corpus.value == pytest.approx(expected)
    assert chrf(["ab"], [["xy"]]).corpus.value == chrf([""], [["xy"]]).corpus.value == 0.0


def test_rouge_worked_by_hand() -> None:
    # 4 words against 5: shared bakers, the, bread = 3; pairs the-bread = 1 of 3 and 4; in order all three
    found = rouge(["bakers bake the bread"], [["bakers sold all the bread"]])
    assert found.rouge1.rows == (pytest.approx(2 * 3 / 9),)
    assert found.rouge2.rows == (pytest.approx(2 * 1 / 7),)
    assert found.rouge_l.rows == (pytest.approx(2 * 3 / 9),)
    # in another order: the bread
    other = rouge(["the bread bakers bake"], [["bakers sold all the bread"]])
    assert other.rouge1 == found.rouge1
    assert other.rouge_l.rows == (pytest.approx(2 * 2 / 9),)


def test_the_best_reference_counts() -> None:
    texts, pair = ["green tea"], [["black coffee", "green tea"]]
    assert rouge(texts, pair).rouge2.rows == (1.0,)
    assert chrf(texts, pair).rows == (100.0,)
    assert bleu(texts, pair).rows == (pytest.approx(100.0),)


def test_corpora_agree_with_sacrebleu() -> None:
    from sacrebleu.metrics import BLEU, CHRF

    streams = [list(stream) for stream in zip(*REFERENCES, strict=True)]
    assert bleu(TEXTS, REFERENCES).corpus.value == pytest.approx(BLEU().corpus_score(TEXTS, streams).score)
    assert chrf(TEXTS, REFERENCES).corpus.value == pytest.approx(CHRF().corpus_score(TEXTS, streams).score)
    for row, text, references in zip(chrf(TEXTS, REFERENCES).rows, TEXTS, REFERENCES, strict=True):
        assert row == pytest.approx(CHRF().sentence_score(text, references).score)


@settings(max_examples=40)
@given(st.lists(st.tuples(LINES, LINES, LINES), min_size=1, max_size=4))
def test_any_corpus_agrees_with_sacrebleu(rows: list[tuple[str, str, str]]) -> None:
    from sacrebleu.metrics import BLEU, CHRF

    texts, first, second = (list(column) for column in zip(*rows, strict=True))
    references = [list(pair) for pair in zip(first, second, strict=True)]
    assert bleu(texts, references).corpus.value == pytest.approx(BLEU().corpus_score(texts, [first, second]).score)
    assert chrf(texts, references).corpus.value == pytest.approx(CHRF().corpus_score(texts, [first, second]).score)


def slow_rouge_l(text: str, reference: str) -> float:
    """The longest subsequence of the text's words that is one of the reference's too, by trying all of them."""
    said, wanted = text.split(), reference.split()
    for size in range(min(len(said), len(wanted)), 0, -1):
        if set(combinations(said, size)) & set(combinations(wanted, size)):
            return 2 * size / (len(said) + len(wanted))
    return 0.0


@settings(max_examples=60)
@given(LINES, LINES)
def test_rouge_l_agrees_with_trying_every_subsequence(text: str, reference: str) -> None:
    assert rouge([text], [[reference]]).rouge_l.rows == (pytest.approx(slow_rouge_l(text, reference)),)


def test_chinese_has_characters_for_words() -> None:
    texts, references = ["我喜欢喝绿茶。"], [["我爱喝绿茶"]]
    # 6 and 5 characters: shared 我 喝 绿 茶; pairs 喝绿 绿茶 of 5 and 4; in order all four
    found = rouge(texts, references, Language.CHINESE)
    assert found.rouge1.rows == found.rouge_l.rows == (pytest.approx(2 * 4 / 11),)
    assert found.rouge2.rows == (pytest.approx(2 * 2 / 9),)
    # As English, rouge-score sees no letter at all, and sacrebleu one long word.
    assert rouge(texts, references).rouge1.rows == (0.0,)
    assert bleu(["我喜欢喝绿茶"], [["我喜欢喝红茶"]]).rows == (0.0,)
    # zh: characters 5 of 6, pairs 3 of 5, triples 2 of 4, fours 1 of 3
    assert bleu(["我喜欢喝绿茶"], [["我喜欢喝红茶"]], Language.CHINESE).corpus.value == pytest.approx(
        100 * (5 / 6 * 3 / 5 * 2 / 4 * 1 / 3) ** (1 / 4)
    )


def test_chinese_keeps_latin_words_whole() -> None:
    found = rouge(["用 Python3 写代码"], [["用python3写代码!"]], Language.CHINESE)
    assert found.rouge2.rows == (1.0,)


def test_intervals_hold_the_value_and_shrink_with_rows() -> None:
    def width(found: Overlap) -> float:
        assert found.corpus.low <= found.corpus.value <= found.corpus.high
        return found.corpus.high - found.corpus.low

    for few, many in (
        (bleu(TEXTS, REFERENCES), bleu(TEXTS * 16, REFERENCES * 16)),
        (chrf(TEXTS, REFERENCES), chrf(TEXTS * 16, REFERENCES * 16)),
        (rouge(TEXTS, REFERENCES).rouge_l, rouge(TEXTS * 16, REFERENCES * 16).rouge_l),
    ):
        assert width(many) < width(few) / 2
        assert many.corpus.n == 16 * few.corpus.n == 64
        assert many.corpus.value == pytest.approx(few.corpus.value)
    found = rouge(TEXTS, REFERENCES).rouge1
    assert found.corpus.value == pytest.approx(mean(found.rows))


@pytest.mark.parametrize(
    ("texts", "references", "message"),
    [
        ([], [], "got 0 texts"),
        (["a"], [], "got 1 texts, 0 references"),
        (["a"], [[]], "row 1 wants a list"),
        (["a"], ["a"], "row 1 wants a list of at least one reference, got 'a'"),
    ],
)
def test_rows_must_fit(texts: list[str], references: list[list[str]], message: str) -> None:
    for measure in (bleu, chrf, rouge):
        with pytest.raises(ValueError, match=message):
            measure(texts, references)
