"""A table for spreadsheets, .csv or .tsv: one row a judgement, one kind a file; read back unchanged.

    judgement, form, id, source, weight, annotator, prompt                          in every row
    comparison:     answer_a, answer_b, verdict, strength, margin, reason
    ranking:        answer_1, ..., rank_1, ... (0 is best), unacceptable_1, ..., truncated_1, ...
    rating:         answer, score, minimum, maximum
    correction:     answer, corrected
    demonstration:  answer
    extra.NAME      an entry of `extra`: text as it is, all else (and text that could be taken for it) as JSON

A prompt is the text of one message of the user, an answer that of one of the assistant. In a row whose `form` is `messages`
they are JSON lists of messages instead. An empty cell says nothing.

A spreadsheet runs a cell that begins with = + - @, a tab or a line end as a formula. So such a cell is written with an
apostrophe before it, as is one that has apostrophes before such a character; reading takes one off again, and leaves every
other apostrophe alone.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from pydantic import JsonValue

from plaudit.formats.jsonl import write_bytes
from plaudit.formats.messages import MisfitError, message_to, messages_from, shown
from plaudit.formats.native import kind_of
from plaudit.formats.outgoing import CannotCarryError, Losses, Outgoing, not_carried, rows_of_all, single_text
from plaudit.formats.rows import Provenance, Row, answer_from, items, prompt_from, strict
from plaudit.formats.tables import separator_of
from plaudit.schemas.conversation import Messages, Role
from plaudit.schemas.errors import PlauditError
from plaudit.schemas.feedback import (
    AnyRecord,
    Comparison,
    Correction,
    Demonstration,
    Ranking,
    Rating,
    Verdict,
)

# The wide ones are what Japanese input methods write; some spreadsheets take them for the narrow ones.
_RUN = re.compile("'*[=+\\-@\t\r\n＝＋－＠]")
_EXTRA = "extra."
_TRUTHS = {"true": True, "false": False}
_FIRST = ("judgement", "form", "id", "source", "weight", "annotator", "prompt")
_FLAGS = ("unacceptable", "truncated")

_Judged = Comparison | Ranking | Rating | Correction | Demonstration


def recognises(columns: Mapping[str, JsonValue]) -> bool:
    """Whether a row has this shape."""
    return columns.keys() >= {"judgement", "prompt"} and columns["judgement"] in _READERS


def read(path: Path) -> Iterator[AnyRecord]:
    """The table's records. Raises RowError."""
    return strict(items(path, records_of))


def write(records: Iterable[AnyRecord], path: Path) -> Losses:
    """Writes one row a record. Raises PlauditError for a name that is no table's, since it alone tells what parts columns."""
    separator = separator_of(path)
    if separator is None:
        raise PlauditError(f"{path} must end in .csv or .tsv to be a table for spreadsheets: name it so")
    rows, losses = rows_of_all(records, path, lambda record, lost: [_cells_of(record, lost)])
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, delimiter=separator, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    header = _header(rows)
    writer.writerow(header)
    for row in rows:
        writer.writerow([harmless(str(row.get(name, ""))) for name in header])
    try:
        # Without the mark, spreadsheets read the bytes in whatever the country's old encoding was.
        write_bytes(stream.getvalue().encode("utf-8-sig"), path)
    except UnicodeEncodeError as error:
        raise PlauditError(f"{path} cannot be written as UTF-8 ({error}): replace lone surrogates") from error
    return losses


def harmless(cell: str) -> str:
    """The cell as it is written: no spreadsheet takes it for a formula."""
    return f"'{cell}" if _RUN.match(cell) else cell


def as_meant(cell: str) -> str:
    """The inverse of `harmless`."""
    return cell[1:] if cell.startswith("'") and _RUN.match(cell) else cell


def records_of(row: Row) -> list[AnyRecord]:
    """The record of one row."""
    cells: dict[str, str] = {}
    for name, value in row.columns.items():
        if not isinstance(value, str):
            raise MisfitError(name, "a cell of text", shown(value))
        if value:
            cells[name] = as_meant(value)
    kind = cells.get("judgement", "")
    if kind not in _READERS:
        raise MisfitError("judgement", f"one of {', '.join(_READERS)}", shown(kind))
    return [_READERS[kind](_Cells(row, cells))]


class _Cells:
    """The filled cells of one row, taken by name."""

    def __init__(self, row: Row, cells: Mapping[str, str]) -> None:
        self._row = row
        self._left = {name: cell for name, cell in cells.items() if name not in ("judgement", "form")}
        form = cells.get("form", "text")
        if form not in ("text", "messages"):
            raise MisfitError("form", "text or messages", shown(form))
        self._is_text = form == "text"
        self._leftover: dict[str, JsonValue] = {}

    def text(self, name: str) -> str:
        """The cell's text, "" where it is empty."""
        return self._left.pop(name, "")

    def number(self, name: str) -> float | None:
        """The cell's number."""
        cell = self.text(name)
        try:
            number = float(cell) if cell else None
        except ValueError as error:
            raise MisfitError(name, "a number with a decimal point", shown(cell)) from error
        if number is not None and not abs(number) < float("inf"):
            raise MisfitError(name, "a finite number", shown(cell))
        return number

    def whole(self, name: str) -> int | None:
        """The cell's whole number."""
        number = self.number(name)
        if number is not None and not number.is_integer():
            raise MisfitError(name, "a whole number", shown(number))
        return None if number is None else int(number)

    def truth(self, name: str) -> bool | None:
        """The cell's truth value. Spreadsheets write it in capitals."""
        cell = self.text(name)
        if cell and cell.lower() not in _TRUTHS:
            raise MisfitError(name, "true or false", shown(cell))
        return _TRUTHS[cell.lower()] if cell else None

    def prompt(self) -> Messages:
        """The row's prompt."""
        cell = self.text("prompt")
        return prompt_from(cell, "prompt")[0] if self._is_text else self._messages(cell or "[]", "prompt")

    def answer(self, name: str) -> Messages:
        """An answer. Raises MisfitError for an empty cell."""
        cell = self.text(name)
        if not cell:
            raise MisfitError(name, "an answer", "an empty cell")
        return answer_from(cell, name)[0] if self._is_text else self._messages(cell, name)

    def numbered(self, stem: str) -> list[str]:
        """The names of the filled cells `stem_1`, `stem_2`, ... Raises MisfitError for a gap."""
        found = {name for name in self._left if re.fullmatch(rf"{stem}_[1-9]\d{{0,5}}", name)}
        names = [f"{stem}_{number}" for number in range(1, len(found) + 1)]
        gap = next((name for name in names if name not in found), None)
        if gap:
            raise MisfitError(
                gap, f"no gap among the {len(found)} filled cells {stem}_1, {stem}_2, ...", "an empty cell"
            )
        return names

    def provenance(self) -> Provenance:
        """What the record has besides its judgement. To be taken last: all that is left goes to `extra`."""
        weight = self.number("weight")
        self._row.columns = {name: cell for name in ("id", "source", "annotator") if (cell := self.text(name))}
        found = self._row.provenance()
        extra = self._leftover
        extra |= {name: as_meant(cell) for name, cell in found["extra"].items() if isinstance(cell, str) and cell}
        for name, cell in self._left.items():
            key = name.removeprefix(_EXTRA)
            if key in extra:
                raise MisfitError(name, "a column of its own", f"{key} a second time, as {_EXTRA}{key}")
            extra[key] = _entry(cell) if name.startswith(_EXTRA) else cell
        return Provenance(
            id=found["id"],
            source=found["source"],
            weight=1.0 if weight is None else weight,
            annotator=found["annotator"],
            extra=extra,
        )

    def _messages(self, cell: str, name: str) -> Messages:
        messages, leftover = messages_from(_entry(cell), name)
        self._leftover |= leftover
        return messages


def _comparison(cells: _Cells) -> Comparison:
    word = cells.text("verdict")
    if word.strip().lower() not in set(Verdict):
        raise MisfitError("verdict", ", ".join(Verdict), shown(word))
    return Comparison(
        verdict=Verdict(word.strip().lower()),
        prompt=cells.prompt(),
        a=cells.answer("answer_a"),
        b=cells.answer("answer_b"),
        strength=cells.whole("strength"),
        margin=cells.number("margin"),
        reason=cells.text("reason"),
        **cells.provenance(),
    )


def _ranking(cells: _Cells) -> Ranking:
    names = cells.numbered("answer")
    completions = tuple(cells.answer(name) for name in names)
    ranks = tuple(cells.whole(f"rank_{number}") for number in range(1, len(names) + 1))
    flags = {stem: tuple(cells.truth(name) is True for name in cells.numbered(stem)) for stem in _FLAGS}
    alone = cells.numbered("rank")
    if alone:
        raise MisfitError(alone[0], "an answer of that number beside it", "none")
    return Ranking(prompt=cells.prompt(), completions=completions, ranks=ranks, **flags, **cells.provenance())


def _rating(cells: _Cells) -> Rating:
    score, low, high = (cells.number(name) for name in ("score", "minimum", "maximum"))
    if score is None:
        raise MisfitError("score", "a number", "an empty cell")
    return Rating(
        prompt=cells.prompt(),
        completion=cells.answer("answer"),
        score=score,
        minimum=0.0 if low is None else low,
        maximum=1.0 if high is None else high,
        **cells.provenance(),
    )


def _correction(cells: _Cells) -> Correction:
    completion, corrected = cells.answer("answer"), cells.answer("corrected")
    return Correction(prompt=cells.prompt(), completion=completion, corrected=corrected, **cells.provenance())


def _demonstration(cells: _Cells) -> Demonstration:
    return Demonstration(prompt=cells.prompt(), completion=cells.answer("answer"), **cells.provenance())


_READERS: dict[str, Callable[[_Cells], AnyRecord]] = {
    "comparison": _comparison,
    "ranking": _ranking,
    "rating": _rating,
    "correction": _correction,
    "demonstration": _demonstration,
}


def _cells_of(record: AnyRecord, losses: Losses) -> dict[str, JsonValue]:
    """The row's filled cells by column, formulas not yet harmless."""
    if not isinstance(record, _Judged):
        raise not_carried("spreadsheet", record, "Comparison, Ranking, Rating, Correction and Demonstration")
    answers, further = _said(record)
    is_text = _is_plain(record.prompt, Role.USER) and all(
        _is_plain(answer, Role.ASSISTANT) for answer in answers.values()
    )
    cells: dict[str, JsonValue] = {"judgement": kind_of(record), "form": "text" if is_text else "messages"}
    if record.annotator == "":
        Outgoing(record, losses).lose("annotator")
    cells |= {"id": record.id, "source": record.source, "weight": _number(record.weight)}
    cells |= {"annotator": record.annotator or "", "prompt": _turns(record.prompt, is_text)}
    cells |= {name: _turns(answer, is_text) for name, answer in answers.items()} | further
    cells |= {f"{_EXTRA}{name}": _cell(value) for name, value in record.extra.items()}
    limit = csv.field_size_limit()
    if any(len(str(cell)) + 1 > limit for cell in (*cells, *cells.values())):
        raise CannotCarryError(f"a cell of more than {limit} characters, which Python's csv does not read")
    return {name: cell for name, cell in cells.items() if cell != ""}


def _said(record: _Judged) -> tuple[dict[str, Messages], dict[str, JsonValue]]:
    """The answers by column, and the cells with what was said of them."""
    match record:
        case Comparison():
            cells: dict[str, JsonValue] = {"verdict": record.verdict.value, "reason": record.reason}
            cells |= {"strength": _number(record.strength), "margin": _number(record.margin)}
            return {"answer_a": record.a, "answer_b": record.b}, cells
        case Ranking():
            cells = {f"rank_{number}": _number(rank) for number, rank in enumerate(record.ranks, start=1)}
            for stem, flags in zip(_FLAGS, (record.unacceptable, record.truncated), strict=True):
                cells |= {f"{stem}_{number}": str(flag).lower() for number, flag in enumerate(flags, start=1)}
            return {f"answer_{number}": answer for number, answer in enumerate(record.completions, start=1)}, cells
        case Rating():
            scale = {"score": record.score, "minimum": record.minimum, "maximum": record.maximum}
            return {"answer": record.completion}, {name: _number(value) for name, value in scale.items()}
        case Correction():
            return {"answer": record.completion, "corrected": record.corrected}, {}
        case Demonstration():
            return {"answer": record.completion}, {}


def _header(rows: Sequence[Mapping[str, JsonValue]]) -> list[str]:
    """The columns that some row fills, what an entry of `extra` fills last."""
    found = dict.fromkeys(name for row in rows for name in row)
    said = sorted((name for name in found if not name.startswith(_EXTRA) and name not in _FIRST), key=_place)
    return [*_FIRST, *said, *(name for name in found if name.startswith(_EXTRA))]


def _place(name: str) -> tuple[int, int, str]:
    """Columns of one stem together by their number, the answers first."""
    stem, _, number = name.rpartition("_")
    return (0 if name.startswith("answer") else 1, int(number), stem) if number.isdecimal() else (0, 0, name)


def _is_plain(messages: Messages, role: Role) -> bool:
    """Whether a cell of text says it all. An empty one says nothing, so an empty message needs the long form."""
    if not messages:
        return role is Role.USER
    try:
        return single_text(messages, role) != ""
    except CannotCarryError:
        return False


def _turns(messages: Messages, is_text: bool) -> str:
    if is_text:
        return messages[0].text if messages else ""
    return json.dumps([message_to(message) for message in messages], ensure_ascii=False)


def _number(value: float | None) -> str:
    return "" if value is None else json.dumps(value)


def _cell(value: JsonValue) -> str:
    """An entry of `extra`: text that nothing else could be taken for as it is, the rest as JSON."""
    if isinstance(value, str) and value and _entry(value) == value:
        return value
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False)
    except ValueError as error:
        raise CannotCarryError("a number in extra that is not finite") from error


def _entry(cell: str) -> JsonValue:
    """The inverse of `_cell`: the JSON that the cell is, or else its text."""
    try:
        value: JsonValue = json.loads(cell, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return cell
    return value


def _refuse(name: str) -> NoReturn:
    raise ValueError(name)
