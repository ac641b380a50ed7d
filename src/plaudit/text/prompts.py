"""Prompts as token ids, with what to do about those that are too long."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from plaudit.batches.rollouts import Rollouts
from plaudit.schemas.conversation import Messages, Role, prompt_id
from plaudit.schemas.errors import PlauditError
from plaudit.text.chat import ChatCodec


class TooLong(StrEnum):
    """What happens to a prompt over the limit."""

    REFUSE = "refuse"
    DROP = "drop"
    TRUNCATE = "truncate"


@dataclass(frozen=True, slots=True)
class EncodedPrompt:
    """A prompt, its name and its ids (generation prompt included)."""

    id: str
    messages: Messages
    token_ids: tuple[int, ...]


def asked(prompts: Sequence[EncodedPrompt], rollouts: Rollouts) -> list[Messages]:
    """What each answer is an answer to: its prompt, and what was said between that and the last answer of an episode."""
    turns = rollouts.turns or ((),) * len(rollouts)
    owners = rollouts.prompt_index.tolist()
    return [(*prompts[owner].messages, *said) for owner, said in zip(owners, turns, strict=True)]


def shortened(messages: Messages, codec: ChatCodec, max_tokens: int) -> Messages | None:
    """The latest turns that fit, system messages kept, cut at a message boundary only; None if the last turn does not fit."""
    system = tuple(message for message in messages if message.role is Role.SYSTEM)
    turns = tuple(message for message in messages if message.role is not Role.SYSTEM)
    for start in range(len(turns)):
        kept = system + turns[start:]
        if turns[start].role is Role.USER and len(codec.prompt_ids(kept)) <= max_tokens:
            return kept
    return None


# What to do about a prompt that is refused, where the settings have `prompt_too_long`.
_REFUSED = (
    "raise the limit, or set prompt_too_long to 'drop' (counted) or 'truncate' (oldest turns first; the last turn is never "
    "cut)"
)
# And about one that cannot be cut any further.
_UNCUT = "its last turn, which is never cut, is too long: shorten it, or raise the limit"


def encoded_prompts(
    prompts: Sequence[Messages], codec: ChatCodec, *, max_tokens: int, too_long: TooLong, next_step: str = ""
) -> tuple[list[EncodedPrompt], int]:
    """The prompts as ids and how many were dropped.

    Raises PlauditError where one has more than `max_tokens` ids and `too_long` is `refuse`, where even the last turn of
    a truncated one does not fit, and where none is left. `next_step` is what to do about it, for callers whose users have no
    setting `prompt_too_long`.
    """
    if not prompts:
        raise PlauditError("there are no prompts: give at least one")
    encoded: list[EncodedPrompt] = []
    num_dropped = 0
    for number, messages in enumerate(prompts, start=1):
        ids = codec.prompt_ids(messages)
        kept: Messages | None = messages
        if len(ids) > max_tokens and too_long is TooLong.TRUNCATE:
            kept = shortened(messages, codec, max_tokens)
            ids = codec.prompt_ids(kept) if kept is not None else ids
        if len(ids) > max_tokens:
            if too_long is not TooLong.DROP:
                next_step = next_step or (_UNCUT if too_long is TooLong.TRUNCATE else _REFUSED)
                raise PlauditError(
                    f"prompt {number} has {len(ids)} tokens, over max_prompt_tokens = {max_tokens}: {next_step}"
                )
            num_dropped += 1
            continue
        assert kept is not None
        encoded.append(EncodedPrompt(prompt_id(messages), kept, tuple(ids)))
    if not encoded:
        raise PlauditError(f"all {len(prompts)} prompts are over max_prompt_tokens = {max_tokens}: raise the limit")
    return encoded, num_dropped
