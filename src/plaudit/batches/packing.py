"""Answers to one prompt in one row: the prompt once, then the answers side by side, each blind to the others."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Int, Shaped
from torch import Tensor

from plaudit.batches.tokens import TokenRows, rounded_up


@dataclass(frozen=True, slots=True)
class Packing:
    """How B rows of T columns lie in G rows (one a prompt) of W columns.

    Example, prompt "P Q" with the answers "a b" and "c", packed into one row:
    token   P Q a b c      positions 0 1 2 3 2      "c" sees P, Q and itself.
    """

    source: Int[Tensor, "G W"]
    """The cell of the rows (counted through B x T) that each packed cell is copied from."""
    target: Int[Tensor, "B T"]
    """The packed cell (counted through G x W) that each cell of the rows is read from; any, where there is padding."""
    positions: Int[Tensor, "G W"]
    visible_mask: Bool[Tensor, "G W W"]

    def pack(self, x: Shaped[Tensor, "B T *rest"]) -> Shaped[Tensor, "G W *rest"]:
        """What stands in the rows, packed."""
        return x.flatten(0, 1)[self.source]

    def unpack(self, x: Shaped[Tensor, "G W *rest"]) -> Shaped[Tensor, "B T *rest"]:
        """What stands in the packed cells, back in the rows. Padding may hold anything."""
        return x.flatten(0, 1)[self.target]


def packed(rows: TokenRows, width: int) -> Packing | None:
    """The packing of the rows; None where no rows share a prompt, or where it would not pay in a network of that width."""
    if rows.prompt_index is None:
        return None
    of_prompt: dict[int, list[int]] = {}
    for row, prompt in enumerate(rows.prompt_index.tolist()):
        of_prompt.setdefault(prompt, []).append(row)
    if len(of_prompt) == len(rows):
        return None
    lengths, starts = rows.lengths.tolist(), _answer_starts(rows)
    widths = [starts[group[0]] + sum(lengths[row] - starts[row] for row in group) for group in of_prompt.values()]
    wide, plain = max(widths), rows.token_ids.shape[1]
    if not packing_pays((len(of_prompt), wide), (len(rows), plain), width):
        return None
    return _laid_out(list(of_prompt.values()), lengths, starts, (rounded_up(wide), plain), rows.token_ids.device)


def packing_pays(packed_size: tuple[int, int], plain_size: tuple[int, int], width: int) -> bool:
    """Whether the packed rows, of so many rows and columns, cost a network less than the plain ones.

    A layer of hidden size D, the `width`, costs a token about 24 D^2 operations, and 4 D for each token of its row in the
    attention, so a row of n tokens costs in proportion to n (6 D + n): many long answers to a short prompt are better left
    apart.
    """
    (num_packed, wide), (num_plain, plain) = packed_size, plain_size
    return num_packed * wide * (6 * width + wide) < num_plain * plain * (6 * width + plain)


def _answer_starts(rows: TokenRows) -> list[int]:
    """Where each row's own tokens begin: at the first that counts, or behind the last where none does."""
    counted = rows.answer_mask.any(-1)
    return torch.where(counted, rows.answer_mask.int().argmax(-1), rows.lengths).tolist()


def _laid_out(
    groups: list[list[int]], lengths: list[int], starts: list[int], widths: tuple[int, int], device: torch.device
) -> Packing:
    """The groups' rows packed, one group a row. Padding is a part of its own; like every part it sees the prompt."""
    wide, plain = widths
    source, positions, part = (torch.zeros((len(groups), wide), dtype=torch.long) for _ in range(3))
    target = torch.zeros((len(lengths), plain), dtype=torch.long)
    part.fill_(-1)
    for g, group in enumerate(groups):
        start = filled = starts[group[0]]
        source[g, :start] = group[0] * plain + torch.arange(start)
        positions[g, :start] = torch.arange(start)
        part[g, :start] = 0
        for number, row in enumerate(group, start=1):
            own = torch.arange(start, lengths[row])
            end = filled + len(own)
            source[g, filled:end], positions[g, filled:end], part[g, filled:end] = row * plain + own, own, number
            target[row, :start] = g * wide + torch.arange(start)
            target[row, start : lengths[row]] = g * wide + torch.arange(filled, end)
            filled = end
    own_part = (part[:, :, None] == part[:, None, :]) | (part[:, None, :] == 0)
    visible_mask = own_part.tril()
    return Packing(source.to(device), target.to(device), positions.to(device), visible_mask.to(device))
