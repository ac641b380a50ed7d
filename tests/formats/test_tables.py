"""Parquet, the folders of `datasets`, CSV and TSV."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path

import pytest
from pydantic import JsonValue

from plaudit.formats import open_records, write_records
from plaudit.formats.jsonl import Located, objects, write_rows
from plaudit.schemas.conversation import assistant, user
from plaudit.schemas.errors import PlauditError, RowError
from plaudit.schemas.feedback import Demonstration, Prompt, Ranking

pyarrow = pytest.importorskip("pyarrow", reason="pip install 'plaudit[parquet]' to run this")


def located(path: Path) -> list[tuple[int, object]]:
    return [(found.line, found.columns if isinstance(found, Located) else str(found)) for found in objects(path)]


ROWS: list[dict[str, JsonValue]] = [
    {"prompt": "one", "ranks": [0, None], "info": {"a": 1}, "é": [[]]},
    {"prompt": "two", "ranks": [1, 0], "info": {"b": [{"c": 0.5}, {}]}, "n": 3},
]


def test_what_is_written_as_parquet_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "new" / "rows.parquet"
    write_rows(ROWS, path)
    assert path.read_bytes()[:4] == b"PAR1"
    assert located(path) == [(1, ROWS[0]), (2, ROWS[1])]
    assert os.listdir(path.parent) == ["rows.parquet"]
    again = path.read_bytes()
    write_rows(ROWS, path)
    assert path.read_bytes() == again


def test_records_go_through_parquet(tmp_path: Path) -> None:
    ranking = Ranking(
        id="r", source="s", prompt=(user("p"),), completions=((assistant("x"),),) * 2, ranks=(None, 0), extra={"n": 1}
    )
    demonstration = Demonstration(id="d", source="s", prompt=(user("p"),), completion=(assistant("x"),))
    for record, shape in [(ranking, "native"), (ranking, "ranked"), (demonstration, "trl"), (demonstration, "native")]:
        path = tmp_path / f"{shape}.parquet"
        assert not write_records([record, record.model_copy(update={"id": "2", "extra": {}})], path, shape)
        assert list(open_records(path)) == [record, record.model_copy(update={"id": "2", "extra": {}})]


@pytest.mark.parametrize("values", [[1, "one"], [{"a": 1}, [1]], [2**70, 0], ["\ud800", ""], [True, 2]])
def test_a_column_of_several_types_is_named_and_leaves_the_old_file(tmp_path: Path, values: list[JsonValue]) -> None:
    path = tmp_path / "out.parquet"
    write_rows([{"a": 1}], path)
    with pytest.raises(PlauditError, match=r"one type a column, and 'mixed' has several .* Name a \.jsonl file"):
        write_rows([{"a": 1, "mixed": value} for value in values], path)
    assert located(path) == [(1, {"a": 1})]
    assert os.listdir(tmp_path) == ["out.parquet"]


def test_damaged_parquet(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    write_rows(ROWS, path)
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(PlauditError, match="is a damaged Parquet file"):
        located(path)


def saved(folder: Path, *files: list[dict[str, JsonValue]]) -> Path:
    """A folder as `Dataset.save_to_disk` writes it."""
    folder.mkdir(parents=True)
    names = [f"data-{index:05}-of-{len(files):05}.arrow" for index in range(len(files))]
    for name, rows in zip(names, files, strict=True):
        table = pyarrow.Table.from_pylist(rows)
        with pyarrow.OSFile(str(folder / name), "wb") as sink, pyarrow.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table)
    state = {"_data_files": [{"filename": name} for name in names], "_split": "train", "_fingerprint": "f"}
    (folder / "state.json").write_text(json.dumps(state))
    (folder / "dataset_info.json").write_text(json.dumps({"features": {}, "citation": ""}))
    return folder


def test_a_folder_that_datasets_saved(tmp_path: Path) -> None:
    folder = saved(
        tmp_path / "set", [{"prompt": "one", "topic": None}, {"prompt": "two", "topic": "t"}], [{"prompt": "three"}]
    )
    records = open_records(folder)
    assert [record.prompt for record in records.of(Prompt)] == [(user(text),) for text in ("one", "two", "three")]
    assert [(record.source, record.extra) for record in records] == [("set", {}), ("set", {"topic": "t"}), ("set", {})]


def test_a_broken_row_of_a_folder_is_named_by_its_number(tmp_path: Path) -> None:
    folder = saved(
        tmp_path / "set", [{"prompt": "one", "completion": "a"}], [{"prompt": "two", "completion": "", "weight": -1}]
    )
    with pytest.raises(RowError) as caught:
        open_records(folder)
    assert (caught.value.file, caught.value.line, caught.value.field) == (str(folder), 2, "weight")


def test_of_several_splits_one_must_be_chosen(tmp_path: Path) -> None:
    saved(tmp_path / "set" / "train", [{"text": "a"}])
    (tmp_path / "set" / "dataset_dict.json").write_text(json.dumps({"splits": ["train", "test"]}))
    with pytest.raises(PlauditError, match=r"holds the splits train, test: choose one, .*set/train or .*set/test"):
        open_records(tmp_path / "set")
    assert len(open_records(tmp_path / "set" / "train")) == 1


def test_incomplete_and_damaged_folders(tmp_path: Path) -> None:
    folder = saved(tmp_path / "set", [{"text": "a"}])
    (data,) = folder.glob("*.arrow")
    whole, state = data.read_bytes(), (folder / "state.json").read_text()
    data.write_bytes(whole[:60])
    with pytest.raises(PlauditError, match="is a damaged Arrow file"):
        open_records(folder)
    data.unlink()
    with pytest.raises(PlauditError, match=r"lacks data-00000-of-00001.arrow, which its state.json names"):
        open_records(folder)
    for wrong, said in [
        ("{", "cannot be read"),
        ("{}", "holds no list _data_files"),
        ("[]", "holds no list _data_files"),
    ]:
        (folder / "state.json").write_text(wrong)
        with pytest.raises(PlauditError, match=said):
            open_records(folder)
    (folder / "state.json").write_text(json.dumps(json.loads(state) | {"_indices_data_files": [{"filename": "i"}]}))
    with pytest.raises(PlauditError, match="names a selection of rows"):
        open_records(folder)


CSV = 'prompt,note\r\n"Is ""7"", you say,\nprime?",\r\n\r\nWhy?,x\n'


@pytest.mark.parametrize("name", ["rows.csv", "rows.CSV", "rows.csv.gz"])
def test_csv_with_a_header(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    raw = b"\xef\xbb\xbf" + CSV.encode()
    path.write_bytes(gzip.compress(raw) if name.endswith("gz") else raw)
    expected = [(2, {"prompt": 'Is "7", you say,\nprime?', "note": ""}), (5, {"prompt": "Why?", "note": "x"})]
    assert located(path) == expected
    first, second = open_records(path)
    assert (first.extra, second.extra, first.source) == ({"note": ""}, {"note": "x"}, name)


def test_tsv_with_a_header(tmp_path: Path) -> None:
    (tmp_path / "rows.tsv").write_text("prompt\tcompletion\nq, r\ta\n")
    (record,) = open_records(tmp_path / "rows.tsv").of(Demonstration)
    assert (record.prompt, record.completion) == ((user("q, r"),), (assistant("a"),))


@pytest.mark.parametrize(
    ("raw", "line", "expected", "got"),
    [
        (b"prompt,note\na,b\nc\nd,e\n", 3, "2 columns, as in the header", "1 columns"),
        (b"prompt,note\na,b\nc,d,e\n", 3, "2 columns, as in the header", "3 columns"),
        (b'prompt,note\na,b\n"c,d\n', 3, "quoted or plain columns", "unexpected end of data"),
        (b'prompt,note\na,b\n"c"d,e\n', 3, "quoted or plain columns", "',' expected after '\"'"),
        (b"prompt,note\na,b\nc,\xe9\n", 3, "UTF-8 text", "byte 0xe9 at column 3"),
    ],
)
def test_malformed_rows(tmp_path: Path, raw: bytes, line: int, expected: str, got: str) -> None:
    path = tmp_path / "rows.csv"
    path.write_bytes(raw)
    with pytest.raises(RowError) as caught:
        open_records(path)
    error = caught.value
    assert (error.file, error.line, error.field, error.expected, error.got) == (str(path), line, "(row)", expected, got)
    assert len(open_records(path, on_error="skip")) == 1 + raw.endswith(b"d,e\n") * (b"c\nd" in raw)


@pytest.mark.parametrize(("header", "said"), [("a,b,a", "the name 'a' twice"), ("a,,b", "a column without a name")])
def test_headers_that_name_no_columns(tmp_path: Path, header: str, said: str) -> None:
    (tmp_path / "rows.csv").write_text(f"{header}\n1,2,3\n")
    with pytest.raises(PlauditError, match=said):
        open_records(tmp_path / "rows.csv")


def test_an_empty_table_holds_no_rows(tmp_path: Path) -> None:
    for text in ("", "prompt,note\n"):
        (tmp_path / "rows.csv").write_text(text)
        with pytest.raises(PlauditError, match="holds no rows"):
            open_records(tmp_path / "rows.csv")
