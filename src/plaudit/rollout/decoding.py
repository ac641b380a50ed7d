"""Answers decoded side by side, token by token: rows that have ended leave, prompts that wait take their places."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from transformers import DynamicCache, PreTrainedModel
from transformers.cache_utils import DynamicLayer

from plaudit.batches.tokens import rounded_up
from plaudit.models.anatomy import layers_of
from plaudit.models.trunk import Trunk
from plaudit.text.prompts import EncodedPrompt

# Tokens that a layer's cache has room for before it is copied into a larger one.
ROOM = 32


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

    def join(self, other: RoomyLayer, num_unused: int) -> None:
        """Takes the other's rows behind its own, both padded on the left; drops its first `num_unused` tokens before."""
        mine, its = self.keys.shape[2] - num_unused, other.keys.shape[2]
        length = max(mine, its)

        def joined(own: Tensor, new: Tensor) -> Tensor:
            # Zeros, not rubbish: what a mask hides is still multiplied.
            buffer = own.new_zeros((len(own) + len(new), own.shape[1], length + ROOM, own.shape[3]))
            buffer[: len(own), :, length - mine : length] = own[:, :, num_unused:]
            buffer[len(own) :, :, length - its : length] = new
            return buffer

        self.show(joined(self.keys, other.keys), joined(self.values, other.values), length)


def _with_room(x: Tensor) -> Tensor:
    """A buffer with `x` at its front along the tokens, and room for more behind."""
    buffer = x.new_empty((*x.shape[:2], x.shape[2] + ROOM, x.shape[3]))
    buffer[:, :, : x.shape[2]] = x
    return buffer


def _roomy_cache(model: PreTrainedModel) -> DynamicCache:
    """The model's kind of cache, with room in each layer that keeps all tokens. Layers with a window stay as they are."""
    cache = DynamicCache(config=model.config)
    cache.layers = [RoomyLayer() if type(layer) is DynamicLayer else layer for layer in cache.layers]
    return cache


def _cache_name(model: nn.Module) -> str:
    """What the model calls its key-value cache: `cache` from transformers 5.24 on, inside adapters as well."""
    causal_lm = next(module for module in model.modules() if isinstance(module, PreTrainedModel))
    return "cache" if "cache" in inspect.signature(causal_lm.forward).parameters else "past_key_values"


def _tensor(output: Tensor | tuple[Tensor, ...]) -> Tensor:
    """What a layer puts out; some architectures wrap it in a tuple."""
    return output[0] if isinstance(output, tuple) else output


def context_of(model: PreTrainedModel) -> int | None:
    """The most tokens the model reads, prompt and answer together; None where its config does not say."""
    settings = model.config.get_text_config().to_dict()
    context: int | None = settings.get("max_position_embeddings") or settings.get("n_positions")
    return context


@dataclass(frozen=True, slots=True)
class _Call:
    """What one call of the network gave: at the last token its logits and last hidden states, the trunk's at all."""

    logits: Float[Tensor, "B V"]
    states: Float[Tensor, "B D"]
    trunk: Float[Tensor, "B T D"] | None


class Decoder:
    """Rows of answers being decoded. Prompts are padded on the left here, and only here.

    `logits` are those of each row's next token and `states` the network's last hidden states, which they were read from.
    """

    def __init__(self, model: PreTrainedModel, pad_id: int, trunk: Trunk | None = None) -> None:
        self.model, self.trunk, self._pad_id = model, trunk, pad_id
        self._last_position = (context_of(model) or sys.maxsize) - 1
        self._cache_name, self._cache = _cache_name(model), _roomy_cache(model)
        self.logits, self.states, self.mask, self.positions = (torch.empty(0, device=model.device) for _ in range(4))

    def __len__(self) -> int:
        return len(self.logits)

    @property
    def can_join(self) -> bool:
        """Whether rows may be added to others: not where a layer forgets what lies behind its window."""
        return all(isinstance(layer, RoomyLayer) for layer in self._cache.layers)

    def add(self, prompts: Sequence[EncodedPrompt], repeats: Sequence[int]) -> Float[Tensor, "P T D"] | None:
        """Reads each prompt once and adds as many rows as it has `repeats`, behind those there are.

        Returns the trunk's activations at the prompts' tokens, padded on the left.
        """
        width = rounded_up(max(len(prompt.token_ids) for prompt in prompts))
        ids = torch.full((len(prompts), width), self._pad_id, dtype=torch.long)
        mask = torch.zeros((len(prompts), width), dtype=torch.long)
        for i, prompt in enumerate(prompts):
            ids[i, width - len(prompt.token_ids) :] = torch.tensor(prompt.token_ids)
            mask[i, width - len(prompt.token_ids) :] = 1
        device = self.model.device
        cache = _roomy_cache(self.model)
        positions = (mask.cumsum(-1) - 1).clamp(min=0)
        call = self._forward(cache, ids.to(device), mask.to(device), positions.to(device))
        # The prompt ran once; its keys and values now serve all its answers.
        index = torch.arange(len(prompts)).repeat_interleave(torch.tensor(repeats)).to(device)
        cache.batch_select_indices(index)
        mask = mask.to(device)[index]
        fresh = call.logits[index], call.states[index], mask, mask.sum(-1, keepdim=True)
        if not len(self):
            self._cache = cache
            self.logits, self.states, self.mask, self.positions = fresh
        else:
            self._join(cache, *fresh)
        return call.trunk

    def _join(self, cache: DynamicCache, logits: Tensor, states: Tensor, mask: Tensor, positions: Tensor) -> None:
        """Puts the rows of another cache behind its own. Columns in which no row has a token left are dropped."""
        num_unused = int(self.mask.any(0).int().argmax())
        for mine, its in zip(self._cache.layers, cache.layers, strict=True):
            mine.join(its, num_unused)
        own = self.mask[:, num_unused:]
        width = max(own.shape[1], mask.shape[1])
        self.mask = torch.cat([nn.functional.pad(x, (width - x.shape[1], 0)) for x in (own, mask)])
        self.logits, self.states = torch.cat([self.logits, logits]), torch.cat([self.states, states])
        self.positions = torch.cat([self.positions, positions])

    def _forward(self, cache: DynamicCache, ids: Tensor, mask: Tensor, positions: Tensor) -> _Call:
        passed: dict[str, Tensor] = {}
        head = self.model.get_output_embeddings()
        hooks = [head.register_forward_pre_hook(lambda _, given: passed.update(states=given[0]))]
        if self.trunk is not None:
            last = layers_of(self.model.base_model)[self.trunk.num_layers - 1]
            hooks.append(last.register_forward_hook(lambda _, given, output: passed.update(trunk=_tensor(output))))
        try:
            output = self.model(
                input_ids=ids,
                attention_mask=mask,
                position_ids=positions,
                use_cache=True,
                logits_to_keep=1,
                **{self._cache_name: cache},
            )
        finally:
            for hook in hooks:
                hook.remove()
        return _Call(output.logits[:, -1], passed["states"][:, -1], passed.get("trunk"))

    def advance(self, tokens: Int[Tensor, "B"]) -> Float[Tensor, "B D"] | None:
        """Appends one token a row and computes the next logits. Returns the trunk's activations at the tokens."""
        self.mask = torch.cat([self.mask, self.mask.new_ones((len(tokens), 1))], dim=-1)
        call = self._forward(self._cache, tokens[:, None], self.mask, self.positions)
        # A row that has ended may wait here for a while: it must not leave the table of positions.
        self.positions = (self.positions + 1).clamp(max=self._last_position)
        self.logits, self.states = call.logits, call.states
        return None if call.trunk is None else call.trunk[:, -1]

    def keep(self, index: Int[Tensor, "M"]) -> None:
        """Drops all rows but these."""
        self._cache.batch_select_indices(index)
        self.mask, self.positions = self.mask[index], self.positions[index]
        self.logits, self.states = self.logits[index], self.states[index]
