"""What is in a record, whatever its kind: the prompt, the answers, those worth learning, and what two records have alike."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import compress

from pydantic import JsonValue

from plaudit.quality.duplicates import Wording, canonical_text
from plaudit.schemas.conversation import Message, Messages, TextPart, assistant, canonical_json
from plaudit.schemas.feedback import (
    AnyRecord,
    Comparison,
    Correction,
    Demonstration,
    Document,
    Highlights,
    Prompt,
    Ranking,
    Rating,
    Verdict,
    axis_of,
)

_FENCED_CODE = re.compile(r"```.*?(?:```|\Z)", flags=re.DOTALL)
_OPINIONS = (Comparison, Ranking, Rating, Correction, Highlights)
_NOT_SAID = {"id", "source", "weight", "extra", "reason", "prompt", "completion", "completions", "a", "b", "corrected"}
"""Provenance, texts, and words about them; the other fields are what a person said, and `axis_of` is of what."""


def prompt_of(record: AnyRecord) -> Messages:
    """The prompt; a document has none."""
    return () if isinstance(record, Document) else record.prompt


def answers_of(record: AnyRecord) -> tuple[Messages, ...]:
    """Every answer, good or bad; a document's text counts as one."""
    match record:
        case Document():
            return ((assistant(record.text),),)
        case Prompt():
            return ()
        case Comparison():
            return record.a, record.b
        case Ranking():
            return record.completions
        case Correction():
            return record.completion, record.corrected
        case _:
            return (record.completion,)


def exemplary_answers(record: AnyRecord) -> tuple[Messages, ...]:
    """The answers a model learns to give: demonstrated, corrected, preferred to another, rated above the middle."""
    match record:
        case Document() | Demonstration():
            return answers_of(record)
        case Correction():
            return (record.corrected,)
        case Comparison(verdict=Verdict.A):
            return (record.a,)
        case Comparison(verdict=Verdict.B):
            return (record.b,)
        case Ranking():
            ranked = {rank for rank in record.ranks if rank is not None}
            best = [rank == min(ranked) for rank in record.ranks] if len(ranked) > 1 else []
            return tuple(compress(record.completions, best))
        case Rating():
            return (record.completion,) if record.score > middle_of(record) else ()
        case _:
            return ()


def middle_of(rating: Rating) -> float:
    """The score that says neither good nor bad."""
    return (rating.minimum + rating.maximum) / 2


def text_of(messages: Sequence[Message]) -> str:
    """The messages' texts, a line each."""
    return "\n".join(message.text for message in messages)


def prose_of(record: AnyRecord) -> str:
    """All of the record's prompt and answers without fenced code, whose words are of no language."""
    return _FENCED_CODE.sub("\n", "\n".join(map(text_of, (prompt_of(record), *answers_of(record)))))


def canonical_messages(messages: Sequence[Message]) -> str:
    """The messages as one text, equal for messages that differ in white space and composition of characters alone."""
    return canonical_json([[message.role, canonical_text(_shown(message))] for message in messages])


def record_wording(record: AnyRecord) -> Wording:
    """What makes two records the same: kind and messages, and for opinions the person and what was said of which quality.

    Each message is a part, so that a long passage or system prompt does not make different questions alike. Of an opinion
    only the prompt is: its answers must be equal, since a word between them may be what was judged.
    """
    prompt, answers = prompt_of(record), answers_of(record)
    turns = (prompt, *answers)
    group: list[JsonValue] = [type(record).__name__, [[message.role for message in messages] for messages in turns]]
    if isinstance(record, _OPINIONS):
        group += [axis_of(record), record.model_dump(mode="json", exclude=_NOT_SAID), *map(canonical_messages, answers)]
        turns = (prompt,)
    return Wording(canonical_json(group), tuple(_shown(message) for messages in turns for message in messages))


def prompt_wording(record: AnyRecord) -> Wording:
    """What makes two prompts of records of one kind the same; a document's text is its prompt."""
    messages = prompt_of(record) or answers_of(record)[0]
    group: list[JsonValue] = [type(record).__name__, [message.role for message in messages]]
    return Wording(canonical_json(group), tuple(map(_shown, messages)))


def _shown(message: Message) -> str:
    """The text, with the address of each picture where it stands."""
    if isinstance(message.content, str):
        return message.content
    return "".join(part.text if isinstance(part, TextPart) else f" {part.url} " for part in message.content)
