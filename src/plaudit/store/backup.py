"""A store in a folder: the same whatever database it came from, verified before it counts, and restored into either kind."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError
from sqlalchemy import Connection, func, insert, select, text
from sqlalchemy import Table as FromTable
from sqlalchemy.orm import Session

from plaudit.schemas.conversation import Frozen
from plaudit.store.audit import faults
from plaudit.store.database import Database
from plaudit.store.engine import WRITES, file_of
from plaudit.store.erasure import Erased, Erasure
from plaudit.store.errors import StoreError
from plaudit.store.opening import Store, newest_version, open_store
from plaudit.store.tables import EventRow, PersonRow, Table

FILE, KEYS, MANIFEST = "store.db", "keys", "backup.json"
_CHUNK = 2000


class Backup(Frozen):
    """`backup.json`: what a backup holds, and the hash of the database file. `head`: the last event's hash."""

    format_version: int = 1
    version: str
    num_rows: dict[str, int]
    sha256: str
    head: str
    created_ms: int


@dataclass(frozen=True, slots=True)
class Restored:
    """What came back, and who was forgotten once more."""

    backup: Backup
    erased: tuple[Erased, ...]


def back_up(store: Store, folder: Path) -> Backup:
    """Writes the store into a new folder and reads it back; the folder appears complete or not at all.

    Others go on working: what they write meanwhile is not in it. Raises StoreError for a folder that is there, and for a
    store whose audit fails.
    """
    if folder.exists():
        raise StoreError(f"{folder} is there already: name a new folder for the backup")
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        copy = open_store(f"sqlite:///{partial / FILE}", keys=partial / KEYS)
        with closing(copy):
            with store.database.read() as session:
                copied(session, copy.database)
            _copy_keys(store.database, copy.database)
            check(copy, "the backup")
        backup = describe(partial, store.database.now_ms())
        partial.rename(folder)
        return backup
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def restore(
    folder: Path, url: str, *, keys: Path | str | None = None, erased: Mapping[str, int] | None = None
) -> Restored:
    """Puts a backup into an empty database, and erases again everybody whom `erased` names or whose key was destroyed here.

    Raises StoreError for a backup that is damaged, or a database that holds something.
    """
    backup = read_backup(folder)
    target = open_store(url, keys=keys)
    with closing(target):
        with target.database.read() as session:
            if session.scalar(select(func.count()).select_from(EventRow)):
                raise StoreError(f"{url} holds a store already: restore into an empty database")
        # The backup may lie where nothing can be written, which SQLite wants to even in order to read.
        with tempfile.TemporaryDirectory() as scratch:
            shutil.copy2(folder / FILE, scratch)
            copy = f"sqlite:///{scratch}/{FILE}"
            with closing(open_store(copy, keys=folder / KEYS, create=False, check_keys=False)) as source:
                check(source, "the backup")
                with source.database.read() as session:
                    num_rows = copied(session, target.database)
                _copy_keys(source.database, target.database)
        if num_rows != backup.num_rows:
            raise StoreError(f"{folder} does not hold the rows that it promises: {num_rows}, {backup.num_rows}")
        check(target, "the restored store")
        gone = {*(erased or {}), *target.database.vault.erased()}
        return Restored(backup, tuple(Erasure(target.database).replay(sorted(gone))))


def read_backup(folder: Path) -> Backup:
    """What the folder holds, checked against its hash. Raises StoreError."""
    try:
        backup = Backup.model_validate_json((folder / MANIFEST).read_bytes())
    except (OSError, ValidationError) as error:
        raise StoreError(f"{folder} is no backup of a store: it has no readable {MANIFEST}") from error
    path = folder / FILE
    if not path.is_file() or _sha256(path) != backup.sha256:
        raise StoreError(f"{path} is not the file that was backed up: take another backup")
    return backup


def describe(folder: Path, now_ms: int) -> Backup:
    """Writes down what the database in a backup's folder holds."""
    copy = open_store(f"sqlite:///{folder / FILE}", keys=folder / KEYS, create=False)
    with closing(copy), copy.database.read() as session:
        head = session.scalar(select(EventRow.hash).order_by(EventRow.seq.desc()).limit(1)) or ""
        num_rows = {
            table.name: session.scalar(select(func.count()).select_from(table)) or 0
            for table in Table.metadata.sorted_tables
        }
    backup = Backup(
        version=newest_version(), num_rows=num_rows, sha256=_sha256(folder / FILE), head=head, created_ms=now_ms
    )
    (folder / MANIFEST).write_text(json.dumps(backup.model_dump(), indent=2) + "\n", encoding="utf-8")
    return backup


def check(store: Store, what: str) -> None:
    """Raises StoreError with the first things that are wrong with a store: its audit, its keys, its file."""
    with store.database.read() as session:
        if file_of(store.database.engine.url) is not None:
            state = session.scalar(text("PRAGMA integrity_check"))
            if state != "ok":
                raise StoreError(f"{what} is damaged: {state}")
        people = list(session.scalars(select(PersonRow.id)))
        found = [f"the key of {name} is missing" for name in people if not store.database.vault.has(name)]
        found += list(faults(session))
    if found:
        more = f", and {len(found) - 3} more faults" if len(found) > 3 else ""
        raise StoreError(f"{what} cannot be trusted: {'; '.join(found[:3])}{more}")


def copied(session: Session, target: Database) -> dict[str, int]:
    """Copies every row of every table into an empty database; the number of rows by table."""
    num_rows = {}
    with target.engine.execution_options(**{WRITES: True}).connect() as connection, connection.begin():
        for table in Table.metadata.sorted_tables:
            num_rows[table.name] = _copied_table(session, connection, table)
    return num_rows


def _copied_table(session: Session, connection: Connection, table: FromTable) -> int:
    query = select(table).order_by(*table.primary_key.columns).execution_options(yield_per=_CHUNK)
    num = 0
    with closing(session.execute(query)) as rows:
        for chunk in rows.partitions():
            connection.execute(insert(table), [dict(row._mapping) for row in chunk])
            num += len(chunk)
    return num


def _copy_keys(source: Database, target: Database) -> None:
    target.vault.folder.mkdir(parents=True, exist_ok=True)
    for path in source.vault.folder.glob("*.key"):
        shutil.copy2(path, target.vault.folder / path.name)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
