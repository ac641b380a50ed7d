"""Whoever is erased is in no table, no file and no log, and everything else is as it was."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import select, text

from plaudit.schemas.conversation import assistant, user
from plaudit.schemas.feedback import Comparison, Verdict
from plaudit.schemas.judgement import ItemKind
from plaudit.schemas.tasks import Task
from plaudit.store import Origin, Query, Store
from plaudit.store.audit import faults
from plaudit.store.backup import check
from plaudit.store.erasure import Erasure
from plaudit.store.errors import UnknownRowError
from plaudit.store.tables import PersonRow, Table
from tests.store.conftest import Panel

CANARY = "kanarienvogel-7731"


def dump(store: Store) -> str:
    """All that stands in the tables."""
    with store.database.read() as session:
        return "\n".join(
            str(session.execute(select(table).order_by(*table.primary_key.columns)).all())
            for table in Table.metadata.sorted_tables
        )


def busy(panel: Panel) -> str:
    """A person who says, writes, asks and drafts, each time with a canary; others who talk about that. The person's id."""
    store, person = panel.store, panel.person(f"pseudonym {CANARY}")
    store.people.consent(person, granted=True, basis="form 3")
    store.people.known_as("elsewhere", [CANARY])
    panel.item("common")
    panel.submit(panel.task(person), verdict="a", critique=f"I am {CANARY}")
    panel.submit(panel.task(0), verdict="b", critique="fine")
    prompt = store.items.add_prompt(panel.project, (user(f"My name is {CANARY}"),), owner_id=person)
    answers = [store.items.add_answer(prompt, (assistant(f"Hello {CANARY} {i}"),), Origin(model="m")) for i in range(2)]
    store.items.add(prompt, answers, ItemKind.COMPARISON)
    asked = store.items.add_prompt(panel.project, (user("Write."),))
    written = store.items.add_answer(asked, (assistant(f"By {CANARY}"),), Origin(author_id=person))
    drawn = store.items.add_answer(asked, (assistant("By a model"),), Origin(model="m"))
    store.items.add(asked, [written, drawn], ItemKind.COMPARISON)
    for _ in range(2):
        panel.submit(panel.task(0), verdict="a", critique=f"{CANARY} is right")
    panel.item("drafted")
    while (task := store.tasks.next(panel.project, person)) and isinstance(task, Task):
        if "drafted" in task.prompt[0].text:
            store.tasks.save_draft(task.assignment_id, task.lease_token, f"half {CANARY}")
            break
        store.tasks.skip(task.assignment_id, task.lease_token, f"no {CANARY}")
    return person


def test_the_canary_was_never_in_the_clear(panel: Panel) -> None:
    """Only the pseudonym, which the person chose."""
    busy(panel)
    assert dump(panel.store).count(CANARY) == 1


def test_nothing_of_the_person_is_left(panel: Panel, tmp_path: Path) -> None:
    store = panel.store
    person = busy(panel)
    with store.database.read() as session:
        row = session.get_one(PersonRow, person)
        names = (row.audit_name, row.pseudonym)
    previewed = Erasure(store.database).preview(person)
    erased = Erasure(store.database).erase(person)
    assert erased.num_rows == previewed
    assert previewed == {"prompt": 1, "generation": 3, "item": 2, "assignment": 3 + 2, "judgement": 3}
    left = dump(store)
    assert CANARY not in left
    assert names[1] not in left
    # The ledger and the log know the id of somebody of whom there is nothing else.
    with store.database.read() as session:
        tables = {
            name for name, table in Table.metadata.tables.items() if person in str(session.execute(select(table)).all())
        }
    assert tables == {"erasure", "event"}
    assert not store.database.vault.has(person)
    for path in tmp_path.rglob("*"):
        if path.is_file() and "postgres" not in str(path):
            assert CANARY.encode() not in path.read_bytes(), path
    check(store, "the store")
    with pytest.raises(UnknownRowError):
        Erasure(store.database).erase(person)


def test_everything_else_is_as_it_was(panel: Panel) -> None:
    store = panel.store
    person = busy(panel)
    Erasure(store.database).erase(person)
    query = Query(project_id=panel.project, purpose=None)
    (record,) = store.records.read(query)
    assert isinstance(record, Comparison)
    assert record.prompt[0].text == "Question common?"
    with store.database.read() as session:
        assert list(faults(session)) == []
        free = dict(
            session.execute(
                text("SELECT prompt.messages, item.num_free FROM item JOIN prompt ON prompt.id = item.prompt_id")
            ).all()
        )
    # Three judgements were wanted of each: one of the common item stands, none of the other.
    assert sorted(free.values()) == [2, 3]


def test_an_imported_batch_keeps_its_log(panel: Panel) -> None:
    store = panel.store
    records = [
        Comparison(
            id=str(number),
            annotator="ab"[number % 2],
            prompt=(user(f"Q{number}"),),
            a=(assistant("x"),),
            b=(assistant("y"),),
            verdict=Verdict.A,
        )
        for number in range(6)
    ]
    store.imports.add(panel.project, records, source="f")
    person = store.people.known_as("f", ["a"])["a"]
    erased = Erasure(store.database).erase(person)
    assert erased.record_ids == {"0", "2", "4"}
    assert [r.id for r in store.records.read(Query(project_id=panel.project, purpose=None))] == ["1", "3", "5"]
    with store.database.read() as session:
        assert list(faults(session)) == []
    # Who comes again under the same name is somebody new.
    assert store.people.known_as("f", ["a"])["a"] != person


def test_an_earlier_erasure_is_known_by_its_receipt(panel: Panel) -> None:
    """What stands before and after; nothing is erased twice."""
    person, erasure = busy(panel), Erasure(panel.store.database)
    pseudonym = f"pseudonym {CANARY}"
    standing = erasure.standing(panel.project)
    assert sorted(name for name, _ in standing) == ["person 0", "person 0", "person 0", pseudonym]
    assert erasure.projects(person) == (panel.project,)
    with pytest.raises(UnknownRowError):
        erasure.resumed(person)
    erased = erasure.erase(person)
    (left,) = erasure.standing(panel.project)
    assert left in standing
    assert left[0] == "person 0"
    assert erasure.receipts() == {erased.receipt_id: person}
    again = erasure.resumed(person)
    assert (again.receipt_id, again.num_rows, again.project_ids) == (
        erased.receipt_id,
        {"judgement": 3},
        (panel.project,),
    )
    assert again.record_ids == {row for _, row in standing} - {left[1]}
    with pytest.raises(UnknownRowError):
        erasure.projects(person)


def test_erased_people_are_erased_from_what_comes_back(panel: Panel) -> None:
    person = busy(panel)
    erasure = Erasure(panel.store.database)
    assert erasure.replay([person, "nobody"])[0].person_id == person
    assert list(erasure.ledger()) == [person]
    assert erasure.replay(erasure.ledger()) == []
