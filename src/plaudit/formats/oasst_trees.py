"""Trees of OpenAssistant's, one a record, from what `oasst` and `oasst_labels` read.

A demonstration is the one reply to its prompt, a ranking the replies with their ranks; earlier turns are the messages above.
Nothing in a tree tells those from demonstrations: an earlier answer of the conversation comes back as one, counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from pydantic import JsonValue

from plaudit.formats.oasst import Fields, made_id
from plaudit.formats.outgoing import CannotCarryError, Losses, Outgoing, not_carried, single_text, write_each
from plaudit.schemas.conversation import Message, Messages, Role
from plaudit.schemas.feedback import AnyRecord, Demonstration, Ranking, Record

_SPEAKERS = {Role.USER: "prompter", Role.ASSISTANT: "assistant"}
_OF_TREE = ("message_tree_id", "tree_state")
_OF_MESSAGE = ("message_id", "text", "role", "replies")


def write(records: Iterable[AnyRecord], path: Path) -> Losses:
    """Writes a tree for each demonstration or ranking."""
    return write_each(records, path, lambda record, losses: [_tree_of(record, losses)])


def tree_columns(record: Record, outgoing: Outgoing) -> dict[str, JsonValue]:
    """The tree's own columns, its first message to come. A record that names no tree is one by itself."""
    found = {name: outgoing.extra.pop(name) for name in _OF_TREE if name in outgoing.extra}
    return {"message_tree_id": record.id} | found


def reply_of(answer: Messages, beside: Fields, outgoing: Outgoing) -> Fields:
    """An answer as a message, with what a reader left over beside it."""
    message: Fields = {"text": single_text(answer, Role.ASSISTANT), "role": "assistant"}
    for name, value in beside.items():
        if name in message or name == "replies":
            outgoing.lose(f"extra.replies.{name}")
        else:
            message[name] = value
    _check_is_kept(message)
    return message | {"replies": []}


def asked_of(record: Record, prompt: Messages, replies: Sequence[Fields], last: Fields, outgoing: Outgoing) -> Fields:
    """The tree's first message: the turns of the prompt, one below the other, below the last one the replies.

    `last` is what the last turn holds besides its text. Raises CannotCarryError for other turns than people and a model
    take, and where the last is no person's.
    """
    if not prompt or prompt[-1].role is not Role.USER:
        raise CannotCarryError("a prompt that does not end with a person's message, which the replies could answer")
    if any(message.role is Role.ASSISTANT for message in prompt):
        outgoing.lose("prompt (its earlier answers come back as demonstrations)")
    _check_is_kept(last)
    *before, final = prompt
    node: Fields = last | _turn(final) | {"replies": list(replies)}
    for number, message in reversed(list(enumerate(before))):
        own_id: Fields = {"message_id": f"{record.id}:before-{number}"} if record.id else {}
        node = own_id | _turn(message) | {"replies": [node]}
    return node


def left_over(outgoing: Outgoing, message: Fields) -> Fields:
    """The message with all that is left of `extra`; what a message cannot hold is lost."""
    outgoing.put_back("", message, _OF_MESSAGE)
    rank = message.get("rank")
    if rank is not None and (isinstance(rank, bool) or not isinstance(rank, int) or rank < 0):
        outgoing.lose("extra.rank")
        del message["rank"]
    return message


def _tree_of(record: AnyRecord, losses: Losses) -> dict[str, JsonValue]:
    outgoing = Outgoing(record, losses)
    own_id: Fields = {"message_id": record.id} if record.id else {}
    columns = tree_columns(record, outgoing)
    match record:
        case Demonstration():
            author: Fields = {} if record.annotator is None else {"user_id": record.annotator}
            reply = reply_of(record.completion, own_id | left_over(outgoing, author), outgoing)
            columns["prompt"] = asked_of(record, record.prompt, [reply], {}, outgoing)
        case Ranking():
            replies = _ranked(record, outgoing)
            columns["prompt"] = asked_of(record, record.prompt, replies, own_id | left_over(outgoing, {}), outgoing)
        case _:
            raise not_carried("oasst", record, "Demonstration and Ranking (oasst-labels takes ratings)")
    row = outgoing.open_row(columns)
    if isinstance(record, Demonstration):
        row.pop("annotator", None)  # Earlier answers are not this person's.
    return row


def _ranked(record: Ranking, outgoing: Outgoing) -> list[Fields]:
    if sum(rank is not None for rank in record.ranks) < 2:
        raise CannotCarryError("a ranking without two ranked answers")
    for name, flags in (("unacceptable", record.unacceptable), ("truncated", record.truncated)):
        if flags:
            outgoing.lose(name)
    given = outgoing.extra.pop("replies", None)
    known = [one for one in given if isinstance(one, dict)] if isinstance(given, list) else []
    if given is not None and len(known) != len(record.completions):
        outgoing.lose("extra.replies")
        known = []
    replies: list[Fields] = []
    for index, (answer, rank) in enumerate(zip(record.completions, record.ranks, strict=True)):
        beside: Fields = {"message_id": made_id(record.id, index)} if record.id else {}
        beside |= known[index] if known else {}
        beside.pop("rank", None)
        replies.append(reply_of(answer, beside if rank is None else beside | {"rank": rank}, outgoing))
    return replies


def _turn(message: Message) -> Fields:
    if message.role not in _SPEAKERS:
        raise CannotCarryError(f"a message of the {message.role.value} where the shape holds people's and a model's")
    return {"text": single_text((message,), message.role), "role": _SPEAKERS[message.role]}


def _check_is_kept(message: Fields) -> None:
    if message.get("synthetic") or message.get("deleted"):
        raise CannotCarryError("a message that a model wrote or somebody deleted, which readers leave out")
