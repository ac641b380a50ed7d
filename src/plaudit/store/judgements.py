"""What people said: written once, corrected by further rows, read in the order of the item's own answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass

from pydantic import JsonValue, TypeAdapter
from sqlalchemy import exists, insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, aliased

from plaudit.schemas.conversation import canonical_json
from plaudit.schemas.judgement import Judgement
from plaudit.store.audit import JUDGED, digest_of
from plaudit.store.database import Database, found
from plaudit.store.errors import AlreadyJudgedError, InvalidError, NotAllowedError, WithdrawnError
from plaudit.store.ids import new_id
from plaudit.store.items import AssignmentState, ItemState, check_fit
from plaudit.store.tables import AssignmentRow, ItemRow, JudgementRow
from plaudit.store.tasks import check_open, order_of, under_token
from plaudit.store.vault import Vault

# Words are the person's own, and lie sealed; the rest are numbers and choices.
_WORDS = {"reason", "critique", "edit"}
_TEXTS: TypeAdapter[dict[str, JsonValue]] = TypeAdapter(dict[str, JsonValue])


@dataclass(frozen=True, slots=True)
class Stored:
    """A judgement as it stands, its answers in the item's own order. `display_order` is empty where it is not known."""

    id: str
    item_id: str
    person_id: str
    judgement: Judgement
    display_order: tuple[int, ...]
    is_gold: bool
    is_repeat: bool
    weight: float
    source: str
    client_key: str
    is_imported: bool
    extra: dict[str, JsonValue]
    created_ms: int


@dataclass(frozen=True, slots=True)
class Judgements:
    """Takes judgements and gives them back."""

    database: Database

    def submit(self, assignment_id: str, lease_token: str, judgement: Judgement, *, client_key: str) -> str:
        """The id of the judgement, which is on disk by now. Positions count the answers as they were shown.

        The same key again gives the same id, so a client that heard nothing may send once more. Raises StaleLeaseError,
        AlreadyJudgedError, WithdrawnError, and InvalidError where the judgement does not answer what was asked, or the key was
        used for another.
        """
        with self.database.write() as session:
            assignment = under_token(session, assignment_id, lease_token)
            mended = judgement.unshuffled(order_of(assignment))
            known = self._known(session, assignment, client_key, mended)
            if known is not None:
                return known
            check_open(session, assignment, self.database.now_ms())
            item = found(session, ItemRow, assignment.item_id)
            check_fit(self.database, session, item, mended)
            assignment.state, assignment.draft = AssignmentState.SUBMITTED, None
            return self._write(session, item, assignment.person_id, mended, client_key, assignment_id)

    def revise(self, judgement_id: str, person_id: str, judgement: Judgement, *, client_key: str) -> str:
        """The id of a row that corrects an earlier one of the same person; positions count as they were shown then.

        Raises NotAllowedError, AlreadyJudgedError, WithdrawnError and InvalidError.
        """
        try:
            with self.database.write() as session:
                earlier = found(session, JudgementRow, judgement_id)
                if earlier.person_id != person_id:
                    raise NotAllowedError("a judgement is corrected by whoever gave it")
                item = found(session, ItemRow, earlier.item_id)
                mended = judgement
                if earlier.assignment_id is not None:
                    mended = judgement.unshuffled(order_of(found(session, AssignmentRow, earlier.assignment_id)))
                known = self._known(session, earlier, client_key, mended)
                if known is not None:
                    return known
                if item.state == ItemState.WITHDRAWN:
                    raise WithdrawnError("the item was withdrawn meanwhile: what was said of it stays as it is")
                check_fit(self.database, session, item, mended)
                return self._write(
                    session, item, person_id, mended, client_key, earlier.assignment_id, revision_of=judgement_id
                )
        except IntegrityError as error:
            raise AlreadyJudgedError(f"{judgement_id} was corrected already: correct the latest") from error

    def latest(self, project_id: str) -> Iterator[Stored]:
        """Every judgement that was not corrected since, oldest first."""
        later = aliased(JudgementRow)
        first = aliased(AssignmentRow)
        query = (
            select(JudgementRow, first)
            .outerjoin(first, first.id == JudgementRow.assignment_id)
            .where(JudgementRow.project_id == project_id)
            .where(~exists().where(later.revision_of == JudgementRow.id))
            .order_by(JudgementRow.id)
            .execution_options(yield_per=1000)
        )
        with self.database.read() as session, closing(session.execute(query)) as rows:
            for row, assignment in rows:
                yield self._stored(row, assignment)

    def _stored(self, row: JudgementRow, assignment: AssignmentRow | None) -> Stored:
        judgement, extra = opened_judgement(self.database.vault, row)
        return Stored(
            id=row.id,
            item_id=row.item_id,
            person_id=row.person_id,
            judgement=judgement,
            display_order=tuple(order_of(assignment)) if assignment else (),
            is_gold=bool(assignment and assignment.is_gold),
            is_repeat=bool(assignment and assignment.is_repeat),
            weight=row.weight,
            source=row.source,
            client_key=row.client_key,
            is_imported=row.batch_id is not None,
            extra=extra,
            created_ms=row.created_ms,
        )

    def _known(
        self, session: Session, about: AssignmentRow | JudgementRow, client_key: str, judgement: Judgement
    ) -> str | None:
        """The judgement on this assignment, or the correction of this judgement, that came in under this key.

        Raises InvalidError where the key came with another.
        """
        query = select(JudgementRow).where(
            JudgementRow.project_id == about.project_id,
            JudgementRow.person_id == about.person_id,
            JudgementRow.client_key == client_key,
        )
        row = session.scalar(query)
        if row is None:
            return None
        answered = row.assignment_id if isinstance(about, AssignmentRow) else row.revision_of
        if answered != about.id or opened_judgement(self.database.vault, row)[0] != judgement:
            raise InvalidError(f"the key {client_key!r} was used for another judgement: take a new key for each")
        return row.id

    def _write(
        self,
        session: Session,
        item: ItemRow,
        person_id: str,
        judgement: Judgement,
        client_key: str,
        assignment_id: str | None,
        *,
        revision_of: str | None = None,
    ) -> str:
        values: dict[str, JsonValue] = {
            "id": new_id(),
            "project_id": item.project_id,
            "item_id": item.id,
            "person_id": person_id,
            "assignment_id": assignment_id,
            "revision_of": revision_of,
            "client_key": client_key,
            **sealed_judgement(self.database.vault, person_id, judgement),
            "weight": 1.0,
            "source": "",
            "batch_id": None,
            "created_ms": self.database.now_ms(),
        }
        session.execute(insert(JudgementRow).values(**values))
        self.database.record(session, person_id, JUDGED, str(values["id"]), digest_of(values))
        return str(values["id"])


def sealed_judgement(
    vault: Vault, person_id: str, judgement: Judgement, extra: Mapping[str, JsonValue] | None = None
) -> dict[str, JsonValue]:
    """The columns that hold a judgement: its choices plain, its words and what came along with it sealed."""
    content = judgement.model_dump(mode="json", exclude=_WORDS, exclude_defaults=True)
    words = judgement.model_dump(mode="json", include=_WORDS, exclude_defaults=True)
    if extra:
        words["extra"] = dict(extra)
    return {"content": content, "words": vault.sealed(person_id, canonical_json(words)) if words else None}


def opened_judgement(vault: Vault, row: JudgementRow) -> tuple[Judgement, dict[str, JsonValue]]:
    """What a row says, its words unsealed, and what came along with it."""
    words = _TEXTS.validate_json(vault.opened(row.person_id, row.words)) if row.words else {}
    extra = words.pop("extra", {})
    assert isinstance(extra, dict)
    return Judgement.model_validate({**row.content, **words}), extra
