"""The audit log: each event carries the hash of the one before, so that nothing can be changed or taken out unseen.

Events hold ids and hashes, never a text, and name people by `audit_name`, which is forgotten when a person is erased.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import closing

from pydantic import JsonValue
from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from plaudit.schemas.conversation import canonical_json
from plaudit.store.engine import take_turn
from plaudit.store.tables import BatchRow, EventRow, JudgementRow, TombstoneRow

FIRST = "0" * 64
# The actions that the check looks for: a judgement, a batch of them, and what is left of a batch after an erasure.
JUDGED, IMPORTED, REDUCED = "judge", "import", "reduce"


def record_event(session: Session, at_ms: int, actor: str, action: str, subject: str, digest: str = "") -> None:
    """Appends an event in the session's transaction. Call it last: from here on others wait for the commit."""
    take_turn(session.connection())
    session.flush()
    last = session.execute(select(EventRow.seq, EventRow.hash).order_by(EventRow.seq.desc()).limit(1)).first()
    seq, previous = (last.seq + 1, last.hash) if last else (0, FIRST)
    event = EventRow(
        seq=seq,
        at_ms=at_ms,
        actor=actor,
        action=action,
        subject=subject,
        digest=digest,
        previous=previous,
        hash="",
    )
    event.hash = _hash(event)
    session.add(event)
    session.flush()


def digest_of(values: Mapping[str, JsonValue]) -> str:
    """The hash of a judgement's columns as they lie in the database: of its sealed words, not of what they say."""
    return _sha256(canonical_json(dict(values)))


def digest_of_batch(session: Session, batch_id: str) -> str:
    """One hash for all judgements that came in with a batch and are still there."""
    whole = hashlib.sha256()
    for row in _rows(session, JudgementRow.batch_id == batch_id):
        whole.update(digest_of(row).encode())
    return whole.hexdigest()


def faults(session: Session) -> Iterator[str]:
    """What does not fit: a broken chain, a judgement that was altered, added or taken out past the log."""
    yield from _chain_faults(session)
    yield from _judgement_faults(session)


def _chain_faults(session: Session) -> Iterator[str]:
    previous = FIRST
    query = select(EventRow).order_by(EventRow.seq).execution_options(yield_per=2000)
    with closing(session.scalars(query)) as events:
        for expected, event in enumerate(events):
            if event.seq != expected:
                yield f"event {expected} is missing"
                return
            if event.previous != previous or event.hash != _hash(event):
                yield f"event {event.seq} ({event.action} {event.subject}) was altered, or one before it"
                return
            previous = event.hash


def _judgement_faults(session: Session) -> Iterator[str]:
    """Single judgements against the digest in their event, batches against the latest event about them."""
    query = select(EventRow.subject, EventRow.digest).where(EventRow.action == JUDGED)
    recorded = {row.subject: row.digest for row in session.execute(query)}
    for row in _rows(session, JudgementRow.batch_id.is_(None)):
        if (digest := recorded.pop(str(row["id"]), None)) is None:
            yield f"judgement {row['id']} is not in the audit log"
        elif digest != digest_of(row):
            yield f"judgement {row['id']} was altered"
    erased = set(session.scalars(select(TombstoneRow.row_id)))
    yield from (f"judgement {name} is gone and was not erased" for name in recorded if name not in erased)
    events = session.scalars(select(EventRow).where(EventRow.action.in_((IMPORTED, REDUCED))).order_by(EventRow.seq))
    latest = {event.subject: event.digest for event in events}
    for batch in session.scalars(select(BatchRow.id)):
        if latest.get(batch) != digest_of_batch(session, batch):
            yield f"batch {batch}: its judgements are not those that came in"


def _rows(session: Session, condition: ColumnElement[bool]) -> Iterator[dict[str, JsonValue]]:
    query = select(*JudgementRow.__table__.columns).where(condition).order_by(JudgementRow.id)
    with closing(session.execute(query.execution_options(yield_per=2000))) as rows:
        for row in rows:
            yield dict(row._mapping)


def _hash(event: EventRow) -> str:
    return _sha256(
        canonical_json([event.seq, event.at_ms, event.actor, event.action, event.subject, event.digest, event.previous])
    )


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
