"""The clipped policy and value losses of PPO, each with the health numbers that describe it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from plaudit.algorithms.masked import masked_mean, zeroed


@dataclass(frozen=True, slots=True)
class PolicyLoss:
    """The loss to descend, and sums a caller can add over micro-batches: each is already over the global count."""

    loss: Float[Tensor, ""]
    approx_kl: Float[Tensor, ""]
    clip_frac: Float[Tensor, ""]
    ratio_mean: Float[Tensor, ""]
    ratio_square: Float[Tensor, ""]


def clipped_policy_loss(
    logprobs: Float[Tensor, "B T"],
    old_logprobs: Float[Tensor, "B T"],
    advantages: Float[Tensor, "B T"],
    mask: Bool[Tensor, "B T"],
    *,
    clip: float,
    denominator: float,
) -> PolicyLoss:
    """mean over tokens of max(-A ratio, -A clip(ratio, 1 - clip, 1 + clip)), ratio = exp(logprob - old_logprob).

    `denominator` is the minibatch's token count. `approx_kl` is k3 of the old policy against the new one;
    `clip_frac` the share of tokens whose gradient the clip removed. (Schulman et al. 2017, eq. 7.)
    """
    log_ratio = zeroed(logprobs - old_logprobs, mask)
    ratio = log_ratio.exp()
    advantages = zeroed(advantages, mask)
    unclipped = -advantages * ratio
    clipped = -advantages * ratio.clamp(1.0 - clip, 1.0 + clip)
    with torch.no_grad():
        approx_kl = masked_mean(torch.expm1(log_ratio) - log_ratio, mask, denominator)
        clip_frac = masked_mean((clipped > unclipped).to(ratio.dtype), mask, denominator)
        ratio_mean = masked_mean(ratio, mask, denominator)
        ratio_square = masked_mean(ratio**2, mask, denominator)
    loss = masked_mean(torch.maximum(unclipped, clipped), mask, denominator)
    return PolicyLoss(loss, approx_kl, clip_frac, ratio_mean, ratio_square)


@dataclass(frozen=True, slots=True)
class ValueLoss:
    """The loss to descend and the share of values that the clip held back."""

    loss: Float[Tensor, ""]
    clip_frac: Float[Tensor, ""]


def clipped_value_loss(
    values: Float[Tensor, "B T"],
    old_values: Float[Tensor, "B T"],
    returns: Float[Tensor, "B T"],
    mask: Bool[Tensor, "B T"],
    *,
    clip: float,
    denominator: float,
) -> ValueLoss:
    """1/2 mean over tokens of max((V - R)^2, (clip(V, V_old +- clip) - R)^2). (Ziegler et al. 2019, as in baselines.)"""
    values, old_values, returns = (zeroed(x, mask) for x in (values, old_values, returns))
    clipped = torch.clamp(values, old_values - clip, old_values + clip)
    error, clipped_error = (values - returns) ** 2, (clipped - returns) ** 2
    with torch.no_grad():
        clip_frac = masked_mean((clipped_error > error).to(values.dtype), mask, denominator)
    return ValueLoss(0.5 * masked_mean(torch.maximum(error, clipped_error), mask, denominator), clip_frac)


def explained_variance(
    values: Float[Tensor, "B T"], returns: Float[Tensor, "B T"], mask: Bool[Tensor, "B T"]
) -> Float[Tensor, ""]:
    """1 - Var(R - V) / Var(R) over counted tokens: 1 is a perfect critic, 0 no better than a constant. NaN if Var(R) = 0."""
    counted_returns, counted_values = returns[mask], values[mask]
    variance = counted_returns.var(correction=0)
    return torch.where(
        variance > 0,
        1.0 - (counted_returns - counted_values).var(correction=0) / variance,
        torch.full_like(variance, torch.nan),
    )
