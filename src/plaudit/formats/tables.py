"""Tables of columns: Parquet and the Arrow folders of the `datasets` library, CSV and TSV with a header.

In Parquet and Arrow a field without a value and a field that is not there are one thing, so null columns and null fields
of objects are left out on reading; nulls in lists stay. In CSV and TSV every value is text.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import TypeVar

from pydantic import JsonValue

from plaudit.schemas.errors import PlauditError, RowError

T = TypeVar("T")
Numbered = tuple[int, dict[str, JsonValue]]
"""The line a row starts on, or its number from 1, and its columns."""

_SEPARATORS = {".csv": ",", ".tsv": "\t"}


def separator_of(path: Path) -> str | None:
    """What parts the columns of a file with such a name; None where the name is no table's."""
    return _SEPARATORS.get(Path(path.name.removesuffix(".gz")).suffix.lower())


def separated_rows(path: Path, lines: Iterable[str], separator: str) -> Iterator[Numbered | RowError]:
    """The rows under the header; a RowError for a row that has another number of columns.

    A row that breaks the quoting ends the file: what follows cannot be told apart. Raises PlauditError for a header
    with an empty or repeated name.
    """
    reader = csv.reader(lines, delimiter=separator, strict=True)
    header: list[str] | None = None
    while True:
        line = reader.line_num + 1
        try:
            values = next(reader, None)
        except csv.Error as error:
            yield RowError(str(path), line, "(row)", "quoted or plain columns", str(error))
            return
        except RowError as error:
            yield error
            return
        if values is None:
            return
        if not values:
            continue
        if header is None:
            header = _checked_header(path, values)
        elif len(values) != len(header):
            expected = f"{len(header)} columns, as in the header"
            yield RowError(str(path), line, "(row)", expected, f"{len(values)} columns")
        else:
            yield line, dict(zip(header, values, strict=True))


def parquet_rows(path: Path) -> Iterator[Numbered]:
    """The rows of a Parquet file. Raises PlauditError where it is damaged or pyarrow is missing."""
    pyarrow = _pyarrow(path)
    line = 0
    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            for batch in file.iter_batches():
                for columns in batch.to_pylist():
                    line += 1
                    yield line, _columns(columns)
    except pyarrow.ArrowException as error:
        raise PlauditError(f"{path} is a damaged Parquet file ({error}): fetch or write it again") from error


def parquet_bytes(rows: Iterable[Mapping[str, JsonValue]], path: Path) -> bytes:
    """The Parquet file that holds the rows. Raises PlauditError for a column whose values are not all of one type."""
    found = list(rows)
    pyarrow = _pyarrow(path)
    names = list(dict.fromkeys(name for row in found for name in row))
    arrays = []
    for name in names:
        values = [row.get(name) for row in found]
        try:
            array = pyarrow.array(values)
        except (pyarrow.ArrowException, OverflowError, UnicodeEncodeError) as error:
            raise _not_one_type(path, name, str(error)) from error
        if _without_nulls(array.to_pylist()) != _without_nulls(values):
            raise _not_one_type(path, name, "its values would not be read back as they are")
        arrays.append(array)
    stream = io.BytesIO()
    try:
        pyarrow.parquet.write_table(pyarrow.table(dict(zip(names, arrays, strict=True))), stream)
    except pyarrow.ArrowException as error:
        raise PlauditError(f"{path} cannot be written as Parquet ({error}): name a .jsonl file instead") from error
    return stream.getvalue()


def is_saved_dataset(folder: Path) -> bool:
    """Whether `datasets` saved this folder, as one set or as one folder a split."""
    return (folder / "state.json").is_file() or (folder / "dataset_dict.json").is_file()


def arrow_rows(folder: Path) -> Iterator[Numbered]:
    """The rows of a folder that `datasets` saved, file after file.

    Raises PlauditError where the folder holds several splits, naming them, and where it is incomplete or damaged.
    """
    if (folder / "dataset_dict.json").is_file():
        splits = _listed(folder / "dataset_dict.json", "splits", str)
        named = " or ".join(str(folder / split) for split in splits)
        raise PlauditError(f"{folder} holds the splits {', '.join(splits)}: choose one, {named}")
    pyarrow = _pyarrow(folder)
    line = 0
    for entry in _listed(folder / "state.json", "_data_files", dict):
        path = folder / Path(str(entry.get("filename"))).name
        try:
            with path.open("rb") as file, pyarrow.ipc.open_stream(file) as stream:
                for batch in stream:
                    for columns in batch.to_pylist():
                        line += 1
                        yield line, _columns(columns)
        except FileNotFoundError as error:
            raise PlauditError(f"{folder} lacks {path.name}, which its state.json names: copy it again") from error
        except pyarrow.ArrowException as error:
            raise PlauditError(f"{path} is a damaged Arrow file ({error}): save the data set again") from error


def decoded(lines: Iterable[bytes], not_utf8: Callable[[int, bytes, UnicodeDecodeError], RowError]) -> Iterator[str]:
    """The lines as text, a byte order mark dropped. Raises the RowError that `not_utf8` makes."""
    for number, raw in enumerate(lines, start=1):
        try:
            yield raw.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            raise not_utf8(number, raw, error) from error


def _checked_header(path: Path, names: list[str]) -> list[str]:
    wrong = next((name for index, name in enumerate(names) if not name or name in names[:index]), None)
    if wrong is not None:
        what = f"the name {wrong!r} twice" if wrong else "a column without a name"
        raise PlauditError(f"{path} must begin with a line of column names, and has {what} there: mend its first line")
    return names


def _listed(path: Path, name: str, kind: type[T]) -> list[T]:
    """The list a JSON file of a saved data set holds under this name."""
    try:
        state = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise PlauditError(f"{path} cannot be read ({error}): save the data set again") from error
    found = state.get(name) if isinstance(state, dict) else None
    if not isinstance(found, list) or not all(isinstance(entry, kind) for entry in found):
        raise PlauditError(f"{path} holds no list {name}: save the data set again")
    if state.get("_indices_data_files"):
        raise PlauditError(f"{path} names a selection of rows, as old `datasets` did: save it again with a newer one")
    return found


def _columns(row: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    return {name: _without_nulls(value) for name, value in row.items() if value is not None}


def _without_nulls(value: JsonValue) -> JsonValue:
    if isinstance(value, list):
        return [_without_nulls(entry) for entry in value]
    return _columns(value) if isinstance(value, dict) else value


def _not_one_type(path: Path, name: str, reason: str) -> PlauditError:
    return PlauditError(
        f"{path} cannot be written: Parquet wants one type a column, and {name!r} has several ({reason}). Name a .jsonl "
        "file instead"
    )


def _pyarrow(path: Path) -> ModuleType:
    try:
        import pyarrow
        import pyarrow.ipc
        import pyarrow.parquet
    except ImportError as error:
        raise PlauditError(f"{path} needs pyarrow: `pip install 'plaudit[parquet]'`") from error
    module: ModuleType = pyarrow
    return module
