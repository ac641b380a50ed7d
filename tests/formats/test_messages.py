"""Foreign messages: what is read, what is kept beside it, and how it comes back."""

from __future__ import annotations

import pytest
from pydantic import JsonValue

from plaudit.formats.messages import MisfitError, messages_from, messages_to, shown
from plaudit.schemas.conversation import ImagePart, Message, Role, TextPart


def test_roles_and_parts() -> None:
    messages, leftover = messages_from(
        [
            {"role": "system", "content": "s"},
            {
                "role": "user",
                "content": [{"type": "text", "text": "t"}, {"type": "image_url", "image_url": {"url": "u"}}],
            },
            {"role": "assistant", "content": ""},
            {"role": "tool", "content": "{}"},
        ],
        "prompt",
    )
    assert messages == (
        Message(role=Role.SYSTEM, content="s"),
        Message(role=Role.USER, content=(TextPart(text="t"), ImagePart(url="u"))),
        Message(role=Role.ASSISTANT, content=""),
        Message(role=Role.TOOL, content="{}"),
    )
    assert leftover == {}


@pytest.mark.parametrize(
    ("given", "leftover"),
    [
        ([{"role": "user", "content": "a", "name": "Ada"}], {"p[0].name": "Ada"}),
        ([{"role": "user", "content": "a", "name": None}], {}),
        ([{"role": "developer", "content": "a"}], {"p[0].role": "developer"}),
        (
            [{"role": "user", "content": [{"type": "image", "image": "u"}]}],
            {"p[0].content": [{"type": "image", "image": "u"}]},
        ),
        (
            [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "u", "detail": "low"}}]}],
            {"p[0].content": [{"type": "image_url", "image_url": {"url": "u", "detail": "low"}}]},
        ),
        (
            [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b", "tool_calls": [{"id": 1}]}],
            {"p[1].tool_calls": [{"id": 1}]},
        ),
    ],
)
def test_what_is_not_read_is_left_over_and_put_back(given: JsonValue, leftover: dict[str, JsonValue]) -> None:
    messages, found = messages_from(given, "p")
    assert found == leftover
    extra = found | {"p[7].name": "nobody", "q[0].name": "other"}
    again = messages_to(messages, "p", extra)
    assert isinstance(given, list)
    assert again == [{k: v for k, v in item.items() if v is not None} for item in given if isinstance(item, dict)]
    assert extra == {"p[7].name": "nobody", "q[0].name": "other"}


@pytest.mark.parametrize(
    ("given", "field", "got"),
    [
        ("text", "p", "the text 'text'"),
        ([3], "p[0]", "the number 3"),
        ([{"content": "a"}], "p[0].role", "null"),
        ([{"role": "human", "content": "a"}], "p[0].role", "the text 'human'"),
        ([{"role": "user"}], "p[0].content", "null"),
        ([{"role": "user", "content": 1}], "p[0].content", "the number 1"),
        ([{"role": "user", "content": ["a"]}], "p[0].content[0]", "the text 'a'"),
        ([{"role": "user", "content": [{"type": "audio"}]}], "p[0].content[0]", "an object with type"),
        ([{"role": "assistant", "content": None, "tool_calls": []}], "p[0].content", "null beside tool_calls"),
    ],
)
def test_what_is_no_message(given: JsonValue, field: str, got: str) -> None:
    with pytest.raises(MisfitError) as caught:
        messages_from(given, "p")
    assert caught.value.field == field
    assert caught.value.got.startswith(got)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        (True, "true"),
        (False, "false"),
        (1.5, "the number 1.5"),
        ("a" * 60, f"the text '{'a' * 60}'"),
        ("a" * 61, f"the text '{'a' * 57}'..."),
        ([1, 2], "a list of 2"),
        ({}, "an object with no keys"),
        ({"a": 1, "b": 2}, "an object with a, b"),
        (b"x", "bytes"),
    ],
)
def test_values_in_a_few_words(value: object, text: str) -> None:
    assert shown(value) == text
