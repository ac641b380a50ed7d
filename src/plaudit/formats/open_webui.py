"""Open WebUI's ratings, as its feedback export and `/api/v1/evaluations/feedback` give them. Only read.

    {"id", "user_id", "type": "rating", "data": {"rating": 1 or -1, "model_id", "sibling_model_ids", "reason", "comment"},
     "meta": {"message_id", "chat_id", "arena"}, "snapshot": {"chat": {"chat": {"history": {"messages"}}}}}  -> Rating

A thumb up is 1, a thumb down 0. The text is that of the snapshot: the rated message and the turns that led to it. All but
the row's `id` and times was sent by the person's browser: which model answered and which were beside it are kept as
`claims` in `extra`, for people to look at, and nothing here believes them. The rest of the snapshot (other branches, titles,
settings) is somebody's chat and is left out, counted, as are rows without a text or a thumb.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from pydantic import JsonValue

from plaudit.formats.messages import MisfitError, shown
from plaudit.formats.rows import Dropped, Row, items, strict
from plaudit.schemas.conversation import Message, Messages, Role
from plaudit.schemas.feedback import AnyRecord, Rating

_SCORES = {"1": 1.0, "-1": 0.0}
_WORDS = ("reason", "comment", "tags", "details")
_ROLES = {role.value: role for role in (Role.SYSTEM, Role.USER, Role.ASSISTANT)}
_REST = "the rest of a chat in which an answer was rated"


def recognises(columns: Mapping[str, JsonValue]) -> bool:
    """Whether a row has this shape."""
    return columns.keys() >= {"type", "data", "meta", "user_id"} and "annotations" not in columns


def read(path: Path) -> Iterator[Rating]:
    """The file's ratings. Raises RowError."""
    for record in strict(items(path, records_of)):
        assert isinstance(record, Rating)
        yield record


def records_of(row: Row) -> Iterator[AnyRecord | Dropped]:
    """The rating of one row."""
    if row.text("type") != "rating":
        yield Dropped("feedback of another type than rating")
        return
    data, meta = (
        _object(row.take("data", "an object with rating"), "data"),
        _object(row.take("meta", "an object"), "meta"),
    )
    rating = data.get("rating")
    if rating is None:
        yield Dropped("feedback without a thumb")
        return
    if isinstance(rating, bool) or str(rating) not in _SCORES:
        raise MisfitError("data.rating", "1 or -1", shown(rating))
    person = row.take("user_id", "text or null")
    if person is not None and not isinstance(person, str):
        raise MisfitError("user_id", "text or null", shown(person))
    if not row.has("snapshot"):
        yield Dropped("rating without a snapshot of its chat (export the feedback, a list of it has no texts)")
        return
    turns, rated = _turns(row.take("snapshot", "an object with chat"), meta.get("message_id"))
    provenance = row.provenance()
    provenance["annotator"] = person or provenance["annotator"]
    claims: dict[str, JsonValue] = {name: value for name, value in data.items() if name not in ("rating", *_WORDS)}
    provenance["extra"] |= {name: data[name] for name in _WORDS if data.get(name)}
    provenance["extra"]["claims"] = claims | {"meta": meta, "model": rated.get("model")}
    yield Rating(prompt=turns[:-1], completion=turns[-1:], score=_SCORES[str(rating)], **provenance)
    yield Dropped(_REST)


def _turns(snapshot: JsonValue, rated_id: JsonValue) -> tuple[Messages, dict[str, JsonValue]]:
    """The conversation up to the rated message, and that message as it stands in the snapshot."""
    messages, path = _messages(snapshot)
    if not isinstance(rated_id, str) or rated_id not in messages:
        raise MisfitError("meta.message_id", f"the id of a message in {path}", shown(rated_id))
    turns: list[Message] = []
    seen: set[str] = set()
    at: JsonValue = rated_id
    while at is not None:
        if not isinstance(at, str) or at not in messages or at in seen:
            where = "a circle" if isinstance(at, str) and at in seen else shown(at)
            raise MisfitError(f"{path}.parentId", "the id of the message before, or null for the first", where)
        seen.add(at)
        turns.append(_message(messages[at], f"{path}.{at}"))
        at = messages[at].get("parentId")
    if turns[0].role is not Role.ASSISTANT:
        raise MisfitError(f"{path}.{rated_id}.role", "assistant, since it was rated", turns[0].role.value)
    return tuple(reversed(turns)), messages[rated_id]


def _messages(snapshot: JsonValue) -> tuple[dict[str, dict[str, JsonValue]], str]:
    """The snapshot's messages by id, and where they stand."""
    found, path = snapshot, "snapshot"
    for name in ("chat", "chat", "history", "messages"):
        # Older versions have the chat itself where newer ones have the row that holds it.
        if name == "chat" and path == "snapshot.chat" and isinstance(found, dict) and "history" in found:
            continue
        found, path = _object(found, path).get(name), f"{path}.{name}"
    messages = _object(found, path)
    return {name: _object(message, f"{path}.{name}") for name, message in messages.items()}, path


def _message(message: Mapping[str, JsonValue], path: str) -> Message:
    role, content = message.get("role"), message.get("content")
    if not isinstance(role, str) or role not in _ROLES:
        raise MisfitError(f"{path}.role", " or ".join(_ROLES), shown(role))
    if not isinstance(content, str):
        raise MisfitError(f"{path}.content", "text", shown(content))
    return Message(role=_ROLES[role], content=content)


def _object(value: JsonValue, path: str) -> dict[str, JsonValue]:
    if not isinstance(value, dict):
        raise MisfitError(path, "an object", shown(value))
    return value
