"""Open WebUI's thumbs: read, never believed, never written."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from plaudit.formats import open_records, open_webui, write_records
from plaudit.schemas.conversation import assistant, user
from plaudit.schemas.errors import PlauditError, RowError
from plaudit.schemas.feedback import Rating
from tests.formats.conftest import changed

Written = Callable[..., Path]


def rows(golden: Path) -> list[dict[str, Any]]:
    loaded: list[dict[str, Any]] = json.loads((golden / "open-webui.json").read_text())
    return loaded


def test_a_thumb_is_a_rating_of_the_turn_it_was_given_to(golden: Path) -> None:
    up, down = open_records(golden / "open-webui.json").of(Rating)
    assert (up.id, up.annotator, up.score, up.minimum, up.maximum) == ("w1", "p1", 1, 0, 1)
    assert up.completion == (assistant("More water."),)
    assert up.prompt == (
        user("Too much salt in my soup."),
        assistant("Add a potato."),
        user("And without potatoes?"),
    )
    # The other branch of the same chat, in an older version's snapshot.
    assert (down.prompt, down.completion) == (up.prompt[:1], (assistant("Add salt."),))
    assert (down.score, down.maximum) == (0, 1)


def test_what_the_browser_says_of_models_is_a_claim(golden: Path) -> None:
    up, down = open_webui.read(golden / "open-webui.json")
    assert (up.extra["reason"], up.extra["comment"], up.extra["tags"]) == (
        "accurate_information",
        "It worked.",
        ["soup"],
    )
    assert down.extra["claims"] == {
        "model_id": "heron",
        "sibling_model_ids": ["stork"],
        "model": "stork",
        "meta": {"arena": True, "chat_id": "c1", "message_id": "m3"},
    }
    assert down.extra.keys() == {"claims", "version", "created_at", "updated_at"}


def test_nothing_else_of_the_chat_is_kept(golden: Path) -> None:
    records = open_records(golden / "open-webui.json")
    assert "stork" not in records[0].model_dump_json()
    assert "Soup" not in "".join(record.model_dump_json() for record in records)
    assert records.dropped == {
        "the rest of a chat in which an answer was rated": 2,
        "feedback without a thumb": 1,
        "feedback of another type than rating": 1,
        "rating without a snapshot of its chat (export the feedback, a list of it has no texts)": 1,
    }


def test_it_is_only_read(golden: Path, tmp_path: Path) -> None:
    with pytest.raises(PlauditError, match="open-webui is only read"):
        write_records(open_records(golden / "open-webui.json"), tmp_path / "out.json", "open-webui")


MESSAGES = ["snapshot", "chat", "chat", "history", "messages"]


@pytest.mark.parametrize(
    ("place", "value", "field"),
    [
        (["data"], "up", "data"),
        (["data", "rating"], 2, "data.rating"),
        (["data", "rating"], True, "data.rating"),
        (["meta"], [], "meta"),
        (["user_id"], 7, "user_id"),
        (["meta", "message_id"], "m9", "meta.message_id"),
        (["meta", "message_id"], None, "meta.message_id"),
        (["meta", "message_id"], "m1", "snapshot.chat.chat.history.messages.m1.role"),
        (["snapshot"], "chat", "snapshot"),
        (["snapshot", "chat"], {}, "snapshot.chat.chat"),
        (MESSAGES, [], "snapshot.chat.chat.history.messages"),
        ([*MESSAGES, "m5"], 1, "snapshot.chat.chat.history.messages.m5"),
        ([*MESSAGES, "m5", "role"], "tool", "snapshot.chat.chat.history.messages.m5.role"),
        ([*MESSAGES, "m5", "content"], None, "snapshot.chat.chat.history.messages.m5.content"),
        ([*MESSAGES, "m1", "parentId"], "m5", "snapshot.chat.chat.history.messages.parentId"),
        ([*MESSAGES, "m1", "parentId"], "m0", "snapshot.chat.chat.history.messages.parentId"),
    ],
)
def test_malformed_feedback(golden: Path, written: Written, place: list[str], value: object, field: str) -> None:
    good = rows(golden)[0]
    bad = changed(good, place, value)
    with pytest.raises(RowError) as caught:
        open_records(written(good, bad))
    assert (caught.value.line, caught.value.field) == (2, field)
