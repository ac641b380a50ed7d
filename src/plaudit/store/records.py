"""Rows as records that trainers and people's tools read: whose consent is there, of the kinds that were asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from pydantic import JsonValue
from sqlalchemy import select
from sqlalchemy.orm import Session

from plaudit.schemas.conversation import Frozen, Messages
from plaudit.schemas.feedback import AnyRecord
from plaudit.schemas.judgement import Axis, ItemKind
from plaudit.schemas.tasks import PersonKind
from plaudit.store.database import Database
from plaudit.store.items import Origin
from plaudit.store.judgements import Judgements, Stored
from plaudit.store.people import TRAINING, consenting
from plaudit.store.projects import settings_of
from plaudit.store.questions import Question, records_of
from plaudit.store.tables import CandidateRow, GenerationRow, ItemRow, PersonRow, PromptRow

_CHUNK = 1000
MODELS, PROVENANCE = "models", "provenance"


class Query(Frozen):
    """Which judgements: what is left at its default leaves nothing out but what nobody may or should learn from."""

    project_id: str
    kinds: tuple[ItemKind, ...] = ()
    """Of what kinds of items; empty for all."""
    people: tuple[PersonKind, ...] = (PersonKind.HUMAN,)
    """Of whom: people's verdicts and models' never mix unsaid."""
    purpose: str | None = TRAINING
    """For what everybody whose words these are must have agreed; None asks for no consent, for statistics only."""
    sources: tuple[str, ...] = ()
    """From which sources; empty for all."""
    random_only: bool = False
    """Only items that were drawn blindly: those that may measure people and models."""
    with_gold: bool = False
    """Judgements of items whose answer was known too."""
    with_repeats: bool = False
    """The second word of a person on the same item too."""
    since_ms: int | None = None
    """From this time on."""
    until_ms: int | None = None
    """Before this time."""


@dataclass(frozen=True, slots=True)
class _Item:
    row: ItemRow
    prompt: Messages
    owners: frozenset[str]
    answers: tuple[tuple[Messages, Origin], ...]
    models: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RecordReader:
    """Reads judgements as records."""

    database: Database

    def read(self, query: Query) -> Iterator[AnyRecord]:
        """The records, oldest first. People go by their pseudonyms; `extra` says which models answered and how a row came
        about; what was imported keeps its own.
        """
        with self.database.read() as session:
            pseudonyms = dict(self._people(session, query))
            agreed = None if query.purpose is None else consenting(session, query.purpose)
            axes = settings_of(session, query.project_id).axes
        rows = (
            stored
            for stored in Judgements(self.database).latest(query.project_id)
            if _wanted(stored, query) and stored.person_id in pseudonyms
        )
        while chunk := list(islice(rows, _CHUNK)):
            with self.database.read() as session:
                items = self._items(session, {stored.item_id for stored in chunk})
            for stored in chunk:
                item = items[stored.item_id]
                if _asked_for(item, query) and (agreed is None or {stored.person_id, *item.owners} <= agreed):
                    yield from _records(stored, item, pseudonyms[stored.person_id], axes)

    def num_refused(self, query: Query, num_read: int) -> int:
        """How many records there would be besides the `num_read` ones of the query, had everybody consented."""
        if query.purpose is None:
            return 0
        return sum(1 for _ in self.read(query.model_copy(update={"purpose": None}))) - num_read

    def _people(self, session: Session, query: Query) -> Iterator[tuple[str, str]]:
        rows = session.execute(select(PersonRow.id, PersonRow.pseudonym).where(PersonRow.kind.in_(query.people)))
        yield from ((row.id, row.pseudonym) for row in rows)

    def _items(self, session: Session, names: set[str]) -> dict[str, _Item]:
        """The items with everything that is shown of them."""
        rows = session.execute(
            select(ItemRow, PromptRow).join(PromptRow, PromptRow.id == ItemRow.prompt_id).where(ItemRow.id.in_(names))
        ).all()
        answers: dict[str, list[GenerationRow]] = {name: [] for name in names}
        for candidate in session.execute(
            select(CandidateRow.item_id, GenerationRow)
            .join(GenerationRow, GenerationRow.id == CandidateRow.generation_id)
            .where(CandidateRow.item_id.in_(names))
            .order_by(CandidateRow.item_id, CandidateRow.position)
        ):
            answers[candidate.item_id].append(candidate.GenerationRow)
        return {row.ItemRow.id: self._item(row.ItemRow, row.PromptRow, answers[row.ItemRow.id]) for row in rows}

    def _item(self, row: ItemRow, prompt: PromptRow, answers: Sequence[GenerationRow]) -> _Item:
        owners = {prompt.owner_id, *(answer.owner_id for answer in answers)} - {None}
        return _Item(
            row=row,
            prompt=self.database.opened(prompt.owner_id, prompt.messages),
            owners=frozenset(owner for owner in owners if owner),
            answers=tuple(
                (self.database.opened(answer.owner_id, answer.messages), Origin(is_truncated=answer.is_truncated))
                for answer in answers
            ),
            models=tuple("" if answer.is_claimed else answer.model_version or answer.model for answer in answers),
        )


def _wanted(stored: Stored, query: Query) -> bool:
    return (
        (query.with_gold or not stored.is_gold)
        and (query.with_repeats or not stored.is_repeat)
        and (not query.sources or stored.source in query.sources)
        and (query.since_ms is None or stored.created_ms >= query.since_ms)
        and (query.until_ms is None or stored.created_ms < query.until_ms)
    )


def _asked_for(item: _Item, query: Query) -> bool:
    kinds = not query.kinds or item.row.kind in query.kinds
    return kinds and (item.row.is_random or not query.random_only)


def _records(stored: Stored, item: _Item, pseudonym: str, axes: Sequence[Axis]) -> list[AnyRecord]:
    question = Question(
        id=stored.client_key if stored.is_imported else stored.id,
        source=stored.source,
        weight=stored.weight,
        annotator=pseudonym,
        prompt=item.prompt,
        kind=ItemKind(item.row.kind),
        answers=item.answers,
        judgement=stored.judgement,
        extra=stored.extra if stored.is_imported else _extra(stored, item),
    )
    return records_of(question, axes)


def _extra(stored: Stored, item: _Item) -> dict[str, JsonValue]:
    """Which models answered, and how the row came about: what was shown in which order, and for how long it was looked at."""
    provenance: dict[str, JsonValue] = {
        "item": stored.item_id,
        "display_order": list(stored.display_order),
        "lead_time_ms": stored.judgement.lead_time_ms,
        "created_ms": stored.created_ms,
        "is_random": item.row.is_random,
        "is_gold": stored.is_gold,
        "is_repeat": stored.is_repeat,
    }
    return {MODELS: list(item.models), PROVENANCE: provenance}
