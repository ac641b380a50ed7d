"""Files for the readers: golden ones written for these tests, real ones where $PLAUDIT_DATA names them."""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

GOLDEN = Path(__file__).parent / "golden"


def changed(row: dict[str, Any], place: Sequence[Any], value: object) -> dict[str, Any]:
    """A copy of the row with another value at this place, given by keys and positions from the outside in."""
    copied = copy.deepcopy(row)
    at: Any = copied
    for key in place[:-1]:
        at = at[key]
    at[place[-1]] = value
    return copied


@pytest.fixture
def golden() -> Path:
    return GOLDEN


@pytest.fixture
def written(tmp_path: Path) -> Callable[..., Path]:
    """Makes a JSONL file of the given objects (or raw text lines) and returns its path."""

    def write(*rows: object, name: str = "rows.jsonl") -> Path:
        path = tmp_path / name
        lines = [row if isinstance(row, str) else json.dumps(row, ensure_ascii=False) for row in rows]
        path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
        return path

    return write


@pytest.fixture
def real_data() -> Path:
    """The folder of real data sets; the test is skipped where none is named."""
    folder = os.environ.get("PLAUDIT_DATA")
    if not folder:
        pytest.skip("PLAUDIT_DATA is unset: set it to the folder of real data sets to run this")
    return Path(folder)
