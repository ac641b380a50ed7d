"""A data set frozen under the hash of its content, and a model named by where it lies."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from pydantic import Field, JsonValue

from plaudit.schemas.conversation import Frozen, canonical_json


class SnapshotFile(Frozen):
    """One JSONL file of a snapshot: its name, record kind, number of rows and SHA-256."""

    name: str
    kind: str
    num_rows: int = Field(ge=0)
    sha256: str


def snapshot_id(files: Iterable[SnapshotFile]) -> str:
    """The id these files make up: the SHA-256 of the canonical JSON of their sorted names and hashes."""
    named: list[JsonValue] = [[file.name, file.sha256] for file in sorted(files, key=lambda file: file.name)]
    return hashlib.sha256(canonical_json(named).encode()).hexdigest()


class DatasetSnapshot(Frozen):
    """`manifest.json` of a snapshot folder. `id` is that of its files (`snapshot_id`), so equal content has equal names."""

    id: str
    files: tuple[SnapshotFile, ...]
    sources: tuple[str, ...] = ()
    filters: dict[str, JsonValue] = Field(default_factory=dict)
    created_at: str = ""
    format_version: int = 1


class ModelRef(Frozen):
    """A model by hub id or folder; `revision` a hub revision or content hash."""

    path: str
    revision: str | None = None
