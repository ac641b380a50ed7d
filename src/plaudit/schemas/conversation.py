"""Messages, and the hash that names a prompt."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

_NAMESPACE = uuid.UUID("8f6f0f52-9a53-5c3e-9b0d-6b1b5a3c7d10")


class Frozen(BaseModel):
    """A validated record that cannot change after construction; unknown fields are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Role(StrEnum):
    """Who speaks."""

    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"
    TOOL = "tool"


class TextPart(Frozen):
    """A piece of text inside a message."""

    type: Literal["text"] = "text"
    text: str


class ImagePart(Frozen):
    """A picture inside a message, by address or data URL. Carried, not yet read by any model here."""

    type: Literal["image"] = "image"
    url: str


Part = Annotated[TextPart | ImagePart, Field(discriminator="type")]


class Message(Frozen):
    """One turn. `content` is plain text or a list of parts."""

    role: Role
    content: str | tuple[Part, ...]

    @property
    def text(self) -> str:
        """The message's text: the content itself, or its text parts joined."""
        if isinstance(self.content, str):
            return self.content
        return "".join(part.text for part in self.content if isinstance(part, TextPart))


Messages = tuple[Message, ...]


class Conversation(Frozen):
    """A conversation as it was held."""

    id: str = ""
    source: str = ""
    weight: float = Field(default=1.0, ge=0)
    messages: Messages = Field(min_length=1)


def user(text: str) -> Message:
    """A message from the person."""
    return Message(role=Role.USER, content=text)


def assistant(text: str) -> Message:
    """A message from the model."""
    return Message(role=Role.ASSISTANT, content=text)


def canonical_json(value: JsonValue) -> str:
    """The one JSON text of a value: sorted keys, no spaces, unescaped Unicode. Equal values give equal texts."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def messages_json(messages: Sequence[Message]) -> str:
    """The canonical JSON of messages: equal texts for equal conversations."""
    return canonical_json([message.model_dump(mode="json") for message in messages])


def prompt_id(prompt: Sequence[Message]) -> str:
    """The name of a prompt: 16 hex digits of the SHA-256 of its canonical JSON. Splits and generators are keyed by it."""
    return hashlib.sha256(messages_json(prompt).encode()).hexdigest()[:16]


def row_id(row: JsonValue, ordinal: int) -> str:
    """The UUIDv5 of a row without an id: from its canonical JSON and its ordinal among equal rows (0 for the first)."""
    return str(uuid.uuid5(_NAMESPACE, f"{ordinal}:{canonical_json(row)}"))


def unique_prompts(prompts: Iterable[Messages]) -> list[Messages]:
    """Every prompt once, in the order in which each comes first."""
    return list({prompt_id(prompt): prompt for prompt in prompts}.values())
