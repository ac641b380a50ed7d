"""Snapshots of a store's rows: made by a query, remembered with it, and made anew without somebody who was erased."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import JsonValue, TypeAdapter

from plaudit.quality.cleaning import CleaningConfig, clean
from plaudit.quality.cleaning_report import Cleaned
from plaudit.quality.datasheet import About, datasheet
from plaudit.quality.redaction import redacted_name
from plaudit.quality.snapshots import make_snapshot, records_id
from plaudit.runs.files import as_json, write_json
from plaudit.schemas.errors import PlauditError
from plaudit.schemas.feedback import AnyRecord
from plaudit.schemas.snapshot import DatasetSnapshot
from plaudit.store import Query, Store
from plaudit.store.erasure import Erasure
from plaudit.store.snapshots import Made

MANIFEST, TOMBSTONE = "manifest.json", "erased.json"
_ABOUT, _CLEANING = "about", "cleaning"
_CONFIG: TypeAdapter[CleaningConfig] = TypeAdapter(CleaningConfig)


@dataclass(frozen=True, slots=True)
class CleanSnapshot:
    """A snapshot that was made, where it lies, and what cleaning left out of it."""

    snapshot: DatasetSnapshot
    folder: Path
    cleaned: Cleaned | None


def snapshot_of(
    store: Store, query: Query, folder: Path, *, cleaning: CleaningConfig | None = None, about: About | None = None
) -> CleanSnapshot:
    """What the query finds by now, cleaned where that is configured, in `folder` with a datasheet; remembered by the store.

    Where somebody of whom it holds a row was erased meanwhile it lies beside `folder` instead, without them. Raises
    PlauditError where nothing is found, and says whose consent is missing if that is why.
    """
    erasure = Erasure(store.database)
    before = erasure.receipts()
    if query.until_ms is None:
        query = query.model_copy(update={"until_ms": store.database.now_ms() + 1})
    records = list(store.records.read(query))
    if not records:
        num = store.records.num_refused(query, 0)
        hint = f": {num} would be there, had everybody consented to {query.purpose}" if num else ""
        raise PlauditError(f"no judgements of this project answer the query{hint}")
    filters: dict[str, JsonValue] = {"query": query.model_dump(mode="json", exclude_defaults=True)}
    cleaned = None
    if cleaning is not None:
        cleaned = clean(records, cleaning)
        records = cleaned.kept
        filters[_CLEANING] = as_json(cleaning)
    if about is not None:
        filters[_ABOUT] = as_json(about)
    snapshot = make_snapshot(
        records, folder, filters=filters, datasheet=lambda made: datasheet(records, made, about=about, cleaned=cleaned)
    )
    made = Made(snapshot.id, query, str(folder.resolve()))
    store.snapshots.add(made.id, query, made.folder)
    # From here on an erasure finds it; one that ended before has not.
    meanwhile = [receipt for receipt in erasure.receipts() if receipt not in before]
    again = rewritten(store, made, records, filters, meanwhile[-1]) if meanwhile else None
    if again is None:
        return CleanSnapshot(snapshot, folder, cleaned)
    if again.snapshot is None:
        raise PlauditError(f"everybody whose judgements were put into {folder} was erased meanwhile: nothing is left")
    return CleanSnapshot(again.snapshot, again.folder, cleaned)


Reader = Callable[[Path], Iterable[AnyRecord]]


@dataclass(frozen=True, slots=True)
class Replacement:
    """What stands in a snapshot's place, and where; no snapshot where no row was left."""

    snapshot: DatasetSnapshot | None
    folder: Path


def rewritten(
    store: Store, made: Made, records: Sequence[AnyRecord], filters: Mapping[str, JsonValue], receipt_id: str
) -> Replacement | None:
    """What replaces this snapshot of `records`; None where the store has every judgement that they are of.

    Judgements leave the store by erasure alone, so what is not there is of somebody who was erased. The new snapshot lies
    beside the old under its own name; the old folder keeps a tombstone alone.
    """
    folder = Path(made.folder)
    standing = {(redacted_name(name), row) for name, row in Erasure(store.database).standing(made.query.project_id)}
    kept = [record for record in records if _stands(record, standing)]
    if len(kept) == len(records):
        return None
    if _CLEANING in filters:
        kept += _stand_ins(store, made.query, records, kept, _CONFIG.validate_python(filters[_CLEANING]))
    new, target = None, folder
    if kept:
        about = _about(filters)
        target = folder.with_name(f"{folder.name}-{records_id(kept)[:12]}")
        new = make_snapshot(kept, target, filters=filters, datasheet=lambda page: datasheet(kept, page, about=about))
        store.snapshots.add(new.id, made.query, str(target))
    bury(store, made, new.id if new else "", receipt_id)
    return Replacement(new, target)


def bury(store: Store, made: Made, new_id: str, receipt_id: str) -> None:
    """Leaves in a snapshot's folder a tombstone alone. That comes first, so that what was begun can be told and finished."""
    folder = Path(made.folder)
    write_json(folder / TOMBSTONE, {"erased": made.id, "replaced_by": new_id, "receipt": receipt_id})
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif path.name != TOMBSTONE:
            path.unlink(missing_ok=True)
    store.snapshots.replace(made, new_id)


def tombstone(folder: Path) -> dict[str, str]:
    """What the tombstone in a folder says; empty where there is none to read."""
    try:
        found = json.loads((folder / TOMBSTONE).read_bytes())
    except (OSError, ValueError):
        return {}
    return {str(name): str(value) for name, value in found.items()} if isinstance(found, dict) else {}


def _about(filters: Mapping[str, JsonValue]) -> About | None:
    """What people said of a snapshot that was made."""
    found = filters.get(_ABOUT)
    return About(**{name: str(value) for name, value in found.items()}) if isinstance(found, dict) else None


def _stands(record: AnyRecord, standing: set[tuple[str, str]]) -> bool:
    """Whether the judgement that a record is of is among these. Imported ids are one person's: two people may share one."""
    name, row = _identity(record)
    # What was said beside a verdict bears its id, a slash and a word.
    return (name, row) in standing or (name, row.split("/")[0]) in standing


def _identity(record: AnyRecord) -> tuple[str, str]:
    return redacted_name(record.annotator or ""), record.id


def _stand_ins(
    store: Store, query: Query, before: Sequence[AnyRecord], kept: Sequence[AnyRecord], config: CleaningConfig
) -> list[AnyRecord]:
    """Records that cleaning had left out only because they say what somebody did who is gone from `before` to `kept`."""
    known = set(map(_identity, before))
    others = [record for record in store.records.read(query) if _identity(record) not in known]
    known |= set(map(_identity, clean([*before, *others], config).kept))
    return [record for record in clean([*kept, *others], config).kept if _identity(record) not in known]
