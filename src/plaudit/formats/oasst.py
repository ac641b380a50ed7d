"""OpenAssistant's message trees: a prompter message gives a Ranking of its replies and the best as a Demonstration.

    {"message_tree_id", "prompt": {"message_id", "text", "role": "prompter", "replies": [{"rank": 0, ...}, ...]}}

or the root message itself as the row. A ranking needs two ranked replies; where none is ranked, every reply is a
demonstration.
Model-written (`synthetic`) and deleted messages are dropped with all that was said after them, and counted. A reply's
id is its demonstration's, the prompter message's that of the ranking.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from pydantic import JsonValue

from plaudit.formats.messages import MisfitError, shown
from plaudit.formats.rows import Dropped, Provenance, Row, items, strict
from plaudit.schemas.conversation import Messages, assistant, user
from plaudit.schemas.feedback import AnyRecord, Demonstration, Ranking

_SPEAKERS = {"prompter": user, "assistant": assistant}
_READ = {"message_id", "text", "role", "replies"}


def recognises(columns: Mapping[str, JsonValue]) -> bool:
    """Whether a row is a tree, or the root message of one."""
    return columns.keys() >= {"message_tree_id", "prompt"} or columns.keys() >= {"message_id", "replies"}


def read(path: Path) -> Iterator[AnyRecord]:
    """The trees' demonstrations and rankings, depth first. Raises RowError."""
    return strict(items(path, records_of))


def records_of(row: Row) -> Iterator[AnyRecord | Dropped]:
    """The records of one tree."""
    if row.has("prompt"):
        root = row.take("prompt", "the tree's first message")
        path = "prompt"
    else:
        root, path = dict(row.columns), "(root)"
        for name in row.columns:
            row.take(name, "anything")
    yield from _Tree(row.provenance()).records(root, path, ())


class _Tree:
    """One tree being read; `shared` is what all its records have from its row."""

    def __init__(self, shared: Provenance) -> None:
        self._shared = shared

    def records(self, message: JsonValue, path: str, before: Messages) -> Iterator[AnyRecord | Dropped]:
        """The records of a message and of all that was said after it; `path` names it in errors."""
        fields = _checked(message, path)
        replies = _replies(fields, path)
        if _reason_to_drop(fields):
            yield from _dropped(message, path)
            return
        conversation = (*before, _SPEAKERS[str(fields["role"])](str(fields["text"])))
        if fields["role"] == "prompter":
            kept = [_checked(reply, f"{path}.replies[{i}]") for i, reply in enumerate(replies)]
            yield from self._judged(fields, [reply for reply in kept if _is_kept(reply)], conversation)
        for index, reply in enumerate(replies):
            yield from self.records(reply, f"{path}.replies[{index}]", conversation)

    def _judged(
        self, prompt: dict[str, JsonValue], replies: list[dict[str, JsonValue]], conversation: Messages
    ) -> Iterator[AnyRecord]:
        ranks = [_rank(reply) for reply in replies]
        best = min((rank for rank in ranks if rank is not None), default=None)
        for reply, rank in zip(replies, ranks, strict=True):
            if rank == best:
                answer = (assistant(str(reply["text"])),)
                yield Demonstration(prompt=conversation, completion=answer, **self._provenance(reply, {}))
        if sum(rank is not None for rank in ranks) >= 2:
            yield Ranking(
                prompt=conversation,
                completions=tuple((assistant(str(reply["text"])),) for reply in replies),
                ranks=tuple(ranks),
                **self._provenance(prompt, {"replies": [_unread(reply) | _id(reply) for reply in replies]}),
            )

    def _provenance(self, message: dict[str, JsonValue], further: dict[str, JsonValue]) -> Provenance:
        extra = self._shared["extra"] | _unread(message) | further
        own_id = message.get("message_id")
        shared = self._shared
        return Provenance(
            id=own_id if isinstance(own_id, str) and own_id else shared["id"],
            source=shared["source"],
            weight=shared["weight"],
            annotator=shared["annotator"],
            extra=extra,
        )


def _checked(message: JsonValue, path: str) -> dict[str, JsonValue]:
    if not isinstance(message, dict):
        raise MisfitError(path, "a message with text, role and replies", shown(message))
    if not isinstance(message.get("text"), str):
        raise MisfitError(f"{path}.text", "text", shown(message.get("text")))
    if message.get("role") not in _SPEAKERS:
        raise MisfitError(f"{path}.role", "prompter or assistant", shown(message.get("role")))
    rank = message.get("rank")
    if rank is not None and (isinstance(rank, bool) or not isinstance(rank, int) or rank < 0):
        raise MisfitError(f"{path}.rank", "a whole number from 0 (best) or null", shown(rank))
    return message


def _replies(message: dict[str, JsonValue], path: str) -> list[JsonValue]:
    replies = message.get("replies")
    if replies is not None and not isinstance(replies, list):
        raise MisfitError(f"{path}.replies", "a list of messages", shown(replies))
    return replies or []


def _rank(reply: dict[str, JsonValue]) -> int | None:
    rank = reply.get("rank")
    return rank if isinstance(rank, int) else None


def _is_kept(message: dict[str, JsonValue]) -> bool:
    return message["role"] == "assistant" and _reason_to_drop(message) is None


def _reason_to_drop(message: dict[str, JsonValue]) -> str | None:
    return next((name for name in ("synthetic", "deleted") if message.get(name)), None)


def _dropped(message: JsonValue, path: str, after: str | None = None) -> Iterator[Dropped]:
    """The message and all that was said after it."""
    fields = _checked(message, path)
    reason = _reason_to_drop(fields)
    yield Dropped(f"{reason} message" if reason else f"message after a {after} one")
    for index, reply in enumerate(_replies(fields, path)):
        yield from _dropped(reply, f"{path}.replies[{index}]", reason or after)


def _unread(message: dict[str, JsonValue]) -> dict[str, JsonValue]:
    return {name: value for name, value in message.items() if name not in _READ}


def _id(message: dict[str, JsonValue]) -> dict[str, JsonValue]:
    return {"message_id": message.get("message_id")}
