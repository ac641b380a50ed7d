"""Reading snapshots back, and refusing those that have changed."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from plaudit.formats import Shape, open_records, snapshot
from plaudit.schemas.errors import PlauditError
from plaudit.schemas.feedback import Document

LINES = (
    b'{"kind": "document", "id": "d1", "source": "s", "text": "one"}\n{"kind": "document", "id": "d2", "text": "two"}\n'
)


def make(folder: Path, **changes: object) -> Path:
    """A snapshot written by hand, so that these tests do not lean on the maker."""
    folder.mkdir(exist_ok=True)
    (folder / "document.jsonl").write_bytes(LINES)
    digest = hashlib.sha256(LINES).hexdigest()
    file = {"name": "document.jsonl", "kind": "document", "num_rows": 2, "sha256": digest} | changes
    pairs = json.dumps([[file["name"], file["sha256"]]], separators=(",", ":"))
    content = {"id": hashlib.sha256(pairs.encode()).hexdigest(), "files": [file], "sources": ["s"]}
    (folder / "manifest.json").write_text(json.dumps(content))
    return folder


def test_the_records_come_back(tmp_path: Path) -> None:
    folder = make(tmp_path / "snap")
    records = open_records(folder)
    assert records.shape is Shape.SNAPSHOT
    assert [record.text for record in records.of(Document)] == ["one", "two"]
    assert snapshot.read_manifest(folder).sources == ("s",)


def test_a_changed_file_is_refused_before_its_first_row(tmp_path: Path) -> None:
    folder = make(tmp_path / "snap")
    (folder / "document.jsonl").write_bytes(LINES.replace(b"two", b"too"))
    with pytest.raises(PlauditError, match=r"document\.jsonl has changed since the snapshot was made"):
        next(snapshot.read(folder))
    with pytest.raises(PlauditError, match="has changed"):
        open_records(folder, on_error="skip")


@pytest.mark.parametrize("changes", [{"num_rows": 3}, {"kind": "prompt"}])
def test_a_manifest_that_promises_something_else_is_refused(tmp_path: Path, changes: dict[str, object]) -> None:
    with pytest.raises(PlauditError, match="rows its manifest promises"):
        open_records(make(tmp_path / "snap", **changes))


def test_a_manifest_whose_files_do_not_make_up_its_id_is_refused(tmp_path: Path) -> None:
    folder = make(tmp_path / "snap")
    changed = LINES.replace(b"two", b"too")
    (folder / "document.jsonl").write_bytes(changed)
    text = (folder / "manifest.json").read_text()
    old, new = (hashlib.sha256(lines).hexdigest() for lines in (LINES, changed))
    (folder / "manifest.json").write_text(text.replace(old, new))
    with pytest.raises(PlauditError, match="names files that do not make up"):
        open_records(folder)


def test_missing_and_broken_parts(tmp_path: Path) -> None:
    folder = make(tmp_path / "snap")
    (folder / "document.jsonl").unlink()
    with pytest.raises(PlauditError, match="cannot be read"):
        open_records(folder)
    (folder / "manifest.json").write_text("{}")
    with pytest.raises(PlauditError, match="no snapshot's manifest"):
        open_records(folder)
    with pytest.raises(PlauditError, match=r"no snapshot: it has no manifest\.json"):
        open_records(tmp_path, shape="snapshot")


def test_a_file_outside_the_folder_is_refused(tmp_path: Path) -> None:
    folder = make(tmp_path / "snap", name="../document.jsonl")
    (tmp_path / "document.jsonl").write_bytes(LINES)
    with pytest.raises(PlauditError, match="outside"):
        open_records(folder)
