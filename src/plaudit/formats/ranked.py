"""K answers and their order in one row, the shape plaudit proposes where none is usual; both directions lose nothing.

    {"prompt": text, "completions": [text] * K, "ranks": [0, 2, 1, null]}

Rank 0 is best, equal ranks are ties, null was not ranked; `unacceptable` and `truncated` may hold K truth values. Text
stands for one message of the user or the assistant; a file with any longer conversation holds lists of messages
throughout.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from pydantic import JsonValue

from plaudit.formats.messages import MisfitError, shown
from plaudit.formats.outgoing import CannotCarryError, Losses, Outgoing, not_carried, single_text, write_each
from plaudit.formats.rows import Row, items, strict
from plaudit.schemas.conversation import Messages, Role
from plaudit.schemas.feedback import AnyRecord, Ranking


def recognises(columns: Mapping[str, JsonValue]) -> bool:
    """Whether a row has this shape."""
    return columns.keys() >= {"completions", "ranks"}


def read(path: Path) -> Iterator[Ranking]:
    """The file's rankings. Raises RowError."""
    for record in strict(items(path, records_of)):
        assert isinstance(record, Ranking)
        yield record


def write(records: Iterable[AnyRecord], path: Path) -> Losses:
    """Writes one row a ranking."""
    found = list(records)
    as_text = all(isinstance(record, Ranking) and _is_plain(record) for record in found)
    return write_each(found, path, lambda record, losses: [_row_of(record, losses, as_text)])


def records_of(row: Row) -> list[AnyRecord]:
    """The ranking of one row."""
    prompt = row.prompt_of(row.take("prompt", "a prompt"), "prompt")
    answers = [row.answer_of(value, f"completions[{i}]") for i, value in enumerate(row.items("completions"))]
    ranks = [_rank(value, f"ranks[{i}]") for i, value in enumerate(row.items("ranks"))]
    return [
        Ranking(
            prompt=prompt,
            completions=tuple(answers),
            ranks=tuple(ranks),
            unacceptable=_flags(row, "unacceptable"),
            truncated=_flags(row, "truncated"),
            **row.provenance(),
        )
    ]


def _rank(value: JsonValue, path: str) -> int | None:
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    raise MisfitError(path, "a whole number from 0 (best) or null", shown(value))


def _flags(row: Row, name: str) -> tuple[bool, ...]:
    flags: list[bool] = []
    for index, value in enumerate(row.items(name) if row.has(name) else []):
        if not isinstance(value, bool):
            raise MisfitError(f"{name}[{index}]", "true or false", shown(value))
        flags.append(value)
    return tuple(flags)


def _is_plain(record: Ranking) -> bool:
    """Whether text says it all: one message each, without pictures and without leftovers of their own."""
    try:
        _prompt_text(record.prompt)
        for completion in record.completions:
            single_text(completion, Role.ASSISTANT)
    except CannotCarryError:
        return False
    return not any(name.startswith(("prompt[", "completions[")) for name in record.extra)


def _prompt_text(prompt: Messages) -> str:
    """The prompt's text; "" stands for no message, so a message without text needs the long form."""
    text = single_text(prompt, Role.USER) if prompt else ""
    if prompt and not text:
        raise CannotCarryError("an empty message")
    return text


def _row_of(record: AnyRecord, losses: Losses, as_text: bool) -> dict[str, JsonValue]:
    if not isinstance(record, Ranking):
        raise not_carried("ranked", record, "Ranking")
    outgoing = Outgoing(record, losses)
    columns: dict[str, JsonValue] = {"prompt": None, "completions": None, "ranks": list(record.ranks)}
    if as_text:
        columns["prompt"] = _prompt_text(record.prompt)
        columns["completions"] = [single_text(completion, Role.ASSISTANT) for completion in record.completions]
    else:
        columns["prompt"] = outgoing.messages(record.prompt, "prompt")
        columns["completions"] = [
            outgoing.messages(completion, f"completions[{i}]") for i, completion in enumerate(record.completions)
        ]
    if record.unacceptable:
        columns["unacceptable"] = list(record.unacceptable)
    if record.truncated:
        columns["truncated"] = list(record.truncated)
    return outgoing.open_row(columns)
