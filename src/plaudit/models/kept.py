"""Activations of frozen layers, kept from where answers were sampled for those who learn from the answers later."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from plaudit.batches.tokens import TokenRows


class KeptActivations:
    """By the frozen layers' name and a row's token ids. A prompt's own are held once, however many answers it has."""

    def __init__(self) -> None:
        self._prompts: dict[tuple[str, tuple[int, ...]], Tensor] = {}
        self._answers: dict[tuple[str, tuple[int, ...]], tuple[Tensor, Tensor]] = {}

    def __len__(self) -> int:
        return len(self._answers)

    def keep(self, rows: TokenRows) -> None:
        """Copies what the rows hold. Raises ValueError where they hold nothing."""
        if rows.trunk is None:
            raise ValueError("the rows hold no activations to keep")
        for ids, counted, states in zip(_ids(rows), rows.answer_mask.tolist(), rows.trunk, strict=True):
            start = counted.index(True) if True in counted else len(ids)
            name = rows.trunk_key, ids[:start]
            if name not in self._prompts:
                self._prompts[name] = states[:start].clone()
            self._answers[rows.trunk_key, ids] = self._prompts[name], states[start : len(ids)].clone()

    def of(self, rows: TokenRows, key: str) -> Iterator[Float[Tensor, "T D"] | None]:
        """The activations of the layers `key` at each row's tokens, one after the other; None for rows that are not known."""
        for ids in _ids(rows):
            parts = self._answers.get((key, ids))
            yield None if parts is None else torch.cat(parts)


def _ids(rows: TokenRows) -> Sequence[tuple[int, ...]]:
    """Each row's token ids without padding."""
    lengths = rows.lengths.tolist()
    return [tuple(ids[:length]) for ids, length in zip(rows.token_ids.tolist(), lengths, strict=True)]
