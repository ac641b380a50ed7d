"""Rows that every model test reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from plaudit.batches.tokens import TokenRows


@pytest.fixture
def rows() -> TokenRows:
    """Three conversations of unequal length; the second has two answers with the person's turn between them."""
    from plaudit.batches.tokens import collated
    from plaudit.models.load import load_codec
    from plaudit.schemas.conversation import assistant, user

    codec = load_codec("tiny")
    encoded = [
        codec.encoded((user("hi"),), (assistant("hello you"),)),
        codec.encoded((user("a question"),), (assistant("ab"), user("more"), assistant("cdefg"))),
        codec.encoded((user("x"),), (assistant(""),)),
    ]
    return collated(encoded, codec.pad_id)
