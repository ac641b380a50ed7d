"""OpenAI's chat and preference files, in and out."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from plaudit.formats import open_records, openai_chat
from plaudit.schemas.conversation import Message, Role, assistant, user
from plaudit.schemas.errors import PlauditError, RowError
from plaudit.schemas.feedback import Comparison, Demonstration, Ranking, Rating, Verdict

Written = Callable[..., Path]
USER, ANSWER = {"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}


def rows_of(path: Path) -> list[object]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_chat_begins_where_the_first_trained_answer_does(golden: Path) -> None:
    first, second = openai_chat.read(golden / "openai-chat.jsonl")
    assert isinstance(first, Demonstration)
    assert isinstance(second, Demonstration)
    clock = Message(role=Role.SYSTEM, content="You are a clock.")
    assert first.prompt == (clock, user("Time?"), assistant("Late."), user("Exactly?"))
    assert first.completion == (assistant("Ten past nine."),)
    assert first.extra == {"parallel_tool_calls": False}
    assert (second.prompt, second.completion) == ((user("Ping"),), (assistant("Pong"),))
    assert second.extra == {"messages[0].name": "Ada"}


def test_preference(golden: Path) -> None:
    (record,) = openai_chat.read(golden / "openai-preference.jsonl")
    assert isinstance(record, Comparison)
    assert record.prompt == (user("Greet me."),)
    assert (record.a, record.b, record.verdict) == ((assistant("Good morning!"),), (assistant("What."),), Verdict.A)
    assert record.extra == {"input": {"tools": [], "parallel_tool_calls": True}}


@pytest.mark.parametrize("name", ["openai-chat", "openai-preference"])
def test_the_same_rows_come_back_without_ids_and_sources(golden: Path, tmp_path: Path, name: str) -> None:
    source = golden / f"{name}.jsonl"
    records = list(openai_chat.read(source))
    losses = openai_chat.write(records, tmp_path / source.name)
    assert losses.fields == {"id": len(records), "source": len(records)}
    assert not losses.records
    assert rows_of(tmp_path / source.name) == rows_of(source)
    assert list(openai_chat.read(tmp_path / source.name)) == records


def test_what_the_closed_shape_cannot_carry_is_counted(tmp_path: Path) -> None:
    record = Demonstration(
        id="d", source="s", weight=2.0, annotator="p", extra={"topic": "x", "tools": []},
        prompt=(user("p"),), completion=(assistant("x"),),
    )  # fmt: skip
    losses = openai_chat.write([record], tmp_path / "out.jsonl")
    assert losses.fields == {"id": 1, "source": 1, "weight": 1, "annotator": 1, "extra.topic": 1}
    assert rows_of(tmp_path / "out.jsonl") == [
        {"messages": [{"role": "user", "content": "p"}, {"role": "assistant", "content": "x"}], "tools": []}
    ]


def test_answers_of_several_messages_are_left_out(tmp_path: Path) -> None:
    one = Comparison(prompt=(user("p"),), a=(assistant("x"),), b=(assistant("y"),), verdict=Verdict.B, margin=1.0)
    long = one.model_copy(update={"a": (assistant("x"), assistant("z"))})
    losses = openai_chat.write([one, long], tmp_path / "out.jsonl")
    assert losses.records == {"an answer of several messages where the shape holds one": 1}
    assert losses.fields == {"verdict (b was chosen: which side an answer stood on)": 1, "margin": 1}
    (row,) = rows_of(tmp_path / "out.jsonl")
    assert row == {
        "input": {"messages": [{"role": "user", "content": "p"}]},
        "preferred_output": [{"role": "assistant", "content": "y"}],
        "non_preferred_output": [{"role": "assistant", "content": "x"}],
    }


def test_a_ranking_is_written_as_its_pairs(tmp_path: Path) -> None:
    answers = tuple((assistant(text),) for text in "xyz")
    ranking = Ranking(prompt=(user("p"),), completions=answers, ranks=(2, 0, 1))
    openai_chat.write([ranking], tmp_path / "out.jsonl")
    found = [record for record in openai_chat.read(tmp_path / "out.jsonl") if isinstance(record, Comparison)]
    assert [(record.a[0].text, record.b[0].text) for record in found] == [("y", "x"), ("z", "x"), ("y", "z")]


def test_other_kinds_are_refused(tmp_path: Path) -> None:
    with pytest.raises(PlauditError, match="openai-chat cannot carry a Rating"):
        openai_chat.write([Rating(prompt=(), completion=(assistant("x"),), score=1)], tmp_path / "out.jsonl")


@pytest.mark.parametrize(
    ("row", "field", "expected"),
    [
        ({"messages": [USER]}, "messages", "an assistant message to train on"),
        ({"messages": [USER, ANSWER | {"weight": 0}]}, "messages", "an assistant message to train on"),
        ({"messages": [USER, ANSWER, USER, ANSWER | {"weight": 0}]}, "messages[3].weight", "1, as in the assistant"),
        ({"messages": [USER, ANSWER | {"weight": 0.5}]}, "messages[1].weight", "0 or 1"),
        ({"messages": [USER, ANSWER, USER]}, "(row)", "completion must end with an assistant message"),
        ({"messages": "q"}, "messages", "a list"),
        ({"messages": [USER, {"role": "assistant", "content": None, "tool_calls": []}]}, "messages[1].content", "text"),
        ({"input": [USER], "preferred_output": [ANSWER], "non_preferred_output": [ANSWER]}, "input", "an object with"),
        ({"input": {"messages": [USER]}, "preferred_output": [ANSWER]}, "non_preferred_output", "a list of messages"),
        (
            {"input": {"messages": [USER]}, "preferred_output": [USER], "non_preferred_output": [ANSWER]},
            "(row)",
            "a must end with an assistant message",
        ),
    ],
)
def test_malformed_rows(written: Written, row: object, field: str, expected: str) -> None:
    with pytest.raises(RowError) as caught:
        open_records(written({"messages": [USER, ANSWER]}, row), shape="openai-chat")
    assert (caught.value.line, caught.value.field) == (2, field)
    assert caught.value.expected.startswith(expected)
