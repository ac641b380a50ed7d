"""The first tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Makes every table."""
    _project()
    _person()
    _alias()
    _membership()
    _consent()
    _prompt()
    _generation()
    _item()
    _candidate()
    _gold()
    _batch()
    _assignment()
    _judgement()
    _consensus()
    _snapshot()
    _event()
    _erasure()
    _tombstone()


def _project() -> None:
    op.create_table(
        "project",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("settings", sa.JSON(), nullable=False),
        sa.Column("guidelines", sa.Text(), nullable=False),
        sa.Column("guideline_version", sa.BigInteger(), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_project"),
        sa.UniqueConstraint("name", name="uq_project_name"),
    )


def _person() -> None:
    op.create_table(
        "person",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("pseudonym", sa.String(length=200), nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("audit_name", sa.String(length=36), nullable=False),
        sa.Column("suspended_ms", sa.BigInteger(), nullable=True),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_person"),
        sa.UniqueConstraint("pseudonym", name="uq_person_pseudonym"),
    )


def _alias() -> None:
    op.create_table(
        "alias",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("person_id", sa.String(length=36), nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name="fk_alias_person_id"),
        sa.PrimaryKeyConstraint("digest", name="pk_alias"),
    )
    op.create_index("ix_alias_person_id", "alias", ["person_id"], unique=False)


def _membership() -> None:
    op.create_table(
        "membership",
        sa.Column("project_id", sa.String(length=36), nullable=False),
        sa.Column("person_id", sa.String(length=36), nullable=False),
        sa.Column("role", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name="fk_membership_person_id"),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"], name="fk_membership_project_id"),
        sa.PrimaryKeyConstraint("project_id", "person_id", name="pk_membership"),
    )
    op.create_index("ix_membership_person_id", "membership", ["person_id"], unique=False)


def _consent() -> None:
    op.create_table(
        "consent",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("person_id", sa.String(length=36), nullable=False),
        sa.Column("purpose", sa.String(length=64), nullable=False),
        sa.Column("granted", sa.Boolean(), nullable=False),
        sa.Column("basis", sa.Text(), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name="fk_consent_person_id"),
        sa.PrimaryKeyConstraint("id", name="pk_consent"),
    )
    op.create_index("ix_consent_person_id", "consent", ["person_id"], unique=False)


def _prompt() -> None:
    op.create_table(
        "prompt",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("project_id", sa.String(length=36), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("owner_id", sa.String(length=36), nullable=True),
        sa.Column("messages", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["owner_id"], ["person.id"], name="fk_prompt_owner_id"),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"], name="fk_prompt_project_id"),
        sa.PrimaryKeyConstraint("id", name="pk_prompt"),
        sa.UniqueConstraint("key", name="uq_prompt_key"),
    )
    op.create_index("ix_prompt_owner_id", "prompt", ["owner_id"], unique=False)


def _generation() -> None:
    op.create_table(
        "generation",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("prompt_id", sa.String(length=36), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("owner_id", sa.String(length=36), nullable=True),
        sa.Column("author_id", sa.String(length=36), nullable=True),
        sa.Column("messages", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("model_version", sa.Text(), nullable=False),
        sa.Column("is_claimed", sa.Boolean(), nullable=False),
        sa.Column("backend", sa.Text(), nullable=False),
        sa.Column("sampling", sa.JSON(), nullable=False),
        sa.Column("is_truncated", sa.Boolean(), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["author_id"], ["person.id"], name="fk_generation_author_id"),
        sa.ForeignKeyConstraint(["owner_id"], ["person.id"], name="fk_generation_owner_id"),
        sa.ForeignKeyConstraint(["prompt_id"], ["prompt.id"], name="fk_generation_prompt_id"),
        sa.PrimaryKeyConstraint("id", name="pk_generation"),
        sa.UniqueConstraint("key", name="uq_generation_key"),
    )
    op.create_index("ix_generation_author_id", "generation", ["author_id"], unique=False)
    op.create_index("ix_generation_owner_id", "generation", ["owner_id"], unique=False)
    op.create_index("ix_generation_prompt_id", "generation", ["prompt_id"], unique=False)


def _item() -> None:
    op.create_table(
        "item",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("project_id", sa.String(length=36), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("prompt_id", sa.String(length=36), nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=64), nullable=False),
        sa.Column("overlap", sa.BigInteger(), nullable=False),
        sa.Column("num_free", sa.BigInteger(), nullable=False),
        sa.Column("priority", sa.Double(), nullable=False),
        sa.Column("is_random", sa.Boolean(), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"], name="fk_item_project_id"),
        sa.ForeignKeyConstraint(["prompt_id"], ["prompt.id"], name="fk_item_prompt_id"),
        sa.PrimaryKeyConstraint("id", name="pk_item"),
        sa.UniqueConstraint("key", name="uq_item_key"),
    )
    op.create_index("ix_item_prompt_id", "item", ["prompt_id"], unique=False)
    op.create_index(
        "ix_item_queue",
        "item",
        ["project_id", "priority", "id"],
        unique=False,
        sqlite_where=sa.text("state = 'open' AND num_free > 0"),
        postgresql_where=sa.text("state = 'open' AND num_free > 0"),
    )


def _candidate() -> None:
    op.create_table(
        "candidate",
        sa.Column("item_id", sa.String(length=36), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("generation_id", sa.String(length=36), nullable=False),
        sa.ForeignKeyConstraint(["generation_id"], ["generation.id"], name="fk_candidate_generation_id"),
        sa.ForeignKeyConstraint(["item_id"], ["item.id"], name="fk_candidate_item_id"),
        sa.PrimaryKeyConstraint("item_id", "position", name="pk_candidate"),
    )
    op.create_index("ix_candidate_generation_id", "candidate", ["generation_id"], unique=False)


def _gold() -> None:
    op.create_table(
        "gold",
        sa.Column("item_id", sa.String(length=36), nullable=False),
        sa.Column("content", sa.JSON(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("revoked_ms", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["item_id"], ["item.id"], name="fk_gold_item_id"),
        sa.PrimaryKeyConstraint("item_id", name="pk_gold"),
    )


def _batch() -> None:
    op.create_table(
        "batch",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("project_id", sa.String(length=36), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"], name="fk_batch_project_id"),
        sa.PrimaryKeyConstraint("id", name="pk_batch"),
    )


def _assignment() -> None:
    op.create_table(
        "assignment",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("project_id", sa.String(length=36), nullable=False),
        sa.Column("item_id", sa.String(length=36), nullable=False),
        sa.Column("person_id", sa.String(length=36), nullable=False),
        sa.Column("is_repeat", sa.Boolean(), nullable=False),
        sa.Column("is_gold", sa.Boolean(), nullable=False),
        sa.Column("guideline_version", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=64), nullable=False),
        sa.Column("lease_token", sa.String(length=64), nullable=False),
        sa.Column("expires_ms", sa.BigInteger(), nullable=False),
        sa.Column("display_order", sa.JSON(), nullable=False),
        sa.Column("skip_reason", sa.Text(), nullable=True),
        sa.Column("draft", sa.Text(), nullable=True),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["item_id"], ["item.id"], name="fk_assignment_item_id"),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name="fk_assignment_person_id"),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"], name="fk_assignment_project_id"),
        sa.PrimaryKeyConstraint("id", name="pk_assignment"),
    )
    op.create_index(
        "ix_assignment_expiry",
        "assignment",
        ["project_id", "expires_ms"],
        unique=False,
        sqlite_where=sa.text("state = 'leased'"),
        postgresql_where=sa.text("state = 'leased'"),
    )
    op.create_index("ix_assignment_item_id", "assignment", ["item_id"], unique=False)
    op.create_index(
        "ix_assignment_once",
        "assignment",
        ["item_id", "person_id", "is_repeat"],
        unique=True,
        sqlite_where=sa.text("state IN ('leased', 'submitted')"),
        postgresql_where=sa.text("state IN ('leased', 'submitted')"),
    )
    op.create_index("ix_assignment_person", "assignment", ["person_id", "project_id", "state"], unique=False)


def _judgement() -> None:
    op.create_table(
        "judgement",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("project_id", sa.String(length=36), nullable=False),
        sa.Column("item_id", sa.String(length=36), nullable=False),
        sa.Column("person_id", sa.String(length=36), nullable=False),
        sa.Column("assignment_id", sa.String(length=36), nullable=True),
        sa.Column("revision_of", sa.String(length=36), nullable=True),
        sa.Column("client_key", sa.String(length=200), nullable=False),
        sa.Column("content", sa.JSON(), nullable=False),
        sa.Column("words", sa.Text(), nullable=True),
        sa.Column("weight", sa.Double(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("batch_id", sa.String(length=36), nullable=True),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["assignment_id"], ["assignment.id"], name="fk_judgement_assignment_id"),
        sa.ForeignKeyConstraint(["batch_id"], ["batch.id"], name="fk_judgement_batch_id"),
        sa.ForeignKeyConstraint(["item_id"], ["item.id"], name="fk_judgement_item_id"),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name="fk_judgement_person_id"),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"], name="fk_judgement_project_id"),
        sa.ForeignKeyConstraint(
            ["revision_of"], ["judgement.id"], name="fk_judgement_revision_of", initially="DEFERRED", deferrable=True
        ),
        sa.PrimaryKeyConstraint("id", name="pk_judgement"),
        sa.UniqueConstraint("person_id", "client_key", name="uq_judgement_person_id_client_key"),
        sa.UniqueConstraint("revision_of", name="uq_judgement_revision_of"),
    )
    op.create_index("ix_judgement_batch_id", "judgement", ["batch_id"], unique=False)
    op.create_index(
        "ix_judgement_first",
        "judgement",
        ["assignment_id"],
        unique=True,
        sqlite_where=sa.text("revision_of IS NULL AND assignment_id IS NOT NULL"),
        postgresql_where=sa.text("revision_of IS NULL AND assignment_id IS NOT NULL"),
    )
    op.create_index("ix_judgement_item_id", "judgement", ["item_id"], unique=False)
    op.create_index("ix_judgement_project", "judgement", ["project_id", "id"], unique=False)


def _consensus() -> None:
    op.create_table(
        "consensus",
        sa.Column("item_id", sa.String(length=36), nullable=False),
        sa.Column("method", sa.String(length=64), nullable=False),
        sa.Column("posterior", sa.JSON(), nullable=False),
        sa.Column("num_effective", sa.Double(), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["item_id"], ["item.id"], name="fk_consensus_item_id"),
        sa.PrimaryKeyConstraint("item_id", "method", name="pk_consensus"),
    )


def _snapshot() -> None:
    op.create_table(
        "snapshot",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("folder", sa.Text(), nullable=False),
        sa.Column("project_id", sa.String(length=36), nullable=False),
        sa.Column("query", sa.JSON(), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("replaced_by", sa.String(length=64), nullable=True),
        sa.Column("erased_ms", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"], name="fk_snapshot_project_id"),
        sa.PrimaryKeyConstraint("id", "folder", name="pk_snapshot"),
    )
    op.create_index("ix_snapshot_project_id", "snapshot", ["project_id"], unique=False)


def _event() -> None:
    op.create_table(
        "event",
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.String(length=36), nullable=False),
        sa.Column("action", sa.String(length=64), nullable=False),
        sa.Column("subject", sa.String(length=64), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("previous", sa.String(length=64), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_event"),
    )


def _erasure() -> None:
    op.create_table(
        "erasure",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("person_id", sa.String(length=36), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_erasure"),
        sa.UniqueConstraint("person_id", name="uq_erasure_person_id"),
    )


def _tombstone() -> None:
    op.create_table(
        "tombstone",
        sa.Column("row_id", sa.String(length=36), nullable=False),
        sa.Column("receipt_id", sa.String(length=36), nullable=False),
        sa.ForeignKeyConstraint(["receipt_id"], ["erasure.id"], name="fk_tombstone_receipt_id"),
        sa.PrimaryKeyConstraint("row_id", name="pk_tombstone"),
    )
    op.create_index("ix_tombstone_receipt_id", "tombstone", ["receipt_id"], unique=False)
