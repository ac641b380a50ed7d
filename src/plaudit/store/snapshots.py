"""Which snapshots were made from the store's rows, by what query, and where they lie."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select

from plaudit.store.database import Database, found
from plaudit.store.records import Query
from plaudit.store.tables import ProjectRow, SnapshotRow


@dataclass(frozen=True, slots=True)
class Made:
    """A snapshot that was made: its content's hash, and its folder."""

    id: str
    query: Query
    folder: str


@dataclass(frozen=True, slots=True)
class SnapshotIndex:
    """Remembers snapshots, so that an erasure reaches them."""

    database: Database

    def add(self, snapshot_id: str, query: Query, folder: str) -> None:
        """Remembers a snapshot; one of the same content in the same folder is known already."""
        with self.database.write() as session:
            found(session, ProjectRow, query.project_id)
            if session.get(SnapshotRow, (snapshot_id, folder)) is None:
                session.add(
                    SnapshotRow(
                        id=snapshot_id,
                        project_id=query.project_id,
                        query=query.model_dump(mode="json"),
                        folder=folder,
                        created_ms=self.database.now_ms(),
                        replaced_by=None,
                        erased_ms=None,
                    )
                )
                self.database.record(session, None, "snapshot", snapshot_id)

    def of(self, project_ids: Sequence[str]) -> list[Made]:
        """The projects' snapshots, oldest first, but for those that were replaced."""
        with self.database.read() as session:
            rows = session.scalars(
                select(SnapshotRow)
                .where(SnapshotRow.project_id.in_(project_ids), SnapshotRow.erased_ms.is_(None))
                .order_by(SnapshotRow.created_ms, SnapshotRow.id)
            )
            return [Made(row.id, Query.model_validate(row.query), row.folder) for row in rows]

    def replaced(self) -> list[tuple[Made, str]]:
        """The snapshots that are no more, of every project, each with the id of what stands in its place (empty: nothing)."""
        with self.database.read() as session:
            rows = session.scalars(
                select(SnapshotRow).where(SnapshotRow.erased_ms.is_not(None)).order_by(SnapshotRow.erased_ms)
            )
            return [(Made(row.id, Query.model_validate(row.query), row.folder), row.replaced_by or "") for row in rows]

    def replace(self, old: Made, new_id: str) -> None:
        """Records that a snapshot is no more, and which one stands in its place (empty where none does)."""
        with self.database.write() as session:
            row = session.get_one(SnapshotRow, (old.id, old.folder))
            row.replaced_by, row.erased_ms = new_id or None, self.database.now_ms()
            self.database.record(session, None, "replace_snapshot", old.id)
