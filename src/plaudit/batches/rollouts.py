"""Sampled answers with what was known when they were sampled."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

from jaxtyping import Bool, Float, Int
from torch import Tensor

from plaudit.batches.tokens import TokenRows


@dataclass(frozen=True, slots=True)
class Rollouts:
    """B answers: B / K prompts in order, K answers each, side by side.

    `logprobs` are the sampler's, at its temperature, zero outside the answer. `finished` is True where the answer ends
    with the stop token, which then is its last counted token. `states`, where they were kept, are the policy's last hidden
    states: in the column of each answer token that which it was chosen from; anything elsewhere.
    """

    rows: TokenRows
    logprobs: Float[Tensor, "B T"]
    finished: Bool[Tensor, "B"]
    prompt_index: Int[Tensor, "B"]
    texts: tuple[str, ...]
    states: Float[Tensor, "B T D"] | None = None

    def __len__(self) -> int:
        return len(self.rows)

    def with_rows(self, rows: TokenRows) -> Self:
        """The same answers, their rows prepared otherwise."""
        return replace(self, rows=rows)

    def with_states(self, states: Float[Tensor, "B T D"]) -> Self:
        """The same answers with the states that their tokens were chosen from."""
        return replace(self, states=states)

    def with_stats(self, logprobs: Float[Tensor, "B T"], states: Float[Tensor, "B T D"]) -> Self:
        """The same answers with the learner's log-probabilities and states in place of the sampler's."""
        return replace(self, logprobs=logprobs, states=states)

    @property
    def num_tokens(self) -> Int[Tensor, "B"]:
        """Tokens of each answer, the stop token included."""
        return self.rows.answer_mask.sum(-1)
