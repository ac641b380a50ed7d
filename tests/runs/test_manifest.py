"""The manifest knows the code and the machine without importing what it lists."""

import platform
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import plaudit
from plaudit.runs import manifest
from plaudit.runs.manifest import code_revision, installed_versions, read_manifest
from plaudit.schemas.errors import PlauditError

needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="needs git on the path")


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
    command = ["git", *identity, "-C", str(folder), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """plaudit, as far as its file's place goes, in a repository of its own that does not hold it yet."""
    folder = tmp_path / "plaudit"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    monkeypatch.setattr(plaudit, "__file__", str(folder / "__init__.py"))
    git(tmp_path, "init", "-q")
    return folder


@needs_git
def test_the_revision_is_the_commit_and_says_when_files_differ(package: Path) -> None:
    git(package, "add", ".")
    git(package, "commit", "-q", "-m", "first")
    revision = git(package, "rev-parse", "HEAD")
    assert len(revision) == 40
    assert code_revision() == revision
    (package / "new.py").write_text("")
    assert code_revision() == f"{revision}+changes"


@needs_git
def test_the_revision_of_somebody_elses_repository_is_not_ours(package: Path) -> None:
    (package.parent / "other.txt").write_text("")
    git(package.parent, "add", "other.txt")
    git(package.parent, "commit", "-q", "-m", "theirs")
    assert code_revision() is None


def test_without_git_there_is_no_revision(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert code_revision() is None


def test_versions_are_those_of_the_running_libraries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manifest, "PACKAGES", ("numpy", "no-such-package"))
    expected = {"python": platform.python_version(), "plaudit": plaudit.__version__, "numpy": np.__version__}
    assert installed_versions() == expected


def test_the_room_and_its_versions_load_no_torch() -> None:
    code = (
        "import sys, plaudit.runs as r, plaudit.runs.metric_names; r.installed_versions();"
        "sys.exit(sorted({'torch', 'transformers'} & sys.modules.keys()) != [])"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("text", [None, "{", '{"command": "sft"}'])
def test_a_folder_of_something_else_is_no_run(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(PlauditError, match="not the manifest of a plaudit run"):
        read_manifest(tmp_path / "manifest.json")
