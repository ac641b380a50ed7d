"""ShareGPT's turns as LLaMA-Factory reads them.

    {"conversations": [{"from": "human", "value": text}, {"from": "gpt", "value": text}, ...], "system", "tools"}
                                                            -> Demonstration
    the same up to a person's turn, "chosen": turn, "rejected": turn   -> Comparison
    the same with "kto_tag": true or false                             -> Rating of the last turn, 0 or 1

A demonstration's prompt reaches up to the first answer. `observation` is a tool's message, `function_call` one of the
assistant; `tools` is carried in `extra`. What `dataset_info.json` may say of such a file, `llamafactory` reads.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from pydantic import JsonValue

from plaudit.formats.messages import MisfitError, shown
from plaudit.formats.outgoing import CannotCarryError, Losses, Outgoing, not_carried, write_each
from plaudit.formats.pairs import chosen_and_rejected, strict_pairs
from plaudit.formats.rows import Row, items, strict
from plaudit.formats.trl import at_first_answer
from plaudit.schemas.conversation import Message, Messages, Role
from plaudit.schemas.feedback import AnyRecord, Comparison, Demonstration, Ranking, Rating, Verdict

_NAMES = {Role.USER: "human", Role.ASSISTANT: "gpt", Role.SYSTEM: "system", Role.TOOL: "observation"}
_SPEAKERS = {name: role for role, name in _NAMES.items()} | {
    "user": Role.USER,
    "assistant": Role.ASSISTANT,
    "function_call": Role.ASSISTANT,
    "tool": Role.TOOL,
}
_TURNS = "conversations"


def recognises(columns: Mapping[str, JsonValue]) -> bool:
    """Whether a row has this shape."""
    match columns:
        case {"conversations": [{"from": _, "value": _}, *_]}:
            return True
    return False


def read(path: Path) -> Iterator[AnyRecord]:
    """The file's records. Raises RowError."""
    return strict(items(path, records_of))


def write(records: Iterable[AnyRecord], path: Path) -> Losses:
    """Writes demonstrations, comparisons, the strict pairs of rankings, and ratings; what is no text is left out, counted."""
    return write_each(records, path, _rows_of)


def records_of(row: Row) -> list[AnyRecord]:
    """The record of one row."""
    system = row.text("system") if row.has("system") else ""
    turns = [_turn(row, value, f"{_TURNS}[{i}]") for i, value in enumerate(row.items(_TURNS))]
    if turns and turns[0].role is Role.SYSTEM:
        if system:
            raise MisfitError("system", "one system message, in its column or as the first turn", "both")
        row.leave(f"{_TURNS}[0].from", "system")
    messages = (*((Message(role=Role.SYSTEM, content=system),) if system else ()), *turns)
    if row.has("chosen") or row.has("rejected"):
        a, b = (_turn(row, row.take(name, "an answer"), name) for name in ("chosen", "rejected"))
        return [Comparison(prompt=messages, a=(a,), b=(b,), verdict=Verdict.A, **row.provenance())]
    if row.has("kto_tag"):
        return [rating(row, messages[:-1], messages[-1:])]
    prompt, completion = at_first_answer(messages, _TURNS)
    return [Demonstration(prompt=prompt, completion=completion, **row.provenance())]


def rating(row: Row, prompt: Messages, completion: Messages) -> Rating:
    """The rating that the row's `kto_tag` gives the answer. Raises MisfitError where it is no truth value."""
    tag = row.take("kto_tag", "true or false")
    if not isinstance(tag, bool):
        raise MisfitError("kto_tag", "true or false", shown(tag))
    return Rating(prompt=prompt, completion=completion, score=float(tag), **row.provenance())


def kto_tag(record: Rating, outgoing: Outgoing) -> bool:
    """Whether the answer is rated above the middle of its range; any other rating than a thumb is lost, counted."""
    if record.score not in (0, 1) or (record.minimum, record.maximum) != (0, 1):
        outgoing.lose("score (kept: above the middle of its range or not)")
    return record.score > (record.minimum + record.maximum) / 2


def _turn(row: Row, value: JsonValue, path: str) -> Message:
    if not isinstance(value, dict):
        raise MisfitError(path, "a turn with from and value", shown(value))
    speaker, said = value.get("from"), value.get("value")
    if not isinstance(speaker, str) or speaker not in _SPEAKERS:
        raise MisfitError(f"{path}.from", f"one of {', '.join(_SPEAKERS)}", shown(speaker))
    if not isinstance(said, str):
        raise MisfitError(f"{path}.value", "text", shown(said))
    message = Message(role=_SPEAKERS[speaker], content=said)
    written = {"from": _NAMES[message.role], "value": said}
    for key, entry in value.items():
        if key not in written or written[key] != entry:
            row.leave(f"{path}.{key}", entry)
    return message


def _rows_of(record: AnyRecord, losses: Losses) -> list[dict[str, JsonValue]]:
    outgoing = Outgoing(record, losses)
    columns: dict[str, JsonValue]
    match record:
        case Ranking():
            return [row for pair in strict_pairs(record, outgoing) for row in _rows_of(pair, losses)]
        case Demonstration():
            if any(message.role is Role.ASSISTANT for message in record.prompt):
                outgoing.lose("prompt (which answers of the conversation are not trained on)")
            columns = _conversation(record.prompt + record.completion, outgoing)
        case Comparison():
            chosen, rejected = chosen_and_rejected(record, outgoing)
            if len(chosen) != 1 or len(rejected) != 1:
                raise CannotCarryError("an answer of several messages where the shape holds one")
            if record.margin is not None:
                outgoing.lose("margin")
            columns = _conversation(record.prompt, outgoing) | {
                "chosen": _written(chosen[0], "chosen", outgoing),
                "rejected": _written(rejected[0], "rejected", outgoing),
            }
        case Rating():
            if len(record.completion) != 1:
                raise CannotCarryError("an answer of several messages where the shape holds one")
            columns = _conversation(record.prompt + record.completion, outgoing)
            columns["kto_tag"] = kto_tag(record, outgoing)
        case _:
            raise not_carried("sharegpt", record, "Demonstration, Comparison, Ranking and Rating")
    return [outgoing.open_row(columns)]


def _conversation(messages: Messages, outgoing: Outgoing) -> dict[str, JsonValue]:
    """The `conversations` and, unless it was read as a turn, the `system` of these messages."""
    system: dict[str, JsonValue] = {}
    if messages and messages[0].role is Role.SYSTEM and outgoing.extra.get(f"{_TURNS}[0].from") != "system":
        system, messages = {"system": _text(messages[0])}, messages[1:]
        if not system["system"] or (messages and messages[0].role is Role.SYSTEM):
            raise CannotCarryError("an empty system message, or two of them, where the shape holds one")
    turns: list[JsonValue] = [_written(turn, f"{_TURNS}[{i}]", outgoing) for i, turn in enumerate(messages)]
    return {_TURNS: turns} | system


def _written(message: Message, path: str, outgoing: Outgoing) -> dict[str, JsonValue]:
    turn: dict[str, JsonValue] = {"from": _NAMES[message.role], "value": _text(message)}
    for name in [name for name in outgoing.extra if name.startswith(f"{path}.")]:
        turn[name.removeprefix(f"{path}.")] = outgoing.extra.pop(name)
    return turn


def _text(message: Message) -> str:
    if not isinstance(message.content, str):
        raise CannotCarryError("pictures where the shape holds text")
    return message.content
