"""A reward model as a Scorer."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from plaudit.batches.rollouts import Rollouts
from plaudit.batches.tokens import TokenRows, collated
from plaudit.models.reward import RewardModel
from plaudit.rewards.scorer import Scores
from plaudit.schemas.conversation import assistant
from plaudit.text.chat import ChatCodec
from plaudit.text.prompts import EncodedPrompt, asked


class LearnedScorer:
    """The reward model's normalised score: mean 0 over the reference policy's own answers."""

    def __init__(
        self, reward: RewardModel, codec: ChatCodec, *, policy_codec: ChatCodec, micro_batch_size: int = 16
    ) -> None:
        self._reward, self._codec = reward, codec
        self._same_ids = codec.writes_the_same_ids_as(policy_codec)
        self._micro_batch_size = micro_batch_size

    def _rows(self, prompts: Sequence[EncodedPrompt], rollouts: Rollouts) -> TokenRows:
        """The rollouts' own rows, or, where the tokenizers differ, the texts in the reward model's template."""
        if self._same_ids:
            return rollouts.rows
        encoded = [
            self._codec.encoded(before, (assistant(text),), truncated=not finished)
            for before, text, finished in zip(
                asked(prompts, rollouts), rollouts.texts, rollouts.finished.tolist(), strict=True
            )
        ]
        return collated(encoded, self._codec.pad_id)

    @torch.no_grad()
    def __call__(self, prompts: Sequence[EncodedPrompt], rollouts: Rollouts) -> Scores:
        rows = self._rows(prompts, rollouts)
        scores = torch.empty(len(rows))
        for part in rows.micro_batches(self._micro_batch_size):
            scores[part] = self._reward.normalised(rows.select(part)).cpu()
        return Scores(scores)
