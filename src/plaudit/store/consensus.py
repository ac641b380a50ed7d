"""What the judgements of an item come to, as some method made it out; replaced whenever it is made out anew."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import JsonValue
from sqlalchemy import delete, insert, select

from plaudit.store.database import Database, found
from plaudit.store.tables import ConsensusRow, ItemRow, ProjectRow


@dataclass(frozen=True, slots=True)
class Settled:
    """Of one item: what the method says, and how many judgements of somebody who is always right that is worth."""

    item_id: str
    posterior: dict[str, JsonValue]
    num_effective: float


@dataclass(frozen=True, slots=True)
class Consensus:
    """Keeps it beside the items."""

    database: Database

    def replace(self, project_id: str, method: str, settled: Sequence[Settled]) -> None:
        """Puts these in the place of what the method said of the project's items before."""
        with self.database.write() as session:
            found(session, ProjectRow, project_id)
            items = select(ItemRow.id).where(ItemRow.project_id == project_id)
            session.execute(delete(ConsensusRow).where(ConsensusRow.method == method, ConsensusRow.item_id.in_(items)))
            now = self.database.now_ms()
            rows = [
                {
                    "item_id": one.item_id,
                    "method": method,
                    "posterior": one.posterior,
                    "num_effective": one.num_effective,
                    "created_ms": now,
                }
                for one in settled
            ]
            if rows:
                session.execute(insert(ConsensusRow), rows)
            self.database.record(session, None, "consensus", project_id)

    def of(self, project_id: str, method: str) -> list[Settled]:
        """What the method said last, in the order of the items."""
        query = (
            select(ConsensusRow)
            .join(ItemRow, ItemRow.id == ConsensusRow.item_id)
            .where(ItemRow.project_id == project_id, ConsensusRow.method == method)
            .order_by(ConsensusRow.item_id)
        )
        with self.database.read() as session:
            return [Settled(row.item_id, row.posterior, row.num_effective) for row in session.scalars(query)]
