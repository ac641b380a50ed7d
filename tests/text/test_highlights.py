"""Spans in characters, marks on tokens."""

import pytest

from plaudit.models.load import load_codec
from plaudit.schemas.conversation import assistant, user
from plaudit.schemas.errors import PlauditError
from plaudit.schemas.feedback import Highlights, Span
from plaudit.text.highlights import Scored, encoded_highlights, token_places

CODEC = load_codec("tiny")  # a token a byte


def record(answer: str, *spans: tuple[int, int, str]) -> Highlights:
    marked = tuple(Span(start=start, end=end, label=label) for start, end, label in spans)
    return Highlights(prompt=(user("why?"),), completion=(assistant(answer),), spans=marked)


def marked_text(one: Highlights, labels: tuple[str, ...] = (), scored: Scored = "low") -> str:
    (row,), _ = encoded_highlights([one], CODEC, max_tokens=99, labels=labels, scored=scored)
    assert len(row.marked) == len(row.row.token_ids)
    return CODEC.decoded([t for t, m in zip(row.row.token_ids, row.marked, strict=True) if m])


def test_a_token_is_marked_where_one_of_its_characters_is() -> None:
    assert marked_text(record("so it is wrong here", (9, 14, "Incorrect"))) == "wrong"
    assert marked_text(record("ab cd", (0, 1, "x"), (3, 5, "x"))) == "acd"
    assert marked_text(record("nothing")) == ""
    assert marked_text(record("overlap", (0, 4, "x"), (2, 7, "x"))) == "overlap"


def test_only_spans_of_the_labels_count() -> None:
    one = record("wrong and dull", (0, 5, "Incorrect"), (10, 14, "Irrelevant"))
    assert marked_text(one, ("Incorrect",)) == "wrong"
    assert marked_text(one, ("Incorrect", "Irrelevant")) == "wrongdull"
    with pytest.raises(PlauditError, match="no span is labelled incorrect: the data have Incorrect, Irrelevant"):
        marked_text(one, ("incorrect",))


def test_of_spans_with_a_number_the_low_ones_count_or_the_high_ones() -> None:
    """A solution's steps are right (1) or wrong (0); a span without a number counts always."""
    parts = ((0, 4, 1.0), (4, 8, 0.0), (8, 12, 0.5), (12, 16, None))
    spans = tuple(Span(start=start, end=end, label="step", score=score) for start, end, score in parts)
    one = Highlights(prompt=(user("why?"),), completion=(assistant("one two thr four"),), spans=spans)
    assert marked_text(one) == "two four"
    assert marked_text(one, scored="high") == "one thr four"
    assert marked_text(one, scored="all") == "one two thr four"


def test_a_character_of_several_bytes_is_marked_whole_with_its_last() -> None:
    """Three bytes of "好" make one character; its last token holds it, and the answers around keep their places."""
    ids = CODEC.encoded((user("q"),), (assistant("a好b"),)).token_ids
    answer = ids[-6:]  # a, three bytes, b, stop
    assert token_places(answer, CODEC) == [(0, 1), (1, 1), (1, 1), (1, 2), (2, 3), (3, 3)]


def test_prompt_and_stop_token_are_never_marked() -> None:
    (row,), _ = encoded_highlights([record("all", (0, 3, "x"))], CODEC, max_tokens=99)
    counted = [m for m, mask in zip(row.marked, row.row.answer_mask, strict=True) if mask]
    assert counted == [True, True, True, False]
    assert not any(m for m, mask in zip(row.marked, row.row.answer_mask, strict=True) if not mask)


def test_what_is_too_long_is_left_out() -> None:
    records = [record("short"), record("x" * 200)]
    rows, kept = encoded_highlights(records, CODEC, max_tokens=60)
    assert (len(rows), kept) == (1, records[:1])
    with pytest.raises(PlauditError, match="none of the 2 marked answers fits into max_tokens = 3"):
        encoded_highlights(records, CODEC, max_tokens=3)
