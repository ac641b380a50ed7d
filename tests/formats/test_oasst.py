"""OpenAssistant's trees."""

from __future__ import annotations

import copy
import json
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from plaudit.formats import oasst, open_records
from plaudit.schemas.conversation import assistant, user
from plaudit.schemas.errors import RowError
from plaudit.schemas.feedback import Demonstration, Ranking

Written = Callable[..., Path]
BASIL = user("How do I keep basil alive?")


def tree(golden: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((golden / "oasst.jsonl").read_text())
    return loaded


def test_a_tree_gives_the_best_replies_and_the_ranked_ones(golden: Path) -> None:
    records = open_records(golden / "oasst.jsonl")
    best, later = records.of(Demonstration)
    assert (best.id, best.prompt) == ("m3", (BASIL,))
    assert best.completion == (assistant("Sun, a pot with holes, water from below."),)
    assert later.id == "m5"
    assert later.prompt == (BASIL, *best.completion, user("And in winter?"))
    assert later.completion == (assistant("Indoors, by a window."),)
    (ranking,) = records.of(Ranking)
    assert (ranking.id, ranking.prompt, ranking.ranks) == ("m1", (BASIL,), (1, 0, None))
    assert [completion[0].text for completion in ranking.completions] == [
        "Water it when the soil is dry.",
        "Sun, a pot with holes, water from below.",
        "Talk to it.",
    ]


def test_model_written_and_deleted_messages_are_dropped_and_counted(golden: Path) -> None:
    assert open_records(golden / "oasst.jsonl").dropped == {
        "synthetic message": 1,
        "message after a synthetic one": 1,
        "deleted message": 1,
    }


def test_what_is_not_read_is_kept(golden: Path) -> None:
    records = open_records(golden / "oasst.jsonl")
    assert records.of(Demonstration)[0].extra == {
        "message_tree_id": "t1", "tree_state": "ready_for_export", "parent_id": "m1", "lang": "en", "rank": 0,
        "synthetic": False, "deleted": False,
    }  # fmt: skip
    replies = records.of(Ranking)[0].extra["replies"]
    assert isinstance(replies, list)
    assert replies[2] == {
        "message_id": "m8", "parent_id": "m1", "lang": "en", "synthetic": False, "deleted": False,
    }  # fmt: skip


def test_the_root_message_may_be_the_row(golden: Path, written: Written) -> None:
    whole = open_records(golden / "oasst.jsonl")
    root = open_records(written(tree(golden)["prompt"]))
    assert [record.id for record in root] == [record.id for record in whole]
    assert root.dropped == whole.dropped
    assert "message_tree_id" not in root[0].extra


def test_where_no_reply_is_ranked_every_one_is_a_demonstration(golden: Path, written: Written) -> None:
    row = tree(golden)
    for reply in row["prompt"]["replies"]:
        reply["rank"] = None
    records = open_records(written(row))
    assert [record.id for record in records.of(Demonstration)] == ["m2", "m3", "m8", "m5"]
    assert records.of(Ranking) == []


def test_a_single_ranked_reply_is_no_ranking(golden: Path, written: Written) -> None:
    row = tree(golden)
    row["prompt"]["replies"][0]["rank"] = None
    records = open_records(written(row))
    assert [record.id for record in records] == ["m3", "m5"]


def test_all_that_follows_a_model_written_prompt_is_dropped(golden: Path, written: Written) -> None:
    row = tree(golden)
    row["prompt"]["synthetic"] = True
    records = open_records(written(row))
    assert len(records) == 0
    assert records.dropped == {
        "synthetic message": 2,
        "message after a synthetic one": 6,
        "deleted message": 1,
    }


@pytest.mark.parametrize(
    ("path", "value", "field"),
    [
        (["prompt"], "text", "prompt"),
        (["prompt", "text"], None, "prompt.text"),
        (["prompt", "role"], "user", "prompt.role"),
        (["prompt", "replies"], {}, "prompt.replies"),
        (["prompt", "replies", 1], None, "prompt.replies[1]"),
        (["prompt", "replies", 1, "text"], 4, "prompt.replies[1].text"),
        (["prompt", "replies", 1, "rank"], "0", "prompt.replies[1].rank"),
        (["prompt", "replies", 1, "rank"], True, "prompt.replies[1].rank"),
        (["prompt", "replies", 1, "rank"], -1, "prompt.replies[1].rank"),
        (["prompt", "replies", 2, "replies", 0, "text"], None, "prompt.replies[2].replies[0].text"),
        (["prompt", "replies", 1, "replies", 0, "role"], "x", "prompt.replies[1].replies[0].role"),
    ],
)
def test_malformed_trees_give_no_records_at_all(
    golden: Path, written: Written, path: list[Any], value: object, field: str
) -> None:
    good, bad = tree(golden), copy.deepcopy(tree(golden))
    place = bad
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    records = open_records(written(good, bad), on_error="skip")
    assert len(records) == 3
    (error,) = records.skipped
    assert (error.line, error.field) == (2, field)
    with pytest.raises(RowError):
        list(oasst.read(written(good, bad)))


def messages_in(message: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield message
    for reply in message["replies"]:
        yield from messages_in(reply)


@pytest.mark.parametrize("name", ["en_100_tree.jsonl", "en_100_message.jsonl"])
def test_the_english_trees(real_data: Path, name: str) -> None:
    path = real_data / "oasst-en100" / name
    records = open_records(path)
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]
    messages = [message for row in rows for message in messages_in(row.get("prompt", row))]
    assert len(messages) == 1167
    assert records.dropped["synthetic message"] == sum(message["synthetic"] for message in messages) == 22
    # The set's own notes: non-synthetic ranked siblings give 732 preference pairs.
    ranked = [sum(rank is not None for rank in record.ranks) for record in records.of(Ranking)]
    assert sum(num * (num - 1) // 2 for num in ranked) == 732
    texts = Counter(message["text"] for message in messages if not message["synthetic"])
    assert all(record.completion[0].text in texts for record in records.of(Demonstration))
