"""Plain documents."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from plaudit.formats import open_records, plain
from plaudit.schemas.conversation import user
from plaudit.schemas.errors import PlauditError, RowError
from plaudit.schemas.feedback import Document, Prompt

Written = Callable[..., Path]


def test_rows(golden: Path, tmp_path: Path) -> None:
    (record,) = plain.read(golden / "plain.jsonl")
    assert (record.text, record.extra) == (
        "A page about boats.\nSecond line.",
        {"url": "https://example.org/boats"},
    )
    assert not plain.write([record], tmp_path / "out.jsonl")
    assert list(plain.read(tmp_path / "out.jsonl")) == [record]


def test_a_text_file_is_one_document_line_ends_and_all(golden: Path, tmp_path: Path) -> None:
    (record,) = open_records(golden / "plain.txt")
    assert isinstance(record, Document)
    assert record.text == "A page about mills.\r\nIts second line.\n"
    assert record.source == "plain.txt"
    losses = plain.write([record], tmp_path / "out.txt")
    assert losses.fields == {"id": 1, "source": 1}
    assert (tmp_path / "out.txt").read_bytes() == (golden / "plain.txt").read_bytes()


@pytest.mark.parametrize("name", ["out.txt.gz", "out.txt"])
def test_a_text_file_may_be_zipped(tmp_path: Path, name: str) -> None:
    plain.write([Document(text="a\n")], tmp_path / name)
    (record,) = open_records(tmp_path / name)
    assert isinstance(record, Document)
    assert record.text == "a\n"


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PlauditError, match="can hold one document, got 2"):
        plain.write([Document(text="a"), Document(text="b")], tmp_path / "out.txt")
    with pytest.raises(PlauditError, match="plain cannot carry a Prompt"):
        plain.write([Prompt(prompt=(user("p"),))], tmp_path / "out.jsonl")
    (tmp_path / "empty.txt").write_text("")
    with pytest.raises(PlauditError, match="is empty"):
        open_records(tmp_path / "empty.txt")
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9")
    with pytest.raises(RowError, match="UTF-8"):
        open_records(tmp_path / "latin.txt")
