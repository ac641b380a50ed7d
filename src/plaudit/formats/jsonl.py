"""Files of objects: read with the line each stands on, written whole or not at all.

JSON Lines, a JSON list, either of them gzipped, and Parquet are told apart by their first bytes, not by their names; only
tables of separated columns need theirs (.csv, .tsv). `tables` reads what is no JSON.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO, NoReturn

from pydantic import JsonValue

from plaudit.formats import tables
from plaudit.schemas.errors import PlauditError, RowError

_BOM = b"\xef\xbb\xbf"
_NUM_START = 4096
_GZIP_MAGIC, _PARQUET_MAGIC = b"\x1f\x8b", b"PAR1"
_NOT_OURS = frozenset({".csv", ".tsv", ".txt", ".xls", ".xlsx", ".ods", ".arrow"})
"""Ends of names that promise what `write_rows` does not write."""


@dataclass(frozen=True, slots=True)
class Located:
    """One object of a file and the line it starts on (in Parquet and Arrow: its row, counted from 1).

    `element` is its index in a JSON list where another element, or the list itself, begins on the same line.
    """

    line: int
    columns: dict[str, JsonValue]
    element: int | None = None


def objects(path: Path) -> Iterator[Located | RowError]:
    """Every object of the file in order; in the place of one that cannot be read, its RowError.

    Blank lines are passed over, a UTF-8 byte order mark is too. Raises PlauditError where the file itself cannot be
    read: missing, a folder that `datasets` did not save, damaged compression.
    """
    if tables.is_saved_dataset(path):
        yield from (Located(*row) for row in tables.arrow_rows(path))
        return
    separator = tables.separator_of(path)
    with _opened(path) as (stream, is_parquet):
        if is_parquet:
            yield from (Located(*row) for row in tables.parquet_rows(path))
            return
        if separator:
            lines = tables.decoded(stream, partial(_not_utf8, path))
            for found in tables.separated_rows(path, lines, separator):
                yield found if isinstance(found, RowError) else Located(*found)
            return
        seen_any = False
        for line, raw in enumerate(stream, start=1):
            raw = raw.removeprefix(_BOM) if line == 1 else raw
            if not raw.strip():
                continue
            if not seen_any and raw.lstrip().startswith(b"["):
                yield from _list_elements(path, line, raw + stream.read())
                return
            seen_any = True
            yield _line_object(path, line, raw)


def read_text(path: Path) -> str:
    """The whole file as UTF-8 text, line ends as they are, a byte order mark dropped. Raises PlauditError, RowError."""
    with _opened(path) as (stream, _):
        raw = stream.read().removeprefix(_BOM)
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _not_utf8(path, 1 + raw.count(b"\n", 0, error.start), raw, error) from error


def text_start(path: Path) -> str:
    """The first few thousand characters of the file, for a look at what it is; what is no UTF-8 is passed over."""
    with _opened(path) as (stream, _):
        return stream.read(_NUM_START).removeprefix(_BOM).decode("utf-8", errors="ignore")


def check_rows_fit(path: Path) -> None:
    """Raises PlauditError where the file's name promises something other than rows of JSON or Parquet."""
    suffix = Path(path.name.removesuffix(".gz")).suffix.lower()
    if suffix in _NOT_OURS:
        raise PlauditError(
            f"{path} would hold rows of JSON under a name that ends in {suffix}: name a file that ends in .jsonl, .json or "
            ".parquet (a table of separated columns is the shape spreadsheet, which reads and writes .csv)"
        )


def write_rows(rows: Iterable[Mapping[str, JsonValue]], path: Path) -> None:
    """Writes one object a line; a JSON list where the name ends in `.json`, Parquet in `.parquet`, gzipped in `.gz`.

    Equal rows give equal bytes. Written beside the target, synced, renamed: a reader finds the old file or the new one.
    Raises PlauditError as `check_rows_fit` does.
    """
    check_rows_fit(path)
    if path.suffix == ".parquet":
        write_bytes(tables.parquet_bytes(rows, path), path)
        return
    lines = [_encoded(row) for row in rows]
    if path.name.removesuffix(".gz").endswith(".json"):
        payload = b"[\n" + b",\n".join(lines) + b"\n]\n"
    else:
        payload = b"".join(line + b"\n" for line in lines)
    write_bytes(payload, path)


def write_bytes(payload: bytes, path: Path) -> None:
    """Puts the bytes at `path` in one step, gzipped where the name ends in `.gz`."""
    if path.suffix == ".gz":
        payload = gzip.compress(payload, mtime=0)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("wb") as file:
            file.write(payload)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise PlauditError(
            f"cannot write {path}: {error.strerror}. Nothing was left behind; free some space or name another place"
        ) from error


def _encoded(row: Mapping[str, JsonValue]) -> bytes:
    try:
        return json.dumps(row, ensure_ascii=False, allow_nan=False).encode()
    except ValueError as error:
        raise PlauditError(
            f"the row with id {row.get('id')!r} cannot be written as JSON ({error}): replace NaN, infinite numbers and "
            "lone surrogates in it"
        ) from error


@contextmanager
def _opened(path: Path) -> Iterator[tuple[BinaryIO, bool]]:
    """The file's bytes, unzipped, and whether they are Parquet's."""
    try:
        with path.open("rb") as file:
            magic = file.read(4)
            file.seek(0)
            if magic.startswith(_GZIP_MAGIC):
                with io.BufferedReader(gzip.open(file, "rb")) as unzipped:
                    yield unzipped, False
            else:
                yield file, magic == _PARQUET_MAGIC
    except FileNotFoundError as error:
        raise PlauditError(f"there is no file {path}: check the name") from error
    except IsADirectoryError as error:
        raise PlauditError(
            f"{path} is a folder without manifest.json or state.json: name a file, a snapshot's folder, or one that "
            "`datasets` saved"
        ) from error
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise PlauditError(f"{path} is a damaged gzip file ({error}): fetch or write it again") from error
    except OSError as error:
        raise PlauditError(f"cannot read {path}: {error.strerror or error}") from error


def _line_object(path: Path, line: int, raw: bytes) -> Located | RowError:
    try:
        value: JsonValue = json.loads(raw.rstrip().decode("utf-8"), parse_constant=_refuse_constant)
    except UnicodeDecodeError as error:
        return _not_utf8(path, line, raw, error)
    except json.JSONDecodeError as error:
        return RowError(str(path), line, "(row)", "a JSON object", f"{error.msg} at column {error.colno}")
    except (ValueError, RecursionError) as error:
        return RowError(str(path), line, "(row)", "a JSON object", str(error))
    return _as_object(path, line, value)


def _as_object(path: Path, line: int, value: JsonValue, element: int | None = None) -> Located | RowError:
    if isinstance(value, dict):
        return Located(line, value, element)
    field = "(row)" if element is None else f"[{element}]"
    return RowError(str(path), line, field, "a JSON object", type(value).__name__)


def _list_elements(path: Path, first_line: int, raw: bytes) -> Iterator[Located | RowError]:
    """The elements of a JSON list. Where its syntax breaks, one RowError ends it: what follows cannot be told apart."""
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        yield _not_utf8(path, first_line + raw.count(b"\n", 0, error.start), raw, error)
        return
    decoder = json.JSONDecoder(parse_constant=_refuse_constant)
    line, counted, index = first_line, 0, 0
    ended = text.index("[") + 1
    position = _after_blanks(text, ended)
    at_end = text[position : position + 1] == "]"
    while not at_end:
        line, counted = line + text.count("\n", counted, position), position
        # Most tools write their list on one line, where the line says nothing.
        element = None if "\n" in text[ended:position] else index
        try:
            value, position = decoder.raw_decode(text, position)
        except (ValueError, RecursionError) as error:
            yield RowError(str(path), line, "(row)", "a JSON object", str(error))
            return
        yield _as_object(path, line, value, element)
        ended, index = position, index + 1
        position = _after_blanks(text, position)
        at_end = text[position : position + 1] == "]"
        if not at_end and text[position : position + 1] != ",":
            line += text.count("\n", counted, position)
            got = repr(text[position : position + 20])
            yield RowError(str(path), line, "(row)", "',' or ']' after the object", got)
            return
        position = position if at_end else _after_blanks(text, position + 1)
    position = _after_blanks(text, position + 1)
    if position < len(text):
        line += text.count("\n", counted, position)
        yield RowError(str(path), line, "(row)", "nothing after the list", repr(text[position : position + 20]))


def _after_blanks(text: str, position: int) -> int:
    while position < len(text) and text[position] in " \t\r\n":
        position += 1
    return position


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name}, which JSON does not have")


def _not_utf8(path: Path, line: int, raw: bytes, error: UnicodeDecodeError) -> RowError:
    column = error.start - raw.rfind(b"\n", 0, error.start)
    return RowError(str(path), line, "(row)", "UTF-8 text", f"byte 0x{raw[error.start]:02x} at column {column}")
