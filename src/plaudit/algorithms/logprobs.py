"""Log-probabilities of tokens under tempered logits."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.autograd.function import FunctionCtx


def token_logprobs(
    logits: Float[Tensor, "N V"], token_ids: Int[Tensor, "N"], temperature: float = 1.0
) -> tuple[Float[Tensor, "N"], Float[Tensor, "N"]]:
    """log p(token) and the entropy of p (nats), p = softmax(logits / temperature).

    The entropy carries no gradient: it is a health number; one softmax serves both. Computed in float32 whatever the
    logits' type.
    """
    logprobs = torch.log_softmax(logits.float() / temperature, dim=-1)
    chosen = logprobs.gather(-1, token_ids[:, None]).squeeze(-1)
    with torch.no_grad():
        entropy = -(logprobs.exp() * logprobs).sum(-1)
    return chosen, entropy


def frozen_head_logprobs(
    states: Float[Tensor, "N D"],
    weight: Float[Tensor, "V D"],
    bias: Float[Tensor, "V"] | None,
    token_ids: Int[Tensor, "N"],
    temperature: float = 1.0,
) -> tuple[Float[Tensor, "N"], Float[Tensor, "N"]]:
    """`token_logprobs` of logits = states @ weight.T + bias, with a gradient for the states alone and no logits kept.

    For a head that does not learn. The gradient of log p(y) with respect to the state is (W[y] - sum_v p_v W[v]) /
    temperature, whatever is done with it later: it is computed on the way, and N x D numbers wait for the backward pass
    instead of several times N x V.
    """
    head = weight, bias, token_ids, temperature, torch.is_grad_enabled()
    found: tuple[Tensor, Tensor] = _FrozenHead.apply(states, *head)  # type: ignore[no-untyped-call]
    return found


class _FrozenHead(torch.autograd.Function):
    """Forward and backward of `frozen_head_logprobs`."""

    @staticmethod
    def forward(
        ctx: FunctionCtx,
        states: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        token_ids: Tensor,
        temperature: float,
        with_gradient: bool,
    ) -> tuple[Tensor, Tensor]:
        logits = torch.nn.functional.linear(states, weight, bias).float()
        # As `token_logprobs` computes them, to the last bit: a policy and its frozen copy are equal before the first update.
        logprobs = torch.log_softmax(logits / temperature, dim=-1)
        chosen = logprobs.gather(-1, token_ids[:, None]).squeeze(-1)
        probabilities = logprobs.exp()
        entropy = -logprobs.mul_(probabilities).sum(-1)
        if with_gradient:
            gradient = (weight[token_ids] - probabilities.to(weight.dtype) @ weight).float() / temperature
            ctx.save_for_backward(gradient)
        ctx.mark_non_differentiable(entropy)
        return chosen, entropy

    @staticmethod
    def backward(ctx: FunctionCtx, of_chosen: Tensor, of_entropy: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,) = ctx.saved_tensors  # type: ignore[attr-defined]  # torch's own stub leaves it out
        return of_chosen[:, None] * gradient, None, None, None, None, None
