"""People say what nobody else says, workers are killed, one person is erased: the words are in no file, the rest is as it was.

On either database. A minute, so `make prove` runs it.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from plaudit.cli.main import main
from plaudit.formats import open_records
from plaudit.formats.snapshot import read as read_snapshot
from plaudit.quality.forgetting import forget
from plaudit.quality.from_store import snapshot_of
from plaudit.quality.snapshots import make_snapshot
from plaudit.store import Query, open_store
from plaudit.store.backup import back_up, check
from tests.cli.conftest import FAST
from tests.store.conftest import address, new_address, postgres, same_draws  # noqa: F401 (fixtures)
from tests.store.race import raced
from tests.store.worker import canary_of

pytestmark = pytest.mark.prove


def files_with(words: bytes, *folders: Path) -> list[str]:
    """Every file below the folders in which the words stand."""
    files = (path for folder in folders for path in folder.rglob("*") if path.is_file())
    return [str(path) for path in files if words in path.read_bytes()]


def test_the_words_of_the_erased_are_nowhere(
    address: str,  # noqa: F811
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    store = open_store(address, keys=tmp_path / "keys")
    outcome = raced(store, address, tmp_path / "keys", tmp_path, num_people=12, num_items=40, num_workers=4)
    assert outcome.num_killed >= 2
    people, query = outcome.panel.people, Query(project_id=outcome.panel.project)
    for person in people:
        store.people.consent(person, granted=True, basis="terms")
    erased, other = people[3], people[4]
    name = store.people.pseudonyms([erased])[erased]
    snapshot = tmp_path / "snapshot"
    snapshot_of(store, query, snapshot)
    back_up(store, tmp_path / "backup")
    reward = ("reward", "--data", str(snapshot), "--model", "tiny", "--out", str(tmp_path / "run"), *FAST)
    assert main([*reward, "--normalise-on", "none"]) == 0
    whole = [tmp_path, *(path for path in tmp_path_factory.getbasetemp().glob("postgres*"))]
    # The words are in the snapshot, which is there to be read, and in nothing else.
    for person in (erased, other):
        found = files_with(canary_of(person).encode(), *whole)
        assert found
        assert all(path.startswith(str(snapshot)) for path in found), found
    before = list(read_snapshot(snapshot))

    receipt = forget(store, erased, read=read_snapshot, backups=[tmp_path / "backup"], runs=[tmp_path])

    assert files_with(canary_of(erased).encode(), *whole) == []
    assert files_with(name.encode(), snapshot.parent) == []
    assert files_with(canary_of(other).encode(), *whole)
    assert not store.database.vault.has(erased)
    check(store, "the store")
    # A snapshot made anew is the one that was rewritten, and is what there was of everybody else.
    (gone,) = receipt.snapshots
    others = [record for record in before if record.annotator != name]
    assert 0 < len(others) < len(before)
    expected = make_snapshot(others, tmp_path / "others")
    again = snapshot_of(store, query, tmp_path / "again")
    assert expected.id == again.snapshot.id == gone.new_id
    assert len(open_records(tmp_path / "again")) == len(others)
    (run,) = receipt.trained
    assert (run.folder, run.snapshot_id) == (str(tmp_path / "run"), gone.old_id)
    store.close()
