"""The key-value cache that answers are decoded with: room for new tokens, and for rows that join later."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from jaxtyping import Int
from torch import Tensor
from transformers import DynamicCache, PreTrainedModel
from transformers.cache_utils import DynamicLayer

# Tokens that a layer's cache has room for before it is copied into a larger one.
ROOM = 32


@dataclass(frozen=True, slots=True)
class Places:
    """Where a part's prompts go: row `rows[j]` of the new ones continues prompt `of[j]` of the part."""

    rows: Int[Tensor, "N"]
    of: Int[Tensor, "N"]


class RoomyLayer(DynamicLayer):  # type: ignore[misc]  # transformers has no types for it
    """A layer's keys and values as the front of buffers with room: a new token is written, the others are not copied."""

    def show(self, keys: Tensor, values: Tensor, length: int) -> None:
        """Takes the buffers, of which the first `length` tokens count."""
        self._buffers = keys, values
        self.keys, self.values = keys[:, :, :length], values[:, :, :length]

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: object, **kwargs: object
    ) -> tuple[Tensor, Tensor]:
        """Appends the tokens and returns all. Keys are kept as values are: autocast rounds both before it multiplies them."""
        key_states = key_states.to(value_states.dtype)
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
            self.show(_with_room(key_states), _with_room(value_states), key_states.shape[2])
            return self.keys, self.values
        before = self.keys.shape[2]
        after = before + key_states.shape[2]
        if after > self._buffers[0].shape[2]:
            self._buffers = _with_room(self.keys), _with_room(self.values)
        keys, values = self._buffers
        keys[:, :, before:after], values[:, :, before:after] = key_states, value_states
        self.show(keys, values, after)
        return self.keys, self.values

    def batch_repeat_interleave(self, repeats: int) -> None:
        """Repeats every row."""
        keys, values = (x.repeat_interleave(repeats, dim=0) for x in self._buffers)
        self.show(keys, values, self.keys.shape[2])

    def batch_select_indices(self, indices: Tensor) -> None:
        """Keeps these rows only."""
        keys, values = (x[indices] for x in self._buffers)
        self.show(keys, values, self.keys.shape[2])

    def join(self, others: Sequence[RoomyLayer], places: Sequence[Places], num_unused: int) -> None:
        """Takes the others' rows to their places behind its own, all padded on the left; of its own the last tokens only.

        `num_unused` is how many of its first tokens no row has. One new buffer for all: blocks that grow with every part
        would leave holes behind that none of the next fits into.
        """
        if not self.is_initialized:
            self.lazy_initialization(others[0].keys, others[0].values)
            self.keys, self.values = others[0].keys[:0, :, :0], others[0].values[:0, :, :0]
        mine = self.keys.shape[2] - num_unused
        length = max(mine, *(other.keys.shape[2] for other in others))
        num_rows = len(self.keys) + sum(len(place.rows) for place in places)

        def joined(own: Tensor, new: Sequence[Tensor]) -> Tensor:
            # Zeros, not rubbish: what a mask hides is still multiplied.
            buffer = own.new_zeros((num_rows, own.shape[1], length + ROOM, own.shape[3]))
            buffer[: len(own), :, length - mine : length] = own[:, :, num_unused:]
            for x, place in zip(new, places, strict=True):
                buffer[len(own) + place.rows, :, length - x.shape[2] : length] = x[place.of]
            return buffer

        keys, values = ([other.keys for other in others], [other.values for other in others])
        self.show(joined(self.keys, keys), joined(self.values, values), length)


def _with_room(x: Tensor) -> Tensor:
    """A buffer with `x` at its front along the tokens, and room for more behind."""
    buffer = x.new_empty((*x.shape[:2], x.shape[2] + ROOM, x.shape[3]))
    buffer[:, :, : x.shape[2]] = x
    return buffer


def roomy_cache(model: PreTrainedModel) -> DynamicCache:
    """The model's kind of cache, with room in each layer that keeps all tokens. Layers with a window stay as they are."""
    cache = DynamicCache(config=model.config)
    cache.layers = [RoomyLayer() if type(layer) is DynamicLayer else layer for layer in cache.layers]
    return cache
