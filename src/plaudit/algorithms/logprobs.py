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
    logits' type, in float64 for those.
    """
    logprobs = torch.log_softmax(_wide(logits) / temperature, dim=-1)
    chosen = logprobs.gather(-1, token_ids[:, None]).squeeze(-1)
    with torch.no_grad():
        entropy = -(logprobs.exp() * logprobs).sum(-1)
    return chosen, entropy


def _wide(x: Tensor) -> Tensor:
    """In float32 at least."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


def shaped_logits(
    outputs: Float[Tensor, "N V"], scale: float = 1.0, softcap: float | None = None
) -> Float[Tensor, "N V"]:
    """The logits that a model makes of its head's outputs h: z = scale * h; with a soft cap c, c * tanh(z / c).

    (The cap: Gemma Team 2024, "Gemma 2", section 2. The scale: Granite, Cohere, from muP, Yang et al. 2022.) In the
    outputs' own type, as the models do it, so that a learner rounds where the sampler did.
    """
    logits = outputs if scale == 1.0 else outputs * scale
    return logits if softcap is None else torch.tanh(logits / softcap) * softcap


def frozen_head_logprobs(
    states: Float[Tensor, "N D"],
    weight: Float[Tensor, "V D"],
    bias: Float[Tensor, "V"] | None,
    token_ids: Int[Tensor, "N"],
    temperature: float = 1.0,
    *,
    scale: float = 1.0,
    softcap: float | None = None,
) -> tuple[Float[Tensor, "N"], Float[Tensor, "N"]]:
    """`token_logprobs` of the `shaped_logits` of states @ weight.T + bias, with a gradient for the states alone.

    For a head that does not learn: no logits are kept. The gradient of log p(y) with respect to the state is scale *
    (s_y W[y] - sum_v p_v s_v W[v]) / temperature, whatever is done with it later: it is computed on the way, and N x D
    numbers wait for the backward pass instead of several times N x V. s_v = 1 - (z_v / c)**2 is the slope of the soft cap
    c at the logit z_v, 1 without one.
    """
    head = weight, bias, token_ids, temperature, scale, softcap, torch.is_grad_enabled()
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
        scale: float,
        softcap: float | None,
        with_gradient: bool,
    ) -> tuple[Tensor, Tensor]:
        logits = _wide(shaped_logits(torch.nn.functional.linear(states, weight, bias), scale, softcap))
        # As `token_logprobs` computes them, to the last bit: a policy and its frozen copy are equal before the first update.
        # In place, and let go of: each of these tensors is as large as all the rest of a step.
        slopes = 1.0 - (logits / softcap) ** 2 if with_gradient and softcap is not None else None
        logprobs = torch.log_softmax(logits.div_(temperature), dim=-1)
        del logits
        chosen = logprobs.gather(-1, token_ids[:, None]).squeeze(-1)
        probabilities = logprobs.exp()
        entropy = -logprobs.mul_(probabilities).sum(-1)
        if with_gradient:
            chosen_row = weight[token_ids]
            if slopes is not None:
                chosen_row = slopes.gather(-1, token_ids[:, None]) * chosen_row
                probabilities = probabilities * slopes
            gradient = _wide(chosen_row - probabilities.to(weight.dtype) @ weight) / temperature
            ctx.save_for_backward(gradient if scale == 1.0 else gradient * scale)
        ctx.mark_non_differentiable(entropy)
        return chosen, entropy

    @staticmethod
    def backward(ctx: FunctionCtx, of_chosen: Tensor, of_entropy: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,) = ctx.saved_tensors  # type: ignore[attr-defined]  # torch's own stub leaves it out
        return of_chosen[:, None] * gradient, *(None,) * 7
