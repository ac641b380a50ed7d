"""A batch of answers decoded token by token, with what the network had in hand on the way."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from transformers import DynamicCache, PreTrainedModel
from transformers.cache_utils import DynamicLayer

from plaudit.models.trunk import Trunk, layers_of
from plaudit.text.prompts import EncodedPrompt

# Tokens that a layer's cache has room for before it is copied into a larger one.
ROOM = 32


class RoomyLayer(DynamicLayer):  # type: ignore[misc]  # transformers has no types for it
    """A layer's keys and values as the front of buffers with room: a new token is written, the others are not copied."""

    def _show(self, keys: Tensor, values: Tensor, length: int) -> None:
        self._buffers = keys, values
        self.keys, self.values = keys[:, :, :length], values[:, :, :length]

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: object, **kwargs: object
    ) -> tuple[Tensor, Tensor]:
        """Appends the tokens and returns all."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
            self._show(_with_room(key_states), _with_room(value_states), key_states.shape[2])
            return self.keys, self.values
        before = self.keys.shape[2]
        after = before + key_states.shape[2]
        if after > self._buffers[0].shape[2]:
            self._buffers = _with_room(self.keys), _with_room(self.values)
        keys, values = self._buffers
        keys[:, :, before:after], values[:, :, before:after] = key_states, value_states
        self._show(keys, values, after)
        return self.keys, self.values

    def batch_repeat_interleave(self, repeats: int) -> None:
        """Repeats every row."""
        keys, values = (x.repeat_interleave(repeats, dim=0) for x in self._buffers)
        self._show(keys, values, self.keys.shape[2])

    def batch_select_indices(self, indices: Tensor) -> None:
        """Keeps these rows only."""
        keys, values = (x[indices] for x in self._buffers)
        self._show(keys, values, self.keys.shape[2])


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


@dataclass(frozen=True, slots=True)
class _Call:
    """What one call of the network gave: at the last token its logits and last hidden states, the trunk's at all."""

    logits: Float[Tensor, "B V"]
    states: Float[Tensor, "B D"]
    trunk: Float[Tensor, "B T D"] | None


def _tensor(output: Tensor | tuple[Tensor, ...]) -> Tensor:
    """What a layer puts out; some architectures wrap it in a tuple."""
    return output[0] if isinstance(output, tuple) else output


class Decoder:
    """Answers to several prompts, `num_answers` each, side by side. Prompts are padded on the left here, and only here.

    `logits` are those of each row's next token and `states` the network's last hidden states, which they were read from;
    with a trunk, `prompt_trunk` holds its activations at the prompts' tokens, padded as they are.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        prompts: Sequence[EncodedPrompt],
        num_answers: int,
        pad_id: int,
        trunk: Trunk | None = None,
    ) -> None:
        self.model, self.trunk = model, trunk
        self._cache_name, self._cache = _cache_name(model), _roomy_cache(model)
        width = max(len(prompt.token_ids) for prompt in prompts)
        ids = torch.full((len(prompts), width), pad_id, dtype=torch.long)
        mask = torch.zeros((len(prompts), width), dtype=torch.long)
        for i, prompt in enumerate(prompts):
            ids[i, width - len(prompt.token_ids) :] = torch.tensor(prompt.token_ids)
            mask[i, width - len(prompt.token_ids) :] = 1
        device = model.device
        first = self._forward(ids.to(device), mask.to(device), (mask.cumsum(-1) - 1).clamp(min=0).to(device))
        self.prompt_trunk = first.trunk
        # The prompt ran once; its keys and values now serve all its answers.
        self._cache.batch_repeat_interleave(num_answers)
        self.logits = first.logits.repeat_interleave(num_answers, dim=0)
        self.states = first.states.repeat_interleave(num_answers, dim=0)
        self.mask = mask.to(device).repeat_interleave(num_answers, dim=0)
        self.positions = self.mask.sum(-1, keepdim=True)

    def _forward(self, ids: Tensor, mask: Tensor, positions: Tensor) -> _Call:
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
                **{self._cache_name: self._cache},
            )
        finally:
            for hook in hooks:
                hook.remove()
        return _Call(output.logits[:, -1], passed["states"][:, -1], passed.get("trunk"))

    def advance(self, tokens: Int[Tensor, "B"]) -> Float[Tensor, "B D"] | None:
        """Appends one token a row and computes the next logits. Returns the trunk's activations at the tokens."""
        self.mask = torch.cat([self.mask, self.mask.new_ones((len(tokens), 1))], dim=-1)
        call = self._forward(tokens[:, None], self.mask, self.positions)
        self.positions = self.positions + 1
        self.logits, self.states = call.logits, call.states
        return None if call.trunk is None else call.trunk[:, -1]

    def keep(self, index: Int[Tensor, "M"]) -> None:
        """Drops all rows but these."""
        self._cache.batch_select_indices(index)
        self.mask, self.positions = self.mask[index], self.positions[index]
        self.logits, self.states = self.logits[index], self.states[index]
