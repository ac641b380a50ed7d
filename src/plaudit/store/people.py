"""People as pseudonyms: what they are called elsewhere is kept as a hash, what they agreed to as a history."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from plaudit.schemas.tasks import PersonKind
from plaudit.store.database import Database, found
from plaudit.store.errors import InvalidError, UnknownRowError
from plaudit.store.ids import new_id
from plaudit.store.tables import AliasRow, ConsentRow, PersonRow

TRAINING = "training"


@dataclass(frozen=True, slots=True)
class People:
    """Makes people known, and records their consent."""

    database: Database

    def add(self, pseudonym: str = "", kind: PersonKind = PersonKind.HUMAN) -> str:
        """The id of a new person. Without a pseudonym one is drawn. Raises InvalidError where it is taken."""
        try:
            with self.database.write() as session:
                person_id = self.added(session, pseudonym, kind)
                self.database.record(session, person_id, "add_person", person_id)
        except IntegrityError as error:
            raise InvalidError(f"there is a person called {pseudonym!r} already: choose another pseudonym") from error
        return person_id

    def added(self, session: Session, pseudonym: str = "", kind: PersonKind = PersonKind.HUMAN) -> str:
        """The same within a transaction. The person's key is on disk before the row is."""
        person_id = new_id()
        self.database.vault.create(person_id)
        session.add(
            PersonRow(
                id=person_id,
                pseudonym=pseudonym or f"p-{secrets.token_hex(5)}",
                kind=kind,
                audit_name=new_id(),
                suspended_ms=None,
                created_ms=self.database.now_ms(),
            )
        )
        session.flush()
        return person_id

    def known_as(self, source: str, names: Iterable[str], kind: PersonKind = PersonKind.HUMAN) -> dict[str, str]:
        """The person behind each name that `source` uses, made known where it is new. The names themselves are not kept.

        Raises InvalidError where one of them is known as another kind.
        """
        with self.database.write() as session:
            return self.known_within(session, source, names, kind)

    def known_within(
        self, session: Session, source: str, names: Iterable[str], kind: PersonKind = PersonKind.HUMAN
    ) -> dict[str, str]:
        """The same within a transaction."""
        people = {}
        for name in sorted(set(names)):
            digest = self.database.vault.digest_of_name(source, name)
            alias = session.get(AliasRow, digest)
            if alias is None:
                alias = AliasRow(digest=digest, person_id=self.added(session, kind=kind))
                session.add(alias)
                session.flush()
            elif (before := found(session, PersonRow, alias.person_id).kind) != kind:
                raise InvalidError(
                    f"{name or 'whoever is not named'} of the source {source!r} is known as {before} here, not as {kind}: name "
                    "another source"
                )
            people[name] = alias.person_id
        return people

    def pseudonyms(self, person_ids: Iterable[str]) -> dict[str, str]:
        """What these people are called here."""
        wanted = set(person_ids)
        with self.database.read() as session:
            rows = session.execute(select(PersonRow.id, PersonRow.pseudonym))
            return {row.id: row.pseudonym for row in rows if row.id in wanted}

    def of_kind(self, kind: PersonKind) -> set[str]:
        """Everybody of this kind."""
        with self.database.read() as session:
            return set(session.scalars(select(PersonRow.id).where(PersonRow.kind == kind)))

    def named(self, pseudonym: str) -> str:
        """The id of whoever is called this. Raises UnknownRowError."""
        with self.database.read() as session:
            name = session.scalar(select(PersonRow.id).where(PersonRow.pseudonym == pseudonym))
        if name is None:
            raise UnknownRowError(f"nobody is called {pseudonym!r} in this store")
        return name

    def found_as(self, source: str, name: str) -> str | None:
        """The person behind a name that `source` uses, if there is one."""
        with self.database.read() as session:
            alias = session.get(AliasRow, self.database.vault.digest_of_name(source, name))
            return alias.person_id if alias else None

    def consent(self, person_id: str, purpose: str = TRAINING, *, granted: bool, basis: str) -> None:
        """Records what the person agreed to or took back; `basis` says where (a form, a version of the terms)."""
        with self.database.write() as session:
            found(session, PersonRow, person_id)
            session.add(
                ConsentRow(
                    id=new_id(),
                    person_id=person_id,
                    purpose=purpose,
                    granted=granted,
                    basis=basis,
                    created_ms=self.database.now_ms(),
                )
            )
            self.database.record(session, person_id, "consent" if granted else "withdraw_consent", person_id)

    def suspend(self, person_id: str, *, suspended: bool = True) -> None:
        """Shows the person no more tasks, or shows them again. What they said stays, and is weighed as before."""
        with self.database.write() as session:
            row = found(session, PersonRow, person_id)
            row.suspended_ms = self.database.now_ms() if suspended else None
            self.database.record(session, person_id, "suspend" if suspended else "readmit", person_id)


def consenting(session: Session, purpose: str) -> set[str]:
    """Everybody whose last word on this purpose was yes."""
    rows = session.execute(
        select(ConsentRow.person_id, ConsentRow.granted)
        .where(ConsentRow.purpose == purpose)
        .order_by(ConsentRow.created_ms, ConsentRow.id)
    )
    latest = {row.person_id: row.granted for row in rows}
    return {person_id for person_id, granted in latest.items() if granted}
