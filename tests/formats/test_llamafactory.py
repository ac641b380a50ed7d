"""`dataset_info.json` beside a data file: its columns, tags and ranking apply."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from plaudit.formats import open_records
from plaudit.schemas.conversation import assistant, user
from plaudit.schemas.errors import PlauditError, RowError
from plaudit.schemas.feedback import Comparison, Demonstration, Document, Rating


def described(folder: Path, row: dict[str, object], *entries: dict[str, object]) -> Path:
    """A data file of one row, and the entries that describe it."""
    (folder / "rows.jsonl").write_text(json.dumps(row) + "\n")
    info = {f"set{i}": {"file_name": "rows.jsonl"} | entry for i, entry in enumerate(entries)}
    (folder / "dataset_info.json").write_text(json.dumps(info | {"elsewhere": {"hf_hub_url": "a/b"}, "n": 3}))
    return folder / "rows.jsonl"


ROW = {"task": "Plural of", "word": "mouse", "answer": "mice", "instruction": "ignore", "n": 1}
NAMES = {"prompt": "task", "query": "word", "response": "answer"}


def test_alpaca_columns(tmp_path: Path) -> None:
    records = open_records(described(tmp_path, ROW, {"columns": NAMES}))
    (record,) = records.of(Demonstration)
    assert (record.prompt, record.completion) == ((user("Plural of\nmouse"),), (assistant("mice"),))
    assert record.extra == {"n": 1, "input": "mouse", "instruction": "ignore"}
    assert (records.shape, records.columns) == ("alpaca", {"instruction": "task", "input": "word", "output": "answer"})


def test_alpaca_preferences_and_tags(tmp_path: Path) -> None:
    names = {"prompt": "task", "chosen": "good", "rejected": "bad"}
    row = {"task": "Plural of mouse?", "good": "mice", "bad": "mouses"}
    (pair,) = open_records(described(tmp_path, row, {"ranking": True, "columns": names})).of(Comparison)
    assert (pair.prompt, pair.a, pair.b) == ((user("Plural of mouse?"),), (assistant("mice"),), (assistant("mouses"),))
    (rating,) = open_records(described(tmp_path, ROW | {"ok": False}, {"columns": NAMES | {"kto_tag": "ok"}})).of(
        Rating
    )
    assert rating.score == 0.0


def test_the_usual_names_need_no_columns(tmp_path: Path) -> None:
    row = {"instruction": "i", "output": "o", "prompt": "would be TRL's"}
    records = open_records(described(tmp_path, row, {}))
    assert (records.shape, records[0].extra) == ("alpaca", {"prompt": "would be TRL's"})


def test_documents_for_pretraining(tmp_path: Path) -> None:
    (page,) = open_records(described(tmp_path, {"page": "Boats.", "n": 1}, {"columns": {"prompt": "page"}})).of(
        Document
    )
    assert (page.text, page.extra) == ("Boats.", {"n": 1})


TURNS = [{"who": "guest", "said": "Hi", "at": 3}, {"who": "host", "said": "Hello."}]
TAGS = {"role_tag": "who", "content_tag": "said", "user_tag": "guest", "assistant_tag": "host"}


def test_sharegpt_columns_and_tags(tmp_path: Path) -> None:
    entry = {"formatting": "sharegpt", "columns": {"messages": "talk", "system": "rule"}, "tags": TAGS}
    (record,) = open_records(described(tmp_path, {"talk": TURNS, "rule": "", "n": 1}, entry)).of(Demonstration)
    assert (record.prompt, record.completion) == ((user("Hi"),), (assistant("Hello."),))
    assert record.extra == {"n": 1, "conversations[0].at": 3}


def test_sharegpt_preferences(tmp_path: Path) -> None:
    names = {"messages": "talk", "chosen": "good", "rejected": "bad"}
    entry = {"formatting": "sharegpt", "ranking": True, "columns": names, "tags": TAGS}
    row = {"talk": TURNS[:1], "good": {"who": "host", "said": "Hello."}, "bad": {"who": "host", "said": "What?"}}
    (pair,) = open_records(described(tmp_path, row, entry)).of(Comparison)
    assert (pair.a, pair.b) == ((assistant("Hello."),), (assistant("What?"),))
    with pytest.raises(RowError) as caught:
        open_records(described(tmp_path, {"talk": TURNS[:1], "good": row["good"]}, entry))
    assert (caught.value.line, caught.value.field) == (1, "bad")
    assert caught.value.expected == "a value, as dataset_info.json says"


def test_turns_that_do_not_fit_the_tags(tmp_path: Path) -> None:
    entry = {"formatting": "sharegpt", "columns": {"messages": "talk"}, "tags": TAGS}
    with pytest.raises(RowError) as caught:
        open_records(described(tmp_path, {"talk": [TURNS[0], "Hello."]}, entry))
    assert caught.value.field == "conversations[1]"


def test_what_is_named_by_hand_counts_instead(tmp_path: Path) -> None:
    path = described(tmp_path, ROW, {"columns": {"prompt": "word", "response": "answer"}})
    assert open_records(path, columns={"prompt": "task", "completion": "answer"}).shape == "trl"
    (record,) = open_records(path, shape="alpaca", columns={"output": "answer"}).of(Demonstration)
    assert record.prompt == (user("ignore"),)


def test_entries_that_agree_are_one(tmp_path: Path) -> None:
    assert len(open_records(described(tmp_path, ROW, {"columns": NAMES}, {"columns": NAMES, "subset": "x"}))) == 1
    with pytest.raises(PlauditError, match=r"rows.jsonl in several ways \(set0, set1\): use --shape and --columns"):
        open_records(described(tmp_path, ROW, {"columns": NAMES}, {}))


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"formatting": "chatml"}, "formatting must be alpaca or sharegpt, got the text 'chatml'"),
        ({"ranking": "yes"}, "ranking must be true or false"),
        ({"columns": ["task"]}, "columns must be an object of names, got a list of 1"),
        ({"columns": {"messages": "talk"}}, "columns has messages; it may name system, tools"),
        ({"columns": {"prompt": 3}}, "columns has prompt; it may name"),
        ({"formatting": "sharegpt", "tags": {"cat_tag": "c"}}, "tags has cat_tag; it may name role_tag"),
    ],
)
def test_entries_that_say_something_else(tmp_path: Path, entry: dict[str, object], said: str) -> None:
    with pytest.raises(PlauditError, match=f"dataset_info.json: set0: {said}"):
        open_records(described(tmp_path, ROW, entry))


def test_a_file_that_is_no_description(tmp_path: Path) -> None:
    path = described(tmp_path, {"text": "a"}, {})
    (tmp_path / "dataset_info.json").write_text("{")
    with pytest.raises(PlauditError, match=r"dataset_info.json cannot be read .*--shape"):
        open_records(path)
    for other in ("[]", '{"features": {}, "file_name": "rows.jsonl"}', '{"set": {"file_name": "other.jsonl"}}'):
        (tmp_path / "dataset_info.json").write_text(other)
        assert open_records(path).shape == "plain"
