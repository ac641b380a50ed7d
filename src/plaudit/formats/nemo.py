"""NVIDIA NeMo's ranked completions.

    {"context": [message, ...], "completions": [{"rank": 0, "completion": [message, ...]}, ...]}  <-> Ranking

Rank 0 is best, equal ranks are ties. An answer that nobody ranked has no place in the shape.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from pydantic import JsonValue

from plaudit.formats.messages import MisfitError, shown
from plaudit.formats.outgoing import CannotCarryError, Losses, Outgoing, not_carried, write_each
from plaudit.formats.rows import Row, items, strict
from plaudit.schemas.conversation import Messages
from plaudit.schemas.feedback import AnyRecord, Ranking


def recognises(columns: Mapping[str, JsonValue]) -> bool:
    """Whether a row has this shape."""
    match columns:
        case {"context": list(), "completions": [{"completion": _}, *_]}:
            return True
    return False


def read(path: Path) -> Iterator[Ranking]:
    """The file's rankings. Raises RowError."""
    for record in strict(items(path, records_of)):
        assert isinstance(record, Ranking)
        yield record


def write(records: Iterable[AnyRecord], path: Path) -> Losses:
    """Writes one row a ranking, the answers in the record's order; those without a rank are lost, counted."""
    return write_each(records, path, lambda record, losses: [_row_of(record, losses)])


def records_of(row: Row) -> list[AnyRecord]:
    """The ranking of one row."""
    prompt = row.messages("context")
    answers: list[Messages] = []
    ranks: list[int] = []
    for index, value in enumerate(row.items("completions")):
        path = f"completions[{index}]"
        if not isinstance(value, dict) or "completion" not in value:
            raise MisfitError(path, "an object with rank and completion", shown(value))
        rank = value.get("rank")
        if not isinstance(rank, int) or isinstance(rank, bool):
            raise MisfitError(f"{path}.rank", "a whole number from 0 (best)", shown(rank))
        ranks.append(rank)
        answers.append(row.answer_of(value["completion"], f"{path}.completion"))
        for name in value.keys() - {"rank", "completion"}:
            row.leave(f"{path}.{name}", value[name])
    return [Ranking(prompt=prompt, completions=tuple(answers), ranks=tuple(ranks), **row.provenance())]


def _row_of(record: AnyRecord, losses: Losses) -> dict[str, JsonValue]:
    if not isinstance(record, Ranking):
        raise not_carried("nemo", record, "Ranking")
    outgoing = Outgoing(record, losses)
    context = outgoing.messages(record.prompt, "context")
    completions: list[JsonValue] = []
    for index, (answer, rank) in enumerate(zip(record.completions, record.ranks, strict=True)):
        path = f"completions[{index}]"
        written: dict[str, JsonValue] = {"rank": rank, "completion": outgoing.messages(answer, f"{path}.completion")}
        further = [name for name in outgoing.extra if name.startswith(f"{path}.")]
        written |= {name.removeprefix(f"{path}."): outgoing.extra.pop(name) for name in further}
        if rank is not None:
            completions.append(written)
    if len(completions) < 2:
        raise CannotCarryError("a ranking without two ranked answers")
    if None in record.ranks:
        outgoing.lose("ranks (answers not ranked)")
    for name, flags in (("unacceptable", record.unacceptable), ("truncated", record.truncated)):
        if flags:
            outgoing.lose(name)
    return outgoing.open_row({"context": context, "completions": completions})
