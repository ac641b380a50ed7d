"""databricks-dolly's columns: instruction, context, response.

A non-empty context follows the instruction after a blank line and stays in `extra`, so that writing can part the two.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from pydantic import JsonValue

from plaudit.formats.outgoing import Losses, Outgoing, not_carried, single_text, write_each
from plaudit.formats.rows import Row, items, strict
from plaudit.schemas.conversation import Role, assistant, user
from plaudit.schemas.feedback import AnyRecord, Demonstration


def recognises(columns: Mapping[str, JsonValue]) -> bool:
    """Whether a row has this shape."""
    return columns.keys() >= {"instruction", "response"}


def read(path: Path) -> Iterator[Demonstration]:
    """The file's demonstrations. Raises RowError."""
    for record in strict(items(path, records_of)):
        assert isinstance(record, Demonstration)
        yield record


def write(records: Iterable[AnyRecord], path: Path) -> Losses:
    """Writes one-turn demonstrations; longer conversations and system messages are left out, counted."""
    return write_each(records, path, _rows_of)


def records_of(row: Row) -> list[AnyRecord]:
    """The demonstration of one row."""
    instruction, response = row.text("instruction"), row.text("response")
    context = row.text("context") if row.has("context") else ""
    if context:
        row.leave("context", context)
    asked = f"{instruction}\n\n{context}" if context else instruction
    return [Demonstration(prompt=(user(asked),), completion=(assistant(response),), **row.provenance())]


def _rows_of(record: AnyRecord, losses: Losses) -> list[dict[str, JsonValue]]:
    if not isinstance(record, Demonstration):
        raise not_carried("dolly", record, "Demonstration")
    outgoing = Outgoing(record, losses)
    instruction, context = outgoing.parted(single_text(record.prompt, Role.USER), "context", "\n\n")
    response = single_text(record.completion, Role.ASSISTANT)
    return [outgoing.open_row({"instruction": instruction, "context": context, "response": response})]
