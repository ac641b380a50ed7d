"""A client's key names one judgement of a person in a project, no longer in the whole store."""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Puts another constraint in the place of the old one, which served to look people up besides."""
    with op.batch_alter_table("judgement") as table:
        table.drop_constraint("uq_judgement_person_id_client_key", type_="unique")
        table.create_unique_constraint(
            "uq_judgement_project_id_client_key_person_id", ["project_id", "client_key", "person_id"]
        )
        table.create_index("ix_judgement_person_id", ["person_id"])
