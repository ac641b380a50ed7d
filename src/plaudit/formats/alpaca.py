"""Stanford Alpaca's columns as LLaMA-Factory keeps them; OpenAssistant's Chinese part is published in this shape.

    {"instruction", "input", "output": text, "history": [[person, model], ...], "system"}  -> Demonstration
    the same with "output": [text, ...], the best first                                     -> Ranking
    the same with "chosen": text, "rejected": text, with or without "output"                -> Comparison
    the same with "output" and "kto_tag": true or false                                     -> Rating, 0 or 1

A list's place is its rank as published; in OpenAssistant's lists the last answer may in truth be unranked.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from pydantic import JsonValue

from plaudit.formats import sharegpt
from plaudit.formats.messages import MisfitError, shown
from plaudit.formats.outgoing import CannotCarryError, Losses, Outgoing, not_carried, single_text, write_each
from plaudit.formats.pairs import chosen_and_rejected, strict_pairs
from plaudit.formats.rows import Row, items, strict
from plaudit.schemas.conversation import Message, Messages, Role, assistant, user
from plaudit.schemas.feedback import AnyRecord, Comparison, Demonstration, Ranking, Rating, Verdict


def recognises(columns: Mapping[str, JsonValue]) -> bool:
    """Whether a row has this shape."""
    return columns.keys() >= {"instruction", "output"} or columns.keys() >= {"instruction", "chosen", "rejected"}


def read(path: Path) -> Iterator[AnyRecord]:
    """The file's records. Raises RowError."""
    return strict(items(path, records_of))


def write(records: Iterable[AnyRecord], path: Path) -> Losses:
    """Writes demonstrations, comparisons, the strict pairs of rankings, and ratings.

    A conversation in which the two do not speak in turns is left out, counted.
    """
    return write_each(records, path, _rows_of)


def records_of(row: Row) -> list[AnyRecord]:
    """The record of one row. A non-empty `input` follows the instruction on its own line and stays in `extra`."""
    instruction = row.text("instruction")
    given = row.text("input") if row.has("input") else ""
    if given:
        row.leave("input", given)
    asked = f"{instruction}\n{given}" if given else instruction
    prompt = (*_system(row), *_history(row), user(asked))
    if row.has("chosen") or row.has("rejected"):
        a, b = ((assistant(row.text(name)),) for name in ("chosen", "rejected"))
        return [Comparison(prompt=prompt, a=a, b=b, verdict=Verdict.A, **row.provenance())]
    if row.has("kto_tag"):
        return [sharegpt.rating(row, prompt, (assistant(row.text("output")),))]
    output = row.take("output", "text or a list of texts")
    if isinstance(output, str):
        return [Demonstration(prompt=prompt, completion=(assistant(output),), **row.provenance())]
    if not isinstance(output, list) or not all(isinstance(answer, str) for answer in output):
        raise MisfitError("output", "text or a list of texts", shown(output))
    answers = tuple((assistant(str(answer)),) for answer in output)
    return [Ranking(prompt=prompt, completions=answers, ranks=tuple(range(len(answers))), **row.provenance())]


def _system(row: Row) -> Messages:
    text = row.text("system") if row.has("system") else ""
    return (Message(role=Role.SYSTEM, content=text),) if text else ()


def _history(row: Row) -> Messages:
    turns: list[Message] = []
    for index, turn in enumerate(row.items("history") if row.has("history") else []):
        match turn:
            case [str(said), str(answered)]:
                turns += [user(said), assistant(answered)]
            case _:
                raise MisfitError(f"history[{index}]", "a pair of texts: what was said, what was answered", shown(turn))
    return tuple(turns)


def _rows_of(record: AnyRecord, losses: Losses) -> list[dict[str, JsonValue]]:
    outgoing = Outgoing(record, losses)
    columns: dict[str, JsonValue]
    match record:
        case Ranking():
            return [row for pair in strict_pairs(record, outgoing) for row in _rows_of(pair, losses)]
        case Demonstration():
            columns = {"output": single_text(record.completion, Role.ASSISTANT)}
        case Comparison():
            chosen, rejected = chosen_and_rejected(record, outgoing)
            if record.margin is not None:
                outgoing.lose("margin")
            columns = {
                "chosen": single_text(chosen, Role.ASSISTANT),
                "rejected": single_text(rejected, Role.ASSISTANT),
            }
        case Rating():
            columns = {
                "output": single_text(record.completion, Role.ASSISTANT),
                "kto_tag": sharegpt.kto_tag(record, outgoing),
            }
        case _:
            raise not_carried("alpaca", record, "Demonstration, Comparison, Ranking and Rating")
    return [outgoing.open_row(_asked(record.prompt, outgoing) | columns)]


def _asked(turns: Messages, outgoing: Outgoing) -> dict[str, JsonValue]:
    """The columns of a prompt: the last turn as instruction and input, what was said before as history and system."""
    system = ""
    if turns and turns[0].role is Role.SYSTEM:
        system, turns = single_text(turns[:1], Role.SYSTEM), turns[1:]
        if not system:
            raise CannotCarryError("an empty system message")
    if len(turns) % 2 == 0:
        raise CannotCarryError("a prompt that does not end with the person's turn after whole exchanges")
    history: list[JsonValue] = [
        [single_text(turns[i : i + 1], Role.USER), single_text(turns[i + 1 : i + 2], Role.ASSISTANT)]
        for i in range(0, len(turns) - 1, 2)
    ]
    instruction, given = outgoing.parted(single_text(turns[-1:], Role.USER), "input", "\n")
    columns: dict[str, JsonValue] = {"instruction": instruction, "input": given, "history": history}
    return columns | {"system": system} if system else columns
