"""Records on their way to a foreign shape, and the account of what the shape could not carry."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import JsonValue

from plaudit.formats.jsonl import write_rows
from plaudit.formats.messages import messages_to
from plaudit.schemas.conversation import Messages, Role
from plaudit.schemas.errors import PlauditError
from plaudit.schemas.feedback import AnyRecord, Record


@dataclass(slots=True)
class Losses:
    """What a file does not hold: `fields` counts what was cut off by name, `records` what was left out by reason."""

    fields: Counter[str] = field(default_factory=Counter)
    records: Counter[str] = field(default_factory=Counter)

    def __bool__(self) -> bool:
        return bool(self.fields or self.records)

    def __str__(self) -> str:
        lines = [f"field {name}: not carried for {count} records" for name, count in self.fields.most_common()]
        lines += [f"left out {count} records: {reason}" for reason, count in self.records.most_common()]
        return "\n".join(lines) or "nothing was lost"


class CannotCarryError(Exception):
    """The shape has no place for this record; the text is the reason it is counted under."""


class Outgoing:
    """One record being written: its messages as rows, its leftovers put back, its losses counted."""

    def __init__(self, record: Record, losses: Losses) -> None:
        self._record = record
        self._losses = losses
        self.extra = dict(record.extra)

    def lose(self, name: str) -> None:
        """Counts a field of the record as not carried."""
        self._losses.fields[name] += 1

    def messages(self, messages: Messages, path: str) -> list[JsonValue]:
        """The messages as `role`, `content` objects, with what a reader left over under `path`."""
        return messages_to(messages, path, self.extra)

    def said(self, messages: Messages, path: str, role: Role) -> JsonValue:
        """The text of the one message of that role, a list of messages for anything more; no message of the user is ""."""
        if not messages:
            return ""
        is_plain = len(messages) == 1 and not any(name.startswith(f"{path}[") for name in self.extra)
        try:
            text = single_text(messages, role) if is_plain else ""
        except CannotCarryError:
            text = ""
        is_text = is_plain and messages[0].content == text and (text or role is Role.ASSISTANT)
        return text if is_text else self.messages(messages, path)

    def put_back(self, prefix: str, columns: dict[str, JsonValue], taken: Collection[str] = ()) -> None:
        """Moves what a reader left over under `prefix` into the columns; an entry whose name is taken is lost."""
        for name in [name for name in self.extra if name.startswith(prefix)]:
            value, own = self.extra.pop(name), name.removeprefix(prefix)
            if own in columns or own in taken:
                self.lose(f"extra.{name}")
            else:
                columns[own] = value

    def parted(self, asked: str, name: str, joint: str) -> tuple[str, str]:
        """What was asked, and the text that a reader joined to it from column `name`, out of `extra` ("" if none)."""
        given = self.extra.get(name)
        if not isinstance(given, str) or not given or not asked.endswith(joint + given):
            return asked, ""
        del self.extra[name]
        return asked.removesuffix(joint + given), given

    def open_row(self, columns: dict[str, JsonValue]) -> dict[str, JsonValue]:
        """The row of a shape that allows further columns: the columns, the record's provenance, its `extra`.

        An entry of `extra` whose name is taken is lost.
        """
        record = self._record
        row = dict(columns)
        if record.id:
            row["id"] = record.id
        if record.source:
            row["source"] = record.source
        if record.weight != 1:
            row["weight"] = record.weight
        if record.annotator is not None:
            row["annotator"] = record.annotator
        for name, value in self.extra.items():
            if name in row:
                self.lose(f"extra.{name}")
            else:
                row[name] = value
        return row

    def closed_row(self, columns: dict[str, JsonValue]) -> dict[str, JsonValue]:
        """The row of a shape that allows no further columns: the columns alone, everything else counted as lost."""
        record = self._record
        present = {
            "id": bool(record.id),
            "source": bool(record.source),
            "weight": record.weight != 1,
            "annotator": record.annotator is not None,
        }
        for name in [name for name, is_there in present.items() if is_there]:
            self.lose(name)
        for name in self.extra:
            self.lose(f"extra.{name}")
        return columns


RowsOf = Callable[[AnyRecord, Losses], Sequence[dict[str, JsonValue]]]


def write_each(
    records: Iterable[AnyRecord],
    path: Path,
    rows_of: RowsOf,
    joined: Callable[[list[dict[str, JsonValue]]], list[dict[str, JsonValue]]] | None = None,
) -> Losses:
    """Writes the rows of every record in one step, those of several records `joined` first; what was lost.

    Raises PlauditError for mixed kinds.
    """
    rows, losses = rows_of_all(records, path, rows_of)
    write_rows(joined(rows) if joined else rows, path)
    return losses


def rows_of_all(records: Iterable[AnyRecord], path: Path, rows_of: RowsOf) -> tuple[list[dict[str, JsonValue]], Losses]:
    """The rows of every record, and what was lost. Raises PlauditError for mixed kinds, and where no record fits."""
    losses = Losses()
    rows: list[dict[str, JsonValue]] = []
    for record in of_one_kind(records, path):
        lost = Losses()
        try:
            rows.extend(rows_of(record, lost))
        except CannotCarryError as reason:
            losses.records[str(reason)] += 1
        else:
            losses.fields += lost.fields
    if losses.records and not rows:
        raise PlauditError(f"{path} was not written, the shape fits none of the records:\n{losses}")
    return rows, losses


def of_one_kind(records: Iterable[AnyRecord], path: Path) -> list[AnyRecord]:
    """The records as a list. Raises PlauditError where they are not all of one kind: a file holds one."""
    found = list(records)
    kinds = Counter(type(record).__name__ for record in found)
    if len(kinds) > 1:
        counts = ", ".join(f"{count} {name}" for name, count in kinds.most_common())
        raise PlauditError(f"{path} can hold one kind of record, got {counts}: write each kind to its own file")
    return found


def not_carried(shape: str, record: AnyRecord, kinds: str) -> PlauditError:
    """The error of a writer that has no place for this kind of record."""
    return PlauditError(f"the shape {shape} cannot carry a {type(record).__name__}, only {kinds}: choose another shape")


def single_text(messages: Messages, role: Role) -> str:
    """The text of the one message, for shapes that hold plain text. Raises CannotCarryError for anything more."""
    if len(messages) != 1:
        raise CannotCarryError(f"{len(messages)} messages where the shape holds one text")
    message = messages[0]
    if message.role is not role or not isinstance(message.content, str):
        reason = f"a message of the {message.role.value}, or pictures, where the shape holds text of the {role.value}"
        raise CannotCarryError(reason)
    return message.content
