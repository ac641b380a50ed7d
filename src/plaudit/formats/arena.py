"""Battles of the Chatbot Arena (FastChat, LMSYS): two models' conversations side by side, and which a person preferred.

    {"question_id", "model_a", "model_b", "winner": "model_a" | "model_b" | "tie" | "tie (bothbad)", "judge",
     "conversation_a": [message, ...], "conversation_b": [...], "turn", "anony", "language", "tstamp"}  <-> Comparison

The prompt is what the two conversations begin with; of several turns all that follows is the answer. `a` stood on the left.
The judge is the annotator. Everything else is kept in `extra` and written back; models are not made up where `extra` names
none.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from pydantic import JsonValue

from plaudit.formats.messages import MisfitError, shown
from plaudit.formats.outgoing import CannotCarryError, Losses, Outgoing, not_carried, write_each
from plaudit.formats.pairs import split_shared
from plaudit.formats.rows import Row, items, strict
from plaudit.schemas.conversation import Messages
from plaudit.schemas.feedback import AnyRecord, Comparison, Verdict

_WINNERS = {Verdict.A: "model_a", Verdict.B: "model_b", Verdict.TIE: "tie", Verdict.BOTH_BAD: "tie (bothbad)"}
_VERDICTS = {winner: verdict for verdict, winner in _WINNERS.items()} | {"both_bad": Verdict.BOTH_BAD}
_SIDES = ("conversation_a", "conversation_b")


def recognises(columns: Mapping[str, JsonValue]) -> bool:
    """Whether a row has this shape."""
    return columns.keys() >= {*_SIDES, "winner"}


def read(path: Path) -> Iterator[Comparison]:
    """The file's comparisons. Raises RowError."""
    for record in strict(items(path, records_of)):
        assert isinstance(record, Comparison)
        yield record


def write(records: Iterable[AnyRecord], path: Path) -> Losses:
    """Writes one row a comparison; pairs nobody could compare, for which the shape has no word, are left out, counted."""
    return write_each(records, path, lambda record, losses: [_row_of(record, losses)])


def records_of(row: Row) -> list[AnyRecord]:
    """The comparison of one row."""
    prompt, a, b = split_shared(row.messages(_SIDES[0]), row.messages(_SIDES[1]), _SIDES[1])
    winner = row.take("winner", "the model that won")
    if not isinstance(winner, str) or winner not in _VERDICTS:
        raise MisfitError("winner", " or ".join(_WINNERS.values()), shown(winner))
    verdict = _VERDICTS[winner]
    if winner != _WINNERS[verdict]:
        row.leave("winner", winner)
    provenance = row.provenance()
    extra = provenance["extra"]
    judge = extra.get("judge")
    if provenance["annotator"] is None and isinstance(judge, str) and judge:
        provenance["annotator"] = judge
        del extra["judge"]
    if extra.get("question_id") == provenance["id"]:
        del extra["question_id"]
    return [Comparison(prompt=prompt, a=a, b=b, verdict=verdict, **provenance)]


def _row_of(record: AnyRecord, losses: Losses) -> dict[str, JsonValue]:
    if not isinstance(record, Comparison):
        raise not_carried("arena", record, "Comparison")
    if record.verdict not in _WINNERS:
        raise CannotCarryError(f"verdict {record.verdict.value} where the shape holds a winner or a tie")
    if not _parts_again(record.prompt, record.a, record.b):
        raise CannotCarryError("conversations that would not be parted where they were")
    outgoing = Outgoing(record, losses)
    extra = outgoing.extra
    for name, is_there in (
        ("strength", record.strength is not None),
        ("margin", record.margin is not None),
        ("reason", bool(record.reason)),
    ):
        if is_there:
            outgoing.lose(name)
    columns: dict[str, JsonValue] = {}
    if record.id and "question_id" not in extra:
        columns["question_id"] = record.id
    winner = extra.pop("winner", None)
    is_theirs = isinstance(winner, str) and _VERDICTS.get(winner) is record.verdict
    columns["winner"] = winner if is_theirs else _WINNERS[record.verdict]
    if winner is not None and not is_theirs:
        outgoing.lose("extra.winner")
    if record.annotator and "judge" not in extra:
        columns["judge"] = record.annotator
    for name, answer in zip(_SIDES, (record.a, record.b), strict=True):
        columns[name] = outgoing.messages(record.prompt + answer, name)
    row = outgoing.open_row(columns)
    if "judge" in columns:
        row.pop("annotator", None)
    return row


def _parts_again(prompt: Messages, a: Messages, b: Messages) -> bool:
    try:
        return split_shared(prompt + a, prompt + b, _SIDES[1]) == (prompt, a, b)
    except MisfitError:
        return False
