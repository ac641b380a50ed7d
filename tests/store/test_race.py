"""Forty people in four processes that are killed. The proof has two hundred (tests/proofs/test_store.py)."""

from __future__ import annotations

from pathlib import Path

from plaudit.store import open_store
from tests.store.race import raced


def test_no_judgement_is_lost_or_doubled_or_one_too_many(address: str, tmp_path: Path) -> None:
    store = open_store(address, keys=tmp_path / "keys")
    outcome = raced(store, address, tmp_path / "keys", tmp_path, num_people=40, num_items=50, num_workers=4)
    store.close()
    assert outcome.num_stored == 150
    assert outcome.num_killed >= 2
    # A kill may fall between the store's word and the line that notes it, once for each thread of the process.
    assert 150 - 10 * outcome.num_killed <= outcome.num_acknowledged <= 150
