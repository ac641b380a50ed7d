"""The entry: commands found, errors explained, statuses, and what is not imported."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

import plaudit as package
from plaudit.checkpoints import load_checkpoint
from plaudit.cli import main as entry
from plaudit.cli.interrupts import heard_interrupts
from plaudit.cli.main import COMMANDS, command_class, explained, main
from plaudit.schemas.errors import PlauditError
from tests.cli.conftest import FEW_ANSWERS, Plaudit, write_rows

PLAUDIT = [sys.executable, "-c", "import sys; from plaudit.cli.main import main; sys.exit(main())"]


def test_help_lists_every_command(plaudit: Plaudit) -> None:
    for words in ((), ("--help",), ("-h",), ("help",)):
        outcome = plaudit(*words)
        assert (outcome.status, outcome.err) == (0, "")
        for name, summary in COMMANDS.items():
            assert f"{name} " in outcome.out
            assert summary in outcome.out
    assert "data check" in plaudit("data").out
    assert "sft" not in plaudit("data", "--help").out
    assert plaudit("--version").out == f"plaudit {package.__version__}\n"


@pytest.mark.parametrize(("word", "nearest"), [("stf", "sft"), ("samples", "sample"), ("data chek", "data check")])
def test_an_unknown_command_is_answered_with_the_nearest(plaudit: Plaudit, word: str, nearest: str) -> None:
    assert f"there is no command {word!r}; the nearest is {nearest!r}" in plaudit(*word.split()).refused()


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(plaudit: Plaudit, name: str) -> None:
    outcome = plaudit(*name.split(), "--help")
    assert (outcome.status, outcome.err) == (0, "")
    assert f"usage: plaudit {name} " in outcome.out


def test_help_and_data_load_no_torch(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "d.jsonl", {"prompt": "q", "completion": "a"})
    code = (
        "import sys\nfrom plaudit.cli.main import main\n"
        f"assert main(['--help']) == main(['data', 'check', {str(path)!r}]) == main(['data', 'show', {str(path)!r}]) == 0\n"
        "assert main(['sfft']) == 2\n"
        "sys.exit(str({'torch', 'transformers', 'jaxtyping', 'scipy', 'matplotlib'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr.splitlines()[-1] == "set()"


@dataclass(frozen=True)
class Failing:
    """A command that fails."""

    error: BaseException

    def run(self) -> int:
        raise self.error


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch, plaudit: Plaudit) -> Plaudit:
    """Runs a command that raises what it is given."""

    def run(error: BaseException) -> object:
        monkeypatch.setattr(entry, "parsed", lambda *_, **__: Failing(error))
        monkeypatch.setattr(entry, "_drop_output", lambda: None)
        return plaudit("doctor")

    return run


@pytest.mark.parametrize(
    ("error", "status", "words"),
    [
        (PlauditError("the cat sat on it: move the cat"), 2, ["plaudit: the cat sat on it: move the cat"]),
        (MemoryError(), 2, ["out of memory", "micro-batch-size", "plaudit doctor"]),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"), 2, ["out of memory"]),
        (RuntimeError("CUDA out of memory. Tried to allocate 2 GiB"), 2, ["out of memory"]),
        (PermissionError(errno.EACCES, "Permission denied", "x.jsonl"), 2, ["plaudit: Permission denied: x.jsonl"]),
        (RuntimeError("shapes differ\nmore"), 1, ["RuntimeError: shapes differ", "PLAUDIT_DEBUG=1", "report"]),
        (AssertionError(), 1, ["AssertionError: no message"]),
        (KeyboardInterrupt(), 130, ["interrupted"]),
        (BrokenPipeError(), 141, []),
    ],
)
def test_errors_become_one_message(failing: Plaudit, error: BaseException, status: int, words: list[str]) -> None:
    outcome = failing(error)
    assert (outcome.status, outcome.out) == (status, "")
    assert all(word in outcome.err for word in words)
    assert bool(outcome.err) == bool(words)
    assert outcome.err.count("\n") <= 2


def test_a_user_who_debugs_gets_the_traceback(failing: Plaudit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLAUDIT_DEBUG", "1")
    with pytest.raises(RuntimeError, match="shapes differ"):
        failing(RuntimeError("shapes differ"))


def test_only_memory_errors_are_told_as_such() -> None:
    assert explained(RuntimeError("a memory of the sea"))[1] == 1
    assert "out of memory" not in explained(PlauditError("the queue is out of memory cards"))[0].split(":")[0]


def test_a_broken_pipe_is_silent(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "d.jsonl", *({"prompt": "q", "completion": f"a{i}"} for i in range(2000)))
    with subprocess.Popen(
        [*PLAUDIT, "data", "show", str(path), "--num", "2000"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.read(10)
        process.stdout.close()
        assert (process.stderr.read(), process.wait(60)) == (b"", 141)


def test_ctrl_c_says_where_the_last_checkpoint_is(tmp_path: Path) -> None:
    prompts = write_rows(tmp_path / "p.jsonl", *({"prompt": f"new {i}"} for i in range(4)))
    (tmp_path / "r.py").write_text("def brief(prompts, completions):\n    return [-len(c) for c in completions]\n")
    words = ["ppo", "--data", str(prompts), "--model", "tiny", "--reward-function", "r.py:brief", "--out", "run"]
    steps = ["--num-steps", "100000", "--checkpoint-every", "1"]
    with subprocess.Popen(
        [*PLAUDIT, *words, *FEW_ANSWERS, *steps], cwd=tmp_path, stderr=subprocess.PIPE, text=True
    ) as process:
        checkpoints = tmp_path / "run" / "checkpoints"
        deadline = time.monotonic() + 90
        while not list(checkpoints.glob("step-*")):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in err
    latest = max(checkpoints.glob("step-*"))
    assert f"The last checkpoint is run/checkpoints/{latest.name}: continue with `plaudit ppo --resume run`" in err
    load_checkpoint(latest)
    assert '"interrupted"' in (tmp_path / "run" / "manifest.json").read_text()


class _Dropped:
    """Ctrl-C falls while this object is being cleared away, where Python ignores what is raised."""

    def __del__(self) -> None:
        raise KeyboardInterrupt


def _clear_away() -> None:
    dropped = _Dropped()
    del dropped


@heard_interrupts()
def _interrupted_while_clearing_away() -> None:
    _clear_away()
    time.sleep(60)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_ctrl_c_in_a_destructor_is_heard_all_the_same() -> None:
    begun = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        _interrupted_while_clearing_away()
    assert time.monotonic() - begun < 30


def test_other_errors_in_destructors_are_told_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[object] = []

    def hook(dropped: object) -> None:
        told.append(dropped)

    monkeypatch.setattr(sys, "unraisablehook", hook)
    monkeypatch.setattr(_Dropped, "__del__", lambda _: 1 / 0)
    with heard_interrupts():
        _clear_away()
    assert len(told) == 1
    assert sys.unraisablehook is hook


def test_ctrl_c_during_a_long_import_is_no_traceback(monkeypatch: pytest.MonkeyPatch, plaudit: Plaudit) -> None:
    def interrupted(name: str) -> type:
        raise KeyboardInterrupt

    monkeypatch.setattr(entry, "command_class", interrupted)
    outcome = plaudit("sft", "--help")
    assert (outcome.status, outcome.err) == (130, "interrupted\n")


def test_every_command_in_the_list_has_a_class_and_no_other() -> None:
    assert {name: command_class(name).__name__ for name in COMMANDS}
    with pytest.raises(ValueError, match="there is no command 'serve'"):
        command_class("serve")


def test_main_reads_the_process_arguments(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["plaudit", "--version"])
    assert main() == 0
    assert capsys.readouterr().out.startswith("plaudit ")
    assert os.environ.get("PLAUDIT_DEBUG") is None
