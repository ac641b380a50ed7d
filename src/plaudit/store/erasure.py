"""Forgetting a person: every row that carries them, their words everywhere by their key, and a ledger for old backups."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass

from sqlalchemy import Engine, Row, delete, or_, select, text, update
from sqlalchemy.orm import InstrumentedAttribute, Session

from plaudit.store.audit import REDUCED, digest_of_batch
from plaudit.store.database import Database, found
from plaudit.store.engine import file_of
from plaudit.store.errors import UnavailableError, UnknownRowError
from plaudit.store.ids import new_id
from plaudit.store.items import AssignmentState
from plaudit.store.tables import (
    AliasRow,
    AssignmentRow,
    CandidateRow,
    ConsensusRow,
    ConsentRow,
    ErasureRow,
    GenerationRow,
    GoldRow,
    ItemRow,
    JudgementRow,
    MembershipRow,
    PersonRow,
    ProjectRow,
    PromptRow,
    TombstoneRow,
)

_SLICE = 5000


@dataclass(frozen=True, slots=True)
class Erased:
    """What was removed. `record_ids`: under which ids the judgements may stand in snapshots; `pseudonym`: under which name."""

    receipt_id: str
    person_id: str
    pseudonym: str
    num_rows: dict[str, int]
    record_ids: frozenset[str]
    project_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Erasure:
    """Forgets people."""

    database: Database

    def erase(self, person_id: str) -> Erased:
        """What was removed: the person, all they said and wrote, and what others said about what they wrote.

        The rows go in one transaction, then the key, then the free pages. Raises UnknownRowError for nobody.
        """
        with self.database.write() as session:
            erased, batches = _removed(session, person_id, self.database.now_ms())
            for batch in batches:
                self.database.record(session, None, REDUCED, batch, digest_of_batch(session, batch))
            self.database.record(session, None, "erase", erased.receipt_id)
        self._destroy_words(person_id)
        return erased

    def preview(self, person_id: str) -> dict[str, int]:
        """How many rows of each table an erasure would remove; nothing is."""
        with self.database.read() as session:
            found(session, PersonRow, person_id)
            return {name: len(ids) for name, ids in _reach(session, person_id).items() if ids}

    def ledger(self) -> dict[str, int]:
        """Everybody who was erased, and when (ms)."""
        with self.database.read() as session:
            rows = session.execute(select(ErasureRow.person_id, ErasureRow.created_ms))
            return {row.person_id: row.created_ms for row in rows}

    def receipts(self) -> dict[str, str]:
        """The receipt of every erasure and who was erased, the latest last."""
        with self.database.read() as session:
            rows = session.scalars(select(ErasureRow).order_by(ErasureRow.created_ms, ErasureRow.id))
            return {row.id: row.person_id for row in rows}

    def resumed(self, person_id: str) -> Erased:
        """What an earlier erasure removed, as far as that is still known; the key and the free pages go if they had not yet.

        Raises UnknownRowError for somebody who was not erased.
        """
        with self.database.read() as session:
            row = session.scalar(select(ErasureRow).where(ErasureRow.person_id == person_id))
            if row is None:
                raise UnknownRowError(f"nobody of the id {person_id!r} was erased from this store")
            gone = frozenset(session.scalars(select(TombstoneRow.row_id).where(TombstoneRow.receipt_id == row.id)))
            projects = tuple(session.scalars(select(ProjectRow.id).order_by(ProjectRow.id)))
            receipt_id = row.id
        self._destroy_words(person_id)
        num_rows = {"judgement": len(gone)} if gone else {}
        return Erased(
            receipt_id=receipt_id,
            person_id=person_id,
            pseudonym="",
            num_rows=num_rows,
            record_ids=gone,
            project_ids=projects,
        )

    def projects(self, person_id: str) -> tuple[str, ...]:
        """The projects of which an erasure would remove judgements. Raises UnknownRowError for nobody."""
        with self.database.read() as session:
            found(session, PersonRow, person_id)
            rows = _judgements(session, _reach(session, person_id)["judgement"])
            return tuple(sorted({row.project_id for row in rows}))

    def standing(self, project_id: str) -> set[tuple[str, str]]:
        """Of every judgement that is there, corrected since or not: whose it is, and under which id it stands in snapshots."""
        query = (
            select(PersonRow.pseudonym, JudgementRow.id, JudgementRow.client_key, JudgementRow.batch_id)
            .join(PersonRow, PersonRow.id == JudgementRow.person_id)
            .where(JudgementRow.project_id == project_id)
        )
        with self.database.read() as session:
            return {(row.pseudonym, row.client_key if row.batch_id else row.id) for row in session.execute(query)}

    def replay(self, people: Iterable[str]) -> list[Erased]:
        """Erases those among `people` who are here again, as after a backup was restored."""
        with self.database.read() as session:
            back = [name for name in people if session.get(PersonRow, name) is not None]
        return [self.erase(name) for name in back]

    def _destroy_words(self, person_id: str) -> None:
        self.database.vault.destroy(person_id)
        overwrite_free_pages(self.database.engine)


def overwrite_free_pages(engine: Engine) -> None:
    """Rewrites what the database keeps of deleted rows: free pages and the log of changes."""
    if file_of(engine.url) is None:
        with engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
            connection.execute(text("VACUUM FULL"))
            connection.execute(text("CHECKPOINT"))
        return
    # Neither may stand in a transaction, which the engine would begin.
    try:
        with closing(engine.raw_connection()) as raw, closing(raw.cursor()) as cursor:
            cursor.execute("VACUUM")
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    except sqlite3.Error as error:
        raise UnavailableError(
            f"the store {engine.url.render_as_string()}: {error}: what was erased may stand in its free pages still; free some "
            "space and erase once more"
        ) from error


def _removed(session: Session, person_id: str, now_ms: int) -> tuple[Erased, list[str]]:
    """What was removed, and the batches of which something was."""
    person = found(session, PersonRow, person_id)
    reach = _reach(session, person_id)
    rows = _judgements(session, reach["judgement"])
    erased = Erased(
        receipt_id=new_id(),
        person_id=person_id,
        pseudonym=person.pseudonym,
        num_rows={name: len(ids) for name, ids in reach.items() if ids},
        record_ids=frozenset(row.client_key if row.batch_id else row.id for row in rows),
        project_ids=tuple(sorted({row.project_id for row in rows})),
    )
    session.add(ErasureRow(id=erased.receipt_id, person_id=person_id, created_ms=now_ms))
    session.flush()
    session.add_all(TombstoneRow(row_id=name, receipt_id=erased.receipt_id) for name in reach["judgement"])
    _want_again(session, person_id, reach["item"])
    _delete(session, ConsensusRow.item_id, {row.item_id for row in rows})
    for column, name in (
        (JudgementRow.id, "judgement"),
        (AssignmentRow.id, "assignment"),
        (GoldRow.item_id, "item"),
        (ConsensusRow.item_id, "item"),
        (CandidateRow.item_id, "item"),
        (ItemRow.id, "item"),
        (GenerationRow.id, "generation"),
        (PromptRow.id, "prompt"),
    ):
        _delete(session, column, reach[name])
    for table in (ConsentRow, AliasRow, MembershipRow):
        session.execute(delete(table).where(table.person_id == person_id))
    session.delete(person)
    session.flush()
    return erased, sorted({row.batch_id for row in rows if row.batch_id})


def _reach(session: Session, person_id: str) -> dict[str, list[str]]:
    """The ids of all rows that carry the person: their own, and what hangs on what they wrote."""
    own_prompts = select(PromptRow.id).where(PromptRow.owner_id == person_id)
    written = or_(
        GenerationRow.owner_id == person_id,
        GenerationRow.author_id == person_id,
        GenerationRow.prompt_id.in_(own_prompts),
    )
    shown = (
        select(CandidateRow.item_id).join(GenerationRow, GenerationRow.id == CandidateRow.generation_id).where(written)
    )
    about = select(ItemRow.id).where(or_(ItemRow.id.in_(shown), ItemRow.prompt_id.in_(own_prompts)))
    queries = {
        "prompt": own_prompts,
        "generation": select(GenerationRow.id).where(written),
        "item": about,
        "assignment": select(AssignmentRow.id).where(
            or_(AssignmentRow.person_id == person_id, AssignmentRow.item_id.in_(about))
        ),
        "judgement": select(JudgementRow.id).where(
            or_(JudgementRow.person_id == person_id, JudgementRow.item_id.in_(about))
        ),
    }
    return {name: sorted(session.scalars(query)) for name, query in queries.items()}


def _judgements(session: Session, names: Sequence[str]) -> list[Row[str, str, str | None, str, str]]:
    columns = (
        *(JudgementRow.id, JudgementRow.client_key, JudgementRow.batch_id),
        *(JudgementRow.project_id, JudgementRow.item_id),
    )
    rows: list[Row[str, str, str | None, str, str]] = []
    for some in _slices(names):
        rows += session.execute(select(*columns).where(JudgementRow.id.in_(some))).all()
    return rows


def _want_again(session: Session, person_id: str, gone: Sequence[str]) -> None:
    """Items that stay want somebody else's judgement in place of the person's."""
    promised = session.scalars(
        select(AssignmentRow.item_id).where(
            AssignmentRow.person_id == person_id,
            AssignmentRow.state.in_((AssignmentState.LEASED, AssignmentState.SUBMITTED)),
            AssignmentRow.is_gold.is_(False),
            AssignmentRow.is_repeat.is_(False),
        )
    )
    for some in _slices(sorted(set(promised) - set(gone))):
        session.execute(update(ItemRow).where(ItemRow.id.in_(some)).values(num_free=ItemRow.num_free + 1))


def _delete(session: Session, column: InstrumentedAttribute[str], names: Iterable[str]) -> None:
    for some in _slices(sorted(names)):
        session.execute(delete(column.class_).where(column.in_(some)))


def _slices(names: Sequence[str]) -> Iterator[Sequence[str]]:
    yield from (names[start : start + _SLICE] for start in range(0, len(names), _SLICE))
