"""Reads a snapshot folder that quality/ made, and refuses one whose files are not what its manifest says."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from pydantic import ValidationError

from plaudit.formats import native
from plaudit.schemas.errors import PlauditError
from plaudit.schemas.feedback import AnyRecord
from plaudit.schemas.snapshot import DatasetSnapshot, snapshot_id

MANIFEST = "manifest.json"


def is_snapshot(path: Path) -> bool:
    """Whether the folder says it is a snapshot."""
    return (path / MANIFEST).is_file()


def read_manifest(folder: Path) -> DatasetSnapshot:
    """What the folder says it holds. Raises PlauditError where it says nothing readable."""
    path = folder / MANIFEST
    try:
        return DatasetSnapshot.model_validate_json(path.read_bytes())
    except FileNotFoundError as error:
        raise PlauditError(f"{folder} is no snapshot: it has no {MANIFEST}. Make one with make_snapshot") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise PlauditError(
            f"{path} is no snapshot's manifest ({where}: {first['msg']}): restore the folder from its origin"
        ) from error
    except OSError as error:
        raise PlauditError(f"{path} cannot be read ({error.strerror}): restore the folder from its origin") from error


def read(path: Path) -> Iterator[AnyRecord]:
    """The snapshot's records, kind after kind. Raises PlauditError before the first where a file has changed."""
    manifest = read_manifest(path)
    if manifest.id != snapshot_id(manifest.files):
        raise PlauditError(f"{path / MANIFEST} names files that do not make up {manifest.id[:12]}: restore the folder")
    for file in manifest.files:
        if Path(file.name).name != file.name:
            raise PlauditError(f"{path / MANIFEST} names {file.name!r}, outside the folder: restore the folder")
        _check_sha256(path / file.name, file.sha256)
    for file in manifest.files:
        records = list(native.read(path / file.name))
        if len(records) != file.num_rows or any(native.kind_of(record) != file.kind for record in records):
            raise PlauditError(
                f"{path / file.name} does not hold the {file.num_rows} {file.kind} rows its manifest promises: "
                "restore the folder from its origin"
            )
        yield from records


def _check_sha256(path: Path, expected: str) -> None:
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise PlauditError(f"{path} of the snapshot cannot be read ({error.strerror}): restore the folder") from error
    if found != expected:
        raise PlauditError(
            f"{path} has changed since the snapshot was made (SHA-256 {found[:12]}..., manifest {expected[:12]}...): "
            "restore the folder, or make a new snapshot from the changed records"
        )
