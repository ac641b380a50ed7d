"""Anthropic's HH-RLHF: two whole dialogues as text, the better one first.

    {"chosen": "\\n\\nHuman: Hi\\n\\nAssistant: Hello!", "rejected": "\\n\\nHuman: Hi\\n\\nAssistant: What?"}
    {"text": [A, B], "score": [1, 0]}

The prompt is what the two dialogues share. Where one answer runs over several "Assistant:" turns they stay several
messages. Texts keep their spaces: only the one after the colon belongs to the mark.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from pydantic import JsonValue

from plaudit.formats.messages import MisfitError, shown
from plaudit.formats.outgoing import CannotCarryError, Losses, Outgoing, not_carried, write_each
from plaudit.formats.pairs import chosen_and_rejected, split_shared
from plaudit.formats.rows import Row, items, strict
from plaudit.schemas.conversation import Message, Messages, Role, assistant, user
from plaudit.schemas.feedback import AnyRecord, Comparison, Verdict

_MARK = re.compile(r"\n\n(Human|Assistant):")
_START = "\n\nHuman:"


def recognises(columns: Mapping[str, JsonValue]) -> bool:
    """Whether a row has this shape."""
    match columns:
        case {"prompt": _}:
            return False
        case {"chosen": str(chosen), "rejected": str(rejected)}:
            return chosen.startswith(_START) and rejected.startswith(_START)
        case {"text": [str(_), str(_)], "score": list()}:
            return True
    return False


def read(path: Path) -> Iterator[Comparison]:
    """The file's comparisons; `a` is the dialogue that stands first in the row. Raises RowError."""
    for record in strict(items(path, records_of)):
        assert isinstance(record, Comparison)
        yield record


def write(records: Iterable[AnyRecord], path: Path) -> Losses:
    """Writes chosen and rejected dialogues; ties and what text with marks cannot tell apart are left out, counted."""
    return write_each(records, path, _rows_of)


def records_of(row: Row) -> list[AnyRecord]:
    """The comparison of one row."""
    if row.has("text", "score"):
        texts, scores = row.items("text"), row.items("score")
        if len(texts) != 2:
            raise MisfitError("text", "two dialogues", shown(texts))
        verdict = _verdict(scores, row)
        fields = "text[0]", "text[1]"
    else:
        texts, verdict = [row.text("chosen"), row.text("rejected")], Verdict.A
        fields = "chosen", "rejected"
    a, b = (dialogue(text, field) for text, field in zip(texts, fields, strict=True))
    prompt, a, b = split_shared(a, b, fields[1])
    return [Comparison(prompt=prompt, a=a, b=b, verdict=verdict, **row.provenance())]


def dialogue(text: JsonValue, field: str) -> Messages:
    """The messages of a dialogue in text. Raises MisfitError where it does not start with a person's turn."""
    if not isinstance(text, str) or not text.startswith(_START):
        raise MisfitError(field, f"a dialogue that starts with {_START!r}", shown(text))
    _, *pieces = _MARK.split(text)
    speakers = {"Human": user, "Assistant": assistant}
    return tuple(
        speakers[speaker](said.removeprefix(" ")) for speaker, said in zip(pieces[::2], pieces[1::2], strict=True)
    )


def dialogue_text(messages: Messages) -> str:
    """The inverse of `dialogue`. Raises CannotCarryError for system and tool messages and for pictures."""
    return "".join(f"\n\n{_speaker(message)}: {message.content}" for message in messages)


def _speaker(message: Message) -> str:
    if not isinstance(message.content, str) or message.role not in (Role.USER, Role.ASSISTANT):
        raise CannotCarryError(f"a message of the {message.role.value}, or pictures, where the shape holds text of two")
    return "Human" if message.role is Role.USER else "Assistant"


def _verdict(scores: list[JsonValue], row: Row) -> Verdict:
    numbers = [score for score in scores if isinstance(score, int | float) and not isinstance(score, bool)]
    if len(numbers) != 2 or len(scores) != 2:
        raise MisfitError("score", "two numbers", shown(scores))
    if sorted(numbers) != [0, 1]:
        row.leave("score", scores)
    return Verdict.TIE if numbers[0] == numbers[1] else Verdict.A if numbers[0] > numbers[1] else Verdict.B


def _rows_of(record: AnyRecord, losses: Losses) -> list[dict[str, JsonValue]]:
    if not isinstance(record, Comparison):
        raise not_carried("hh", record, "Comparison")
    outgoing = Outgoing(record, losses)
    chosen, rejected = chosen_and_rejected(record, outgoing)
    if record.margin is not None:
        outgoing.lose("margin")
    dialogues = [dialogue_text(record.prompt + chosen), dialogue_text(record.prompt + rejected)]
    try:
        again = split_shared(dialogue(dialogues[0], "chosen"), dialogue(dialogues[1], "rejected"), "rejected")
    except MisfitError as misfit:
        raise CannotCarryError("dialogues that would not be read back as they are") from misfit
    if again != (record.prompt, chosen, rejected):
        raise CannotCarryError("dialogues that would not be read back as they are")
    return [outgoing.open_row({"chosen": dialogues[0], "rejected": dialogues[1]})]
