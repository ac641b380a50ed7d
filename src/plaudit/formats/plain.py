"""Plain documents: `{"text"}` a row, or one `.txt` file, which is one document."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from pydantic import JsonValue

from plaudit.formats.columns import AS_NAMED, Columns
from plaudit.formats.jsonl import read_text, write_bytes
from plaudit.formats.outgoing import Losses, Outgoing, not_carried, of_one_kind, write_each
from plaudit.formats.rows import Item, Row, items, strict
from plaudit.schemas.errors import PlauditError
from plaudit.schemas.feedback import AnyRecord, Document


def recognises(columns: Mapping[str, JsonValue]) -> bool:
    """Whether a row has this shape."""
    return isinstance(columns.get("text"), str)


def is_text_file(path: Path) -> bool:
    """Whether the whole file is one document."""
    return path.name.removesuffix(".gz").endswith(".txt")


def read(path: Path) -> Iterator[Document]:
    """The file's documents. Raises RowError."""
    for record in strict(documents(path)):
        assert isinstance(record, Document)
        yield record


def documents(path: Path, named: Columns = AS_NAMED) -> Iterator[Item]:
    """The file's documents, and a RowError in the place of each that misfits."""
    if not is_text_file(path):
        yield from items(path, records_of, named)
        return
    text = read_text(path)
    if not text:
        raise PlauditError(f"{path} is empty: a document needs text")
    yield from records_of(Row({"text": text}, source=path.name))


def write(records: Iterable[AnyRecord], path: Path) -> Losses:
    """Writes one row a document; a `.txt` file takes a single document and nothing but its text."""
    if not is_text_file(path):
        return write_each(records, path, _rows_of)
    losses = Losses()
    found = of_one_kind(records, path)
    if len(found) != 1:
        raise PlauditError(f"{path} can hold one document, got {len(found)}: write them to a .jsonl file")
    (row,) = _rows_of(found[0], losses)
    Outgoing(found[0], losses).closed_row({})
    write_bytes(str(row["text"]).encode(), path)
    return losses


def records_of(row: Row) -> list[AnyRecord]:
    """The document of one row."""
    return [Document(text=row.text("text"), **row.provenance())]


def _rows_of(record: AnyRecord, losses: Losses) -> list[dict[str, JsonValue]]:
    if not isinstance(record, Document):
        raise not_carried("plain", record, "Document")
    return [Outgoing(record, losses).open_row({"text": record.text})]
