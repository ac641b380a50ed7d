"""A backup is the store, whatever database it came from; a damaged one is refused; a restored one forgets again."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text

from plaudit.store import Query, Store, open_store
from plaudit.store.audit import faults
from plaudit.store.backup import Backup, back_up, restore
from plaudit.store.erasure import Erasure
from plaudit.store.errors import StoreError
from tests.store.conftest import Panel
from tests.store.test_erasure import CANARY, busy, dump


@pytest.fixture
def backed_up(panel: Panel, tmp_path: Path) -> Backup:
    busy(panel)
    return back_up(panel.store, tmp_path / "backup")


@pytest.mark.parametrize("into", ["sqlite", "postgresql"])
def test_it_comes_back_whole_into_either_database(
    panel: Panel, backed_up: Backup, tmp_path: Path, into: str, new_address: Callable[[str], str]
) -> None:
    address = new_address(into)
    restored = restore(tmp_path / "backup", address, keys=tmp_path / "other keys")
    assert restored.backup == backed_up
    with closing(open_store(address, keys=tmp_path / "other keys")) as store:
        assert dump(store) == dump(panel.store)
        query = Query(project_id=panel.project, purpose=None)
        assert list(store.records.read(query)) == list(panel.store.records.read(query))
        assert any(CANARY in str(record.extra) for record in store.records.read(query))


def test_it_holds_one_moment(panel: Panel, backed_up: Backup, tmp_path: Path) -> None:
    panel.item("later")
    restore(tmp_path / "backup", f"sqlite:///{tmp_path / 'again.db'}")
    with closing(open_store(f"sqlite:///{tmp_path / 'again.db'}")) as store:
        assert "later" not in dump(store)
        assert "later" in dump(panel.store)


def test_whoever_was_erased_since_is_erased_again(panel: Panel, tmp_path: Path) -> None:
    person = busy(panel)
    back_up(panel.store, tmp_path / "backup")
    erasure = Erasure(panel.store.database)
    erasure.erase(person)
    address = f"sqlite:///{tmp_path / 'again.db'}"
    restored = restore(tmp_path / "backup", address, erased=erasure.ledger())
    assert [erased.person_id for erased in restored.erased] == [person]
    with closing(open_store(address)) as store:
        assert CANARY not in dump(store)
        assert not store.database.vault.has(person)
        with store.database.read() as session:
            assert list(faults(session)) == []
    for path in (tmp_path / "again.db", *tmp_path.glob("again.db.keys/*")):
        assert CANARY.encode() not in path.read_bytes()


def test_whoever_was_erased_is_erased_again_where_only_the_keys_are_left(panel: Panel, tmp_path: Path) -> None:
    """The database is lost, and with it its ledger; the folder of keys knows whose are gone."""
    person = busy(panel)
    back_up(panel.store, tmp_path / "backup")
    Erasure(panel.store.database).erase(person)
    restored = restore(tmp_path / "backup", f"sqlite:///{tmp_path / 'again.db'}", keys=tmp_path / "keys")
    assert [erased.person_id for erased in restored.erased] == [person]


@pytest.mark.parametrize(
    "damage", ["cut", "altered", "no keys", "no manifest", "rows taken out", "a refusal turned round"]
)
def test_a_damaged_backup_is_refused(
    panel: Panel, backed_up: Backup, tmp_path: Path, damage: str, new_address: Callable[[str], str]
) -> None:
    folder = tmp_path / "backup"
    database = folder / "store.db"
    match damage:
        case "cut":
            database.write_bytes(database.read_bytes()[:-4096])
        case "altered":
            raw = bytearray(database.read_bytes())
            raw[len(raw) // 2] ^= 1
            database.write_bytes(raw)
        case "no keys":
            shutil.rmtree(folder / "keys")
        case "no manifest":
            (folder / "backup.json").unlink()
        case "rows taken out":
            store = open_store(f"sqlite:///{database}", keys=folder / "keys")
            with closing(store), store.database.write() as session:
                session.execute(text("DELETE FROM consent"))
        case "a refusal turned round":
            store = open_store(f"sqlite:///{database}", keys=folder / "keys")
            with closing(store), store.database.write() as session:
                session.execute(text("UPDATE consent SET granted = NOT granted"))
    with pytest.raises(StoreError, match=r"backup|cannot be trusted"):
        restore(folder, new_address("sqlite"), keys=tmp_path / "new keys")


def test_a_restore_that_is_refused_can_be_made_again(
    panel: Panel, backed_up: Backup, tmp_path: Path, new_address: Callable[[str], str]
) -> None:
    """The database is still empty: what is wrong with the backup shows before anything is copied."""
    target, key = new_address("sqlite"), tmp_path / "backup" / "keys" / f"{panel.people[0]}.key"
    aside = key.rename(tmp_path / key.name)
    with pytest.raises(StoreError, match="the backup cannot be trusted: the key of"):
        restore(tmp_path / "backup", target, keys=tmp_path / "new keys")
    aside.rename(key)
    assert restore(tmp_path / "backup", target, keys=tmp_path / "new keys").backup == backed_up


def test_neither_overwrites_anything(panel: Panel, backed_up: Backup, tmp_path: Path, address: str) -> None:
    before = dump(panel.store)
    with pytest.raises(StoreError, match="is there already"):
        back_up(panel.store, tmp_path / "backup")
    with pytest.raises(StoreError, match="holds a store already"):
        restore(tmp_path / "backup", address, keys=tmp_path / "keys")
    assert dump(panel.store) == before


def test_a_store_that_was_tampered_with_is_not_backed_up_as_good(panel: Panel, tmp_path: Path) -> None:
    busy(panel)
    with panel.store.database.write() as session:
        session.execute(text("UPDATE event SET actor = 'x' WHERE seq = 3"))
    with pytest.raises(StoreError, match="cannot be trusted: event 3"):
        back_up(panel.store, tmp_path / "backup")
    assert not any(path.name.startswith((".backup", "backup")) for path in tmp_path.iterdir())
    assert isinstance(panel.store, Store)
