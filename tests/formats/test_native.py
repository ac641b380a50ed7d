"""plaudit's own files: every kind, nothing lost, strict about types."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from plaudit.formats import native, open_records
from plaudit.schemas.conversation import assistant, user
from plaudit.schemas.errors import PlauditError, RowError
from plaudit.schemas.feedback import (
    Comparison,
    Correction,
    Demonstration,
    Document,
    Highlights,
    Prompt,
    Ranking,
    Rating,
)

Written = Callable[..., Path]


def test_the_golden_file(golden: Path) -> None:
    first, second = native.read(golden / "native.jsonl")
    assert first == Rating(
        id="r1",
        source="demo",
        annotator="p1",
        extra={"seconds": 3.5},
        prompt=(user("Hi"),),
        completion=(assistant("Hello"),),
        score=4,
        minimum=1,
        maximum=5,
    )
    assert uuid.UUID(second.id).version == 5
    assert second.source == "native.jsonl"


def test_every_kind_has_a_name() -> None:
    assert dict(native.KINDS) == {
        "document": Document,
        "prompt": Prompt,
        "demonstration": Demonstration,
        "comparison": Comparison,
        "ranking": Ranking,
        "rating": Rating,
        "correction": Correction,
        "highlights": Highlights,
    }


def test_a_file_holds_one_kind(tmp_path: Path) -> None:
    with pytest.raises(PlauditError, match="one kind"):
        native.write([Document(text="a"), Prompt(prompt=(user("p"),))], tmp_path / "out.jsonl")


ROW = {"kind": "rating", "prompt": [], "completion": [{"role": "assistant", "content": "x"}], "score": 1.0}


@pytest.mark.parametrize(
    ("change", "field", "expected", "got"),
    [
        ({"kind": "opinion"}, "kind", "one of document, prompt,", "the text 'opinion'"),
        ({"kind": "document"}, "kind", "rating, as in the rows before", "document"),
        ({"kind": 3}, "kind", "text", "the number 3"),
        ({"score": "1"}, "score", "a valid number", "the text '1'"),
        ({"score": 2}, "(row)", "score 2.0 lies outside [0.0, 1.0]", "a row that is not so"),
        ({"score": None}, "score", "a valid number", "null"),
        ({"ranks": [0]}, "ranks", "Extra inputs are not permitted", "a list of 1"),
        ({"prompt": [{"role": "user"}]}, "prompt.0.content", "Field required", "an object with role"),
        ({"prompt": [{"role": "x", "content": ""}]}, "prompt.0.role", "'system', 'user', 'assistant' or 'tool'", "the"),
        ({"extra": 3}, "extra", "an object", "the number 3"),
        ({"weight": -1}, "weight", "greater than or equal to 0", "the number -1"),
        ({"annotator": 3}, "annotator", "a valid string", "the number 3"),
    ],
)
def test_malformed_rows(written: Written, change: dict[str, object], field: str, expected: str, got: str) -> None:
    with pytest.raises(RowError) as caught:
        open_records(written(ROW, ROW | change))
    assert (caught.value.line, caught.value.field) == (2, field)
    assert caught.value.expected.startswith(expected)
    assert caught.value.got.startswith(got)


def test_a_line_alone_says_what_it_is(tmp_path: Path) -> None:
    native.write([Document(id="d", source="s", text="é")], tmp_path / "out.jsonl")
    text = (tmp_path / "out.jsonl").read_text(encoding="utf-8")
    assert text.startswith('{"kind": "document", "id": "d", "source": "s"')
    assert json.loads(text)["text"] == "é"
    assert "é" in text
