"""What every row has, whatever its shape: ids, source, weight, leftovers, and errors that say where."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from plaudit.formats import open_records
from plaudit.schemas.errors import PlauditError, RowError

Written = Callable[..., Path]
TEXT = {"text": "a boat"}


def test_rows_without_an_id_get_one_from_their_content_and_their_ordinal(written: Written) -> None:
    path = written(TEXT, {"text": "a mill"}, TEXT)
    ids = [record.id for record in open_records(path)]
    namespace = uuid.UUID("8f6f0f52-9a53-5c3e-9b0d-6b1b5a3c7d10")
    assert ids == [
        str(uuid.uuid5(namespace, '0:{"text":"a boat"}')),
        str(uuid.uuid5(namespace, '0:{"text":"a mill"}')),
        str(uuid.uuid5(namespace, '1:{"text":"a boat"}')),
    ]


def test_the_id_does_not_depend_on_the_order_of_columns_or_on_other_rows(written: Written) -> None:
    first = open_records(written({"text": "a", "n": 1}, TEXT, name="one.jsonl"))
    second = open_records(written({"text": "b"}, {"n": 1, "text": "a"}, name="two.jsonl"))
    assert first[0].id == second[1].id


@pytest.mark.parametrize(("own", "expected"), [("row-7", "row-7"), (7, "7"), (0, "0")])
def test_a_row_keeps_its_own_id(written: Written, own: object, expected: str) -> None:
    (record,) = open_records(written(TEXT | {"id": own}))
    assert (record.id, record.extra) == (expected, {})


@pytest.mark.parametrize("own", ["", None, True, 1.5, {"$oid": "7"}])
def test_an_id_that_is_no_name_stays_a_column(written: Written, own: object) -> None:
    (record,) = open_records(written(TEXT | {"id": own}))
    assert uuid.UUID(record.id).version == 5
    assert record.extra == {"id": own}


def test_source_weight_and_annotator(written: Written) -> None:
    plain, full = open_records(
        written(TEXT, TEXT | {"source": "kitchen", "weight": 0.25, "annotator": "p1", "seen": None})
    )
    assert (plain.source, plain.weight, plain.annotator, plain.extra) == ("rows.jsonl", 1.0, None, {})
    assert (full.source, full.weight, full.annotator, full.extra) == ("kitchen", 0.25, "p1", {"seen": None})


def test_a_source_that_is_no_text_is_somebody_elses_column(written: Written) -> None:
    (record,) = open_records(written(TEXT | {"source": ["page 1"], "annotator": 4}))
    assert (record.source, record.annotator) == ("rows.jsonl", None)
    assert record.extra == {"source": ["page 1"], "annotator": 4}


@pytest.mark.parametrize(
    ("weight", "got"),
    [
        ("2", "the text '2'"),
        (True, "true"),
        (-1, "the number -1.0"),
        (10**400, "a larger one"),
        (1e999, "which JSON does not have"),
    ],
)
def test_a_weight_that_is_none_stops_the_import(written: Written, weight: object, got: str) -> None:
    with pytest.raises(RowError) as caught:
        open_records(written(TEXT, TEXT | {"weight": weight}), shape="plain")
    assert caught.value.line == 2
    assert got in caught.value.got


@pytest.mark.parametrize(
    ("row", "field", "expected", "got"),
    [
        ({"text": 3}, "text", "text", "the number 3"),
        ({"text": ""}, "text", "String should have at least 1 character", "the text ''"),
        ({"txt": "a"}, "text", "text", "no such column (the row has txt)"),
        ({}, "text", "text", "no such column (the row has none)"),
        ({"text": None}, "text", "text", "null"),
        ({"text": "x" * 5, "weight": [1]}, "weight", "a number", "a list of 1"),
    ],
)
def test_an_error_says_file_line_field_expected_and_got(
    written: Written, row: object, field: str, expected: str, got: str
) -> None:
    path = written(TEXT, "", row)
    with pytest.raises(RowError) as caught:
        open_records(path, shape="plain")
    error = caught.value
    assert (error.file, error.line, error.field) == (str(path), 3, field)
    assert (error.expected, error.got) == (expected, got)
    assert str(error) == f"{path}:3: field {field!r}: expected {expected}, got {got}"


def test_a_lone_surrogate_is_a_row_error(written: Written) -> None:
    with pytest.raises(RowError, match="surrogates not allowed"):
        open_records(written(TEXT, '{"text": "\\ud800"}'), shape="plain")


def test_nothing_is_returned_when_the_last_of_many_rows_is_broken(written: Written) -> None:
    path = written(*[{"text": str(i)} for i in range(899)], {"text": None})
    with pytest.raises(RowError, match=r":900: field 'text'"):
        open_records(path)


def test_skip_counts_and_says_why(written: Written) -> None:
    records = open_records(written(TEXT, {"text": 3}, "{", TEXT), on_error="skip")
    assert [record.id for record in records] == [record.id for record in open_records(written(TEXT, TEXT))]
    assert [(error.line, error.field) for error in records.skipped] == [(2, "text"), (3, "(row)")]


def test_a_file_without_rows_is_an_error(written: Written) -> None:
    for shape in (None, "plain", "trl"):
        with pytest.raises(PlauditError, match="holds no rows"):
            open_records(written(""), shape=shape)
