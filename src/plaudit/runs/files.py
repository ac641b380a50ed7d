"""JSON on disk: written whole or not at all, valid for every reader, and clear about a full disk."""

from __future__ import annotations

import dataclasses
import errno
import json
import math
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from enum import Enum
from numbers import Integral, Real
from pathlib import Path
from typing import cast

from pydantic import BaseModel, JsonValue

from plaudit.schemas.errors import PlauditError, RowError


def as_json(value: object) -> JsonValue:
    """`value` as plain JSON: records and dataclasses become objects, paths text, NaN "nan", infinities "inf", "-inf".

    JSON has no word for the last three, and most readers refuse the `NaN` that Python's writer would put. NumPy's
    numbers count as numbers. Raises TypeError for anything else, tensors included.
    """
    match value:
        case Enum():
            return as_json(value.value)
        case None | bool() | str():
            return value
        case Integral():
            return int(value)
        case Real():
            number = float(value)
            return number if math.isfinite(number) else str(number)
        case Path():
            return str(value)
        case BaseModel():
            return as_json(value.model_dump())
        case Mapping():
            return {str(as_json(key)): as_json(item) for key, item in value.items()}
        case list() | tuple():
            return [as_json(item) for item in value]
        case _ if dataclasses.is_dataclass(value) and not isinstance(value, type):
            return as_json(dataclasses.asdict(value))
    raise TypeError(f"cannot write {type(value).__name__} as JSON: turn it into a number, text, list or mapping first")


@contextmanager
def full_disk_explained(path: Path) -> Iterator[None]:
    """Turns "no space left" and "quota exceeded" while writing `path` into a PlauditError; other errors pass."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise PlauditError(
            f"cannot write {path}: {os.strerror(error.errno)} ({_free_mb(path):.0f} MB free). What was written "
            "before is intact. Free some space (old checkpoints are the largest files), then continue with --resume"
        ) from error


def replace_file(path: Path, chunks: Iterable[bytes]) -> None:
    """Puts the chunks at `path` in one step: a reader finds the old file or the new one, even after a crash.

    Written beside it, synced, renamed. Raises PlauditError where the disk is full.
    """
    partial = path.with_name(f".{path.name}.partial")
    with full_disk_explained(path):
        try:
            with partial.open("wb") as file:
                file.writelines(chunks)
                file.flush()
                os.fsync(file.fileno())
            partial.replace(path)
            sync_folder(path.parent)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise


def write_json(path: Path, value: object) -> None:
    """Writes `as_json(value)`, indented, in one step (see `replace_file`)."""
    text = json.dumps(as_json(value), indent=2, ensure_ascii=False, allow_nan=False)
    replace_file(path, [text.encode(), b"\n"])


def append_jsonl(path: Path, rows: Iterable[Mapping[str, object]]) -> None:
    """Appends one line a row, all of them or none. Raises PlauditError where the disk is full."""
    lines = [json.dumps(as_json(row), ensure_ascii=False, allow_nan=False).encode() + b"\n" for row in rows]
    with full_disk_explained(path):
        size = path.stat().st_size if path.exists() else 0
        try:
            with path.open("ab") as file:
                file.writelines(lines)
        except OSError:
            with suppress(OSError):
                os.truncate(path, size)
            raise


def cut_after_step(path: Path, step: int) -> None:
    """Removes the lines of later steps from a JSONL file whose rows carry `step`, and a last line a crash left torn.

    Raises RowError for any other line that is no such row.
    """
    if path.exists():
        replace_file(path, _lines_until(path, step))


def _lines_until(path: Path, step: int) -> Iterator[bytes]:
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if not line.endswith(b"\n"):
                return
            try:
                row = json.loads(line)
            except ValueError as error:
                raise RowError(str(path), number, "(line)", "JSON", str(error)) from error
            if not isinstance(row, dict) or not isinstance(row.get("step"), int):
                raise RowError(str(path), number, "step", "a whole number", repr(line[:80]))
            if row["step"] <= step:
                yield line


def read_metrics(path: Path) -> list[dict[str, float]]:
    """The rows of a metrics.jsonl, "nan" and "inf" as numbers again; a last line still being written is left out."""
    rows = cast("list[dict[str, float | str]]", read_json_lines(path))
    return [{name: float(value) for name, value in row.items()} for row in rows]


def read_json_lines(path: Path) -> list[dict[str, JsonValue]]:
    """The rows of a JSONL file; a last line still being written is left out."""
    return [json.loads(line) for line in path.read_bytes().split(b"\n")[:-1]]


def under_dotted_names(values: Mapping[str, JsonValue], prefix: str = "") -> Iterator[tuple[str, JsonValue]]:
    """The entries of an object and of those in it: {"a": {"b": 1}} gives ("a.b", 1). An empty object is an entry itself."""
    for name, value in values.items():
        if isinstance(value, dict) and value:
            yield from under_dotted_names(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def sync_folder(folder: Path) -> None:
    """Makes a rename survive a power cut; some file systems (network shares) refuse to sync a folder."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _free_mb(path: Path) -> float:
    try:
        return shutil.disk_usage(path.parent).free / 1e6
    except OSError:
        return 0.0
