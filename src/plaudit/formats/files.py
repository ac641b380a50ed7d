"""The one door to record files: open any shape, all rows or none; write any shape, with an account of what was lost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, TypeVar, assert_never, overload

from plaudit.formats import (
    alpaca,
    dolly,
    finegrained,
    hh,
    judged,
    labelled,
    llamafactory,
    native,
    nemo,
    oasst,
    openai_chat,
    plain,
    questions,
    ranked,
    renderings,
    sharegpt,
    snapshot,
    tldr,
    trl,
    verl,
)
from plaudit.formats.columns import AS_NAMED, Columns
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
    columns: Mapping[str, str] = field(default_factory=dict)
    """The file's names of the columns that were read under others."""

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
    path: Path | str,
    shape: Shape | str | None = None,
    on_error: Literal["raise", "skip"] = "raise",
    *,
    columns: Mapping[str, str] | None = None,
    input_template: str = "",
) -> Records:
    """Every record of the file, or none: an error in the last row raises RowError and nothing is returned.

    With `on_error="skip"` rows that cannot be read are listed in `skipped` instead. `columns` gives the file's name of a
    column by plaudit's, as in {"prompt": "question"}; `input_template` is put around every prompt, which stands in for its
    `{}`. Where neither a shape nor columns are given, a LLaMA-Factory `dataset_info.json` beside the file counts. Raises
    PlauditError where the shape cannot be told, the file cannot be read, or nothing in it can.
    """
    path = Path(path)
    known, named = _taken(path, shape, columns or {}, input_template)
    records: list[AnyRecord] = []
    skipped: list[RowError] = []
    dropped: Counter[str] = Counter()
    for item in _items(path, known, named):
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
    return Records(tuple(records), known, tuple(skipped), dict(dropped), dict(named.names))


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
        case Shape.SHAREGPT:
            return sharegpt.write(records, path)
        case Shape.NEMO:
            return nemo.write(records, path)
        case Shape.VERL:
            return verl.write(records, path)
        case Shape.TLDR:
            return tldr.write(records, path)
        case Shape.DOLLY:
            return dolly.write(records, path)
        case Shape.PLAIN:
            return plain.write(records, path)
        case Shape.SNAPSHOT:
            raise PlauditError(
                "snapshots are made by plaudit.quality.make_snapshot or `plaudit data convert --to snapshot`"
            )
        case (
            Shape.OASST
            | Shape.SELF_INSTRUCT
            | Shape.QA_FEEDBACK
            | Shape.JUDGED
            | Shape.GSM8K
            | Shape.TRUTHFULQA
            | Shape.TURNS
            | Shape.SCITLDR
            | Shape.TATOEBA
            | Shape.LABELLED
        ):
            raise PlauditError(
                f"{known} is only read: choose ranked for rankings, trl or openai-chat for demonstrations and comparisons, "
                "native for any record"
            )
        case _:
            assert_never(known)


def _taken(path: Path, shape: Shape | str | None, names: Mapping[str, str], template: str) -> tuple[Shape, Columns]:
    """The file's shape, and how its rows are taken."""
    named = Columns(names=names, input_template=template)
    if shape is not None:
        known = _shape(shape)
    elif not names and (described := llamafactory.described(path)):
        known, of_info = described
        named = replace(of_info, input_template=template)
    else:
        known = detect_shape(path, named)
    is_text = known is Shape.LABELLED or (known is Shape.PLAIN and plain.is_text_file(path))
    if named != AS_NAMED and (known is Shape.SNAPSHOT or is_text):
        raise PlauditError(
            f"{path} has no columns to name and no prompts of its own to put into a template: read it as it is"
        )
    return known, named


def _items(path: Path, shape: Shape, named: Columns) -> Iterator[Item]:
    match shape:
        case Shape.NATIVE:
            return native.native_items(path, named)
        case Shape.PLAIN:
            return plain.documents(path, named)
        case Shape.SNAPSHOT:
            return snapshot.read(path)
        case Shape.TRL:
            return items(path, trl.records_of, named)
        case Shape.RANKED:
            return items(path, ranked.records_of, named)
        case Shape.HH:
            return items(path, hh.records_of, named)
        case Shape.OPENAI_CHAT:
            return items(path, openai_chat.records_of, named)
        case Shape.OASST:
            return items(path, oasst.records_of, named)
        case Shape.ALPACA:
            return items(path, alpaca.records_of, named)
        case Shape.SHAREGPT:
            return items(path, sharegpt.records_of, named)
        case Shape.NEMO:
            return items(path, nemo.records_of, named)
        case Shape.VERL:
            return items(path, verl.records_of, named)
        case Shape.TLDR:
            return items(path, tldr.records_of, named)
        case Shape.DOLLY:
            return items(path, dolly.records_of, named)
        case Shape.SELF_INSTRUCT:
            return items(path, renderings.instances_records, named)
        case Shape.SCITLDR:
            return items(path, renderings.scitldr_records, named)
        case Shape.TATOEBA:
            return renderings.tatoeba_items(path, named)
        case Shape.QA_FEEDBACK:
            return items(path, finegrained.records_of, named)
        case Shape.JUDGED:
            return items(path, judged.records_of, named)
        case Shape.GSM8K:
            return items(path, questions.gsm8k_records, named)
        case Shape.TRUTHFULQA:
            return items(path, questions.truthfulqa_records, named)
        case Shape.TURNS:
            return items(path, questions.turns_records, named)
        case Shape.LABELLED:
            return labelled.labelled_items(path, named)
        case _:
            assert_never(shape)


def _shape(name: Shape | str) -> Shape:
    try:
        return Shape(name)
    except ValueError as error:
        raise PlauditError(f"there is no shape {name!r}: choose one of {', '.join(Shape)}") from error
