"""TRL's data set types, in the standard (text) and the conversational form.

    language modeling   {"text"} or {"messages"}                    -> Document or Demonstration
    prompt-only         {"prompt"}                                  -> Prompt
    prompt-completion   {"prompt", "completion"}                    -> Demonstration
    preference          {"prompt", "chosen", "rejected"}, "margin"  -> Comparison
                        {"chosen", "rejected"}: the prompt is what they share
    unpaired            {"prompt", "completion", "label"}           -> Rating, 0 or 1
    stepwise            {"prompt", "completions", "labels"}         -> Highlights (`stepwise` has the details)

A row is read as the most specific type whose columns it has; the others go to `extra`. Text in a `prompt` becomes one
message of the user, text in an answer one of the assistant.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Literal

from pydantic import JsonValue

from plaudit.formats import hh, stepwise, verl
from plaudit.formats.messages import MisfitError, shown
from plaudit.formats.outgoing import Losses, Outgoing, not_carried, single_text, write_each
from plaudit.formats.pairs import chosen_and_rejected, num_shared, split_shared, strict_pairs
from plaudit.formats.rows import Row, items, strict
from plaudit.schemas.conversation import Messages, Role
from plaudit.schemas.feedback import (
    AnyRecord,
    Comparison,
    Demonstration,
    Document,
    Highlights,
    Prompt,
    Ranking,
    Rating,
    Verdict,
)

Form = Literal["conversational", "standard"]
_MESSAGE_COLUMNS = ("prompt", "completion", "chosen", "rejected", "messages")
_LAST_SPACED_SCRIPT = 0x2E80  # code points from here on (CJK and kin) write no spaces between words


def recognises(columns: Mapping[str, JsonValue]) -> bool:
    """Whether a row has one of the types, language modeling aside (`plain` and `openai_chat` read it the same way)."""
    if columns.keys() >= {"completions", "ranks"} or hh.recognises(columns) or verl.recognises(columns):
        return False
    if isinstance(columns.get("prompt"), str | list):
        return True
    # LLaMA-Factory's preferences have their prompt in a column of another name.
    return columns.keys() >= {"chosen", "rejected"} and not columns.keys() & {"instruction", "conversations"}


def read(path: Path) -> Iterator[AnyRecord]:
    """The file's records. Raises RowError."""
    return strict(items(path, records_of))


def write(records: Iterable[AnyRecord], path: Path, *, form: Form = "conversational") -> Losses:
    """Writes one TRL type: explicit prompts, rankings as their strict pairs.

    The standard form holds text without a chat template, so only one-turn records without a system message fit in.
    """
    return write_each(records, path, lambda record, losses: _rows_of(record, losses, form))


def is_conversational(example: Mapping[str, JsonValue]) -> bool:
    """Whether the example's first column of messages or text is a list of messages."""
    found = next((example[name] for name in _MESSAGE_COLUMNS if example.get(name) is not None), None)
    return isinstance(found, list) and bool(found) and isinstance(found[0], dict) and found[0].keys() >= {"role"}


def extract_prompt(example: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """`prompt`, `chosen`, `rejected` of an example whose two answers repeat the prompt.

    Deviates from TRL: text is never cut inside a word ("blue" and "black" share no "bl"), and two equal sides keep
    their last message. Raises ValueError where two equal texts leave nothing to tell prompt from answer by.
    """
    match example:
        case {"chosen": list(chosen), "rejected": list(rejected)}:
            cut = num_shared(chosen, rejected)
            return {"prompt": chosen[:cut], "chosen": chosen[cut:], "rejected": rejected[cut:]}
        case {"chosen": str(better), "rejected": str(worse)}:
            if better == worse:
                raise MisfitError("rejected", "a text that differs from chosen (or add a prompt column)", shown(worse))
            cut = _shared_text(better, worse)
            return {"prompt": better[:cut], "chosen": better[cut:], "rejected": worse[cut:]}
    raise MisfitError("chosen", "chosen and rejected, both text or both messages", shown(example))


def records_of(row: Row) -> list[AnyRecord]:
    """The record of one row, by the most specific type whose columns it has."""
    if row.has("completions", "labels"):
        return [stepwise.highlights(row)]
    if row.has("chosen") or row.has("rejected"):
        return [_comparison(row)]
    if row.has("prompt") and row.has("completion"):
        _check_one_form(row, "prompt", "completion")
        prompt = row.prompt_of(row.take("prompt", "a prompt"), "prompt")
        completion = row.answer_of(row.take("completion", "an answer"), "completion")
        if not row.has("label"):
            return [Demonstration(prompt=prompt, completion=completion, **row.provenance())]
        score = float(_label(row))
        return [Rating(prompt=prompt, completion=completion, score=score, **row.provenance())]
    if row.has("prompt"):
        return [Prompt(prompt=row.prompt_of(row.take("prompt", "a prompt"), "prompt"), **row.provenance())]
    if row.has("messages"):
        prompt, completion = at_first_answer(row.messages("messages"), "messages")
        return [Demonstration(prompt=prompt, completion=completion, **row.provenance())]
    return [Document(text=row.text("text"), **row.provenance())]


def at_first_answer(messages: Messages, field: str) -> tuple[Messages, Messages]:
    """The turns before the assistant's first, and the rest. Raises MisfitError where the last is no assistant's."""
    first = next((index for index, message in enumerate(messages) if message.role is Role.ASSISTANT), None)
    if first is None or messages[-1].role is not Role.ASSISTANT:
        got = f"a {messages[-1].role.value} message last" if messages else "no messages"
        raise MisfitError(field, "a conversation that ends with an assistant message", got)
    return messages[:first], messages[first:]


def _comparison(row: Row) -> Comparison:
    chosen, rejected = row.take("chosen", "the better answer"), row.take("rejected", "the worse answer")
    margin = row.number("margin")
    if row.has("prompt"):
        _check_one_form(row, "prompt", "chosen", "rejected")
        prompt = row.prompt_of(row.take("prompt", "a prompt"), "prompt")
        a, b = row.answer_of(chosen, "chosen"), row.answer_of(rejected, "rejected")
    elif isinstance(chosen, str) and isinstance(rejected, str):
        parts = extract_prompt({"chosen": chosen, "rejected": rejected})
        prompt = row.prompt_of(parts["prompt"], "prompt")
        a, b = row.answer_of(parts["chosen"], "chosen"), row.answer_of(parts["rejected"], "rejected")
    else:
        whole_a, whole_b = row.messages_of(chosen, "chosen"), row.messages_of(rejected, "rejected")
        prompt, a, b = split_shared(whole_a, whole_b, "rejected")
    return Comparison(prompt=prompt, a=a, b=b, verdict=Verdict.A, margin=margin, **row.provenance())


def _check_one_form(row: Row, *names: str) -> None:
    forms = {name: "text" if isinstance(row.columns[name], str) else "messages" for name in names if row.has(name)}
    if len(set(forms.values())) > 1:
        got = ", ".join(f"{name} as {form}" for name, form in forms.items())
        expected = "all text or all messages (if the answers hold the whole conversation, remove the prompt column)"
        raise MisfitError(names[0], expected, got)


def _label(row: Row) -> bool:
    label = row.take("label", "true or false")
    if not isinstance(label, bool):
        raise MisfitError("label", "true or false", shown(label))
    return label


def _shared_text(a: str, b: str) -> int:
    """Where the two texts part, moved back to the start of the word and before the space in front of it."""
    limit = min(len(a), len(b))
    cut = next((index for index in range(limit) if a[index] != b[index]), limit)
    while cut and _in_spaced_word(a[cut - 1]):
        cut -= 1
    return cut - 1 if cut and a[cut - 1] == " " else cut


def _in_spaced_word(character: str) -> bool:
    return character.isalnum() and ord(character) < _LAST_SPACED_SCRIPT


def _rows_of(record: AnyRecord, losses: Losses, form: Form) -> list[dict[str, JsonValue]]:
    outgoing = Outgoing(record, losses)
    if isinstance(record, Ranking):
        return [row for pair in strict_pairs(record, outgoing) for row in _rows_of(pair, losses, form)]
    columns: dict[str, JsonValue]
    match record:
        case Document():
            columns = {"text": record.text}
        case Prompt():
            columns = {"prompt": _prompt(record.prompt, outgoing, form)}
        case Demonstration():
            columns = {
                "prompt": _prompt(record.prompt, outgoing, form),
                "completion": _answer(record.completion, "completion", outgoing, form),
            }
        case Comparison():
            chosen, rejected = chosen_and_rejected(record, outgoing)
            columns = {
                "prompt": _prompt(record.prompt, outgoing, form),
                "chosen": _answer(chosen, "chosen", outgoing, form),
                "rejected": _answer(rejected, "rejected", outgoing, form),
            }
            if record.margin is not None:
                columns["margin"] = record.margin
        case Rating():
            middle = (record.minimum + record.maximum) / 2
            if record.score not in (0, 1) or (record.minimum, record.maximum) != (0, 1):
                outgoing.lose("score (kept: above the middle of its range or not)")
            columns = {
                "prompt": _prompt(record.prompt, outgoing, form),
                "completion": _answer(record.completion, "completion", outgoing, form),
                "label": record.score > middle,
            }
        case Highlights():
            # Stepwise supervision has no conversational form.
            columns = {"prompt": _prompt(record.prompt, outgoing, "standard"), **stepwise.columns_of(record, outgoing)}
        case _:
            raise not_carried("trl", record, "any kind but Correction")
    return [outgoing.open_row(columns)]


def _prompt(messages: Messages, outgoing: Outgoing, form: Form) -> JsonValue:
    if form == "standard":
        return single_text(messages, Role.USER) if messages else ""
    return outgoing.messages(messages, "prompt")


def _answer(messages: Messages, column: str, outgoing: Outgoing, form: Form) -> JsonValue:
    if form == "standard":
        return single_text(messages, Role.ASSISTANT)
    return outgoing.messages(messages, column)
