"""The one door to record files: open any shape, all rows or none; write any shape, with an account of what was lost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, TypeVar, assert_never, overload

from plaudit.formats import (
    alpaca,
    arena,
    argilla,
    dolly,
    finegrained,
    hh,
    judged,
    label_studio,
    labelled,
    llamafactory,
    native,
    nemo,
    oasst,
    oasst_labels,
    oasst_trees,
    open_webui,
    openai_chat,
    plain,
    questions,
    ranked,
    renderings,
    sharegpt,
    snapshot,
    spreadsheet,
    tldr,
    trl,
    verl,
)
from plaudit.formats.columns import AS_NAMED, Columns
from plaudit.formats.detect import Shape, detect_shape
from plaudit.formats.outgoing import Losses
from plaudit.formats.pairs import halved_ties
from plaudit.formats.rows import Dropped, Item, RecordsOf, items
from plaudit.schemas.errors import PlauditError, RowError
from plaudit.schemas.feedback import AnyRecord, Record

R = TypeVar("R", bound=Record)

_RECORDS_OF: dict[Shape, RecordsOf] = {
    Shape.TRL: trl.records_of,
    Shape.RANKED: ranked.records_of,
    Shape.HH: hh.records_of,
    Shape.OPENAI_CHAT: openai_chat.records_of,
    Shape.OASST: oasst.records_of,
    Shape.OASST_LABELS: oasst_labels.records_of,
    Shape.LABEL_STUDIO: label_studio.records_of,
    Shape.ARENA: arena.records_of,
    Shape.OPEN_WEBUI: open_webui.records_of,
    Shape.SPREADSHEET: spreadsheet.records_of,
    Shape.ALPACA: alpaca.records_of,
    Shape.SHAREGPT: sharegpt.records_of,
    Shape.NEMO: nemo.records_of,
    Shape.VERL: verl.records_of,
    Shape.TLDR: tldr.records_of,
    Shape.DOLLY: dolly.records_of,
    Shape.SELF_INSTRUCT: renderings.instances_records,
    Shape.SCITLDR: renderings.scitldr_records,
    Shape.QA_FEEDBACK: finegrained.records_of,
    Shape.JUDGED: judged.records_of,
    Shape.GSM8K: questions.gsm8k_records,
    Shape.TRUTHFULQA: questions.truthfulqa_records,
    Shape.TURNS: questions.turns_records,
}
"""What a row gives, of the shapes that are read row by row."""


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


_RANKINGS_AS_PAIRS = (Shape.TRL, Shape.OPENAI_CHAT, Shape.ALPACA, Shape.SHAREGPT)
_WITHOUT_TIES = (*_RANKINGS_AS_PAIRS, Shape.HH, Shape.TLDR, Shape.LABEL_STUDIO)
"""The shapes whose pairs are a better answer and a worse one."""


def write_records(
    records: Iterable[AnyRecord], path: Path | str, shape: Shape | str, *, ties: Literal["drop", "half"] = "drop"
) -> Losses:
    """Writes the records in one step and returns what the shape could not carry.

    `ties` says what becomes of a tie where the shape has no place for one: `drop` leaves it out, counted; `half` writes it
    both ways round, each at half its weight. Raises PlauditError for mixed kinds, a kind the shape has no place for, and
    the shapes that are only read.
    """
    path, known = Path(path), _shape(shape)
    if ties == "drop" or known not in _WITHOUT_TIES:
        return _write(records, path, known)
    lost = Losses()
    halved = list(halved_ties(records, lost, in_rankings=known in _RANKINGS_AS_PAIRS))
    losses = _write(halved, path, known)
    return Losses(losses.fields + lost.fields, losses.records + lost.records)


def _write(records: Iterable[AnyRecord], path: Path, known: Shape) -> Losses:
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
        case Shape.LABEL_STUDIO:
            return label_studio.write(records, path)
        case Shape.ARGILLA:
            return argilla.write(records, path)
        case Shape.ARENA:
            return arena.write(records, path)
        case Shape.SPREADSHEET:
            return spreadsheet.write(records, path)
        case Shape.OASST:
            return oasst_trees.write(records, path)
        case Shape.OASST_LABELS:
            return oasst_labels.write(records, path)
        case Shape.PLAIN:
            return plain.write(records, path)
        case Shape.SNAPSHOT:
            raise PlauditError(
                "snapshots are made by plaudit.quality.make_snapshot or `plaudit data convert --to snapshot`"
            )
        case (
            Shape.OPEN_WEBUI
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
        case Shape.ARGILLA:
            return argilla.argilla_items(path, named)
        case Shape.TATOEBA:
            return renderings.tatoeba_items(path, named)
        case Shape.LABELLED:
            return labelled.labelled_items(path, named)
    return items(path, _RECORDS_OF[shape], named)


def _shape(name: Shape | str) -> Shape:
    try:
        return Shape(name)
    except ValueError as error:
        raise PlauditError(f"there is no shape {name!r}: choose one of {', '.join(Shape)}") from error
