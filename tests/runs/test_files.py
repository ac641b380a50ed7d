"""JSON on disk is valid, whole or absent, and a full disk is explained."""

import errno
import json
import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np
import pytest

from plaudit.runs.files import append_jsonl, as_json, cut_after_step, read_metrics, replace_file, write_json
from plaudit.schemas.conversation import user
from plaudit.schemas.errors import PlauditError, RowError

FULL = Path("/dev/full")


class Colour(StrEnum):
    RED = "red"


@dataclass(frozen=True, slots=True)
class Point:
    x: float
    where: Path


def no_space(*_: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def strict(text: str) -> object:
    """The text as JSON, refusing the NaN and Infinity that Python's own reader would let through."""

    def refuse(constant: str) -> None:
        raise AssertionError(f"not JSON: {constant}")

    return json.loads(text, parse_constant=refuse)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (math.nan, "nan"),
        (math.inf, "inf"),
        (-math.inf, "-inf"),
        (np.float32(0.5), 0.5),
        (np.int64(3), 3),
        (True, True),
        (Colour.RED, "red"),
        (Path("a/b"), "a/b"),
        ((1, None), [1, None]),
        (Point(math.inf, Path("c")), {"x": "inf", "where": "c"}),
        (user("hi"), {"role": "user", "content": "hi"}),
        ({1: {"a": math.nan}}, {"1": {"a": "nan"}}),
    ],
)
def test_values_become_plain_json(value: object, expected: object) -> None:
    assert as_json(value) == expected
    assert type(as_json(value)) is type(expected)


def test_what_json_cannot_carry_is_refused_by_name() -> None:
    with pytest.raises(TypeError, match="ndarray"):
        as_json({"a": np.zeros(2)})


def test_write_json_writes_strict_json(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"kl": math.nan, "text": "好"})
    text = (tmp_path / "a.json").read_text(encoding="utf-8")
    assert strict(text) == {"kl": "nan", "text": "好"}
    assert "好" in text


def test_a_crash_while_writing_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_json(path, {"a": 1})

    def torn() -> Iterator[bytes]:
        yield b'{"a": '
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        replace_file(path, torn())
    assert json.loads(path.read_text()) == {"a": 1}
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.json"]


def test_a_reader_of_the_old_file_keeps_it_whole(tmp_path: Path) -> None:
    """The new file is another one: whoever has the old one open (here: a second name) never sees it half-changed."""
    path = tmp_path / "a.json"
    write_json(path, {"a": 1})
    os.link(path, tmp_path / "still-open")
    write_json(path, {"a": 2})
    assert json.loads((tmp_path / "still-open").read_text()) == {"a": 1}
    assert json.loads(path.read_text()) == {"a": 2}


def test_a_full_disk_keeps_the_old_file_and_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.json"
    write_json(path, {"a": 1})
    monkeypatch.setattr(os, "fsync", no_space)
    with pytest.raises(PlauditError, match=r"a\.json: No space left.*Free some space.*--resume"):
        write_json(path, {"a": 2})
    assert json.loads(path.read_text()) == {"a": 1}
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.json"]


@pytest.mark.skipif(not FULL.exists(), reason="needs /dev/full (Linux)")
def test_a_full_disk_stops_an_append(tmp_path: Path) -> None:
    (tmp_path / "metrics.jsonl").symlink_to(FULL)
    with pytest.raises(PlauditError, match=r"metrics\.jsonl: No space left"):
        append_jsonl(tmp_path / "metrics.jsonl", [{"step": 1}])


def test_other_errors_stay_what_they_are(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write_json(tmp_path / "missing" / "a.json", {})


def test_an_append_that_fails_leaves_no_torn_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "m.jsonl"
    append_jsonl(path, [{"step": 1}])
    before = path.read_bytes()
    opened = Path.open

    class Torn:
        """Writes half a line, as a disk does that fills up."""

        def __enter__(self) -> "Torn":
            return self

        def __exit__(self, *_: object) -> None:
            return None

        def writelines(self, lines: list[bytes]) -> None:
            with opened(path, "ab") as file:
                file.write(lines[0][:3])
            no_space()

    monkeypatch.setattr(Path, "open", lambda *_: Torn())
    with pytest.raises(PlauditError):
        append_jsonl(path, [{"step": 2}])
    monkeypatch.undo()
    assert path.read_bytes() == before


def test_metrics_read_back_as_numbers(tmp_path: Path) -> None:
    path = tmp_path / "m.jsonl"
    append_jsonl(path, [{"step": 1, "a": math.nan, "b": -math.inf}, {"step": 2, "a": 0.1}])
    with path.open("ab") as file:
        file.write(b'{"step": 3, "a"')
    for line in path.read_text().splitlines()[:2]:
        strict(line)
    first, second = read_metrics(path)
    assert first["step"] == 1
    assert math.isnan(first["a"])
    assert first["b"] == -math.inf
    assert second == {"step": 2, "a": 0.1}


def test_cutting_keeps_the_step_itself_and_drops_a_torn_line(tmp_path: Path) -> None:
    path = tmp_path / "m.jsonl"
    path.write_bytes(b'{"step": 1}\n{"step": 3}\n{"step": 2}\n{"st')
    cut_after_step(path, 2)
    assert path.read_bytes() == b'{"step": 1}\n{"step": 2}\n'
    cut_after_step(path, 0)
    assert path.read_bytes() == b""


def test_cutting_a_missing_file_makes_none(tmp_path: Path) -> None:
    cut_after_step(tmp_path / "m.jsonl", 2)
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("line", ["oops", "[1]", '{"a": 1}', '{"step": "1"}'])
def test_a_line_that_is_no_row_is_named_and_nothing_is_cut(tmp_path: Path, line: str) -> None:
    path = tmp_path / "m.jsonl"
    text = f'{{"step": 1}}\n{line}\n{{"step": 9}}\n'
    path.write_text(text)
    with pytest.raises(RowError, match=r"m\.jsonl:2"):
        cut_after_step(path, 1)
    assert path.read_text() == text
