"""HH-RLHF dialogues, in and out."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from plaudit.formats import hh, open_records
from plaudit.schemas.conversation import Message, Role, assistant, user
from plaudit.schemas.errors import PlauditError, RowError
from plaudit.schemas.feedback import Comparison, Demonstration, Verdict

Written = Callable[..., Path]


def test_chosen_and_rejected(golden: Path) -> None:
    first, second = hh.read(golden / "hh.jsonl")
    assert first.prompt == (user("What do owls eat?"),)
    assert (first.a, first.b, first.verdict) == ((assistant("Mice, mostly."),), (assistant(""),), Verdict.A)
    assert second.prompt == (user("Hi"), assistant("Hello."), user("A word with x?"))
    assert (second.a, second.b) == ((assistant("Xylem. "),), (assistant("Let me think."), assistant("Box.")))
    assert second.extra == {"worker": 12}


def test_the_list_form_takes_its_verdict_from_the_scores(golden: Path) -> None:
    records = list(hh.read(golden / "hh-list.jsonl"))
    assert [record.verdict for record in records] == [Verdict.A, Verdict.B, Verdict.TIE]
    assert [record.a[0].text for record in records] == ["Left.", "Up.", "In."]
    assert [record.extra for record in records] == [{}, {}, {"score": [0.5, 0.5]}]


def test_what_was_read_is_written_back(golden: Path, tmp_path: Path) -> None:
    records = list(hh.read(golden / "hh.jsonl"))
    assert not hh.write(records, tmp_path / "out.jsonl")
    assert list(hh.read(tmp_path / "out.jsonl")) == records
    texts = [
        [(row["chosen"], row["rejected"]) for row in map(json.loads, path.read_text().splitlines())]
        for path in (golden / "hh.jsonl", tmp_path / "out.jsonl")
    ]
    assert texts[0] == texts[1]


def test_the_list_form_is_written_as_chosen_and_rejected(golden: Path, tmp_path: Path) -> None:
    losses = hh.write(hh.read(golden / "hh-list.jsonl"), tmp_path / "out.jsonl")
    assert losses.fields == {"verdict (b was chosen: which side an answer stood on)": 1}
    assert losses.records == {"verdict tie where the shape holds chosen and rejected": 1}
    assert [record.a[0].text for record in hh.read(tmp_path / "out.jsonl")] == ["Left.", "Down."]


def comparison(prompt: tuple[Message, ...], a: tuple[Message, ...], b: tuple[Message, ...]) -> Comparison:
    return Comparison(id="c", prompt=prompt, a=a, b=b, verdict=Verdict.A)


FINE = comparison((user("p"),), (assistant("x"),), (assistant("y"),))


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (
            comparison((Message(role=Role.SYSTEM, content="s"), user("p")), (assistant("x"),), (assistant("y"),)),
            "a message of the system, or pictures",
        ),
        (comparison((user("p"),), (assistant("x\n\nHuman: z\n\nAssistant: w"),), (assistant("y"),)), "dialogues that"),
        (
            comparison((user("p"),), (assistant("x"), assistant("y")), (assistant("x"), assistant("z"))),
            "dialogues that",
        ),
        (comparison((), (assistant("x"),), (assistant("y"),)), "dialogues that"),
        (comparison((user("p"),), (assistant(" x"),), (assistant("y"),)), ""),
    ],
)
def test_dialogues_that_marks_cannot_tell_apart_are_left_out(tmp_path: Path, record: Comparison, reason: str) -> None:
    losses = hh.write([FINE, record], tmp_path / "out.jsonl")
    if reason:
        ((found, count),) = losses.records.items()
        assert found.startswith(reason)
        assert count == 1
        assert len(list(hh.read(tmp_path / "out.jsonl"))) == 1
    else:
        assert not losses
        assert [(r.prompt, r.a, r.b) for r in hh.read(tmp_path / "out.jsonl")][1] == (record.prompt, record.a, record.b)


def test_a_margin_is_lost_and_other_kinds_refused(tmp_path: Path) -> None:
    losses = hh.write([FINE.model_copy(update={"margin": 1.0})], tmp_path / "out.jsonl")
    assert losses.fields == {"margin": 1}
    with pytest.raises(PlauditError, match="hh cannot carry a Demonstration, only Comparison"):
        hh.write([Demonstration(prompt=(user("p"),), completion=(assistant("x"),))], tmp_path / "out.jsonl")


@pytest.mark.parametrize(
    ("row", "field", "expected"),
    [
        ({"chosen": "Hi", "rejected": "\n\nHuman: Hi\n\nAssistant: a"}, "chosen", "a dialogue that starts with"),
        ({"chosen": "\n\nHuman: Hi\n\nAssistant: a"}, "rejected", "text"),
        (
            {"chosen": "\n\nHuman: Hi\n\nAssistant: a", "rejected": "\n\nHuman: Ho\n\nAssistant: a"},
            "rejected",
            "two dialogues that part at an assistant's turn",
        ),
        ({"chosen": "\n\nHuman: Hi", "rejected": "\n\nHuman: Hi"}, "rejected", "two dialogues that part"),
        (
            {"chosen": "\n\nHuman: Hi\n\nAssistant: a", "rejected": "\n\nHuman: Hi\n\nAssistant: b\n\nHuman: c"},
            "(row)",
            "b must end with an assistant message",
        ),
        ({"text": ["\n\nHuman: Hi\n\nAssistant: a"], "score": [1]}, "text", "two dialogues"),
        ({"text": ["\n\nHuman: Hi\n\nAssistant: a", 3], "score": [1, 0]}, "text[1]", "a dialogue that starts with"),
        ({"text": ["\n\nHuman: Hi\n\nAssistant: a"] * 2, "score": [1]}, "score", "two numbers"),
        ({"text": ["\n\nHuman: Hi\n\nAssistant: a"] * 2, "score": [True, 0]}, "score", "two numbers"),
    ],
)
def test_malformed_rows(written: Written, row: object, field: str, expected: str) -> None:
    with pytest.raises(RowError) as caught:
        open_records(written(row), shape="hh")
    assert (caught.value.line, caught.value.field) == (1, field)
    assert caught.value.expected.startswith(expected)


def test_the_harmless_pairs(real_data: Path, tmp_path: Path) -> None:
    path = real_data / "hh-harmless-base" / "pairs.jsonl"
    records = open_records(path).of(Comparison)
    assert len(records) == 1712
    assert {record.verdict for record in records} == {Verdict.A}
    # Counted apart from the reader: five pairs in which one answer runs over two turns.
    assert sum(len(record.a) + len(record.b) > 2 for record in records) == 5
    assert not hh.write(records, tmp_path / "out.jsonl")
    published = [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]
    again = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text(encoding="utf-8").split("\n") if line]
    assert [(row["chosen"], row["rejected"]) for row in again] == [
        (row["chosen"], row["rejected"]) for row in published
    ]


def test_the_helpful_pairs(real_data: Path) -> None:
    records = open_records(real_data / "hh-helpful-base" / "pairs.jsonl").of(Comparison)
    assert len(records) == 1752
    assert sum(len(record.a) + len(record.b) > 2 for record in records) == 7
    assert all(record.prompt[-1].role is Role.USER and not record.extra for record in records)
