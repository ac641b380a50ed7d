"""Reductions that see only what the mask counts."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor


def zeroed(x: Float[Tensor, "*S"], mask: Bool[Tensor, "*S"]) -> Float[Tensor, "*S"]:
    """`x` with zeros where the mask is False, whatever stood there, NaN and infinity included."""
    return torch.where(mask, x, torch.zeros((), dtype=x.dtype, device=x.device))


def masked_sum(x: Float[Tensor, "*S"], mask: Bool[Tensor, "*S"]) -> Float[Tensor, ""]:
    """The sum over counted elements."""
    return zeroed(x, mask).sum()


def masked_mean(
    x: Float[Tensor, "*S"], mask: Bool[Tensor, "*S"], denominator: float | None = None
) -> Float[Tensor, ""]:
    """The sum over counted elements by `denominator`, or by their number.

    A micro-batch passes the *global* count as denominator: then the losses of the shards add up to the loss of the whole
    batch, however it is split. Raises ValueError where nothing counts and no denominator is given.
    """
    if denominator is None:
        denominator = float(mask.sum().item())
    if denominator <= 0:
        raise ValueError("a masked mean needs at least one counted element, got none")
    return masked_sum(x, mask) / denominator


def masked_var(x: Float[Tensor, "*S"], mask: Bool[Tensor, "*S"]) -> Float[Tensor, ""]:
    """The biased (population) variance of the counted elements."""
    return masked_mean((x - masked_mean(x, mask)) ** 2, mask)


def whitened(
    x: Float[Tensor, "*S"], mask: Bool[Tensor, "*S"], *, shift_mean: bool, eps: float = 1e-8
) -> Float[Tensor, "*S"]:
    """`x` scaled to variance 1 over the counted elements; its mean removed if `shift_mean`, else kept. Zero elsewhere.

    Called on the whole batch, so the statistics are global. (Ziegler et al. 2019, `whiten`; biased variance as there.)
    """
    mean = masked_mean(x, mask)
    scaled = (x - mean) * torch.rsqrt(masked_var(x, mask) + eps)
    return zeroed(scaled if shift_mean else scaled + mean, mask)
