"""A data set frozen under the hash of its content, and a model named by where it lies."""

from __future__ import annotations

from pydantic import Field, JsonValue

from plaudit.schemas.conversation import Frozen


class SnapshotFile(Frozen):
    """One JSONL file of a snapshot: its name, record kind, number of rows and SHA-256."""

    name: str
    kind: str
    num_rows: int = Field(ge=0)
    sha256: str


class DatasetSnapshot(Frozen):
    """`manifest.json` of a snapshot folder. `id` is the hash of the files' hashes, so equal content has equal names."""

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
