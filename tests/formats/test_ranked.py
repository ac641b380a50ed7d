"""Rankings in one row: both directions lose nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from plaudit.formats import open_records, ranked
from plaudit.schemas.conversation import Message, Role, assistant, user
from plaudit.schemas.errors import PlauditError, RowError
from plaudit.schemas.feedback import Prompt, Ranking

Written = Callable[..., Path]


def test_text_stands_for_one_message(golden: Path) -> None:
    first, second = ranked.read(golden / "ranked.jsonl")
    assert first.prompt == (user("Suggest a name for a boat."),)
    assert first.completions == tuple((assistant(text),) for text in ("Kestrel", "Boaty", "Boat", "No."))
    assert first.ranks == (0, 1, 1, None)
    assert first.unacceptable == (False, False, False, True)
    assert first.truncated == (False, True, False, False)
    assert (first.id, first.source, first.annotator) == ("boat-1", "harbour", "p3")
    assert (second.prompt, second.weight, second.extra) == ((), 2.0, {"shown_first": 1})


def test_the_same_rows_come_back(golden: Path, tmp_path: Path) -> None:
    assert not ranked.write(ranked.read(golden / "ranked.jsonl"), tmp_path / "out.jsonl")
    before, after = (
        [json.loads(line) for line in path.read_text().splitlines()]
        for path in (golden / "ranked.jsonl", tmp_path / "out.jsonl")
    )
    assert after == before


def test_one_long_conversation_makes_the_whole_file_hold_messages(tmp_path: Path) -> None:
    short = Ranking(id="1", source="s", prompt=(user("p"),), completions=((assistant("x"),),) * 2, ranks=(0, 1))
    system = Message(role=Role.SYSTEM, content="s")
    long = short.model_copy(update={"id": "2", "prompt": (system, user("p"))})
    empty = short.model_copy(update={"id": "3", "prompt": (user(""),)})
    for other in (long, empty):
        ranked.write([short, other], tmp_path / "out.jsonl")
        assert list(ranked.read(tmp_path / "out.jsonl")) == [short, other]
        rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
        assert rows[0]["prompt"] == [{"role": "user", "content": "p"}]


def test_other_kinds_are_refused(tmp_path: Path) -> None:
    with pytest.raises(PlauditError, match="ranked cannot carry a Prompt, only Ranking"):
        ranked.write([Prompt(prompt=(user("p"),))], tmp_path / "out.jsonl")


ROW = {"prompt": "p", "completions": ["x", "y"], "ranks": [0, 1]}


@pytest.mark.parametrize(
    ("change", "field", "expected"),
    [
        ({"prompt": 3}, "prompt", "a list of messages"),
        ({"completions": "x"}, "completions", "a list"),
        ({"completions": ["x", 3]}, "completions[1]", "a list of messages"),
        ({"completions": ["x", [{"role": "user", "content": "p"}]]}, "completions[1]", "the answer alone"),
        ({"completions": ["x", [{"role": "assistant"}]]}, "completions[1][0].content", "text or a list of parts"),
        ({"completions": ["x"], "ranks": [0]}, "completions", "Tuple should have at least 2 items"),
        ({"ranks": [0]}, "(row)", "ranks must have one entry a completion: 1 ranks, 2 completions"),
        ({"ranks": [0, -1]}, "(row)", "ranks start at 0 (0 is best)"),
        ({"ranks": [0, 1.0]}, "ranks[1]", "a whole number from 0 (best) or null"),
        ({"ranks": [True, 0]}, "ranks[0]", "a whole number from 0 (best) or null"),
        ({"ranks": None}, "ranks", "a list"),
        ({"unacceptable": [1, 0]}, "unacceptable[0]", "true or false"),
        ({"truncated": [False, "no"]}, "truncated[1]", "true or false"),
        ({"unacceptable": [True]}, "(row)", "unacceptable must be empty or have 2 entries, has 1"),
    ],
)
def test_malformed_rows(written: Written, change: dict[str, object], field: str, expected: str) -> None:
    with pytest.raises(RowError) as caught:
        open_records(written(ROW, ROW | change), shape="ranked")
    assert (caught.value.line, caught.value.field) == (2, field)
    assert caught.value.expected.startswith(expected)
