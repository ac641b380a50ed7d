"""A reward model that reads texts: as a judge, and as a classifier of people's pairs."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from plaudit.batches.tokens import collated
from plaudit.evaluation.reward_quality import JudgedPairs, RewardQuality, reward_quality
from plaudit.models.reward import RewardModel
from plaudit.schemas.conversation import Messages, assistant, prompt_id
from plaudit.schemas.feedback import Comparison, Ranking
from plaudit.schemas.preference import PreferenceGroup, pooled, preference_group
from plaudit.schemas.protocols import Completion, TextScore
from plaudit.text.chat import ChatCodec


class RewardModelScorer:
    """A TextScorer: the normalised score, whatever tokenizer wrote the answer."""

    def __init__(self, reward: RewardModel, codec: ChatCodec, *, micro_batch_size: int = 16) -> None:
        self._reward, self._codec, self._micro_batch_size = reward, codec, micro_batch_size

    def score(self, prompts: Sequence[Messages], completions: Sequence[Completion]) -> list[TextScore]:
        """(raw score - mean) / std of each answer."""
        normalised = (self.raw(prompts, completions) - self._reward.mean) / self._reward.std
        return [TextScore(score) for score in normalised.tolist()]

    @torch.no_grad()
    def raw(self, prompts: Sequence[Messages], completions: Sequence[Completion]) -> Float[Tensor, "B"]:
        """The raw score of each answer: differences of these are what the model was fitted to."""
        encoded = [
            self._codec.encoded(prompt, (assistant(answer.text),), truncated=not answer.finished)
            for prompt, answer in zip(prompts, completions, strict=True)
        ]
        scores = torch.empty(len(encoded), dtype=torch.float64)
        if not encoded:
            return scores
        rows = collated(encoded, self._codec.pad_id)
        device = self._reward.head.weight.device
        for part in rows.micro_batches(self._micro_batch_size):
            scores[part] = self._reward(rows.select(part).to(device)).double().cpu()
        return scores


ScoresOf = Callable[[Sequence[Messages], Sequence[Completion]], Float[Tensor, "B"]]


def quality_on_records(scores_of: ScoresOf, records: Sequence[Comparison | Ranking]) -> RewardQuality | None:
    """How well the scores agree with people's strict verdicts, as a classifier; None where there is no strict verdict.

    `scores_of` must give raw scores for its calibration to mean anything. Lengths are counted in characters.
    """
    groups = pooled(preference_group(record) for record in records)
    answers = [answer for group in groups for answer in _answers(group)]
    firsts = np.cumsum([0, *(len(group.completions) for group in groups)])
    strict = [
        (first + pair.a, first + pair.b, pair.target > 0.5, prompt_id(group.prompt), group.source or "unnamed")
        for first, group in zip(firsts, groups, strict=False)
        for pair in group.pairs
        if pair.target != 0.5
    ]
    if not strict:
        return None
    scores = scores_of([prompt for prompt, _ in answers], [answer for _, answer in answers])
    a, b, a_preferred, names, sources = zip(*strict, strict=True)
    prompts = np.unique(names, return_inverse=True)[1]
    lengths = np.array([max(1, len(answer.text)) for _, answer in answers], dtype=np.float64)
    pairs = JudgedPairs(np.array(a), np.array(b), np.array(a_preferred), prompts)
    return reward_quality(scores.double().numpy(), lengths, pairs, sources)


def _answers(group: PreferenceGroup) -> list[tuple[Messages, Completion]]:
    """What a scorer is asked about each completion: its last message, after all that was said before."""
    truncated = group.truncated or (False,) * len(group.completions)
    return [
        ((*group.prompt, *completion[:-1]), Completion(completion[-1].text, not cut, 0))
        for completion, cut in zip(group.completions, truncated, strict=True)
    ]
