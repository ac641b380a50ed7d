"""Two hundred people at once, their workers killed in the middle, on either database. Minutes, so `make prove` runs it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from plaudit.store import open_store
from tests.store.conftest import address, new_address, postgres  # noqa: F401 (fixtures)
from tests.store.race import raced

pytestmark = pytest.mark.prove
FIGURES = Path(__file__).parents[2] / "benchmarks" / "store" / "race.json"


def test_two_hundred_people_and_eight_kills(address: str, tmp_path: Path) -> None:  # noqa: F811
    store = open_store(address, keys=tmp_path / "keys")
    outcome = raced(store, address, tmp_path / "keys", tmp_path, num_people=200, num_items=400, num_workers=8)
    store.close()
    assert outcome.num_stored == 1200
    assert outcome.num_killed == 8
    # A kill may fall between the store's word and the line that notes it, once for each thread of the process.
    assert outcome.num_acknowledged >= 1200 - 25 * outcome.num_killed
    kind = "PostgreSQL" if "postgres" in address else "SQLite"
    found = json.loads(FIGURES.read_text(encoding="utf-8")) if FIGURES.exists() else {}
    found[kind] = {
        "people": 200,
        "items": 400,
        "killed_workers": outcome.num_killed,
        "acknowledged": outcome.num_acknowledged,
        "stored": outcome.num_stored,
        "seconds": round(outcome.seconds, 1),
    }
    FIGURES.write_text(json.dumps(found, indent=2, sort_keys=True) + "\n", encoding="utf-8")
