"""Texts with a label and no prompt: lines of `NAME.pos` and `NAME.neg`, or the folders of a zip archive. Only read.

    rt-polarity.pos                one text a line, labelled "pos"
    movie_reviews.zip: neg/a.txt   one text a file, labelled by its folder

A text becomes a Document with its label in `extra`. It is no Rating: the label says what the text thinks of a film, not what
a person thinks of the text as an answer, and a trainer on ratings would learn to please by praising.

What is no UTF-8 is read as Latin-1, in which Pang and Lee's sentences are published.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from plaudit.formats.columns import AS_NAMED, Columns
from plaudit.formats.jsonl import Located
from plaudit.formats.plain import records_of
from plaudit.formats.rows import Dropped, Item, items_of
from plaudit.schemas.errors import PlauditError

_POLARITIES = {".pos", ".neg"}


def is_labelled(path: Path) -> bool:
    """Whether the file's name is that of labelled texts."""
    return path.suffix in _POLARITIES or path.suffix == ".zip"


def labelled_items(path: Path, named: Columns = AS_NAMED) -> Iterator[Item]:
    """The file's documents; a file of an archive that is no text in a folder is left out."""
    try:
        if path.suffix == ".zip":
            yield from _archived(path, named)
        else:
            yield from items_of(_lines(path), path, records_of, named)
    except FileNotFoundError as error:
        raise PlauditError(f"there is no file {path}: check the name") from error
    except OSError as error:
        raise PlauditError(f"cannot read {path}: {error.strerror or error}") from error


def _lines(path: Path) -> Iterator[Located]:
    for number, line in enumerate(_text(path.read_bytes()).split("\n"), start=1):
        if line.strip():
            yield Located(number, {"text": line.removesuffix("\r"), "label": path.suffix.removeprefix(".")})


def _archived(path: Path, named: Columns) -> Iterator[Item]:
    try:
        with zipfile.ZipFile(path) as archive:
            files = [member for member in archive.infolist() if not member.is_dir()]
            texts = [member for member in files if _is_labelled_text(member.filename)]
            yield from (
                Dropped("file of the archive that is no .txt in a folder") for _ in range(len(files) - len(texts))
            )
            rows = (_row(archive, member, number) for number, member in enumerate(texts, start=1))
            yield from items_of(rows, path, records_of, named)
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError) as error:
        raise PlauditError(f"{path} is a damaged or locked zip archive ({error}): fetch it again") from error


def _is_labelled_text(name: str) -> bool:
    path = PurePosixPath(name)
    return path.suffix == ".txt" and bool(path.parent.name)


def _row(archive: zipfile.ZipFile, member: zipfile.ZipInfo, number: int) -> Located:
    label = PurePosixPath(member.filename).parent.name
    return Located(number, {"text": _text(archive.read(member)), "label": label, "file": member.filename})


def _text(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")
