"""Answers decoded side by side, token by token: rows that have ended leave, prompts that wait take their places."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from transformers import DynamicCache, PreTrainedModel

from plaudit.batches.tokens import rounded_up
from plaudit.models.anatomy import layers_of
from plaudit.models.trunk import Trunk
from plaudit.rollout.cache import Places, RoomyLayer, roomy_cache
from plaudit.text.prompts import EncodedPrompt

# Tokens of prompts that are read together at least, if there are as many: fewer rows are multiplied more slowly.
_READ_TOGETHER = 512


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


@dataclass(frozen=True, slots=True)
class _Part:
    """Prompts that were read together: their cache, and at the last token what the next is chosen from."""

    places: Places
    cache: DynamicCache
    call: _Call
    mask: Int[Tensor, "P T"]


def _by_length(lengths: Sequence[int]) -> Iterator[list[int]]:
    """The numbers of prompts that are about as long, to be read together."""
    part, num_tokens = list[int](), 0
    for i in sorted(range(len(lengths)), key=lengths.__getitem__):
        part.append(i)
        num_tokens += lengths[i]
        if num_tokens >= _READ_TOGETHER:
            yield part
            part, num_tokens = [], 0
    if part:
        yield part


def _grown(own: Tensor, new: Sequence[Tensor], places: Sequence[Places]) -> Tensor:
    """The rows there are, with new ones behind them at their places."""
    grown = new[0].new_empty((len(own) + sum(len(place.rows) for place in places), *new[0].shape[1:]))
    if len(own):
        grown[: len(own)] = own
    for x, place in zip(new, places, strict=True):
        grown[len(own) + place.rows] = x[place.of]
    return grown


class Decoder:
    """Rows of answers being decoded. Prompts are padded on the left here, and only here.

    `logits` are those of each row's next token and `states` the network's last hidden states, which they were read from.
    """

    def __init__(self, model: PreTrainedModel, pad_id: int, trunk: Trunk | None = None) -> None:
        self.model, self.trunk, self._pad_id = model, trunk, pad_id
        self._last_position = (context_of(model) or sys.maxsize) - 1
        self._cache_name, self._cache = _cache_name(model), roomy_cache(model)
        self.logits, self.states, self.mask, self.positions = (torch.empty(0, device=model.device) for _ in range(4))

    def __len__(self) -> int:
        return len(self.logits)

    @property
    def can_join(self) -> bool:
        """Whether rows may be added to others: not where a layer forgets what lies behind its window."""
        return all(isinstance(layer, RoomyLayer) for layer in self._cache.layers)

    def add(self, prompts: Sequence[EncodedPrompt], repeats: Sequence[int]) -> list[Float[Tensor, "T D"]] | None:
        """Reads each prompt once and adds as many rows as it has `repeats`, behind those there are.

        Prompts are read with others of their length: what pads the shorter is computed as well. Returns the trunk's
        activations at each prompt's tokens.
        """
        lengths = [len(prompt.token_ids) for prompt in prompts]
        first = [0, *accumulate(repeats)]
        trunk: list[Tensor] = [torch.empty(0)] * len(prompts)
        parts = []
        for part in _by_length(lengths) if self.can_join else [range(len(prompts))]:
            rows = [torch.arange(first[i], first[i + 1]) for i in part]
            of = torch.arange(len(rows)).repeat_interleave(torch.tensor([len(x) for x in rows]))
            places = Places(torch.cat(rows).to(self.model.device), of.to(self.model.device))
            parts.append(self._read([prompts[i] for i in part], places))
            states = parts[-1].call.trunk
            if states is not None:
                for i, x in zip(part, states, strict=True):
                    trunk[i] = x[len(x) - lengths[i] :]
        self._join(parts)
        return None if self.trunk is None else trunk

    def _read(self, prompts: Sequence[EncodedPrompt], places: Places) -> _Part:
        """One call of the network on prompts, padded on the left."""
        width = rounded_up(max(len(prompt.token_ids) for prompt in prompts))
        ids = torch.full((len(prompts), width), self._pad_id, dtype=torch.long)
        mask = torch.zeros((len(prompts), width), dtype=torch.long)
        for i, prompt in enumerate(prompts):
            ids[i, width - len(prompt.token_ids) :] = torch.tensor(prompt.token_ids)
            mask[i, width - len(prompt.token_ids) :] = 1
        device = self.model.device
        cache = roomy_cache(self.model)
        positions = (mask.cumsum(-1) - 1).clamp(min=0)
        call = self._forward(cache, ids.to(device), mask.to(device), positions.to(device))
        return _Part(places, cache, call, mask.to(device))

    def _join(self, parts: Sequence[_Part]) -> None:
        """Puts the rows of the parts behind those there are: a prompt ran once, and serves all its answers.

        Columns in which no row has a token left are dropped.
        """
        places = [part.places for part in parts]
        if not self.can_join:
            (part,) = parts
            part.cache.batch_select_indices(part.places.of)
            self._cache, num_unused = part.cache, 0
        else:
            num_unused = int(self.mask.any(0).int().argmax()) if len(self) else 0
            if not len(self):
                self._cache = roomy_cache(self.model)
            for i, layer in enumerate(self._cache.layers):
                layer.join([part.cache.layers[i] for part in parts], places, num_unused)
        own = self.mask[:, num_unused:] if len(self) else parts[0].mask[:0]
        width = max(own.shape[1], *(part.mask.shape[1] for part in parts))
        masks = [nn.functional.pad(x, (width - x.shape[1], 0)) for x in (own, *(part.mask for part in parts))]
        self.mask = _grown(masks[0], masks[1:], places)
        positions = [part.mask.sum(-1, keepdim=True) for part in parts]
        self.positions = _grown(self.positions, positions, places)
        self.states = _grown(self.states, [part.call.states for part in parts], places)
        self.logits = _grown(self.logits, [part.call.logits for part in parts], places)

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
