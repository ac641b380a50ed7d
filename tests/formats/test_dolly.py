"""Dolly's columns, in and out."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from plaudit.formats import dolly, open_records
from plaudit.schemas.conversation import assistant, user
from plaudit.schemas.errors import PlauditError, RowError
from plaudit.schemas.feedback import Demonstration, Document

Written = Callable[..., Path]


def test_the_context_follows_the_instruction(golden: Path) -> None:
    first, second = dolly.read(golden / "dolly.jsonl")
    assert first.prompt == (user("When was the mill built?\n\nThe mill by the weir was built in 1842."),)
    assert first.completion == (assistant("In 1842."),)
    assert first.extra == {"context": "The mill by the weir was built in 1842.", "category": "closed_qa"}
    assert second.prompt == (user("Name three herbs."),)
    assert second.extra == {"category": "brainstorming"}


def test_what_was_read_is_written_back(golden: Path, tmp_path: Path) -> None:
    records = list(dolly.read(golden / "dolly.jsonl"))
    assert not dolly.write(records, tmp_path / "out.jsonl")
    assert list(dolly.read(tmp_path / "out.jsonl")) == records
    rows, published = (
        [json.loads(line) for line in path.read_text().splitlines()]
        for path in (tmp_path / "out.jsonl", golden / "dolly.jsonl")
    )
    keys = ("instruction", "context", "response", "category")
    assert [{key: row[key] for key in keys} for row in rows] == published


def test_longer_conversations_are_left_out_and_other_kinds_refused(tmp_path: Path) -> None:
    one = Demonstration(prompt=(user("p"),), completion=(assistant("x"),))
    two = Demonstration(prompt=(user("p"), assistant("q"), user("r")), completion=(assistant("x"),))
    losses = dolly.write([one, two], tmp_path / "out.jsonl")
    assert losses.records == {"3 messages where the shape holds one text": 1}
    assert str(losses) == "left out 1 records: 3 messages where the shape holds one text"
    with pytest.raises(PlauditError, match="dolly cannot carry a Document"):
        dolly.write([Document(text="a")], tmp_path / "out.jsonl")


@pytest.mark.parametrize(
    ("row", "field"),
    [
        ({"instruction": "i", "context": ""}, "response"),
        ({"instruction": 1, "response": "r"}, "instruction"),
        ({"instruction": "i", "context": ["c"], "response": "r"}, "context"),
    ],
)
def test_malformed_rows(written: Written, row: object, field: str) -> None:
    with pytest.raises(RowError) as caught:
        open_records(written(row), shape="dolly")
    assert (caught.value.line, caught.value.field, caught.value.expected) == (1, field, "text")


def test_the_whole_set(real_data: Path, tmp_path: Path) -> None:
    path = real_data / "dolly-15k" / "dolly-15k.jsonl"
    records = open_records(path)
    assert len(records.of(Demonstration)) == 13_000
    assert len({record.id for record in records}) == 13_000
    assert not dolly.write(records, tmp_path / "out.jsonl")
    with path.open(encoding="utf-8") as published, (tmp_path / "out.jsonl").open(encoding="utf-8") as again:
        for before, after in zip(published, again, strict=True):
            row = json.loads(after)
            assert {key: row[key] for key in ("instruction", "context", "response", "category")} == json.loads(before)
