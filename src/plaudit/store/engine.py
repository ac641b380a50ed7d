"""A database that can be relied on: opened, checked for its version, and its faults said in words."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError, InterfaceError, OperationalError
from sqlalchemy.orm import Session

from plaudit.store.errors import StoreError, UnavailableError

DEFAULT_URL = "sqlite:///plaudit.db"
_WAIT_S = 60
WRITES = "plaudit_writes"
_TURN = 0x706C6175  # "plau"


def parsed_url(address: str) -> URL:
    """The address of a store: `sqlite:///FILE` or `postgresql://...`. Raises StoreError for any other."""
    try:
        url = make_url(address)
    except ArgumentError as error:
        raise StoreError(
            f"{address!r} is no address of a store: write sqlite:///FILE or postgresql://HOST/NAME"
        ) from error
    match url.get_backend_name():
        case "sqlite":
            if not url.database or url.database == ":memory:":
                raise StoreError("a store in memory would lose people's answers: name a file, sqlite:///FILE")
            return url.set(drivername="sqlite+pysqlite")
        case "postgresql":
            return url.set(drivername="postgresql+psycopg")
    raise StoreError(f"{url.get_backend_name()!r} is not supported: use sqlite:///FILE or postgresql://HOST/NAME")


def file_of(url: URL) -> Path | None:
    """The file of an SQLite store."""
    return Path(str(url.database)) if url.get_backend_name() == "sqlite" else None


def make_engine(url: URL) -> Engine:
    """The engine. Nothing is read or written yet."""
    if file_of(url) is None:
        return create_engine(url, pool_size=8, max_overflow=24, pool_pre_ping=True)
    engine = create_engine(url, connect_args={"timeout": _WAIT_S}, pool_size=8, max_overflow=24, pool_timeout=_WAIT_S)
    event.listen(engine, "connect", _prepared)
    event.listen(engine, "begin", _begun)
    return engine


def _prepared(connection: sqlite3.Connection, _: object) -> None:
    connection.isolation_level = None  # Transactions begin where we say so.
    cursor = connection.cursor()
    for pragma in (
        "journal_mode=WAL",
        # A judgement that was acknowledged survives a loss of power.
        "synchronous=FULL",
        "foreign_keys=ON",
        # What is deleted is overwritten, in free pages too.
        "secure_delete=ON",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begun(connection: Connection) -> None:
    """A writer takes the lock at once: whoever reads first and then writes could find that others wrote meanwhile."""
    writes = connection.get_execution_options().get(WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


@contextmanager
def reading(engine: Engine) -> Iterator[Session]:
    """A session that sees one state of the database throughout and changes nothing."""
    options = {"isolation_level": "REPEATABLE READ"} if engine.dialect.name == "postgresql" else {}
    with faults_explained(engine), Session(engine.execution_options(**options)) as session:
        yield session


@contextmanager
def writing(engine: Engine) -> Iterator[Session]:
    """A session whose work is on disk when the block has ended, and was never begun where it raised."""
    with faults_explained(engine), Session(engine.execution_options(**{WRITES: True})) as session, session.begin():
        yield session


@contextmanager
def without_foreign_keys(engine: Engine) -> Iterator[Connection]:
    """A connection for writing on which SQLite leaves references unchecked: it replaces a table by dropping it."""
    with engine.execution_options(**{WRITES: True}).connect() as connection:
        raw = connection.connection.dbapi_connection
        on_sqlite = raw if isinstance(raw, sqlite3.Connection) else None
        if on_sqlite is not None:
            on_sqlite.execute("PRAGMA foreign_keys=OFF")
        try:
            yield connection
        finally:
            if on_sqlite is not None:
                on_sqlite.execute("PRAGMA foreign_keys=ON")


def refuse_broken_references(connection: Connection) -> None:
    """Raises StoreError where a row points to one that is not there; PostgreSQL lets none come about."""
    if connection.dialect.name == "sqlite" and (broken := connection.execute(text("PRAGMA foreign_key_check")).first()):
        raise StoreError(f"a row of the table {broken[0]} would point to one of {broken[2]} that is not there")


def take_turn(connection: Connection) -> None:
    """Waits until this transaction is the only one that has taken its turn; on SQLite every writer is alone anyhow."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _TURN})


@contextmanager
def faults_explained(engine: Engine) -> Iterator[None]:
    """Turns what a database may suffer into an UnavailableError that says what to do; other errors pass."""
    try:
        yield
    except DBAPIError as error:
        what = str(error.orig).strip()
        advice = next((advice for words, advice in _ADVICE.items() if words in what), None)
        if advice is None and isinstance(error, OperationalError | InterfaceError):
            advice = "is the server running, and are name and password right? What was not acknowledged was not written"
        if advice is None:
            raise
        raise UnavailableError(f"the store {engine.url.render_as_string()}: {what}: {advice}") from error


_NOT_WRITTEN = "what was not acknowledged was not written"
_ADVICE = {
    "readonly database": f"the file or its folder may not be written to; {_NOT_WRITTEN}",
    "read-only transaction": f"the server is read-only; {_NOT_WRITTEN}",
    "is full": f"free some space; {_NOT_WRITTEN}",
    "No space left": f"free some space; {_NOT_WRITTEN}",
    "is locked": f"another program has held it for {_WAIT_S} s: end it, or use PostgreSQL for many writers",
    "unable to open": "the file or its folder is missing, or may not be read or written",
    "not a database": "the file is something else, or damaged: name another, or restore a backup",
    "malformed": "the file is damaged: restore a backup with `plaudit store restore`",
    "disk I/O error": f"the disk fails or is full; {_NOT_WRITTEN}",
}
