"""Episodes of several answers: the model answers, somebody replies, the model answers again; one return is for all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

import torch

from plaudit.batches.rollouts import Rollouts
from plaudit.schemas.conversation import Messages, assistant, user
from plaudit.schemas.errors import PlauditError
from plaudit.schemas.protocols import Interlocutor
from plaudit.text.chat import ChatCodec
from plaudit.text.prompts import EncodedPrompt, asked

Sampler = Callable[[Sequence[EncodedPrompt], int], Rollouts]
"""So many answers to each of the prompts."""


def episodes(
    sample: Sampler,
    codec: ChatCodec,
    prompts: Sequence[EncodedPrompt],
    interlocutor: Interlocutor,
    *,
    num_answers: int,
    max_answers: int,
    max_tokens: int,
) -> Rollouts:
    """`num_answers` episodes from each prompt, of at most `max_answers` answers each.

    An episode ends where its last answer was cut off, where the interlocutor has nothing to say, and where the conversation
    would be longer than `max_tokens`. The tokens of earlier answers stay as they were sampled. Raises PlauditError where the
    interlocutor does not return one reply a conversation.
    """
    rollouts = sample(prompts, num_answers)
    owners = [prompts[index] for index in rollouts.prompt_index.tolist()]
    names = _numbered([prompt.id for prompt in owners])
    going = list(range(len(rollouts)))
    for turn in range(2, max_answers + 1):
        going = [i for i in going if rollouts.finished[i]]
        before = asked(prompts, rollouts)
        so_far = [(*before[i], assistant(rollouts.texts[i])) for i in going]
        replies = _checked(interlocutor.replies(so_far), len(going)) if going else []
        found: dict[int, tuple[EncodedPrompt, Messages]] = {}
        for i, conversation, reply in zip(going, so_far, replies, strict=True):
            if reply is None:
                continue
            sampled = rollouts.rows.token_ids[i, : int(rollouts.rows.lengths[i])].tolist()
            ids = (*sampled, *codec.turn_ids(conversation, user(reply)))
            if len(ids) <= max_tokens:
                messages = (*conversation, user(reply))
                prompt = EncodedPrompt(f"{names[i]}/{turn}", messages, ids)
                found[i] = prompt, messages[len(owners[i].messages) :]
        if not found:
            break
        further = sample([prompt for prompt, _ in found.values()], 1)
        rollouts = rollouts.continued(torch.tensor(list(found)), further, [turns for _, turns in found.values()])
        going = list(found)
    return rollouts


def _numbered(ids: Sequence[str]) -> list[str]:
    """Each id with how many of it came before: what names an episode wherever in a batch it lies."""
    seen = Counter[str]()
    names = []
    for name in ids:
        names.append(f"{name}/{seen[name]}")
        seen[name] += 1
    return names


def _checked(replies: Sequence[str | None], num: int) -> Sequence[str | None]:
    if len(replies) != num or not all(reply is None or isinstance(reply, str) for reply in replies):
        kinds = sorted({type(reply).__name__ for reply in replies})
        raise PlauditError(
            f"whoever replies must give one text, or None, for each conversation: {num} conversations, got "
            f"{len(replies)} replies of type {', '.join(kinds)}"
        )
    return replies
