"""Answers in steps, and spans over an answer."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import ValidationError

from plaudit.formats import open_records, write_records
from plaudit.schemas.conversation import assistant, user
from plaudit.schemas.errors import PlauditError, RowError
from plaudit.schemas.feedback import Highlights, Span

Written = Callable[..., Path]


def test_the_steps_are_spans_of_the_answer(golden: Path) -> None:
    first, second = open_records(golden / "trl-stepwise.jsonl").of(Highlights)
    assert first.prompt == (user("A tram has 12 seats and 5 people sit. How many seats are free?"),)
    assert first.text == "Five of twelve seats are taken.\n12 - 5 = 8."
    assert first.spans == (
        Span(start=0, end=31, label="step", score=1.0),
        Span(start=32, end=43, label="step", score=0.0),
    )
    assert [first.text[span.start : span.end] for span in first.spans] == [
        "Five of twelve seats are taken.",
        "12 - 5 = 8.",
    ]
    assert (second.extra, second.spans[0].end) == ({"level": 1}, 20)


def test_the_same_rows_come_back(golden: Path, tmp_path: Path) -> None:
    path, out = golden / "trl-stepwise.jsonl", tmp_path / "trl-stepwise.jsonl"
    assert not write_records(open_records(path), out, "trl")
    assert list(open_records(out)) == list(open_records(path))
    keys = ("prompt", "completions", "labels")
    before, after = ([json.loads(line) for line in file.read_text().splitlines()] for file in (path, out))
    assert [{key: row[key] for key in keys} for row in after] == [{key: row[key] for key in keys} for row in before]


ANSWER = (assistant("one\ntwo"),)


@pytest.mark.parametrize(
    ("spans", "reason"),
    [
        ([], "spans that are not the steps"),
        ([(0, 3, 1.0)], "spans that are not the steps"),
        ([(0, 3, 1.0), (3, 7, 1.0)], "spans that are not the steps"),
        ([(0, 3, 1.0), (4, 6, 1.0)], "spans that are not the steps"),
        ([(1, 3, 1.0), (4, 7, 1.0)], "spans that are not the steps"),
        ([(0, 3, 1.0), (4, 7, None)], "spans without a score of 0 or 1"),
        ([(0, 3, 1.0), (4, 7, 0.5)], "spans without a score of 0 or 1"),
    ],
)
def test_spans_that_are_no_steps_are_left_out(
    tmp_path: Path, spans: list[tuple[int, int, float | None]], reason: str
) -> None:
    marked = tuple(Span(start=start, end=end, label="step", score=score) for start, end, score in spans)
    record = Highlights(prompt=(user("q"),), completion=ANSWER, spans=marked)
    with pytest.raises(PlauditError, match=f"fits none of the records:\nleft out 1 records: {reason}"):
        write_records([record], tmp_path / "out.jsonl", "trl")


def test_other_labels_are_lost_and_counted(tmp_path: Path) -> None:
    record = Highlights(prompt=(), completion=ANSWER, spans=(Span(start=0, end=7, label="sound", score=1),))
    assert write_records([record], tmp_path / "out.jsonl", "trl").fields == {"spans (labels)": 1}
    row = json.loads((tmp_path / "out.jsonl").read_text())
    assert row == {"prompt": "", "completions": ["one\ntwo"], "labels": [True]}


ROW = {"prompt": "q", "completions": ["a", "b"], "labels": [True, False]}


@pytest.mark.parametrize(
    ("change", "field", "expected"),
    [
        ({"prompt": 3}, "prompt", "a list of messages"),
        ({"prompt": None}, "prompt", "a list of messages"),
        ({"completions": "ab"}, "completions", "a list"),
        ({"completions": ["a", 3]}, "completions[1]", "the text of a step"),
        ({"completions": ["", "b"]}, "completions[0]", "the text of a step"),
        ({"completions": [], "labels": []}, "completions", "at least one step"),
        ({"labels": [True]}, "labels", "one label a step, 2"),
        ({"labels": [True, 1]}, "labels[1]", "true or false"),
        ({"labels": True}, "labels", "a list"),
    ],
)
def test_malformed_rows(written: Written, change: dict[str, object], field: str, expected: str) -> None:
    with pytest.raises(RowError) as caught:
        open_records(written(ROW, ROW | change), shape="trl")
    assert (caught.value.line, caught.value.field, caught.value.expected) == (2, field, expected)


@pytest.mark.parametrize(
    ("spans", "message"),
    [
        ([(0, 8)], "inside the answer of 7 characters"),
        ([(4, 7), (0, 3)], "in the order of their starts"),
        ([(0, 3), (0, 2)], "in the order of their starts"),
        ([(3, 3)], "must end after its start"),
        ([(-1, 3)], "greater than or equal to 0"),
    ],
)
def test_spans_lie_inside_the_answer_in_order(spans: list[tuple[int, int]], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Highlights(prompt=(), completion=ANSWER, spans=tuple(Span(start=a, end=b, label="x") for a, b in spans))


def test_highlights_are_of_one_message_and_may_overlap() -> None:
    with pytest.raises(ValidationError, match="must be one message"):
        Highlights(prompt=(), completion=(*ANSWER, user("more"), *ANSWER), spans=())
    with pytest.raises(ValidationError, match="label"):
        Span(start=0, end=1, label="")
    both = (Span(start=0, end=3, label="x"), Span(start=0, end=7, label="y"))
    assert Highlights(prompt=(), completion=ANSWER, spans=both).spans == both
