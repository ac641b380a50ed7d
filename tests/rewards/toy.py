"""Rollouts written by hand."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from plaudit.batches.rollouts import Rollouts
from plaudit.batches.tokens import EncodedRow, collated
from plaudit.schemas.conversation import Messages, user
from plaudit.text.chat import ChatCodec
from plaudit.text.prompts import EncodedPrompt, TooLong, encoded_prompts


def prompts_of(codec: ChatCodec, *prompts: str | Messages) -> list[EncodedPrompt]:
    """As the trainers encode them."""
    messages = [(user(prompt),) if isinstance(prompt, str) else prompt for prompt in prompts]
    return encoded_prompts(messages, codec, max_tokens=200, too_long=TooLong.REFUSE)[0]


def rollouts_of(
    codec: ChatCodec, prompts: Sequence[EncodedPrompt], answers: Sequence[Sequence[str | list[int]]], cut: str = "~"
) -> Rollouts:
    """Each prompt's answers, as texts or as ids; a text ending with `cut` was cut off there by the length limit."""
    rows, index, finished, texts = [], [], [], []
    for number, (prompt, given) in enumerate(zip(prompts, answers, strict=True)):
        for answer in given:
            if isinstance(answer, str):
                text = answer.removesuffix(cut)
                ids = codec.tokenizer.encode(text, add_special_tokens=False)
                ids += [] if answer.endswith(cut) else [codec.stop_id]
            else:
                ids = answer
            rows.append(EncodedRow((*prompt.token_ids, *ids), (False,) * len(prompt.token_ids) + (True,) * len(ids)))
            index.append(number)
            finished.append(ids[-1] == codec.stop_id)
            texts.append(codec.decoded(ids))
    token_rows = collated(rows, codec.pad_id)
    return Rollouts(
        rows=token_rows,
        logprobs=torch.zeros(token_rows.token_ids.shape),
        finished=torch.tensor(finished),
        prompt_index=torch.tensor(index),
        texts=tuple(texts),
    )
