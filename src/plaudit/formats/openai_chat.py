"""OpenAI's fine-tuning files, chat and preference; Fireworks and Together read the same.

    {"messages": [{"role", "content", "weight": 0 or 1}, ...]}                      -> Demonstration
    {"input": {"messages"}, "preferred_output": [...], "non_preferred_output": [...]}  -> Comparison

An assistant message of weight 0 is not trained on: the prompt reaches up to the first that is. The shape is closed: the
API refuses further columns, so ids, sources and weights are lost on writing, and counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from pydantic import JsonValue

from plaudit.formats.messages import MisfitError, shown
from plaudit.formats.outgoing import CannotCarryError, Losses, Outgoing, not_carried, write_each
from plaudit.formats.pairs import chosen_and_rejected, strict_pairs
from plaudit.formats.rows import Row, items, strict
from plaudit.schemas.feedback import AnyRecord, Comparison, Demonstration, Ranking, Verdict

_FURTHER_COLUMNS = ("tools", "parallel_tool_calls", "functions")


def recognises(columns: Mapping[str, JsonValue]) -> bool:
    """Whether a row has one of the two shapes."""
    return isinstance(columns.get("messages"), list) or columns.keys() >= {"input", "preferred_output"}


def read(path: Path) -> Iterator[AnyRecord]:
    """The file's records. Raises RowError."""
    return strict(items(path, records_of))


def write(records: Iterable[AnyRecord], path: Path) -> Losses:
    """Writes chat rows from demonstrations, preference rows from comparisons and from the strict pairs of rankings."""
    return write_each(records, path, _rows_of)


def records_of(row: Row) -> list[AnyRecord]:
    """The record of one row."""
    if row.has("preferred_output"):
        return [_comparison(row)]
    turns = row.items("messages")
    start = _first_trained(turns)
    messages = row.messages_of([_without_weight(turn) for turn in turns], "messages")
    return [Demonstration(prompt=messages[:start], completion=messages[start:], **row.provenance())]


def _comparison(row: Row) -> Comparison:
    given = row.take("input", "an object with messages")
    if not isinstance(given, dict) or "messages" not in given:
        raise MisfitError("input", "an object with messages", shown(given))
    prompt = row.messages_of(given["messages"], "input.messages")
    further = {name: value for name, value in given.items() if name != "messages"}
    if further:
        row.leave("input", further)
    sides = [row.take(name, "a list of messages") for name in ("preferred_output", "non_preferred_output")]
    a, b = row.messages_of(sides[0], "preferred_output"), row.messages_of(sides[1], "non_preferred_output")
    return Comparison(prompt=prompt, a=a, b=b, verdict=Verdict.A, **row.provenance())


def _first_trained(turns: list[JsonValue]) -> int:
    """The index of the first assistant message to train on. Raises MisfitError where one after it has weight 0."""
    answers = {i: turn for i, turn in enumerate(turns) if isinstance(turn, dict) and turn.get("role") == "assistant"}
    first: int | None = None
    for index, turn in answers.items():
        weight = turn.get("weight", 1)
        if weight not in (0, 1):
            raise MisfitError(f"messages[{index}].weight", "0 or 1", shown(weight))
        if weight and first is None:
            first = index
        if not weight and first is not None:
            expected = "1, as in the assistant messages before it (end the row before this turn, or begin after it)"
            raise MisfitError(f"messages[{index}].weight", expected, "0")
    if first is None:
        raise MisfitError(
            "messages", "an assistant message to train on", f"{len(answers)} assistant messages, of weight 0"
        )
    return first


def _without_weight(turn: JsonValue) -> JsonValue:
    if not isinstance(turn, dict) or turn.get("role") != "assistant":
        return turn
    return {name: value for name, value in turn.items() if name != "weight"}


def _rows_of(record: AnyRecord, losses: Losses) -> list[dict[str, JsonValue]]:
    outgoing = Outgoing(record, losses)
    columns: dict[str, JsonValue]
    match record:
        case Ranking():
            return [row for pair in strict_pairs(record, outgoing) for row in _rows_of(pair, losses)]
        case Demonstration():
            columns = {"messages": _chat(record, outgoing)}
        case Comparison():
            columns = _preference(record, outgoing)
        case _:
            raise not_carried("openai-chat", record, "Demonstration, Comparison and Ranking")
    columns |= {name: outgoing.extra.pop(name) for name in _FURTHER_COLUMNS if name in outgoing.extra}
    return [outgoing.closed_row(columns)]


def _chat(record: Demonstration, outgoing: Outgoing) -> list[JsonValue]:
    turns = outgoing.messages(record.prompt + record.completion, "messages")
    for turn in turns[: len(record.prompt)]:
        if isinstance(turn, dict) and turn["role"] == "assistant":
            turn["weight"] = 0
    return turns


def _preference(record: Comparison, outgoing: Outgoing) -> dict[str, JsonValue]:
    chosen, rejected = chosen_and_rejected(record, outgoing)
    if len(chosen) != 1 or len(rejected) != 1:
        raise CannotCarryError("an answer of several messages where the shape holds one")
    if record.margin is not None:
        outgoing.lose("margin")
    given: dict[str, JsonValue] = {"messages": outgoing.messages(record.prompt, "input.messages")}
    further = outgoing.extra.get("input")
    if isinstance(further, dict):
        given |= further
        del outgoing.extra["input"]
    return {
        "input": given,
        "preferred_output": outgoing.messages(chosen, "preferred_output"),
        "non_preferred_output": outgoing.messages(rejected, "non_preferred_output"),
    }
