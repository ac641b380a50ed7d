"""Snapshots of a store's rows: made by a query, remembered with it, and made anew without somebody who was erased."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import JsonValue

from plaudit.quality.cleaning import CleaningConfig, clean
from plaudit.quality.cleaning_report import Cleaned
from plaudit.quality.datasheet import About, datasheet
from plaudit.quality.snapshots import make_snapshot
from plaudit.runs.files import as_json, write_json
from plaudit.schemas.errors import PlauditError
from plaudit.schemas.feedback import AnyRecord
from plaudit.schemas.snapshot import DatasetSnapshot
from plaudit.store import Query, Store
from plaudit.store.erasure import Erased
from plaudit.store.snapshots import Made

MANIFEST, TOMBSTONE = "manifest.json", "erased.json"
_ABOUT = "about"


@dataclass(frozen=True, slots=True)
class CleanSnapshot:
    """A snapshot that was made, and what cleaning left out of it."""

    snapshot: DatasetSnapshot
    cleaned: Cleaned | None


def snapshot_of(
    store: Store, query: Query, folder: Path, *, cleaning: CleaningConfig | None = None, about: About | None = None
) -> CleanSnapshot:
    """What the query finds by now, cleaned where that is configured, in `folder` with a datasheet; remembered by the store.

    Raises PlauditError where nothing is found, and says whose consent is missing if that is why.
    """
    if query.until_ms is None:
        query = query.model_copy(update={"until_ms": store.database.now_ms() + 1})
    records = list(store.records.read(query))
    if not records:
        unasked = query.model_copy(update={"purpose": None})
        num = sum(1 for _ in store.records.read(unasked)) if query.purpose else 0
        hint = f": {num} would be there, had everybody consented to {query.purpose}" if num else ""
        raise PlauditError(f"no judgements of this project answer the query{hint}")
    filters: dict[str, JsonValue] = {"query": query.model_dump(mode="json", exclude_defaults=True)}
    cleaned = None
    if cleaning is not None:
        cleaned = clean(records, cleaning)
        records = cleaned.kept
        filters["cleaning"] = as_json(cleaning)
    if about is not None:
        filters[_ABOUT] = as_json(about)
    snapshot = make_snapshot(
        records, folder, filters=filters, datasheet=lambda made: datasheet(records, made, about=about, cleaned=cleaned)
    )
    store.snapshots.add(snapshot.id, query, str(folder.resolve()))
    return CleanSnapshot(snapshot, cleaned)


Reader = Callable[[Path], Iterable[AnyRecord]]


def rewritten(store: Store, made: Made, erased: Erased, read: Reader) -> str | None:
    """The id of the snapshot that replaces this one, empty where no row was left; None where it held nothing of the person.

    The new one lies beside the old under its own name; the old folder keeps a tombstone alone. `read` reads a snapshot.
    """
    folder = Path(made.folder)
    if not (folder / MANIFEST).is_file():
        return None
    records = list(read(folder))
    kept = [record for record in records if not _carries(record, erased)]
    if len(kept) == len(records):
        return None
    partial, new_id = folder.with_name(f".{folder.name}.rewritten"), ""
    if kept:
        before = DatasetSnapshot.model_validate_json((folder / MANIFEST).read_bytes())
        about = _about(before.filters)

        def page(made: DatasetSnapshot) -> str:
            return datasheet(kept, made, about=about)

        new_id = make_snapshot(kept, partial, filters=before.filters, datasheet=page).id
        target = folder.with_name(f"{folder.name}-{new_id[:12]}")
        if target.exists():
            shutil.rmtree(partial)
        else:
            partial.rename(target)
        store.snapshots.add(new_id, made.query, str(target))
    shutil.rmtree(folder)
    folder.mkdir()
    write_json(folder / TOMBSTONE, {"erased": made.id, "replaced_by": new_id, "receipt": erased.receipt_id})
    store.snapshots.replace(made, new_id)
    return new_id


def _about(filters: Mapping[str, JsonValue]) -> About | None:
    """What people said of a snapshot that was made."""
    found = filters.get(_ABOUT)
    return About(**{name: str(value) for name, value in found.items()}) if isinstance(found, dict) else None


def _carries(record: AnyRecord, erased: Erased) -> bool:
    """Whether a record is of the person, or of what hung on the person's writing."""
    names = {record.id, record.id.split("/")[0]}  # What was said beside a verdict bears its id, a slash and a word.
    return record.annotator == erased.pseudonym or bool(names & erased.record_ids)
