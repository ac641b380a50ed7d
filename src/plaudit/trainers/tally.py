"""Sums of named numbers over micro-batches, and their means over updates."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from plaudit.algorithms.policy import PolicyLoss, ValueLoss


def added(total: Mapping[str, float], more: Mapping[str, float]) -> dict[str, float]:
    """The sum by name. Numbers over global denominators add up to those of the whole minibatch."""
    return {name: total.get(name, 0.0) + more.get(name, 0.0) for name in {**total, **more}}


def health(policy: PolicyLoss, value: ValueLoss | None, entropy: torch.Tensor) -> dict[str, float]:
    """The numbers of one micro-batch, each over the minibatch's token count."""
    numbers = {
        "loss/policy": float(policy.loss.detach()),
        "policy/approx_kl": float(policy.approx_kl),
        "policy/clip_frac": float(policy.clip_frac),
        "policy/ratio_mean": float(policy.ratio_mean),
        "policy/ratio_square": float(policy.ratio_square),
        "policy/entropy": float(entropy.detach()),
    }
    if value is not None:
        numbers |= {"loss/value": float(value.loss.detach()), "value/clip_frac": float(value.clip_frac)}
    return numbers


class Means:
    """The mean of each number over the updates of a step."""

    def __init__(self) -> None:
        self.count = 0
        self._sums: dict[str, float] = {}
        self.latest: dict[str, float] = {}

    def add(self, numbers: Mapping[str, float]) -> None:
        """Counts one update's numbers."""
        self._sums = added(self._sums, numbers)
        self.latest = dict(numbers)
        self.count += 1

    def values(self) -> dict[str, float]:
        """The means; the ratio's second moment becomes its variance."""
        means = {name: total / self.count for name, total in self._sums.items()}
        means["policy/ratio_var"] = means.pop("policy/ratio_square") - means["policy/ratio_mean"] ** 2
        return means | {"updates": float(self.count)}
