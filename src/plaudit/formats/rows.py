"""One foreign row on its way to a record: typed access to its columns, its id, and what is left over."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from pydantic import JsonValue, ValidationError

from plaudit.formats.columns import AS_NAMED, Columns
from plaudit.formats.jsonl import Located, objects
from plaudit.formats.messages import MisfitError, messages_from, shown
from plaudit.schemas.conversation import Messages, assistant, canonical_json, row_id, user
from plaudit.schemas.errors import PlauditError, RowError
from plaudit.schemas.feedback import AnyRecord


@dataclass(frozen=True, slots=True)
class Dropped:
    """Something a reader leaves out on purpose (a machine's answer among people's), counted under its reason.

    Also what the maker of the file left out and somebody would miss (whether a response was submitted).
    """

    reason: str


Item = AnyRecord | Dropped | RowError

_MAX_LEVELS = 8
"""Levels of a field's name that an error shows."""


class Provenance(TypedDict):
    """What every record takes from its row besides the content."""

    id: str
    source: str
    weight: float
    annotator: str | None
    extra: dict[str, JsonValue]


def own(shared: Provenance, place: str, further: Mapping[str, JsonValue], num: int = 1) -> Provenance:
    """What one of several records of a row takes: an id that ends in its place, further columns, a share of the weight."""
    return Provenance(
        id=f"{shared['id']}:{place}",
        source=shared["source"],
        weight=shared["weight"] / num,
        annotator=shared["annotator"],
        extra=shared["extra"] | dict(further),
    )


class Row:
    """The columns of one row, taken by name; `provenance` puts what nobody took into `extra`."""

    def __init__(
        self, columns: dict[str, JsonValue], *, source: str, ordinal: int = 0, named: Columns = AS_NAMED
    ) -> None:
        self.columns, self._leftover = named.renamed(columns)
        self._as_read = columns
        self._source = source
        self._ordinal = ordinal
        self._taken: set[str] = set()

    def has(self, *names: str) -> bool:
        """Whether every one of these columns is there and not null."""
        return all(self.columns.get(name) is not None for name in names)

    def take(self, name: str, expected: str) -> JsonValue:
        """The column's value, null included. Raises MisfitError where the row has no such column."""
        if name not in self.columns:
            raise MisfitError(name, expected, f"no such column (the row has {', '.join(self.columns) or 'none'})")
        self._taken.add(name)
        return self.columns[name]

    def text(self, name: str) -> str:
        """The column's text."""
        value = self.take(name, "text")
        if not isinstance(value, str):
            raise MisfitError(name, "text", shown(value))
        return value

    def items(self, name: str) -> list[JsonValue]:
        """The column's list."""
        value = self.take(name, "a list")
        if not isinstance(value, list):
            raise MisfitError(name, "a list", shown(value))
        return value

    def number(self, name: str) -> float | None:
        """The column's number, None where it is missing or null."""
        if not self.has(name):
            return None
        value = self.take(name, "a number")
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise MisfitError(name, "a number", shown(value))
        try:
            return float(value)
        except OverflowError as error:
            raise MisfitError(name, "a number up to 1.8e308", "a larger one") from error

    def messages(self, name: str) -> Messages:
        """The column's messages; what they hold besides role and content goes to `extra` under `name[i].key`."""
        return self.messages_of(self.take(name, "a list of messages"), name)

    def messages_of(self, value: JsonValue, path: str) -> Messages:
        """The messages of a value found at `path` inside the row."""
        messages, leftover = messages_from(value, path)
        self._leftover |= leftover
        return messages

    def prompt_of(self, value: JsonValue, path: str) -> Messages:
        """The prompt a text or a list of messages stands for; empty text is no message at all."""
        messages, leftover = prompt_from(value, path)
        self._leftover |= leftover
        return messages

    def answer_of(self, value: JsonValue, path: str) -> Messages:
        """The answer a text or a list of messages stands for. Raises MisfitError where it repeats the prompt."""
        messages, leftover = answer_from(value, path)
        self._leftover |= leftover
        return messages

    def leave(self, name: str, value: JsonValue) -> None:
        """Keeps a part of a taken column in `extra` under `name`."""
        self._leftover[name] = value

    def provenance(self) -> Provenance:
        """The row's id, source, weight and annotator, and all columns not taken.

        `id`, `source` and `annotator` count where they are text (an id may be a whole number); elsewhere they are
        somebody else's columns and stay in `extra`. Raises MisfitError for a weight that is no number.
        """
        found = {name: self.columns.get(name) for name in ("id", "source", "annotator")}
        own = {name: value for name, value in found.items() if isinstance(value, str) and value}
        if isinstance(found["id"], int) and not isinstance(found["id"], bool):
            own["id"] = str(found["id"])
        weight = self.number("weight")
        taken = self._taken | own.keys()
        extra = {name: value for name, value in self.columns.items() if name not in taken}
        return Provenance(
            id=own["id"] if "id" in own else row_id(self._as_read, self._ordinal),
            source=own.get("source", self._source),
            weight=1.0 if weight is None else weight,
            annotator=own.get("annotator"),
            extra=extra | self._leftover,
        )


def prompt_from(value: JsonValue, path: str) -> tuple[Messages, dict[str, JsonValue]]:
    """The prompt a text or a list of messages stands for, and what else the messages hold, by path."""
    if isinstance(value, str):
        return (user(value),) if value else (), {}
    return messages_from(value, path)


def answer_from(value: JsonValue, path: str) -> tuple[Messages, dict[str, JsonValue]]:
    """The same of an answer. Raises MisfitError where it repeats the prompt."""
    if isinstance(value, str):
        return (assistant(value),), {}
    messages, leftover = messages_from(value, path)
    if messages and messages[0].role in ("user", "system"):
        raise MisfitError(
            path,
            "the answer alone, starting with an assistant message",
            f"a {messages[0].role.value} message first (where answers repeat the prompt, remove its column)",
        )
    return messages, leftover


RecordsOf = Callable[[Row], Iterable[AnyRecord | Dropped]]


def items(path: Path, records_of: RecordsOf, named: Columns = AS_NAMED) -> Iterator[Item]:
    """What each row of the file gives, in order: records, what was left out, and a RowError for a row that misfits.

    Raises PlauditError at the end where a column that `named` renames stood in no row.
    """
    return items_of(objects(path), path, records_of, named)


def items_of(
    rows: Iterable[Located | RowError], path: Path, records_of: RecordsOf, named: Columns = AS_NAMED
) -> Iterator[Item]:
    """What each of these rows of the file gives; `items` for rows that a reader has found itself."""
    equal_rows: Counter[bytes] = Counter()
    absent = set(named.names.values()) if named.must_occur else set()
    names: dict[str, None] = {}
    for found in rows:
        if isinstance(found, RowError):
            yield found
            continue
        try:
            digest = _digest(found.columns)
            absent -= found.columns.keys()
            names |= dict.fromkeys(found.columns)
            row = Row(found.columns, source=path.name, ordinal=equal_rows[digest], named=named)
            equal_rows[digest] += 1
            yield from [item if isinstance(item, Dropped) else named.asked(item) for item in records_of(row)]
        except MisfitError as misfit:
            yield RowError(str(path), found.line, _place(found, misfit.field), misfit.expected, misfit.got)
        except ValidationError as error:
            yield _row_error(path, found, error)
        except RecursionError:
            expected = "fewer levels of objects and lists in one another"
            yield RowError(str(path), found.line, _place(found, "(row)"), expected, "more than Python can follow")
    if absent and names:
        raise PlauditError(f"{path} has no column {', '.join(sorted(absent))}: its columns are {', '.join(names)}")


def strict(found: Iterable[Item]) -> Iterator[AnyRecord]:
    """The records alone. Raises the first RowError."""
    for item in found:
        if isinstance(item, RowError):
            raise item
        if not isinstance(item, Dropped):
            yield item


def _digest(columns: dict[str, JsonValue]) -> bytes:
    try:
        return hashlib.sha256(canonical_json(columns).encode()).digest()
    except (UnicodeEncodeError, TypeError) as error:  # lone surrogates; dates and bytes out of Parquet
        raise MisfitError("(row)", "Unicode text, numbers, lists and objects", str(error)) from error


def _place(found: Located, field: str) -> str:
    """The field's name, after the row's place in a list that does not show in the line."""
    if found.element is None:
        return field
    return f"[{found.element}]" if field == "(row)" else f"[{found.element}].{field}"


def _row_error(path: Path, found: Located, error: ValidationError) -> RowError:
    first = error.errors(include_url=False)[0]
    place = [str(part) for part in first["loc"]]
    field = ".".join(place[:_MAX_LEVELS] + ["..."] * (len(place) > _MAX_LEVELS)) or "(row)"
    expected = first["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    got = shown(first["input"]) if first["loc"] else "a row that is not so"
    return RowError(str(path), found.line, _place(found, field), expected, got)
