"""Opening a store: made where there is none, refused where another version of plaudit wrote it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import URL, Connection, Engine, inspect, select

from plaudit.store.consensus import Consensus
from plaudit.store.database import Database, wall_clock_ms
from plaudit.store.engine import (
    DEFAULT_URL,
    faults_explained,
    file_of,
    make_engine,
    parsed_url,
    refuse_broken_references,
    take_turn,
    without_foreign_keys,
)
from plaudit.store.errors import StoreError, WrongVersionError
from plaudit.store.imports import Imports
from plaudit.store.items import Items
from plaudit.store.judgements import Judgements
from plaudit.store.people import People
from plaudit.store.projects import Projects
from plaudit.store.records import RecordReader
from plaudit.store.snapshots import SnapshotIndex
from plaudit.store.tables import PersonRow
from plaudit.store.tasks import Tasks
from plaudit.store.vault import Vault


@dataclass(frozen=True, slots=True)
class Store:
    """A store of feedback, part by part."""

    database: Database

    @property
    def projects(self) -> Projects:
        """Projects, their rules and members."""
        return Projects(self.database)

    @property
    def people(self) -> People:
        """People and their consent."""
        return People(self.database)

    @property
    def items(self) -> Items:
        """Prompts, answers, and questions about them."""
        return Items(self.database)

    @property
    def tasks(self) -> Tasks:
        """Who is asked what."""
        return Tasks(self.database)

    @property
    def judgements(self) -> Judgements:
        """What people said."""
        return Judgements(self.database)

    @property
    def imports(self) -> Imports:
        """Records from files."""
        return Imports(self.database)

    @property
    def records(self) -> RecordReader:
        """Judgements as records."""
        return RecordReader(self.database)

    @property
    def consensus(self) -> Consensus:
        """What judgements come to."""
        return Consensus(self.database)

    @property
    def snapshots(self) -> SnapshotIndex:
        """Snapshots that were made of them."""
        return SnapshotIndex(self.database)

    def close(self) -> None:
        """Ends every connection."""
        self.database.engine.dispose()


def open_store(
    url: str = DEFAULT_URL,
    *,
    keys: Path | str | None = None,
    create: bool = True,
    check_keys: bool = True,
    now_ms: Callable[[], int] = wall_clock_ms,
) -> Store:
    """The store at `sqlite:///FILE` or `postgresql://HOST/NAME`; made where it is new, unless `create` is off.

    `keys` is the folder with people's keys: beside an SQLite file by default, to be named for PostgreSQL. Raises StoreError
    where the keys of the store's people are not there (`check_keys` off does without), WrongVersionError where the store is
    older (`plaudit store migrate` brings it up to date) or newer than this plaudit, and UnavailableError where it cannot be
    reached.
    """
    address = parsed_url(url)
    vault = Vault(keys_folder(address, keys))
    engine = make_engine(address)
    try:
        with faults_explained(engine):
            _make_or_check(engine, address, create=create)
            if check_keys:
                _refuse_other_keys(engine, vault)
    except BaseException:
        engine.dispose()
        raise
    return Store(Database(engine, vault, now_ms))


def keys_folder(url: URL, keys: Path | str | None) -> Path:
    """Where people's keys lie."""
    if keys is not None:
        return Path(keys)
    file = file_of(url)
    if file is None:
        raise StoreError(
            "name the folder for people's keys (--keys or PLAUDIT_KEYS): it may not lie in the database itself"
        )
    return file.with_name(f"{file.name}.keys")


def version(connection: Connection) -> str | None:
    """The revision of the tables; None where there are none."""
    return MigrationContext.configure(connection).get_current_revision()


def newest_version() -> str:
    """The revision that this plaudit writes."""
    head = ScriptDirectory.from_config(_alembic()).get_current_head()
    assert head is not None
    return head


def migrate_store(url: str) -> tuple[str, str]:
    """Brings the store at that address up to date; returns its versions before and after.

    Raises StoreError where there is no store of plaudit's.
    """
    address = parsed_url(url)
    _refuse_missing(address)
    engine = make_engine(address)
    try:
        with faults_explained(engine):
            with engine.connect() as connection:
                before = version(connection)
            if before is None:
                raise StoreError(
                    f"the database {address.render_as_string()} holds no store of plaudit's: check the name"
                )
            return before, migrate(engine)[1]
    finally:
        engine.dispose()


def migrate(engine: Engine) -> tuple[str | None, str]:
    """Brings the tables up to date, in one transaction; returns the revisions before and after."""
    with without_foreign_keys(engine) as connection, connection.begin():
        take_turn(connection)
        before = version(connection)
        _refuse_newer(before)
        if before != newest_version():
            config = _alembic()
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
            refuse_broken_references(connection)
        return before, newest_version()


def _make_or_check(engine: Engine, url: URL, *, create: bool) -> None:
    file = file_of(url)
    if not create:
        _refuse_missing(url)
    elif file is not None and not file.parent.is_dir():
        raise StoreError(f"there is no folder {file.parent} to put the store {file.name} in")
    with engine.connect() as connection:
        # In this order: who makes the store meanwhile makes its tables and its version at once.
        is_empty = not inspect(connection).get_table_names()
        found = version(connection)
    if found == newest_version():
        return
    if is_empty and create:
        migrate(engine)
        return
    if found is None:
        what = "is empty" if is_empty else "holds other tables than plaudit's"
        raise StoreError(
            f"the database {url.render_as_string()} {what}: name a store of plaudit's, or an empty database"
        )
    _refuse_newer(found)
    raise WrongVersionError(
        f"the store is of the older version {found}, this plaudit writes {newest_version()}: make a backup, then run "
        "`plaudit store migrate`"
    )


def _refuse_other_keys(engine: Engine, vault: Vault) -> None:
    """Names would be hashed by another key, and everybody be somebody new."""
    with engine.connect() as connection:
        first = connection.scalar(select(PersonRow.id).order_by(PersonRow.id).limit(1))
    if first is not None and not vault.has(first):
        raise StoreError(
            f"the store {engine.url.render_as_string()} has people whose keys are not in {vault.folder}: name the folder that "
            "holds them (--keys or PLAUDIT_KEYS), or put it back"
        )


def _refuse_missing(url: URL) -> None:
    file = file_of(url)
    if file is not None and not file.exists():
        raise StoreError(f"there is no store {file}: check the name, or import or create something first")


def _refuse_newer(found: str | None) -> None:
    known = {script.revision for script in ScriptDirectory.from_config(_alembic()).walk_revisions()}
    if found is not None and found not in known:
        raise WrongVersionError(
            f"the store is of version {found}, which this plaudit does not know: it was written by a newer one, install that"
        )


def _alembic() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config
