"""Records as a `datasets.Dataset`, for trainers that want one."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Literal

from plaudit.formats import snapshot
from plaudit.formats.detect import Shape
from plaudit.formats.files import open_records, write_records
from plaudit.formats.jsonl import objects
from plaudit.formats.native import of_kind
from plaudit.schemas.errors import PlauditError, RowError
from plaudit.schemas.feedback import AnyRecord

if TYPE_CHECKING:
    from datasets import Dataset


def dataset_of(
    source: Path | str | Iterable[AnyRecord],
    shape: Shape | str = Shape.TRL,
    *,
    kind: str | None = None,
    ties: Literal["drop", "half"] = "drop",
) -> Dataset:
    """The records of a snapshot's folder, of any file that `open_records` reads, or given as such, in a trainer's columns.

    One row for each that the shape makes: under `trl` a ranking gives its pairs. `kind` chooses where the source holds several
    kinds of record, `ties` is that of `write_records`. `info.description` says which snapshot it was and what the shape could
    not carry.

    Raises PlauditError for several kinds and no choice, a kind that is not there, what `write_records` refuses, columns whose
    values are not all of one type, and where the `datasets` library is missing.
    """
    records, told = _records(source)
    chosen = of_kind(records, kind, how="kind=")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.jsonl"
        losses = write_records(chosen, path, shape, ties=ties)
        rows = [found.columns for found in objects(path) if not isinstance(found, RowError)]
    columns = {name: [row.get(name) for row in rows] for name in dict.fromkeys(name for row in rows for name in row)}
    datasets = _library()
    try:
        return datasets.Dataset.from_dict(
            columns, info=datasets.DatasetInfo(description="\n".join([*told, str(losses)]))
        )
    except (ValueError, TypeError, OverflowError) as error:
        raise PlauditError(
            f"the records do not fit a Dataset, which wants one type a column ({error}): leave out what their `extra` holds"
        ) from error


def _records(source: Path | str | Iterable[AnyRecord]) -> tuple[list[AnyRecord], list[str]]:
    """The records, and a line on where they are from."""
    if not isinstance(source, Path | str):
        return list(source), []
    path = Path(source)
    if snapshot.is_snapshot(path):
        return list(snapshot.read(path)), [f"snapshot {snapshot.read_manifest(path).id}"]
    return list(open_records(path)), [f"file {path.name}"]


def _library() -> ModuleType:
    try:
        import datasets
    except ImportError as error:
        raise PlauditError("a Dataset needs the `datasets` library: pip install 'plaudit[datasets]'") from error
    library: ModuleType = datasets
    return library
