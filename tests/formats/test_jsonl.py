"""Files of objects: every way they can be broken, with the line it happens on."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest

from plaudit.formats.jsonl import Located, objects, read_text, write_rows
from plaudit.schemas.errors import PlauditError, RowError


def lines_of(path: Path) -> list[tuple[int, object]]:
    return [(found.line, found.columns if isinstance(found, Located) else found.got) for found in objects(path)]


def file_of(tmp_path: Path, content: bytes, name: str = "rows.jsonl") -> Path:
    path = tmp_path / name
    path.write_bytes(content)
    return path


def test_json_lines_keep_their_line_numbers_over_blank_lines(tmp_path: Path) -> None:
    path = file_of(tmp_path, b'\n{"a": 1}\n   \r\n{"a": 2}\r\n{"a": 3}')
    assert lines_of(path) == [(2, {"a": 1}), (4, {"a": 2}), (5, {"a": 3})]


def test_a_line_separator_inside_text_does_not_end_the_line(tmp_path: Path) -> None:
    path = file_of(tmp_path, '{"a": "x\u2028y\u0085z"}\n{"a": 2}\n'.encode())
    assert lines_of(path) == [(1, {"a": "x\u2028y\u0085z"}), (2, {"a": 2})]


@pytest.mark.parametrize("body", [b'{"a": 1}\n', b'[{"a": 1}]'])
def test_a_byte_order_mark_is_passed_over(tmp_path: Path, body: bytes) -> None:
    assert lines_of(file_of(tmp_path, b"\xef\xbb\xbf" + body)) == [(1, {"a": 1})]


def test_a_json_list_gives_the_line_each_element_starts_on(tmp_path: Path) -> None:
    path = file_of(tmp_path, b'\n[\n  {"a": 1},\n  {"a":\n    2}, {"a": 3}\n]\n', name="rows.json")
    assert lines_of(path) == [(3, {"a": 1}), (4, {"a": 2}), (5, {"a": 3})]


def test_an_empty_list_and_an_empty_file_hold_nothing(tmp_path: Path) -> None:
    assert lines_of(file_of(tmp_path, b" [ ] \n")) == []
    assert lines_of(file_of(tmp_path, b"")) == []


@pytest.mark.parametrize("name", ["rows.jsonl.gz", "named_wrongly.jsonl"])
def test_gzip_is_known_by_its_first_bytes(tmp_path: Path, name: str) -> None:
    assert lines_of(file_of(tmp_path, gzip.compress(b'{"a": 1}\n{"a": 2}\n'), name)) == [(1, {"a": 1}), (2, {"a": 2})]


@pytest.mark.parametrize(
    ("line", "expected", "got"),
    [
        (b'{"a": 1', "a JSON object", "Expecting ',' delimiter at column 8"),
        (b'{"a": NaN}', "a JSON object", "NaN, which JSON does not have"),
        (b'{"a": -Infinity}', "a JSON object", "-Infinity, which JSON does not have"),
        (b"[1, 2]", "a JSON object", "list"),
        (b"7", "a JSON object", "int"),
        (b'{"a": "caf\xe9"}', "UTF-8 text", "byte 0xe9 at column 11"),
        (b'{"a": ' + b"[" * 100_000, "a JSON object", "maximum recursion depth exceeded"),
        (b'{"a": ' + b"9" * 5000 + b"}", "a JSON object", "Exceeds the limit"),
    ],
)
def test_a_broken_line_is_reported_and_the_next_one_read(tmp_path: Path, line: bytes, expected: str, got: str) -> None:
    path = file_of(tmp_path, b'{"a": 0}\n' + line + b'\n{"a": 2}\n')
    first, error, last = objects(path)
    assert (first, last) == (Located(1, {"a": 0}), Located(3, {"a": 2}))
    assert isinstance(error, RowError)
    assert (error.file, error.line, error.field, error.expected) == (str(path), 2, "(row)", expected)
    assert got in error.got


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b'[\n{"a": 1},\n{"a": }\n]', 3),
        (b'[\n{"a": 1}\n{"a": 2}\n]', 3),
        (b'[\n{"a": 1},\n', 3),
        (b'[\n{"a": 1}\n', 3),
        (b'[\n{"a": 1}\n]\n{"a": 2}\n', 4),
        (b'[\n{"a": 1},\n{"a": NaN}\n]', 3),
        (b'[\n{"a": 1},\n]', 3),
    ],
)
def test_a_broken_list_ends_at_the_break(tmp_path: Path, content: bytes, line: int) -> None:
    first, error = objects(file_of(tmp_path, content, "rows.json"))
    assert first == Located(2, {"a": 1})
    assert isinstance(error, RowError)
    assert error.line == line


def test_a_list_with_something_else_among_its_objects_goes_on(tmp_path: Path) -> None:
    path = file_of(tmp_path, b'[{"a": 1},\n3,\n{"a": 2}]')
    assert [type(found) for found in objects(path)] == [Located, RowError, Located]


def test_a_list_in_another_encoding_names_the_line(tmp_path: Path) -> None:
    (error,) = objects(file_of(tmp_path, b'[{"a": 1},\n{"a": "\xe9"}]'))
    assert isinstance(error, RowError)
    assert (error.line, error.got) == (2, "byte 0xe9 at column 8")


def test_files_that_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(PlauditError, match=r"there is no file .*check the name"):
        list(objects(tmp_path / "absent.jsonl"))
    with pytest.raises(PlauditError, match="is a folder without"):
        list(objects(tmp_path))
    whole = gzip.compress(b'{"a": 1}\n' * 50)
    for damaged in (whole[:-12], whole[:20] + b"\x00\x00\x00" + whole[23:]):
        with pytest.raises(PlauditError, match="damaged gzip file"):
            list(objects(file_of(tmp_path, damaged)))


def test_text_is_read_as_it_is(tmp_path: Path) -> None:
    assert read_text(file_of(tmp_path, b"\xef\xbb\xbfone\r\ntwo\xc3\xa9\n")) == "one\r\ntwoé\n"
    with pytest.raises(RowError, match=r":2: .*byte 0xe9 at column 2"):
        read_text(file_of(tmp_path, b"one\nt\xe9wo"))


ROWS = [{"a": "é\u2028", "b": [1, None]}, {"a": "", "b": {"c": 0.1}}]


@pytest.mark.parametrize("name", ["out.jsonl", "out.json", "out.jsonl.gz", "out.json.gz"])
def test_what_is_written_is_read_again(tmp_path: Path, name: str) -> None:
    path = tmp_path / "new folder" / name
    write_rows(ROWS, path)
    assert [found.columns for found in objects(path) if isinstance(found, Located)] == ROWS
    assert os.listdir(path.parent) == [name]
    if name.endswith(".gz"):
        # Bytes 4 to 8 of a gzip file are its time: none, so that equal rows give equal bytes.
        assert path.read_bytes()[4:8] == b"\0\0\0\0"


def test_a_json_list_file_is_plain_json(tmp_path: Path) -> None:
    write_rows([{"a": 1}, {"a": 2}], tmp_path / "out.json")
    assert (tmp_path / "out.json").read_text() == '[\n{"a": 1},\n{"a": 2}\n]\n'


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "\ud800"])
def test_what_json_cannot_hold_leaves_the_old_file(tmp_path: Path, value: object) -> None:
    path = tmp_path / "out.jsonl"
    write_rows([{"a": 1}], path)
    with pytest.raises(PlauditError, match="row with id 'x'"):
        write_rows([{"id": "x", "a": value}], path)  # type: ignore[dict-item]
    assert path.read_text() == '{"a": 1}\n'
    assert os.listdir(tmp_path) == ["out.jsonl"]


def test_a_full_disk_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "out.jsonl"
    write_rows([{"a": 1}], path)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(PlauditError, match="No space left on device"):
        write_rows([{"a": 2}], path)
    assert path.read_text() == '{"a": 1}\n'
    assert os.listdir(tmp_path) == ["out.jsonl"]


def test_parquet_rows(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow", reason="pip install 'plaudit[parquet]' to run this")
    parquet = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "rows.parquet"
    parquet.write_table(pyarrow.Table.from_pylist([{"text": "one"}, {"text": "two"}]), path)
    assert lines_of(path) == [(1, {"text": "one"}), (2, {"text": "two"})]


@pytest.mark.parametrize("name", ["out.csv", "out.XLSX", "out.tsv.gz", "out.txt"])
def test_no_rows_of_json_under_a_name_that_promises_something_else(tmp_path: Path, name: str) -> None:
    with pytest.raises(PlauditError, match=r"would hold rows of JSON under a name that ends in .*spreadsheet"):
        write_rows([{"a": 1}], tmp_path / name)
    assert not list(tmp_path.iterdir())
