"""One database with its vault and its clock: what every part of the store works on."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import TypeVar

from pydantic import TypeAdapter
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from plaudit.schemas.conversation import Message, Messages, messages_json
from plaudit.store.audit import record_event
from plaudit.store.engine import reading, writing
from plaudit.store.errors import UnknownRowError
from plaudit.store.tables import PersonRow, Table
from plaudit.store.vault import Vault

Row = TypeVar("Row", bound=Table)

_MESSAGES: TypeAdapter[Messages] = TypeAdapter(tuple[Message, ...])
# Events that no person caused.
NOBODY = ""


def wall_clock_ms() -> int:
    """Milliseconds since 1970."""
    return time.time_ns() // 1_000_000


@dataclass(frozen=True, slots=True)
class Database:
    """Where rows, keys and the time come from."""

    engine: Engine
    vault: Vault
    now_ms: Callable[[], int] = field(default=wall_clock_ms)

    def read(self) -> AbstractContextManager[Session]:
        """A session on one unchanging state."""
        return reading(self.engine)

    def write(self) -> AbstractContextManager[Session]:
        """A session whose work is on disk when the block has ended."""
        return writing(self.engine)

    def record(self, session: Session, person_id: str | None, action: str, subject: str, digest: str = "") -> None:
        """Appends to the audit log, naming the person as the log may."""
        actor = session.get_one(PersonRow, person_id).audit_name if person_id else NOBODY
        record_event(session, self.now_ms(), actor, action, subject, digest)

    def sealed(self, owner_id: str | None, messages: Sequence[Message]) -> str:
        """Messages as they are stored."""
        return self.vault.sealed(owner_id, messages_json(messages))

    def opened(self, owner_id: str | None, stored: str) -> Messages:
        """Stored messages."""
        return _MESSAGES.validate_json(self.vault.opened(owner_id, stored))


def found(session: Session, table: type[Row], name: str) -> Row:
    """The row of this id. Raises UnknownRowError."""
    row = session.get(table, name)
    if row is None:
        raise UnknownRowError(f"no {table.__tablename__} {name!r} in this store")
    return row
