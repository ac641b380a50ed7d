"""Rewards where people would mark an answer: each sentence is paid, or charged, at its last token."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from plaudit.batches.rollouts import Rollouts
from plaudit.models.reward import RewardModel
from plaudit.rewards.scorer import Scores
from plaudit.rules.form import ends_with_stop
from plaudit.schemas.errors import PlauditError
from plaudit.text.chat import ChatCodec
from plaudit.text.prompts import EncodedPrompt

_WITHOUT_SPACE = tuple("。！？")
"""Full stops after which no space is written."""


class SpanScorer:
    """What a span model expects people to mark, as a dense reward.

    The last token of each sentence of an answer gets `weight` times the mean chance, over the sentence's tokens, that a
    person marks them: a negative weight where marks are errors. (Wu et al. 2023, section 3.1.) `total` is 0: all of it is in
    `dense`; its sum over the answer is the component `spans`.
    """

    def __init__(
        self,
        model: RewardModel,
        codec: ChatCodec,
        *,
        policy_codec: ChatCodec,
        weight: float = -1.0,
        micro_batch_size: int = 16,
    ) -> None:
        if not codec.writes_the_same_ids_as(policy_codec):
            raise PlauditError(
                "a span model pays single tokens, so it must read the policy's own: this one has another tokenizer or chat "
                "template. Fit one that starts from the policy's model"
            )
        self._model, self._codec, self._weight, self._micro_batch_size = model, codec, weight, micro_batch_size

    @torch.no_grad()
    def __call__(self, prompts: Sequence[EncodedPrompt], rollouts: Rollouts) -> Scores:
        rows = rollouts.rows
        dense = torch.zeros(rows.token_ids.shape)
        for part in rows.micro_batches(self._micro_batch_size):
            chosen = rows.select(part)
            chances = torch.sigmoid(self._model.token_scores(chosen)).cpu()
            for i, row in enumerate(part.tolist()):
                columns = chosen.answer_mask[i].nonzero().flatten().tolist()
                ids = chosen.token_ids[i].tolist()
                for sentence in self._sentences(columns, ids):
                    dense[row, sentence[-1]] = self._weight * float(chances[i, sentence].mean())
        total: Float[Tensor, "B"] = torch.zeros(len(rows))
        return Scores(total, {"spans": dense.sum(-1)}, dense)

    def _sentences(self, columns: Sequence[int], ids: Sequence[int]) -> list[list[int]]:
        """The columns of an answer, sentence by sentence; a stop token belongs to the last."""
        found: list[list[int]] = [[]]
        for column in columns:
            before = self._codec.decoded([ids[known] for known in found[-1]])
            if found[-1] and _begins_a_sentence(before, self._codec.decoded([ids[column]])):
                found.append([])
            found[-1].append(column)
        return [sentence for sentence in found if sentence]


def _begins_a_sentence(before: str, token: str) -> bool:
    """Whether a token's text opens a sentence behind this one: "3." and "5" are one number, "3." and " Then" are not."""
    parted = token[:1].isspace() or before[-1:].isspace() or before[-1:] in _WITHOUT_SPACE
    return bool(token.strip()) and parted and ends_with_stop(before)
