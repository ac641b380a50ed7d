"""A model on this machine as a Completer: text in, text out."""

from __future__ import annotations

from collections.abc import Sequence

from transformers import PreTrainedModel

from plaudit.rollout.sampler import Sampling, sampled
from plaudit.schemas.conversation import Messages
from plaudit.schemas.protocols import Completion
from plaudit.text.chat import ChatCodec
from plaudit.text.prompts import TooLong, encoded_prompts


class LocalCompleter:
    """Samples from a loaded model as serving does."""

    def __init__(
        self, model: PreTrainedModel, codec: ChatCodec, sampling: Sampling, *, max_prompt_tokens: int = 1024
    ) -> None:
        self._model, self._codec, self._sampling = model, codec, sampling
        self._max_prompt_tokens = max_prompt_tokens

    def complete(self, prompts: Sequence[Messages], *, num_answers: int, seed: int) -> list[list[Completion]]:
        """`num_answers` completions for each prompt. Raises PlauditError for a prompt over the limit."""
        encoded, _ = encoded_prompts(
            prompts,
            self._codec,
            max_tokens=self._max_prompt_tokens,
            too_long=TooLong.REFUSE,
            next_step="raise the limit, or ask something shorter",
        )
        rollouts = sampled(self._model, self._codec, encoded, self._sampling, num_answers=num_answers, seed=seed)
        flat = [
            Completion(text=text, finished=finished, num_tokens=num_tokens)
            for text, finished, num_tokens in zip(
                rollouts.texts, rollouts.finished.tolist(), rollouts.num_tokens.tolist(), strict=True
            )
        ]
        return [flat[i : i + num_answers] for i in range(0, len(flat), num_answers)]
