"""Prompts, answers, and the questions to people that are made of them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from pydantic import JsonValue
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from plaudit.schemas.conversation import Message, canonical_json, messages_json
from plaudit.schemas.judgement import ItemKind, Judgement, misfit, misplaced
from plaudit.store.database import Database, found
from plaudit.store.errors import InvalidError
from plaudit.store.ids import new_id
from plaudit.store.projects import as_project, settings_of
from plaudit.store.tables import AssignmentRow, CandidateRow, GenerationRow, GoldRow, ItemRow, ProjectRow, PromptRow


class ItemState(StrEnum):
    """Whether people are asked about an item."""

    OPEN = "open"
    GOLD = "gold"
    """Its right judgement is known: shown to everybody, counted for nobody's label."""
    WITHDRAWN = "withdrawn"


class AssignmentState(StrEnum):
    """What became of a promise."""

    LEASED = "leased"
    SUBMITTED = "submitted"
    SKIPPED = "skipped"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where an answer comes from. `is_claimed`: the model's name was told by somebody who need not know."""

    model: str = ""
    model_version: str = ""
    backend: str = ""
    sampling: dict[str, JsonValue] | None = None
    is_claimed: bool = False
    is_truncated: bool = False
    author_id: str | None = None
    """The person who wrote it, who will not be asked about it."""


@dataclass(frozen=True, slots=True)
class Items:
    """Puts questions before people, and takes them back. What is there already is found, not added again."""

    database: Database

    def add_prompt(
        self, project_id: str, messages: Sequence[Message], *, source: str = "", owner_id: str | None = None
    ) -> str:
        """The id of the prompt. `owner_id`: the person whose words it is, who can have it erased."""
        with self.database.write() as session:
            found(session, ProjectRow, project_id)
            key = prompt_key(project_id, messages, owner_id)
            row = session.scalar(select(PromptRow).where(PromptRow.key == key))
            if row is None:
                row = PromptRow(
                    id=new_id(),
                    project_id=project_id,
                    key=key,
                    owner_id=owner_id,
                    messages=self.database.sealed(owner_id, messages),
                    source=source,
                    created_ms=self.database.now_ms(),
                )
                session.add(row)
                session.flush()
                self.database.record(session, owner_id, "add_prompt", row.id)
            return row.id

    def add_answer(self, prompt: str, messages: Sequence[Message], origin: Origin | None = None) -> str:
        """The id of an answer to the prompt with this id. It belongs to its author, or to whoever owns the prompt."""
        origin = origin or Origin()
        with self.database.write() as session:
            asked = found(session, PromptRow, prompt)
            owner = origin.author_id or asked.owner_id
            key = answer_key(prompt, messages, origin, owner)
            row = session.scalar(select(GenerationRow).where(GenerationRow.key == key))
            if row is None:
                row = GenerationRow(
                    id=new_id(),
                    prompt_id=prompt,
                    key=key,
                    owner_id=owner,
                    author_id=origin.author_id,
                    messages=self.database.sealed(owner, messages),
                    model=origin.model,
                    model_version=origin.model_version,
                    is_claimed=origin.is_claimed,
                    backend=origin.backend,
                    sampling=origin.sampling or {},
                    is_truncated=origin.is_truncated,
                    created_ms=self.database.now_ms(),
                )
                session.add(row)
                session.flush()
                self.database.record(session, origin.author_id, "add_answer", row.id)
            return row.id

    def add(
        self,
        prompt: str,
        answers: Sequence[str],
        kind: ItemKind,
        *,
        overlap: int | None = None,
        priority: float = 0.0,
        is_random: bool = False,
    ) -> str:
        """The id of an item: these answers to this prompt, asked about in this way.

        Of an item that is there so many judgements are wanted from now on, or as many as before where that is more.
        `priority`: higher is asked first. `is_random`: drawn blindly, so that it may measure people and models.
        """
        with self.database.write() as session:
            asked = found(session, PromptRow, prompt)
            project = found(session, ProjectRow, asked.project_id)
            self._check_answers(session, prompt, answers, kind)
            key = item_key(kind, prompt, answers)
            row = session.scalar(select(ItemRow).where(ItemRow.key == key))
            wanted = overlap or as_project(project).settings.overlap
            if row is not None:
                want_at_least(session, [row.id], wanted)
            else:
                row = ItemRow(
                    id=new_id(),
                    project_id=project.id,
                    key=key,
                    prompt_id=prompt,
                    kind=kind,
                    state=ItemState.OPEN,
                    overlap=wanted,
                    num_free=wanted,
                    priority=priority,
                    is_random=is_random,
                    created_ms=self.database.now_ms(),
                )
                session.add(row)
                session.flush()
                session.add_all(
                    CandidateRow(item_id=row.id, position=position, generation_id=name)
                    for position, name in enumerate(answers)
                )
                self.database.record(session, None, "add_item", row.id)
            return row.id

    def withdraw(self, item: str) -> None:
        """Asks nobody about the item any more. Open leases end; what was said stays."""
        with self.database.write() as session:
            row = found(session, ItemRow, item)
            row.state = ItemState.WITHDRAWN
            held = AssignmentRow.item_id == item, AssignmentRow.state == AssignmentState.LEASED
            session.execute(update(AssignmentRow).where(*held).values(state=AssignmentState.EXPIRED))
            self.database.record(session, None, "withdraw_item", item)

    def set_gold(self, item: str, judgement: Judgement, *, reason: str) -> None:
        """Makes the right judgement known (in the order of the item's answers) and shows the item to everybody from now on."""
        with self.database.write() as session:
            row = found(session, ItemRow, item)
            check_fit(self.database, session, row, judgement)
            session.merge(
                GoldRow(
                    item_id=item,
                    content=judgement.model_dump(mode="json"),
                    reason=reason,
                    created_ms=self.database.now_ms(),
                    revoked_ms=None,
                )
            )
            row.state = ItemState.GOLD
            self.database.record(session, None, "set_gold", item)

    def revoke_gold(self, item: str) -> None:
        """Asks about the item as about any other again; not about one that was withdrawn."""
        with self.database.write() as session:
            gold = found(session, GoldRow, item)
            gold.revoked_ms = self.database.now_ms()
            row = found(session, ItemRow, item)
            if row.state == ItemState.GOLD:
                row.state = ItemState.OPEN
            self.database.record(session, None, "revoke_gold", item)

    def kinds(self, project_id: str) -> dict[str, ItemKind]:
        """What is asked about each item."""
        query = select(ItemRow.id, ItemRow.kind).where(ItemRow.project_id == project_id)
        with self.database.read() as session:
            return {row.id: ItemKind(row.kind) for row in session.execute(query)}

    def gold(self, project_id: str) -> dict[str, Judgement]:
        """The known judgement of each item that has one."""
        query = (
            select(GoldRow)
            .join(ItemRow, ItemRow.id == GoldRow.item_id)
            .where(ItemRow.project_id == project_id, GoldRow.revoked_ms.is_(None))
        )
        with self.database.read() as session:
            return {row.item_id: Judgement.model_validate(row.content) for row in session.scalars(query)}

    def _check_answers(self, session: Session, prompt: str, answers: Sequence[str], kind: ItemKind) -> None:
        fewest = {ItemKind.COMPARISON: 2, ItemKind.RANKING: 2, ItemKind.DEMONSTRATION: 0}.get(kind, 1)
        if len(answers) < fewest or (kind is ItemKind.COMPARISON and len(answers) != 2):
            raise InvalidError(f"a {kind} cannot be asked about {len(answers)} answers")
        if len(set(answers)) != len(answers):
            raise InvalidError("an answer stands twice in the item: nobody could tell the two apart")
        for name in answers:
            if found(session, GenerationRow, name).prompt_id != prompt:
                raise InvalidError(f"the answer {name} was given to another prompt than {prompt}")


def check_fit(database: Database, session: Session, item: ItemRow, judgement: Judgement) -> None:
    """Raises InvalidError where the judgement does not answer what the item asks."""
    settings, answers = settings_of(session, item.project_id), candidates(session, item.id)
    fault = misfit(judgement, ItemKind(item.kind), len(answers), settings.axes, settings.top_k)
    if not fault and judgement.spans:
        fault = misplaced(judgement, [database.opened(row.owner_id, row.messages) for row in answers])
    if fault:
        raise InvalidError(fault)


def want_at_least(session: Session, items: Sequence[str], overlap: int) -> None:
    """Wants `overlap` judgements of each of these items, where fewer were wanted."""
    fewer = ItemRow.id.in_(items), ItemRow.overlap < overlap
    more = {"num_free": ItemRow.num_free + overlap - ItemRow.overlap, "overlap": overlap}
    session.execute(update(ItemRow).where(*fewer).values(more))


def candidates(session: Session, item: str) -> list[GenerationRow]:
    """The item's answers in their own order."""
    query = (
        select(GenerationRow)
        .join(CandidateRow, CandidateRow.generation_id == GenerationRow.id)
        .where(CandidateRow.item_id == item)
        .order_by(CandidateRow.position)
    )
    return list(session.scalars(query))


def prompt_key(project_id: str, messages: Sequence[Message], owner_id: str | None) -> str:
    """What makes a prompt the same as another: its project, its messages and whose it is."""
    return _hash([project_id, messages_json(messages), owner_id])


def answer_key(prompt: str, messages: Sequence[Message], origin: Origin, owner_id: str | None) -> str:
    """What makes an answer the same as another: its prompt, its messages, its model, its author."""
    return _hash([prompt, messages_json(messages), origin.model, origin.model_version, origin.is_truncated, owner_id])


def item_key(kind: ItemKind, prompt: str, answers: Sequence[str]) -> str:
    """What makes a question the same as another: the answers, in whatever order."""
    return _hash([kind, prompt, *sorted(answers)])


def _hash(parts: list[JsonValue]) -> str:
    return hashlib.sha256(canonical_json(parts).encode()).hexdigest()
