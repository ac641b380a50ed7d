"""Groups of answers with the pairs people judged, each answer one row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import torch
from jaxtyping import Float, Int
from torch import Tensor

from plaudit.batches.tokens import EncodedRow, TokenRows, collated, portions


@dataclass(frozen=True, slots=True)
class EncodedGroup:
    """One prompt's answers as rows, and its pairs as (a, b, target, weight, margin) over them."""

    rows: tuple[EncodedRow, ...]
    pairs: tuple[tuple[int, int, float, float, float], ...]


@dataclass(frozen=True, slots=True)
class PreferenceRows:
    """B answers, N pairs of them, G groups (prompts).

    Example, two prompts with 3 and 2 answers, all pairs judged: B = 5, group_of_row 0 0 0 1 1, pair_a 0 0 1 3,
    pair_b 1 2 2 4. `targets` is P(a beats b). `ref_logprobs` holds log q(answer) where a reference was asked.
    """

    rows: TokenRows
    group_of_row: Int[Tensor, "B"]
    pair_a: Int[Tensor, "N"]
    pair_b: Int[Tensor, "N"]
    targets: Float[Tensor, "N"]
    weights: Float[Tensor, "N"]
    margins: Float[Tensor, "N"]
    ref_logprobs: Float[Tensor, "B"] | None = None

    @property
    def num_groups(self) -> int:
        """Prompts."""
        return int(self.group_of_row.max().item()) + 1

    @property
    def group_of_pair(self) -> Int[Tensor, "N"]:
        """The prompt each pair belongs to."""
        return self.group_of_row[self.pair_a]

    def with_rows(self, rows: TokenRows, ref_logprobs: Float[Tensor, "B"] | None = None) -> Self:
        """The same pairs over the same rows prepared otherwise, with what a reference says of them."""
        return replace(self, rows=rows, ref_logprobs=ref_logprobs)

    def to(self, device: torch.device) -> Self:
        """The same groups on a device."""
        return replace(
            self,
            rows=self.rows.to(device),
            group_of_row=self.group_of_row.to(device),
            pair_a=self.pair_a.to(device),
            pair_b=self.pair_b.to(device),
            targets=self.targets.to(device),
            weights=self.weights.to(device),
            margins=self.margins.to(device),
            ref_logprobs=None if self.ref_logprobs is None else self.ref_logprobs.to(device),
        )

    def select_groups(self, groups: Int[Tensor, "M"]) -> Self:
        """The groups at `groups`, all their answers and pairs, renumbered from 0."""
        device = self.group_of_row.device
        new_group = torch.full((self.num_groups,), -1, device=device)
        new_group[groups.to(device)] = torch.arange(len(groups), device=device)
        rows = (new_group[self.group_of_row] >= 0).nonzero().squeeze(-1)
        new_row = torch.full((len(self.rows),), -1, device=device)
        new_row[rows] = torch.arange(len(rows), device=device)
        pairs = (new_group[self.group_of_pair] >= 0).nonzero().squeeze(-1)
        return replace(
            self,
            rows=self.rows.select(rows),
            group_of_row=new_group[self.group_of_row[rows]],
            pair_a=new_row[self.pair_a[pairs]],
            pair_b=new_row[self.pair_b[pairs]],
            targets=self.targets[pairs],
            weights=self.weights[pairs],
            margins=self.margins[pairs],
            ref_logprobs=None if self.ref_logprobs is None else self.ref_logprobs[rows],
        )

    def micro_batches(self, max_rows: int) -> list[Self]:
        """The groups in portions of at most `max_rows` answers, never one group in two; longest first."""
        group_of_row = self.group_of_row.cpu()
        longest = torch.zeros(self.num_groups, dtype=torch.long)
        longest.scatter_reduce_(0, group_of_row, self.rows.lengths.cpu(), reduce="amax")
        by_length = longest.argsort(descending=True, stable=True).tolist()
        filled = portions([(group_of_row == group).nonzero().flatten().tolist() for group in by_length], max_rows)
        return [self.select_groups(group_of_row[portion].unique_consecutive()) for portion in filled]


def collated_groups(groups: Sequence[EncodedGroup], pad_id: int) -> PreferenceRows:
    """The groups in one record."""
    rows: list[EncodedRow] = []
    group_of_row: list[int] = []
    pairs: list[tuple[int, int, float, float, float]] = []
    for number, group in enumerate(groups):
        first = len(rows)
        rows += group.rows
        group_of_row += [number] * len(group.rows)
        pairs += [(first + a, first + b, target, weight, margin) for a, b, target, weight, margin in group.pairs]
    a, b, targets, weights, margins = zip(*pairs, strict=True) if pairs else ((), (), (), (), ())
    return PreferenceRows(
        rows=collated(rows, pad_id),
        group_of_row=torch.tensor(group_of_row),
        pair_a=torch.tensor(a, dtype=torch.long),
        pair_b=torch.tensor(b, dtype=torch.long),
        targets=torch.tensor(targets, dtype=torch.float32),
        weights=torch.tensor(weights, dtype=torch.float32),
        margins=torch.tensor(margins, dtype=torch.float32),
    )
