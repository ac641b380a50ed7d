"""The log tells whatever was changed, added or taken out behind its back."""

from __future__ import annotations

import hashlib
import json

import pytest
from sqlalchemy import select, text

from plaudit.store import Store
from plaudit.store.audit import faults
from plaudit.store.tables import EventRow
from tests.store.conftest import Panel


def found_faults(store: Store) -> list[str]:
    with store.database.read() as session:
        return list(faults(session))


@pytest.fixture
def told(panel: Panel) -> list[str]:
    """Three judgements."""
    panel.item("q")
    return [panel.submit(panel.task(index), verdict="a", critique=f"so {index}") for index in range(3)]


def test_an_honest_store_has_no_faults(panel: Panel, told: list[str]) -> None:
    assert found_faults(panel.store) == []


@pytest.mark.parametrize(
    ("sabotage", "says"),
    [
        ('UPDATE judgement SET content = \'{"verdict": "tie"}\' WHERE id = :second', "judgement {second} was altered"),
        ("UPDATE judgement SET person_id = (SELECT MIN(person_id) FROM judgement) WHERE id = :second", "{second} was"),
        ("DELETE FROM judgement WHERE id = :second", "judgement {second} is gone and was not erased"),
        ("UPDATE event SET subject = 'x' WHERE subject = :second", "was altered, or one before it"),
        ("UPDATE event SET actor = '' WHERE subject = :second", "was altered, or one before it"),
        ("DELETE FROM event WHERE subject = :second", "is missing"),
        ("UPDATE event SET at_ms = at_ms + 1 WHERE seq = 0", "event 0 (create_project"),
    ],
)
def test_what_was_done_behind_its_back_is_found(panel: Panel, told: list[str], sabotage: str, says: str) -> None:
    with panel.store.database.write() as session:
        bound = text(sabotage)
        session.execute(bound, {"second": told[1]} if ":second" in sabotage else {})
    assert any(says.format(second=told[1]) in fault for fault in found_faults(panel.store))


def test_the_log_cannot_be_mended_at_one_place(panel: Panel, told: list[str]) -> None:
    """Whoever writes an event anew, its hash included, and tells the next one so, has broken the next one's hash."""
    with panel.store.database.write() as session:
        event = session.scalars(select(EventRow).where(EventRow.subject == told[0])).one()
        event.at_ms += 1
        parts = [event.seq, event.at_ms, event.actor, event.action, event.subject, event.digest, event.previous]
        text_of_it = json.dumps(parts, separators=(",", ":"), ensure_ascii=False)
        event.hash = hashlib.sha256(text_of_it.encode()).hexdigest()
        after = session.get_one(EventRow, event.seq + 1)
        after.previous = event.hash
        number = after.seq
    assert found_faults(panel.store)[0].startswith(f"event {number} (")


def test_a_judgement_put_in_past_the_log_is_found(panel: Panel, told: list[str]) -> None:
    with panel.store.database.write() as session:
        session.execute(
            text(
                "INSERT INTO judgement (id, project_id, item_id, person_id, client_key, content, weight, source, created_ms) "
                "SELECT 'forged', project_id, item_id, person_id, 'forged', content, weight, source, created_ms "
                "FROM judgement WHERE id = :first"
            ),
            {"first": told[0]},
        )
    assert found_faults(panel.store) == ["judgement forged is not in the audit log"]


def test_the_log_holds_no_words(panel: Panel, told: list[str]) -> None:
    with panel.store.database.read() as session:
        rows = session.execute(text("SELECT * FROM event")).all()
        sealed = session.execute(text("SELECT words FROM judgement")).scalars().all()
    assert "so 1" not in str(rows)
    assert "person 1" not in str(rows)
    assert "so 1" not in str(sealed)
