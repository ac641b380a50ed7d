"""ShareGPT's turns as LLaMA-Factory has them, in and out."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from plaudit.formats import open_records, sharegpt, write_records
from plaudit.schemas.conversation import Message, Messages, Role, TextPart, assistant, user
from plaudit.schemas.errors import PlauditError, RowError
from plaudit.schemas.feedback import Comparison, Demonstration, Document, Ranking, Rating, Verdict

Written = Callable[..., Path]


def system(text: str) -> Message:
    return Message(role=Role.SYSTEM, content=text)


def test_demonstrations(golden: Path) -> None:
    first, second = open_records(golden / "sharegpt.jsonl").of(Demonstration)
    assert first.prompt == (system("You watch the harbour."), user("Is the ferry late?"))
    assert first.completion == (
        assistant('{"name": "ferry"}'),
        Message(role=Role.TOOL, content='{"late": 10}'),
        assistant("By ten minutes."),
    )
    assert (first.id, first.extra) == (
        "ferry-1",
        {
            "tools": '[{"name": "ferry"}]',
            "conversations[1].from": "function_call",
            "conversations[3].weight": 0.5,
        },
    )
    assert second.prompt == (system("Antworte kurz."), user("Hallo"))
    assert second.completion == (assistant("Hallo!"), user("Tschüss"), assistant("Bis bald."))


def test_a_preference_and_a_tag(golden: Path) -> None:
    (pair,) = open_records(golden / "sharegpt-preference.jsonl").of(Comparison)
    assert (pair.prompt, pair.verdict) == ((user("Is the ferry late?"),), Verdict.A)
    assert (pair.a, pair.b) == ((assistant("Ten minutes late."),), (assistant("I am a ferry."),))
    assert pair.extra == {"chosen.model": "m1"}
    (rating,) = open_records(golden / "sharegpt-kto.jsonl").of(Rating)
    assert rating.prompt == (user("Hi"), assistant("Hello."), user("Is the ferry late?"))
    assert (rating.completion, rating.score) == ((assistant("Who knows."),), 0.0)


@pytest.mark.parametrize("name", ["sharegpt", "sharegpt-preference", "sharegpt-kto"])
def test_the_same_rows_come_back(golden: Path, tmp_path: Path, name: str) -> None:
    path, out = golden / f"{name}.jsonl", tmp_path / f"{name}.jsonl"
    records = open_records(path)
    assert not write_records(records, out, "sharegpt")
    assert list(sharegpt.read(out)) == list(records)
    before, after = ([json.loads(line) for line in file.read_text().splitlines()] for file in (path, out))
    added = {"id", "source"}
    assert [{key: row[key] for key in row.keys() - added} for row in after] == [
        {key: row[key] for key in row.keys() - added} for row in before
    ]


def test_the_pairs_of_a_ranking_and_what_is_lost(tmp_path: Path) -> None:
    answers = tuple((assistant(text),) for text in "xyz")
    ranking = Ranking(id="r", prompt=(user("p"),), completions=answers, ranks=(1, 0, 1))
    losses = write_records([ranking], tmp_path / "out.jsonl", "sharegpt")
    assert losses.fields == {"ranks (ties)": 1}
    found = open_records(tmp_path / "out.jsonl").of(Comparison)
    assert [(pair.a[0].text, pair.b[0].text) for pair in found] == [("y", "x"), ("y", "z")]
    pair = Comparison(prompt=(), a=answers[0], b=answers[1], verdict=Verdict.B, margin=1, strength=2)
    lost = {"margin": 1, "strength": 1, "verdict (b was chosen: which side an answer stood on)": 1}
    assert write_records([pair], tmp_path / "out.jsonl", "sharegpt").fields == lost
    rating = Rating(prompt=(user("p"),), completion=answers[0], score=4, minimum=1, maximum=5)
    losses = write_records([rating], tmp_path / "out.jsonl", "sharegpt")
    assert losses.fields == {"score (kept: above the middle of its range or not)": 1}
    assert json.loads((tmp_path / "out.jsonl").read_text())["kto_tag"] is True


@pytest.mark.parametrize(
    ("prompt", "a", "reason"),
    [
        ((Message(role=Role.USER, content=(TextPart(text="p"),)),), (assistant("x"),), "pictures where the shape"),
        ((user("p"),), (assistant("x"), user("q"), assistant("y")), "an answer of several messages"),
    ],
)
def test_what_is_no_text_of_one_turn_is_left_out(tmp_path: Path, prompt: Messages, a: Messages, reason: str) -> None:
    pair = Comparison(prompt=prompt, a=a, b=a, verdict=Verdict.A)
    with pytest.raises(PlauditError, match=f"left out 1 records: {reason}"):
        write_records([pair], tmp_path / "out.jsonl", "sharegpt")
    with pytest.raises(PlauditError, match="sharegpt cannot carry a Document"):
        write_records([Document(text="a")], tmp_path / "out.jsonl", "sharegpt")


HUMAN, GPT = {"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}
ROW = {"conversations": [HUMAN, GPT]}
PAIR = {"conversations": [HUMAN], "chosen": GPT, "rejected": GPT}


@pytest.mark.parametrize(
    ("row", "field", "expected"),
    [
        ({"conversations": "q"}, "conversations", "a list"),
        ({"conversations": ["q"]}, "conversations[0]", "a turn with from and value"),
        ({"conversations": [{"from": "cat", "value": "q"}]}, "conversations[0].from", "one of human, gpt, system"),
        ({"conversations": [{"value": "q"}]}, "conversations[0].from", "one of human, gpt, system"),
        ({"conversations": [HUMAN, {"from": "gpt"}]}, "conversations[1].value", "text"),
        ({"conversations": [HUMAN]}, "conversations", "a conversation that ends with an assistant message"),
        ({"conversations": []}, "conversations", "a conversation that ends with an assistant message"),
        (ROW | {"system": 3}, "system", "text"),
        (
            ROW | {"conversations": [{"from": "system", "value": "s"}, GPT], "system": "t"},
            "system",
            "one system message",
        ),
        (ROW | {"kto_tag": 1}, "kto_tag", "true or false"),
        ({"conversations": [HUMAN], "kto_tag": True}, "(row)", "completion must end with an assistant message"),
        (PAIR | {"chosen": "a"}, "chosen", "a turn with from and value"),
        (PAIR | {"rejected": HUMAN}, "(row)", "b must end with an assistant message"),
        ({"conversations": [HUMAN], "chosen": GPT}, "rejected", "an answer"),
    ],
)
def test_malformed_rows(written: Written, row: object, field: str, expected: str) -> None:
    with pytest.raises(RowError) as caught:
        open_records(written(ROW, row), shape="sharegpt")
    assert (caught.value.line, caught.value.field) == (2, field)
    assert caught.value.expected.startswith(expected)
