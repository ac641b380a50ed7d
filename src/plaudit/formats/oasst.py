"""OpenAssistant's message trees: a prompter message gives a Ranking of its replies and the best as a Demonstration.

    {"message_tree_id", "prompt": {"message_id", "text", "role": "prompter", "replies": [{"rank": 0, ...}, ...]}}

or the root message itself as the row. A ranking needs two ranked replies; where none is ranked, every reply is a
demonstration.
Model-written (`synthetic`) and deleted messages are dropped with all that was said after them, and counted. A reply's
id is its demonstration's, the prompter message's that of the ranking. Whoever wrote a reply (`user_id`) is its demonstration's
annotator; who ranked is not published. `oasst_labels` reads what people said of each message (`labels`), `oasst_trees` writes
trees.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
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
    """The demonstrations and rankings of one tree."""
    return tree_records(row, _demonstrations_and_ranking)


Fields = dict[str, JsonValue]
Judged = Callable[[Fields, str, Sequence[tuple[str, Fields]], Messages, Provenance], Iterator[AnyRecord | Dropped]]
"""What a prompter's message, at a path, and people's replies to it, each with its path, give; the conversation ends with it.

The last argument is what all records of a tree have from its row.
"""


def tree_records(row: Row, judged: Judged) -> Iterator[AnyRecord | Dropped]:
    """What the prompter's messages of one tree give."""
    if row.has("prompt"):
        root = row.take("prompt", "the tree's first message")
        path = "prompt"
    else:
        root, path = dict(row.columns), "(root)"
        for name in row.columns:
            row.take(name, "anything")
    yield from _records(root, path, (), row.provenance(), judged)


def provenance_of(shared: Provenance, message: Fields, further: Fields) -> Provenance:
    """What a record has from its message and from its tree's row."""
    extra = shared["extra"] | _unread(message) | further
    own_id = message.get("message_id")
    if extra.get("message_tree_id") == own_id:
        extra = {name: value for name, value in extra.items() if name != "message_tree_id"}
    return Provenance(
        id=own_id if isinstance(own_id, str) and own_id else shared["id"],
        source=shared["source"],
        weight=shared["weight"],
        annotator=shared["annotator"],
        extra=extra,
    )


def made_id(prompt_id: JsonValue, index: int) -> str:
    """The id that is written for a reply to this message that has none of its own."""
    return f"{prompt_id}:{index}"


def _records(
    message: JsonValue, path: str, before: Messages, shared: Provenance, judged: Judged
) -> Iterator[AnyRecord | Dropped]:
    """The records of a message and of all that was said after it; `path` names it in errors."""
    fields = _checked(message, path)
    replies = _replies(fields, path)
    if _reason_to_drop(fields):
        yield from _dropped(message, path)
        return
    conversation = (*before, _SPEAKERS[str(fields["role"])](str(fields["text"])))
    paths = [f"{path}.replies[{i}]" for i in range(len(replies))]
    if fields["role"] == "prompter":
        checked = [(place, _checked(reply, place)) for place, reply in zip(paths, replies, strict=True)]
        kept = [(place, reply) for place, reply in checked if _is_kept(reply)]
        yield from judged(fields, path, kept, conversation, shared)
    for place, reply in zip(paths, replies, strict=True):
        yield from _records(reply, place, conversation, shared, judged)


def _demonstrations_and_ranking(
    prompt: Fields, _: str, replies: Sequence[tuple[str, Fields]], conversation: Messages, shared: Provenance
) -> Iterator[AnyRecord]:
    ranks = [_rank(reply) for _, reply in replies]
    best = min((rank for rank in ranks if rank is not None), default=None)
    for (_, reply), rank in zip(replies, ranks, strict=True):
        if rank == best:
            answer = (assistant(str(reply["text"])),)
            yield Demonstration(prompt=conversation, completion=answer, **_by_author(provenance_of(shared, reply, {})))
    if sum(rank is not None for rank in ranks) >= 2:
        beside: list[JsonValue] = [_beside(reply, prompt, index) for index, (_, reply) in enumerate(replies)]
        yield Ranking(
            prompt=conversation,
            completions=tuple((assistant(str(reply["text"])),) for _, reply in replies),
            ranks=tuple(ranks),
            **provenance_of(shared, prompt, {"replies": beside} if any(beside) else {}),
        )


def _by_author(provenance: Provenance) -> Provenance:
    """The same with whoever wrote the message as the annotator."""
    author = provenance["extra"].get("user_id")
    if isinstance(author, str) and author:
        provenance["annotator"] = author
        del provenance["extra"]["user_id"]
    return provenance


def _beside(reply: Fields, prompt: Fields, index: int) -> dict[str, JsonValue]:
    """What a reply in a ranking holds besides text and rank; an id that was made to write it is none of its own."""
    own_id = reply.get("message_id")
    is_own = own_id is not None and own_id != made_id(prompt.get("message_id"), index)
    kept = {name: value for name, value in _unread(reply).items() if name != "rank"}
    return kept | ({"message_id": own_id} if is_own else {})


def _checked(message: JsonValue, path: str) -> dict[str, JsonValue]:
    if not isinstance(message, dict):
        raise MisfitError(path, "a message with text, role and replies", shown(message))
    if not isinstance(message.get("text"), str):
        raise MisfitError(f"{path}.text", "text", shown(message.get("text")))
    role = message.get("role")
    if not isinstance(role, str) or role not in _SPEAKERS:
        raise MisfitError(f"{path}.role", "prompter or assistant", shown(role))
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
