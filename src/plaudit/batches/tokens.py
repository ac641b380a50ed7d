"""Rows of token ids with the mask of the tokens that count."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Self

import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor


@dataclass(frozen=True, slots=True)
class EncodedRow:
    """One conversation as token ids; `answer_mask` is True on the model's own tokens, the stop token included."""

    token_ids: tuple[int, ...]
    answer_mask: tuple[bool, ...]
    weight: float = 1.0

    def __post_init__(self) -> None:
        if len(self.token_ids) != len(self.answer_mask):
            raise ValueError(f"one mask entry a token: {len(self.token_ids)} ids, {len(self.answer_mask)} mask entries")

    @property
    def prompt(self) -> tuple[int, ...]:
        """The tokens before the first that counts."""
        return self.token_ids[: self.answer_mask.index(True)] if any(self.answer_mask) else self.token_ids


@dataclass(frozen=True, slots=True)
class TokenRows:
    """Token ids padded on the right.

    Example, prompt "P Q", answer "a <stop>", one column of padding:
    token_ids   P Q a s .      attention_mask 1 1 1 1 0      answer_mask 0 0 1 1 0
    The log-probability of column t is read from the hidden state of column t - 1, so column 0 never counts.

    `prompt_index` gives rows that begin with the same prompt (all tokens before the first that counts) the same number: a
    network may read that prompt once for all of them. None where nothing is known of it.

    `trunk` holds the activations where the trained layers begin, if the layers below are frozen and were run already;
    `trunk_key` names those layers, so that no other network takes them for its own.
    """

    token_ids: Int[Tensor, "B T"]
    attention_mask: Bool[Tensor, "B T"]
    answer_mask: Bool[Tensor, "B T"]
    prompt_index: Int[Tensor, "B"] | None = None
    trunk: Float[Tensor, "B T D"] | None = None
    trunk_key: str = ""

    def __post_init__(self) -> None:
        shapes = {self.token_ids.shape, self.attention_mask.shape, self.answer_mask.shape}
        if len(shapes) != 1:
            raise ValueError(f"token_ids, attention_mask and answer_mask must have one shape, got {shapes}")
        if bool((self.answer_mask & ~self.attention_mask).any()) or bool(self.answer_mask[:, 0].any()):
            raise ValueError("an answer token must be attended to and have a token before it")

    def __len__(self) -> int:
        return self.token_ids.shape[0]

    @property
    def num_answer_tokens(self) -> int:
        """How many tokens count."""
        return int(self.answer_mask.sum().item())

    @property
    def lengths(self) -> Int[Tensor, "B"]:
        """Tokens a row, padding not counted."""
        return self.attention_mask.sum(-1)

    def select(self, index: Int[Tensor, "M"]) -> Self:
        """The rows at `index`, cut to the longest of them, up to the next multiple of 8.

        Matrix libraries compile a kernel for each shape and keep it: with every width there is, memory would grow all run.
        """
        longest = int(self.lengths[index].max().item())
        width = min(self.token_ids.shape[1], rounded_up(longest))
        cut = (slice(None), slice(width))
        return replace(
            self,
            token_ids=self.token_ids[index][cut],
            attention_mask=self.attention_mask[index][cut],
            answer_mask=self.answer_mask[index][cut],
            prompt_index=None if self.prompt_index is None else self.prompt_index[index],
            trunk=None if self.trunk is None else self.trunk[index][cut],
        )

    def micro_batches(self, size: int, index: Int[Tensor, "part"] | None = None) -> Iterator[Int[Tensor, "micro"]]:
        """Indices of the rows (of those at `index`) in portions of at most `size`, longest first.

        Rows of similar length share their padding, and answers to one prompt stay together, as far as they fit, so that the
        prompt is read once. Losses have global denominators, so the split changes no number beyond rounding.
        """
        lengths, wanted = self.lengths.tolist(), range(len(self)) if index is None else index.tolist()
        prompts = range(len(self)) if self.prompt_index is None else self.prompt_index.tolist()
        siblings: dict[int, list[int]] = {}
        for row in wanted:
            siblings.setdefault(prompts[row], []).append(row)
        groups = [rows[i : i + size] for rows in siblings.values() for i in range(0, len(rows), size)]
        groups.sort(key=lambda rows: max(lengths[row] for row in rows), reverse=True)
        yield from map(torch.tensor, portions(groups, size))

    def with_trunk(self, trunk: Float[Tensor, "B T D"], key: str) -> Self:
        """The same rows with the activations of the frozen layers of that name."""
        return replace(self, trunk=trunk, trunk_key=key)

    def continued(self, index: Int[Tensor, "M"], further: TokenRows) -> Self:
        """The same rows, those at `index` replaced by rows that begin with them; what counted there counts still."""
        width = max(self.token_ids.shape[1], further.token_ids.shape[1])

        def with_further(own: Tensor, new: Tensor) -> Tensor:
            own = fitted(own, width).clone()
            own[index] = fitted(new, width)
            return own

        counted = with_further(self.answer_mask, further.answer_mask) | fitted(self.answer_mask, width)
        trunk = None
        if self.trunk is not None and further.trunk is not None:
            trunk = with_further(self.trunk, further.trunk)
        return replace(
            self,
            token_ids=with_further(self.token_ids, further.token_ids),
            attention_mask=with_further(self.attention_mask, further.attention_mask),
            answer_mask=counted,
            trunk=trunk,
        )

    def to(self, device: torch.device) -> Self:
        """The same rows on a device."""
        return replace(
            self,
            token_ids=self.token_ids.to(device),
            attention_mask=self.attention_mask.to(device),
            answer_mask=self.answer_mask.to(device),
            prompt_index=None if self.prompt_index is None else self.prompt_index.to(device),
            trunk=None if self.trunk is None else self.trunk.to(device),
        )


def fitted(x: Shaped[Tensor, "B T *rest"], width: int) -> Shaped[Tensor, "B width *rest"]:
    """Zeros behind each row, up to the width."""
    return torch.cat([x, x.new_zeros((len(x), width - x.shape[1], *x.shape[2:]))], dim=1)


def rounded_up(num: int, step: int = 8) -> int:
    """The next multiple of `step`."""
    return -(-num // step) * step


def collated(rows: Sequence[EncodedRow], pad_id: int) -> TokenRows:
    """The rows in one tensor, padded on the right with `pad_id` to the longest."""
    if not rows:
        raise ValueError("cannot collate zero rows")
    width = max(len(row.token_ids) for row in rows)
    token_ids = torch.full((len(rows), width), pad_id, dtype=torch.long)
    attention_mask = torch.zeros((len(rows), width), dtype=torch.bool)
    answer_mask = torch.zeros((len(rows), width), dtype=torch.bool)
    for i, row in enumerate(rows):
        token_ids[i, : len(row.token_ids)] = torch.tensor(row.token_ids)
        attention_mask[i, : len(row.token_ids)] = True
        answer_mask[i, : len(row.answer_mask)] = torch.tensor(row.answer_mask)
    numbers: dict[tuple[int, ...], int] = {}
    prompt_index = torch.tensor([numbers.setdefault(row.prompt, len(numbers)) for row in rows])
    return TokenRows(token_ids, attention_mask, answer_mask, prompt_index)


def portions(groups: Sequence[Sequence[int]], size: int) -> list[list[int]]:
    """The members of the groups, in order, in portions of at most `size`; a group is never divided, whatever its size."""
    filled: list[list[int]] = [[]]
    for group in groups:
        if filled[-1] and len(filled[-1]) + len(group) > size:
            filled.append([])
        filled[-1] += group
    return filled
