"""verl's rows: a prompt and what a rule needs to score its answers.

    {"data_source", "prompt": [message, ...], "ability", "reward_model": {"style", "ground_truth"}, "extra_info"}  <-> Prompt

Everything but the prompt is kept in `extra`, where a reward function finds it, and written back. verl reads Parquet: write
to a name that ends in `.parquet`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from pydantic import JsonValue

from plaudit.formats.outgoing import Losses, Outgoing, not_carried, write_each
from plaudit.formats.rows import Row, items, strict
from plaudit.schemas.feedback import AnyRecord, Prompt

_ANSWERS = {"completion", "completions", "chosen", "rejected"}


def recognises(columns: Mapping[str, JsonValue]) -> bool:
    """Whether a row has this shape."""
    is_prompt = isinstance(columns.get("prompt"), list) and not columns.keys() & _ANSWERS
    return is_prompt and isinstance(columns.get("data_source"), str)


def read(path: Path) -> Iterator[Prompt]:
    """The file's prompts. Raises RowError."""
    for record in strict(items(path, records_of)):
        assert isinstance(record, Prompt)
        yield record


def write(records: Iterable[AnyRecord], path: Path) -> Losses:
    """Writes one row a prompt. Where `extra` names no `data_source`, the record's source is one."""
    return write_each(records, path, lambda record, losses: [_row_of(record, losses)])


def records_of(row: Row) -> list[AnyRecord]:
    """The prompt of one row."""
    data_source = row.text("data_source")
    if data_source != row.columns.get("source"):
        row.leave("data_source", data_source)
    return [Prompt(prompt=row.messages("prompt"), **row.provenance())]


def _row_of(record: AnyRecord, losses: Losses) -> dict[str, JsonValue]:
    if not isinstance(record, Prompt):
        raise not_carried("verl", record, "Prompt")
    outgoing = Outgoing(record, losses)
    data_source = outgoing.extra.pop("data_source", record.source)
    return outgoing.open_row({"data_source": data_source, "prompt": outgoing.messages(record.prompt, "prompt")})
