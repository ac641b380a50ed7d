"""Doubt and unsupported spans: worked by hand, against a slow reference, and on people's error spans."""

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plaudit.rules.support import MAX_RUN, UnsupportedSpan, token_doubts, unsupported_frac, unsupported_spans
from plaudit.statistics import auroc

PASSAGE = "The mill was built in 1842 by Ada Brook. It burnt down twice, and 1,400 people rebuilt it."
TEXTS = st.lists(st.sampled_from(["a", "mill", "burnt", "down.", "it", "red", "7"]), max_size=10).map(" ".join)


def spans_of(answer: str, passage: str = PASSAGE) -> list[tuple[str, tuple[str, ...]]]:
    return [(answer[span.start : span.end], span.missing) for span in unsupported_spans(answer, passage)]


def test_doubts_worked_by_hand() -> None:
    # "the mill was" is a run of 3, "red" is nowhere: own doubts 1/4 1/4 1/4 1, their mean 7/16
    doubts = token_doubts("The mill was red.", PASSAGE)
    assert [doubt.doubt for doubt in doubts] == pytest.approx([(1 / 4 + 7 / 16) / 2] * 3 + [(1 + 7 / 16) / 2])
    assert [(doubt.start, doubt.end) for doubt in doubts] == [(0, 3), (4, 8), (9, 12), (13, 16)]
    # each sentence has its own mean
    both = token_doubts("Red. The mill was", PASSAGE)
    assert [doubt.doubt for doubt in both] == pytest.approx([1.0] + [1 / 4] * 3)


def test_a_copied_answer_has_no_unsupported_span_and_an_invented_one_is_all_span() -> None:
    assert spans_of(PASSAGE) == []
    assert max(doubt.doubt for doubt in token_doubts(PASSAGE, PASSAGE)) <= 1 / 9
    answer = "Eleven swans sang loudly"
    assert unsupported_spans(answer, PASSAGE) == [
        UnsupportedSpan(0, len(answer), 1.0, ("Eleven", "swans", "sang", "loudly"))
    ]
    assert unsupported_frac(answer, PASSAGE) == 1.0


def test_names_and_numbers_that_the_passage_lacks_are_named() -> None:
    assert spans_of("The mill was built in 1843 by Ada Brook.") == [("1843", ("1843",))]
    assert spans_of("The mill was built in 1842 by Ada Stone.") == [("Stone", ("Stone",))]
    assert unsupported_frac("The mill was built in 1843.", PASSAGE) == pytest.approx(1 / 3)


def test_a_number_may_be_written_otherwise() -> None:
    assert spans_of("and 1400 people rebuilt it") == []
    assert spans_of("They met at two o'clock.", "They met at 2 o'clock.") == []
    assert spans_of("The road measures 3.5 km.", "The road measures 3.4 km.") == [("3.5 km", ("3.5",))]


def test_words_in_other_company_are_doubted_though_none_is_missing() -> None:
    assert spans_of("Brook burnt 1,400 people.") == [("Brook burnt 1,400 people", ())]


def test_little_words_between_supported_ones_are_no_span() -> None:
    assert spans_of("The mill was built in 1842 and it burnt down twice") == []


def test_nothing_is_said_of_nothing() -> None:
    assert token_doubts("", PASSAGE) == unsupported_spans(" ... ", PASSAGE) == []
    assert unsupported_frac("it was", "") == 0.0
    assert spans_of("Rain.", "") == [("Rain", ("Rain",))]


def test_chinese_is_read_by_characters() -> None:
    assert spans_of("磨坊建于1842年。", "这座磨坊建于1842年。") == []
    assert spans_of("磨坊建于1842年，很红。", "这座磨坊建于1842年。") == [("很红", ("很", "红"))]


def slow_run(words: list[str], place: int, passage: list[str]) -> int:
    """The longest run through `place` that stands in the passage, by comparing all pairs of runs."""
    longest = 0
    for start in range(place + 1):
        for end in range(place + 1, min(len(words), start + MAX_RUN) + 1):
            run = words[start:end]
            if any(passage[at : at + len(run)] == run for at in range(len(passage))):
                longest = max(longest, len(run))
    return longest


@given(TEXTS, TEXTS)
def test_doubts_agree_with_comparing_all_runs(answer: str, passage: str) -> None:
    answer, passage = answer.replace(".", ""), passage.replace(".", "")  # one sentence
    words = answer.split()
    own = [1 / (1 + slow_run(words, place, passage.split())) for place in range(len(words))]
    expected = [(doubt + sum(own) / len(own)) / 2 for doubt in own]
    assert [doubt.doubt for doubt in token_doubts(answer, passage)] == pytest.approx(expected)


@given(TEXTS, TEXTS)
def test_spans_lie_in_order_within_the_answer_and_more_passage_never_adds_doubt(answer: str, passage: str) -> None:
    spans = unsupported_spans(answer, passage)
    ends = [end for span in spans for end in (span.start, span.end)]
    assert ends == sorted(set(ends))
    assert all(0 <= span.start < span.end <= len(answer) and 0 < span.doubt <= 1 for span in spans)
    longer = f"{passage} {answer}"
    for before, after in zip(token_doubts(answer, passage), token_doubts(answer, longer), strict=True):
        assert after.doubt <= before.doubt
    assert unsupported_frac(answer, longer) == 0.0


def test_doubt_tells_what_people_marked_as_not_in_the_passage() -> None:
    """AUROC of words in spans marked ungrounded or unverifiable against all others: 0.893 when written.

    What people marked as irrelevant or redundant is mostly copied from the passage; doubt says nothing about it.
    """
    folder = os.environ.get("PLAUDIT_DATA")
    if not folder:
        pytest.skip("PLAUDIT_DATA is unset: set it to the folder of real data sets to run this")
    lines = (Path(folder) / "finegrained-qa-feedback" / "dev_feedback.jsonl").read_text(encoding="utf-8").splitlines()
    doubts, wrong = [], []
    for row in map(json.loads, lines[:200]):
        spans = [
            (error["start"], error["end"])
            for error in row["feedback"]["errors"]
            if error["error type"] in {"Wrong-Grounding", "Unverifiable"}
        ]
        passage = "\n".join(sentence for part in row["passages"] for sentence in part)
        for word in token_doubts(row["prediction 1"], passage):
            doubts.append(word.doubt)
            wrong.append(any(start < word.end and word.start < end for start, end in spans))
    assert auroc(doubts, wrong) > 0.85
