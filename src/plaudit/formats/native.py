"""plaudit's own records, one JSON object a line with its `kind`, one kind a file. Nothing is lost either way."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import get_args

from pydantic import JsonValue

from plaudit.formats.columns import AS_NAMED, Columns
from plaudit.formats.jsonl import write_rows
from plaudit.formats.messages import MisfitError, shown
from plaudit.formats.outgoing import Losses, of_one_kind
from plaudit.formats.rows import Item, Row, items, strict
from plaudit.schemas.errors import PlauditError
from plaudit.schemas.feedback import AnyRecord

KINDS: dict[str, type[AnyRecord]] = {kind.__name__.lower(): kind for kind in get_args(AnyRecord)}
"""The record kinds by the name a row's `kind` gives them."""


def kind_of(record: AnyRecord) -> str:
    """The name a row's `kind` gives to records like this one."""
    return type(record).__name__.lower()


def of_kind(records: Sequence[AnyRecord], kind: str | None, *, how: str) -> list[AnyRecord]:
    """The records of this kind, or all of them where they are of one.

    Raises PlauditError for several kinds and no choice (`how` says how to choose), and for a kind that is not there.
    """
    kinds = sorted({kind_of(record) for record in records})
    if kind is None and len(kinds) > 1:
        raise PlauditError(
            f"one kind of record can be written at a time, and here are {', '.join(kinds)}: choose with {how}"
        )
    if kind is not None and kind not in kinds:
        known = "" if kind in KINDS else f"; there are the kinds {', '.join(KINDS)}"
        raise PlauditError(f"no record is a {kind}, only {', '.join(kinds) or 'there is none'}{known}")
    return [record for record in records if kind in (None, kind_of(record))]


def plural(kind: str) -> str:
    """Several records of this kind, in words."""
    return kind if kind.endswith("s") else f"{kind}s"


def recognises(columns: Mapping[str, JsonValue]) -> bool:
    """Whether a row is a record of ours: a known kind, and all that kind requires."""
    kind = KINDS.get(str(columns.get("kind")))
    required = [name for name, field in kind.model_fields.items() if field.is_required()] if kind else []
    return kind is not None and columns.keys() >= set(required)


def read(path: Path) -> Iterator[AnyRecord]:
    """The file's records. Raises RowError."""
    return strict(native_items(path))


def native_items(path: Path, named: Columns = AS_NAMED) -> Iterator[Item]:
    """The file's records, and a RowError in the place of each that misfits or is of another kind than the first."""
    first_kind: str | None = None

    def records_of(row: Row) -> list[AnyRecord]:
        nonlocal first_kind
        kind = row.text("kind")
        if kind not in KINDS:
            raise MisfitError("kind", f"one of {', '.join(KINDS)}", shown(kind))
        first_kind = first_kind or kind
        if kind != first_kind:
            raise MisfitError("kind", f"{first_kind}, as in the rows before (a file holds one kind)", kind)
        provenance = row.provenance()
        columns = {"id": provenance["id"], "source": provenance["source"]} | row.columns
        del columns["kind"]
        # Strict, so that "1" is no number; from JSON text, so that lists still become tuples and text becomes enums.
        return [KINDS[kind].model_validate_json(json.dumps(columns), strict=True)]

    return items(path, records_of, named)


def write(records: Iterable[AnyRecord], path: Path) -> Losses:
    """Writes every record whole. Raises PlauditError for mixed kinds."""
    rows = [row_of(record) for record in of_one_kind(records, path)]
    if path.suffix == ".parquet":
        # Parquet has no objects without fields; a record without `extra` is read with an empty one.
        rows = [{name: value for name, value in row.items() if value != {}} for row in rows]
    write_rows(rows, path)
    return Losses()


def row_of(record: AnyRecord) -> dict[str, JsonValue]:
    """The record as one JSON object, its kind first."""
    return {"kind": kind_of(record), **record.model_dump(mode="json")}
