"""Which rows go into which update: permutations from the seed, and what is held out."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Int
from torch import Tensor

from plaudit.runs.seeds import spawn_seed


def permutation(num: int, seed: int, *names: str | int) -> Int[Tensor, "num"]:
    """A permutation of 0..num-1 that depends on the seed and the names alone."""
    generator = torch.Generator().manual_seed(spawn_seed(seed, "permutation", *names))
    return torch.randperm(num, generator=generator)


def together(groups: Int[Tensor, "num"], seed: int, *names: str | int) -> Int[Tensor, "num"]:
    """An order of the rows in which the groups (numbered from 0) are permuted, the rows of each side by side as they were."""
    place = permutation(int(groups.max()) + 1, seed, *names).argsort()
    return place[groups].argsort(stable=True)


def split_evenly(order: Int[Tensor, "num"], num_parts: int) -> list[Int[Tensor, "part"]]:
    """The order cut into exactly `num_parts` parts whose sizes differ by at most one."""
    return list(torch.tensor_split(order, num_parts))


def held_out(prompt_ids: Sequence[str], frac: float, seed: int) -> list[bool]:
    """Which rows are held out: about `frac` of the prompts, all rows of a prompt together.

    At least one prompt is held out and one is not, where there are two and `frac` is not 0.
    """
    prompts = sorted(set(prompt_ids), key=lambda name: spawn_seed(seed, "held out", name))
    if frac == 0 or len(prompts) < 2:
        return [False] * len(prompt_ids)
    held = set(prompts[: min(max(1, round(frac * len(prompts))), len(prompts) - 1)])
    return [name in held for name in prompt_ids]
