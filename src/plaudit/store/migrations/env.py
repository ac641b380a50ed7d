"""What Alembic runs: the revisions, on the connection and in the transaction that it was given."""

from alembic import context

from plaudit.store.tables import Table

if __name__ == "env_py":  # As Alembic calls it; whoever imports it by its own name only looks.
    context.configure(
        connection=context.config.attributes["connection"],
        target_metadata=Table.metadata,
        transactional_ddl=True,
        render_as_batch=True,
    )
    context.run_migrations()
