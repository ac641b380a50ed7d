"""The tables. Times are milliseconds since 1970 (UTC), ids UUIDv7, texts JSON, sealed where they are a person's own."""

from __future__ import annotations

from typing import ClassVar

from pydantic import JsonValue
from sqlalchemy import JSON, BigInteger, ForeignKey, Index, MetaData, String, Text, UniqueConstraint, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

ID = String(36)
WORD = String(64)
HASH = String(64)
# Items somebody may still be asked about. Queries say it in these words, so that the index is used.
WANTED = "state = 'open' AND num_free > 0"


def _partial(name: str, *columns: str, where: str, unique: bool = False) -> Index:
    """An index of the rows that meet a condition, for either database."""
    condition = text(where)
    return Index(name, *columns, unique=unique, sqlite_where=condition, postgresql_where=condition)


class Table(DeclarativeBase):
    """What every table shares. Names of constraints are fixed, so that migrations can find them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar = {dict[str, JsonValue]: JSON, list[JsonValue]: JSON, int: BigInteger}


class ProjectRow(Table):
    """One collection of feedback with its rules."""

    __tablename__ = "project"
    id: Mapped[str] = mapped_column(ID, primary_key=True)
    name: Mapped[str] = mapped_column(String(200), unique=True)
    settings: Mapped[dict[str, JsonValue]]
    guidelines: Mapped[str] = mapped_column(Text)
    guideline_version: Mapped[int]
    created_ms: Mapped[int]


class PersonRow(Table):
    """Who judges or writes: a pseudonym. `audit_name` stands for the person in the audit log and is forgotten on erasure."""

    __tablename__ = "person"
    id: Mapped[str] = mapped_column(ID, primary_key=True)
    pseudonym: Mapped[str] = mapped_column(String(200), unique=True)
    kind: Mapped[str] = mapped_column(WORD)
    audit_name: Mapped[str] = mapped_column(ID)
    suspended_ms: Mapped[int | None]
    created_ms: Mapped[int]


class AliasRow(Table):
    """The hash of a name that a person bears in a source outside."""

    __tablename__ = "alias"
    digest: Mapped[str] = mapped_column(HASH, primary_key=True)
    person_id: Mapped[str] = mapped_column(ForeignKey("person.id"), index=True)


class MembershipRow(Table):
    """What a person may do in a project."""

    __tablename__ = "membership"
    project_id: Mapped[str] = mapped_column(ForeignKey("project.id"), primary_key=True)
    person_id: Mapped[str] = mapped_column(ForeignKey("person.id"), primary_key=True, index=True)
    role: Mapped[str] = mapped_column(WORD)


class ConsentRow(Table):
    """What a person agreed to, or took back: the latest row of a purpose counts."""

    __tablename__ = "consent"
    id: Mapped[str] = mapped_column(ID, primary_key=True)
    person_id: Mapped[str] = mapped_column(ForeignKey("person.id"), index=True)
    purpose: Mapped[str] = mapped_column(WORD)
    granted: Mapped[bool]
    basis: Mapped[str] = mapped_column(Text)
    created_ms: Mapped[int]


class PromptRow(Table):
    """What answers are given to. `owner_id` is the person who wrote it, if it is anybody's own."""

    __tablename__ = "prompt"
    id: Mapped[str] = mapped_column(ID, primary_key=True)
    project_id: Mapped[str] = mapped_column(ForeignKey("project.id"))
    key: Mapped[str] = mapped_column(HASH, unique=True)
    owner_id: Mapped[str | None] = mapped_column(ForeignKey("person.id"), index=True)
    messages: Mapped[str] = mapped_column(Text)
    source: Mapped[str] = mapped_column(Text)
    created_ms: Mapped[int]


class GenerationRow(Table):
    """An answer and where it comes from. `author_id`: a person wrote it. `is_claimed`: the model's name is only hearsay."""

    __tablename__ = "generation"
    id: Mapped[str] = mapped_column(ID, primary_key=True)
    prompt_id: Mapped[str] = mapped_column(ForeignKey("prompt.id"), index=True)
    key: Mapped[str] = mapped_column(HASH, unique=True)
    owner_id: Mapped[str | None] = mapped_column(ForeignKey("person.id"), index=True)
    author_id: Mapped[str | None] = mapped_column(ForeignKey("person.id"), index=True)
    messages: Mapped[str] = mapped_column(Text)
    model: Mapped[str] = mapped_column(Text)
    model_version: Mapped[str] = mapped_column(Text)
    is_claimed: Mapped[bool]
    backend: Mapped[str] = mapped_column(Text)
    sampling: Mapped[dict[str, JsonValue]]
    is_truncated: Mapped[bool]
    created_ms: Mapped[int]


class ItemRow(Table):
    """A question to people: some answers to a prompt. `num_free` judgements are wanted and not yet promised to anybody."""

    __tablename__ = "item"
    __table_args__ = (_partial("ix_item_queue", "project_id", "priority", "id", where=WANTED),)
    id: Mapped[str] = mapped_column(ID, primary_key=True)
    project_id: Mapped[str] = mapped_column(ForeignKey("project.id"))
    key: Mapped[str] = mapped_column(HASH, unique=True)
    prompt_id: Mapped[str] = mapped_column(ForeignKey("prompt.id"), index=True)
    kind: Mapped[str] = mapped_column(WORD)
    state: Mapped[str] = mapped_column(WORD)
    overlap: Mapped[int]
    num_free: Mapped[int]
    priority: Mapped[float]
    is_random: Mapped[bool]
    created_ms: Mapped[int]


class CandidateRow(Table):
    """The answers of an item, in an order of their own that nobody is shown."""

    __tablename__ = "candidate"
    item_id: Mapped[str] = mapped_column(ForeignKey("item.id"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    generation_id: Mapped[str] = mapped_column(ForeignKey("generation.id"), index=True)


class GoldRow(Table):
    """The known judgement of an item, in the order of its candidates. One that was revoked counts no more."""

    __tablename__ = "gold"
    item_id: Mapped[str] = mapped_column(ForeignKey("item.id"), primary_key=True)
    content: Mapped[dict[str, JsonValue]]
    reason: Mapped[str] = mapped_column(Text)
    created_ms: Mapped[int]
    revoked_ms: Mapped[int | None]


class AssignmentRow(Table):
    """An item promised to a person for a while. `display_order` [K]: which candidate stood at each place."""

    __tablename__ = "assignment"
    __table_args__ = (
        _partial("ix_assignment_expiry", "project_id", "expires_ms", where="state = 'leased'"),
        # A person judges an item once, and once more where it is repeated to see whether they stay with their word.
        _partial(
            "ix_assignment_once",
            *("item_id", "person_id", "is_repeat"),
            where="state IN ('leased', 'submitted')",
            unique=True,
        ),
        Index("ix_assignment_person", "person_id", "project_id", "state"),
    )
    id: Mapped[str] = mapped_column(ID, primary_key=True)
    project_id: Mapped[str] = mapped_column(ForeignKey("project.id"))
    item_id: Mapped[str] = mapped_column(ForeignKey("item.id"), index=True)
    person_id: Mapped[str] = mapped_column(ForeignKey("person.id"))
    is_repeat: Mapped[bool]
    is_gold: Mapped[bool]
    guideline_version: Mapped[int]
    state: Mapped[str] = mapped_column(WORD)
    lease_token: Mapped[str] = mapped_column(WORD)
    expires_ms: Mapped[int]
    display_order: Mapped[list[JsonValue]]
    skip_reason: Mapped[str | None] = mapped_column(Text)
    draft: Mapped[str | None] = mapped_column(Text)
    created_ms: Mapped[int]


class JudgementRow(Table):
    """What a person said about an item's candidates, in their order. Never changed: a correction is a row of its own."""

    __tablename__ = "judgement"
    __table_args__ = (
        UniqueConstraint("project_id", "client_key", "person_id"),
        # Whatever two workers do at once, an assignment has one first judgement.
        _partial(
            "ix_judgement_first",
            "assignment_id",
            where="revision_of IS NULL AND assignment_id IS NOT NULL",
            unique=True,
        ),
        Index("ix_judgement_project", "project_id", "id"),
    )
    id: Mapped[str] = mapped_column(ID, primary_key=True)
    project_id: Mapped[str] = mapped_column(ForeignKey("project.id"))
    item_id: Mapped[str] = mapped_column(ForeignKey("item.id"), index=True)
    person_id: Mapped[str] = mapped_column(ForeignKey("person.id"), index=True)
    assignment_id: Mapped[str | None] = mapped_column(ForeignKey("assignment.id"))
    revision_of: Mapped[str | None] = mapped_column(
        ForeignKey("judgement.id", deferrable=True, initially="DEFERRED"), unique=True
    )
    client_key: Mapped[str] = mapped_column(String(200))
    content: Mapped[dict[str, JsonValue]]
    words: Mapped[str | None] = mapped_column(Text)
    weight: Mapped[float]
    source: Mapped[str] = mapped_column(Text)
    batch_id: Mapped[str | None] = mapped_column(ForeignKey("batch.id"), index=True)
    created_ms: Mapped[int]


class BatchRow(Table):
    """Rows that came in together from a file."""

    __tablename__ = "batch"
    id: Mapped[str] = mapped_column(ID, primary_key=True)
    project_id: Mapped[str] = mapped_column(ForeignKey("project.id"))
    source: Mapped[str] = mapped_column(Text)
    created_ms: Mapped[int]


class ConsensusRow(Table):
    """What many judgements of an item come to, by a named method."""

    __tablename__ = "consensus"
    item_id: Mapped[str] = mapped_column(ForeignKey("item.id"), primary_key=True)
    method: Mapped[str] = mapped_column(WORD, primary_key=True)
    posterior: Mapped[dict[str, JsonValue]]
    num_effective: Mapped[float]
    created_ms: Mapped[int]


class SnapshotRow(Table):
    """A snapshot made from these rows: the query, and where it was put. `erased_ms`: a tombstone lies there now."""

    __tablename__ = "snapshot"
    id: Mapped[str] = mapped_column(HASH, primary_key=True)
    folder: Mapped[str] = mapped_column(Text, primary_key=True)
    project_id: Mapped[str] = mapped_column(ForeignKey("project.id"), index=True)
    query: Mapped[dict[str, JsonValue]]
    created_ms: Mapped[int]
    replaced_by: Mapped[str | None] = mapped_column(HASH)
    erased_ms: Mapped[int | None]


class EventRow(Table):
    """The audit log: who did what to which row, its hash, and the hash of all that went before."""

    __tablename__ = "event"
    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at_ms: Mapped[int]
    actor: Mapped[str] = mapped_column(ID)
    action: Mapped[str] = mapped_column(WORD)
    subject: Mapped[str] = mapped_column(HASH)
    digest: Mapped[str] = mapped_column(HASH)
    previous: Mapped[str] = mapped_column(HASH)
    hash: Mapped[str] = mapped_column(HASH)


class TombstoneRow(Table):
    """The id of a judgement that was erased, so that the audit can tell a hole from an erasure."""

    __tablename__ = "tombstone"
    row_id: Mapped[str] = mapped_column(ID, primary_key=True)
    receipt_id: Mapped[str] = mapped_column(ForeignKey("erasure.id"), index=True)


class ErasureRow(Table):
    """A person who was erased: of them the id alone, so that a restored backup can be made to forget them again."""

    __tablename__ = "erasure"
    id: Mapped[str] = mapped_column(ID, primary_key=True)
    person_id: Mapped[str] = mapped_column(ID, unique=True)
    created_ms: Mapped[int]
