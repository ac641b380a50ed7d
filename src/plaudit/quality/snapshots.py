"""Records frozen under the hash of their content: the only maker of snapshots. `formats/snapshot.py` reads them."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from pydantic import JsonValue, ValidationError

from plaudit.runs.files import full_disk_explained, replace_file, sync_folder, write_json
from plaudit.schemas.errors import PlauditError
from plaudit.schemas.feedback import AnyRecord
from plaudit.schemas.snapshot import DatasetSnapshot, SnapshotFile, snapshot_id


def make_snapshot(
    records: Iterable[AnyRecord],
    folder: Path | str,
    *,
    filters: Mapping[str, JsonValue] | None = None,
    datasheet: Callable[[DatasetSnapshot], str] | None = None,
) -> DatasetSnapshot:
    """The manifest of the snapshot that now lies in `folder`: one JSONL file a record kind, and `manifest.json`.

    A snapshot is a multiset: rows are sorted, so the same records give the same `id` in whatever order they come.
    `filters` says how the records were chosen and `datasheet` makes a page for people, `datasheet.md`; like the time they
    are no part of the id. The folder appears in one step, complete. Where it already holds the same records its manifest is
    returned and nothing is written.

    Raises PlauditError for no records, a folder that holds anything else, and a full disk.
    """
    folder = Path(folder)
    found = list(records)
    if not found:
        raise PlauditError(f"no records to put into the snapshot {folder}: loosen the filters or add data")
    contents = _contents(found)
    files = _files(contents)
    snapshot = DatasetSnapshot(
        id=snapshot_id(files),
        files=files,
        sources=tuple(sorted({record.source for record in found})),
        filters=dict(filters or {}),
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    if folder.exists() and not folder.is_dir():
        raise PlauditError(f"{folder} is a file: name an empty or new folder")
    if folder.exists() and any(folder.iterdir()):
        return _same_or_refuse(folder, snapshot)
    _put(folder, snapshot, contents, None if datasheet is None else datasheet(snapshot))
    return snapshot


def records_id(records: Iterable[AnyRecord]) -> str:
    """The id that a snapshot of these records has."""
    return snapshot_id(_files(_contents(records)))


def _files(contents: Mapping[str, list[bytes]]) -> tuple[SnapshotFile, ...]:
    return tuple(
        SnapshotFile(name=f"{kind}.jsonl", kind=kind, num_rows=len(lines), sha256=_sha256(lines))
        for kind, lines in contents.items()
    )


def _contents(records: Iterable[AnyRecord]) -> dict[str, list[bytes]]:
    """The lines of each kind's file, sorted; the kind stands in every line, so that a line alone says what it is."""
    by_kind: dict[str, list[bytes]] = {}
    for record in records:
        kind = type(record).__name__.lower()
        row: dict[str, JsonValue] = {"kind": kind, **record.model_dump(mode="json")}
        by_kind.setdefault(kind, []).append(_line(row))
    return {kind: sorted(lines) for kind, lines in sorted(by_kind.items())}


def _line(row: dict[str, JsonValue]) -> bytes:
    """The row's canonical JSON, of which NaN and lone surrogates are no part."""
    try:
        text = json.dumps(row, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
        return text.encode() + b"\n"
    except ValueError as error:
        raise PlauditError(
            f"the record {row['id']!r} cannot be written as JSON ({error}): replace NaN, infinite numbers and lone "
            "surrogates in it"
        ) from error


def _sha256(lines: Iterable[bytes]) -> str:
    digest = hashlib.sha256()
    for line in lines:
        digest.update(line)
    return digest.hexdigest()


def _same_or_refuse(folder: Path, snapshot: DatasetSnapshot) -> DatasetSnapshot:
    try:
        there = DatasetSnapshot.model_validate_json((folder / "manifest.json").read_bytes())
    except (OSError, ValidationError) as error:
        raise PlauditError(f"{folder} holds something other than a snapshot: name an empty or new folder") from error
    if there.id != snapshot.id:
        raise PlauditError(
            f"{folder} holds the snapshot {there.id[:12]}, these records are {snapshot.id[:12]}: a snapshot does not "
            "change, name another folder"
        )
    for file in there.files:
        path = folder / file.name
        if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != file.sha256:
            raise PlauditError(f"{path} is damaged: delete the folder {folder} to make the snapshot again")
    return there


def _put(folder: Path, snapshot: DatasetSnapshot, contents: Mapping[str, list[bytes]], page: str | None) -> None:
    """Fills a temporary folder beside the target and renames it; a crash leaves no half snapshot under the name."""
    with full_disk_explained(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
        try:
            for file in snapshot.files:
                replace_file(partial / file.name, contents[file.kind])
            if page is not None:
                replace_file(partial / "datasheet.md", [page.encode("utf-8", "replace")])
            write_json(partial / "manifest.json", snapshot)
            partial.chmod(0o755)  # mkdtemp keeps others out; a snapshot is as readable as any folder
            partial.replace(folder)
            sync_folder(folder.parent)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise
