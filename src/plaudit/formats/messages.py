"""Foreign message lists to Messages and back, keeping what plaudit does not read."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import JsonValue

from plaudit.schemas.conversation import ImagePart, Message, Messages, Part, Role, TextPart

_ROLES = {role.value: role for role in Role} | {"developer": Role.SYSTEM}


class MisfitError(ValueError):
    """A value that is not what its field wants. The reader of the file adds where it stands."""

    def __init__(self, field: str, expected: str, got: str) -> None:
        self.field, self.expected, self.got = field, expected, got
        super().__init__(f"{field}: expected {expected}, got {got}")


def shown(value: object) -> str:
    """A value in a few words, for an error: its kind and its beginning."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int() | float():
            return f"the number {value}"
        case str():
            return f"the text {value!r}" if len(value) <= 60 else f"the text {value[:57]!r}..."
        case list() | tuple():
            return f"a list of {len(value)}"
        case Mapping():
            return f"an object with {', '.join(map(str, value)) or 'no keys'}"
    return type(value).__name__


def messages_from(value: JsonValue, path: str) -> tuple[Messages, dict[str, JsonValue]]:
    """The messages of a list of `{"role", "content"}` objects, and what else they hold, by path.

    `path` names the list in errors and leftovers: a name beside the first message is left over as `path[0].name`.
    A role or content that plaudit holds in another form (`developer`, picture details) is left over as it was.
    Raises MisfitError for anything else.
    """
    if not isinstance(value, list):
        raise MisfitError(path, "a list of messages", shown(value))
    messages: list[Message] = []
    leftover: dict[str, JsonValue] = {}
    for index, item in enumerate(value):
        where = f"{path}[{index}]"
        if not isinstance(item, dict):
            raise MisfitError(where, "a message with role and content", shown(item))
        message = _message(item, where)
        messages.append(message)
        written = message_to(message)
        leftover |= {
            f"{where}.{key}": entry
            for key, entry in item.items()
            if entry is not None and (key not in written or written[key] != entry)
        }
    return tuple(messages), leftover


def messages_to(messages: Messages, path: str, extra: dict[str, JsonValue]) -> list[JsonValue]:
    """The inverse of `messages_from`: takes the leftovers under `path` out of `extra` and puts them back."""
    rows: list[JsonValue] = []
    for index, message in enumerate(messages):
        row = message_to(message)
        prefix = f"{path}[{index}]."
        for name in [name for name in extra if name.startswith(prefix)]:
            row[name.removeprefix(prefix)] = extra.pop(name)
        rows.append(row)
    return rows


def message_to(message: Message) -> dict[str, JsonValue]:
    """One message as the chat templates of `transformers` and OpenAI's API read it."""
    if isinstance(message.content, str):
        return {"role": message.role.value, "content": message.content}
    parts: list[JsonValue] = [
        {"type": "text", "text": part.text}
        if isinstance(part, TextPart)
        else {"type": "image_url", "image_url": {"url": part.url}}
        for part in message.content
    ]
    return {"role": message.role.value, "content": parts}


def _message(item: Mapping[str, JsonValue], where: str) -> Message:
    role = item.get("role")
    if not isinstance(role, str) or role not in _ROLES:
        raise MisfitError(f"{where}.role", f"one of {', '.join(_ROLES)}", shown(role))
    content = item.get("content")
    if isinstance(content, str):
        return Message(role=_ROLES[role], content=content)
    if isinstance(content, list):
        parts = tuple(_part(part, f"{where}.content[{index}]") for index, part in enumerate(content))
        return Message(role=_ROLES[role], content=parts)
    calls = " beside tool_calls: a call without text cannot be trained on" if "tool_calls" in item else ""
    raise MisfitError(f"{where}.content", "text or a list of parts", shown(content) + calls)


def _part(part: JsonValue, where: str) -> Part:
    match part:
        case {"type": "text", "text": str(text)}:
            return TextPart(text=text)
        case {"type": "image_url", "image_url": {"url": str(url)}}:
            return ImagePart(url=url)
        case {"type": "image", "url": str(url)} | {"type": "image", "image": str(url)}:
            return ImagePart(url=url)
    raise MisfitError(where, "a text part or a picture by address", shown(part))
