"""Alpaca's columns, and OpenAssistant's Chinese part in them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from plaudit.formats import alpaca, open_records
from plaudit.schemas.conversation import Message, Role, assistant, user
from plaudit.schemas.errors import PlauditError, RowError
from plaudit.schemas.feedback import Comparison, Demonstration, Document, Ranking, Rating, Verdict

Written = Callable[..., Path]


def test_demonstrations(golden: Path) -> None:
    first, second = alpaca.read(golden / "alpaca.jsonl")
    assert isinstance(first, Demonstration)
    assert isinstance(second, Demonstration)
    assert (first.prompt, first.completion) == ((user("Put into the plural.\nmouse"),), (assistant("mice"),))
    assert first.extra == {"input": "mouse", "tag": "grammar"}
    assert second.prompt == (
        Message(role=Role.SYSTEM, content="用中文回答"),
        user("你好"),
        assistant("你好！"),
        user("说一个字"),
        assistant("风"),
        user("再来一次"),
    )
    assert second.extra == {}


def test_a_list_is_a_ranking_best_first(golden: Path) -> None:
    (record,) = alpaca.read(golden / "alpaca-list.jsonl")
    assert isinstance(record, Ranking)
    assert record.prompt == (user("说一句话"),)
    assert record.ranks == (0, 1, 2)
    assert [completion[0].text for completion in record.completions] == ["今天天气很好。", "好。", "不。"]


def test_what_was_read_is_written_back(golden: Path, tmp_path: Path) -> None:
    records = list(alpaca.read(golden / "alpaca.jsonl"))
    assert not alpaca.write(records, tmp_path / "out.jsonl")
    assert list(alpaca.read(tmp_path / "out.jsonl")) == records
    for path in (tmp_path / "out.jsonl",):
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        assert [(row["instruction"], row["input"]) for row in rows] == [
            ("Put into the plural.", "mouse"),
            ("再来一次", ""),
        ]


def test_preferences_and_tags(golden: Path, tmp_path: Path) -> None:
    first, second = open_records(golden / "alpaca-preference.jsonl").of(Comparison)
    assert (first.prompt, first.extra) == ((user("Name a river.\nin Europe"),), {"input": "in Europe", "topic": "maps"})
    assert (first.a, first.b, first.verdict) == ((assistant("The Loire."),), (assistant("The sea."),), Verdict.A)
    assert [message.text for message in second.prompt] == ["Be brief.", "Name a river.", "The Loire.", "And another?"]
    liked, disliked = open_records(golden / "alpaca-kto.jsonl").of(Rating)
    assert (liked.score, disliked.score, disliked.completion) == (1.0, 0.0, (assistant("The sea."),))
    for name in ("alpaca-preference", "alpaca-kto"):
        records = open_records(golden / f"{name}.jsonl")
        assert not alpaca.write(records, tmp_path / "out.jsonl")
        assert list(alpaca.read(tmp_path / "out.jsonl")) == list(records)
        rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
        for row, line in zip(rows, (golden / f"{name}.jsonl").read_text().splitlines(), strict=True):
            assert row.items() >= json.loads(line).items()


def demonstration(*messages: Message) -> Demonstration:
    return Demonstration(id="d", source="s", prompt=messages[:-1], completion=messages[-1:])


@pytest.mark.parametrize(
    ("messages", "reason"),
    [
        ([user("a"), user("b"), assistant("c")], "a prompt that does not end"),
        ([assistant("a"), user("b"), user("c"), assistant("d")], "a message of the assistant, or pictures"),
        ([assistant("c")], "a prompt that does not end"),
        (
            [user("a"), Message(role=Role.TOOL, content="t"), user("b"), assistant("c")],
            "a message of the tool, or pictures",
        ),
    ],
)
def test_conversations_out_of_turn_are_left_out(tmp_path: Path, messages: list[Message], reason: str) -> None:
    fine = demonstration(user("q"), assistant("a"))
    losses = alpaca.write([fine, demonstration(*messages)], tmp_path / "out.jsonl")
    ((found, count),) = losses.records.items()
    assert found.startswith(reason)
    assert count == 1


def test_an_input_that_no_longer_ends_the_instruction_is_lost(tmp_path: Path) -> None:
    changed = demonstration(user("Another question"), assistant("a")).model_copy(update={"extra": {"input": "mouse"}})
    losses = alpaca.write([changed], tmp_path / "out.jsonl")
    assert losses.fields == {"extra.input": 1}
    with pytest.raises(PlauditError, match="alpaca cannot carry a Document"):
        alpaca.write([Document(text="a")], tmp_path / "out.jsonl")


@pytest.mark.parametrize(
    ("row", "field", "expected"),
    [
        ({"instruction": "i", "output": 3}, "output", "text or a list of texts"),
        ({"instruction": "i", "output": ["a", None]}, "output", "text or a list of texts"),
        ({"instruction": "i", "output": ["a"]}, "completions", "Tuple should have at least 2 items"),
        ({"instruction": None, "output": "a"}, "instruction", "text"),
        ({"instruction": "i", "output": "a", "input": 3}, "input", "text"),
        ({"instruction": "i", "chosen": "a", "rejected": None}, "rejected", "text"),
        ({"instruction": "i", "rejected": "a"}, "chosen", "text"),
        ({"instruction": "i", "output": "a", "kto_tag": "yes"}, "kto_tag", "true or false"),
        ({"instruction": "i", "kto_tag": True}, "output", "text"),
        ({"instruction": "i", "output": "a", "history": [["q"]]}, "history[0]", "a pair of texts"),
        ({"instruction": "i", "output": "a", "history": "q"}, "history", "a list"),
        ({"instruction": "i", "output": "a", "system": ["s"]}, "system", "text"),
    ],
)
def test_malformed_rows(written: Written, row: object, field: str, expected: str) -> None:
    with pytest.raises(RowError) as caught:
        open_records(written(row), shape="alpaca")
    assert (caught.value.line, caught.value.field) == (1, field)
    assert caught.value.expected.startswith(expected)


def test_the_chinese_sets(real_data: Path, tmp_path: Path) -> None:
    folder = real_data / "oasst1-zh"
    rankings = open_records(folder / "oaast_rm_zh.jsonl")
    assert len(rankings.of(Ranking)) == len(rankings) == 600
    demonstrations = open_records(folder / "oaast_sft_zh.jsonl")
    assert len(demonstrations.of(Demonstration)) == len(demonstrations) == 766
    assert not alpaca.write(demonstrations, tmp_path / "out.jsonl")
    keys = ("instruction", "input", "output", "history")
    published, again = (
        [[json.loads(line)[key] for key in keys] for line in path.read_text(encoding="utf-8").split("\n") if line]
        for path in (folder / "oaast_sft_zh.jsonl", tmp_path / "out.jsonl")
    )
    assert again == published
