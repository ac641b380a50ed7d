"""Languages told by our own rule, on published sentences, and by lingua, which is optional. test_instructions.py has more."""

from __future__ import annotations

import builtins
import os
import random
from collections import Counter
from pathlib import Path

import pytest

from plaudit.rules import languages
from plaudit.rules.languages import detected_language, language_of
from plaudit.schemas.errors import PlauditError


def test_published_sentences_are_told_apart() -> None:
    """300 pairs: every Chinese sentence is told; of the English ones hardly any is taken for another language."""
    folder = os.environ.get("PLAUDIT_DATA")
    if not folder:
        pytest.skip("set PLAUDIT_DATA to the folder of data sets")
    lines = (Path(folder) / "tatoeba-en-zh" / "cmn.txt").read_text(encoding="utf-8").splitlines()
    rows = [line.split("\t") for line in random.Random(0).sample(lines, 300)]
    assert Counter(language_of(row[1]) for row in rows) == {"zh": 300}
    english = Counter(language_of(row[0]) for row in rows)
    assert english["en"] >= 200
    assert english["en"] + english[None] >= 298


def test_lingua_tells_what_little_words_leave_open() -> None:
    pytest.importorskip("lingua", reason="pip install 'plaudit[language]'")
    assert language_of("Guten Morgen, Nachbar") is None
    assert detected_language("Guten Morgen, Nachbar") == "de"
    assert detected_language("潮水是什么？") == "zh"
    assert detected_language("1 + 2") is None


def test_where_lingua_is_missing_the_error_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without_lingua(name: str, *arguments: object, **keywords: object) -> object:
        if name == "lingua":
            raise ImportError("No module named 'lingua'")
        return real(name, *arguments, **keywords)

    languages._lingua.cache_clear()
    monkeypatch.setattr(builtins, "__import__", without_lingua)
    with pytest.raises(PlauditError, match=r"pip install 'plaudit\[language\]'.*`own`"):
        detected_language("Hello")
