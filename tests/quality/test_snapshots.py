"""Snapshots: named by content, complete or absent, never overwritten."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plaudit.formats import open_records, snapshot
from plaudit.quality import make_snapshot
from plaudit.quality import snapshots as maker
from plaudit.schemas.conversation import assistant, user
from plaudit.schemas.errors import PlauditError
from plaudit.schemas.feedback import AnyRecord, Comparison, Demonstration, Document, Ranking, Verdict
from plaudit.schemas.snapshot import DatasetSnapshot, snapshot_id

PROMPT, X, Y = (user("p"),), (assistant("x"),), (assistant("é"),)
RECORDS: list[AnyRecord] = [
    Ranking(
        id="r", source="kitchen", prompt=PROMPT, completions=(X, Y, X), ranks=(0, 0, None), unacceptable=(True,) * 3
    ),
    Demonstration(id="d2", source="attic", weight=0.1, prompt=PROMPT, completion=Y, extra={"n": [1, None]}),
    Demonstration(id="d1", source="kitchen", prompt=PROMPT, completion=X),
    Comparison(id="c", prompt=PROMPT, a=X, b=Y, verdict=Verdict.BOTH_BAD, strength=2, margin=0.5, annotator="p1"),
]


def files_in(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_what_was_put_in_is_read_out(tmp_path: Path) -> None:
    made = make_snapshot(RECORDS, tmp_path / "a" / "snap", filters={"since": "2026-01"})
    folder = tmp_path / "a" / "snap"
    assert sorted(open_records(folder), key=lambda record: record.id) == sorted(RECORDS, key=lambda record: record.id)
    assert snapshot.read_manifest(folder) == made
    assert [(file.name, file.kind, file.num_rows) for file in made.files] == [
        ("comparison.jsonl", "comparison", 1),
        ("demonstration.jsonl", "demonstration", 2),
        ("ranking.jsonl", "ranking", 1),
    ]
    assert made.sources == ("", "attic", "kitchen")
    assert made.filters == {"since": "2026-01"}


def test_the_hashes_are_those_of_the_files(tmp_path: Path) -> None:
    made = make_snapshot(RECORDS, tmp_path / "snap")
    contents = files_in(tmp_path / "snap")
    assert {file.name: file.sha256 for file in made.files} == {
        name: hashlib.sha256(content).hexdigest() for name, content in contents.items() if name != "manifest.json"
    }
    pairs = sorted([file.name, file.sha256] for file in made.files)
    assert made.id == hashlib.sha256(json.dumps(pairs, separators=(",", ":")).encode()).hexdigest()
    assert made.id == snapshot_id(made.files[::-1])


def test_the_id_of_a_record_never_changes(tmp_path: Path) -> None:
    """Pinned, worked with hashlib alone: a new id would orphan every model trained from an old snapshot."""
    line = (
        '{"annotator":null,"extra":{},"id":"1","kind":"document","source":"s","text":"a\\né","weight":1.0}\n'.encode()
    )
    digest = hashlib.sha256(line).hexdigest()
    expected = hashlib.sha256(f'[["document.jsonl","{digest}"]]'.encode()).hexdigest()
    assert make_snapshot([Document(id="1", source="s", text="a\né")], tmp_path / "snap").id == expected


@given(st.permutations(RECORDS))
def test_the_order_of_the_records_does_not_matter(
    tmp_path_factory: pytest.TempPathFactory, records: list[AnyRecord]
) -> None:
    folder = tmp_path_factory.mktemp("snapshots")
    first, second = make_snapshot(RECORDS, folder / "a"), make_snapshot(records, folder / "b")
    assert first.id == second.id
    contents = [files_in(folder / name) for name in "ab"]
    assert [content.pop("manifest.json") is not None for content in contents] == [True, True]
    assert contents[0] == contents[1]


@pytest.mark.parametrize(
    "change", [{"weight": 0.2}, {"extra": {}}, {"id": "d3"}, {"source": "cellar"}, {"completion": X}], ids=str
)
def test_any_change_of_a_record_changes_the_id(tmp_path: Path, change: dict[str, object]) -> None:
    changed = [RECORDS[0], RECORDS[1].model_copy(update=change), *RECORDS[2:]]
    assert make_snapshot(RECORDS, tmp_path / "a").id != make_snapshot(changed, tmp_path / "b").id


def test_records_are_counted_as_often_as_they_come(tmp_path: Path) -> None:
    once, twice = (make_snapshot(RECORDS[:1] * num, tmp_path / str(num)) for num in (1, 2))
    assert once.id != twice.id
    assert len(open_records(tmp_path / "2")) == 2


def test_filters_and_time_are_no_part_of_the_id(tmp_path: Path) -> None:
    assert make_snapshot(RECORDS, tmp_path / "a").id == make_snapshot(RECORDS, tmp_path / "b", filters={"n": 1}).id


def test_the_same_records_again_change_nothing(tmp_path: Path) -> None:
    first = make_snapshot(RECORDS, tmp_path / "snap", filters={"n": 1})
    before = files_in(tmp_path / "snap")
    assert make_snapshot(RECORDS[::-1], tmp_path / "snap") == first
    assert files_in(tmp_path / "snap") == before


def test_another_snapshot_is_never_overwritten(tmp_path: Path) -> None:
    make_snapshot(RECORDS, tmp_path / "snap")
    before = files_in(tmp_path / "snap")
    with pytest.raises(PlauditError, match=r"holds the snapshot .* name another folder"):
        make_snapshot(RECORDS[:1], tmp_path / "snap")
    assert files_in(tmp_path / "snap") == before


def test_a_folder_of_other_things_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(PlauditError, match="something other than a snapshot"):
        make_snapshot(RECORDS, tmp_path)
    (tmp_path / "file").write_text("mine")
    with pytest.raises(PlauditError, match="is a file: name an empty or new folder"):
        make_snapshot(RECORDS, tmp_path / "file")
    (tmp_path / "empty").mkdir()
    assert isinstance(make_snapshot(RECORDS, tmp_path / "empty"), DatasetSnapshot)


def test_a_damaged_snapshot_is_not_taken_for_the_same(tmp_path: Path) -> None:
    make_snapshot(RECORDS, tmp_path / "snap")
    (tmp_path / "snap" / "ranking.jsonl").write_bytes(b"")
    with pytest.raises(PlauditError, match=r"ranking\.jsonl.* is damaged"):
        make_snapshot(RECORDS, tmp_path / "snap")


def test_no_records_make_no_snapshot(tmp_path: Path) -> None:
    with pytest.raises(PlauditError, match="no records to put into the snapshot"):
        make_snapshot([], tmp_path / "snap")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("step", ["replace_file", "write_json"])
def test_a_failure_on_the_way_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(maker, step, full)
    with pytest.raises(PlauditError, match="No space left on device"):
        make_snapshot(RECORDS, tmp_path / "snap")
    assert os.listdir(tmp_path) == []


def test_what_json_cannot_hold_is_refused(tmp_path: Path) -> None:
    record = Document.model_construct(
        id="1", source="s", weight=1.0, annotator=None, extra={"n": float("nan")}, text="a"
    )
    with pytest.raises(PlauditError, match="record '1'"):
        make_snapshot([record], tmp_path / "snap")
    assert os.listdir(tmp_path) == []


def test_a_kitchen_of_people_reads_it(tmp_path: Path) -> None:
    make_snapshot(RECORDS, tmp_path / "snap")
    assert (tmp_path / "snap").stat().st_mode & 0o777 == 0o755
