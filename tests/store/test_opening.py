"""A store is made where there is none, and refused where it cannot be relied on; nothing is changed then."""

from __future__ import annotations

import shutil
import subprocess
import sys
import uuid
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import create_engine, inspect, text

from plaudit.schemas.judgement import Judgement
from plaudit.store import Store, StoreError, open_store, opening
from plaudit.store.audit import faults
from plaudit.store.database import Database
from plaudit.store.engine import WRITES, make_engine, parsed_url
from plaudit.store.errors import UnavailableError, WrongVersionError
from plaudit.store.ids import new_id
from plaudit.store.opening import migrate, migrate_store, newest_version
from plaudit.store.tables import Table
from plaudit.store.vault import Vault
from tests.store.conftest import panel_of


def test_the_migrations_make_the_tables(address: str, tmp_path: Path) -> None:
    """Exactly those that the code knows: no column, index or constraint more or less."""
    with closing(open_store(address, keys=tmp_path)) as store, store.database.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Table.metadata) == []
        assert set(inspect(connection).get_table_names()) == {*Table.metadata.tables, "alembic_version"}


def test_opening_twice_makes_it_once(address: str, tmp_path: Path) -> None:
    with closing(open_store(address, keys=tmp_path)) as store:
        store.projects.create("p")
    with closing(open_store(address, keys=tmp_path, create=False)) as store:
        assert store.projects.named("p").guideline_version == 1


def test_many_processes_may_open_a_new_store_at_once(address: str, tmp_path: Path) -> None:
    code = """if True:
        import sys
        from plaudit.store import open_store
        open_store(sys.argv[1], keys=sys.argv[2]).projects.create(sys.argv[3])
    """
    openers = [
        subprocess.Popen([sys.executable, "-c", code, address, str(tmp_path), f"p{number}"]) for number in range(4)
    ]
    assert [opener.wait(timeout=120) for opener in openers] == [0] * 4
    with closing(open_store(address, keys=tmp_path)) as store:
        assert all(store.projects.named(f"p{number}") for number in range(4))


def at_version(address: str, version: str) -> None:
    engine = make_engine(parsed_url(address))
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :version"), {"version": version})
    engine.dispose()


def test_a_store_of_a_newer_plaudit_is_left_alone(address: str, tmp_path: Path) -> None:
    open_store(address, keys=tmp_path).close()
    at_version(address, "9999")
    with pytest.raises(WrongVersionError, match="of version 9999, which this plaudit does not know"):
        open_store(address, keys=tmp_path)
    engine = make_engine(parsed_url(address))
    with pytest.raises(WrongVersionError, match="newer one"):
        migrate(engine)
    engine.dispose()


def test_migrating_what_is_up_to_date_changes_nothing(address: str, tmp_path: Path) -> None:
    open_store(address, keys=tmp_path).close()
    engine = make_engine(parsed_url(address))
    assert migrate(engine) == (newest_version(), newest_version())
    engine.dispose()


NEXT = """
import sqlalchemy as sa
from alembic import op

revision, down_revision = "next", "{newest}"


def upgrade() -> None:
    op.add_column("project", sa.Column("colour", sa.String(length=8), server_default="green", nullable=False))
    with op.batch_alter_table("person") as person:
        person.add_column(sa.Column("shoe_size", sa.Integer()))
    {then}
"""


def a_plaudit_later(monkeypatch: pytest.MonkeyPatch, folder: Path, then: str = "pass") -> None:
    """From here on the code is one revision further, which adds two columns."""
    scripts = folder / f"migrations-{uuid.uuid4().hex}"
    shutil.copytree(Path(opening.__file__).parent / "migrations", scripts)
    (scripts / "versions" / "next.py").write_text(NEXT.format(newest=newest_version(), then=then))
    config = opening._alembic()
    config.set_main_option("script_location", str(scripts))
    monkeypatch.setattr(opening, "_alembic", lambda: config)


def colours(address: str) -> list[tuple[str, ...]]:
    engine = make_engine(parsed_url(address))
    with engine.connect() as connection:
        rows = [tuple(row) for row in connection.execute(text("SELECT name, colour FROM project ORDER BY name"))]
    engine.dispose()
    return rows


def test_an_older_store_is_refused_until_it_is_migrated(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(open_store(address, keys=tmp_path)) as store:
        store.projects.create("p")
        store.projects.create("q")
    older = newest_version()
    a_plaudit_later(monkeypatch, tmp_path)
    with pytest.raises(
        WrongVersionError, match=f"older version {older}, this plaudit writes next: make a backup, then"
    ):
        open_store(address, keys=tmp_path)
    engine = make_engine(parsed_url(address))
    assert migrate(engine) == (older, "next")
    assert migrate(engine) == ("next", "next")
    engine.dispose()
    assert colours(address) == [("p", "green"), ("q", "green")]
    with closing(open_store(address, keys=tmp_path, create=False)) as store:
        assert store.projects.named("q").guideline_version == 1


def test_a_migration_that_breaks_off_leaves_the_store_as_it_was(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(open_store(address, keys=tmp_path)) as store:
        store.projects.create("p")
    older = newest_version()
    with monkeypatch.context() as later:
        a_plaudit_later(later, tmp_path, then="raise KeyboardInterrupt")
        engine = make_engine(parsed_url(address))
        with pytest.raises(KeyboardInterrupt):
            migrate(engine)
        engine.dispose()
    with closing(open_store(address, keys=tmp_path, create=False)) as store, store.database.engine.connect() as found:
        assert opening.version(found) == older
        assert store.projects.named("p").guideline_version == 1
        columns = {column["name"] for table in ("project", "person") for column in inspect(found).get_columns(table)}
        assert not columns & {"colour", "shoe_size"}


def test_somebody_elses_database_is_left_alone(address: str, tmp_path: Path) -> None:
    engine = create_engine(parsed_url(address))
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE invoices (id INTEGER)"))
    engine.dispose()
    with pytest.raises(StoreError, match="holds other tables than plaudit's"):
        open_store(address, keys=tmp_path)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("sqlite://", "a store in memory would lose people's answers"),
        ("sqlite:///:memory:", "a store in memory would lose people's answers"),
        ("mysql://localhost/x", "'mysql' is not supported"),
        ("plaudit.db", "is no address of a store"),
        ("sqlite:////no/such/folder/x.db", "no folder /no/such/folder"),
        ("postgresql://localhost/x", "name the folder for people's keys"),
    ],
)
def test_addresses_that_are_none(url: str, says: str) -> None:
    with pytest.raises(StoreError, match=says):
        open_store(url)


def test_a_store_that_is_not_there_is_not_made_unasked(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="there is no store"):
        open_store(f"sqlite:///{tmp_path / 'x.db'}", create=False)
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_does_not_answer(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match="is the server running"):
        open_store("postgresql://nobody:secret@127.0.0.1:1/x", keys=tmp_path)


def test_the_password_is_not_told(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError) as caught:
        open_store("postgresql://nobody:secret@127.0.0.1:1/x", keys=tmp_path)
    assert "secret" not in str(caught.value)


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "x.db").write_text("hello " * 100)
    with pytest.raises(UnavailableError, match="the file is something else, or damaged"):
        open_store(f"sqlite:///{tmp_path / 'x.db'}")
    assert (tmp_path / "x.db").read_text() == "hello " * 100


def test_a_read_only_server_says_so(new_address: Callable[[str], str], tmp_path: Path) -> None:
    address = new_address("postgresql")
    open_store(address, keys=tmp_path).close()
    engine = create_engine(parsed_url(address), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        name = parsed_url(address).database
        connection.execute(text(f"ALTER DATABASE {name} SET default_transaction_read_only = on"))
    engine.dispose()
    with closing(open_store(address, keys=tmp_path)) as store, pytest.raises(UnavailableError, match="read-only"):
        store.projects.create("p")


def test_a_full_disk_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    """A limit on the database's size in place of the disk's."""
    with closing(open_store(f"sqlite:///{tmp_path / 'x.db'}")) as store:
        store.projects.create("first")
        with closing(store.database.engine.raw_connection()) as raw:
            raw.cursor().execute("PRAGMA max_page_count = 1")  # As many as there are now.
        with pytest.raises(
            UnavailableError, match="is full: free some space; what was not acknowledged was not written"
        ):
            store.projects.create("second", guidelines="x" * 500_000)
        assert store.projects.named("first")
        with pytest.raises(StoreError, match="no project 'second'"):
            store.projects.named("second")


def test_ids_rise_and_are_of_version_7() -> None:
    names = [new_id() for _ in range(3000)]
    assert names == sorted(set(names))
    assert {uuid.UUID(name).version for name in names} == {7}
    assert {uuid.UUID(name).variant for name in names} == {uuid.RFC_4122}


def test_a_store_of_the_first_version_is_brought_up_to_date(address: str, tmp_path: Path) -> None:
    """With what lies in it, corrections that point to earlier rows included; then a key is one project's."""
    config, engine = opening._alembic(), make_engine(parsed_url(address))
    with engine.execution_options(**{WRITES: True}).connect() as connection, connection.begin():
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
    engine.dispose()
    with pytest.raises(WrongVersionError, match="older version 0001"):
        open_store(address, keys=tmp_path)
    store = Store(Database(make_engine(parsed_url(address)), Vault(tmp_path), lambda: 1))
    panel = panel_of(store, 1)
    panel.item("q")
    said = panel.submit(panel.task(), "1", verdict="tie")
    store.judgements.revise(said, panel.people[0], Judgement(verdict="both_bad"), client_key="2")
    before = list(store.judgements.latest(panel.project))
    store.close()
    assert migrate_store(address) == ("0001", "0002")
    with closing(open_store(address, keys=tmp_path)) as store:
        assert list(store.judgements.latest(panel.project)) == before
        with store.database.read() as session:
            assert list(faults(session)) == []
        other = panel_of(store, 0, name="others")
        store.projects.join(other.project, panel.people[0])
        other.people.append(panel.people[0])
        other.item("q")
        other.submit(other.task(), "1", verdict="tie")
    engine = make_engine(parsed_url(address))
    with engine.connect() as found:
        assert compare_metadata(MigrationContext.configure(found), Table.metadata) == []
    engine.dispose()


def test_only_a_store_is_migrated(address: str, tmp_path: Path) -> None:
    """No new store where a name is mistyped, no tables in somebody else's database."""
    missing = tmp_path / "no.db"
    with pytest.raises(StoreError, match="there is no store"):
        migrate_store(f"sqlite:///{missing}")
    assert not missing.exists()
    engine = create_engine(parsed_url(address))
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE invoices (id INTEGER)"))
    with pytest.raises(StoreError, match="holds no store of plaudit's"):
        migrate_store(address)
    with engine.connect() as connection:
        assert inspect(connection).get_table_names() == ["invoices"]
    engine.dispose()
    rubbish = tmp_path / "rubbish.db"
    rubbish.write_bytes(b"not a database, but long enough to be taken for one" * 40)
    with pytest.raises(UnavailableError, match="something else, or damaged"):
        migrate_store(f"sqlite:///{rubbish}")


def test_a_store_is_refused_without_its_peoples_keys(address: str, tmp_path: Path) -> None:
    """A mistyped folder: the same names would be hashed by another key, and everybody counted twice."""
    with closing(open_store(address, keys=tmp_path / "keys")) as store:
        panel_of(store, 1)
    with pytest.raises(StoreError, match=r"has people whose keys are not in .*kyes: name the folder that holds them"):
        open_store(address, keys=tmp_path / "kyes")
    open_store(address, keys=tmp_path / "kyes", check_keys=False).close()
    open_store(address, keys=tmp_path / "keys").close()
