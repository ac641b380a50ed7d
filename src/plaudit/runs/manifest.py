"""What a run was made of: code, versions, machine, command line, seed, data and parent."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

import plaudit
from plaudit.schemas.conversation import Frozen
from plaudit.schemas.errors import PlauditError

PACKAGES = ("torch", "transformers", "tokenizers", "peft", "safetensors", "numpy", "scipy")

Status = Literal["running", "finished", "stopped", "interrupted", "failed"]
"""`stopped`: a guard ended it; `interrupted`: a person did. A run that says `running` and is not has crashed."""


class Start(Frozen):
    """One process that worked on the run: the first, and one more for every resumption."""

    at: str
    argv: tuple[str, ...]
    revision: str | None
    versions: dict[str, str]
    platform: str
    num_cpus: int
    device: str


class Manifest(Frozen):
    """`manifest.json` of a run folder. Times are ISO 8601 in UTC; `parent` names the run this one started from."""

    format_version: int = 1
    command: str
    seed: int
    status: Status
    snapshots: tuple[str, ...] = ()
    parent: str | None = None
    starts: tuple[Start, ...]
    ended_at: str | None = None


def read_manifest(path: Path) -> Manifest:
    """The manifest at `path`. Raises PlauditError where it cannot be read as one."""
    try:
        return Manifest.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise PlauditError(f"{path} is not the manifest of a plaudit run: {error}. Give the folder of a run") from error


def start_now(device: str) -> Start:
    """The present process, as the manifest describes it."""
    return Start(
        at=utc_now(),
        argv=tuple(sys.argv),
        revision=code_revision(),
        versions=installed_versions(),
        platform=platform.platform(),
        num_cpus=os.cpu_count() or 1,
        device=device,
    )


def utc_now() -> str:
    """The time, as ISO 8601 in UTC to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def installed_versions() -> dict[str, str]:
    """The versions of Python, plaudit and the libraries that move its numbers, read without importing them."""
    versions = {"python": platform.python_version(), "plaudit": plaudit.__version__}
    for package in PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return versions


def code_revision() -> str | None:
    """The commit of plaudit's code, with "+changes" where files differ from it; None where git does not hold it."""
    source = Path(plaudit.__file__)
    # A package installed below somebody else's repository must not be given that repository's revision.
    if _git(source.parent, "ls-files", "--error-unmatch", source.name) is None:
        return None
    revision = _git(source.parent, "rev-parse", "HEAD")
    return f"{revision}+changes" if revision and _git(source.parent, "status", "--porcelain", ".") else revision


def _git(folder: Path, *arguments: str) -> str | None:
    command = ["git", "-C", str(folder), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
