"""Whatever is in a file of a feedback tool's, it is read or refused in words: no other error, and nothing half-read."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import JsonValue

from plaudit.formats import Records, oasst, open_records
from plaudit.formats.jsonl import Located
from plaudit.formats.rows import items_of
from plaudit.schemas.errors import PlauditError, RowError
from tests.formats.conftest import GOLDEN
from tests.formats.test_round_trips import JSON

FILES = [
    ("label-studio.json", "label-studio"),
    ("label-studio-ranker.json", "label-studio"),
    ("argilla.json", "argilla"),
    ("argilla-flat.jsonl", "argilla"),
    ("arena.jsonl", "arena"),
    ("open-webui.json", "open-webui"),
    ("oasst.jsonl", "oasst"),
    ("oasst-labels.jsonl", "oasst-labels"),
    ("spreadsheet.csv", "spreadsheet"),
    ("spreadsheet-ranking.csv", "spreadsheet"),
]
each_file = pytest.mark.parametrize(("name", "shape"), FILES, ids=[name for name, _ in FILES])
EDITS = st.lists(st.tuples(st.floats(0, 1), st.integers(0, 3), st.binary(max_size=3)), min_size=1, max_size=4)


def opened(content: bytes, name: str, shape: str | None) -> Records | PlauditError:
    """The records, or the error that a user sees; any other exception is raised."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(content)
        try:
            whole = open_records(path, shape)
        except PlauditError as error:
            return error
        assert not whole.skipped
        return whole


@each_file
@settings(max_examples=25)
@given(content=st.binary(max_size=40))
def test_random_bytes(name: str, shape: str, content: bytes) -> None:
    opened(content, name, shape)
    opened(content, name, None)


@each_file
@settings(max_examples=25)
@given(edits=EDITS)
def test_golden_files_with_bytes_changed(name: str, shape: str, edits: list[tuple[float, int, bytes]]) -> None:
    content = (GOLDEN / name).read_bytes()
    for place, length, new in edits:
        start = int(place * len(content))
        content = content[:start] + new + content[start + length :]
    opened(content, name, shape)


@each_file
@settings(max_examples=20)
@given(place=st.floats(0, 1, exclude_max=True))
def test_golden_files_cut_in_the_middle(name: str, shape: str, place: float) -> None:
    content = (GOLDEN / name).read_bytes()
    whole, cut = opened(content, name, shape), opened(content[: int(place * len(content.rstrip()))], name, shape)
    assert isinstance(whole, Records)
    # Lines that are whole are rows; what is cut is an error, or what was left of it a row of its own.
    assert isinstance(cut, PlauditError) or len(cut) + len(cut.dropped) <= len(whole) + len(whole.dropped)


Place = tuple[str | int, ...]


def places_in(value: JsonValue, path: Place = ()) -> list[Place]:
    """The paths of all values inside."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(found for key, one in inner for found in places_in(one, (*path, key)))]


def changed(value: JsonValue, place: Place, new: JsonValue) -> JsonValue:
    """The value with another at that place; as it is where an earlier change has taken the place away."""
    if not place:
        return new
    key, *below = place
    if isinstance(value, dict) and key in value:
        return value | {str(key): changed(value[str(key)], tuple(below), new)}
    if isinstance(value, list) and isinstance(key, int) and key < len(value):
        return [*value[:key], changed(value[key], tuple(below), new), *value[key + 1 :]]
    return value


def at(value: JsonValue, place: Place) -> JsonValue:
    """What stands at that place."""
    for key in place:
        value = value[key]  # type: ignore[index, call-overload]
    return value


@pytest.mark.parametrize(
    ("name", "shape"),
    [file for file in FILES if "csv" not in file[0]],
    ids=[name for name, _ in FILES if "csv" not in name],
)
@settings(max_examples=60)
@given(data=st.data())
def test_golden_rows_with_a_value_changed(name: str, shape: str, data: st.DataObject) -> None:
    text = (GOLDEN / name).read_text(encoding="utf-8")
    rows: JsonValue = json.loads(text) if name.endswith(".json") else [json.loads(line) for line in text.splitlines()]
    places = st.sampled_from([place for place in places_in(rows) if place])
    new = rows
    for _ in range(data.draw(st.integers(1, 2))):
        value = data.draw(JSON | places.map(lambda place: at(rows, place)))
        new = changed(new, data.draw(places), value)
    opened(json.dumps(new).encode(), "rows.json", shape)


@each_file
def test_no_utf8(name: str, shape: str) -> None:
    content = (GOLDEN / name).read_bytes()
    middle = content.index(b"e", len(content) // 2)
    error = opened(content[:middle] + b"\xff" + content[middle:], name, shape)
    assert isinstance(error, RowError)
    assert (error.expected, error.got.split(" at ")[0]) == ("UTF-8 text", "byte 0xff")


@each_file
def test_one_huge_line(name: str, shape: str) -> None:
    start = b'"judgement","prompt","answer","score"\n"rating","' if name.endswith(".csv") else b'{"prompt": "'
    error = opened(start + b"x" * 3_000_000, name, shape)
    assert isinstance(error, PlauditError)
    assert len(str(error)) < 1_000


def test_levels_upon_levels() -> None:
    """Replies to replies, as many as JSON may hold and more."""
    turn = '{"role": "%s", "text": "t", "message_id": "m", "replies": ['
    for depth, kind in ((100, Records), (20_000, PlauditError)):
        deep = (turn % "prompter" + turn % "assistant") * (depth // 2) + "]}" * depth
        assert isinstance(opened(deep.encode(), "deep.jsonl", "oasst"), kind)


def test_more_levels_than_python_follows_are_an_error_of_the_row() -> None:
    """Newer versions read JSON deeper than their own functions may call each other."""
    deep: dict[str, JsonValue] = {"role": "assistant", "text": "t"}
    for _ in range(3_000):
        deep = {"role": "prompter", "text": "t", "replies": [deep]}
    (error,) = items_of([Located(7, {"message_id": "m"} | deep)], Path("deep.jsonl"), oasst.records_of)
    assert isinstance(error, RowError)
    assert (error.line, error.field, error.expected[:12]) == (7, "(row)", "fewer levels")


def test_an_error_names_a_few_levels_of_a_field() -> None:
    deep = '{"text": "t", "x": ' + "[" * 300 + "]" * 300 + "}"
    error = opened(deep.encode(), "deep.jsonl", "plain")
    assert isinstance(error, RowError)
    assert (len(error.field) < 100, error.field[-4:]) == (True, "....")
