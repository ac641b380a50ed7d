"""Battles of the Chatbot Arena."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from plaudit.formats import arena, open_records, write_records
from plaudit.schemas.conversation import assistant, user
from plaudit.schemas.errors import PlauditError, RowError
from plaudit.schemas.feedback import Comparison, Document, Verdict

Written = Callable[..., Path]


def turns(*texts: str) -> list[dict[str, str]]:
    return [{"role": ("user", "assistant")[i % 2], "content": text} for i, text in enumerate(texts)]


BATTLE = {"conversation_a": turns("q", "x"), "conversation_b": turns("q", "y"), "winner": "model_a"}


def test_what_both_begin_with_is_the_prompt(golden: Path) -> None:
    one, two, three, four = arena.read(golden / "arena.jsonl")
    assert one.prompt == (user("Mend a sock?"),)
    assert (one.a, one.b) == ((assistant("Buy one."),), (assistant("Thread and a darning egg."),))
    assert two.prompt == (user("Hello"), assistant("Hello!"), user("A knot?"))
    assert (three.prompt, three.b) == ((user("一首诗"),), (assistant("风。"), user("更长"), assistant("风声。")))
    assert [record.verdict for record in (one, two, three, four)] == [
        Verdict.B,
        Verdict.BOTH_BAD,
        Verdict.TIE,
        Verdict.BOTH_BAD,
    ]


def test_judge_and_models_are_kept(golden: Path) -> None:
    one, two, _, four = arena.read(golden / "arena.jsonl")
    assert [one.annotator, two.annotator, four.annotator] == ["arena_user_1", "arena_user_2", None]
    assert one.extra == {
        "question_id": "q1",
        "model_a": "heron",
        "model_b": "stork",
        "turn": 1,
        "anony": True,
        "language": "English",
        "tstamp": 1700000000.5,
    }
    assert (four.extra["judge"], four.extra["winner"]) == (["judge-model", "pair"], "both_bad")


def test_the_same_rows_come_back(golden: Path, tmp_path: Path) -> None:
    records = open_records(golden / "arena.jsonl")
    for name in ("out.jsonl", "out.json.gz"):
        assert not write_records(records, tmp_path / name, "arena")
        assert list(open_records(tmp_path / name)) == list(records)
    published, rows = (
        [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        for path in (golden / "arena.jsonl", tmp_path / "out.jsonl")
    )
    assert [{key: row[key] for key in row if key not in ("id", "source")} for row in rows] == published


def test_from_any_comparison(tmp_path: Path) -> None:
    record = Comparison(
        id="k", source="s", annotator="p", prompt=(user("q"),), a=(assistant("x"),), b=(assistant("y"),), verdict="tie"
    )
    path = tmp_path / "out.jsonl"
    assert not write_records([record], path, "arena")
    assert list(arena.read(path)) == [record]
    row = json.loads(path.read_text())
    assert (row["question_id"], row["judge"], row["winner"]) == ("k", "p", "tie")
    assert row.keys().isdisjoint({"model_a", "annotator"})
    same_start = record.model_copy(update={"a": (assistant("x"), user("r"), assistant("s")), "b": record.a})
    same_start = same_start.model_copy(update={"b": (assistant("x"), user("r"), assistant("t"))})
    losses = write_records(
        [
            record.model_copy(update={"strength": 1, "margin": 1.0, "reason": "r", "extra": {"winner": "model_a"}}),
            record.model_copy(update={"verdict": Verdict.INCOMPARABLE}),
            same_start,
        ],
        path,
        "arena",
    )
    assert losses.fields == {"strength": 1, "margin": 1, "reason": 1, "extra.winner": 1}
    assert losses.records == {
        "verdict incomparable where the shape holds a winner or a tie": 1,
        "conversations that would not be parted where they were": 1,
    }
    with pytest.raises(PlauditError, match="arena cannot carry a Document, only Comparison"):
        write_records([Document(text="a")], path, "arena")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"winner": "model_c"}, "winner"),
        ({"winner": None}, "winner"),
        ({"conversation_a": "q"}, "conversation_a"),
        ({"conversation_b": turns("other", "y")}, "conversation_b"),
        ({"conversation_b": turns("q")}, "conversation_b"),
        ({"conversation_b": [{"role": "user"}]}, "conversation_b[0].content"),
    ],
)
def test_malformed_battles(written: Written, change: dict[str, object], field: str) -> None:
    with pytest.raises(RowError) as caught:
        open_records(written(BATTLE, BATTLE | change))
    assert (caught.value.line, caught.value.field) == (2, field)
