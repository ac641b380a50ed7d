"""The code on docs/feedback.md runs, and every call in its table exists."""

import importlib
import re
from pathlib import Path

import pytest

from plaudit.store import Store, open_store

PAGE = (Path(__file__).parents[2] / "docs" / "feedback.md").read_text(encoding="utf-8")


def test_the_code_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
    exec(compile(code, "docs/feedback.md", "exec"), {})
    printed = capsys.readouterr().out.split()
    assert printed[:5] == ["Why", "is", "the", "sky", "blue?"]
    assert printed[-1] == "ann"


def test_the_calls_in_the_table_exist(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path / 'x.db'}")
    rows = [line.split("|")[1] for line in PAGE.splitlines() if line.startswith("| `")]
    for row in rows:
        names = [name.split("(")[0] for name in re.findall(r"`([^`]+)`", row)]
        owner = names[0].rpartition(".")[0]
        for name in names:
            place, _, last = name.rpartition(".")
            assert exists(store, place or owner, last), name
    store.close()


def exists(store: Store, place: str, name: str) -> bool:
    if not place:
        return name == open_store.__name__
    if place.startswith("plaudit"):
        return name in vars(importlib.import_module(place))
    return callable(getattr(getattr(store, place), name))
