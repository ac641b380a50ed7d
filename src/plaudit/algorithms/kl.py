"""Estimates of KL(policy || reference) from sampled tokens, and the adaptive coefficient."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from plaudit.algorithms.masked import zeroed


def k1(
    logprobs: Float[Tensor, "B T"], ref_logprobs: Float[Tensor, "B T"], mask: Bool[Tensor, "B T"]
) -> Float[Tensor, "B T"]:
    """log p - log q at each counted token, zero elsewhere: unbiased, may be negative. (Schulman 2020, k1.)"""
    return zeroed(logprobs - ref_logprobs, mask)


def k3(
    logprobs: Float[Tensor, "B T"], ref_logprobs: Float[Tensor, "B T"], mask: Bool[Tensor, "B T"]
) -> Float[Tensor, "B T"]:
    """exp(log q - log p) - 1 - (log q - log p) at each counted token: unbiased and never negative. (Schulman 2020, k3.)

    The exponent is clamped at 20 against overflow.
    """
    log_ratio = zeroed(ref_logprobs - logprobs, mask)
    return torch.expm1(log_ratio.clamp(max=20.0)) - log_ratio


def adapted_kl_coef(
    coef: float, kl: float, *, target: float, num_episodes: int, horizon: float, clip: float = 0.2
) -> float:
    """The next KL coefficient: coef * (1 + clip(kl / target - 1, +-clip) * num_episodes / horizon).

    `kl` is the batch's mean k1 summed over an answer (nats an episode); `horizon` counts episodes.
    (Ziegler et al. 2019, section 2.2.)
    """
    error = min(max(kl / target - 1.0, -clip), clip)
    return coef * (1.0 + error * num_episodes / horizon)
