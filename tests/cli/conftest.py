"""A person at the command line: words in, status and two streams out."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from plaudit.cli.main import main

NUM_ROWS = 12
FAST = ("--train.num-upper", "1", "--epochs.num-epochs", "1")
"""Flags that keep a run on `tiny` under a second."""
FEW_ANSWERS = (
    *("--train.num-upper", "1", "--num-steps", "2", "--num-minibatches", "2"),
    *("--experience.prompts-per-step", "4", "--experience.answers-per-prompt", "2"),
    *("--experience.sampling.max-new-tokens", "6"),
)


@dataclass(frozen=True)
class Outcome:
    """What a command left behind on the terminal."""

    status: int
    out: str
    err: str

    def refused(self) -> str:
        """The one message of a command that was refused."""
        assert (self.status, self.out) == (2, ""), self
        return self.err


Plaudit = Callable[..., Outcome]


@pytest.fixture
def plaudit(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Plaudit:
    """The real `plaudit` in a folder of its own. Never with a traceback."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")

    def run(*words: object) -> Outcome:
        capsys.readouterr()
        status = main([str(word) for word in words])
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err + captured.out
        return Outcome(status, captured.out, captured.err)

    return run


def write_rows(path: Path, *rows: object) -> Path:
    """A JSONL file of the rows."""
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    return path


@pytest.fixture
def demonstrations(tmp_path: Path) -> Path:
    rows = [{"prompt": f"question {i}", "completion": f"answer {i % 3}"} for i in range(NUM_ROWS)]
    return write_rows(tmp_path / "demonstrations.jsonl", *rows)


@pytest.fixture
def rankings(tmp_path: Path) -> Path:
    rows = [
        {"prompt": f"question {i}", "completions": ["aa", "bb", "ccc"], "ranks": [i % 3, (i + 1) % 3, (i + 2) % 3]}
        for i in range(NUM_ROWS)
    ]
    return write_rows(tmp_path / "rankings.jsonl", *rows)


@pytest.fixture
def prompts(tmp_path: Path) -> Path:
    return write_rows(tmp_path / "prompts.jsonl", *({"prompt": f"new {i}", "harbour": i} for i in range(6)))


@dataclass(frozen=True)
class Trained:
    """Models made by `plaudit` from `tiny`."""

    sft: Path
    reward: Path


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    folder = tmp_path_factory.mktemp("trained")
    demonstrations = write_rows(
        folder / "d.jsonl", *({"prompt": f"question {i}", "completion": "yes"} for i in range(8))
    )
    rankings = write_rows(
        folder / "r.jsonl", *({"prompt": f"asked {i}", "completions": ["aa", "b"], "ranks": [0, 1]} for i in range(8))
    )
    sft, reward = folder / "sft", folder / "reward"
    assert main(["sft", "--data", str(demonstrations), "--model", "tiny", "--out", str(sft), *FAST]) == 0
    words = ["reward", "--data", str(rankings), "--model", str(sft / "model"), "--out", str(reward), *FAST]
    assert main(words) == 0
    return Trained(sft / "model", reward / "model")
