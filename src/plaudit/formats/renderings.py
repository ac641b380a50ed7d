"""A text and what people made of it: tasks with inputs and outputs, summaries, translations. Only read.

    Self-Instruct   {"instruction", "instances": [{"input", "output"}, ...]}    -> a Demonstration an instance
    SciTLDR         {"source": [sentence, ...], "target": [summary, ...]}       -> a Demonstration a summary
    Tatoeba         English TAB Chinese TAB attribution, a pair a line          -> Demonstration

Several demonstrations of one row share its weight, and their ids end in their place. No words are put around a text to
summarise or translate; an input template does that.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from pydantic import JsonValue

from plaudit.formats.columns import AS_NAMED, Columns
from plaudit.formats.jsonl import Located, read_text, text_start
from plaudit.formats.messages import MisfitError, shown
from plaudit.formats.rows import Item, Row, items_of, own
from plaudit.schemas.conversation import assistant, user
from plaudit.schemas.errors import RowError
from plaudit.schemas.feedback import AnyRecord, Demonstration

_TATOEBA = re.compile(r"[^\t\n]+\t[^\t\n]+\t[^\t\n]*tatoeba\.org[^\t\n]*\n")


def recognises_instances(columns: Mapping[str, JsonValue]) -> bool:
    """Whether a row has Self-Instruct's shape."""
    return columns.keys() >= {"instruction", "instances"}


def recognises_scitldr(columns: Mapping[str, JsonValue]) -> bool:
    """Whether a row has SciTLDR's shape."""
    return isinstance(columns.get("source"), list) and isinstance(columns.get("target"), list)


def is_tatoeba(path: Path) -> bool:
    """Whether the file begins with a pair of sentences and where Tatoeba has them from."""
    return _TATOEBA.match(text_start(path)) is not None


def instances_records(row: Row) -> list[AnyRecord]:
    """The demonstrations of one task. A non-empty input follows the instruction on its own line and stays in `extra`."""
    instruction, instances = row.text("instruction"), row.items("instances")
    if not instances:
        raise MisfitError("instances", "at least one instance", "none")
    found: list[tuple[str, str, dict[str, JsonValue]]] = []
    for index, value in enumerate(instances):
        given, output = (value.get("input"), value.get("output")) if isinstance(value, dict) else (None, None)
        if not isinstance(value, dict) or not isinstance(given, str) or not isinstance(output, str):
            raise MisfitError(f"instances[{index}]", "an object with input and output, both text", shown(value))
        further = {name: entry for name, entry in value.items() if name not in ("input", "output")}
        asked = f"{instruction}\n{given}" if given else instruction
        found.append((asked, output, further | ({"input": given} if given else {})))
    return _demonstrations(row, found)


def scitldr_records(row: Row) -> list[AnyRecord]:
    """The demonstrations of one abstract, whose sentences a space joins."""
    sentences, targets = _texts(row, "source"), _texts(row, "target")
    return _demonstrations(row, [(" ".join(sentences), target, {}) for target in targets])


def tatoeba_items(path: Path, named: Columns = AS_NAMED) -> Iterator[Item]:
    """The file's demonstrations, and a RowError in the place of each line that has not three columns."""
    return items_of(_lines(path), path, _translation, named)


def _lines(path: Path) -> Iterator[Located | RowError]:
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        match line.removesuffix("\r").split("\t"):
            case [""]:
                pass
            case [text, translation, attribution]:
                yield Located(number, {"text": text, "translation": translation, "attribution": attribution})
            case other:
                expected = "a text, its translation and the attribution, parted by tabs"
                yield RowError(str(path), number, "(row)", expected, f"{len(other)} columns")


def _translation(row: Row) -> list[AnyRecord]:
    prompt, completion = (user(row.text("text")),), (assistant(row.text("translation")),)
    return [Demonstration(prompt=prompt, completion=completion, **row.provenance())]


def _texts(row: Row, name: str) -> list[str]:
    values = row.items(name)
    for index, value in enumerate(values):
        if not isinstance(value, str):
            raise MisfitError(f"{name}[{index}]", "text", shown(value))
    if not values:
        raise MisfitError(name, "at least one text", "none")
    return [str(value) for value in values]


def _demonstrations(row: Row, found: Sequence[tuple[str, str, dict[str, JsonValue]]]) -> list[AnyRecord]:
    """A demonstration for each (prompt, answer, further columns)."""
    shared = row.provenance()
    if len(found) == 1:
        (asked, answer, further), *_ = found
        shared["extra"] |= further
        return [Demonstration(prompt=(user(asked),), completion=(assistant(answer),), **shared)]
    return [
        Demonstration(
            prompt=(user(asked),), completion=(assistant(answer),), **own(shared, str(index), further, len(found))
        )
        for index, (asked, answer, further) in enumerate(found)
    ]
