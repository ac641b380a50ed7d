"""The one door to record files: open any shape, all rows or none; write any shape, with an account of what was lost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeVar, assert_never, overload

from plaudit.formats import alpaca, dolly, hh, native, oasst, openai_chat, plain, ranked, snapshot, trl
from plaudit.formats.detect import Shape, detect_shape
from plaudit.formats.outgoing import Losses
from plaudit.formats.rows import Dropped, Item, items
from plaudit.schemas.errors import PlauditError, RowError
from plaudit.schemas.feedback import AnyRecord, Record

R = TypeVar("R", bound=Record)


@dataclass(frozen=True)
class Records(Sequence[AnyRecord]):
    """A file's records in order. `skipped` are its unreadable rows, `dropped` counts what was left out by reason."""

    records: tuple[AnyRecord, ...]
    shape: Shape
    skipped: tuple[RowError, ...] = ()
    dropped: Mapping[str, int] = field(default_factory=dict)

    @overload
    def __getitem__(self, index: int) -> AnyRecord: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[AnyRecord]: ...
    def __getitem__(self, index: int | slice) -> AnyRecord | Sequence[AnyRecord]:
        return self.records[index]

    def __len__(self) -> int:
        return len(self.records)

    def of(self, kind: type[R]) -> list[R]:
        """The records of one kind. A file of trees holds demonstrations and rankings."""
        return [record for record in self.records if isinstance(record, kind)]


def open_records(
    path: Path | str, shape: Shape | str | None = None, on_error: Literal["raise", "skip"] = "raise"
) -> Records:
    """Every record of the file, or none: an error in the last row raises RowError and nothing is returned.

    With `on_error="skip"` rows that cannot be read are listed in `skipped` instead. Raises PlauditError where the shape
    cannot be told, the file cannot be read, or nothing in it can.
    """
    path = Path(path)
    known = _shape(shape) if shape is not None else detect_shape(path)
    records: list[AnyRecord] = []
    skipped: list[RowError] = []
    dropped: Counter[str] = Counter()
    for item in _items(path, known):
        if isinstance(item, RowError):
            if on_error == "raise":
                raise item
            skipped.append(item)
        elif isinstance(item, Dropped):
            dropped[item.reason] += 1
        else:
            records.append(item)
    if not records and not skipped and not dropped:
        raise PlauditError(f"{path} holds no rows: check that it was written completely")
    return Records(tuple(records), known, tuple(skipped), dict(dropped))


def write_records(records: Iterable[AnyRecord], path: Path | str, shape: Shape | str) -> Losses:
    """Writes the records in one step and returns what the shape could not carry.

    Raises PlauditError for mixed kinds, a kind the shape has no place for, and the shapes that are only read.
    """
    path, known = Path(path), _shape(shape)
    match known:
        case Shape.NATIVE:
            return native.write(records, path)
        case Shape.TRL:
            return trl.write(records, path)
        case Shape.RANKED:
            return ranked.write(records, path)
        case Shape.HH:
            return hh.write(records, path)
        case Shape.OPENAI_CHAT:
            return openai_chat.write(records, path)
        case Shape.ALPACA:
            return alpaca.write(records, path)
        case Shape.DOLLY:
            return dolly.write(records, path)
        case Shape.PLAIN:
            return plain.write(records, path)
        case Shape.OASST:
            raise PlauditError(
                "oasst trees are only read: choose ranked for rankings, trl or openai-chat for demonstrations"
            )
        case Shape.SNAPSHOT:
            raise PlauditError(
                "snapshots are made by plaudit.quality.make_snapshot or `plaudit data convert --to snapshot`"
            )
        case _:
            assert_never(known)


def _items(path: Path, shape: Shape) -> Iterator[Item]:
    match shape:
        case Shape.NATIVE:
            return native.native_items(path)
        case Shape.TRL:
            return items(path, trl.records_of)
        case Shape.RANKED:
            return items(path, ranked.records_of)
        case Shape.HH:
            return items(path, hh.records_of)
        case Shape.OPENAI_CHAT:
            return items(path, openai_chat.records_of)
        case Shape.OASST:
            return items(path, oasst.records_of)
        case Shape.ALPACA:
            return items(path, alpaca.records_of)
        case Shape.DOLLY:
            return items(path, dolly.records_of)
        case Shape.PLAIN:
            return plain.documents(path)
        case Shape.SNAPSHOT:
            return snapshot.read(path)
        case _:
            assert_never(shape)


def _shape(name: Shape | str) -> Shape:
    try:
        return Shape(name)
    except ValueError as error:
        raise PlauditError(f"there is no shape {name!r}: choose one of {', '.join(Shape)}") from error
