"""Sampled answers with what was known when they were sampled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from plaudit.batches.tokens import TokenRows, fitted
from plaudit.schemas.conversation import Messages


@dataclass(frozen=True, slots=True)
class Rollouts:
    """B answers: B / K prompts in order, K answers each, side by side.

    `logprobs` are the sampler's, at its temperature, zero outside the answer. `finished` is True where the answer ends
    with the stop token, which then is its last counted token. `states`, where they were kept, are the policy's last hidden
    states: in the column of each answer token that which it was chosen from; anything elsewhere.

    Of an episode of several answers all count; `texts` and `finished` are of the last one, `turns` what was said between the
    prompt and it. Without `turns` there is one answer each.
    """

    rows: TokenRows
    logprobs: Float[Tensor, "B T"]
    finished: Bool[Tensor, "B"]
    prompt_index: Int[Tensor, "B"]
    texts: tuple[str, ...]
    states: Float[Tensor, "B T D"] | None = None
    turns: tuple[Messages, ...] = ()

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

    def continued(self, index: Int[Tensor, "M"], further: Rollouts, turns: Sequence[Messages]) -> Self:
        """The same episodes, those at `index` with one more answer.

        Row j of `further` begins with all tokens of episode `index[j]`, and `turns[j]` is what now stands before its answer.
        """
        rows = self.rows.continued(index, further.rows)
        width = rows.token_ids.shape[1]
        before = fitted(self.rows.answer_mask, width)[index]

        def joined(own: Tensor, new: Tensor) -> Tensor:
            own = fitted(own, width).clone()
            known = before.to(own.device).view(*before.shape, *(1,) * (own.dim() - 2))
            own[index] = torch.where(known, own[index], fitted(new, width))
            return own

        states = None
        if self.states is not None and further.states is not None:
            states = joined(self.states, further.states)
        finished, texts, said = self.finished.clone(), list(self.texts), list(self.turns or ((),) * len(self))
        finished[index] = further.finished
        for j, i in enumerate(index.tolist()):
            texts[i], said[i] = further.texts[j], turns[j]
        return replace(
            self,
            rows=rows,
            logprobs=joined(self.logprobs, further.logprobs),
            finished=finished,
            texts=tuple(texts),
            states=states,
            turns=tuple(said),
        )

    @property
    def num_tokens(self) -> Int[Tensor, "B"]:
        """Tokens of each answer, the stop token included."""
        return self.rows.answer_mask.sum(-1)
