"""Prefix tuning: keys and values that every layer sees before the prompt, learnt while the network stays as it is.

(Li and Liang 2021, "Prefix-Tuning".) The prefix lives in the attention layers, so that sampler, packing and trunk need not
know of it; on disk it is a `peft` adapter.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import torch
from jaxtyping import Float
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import AttentionInterface, AttentionMaskInterface, DynamicCache, PreTrainedModel
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from plaudit.models.anatomy import layers_of
from plaudit.models.trunk import PREFIXED
from plaudit.schemas.errors import PlauditError

ADAPTER_CONFIG = "adapter_config.json"
_WEIGHTS = "adapter_model.safetensors"
# Architectures whose attention a prefix was tried in.
_SUPPORTED = frozenset({"llama", "qwen2", "qwen3", "mistral"})
# `peft`'s name of the one tensor of a prefix.
_TENSOR = "prompt_embeddings"


class Prefix(nn.Module):
    """One layer's prefix of P tokens, as `peft` keeps it: keys as they are before a prompt that begins at position P.

    plaudit's prompts begin at 0, so the keys are turned back by P positions; attention hears the difference only.
    """

    def __init__(
        self,
        keys: Float[Tensor, "H P d"],
        values: Float[Tensor, "H P d"],
        cos: Float[Tensor, "d"],
        sin: Float[Tensor, "d"],
    ) -> None:
        super().__init__()
        self.keys, self.values = nn.Parameter(keys.clone()), nn.Parameter(values.clone())
        self.cos: Tensor
        self.sin: Tensor
        self.register_buffer("cos", cos, persistent=False)
        self.register_buffer("sin", sin, persistent=False)
        self.is_on = True

    def forward(self, batch_size: int) -> tuple[Float[Tensor, "B H P d"], Float[Tensor, "B H P d"]]:
        """Keys and values for each row."""
        low, high = self.keys.chunk(2, dim=-1)
        keys = self.keys * self.cos - torch.cat([-high, low], dim=-1) * self.sin
        return keys.expand(batch_size, -1, -1, -1), self.values.expand(batch_size, -1, -1, -1)


def _prefixed_attention(
    module: nn.Module, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None, **settings: object
) -> tuple[Tensor, None]:
    """`sdpa` over the layer's prefix and the tokens. Every token sees the whole prefix."""
    prefix = module.prefix
    assert isinstance(prefix, Prefix)
    if prefix.is_on:
        keys, values = prefix(len(key))
        num, (num_new, num_known) = keys.shape[2], (query.shape[2], key.shape[2])
        key, value = torch.cat([keys.to(key), key], dim=2), torch.cat([values.to(value), value], dim=2)
        if attention_mask is not None:
            seen = True if attention_mask.dtype == torch.bool else 0.0
            attention_mask = nn.functional.pad(attention_mask, (num, 0), value=seen)
        elif num_new > 1:
            ones = torch.ones((1, 1, num_new, num + num_known), dtype=torch.bool, device=key.device)
            attention_mask = ones.tril(num + num_known - num_new)
    attended: tuple[Tensor, None] = sdpa_attention_forward(module, query, key, value, attention_mask, **settings)
    return attended


AttentionInterface.register(PREFIXED, _prefixed_attention)
AttentionMaskInterface.register(PREFIXED, sdpa_mask)


def folder_of(name: str) -> Path:
    """Where a model of that name would lie on this machine, `~` expanded."""
    with suppress(RuntimeError):  # There is no such user.
        return Path(name).expanduser()
    return Path(name)


def is_adapter(name: str) -> bool:
    """Whether the folder of that name holds an adapter, of whatever kind."""
    return (folder_of(name) / ADAPTER_CONFIG).is_file()


def is_prefix(folder: str) -> bool:
    """Whether the folder holds a prefix. Raises PlauditError where what it says of its adapter cannot be read."""
    return is_adapter(folder) and _adapter_settings(folder_of(folder)).get("peft_type") == "PREFIX_TUNING"


def base_of(folder: Path) -> str:
    """The model that the adapter in the folder was trained on. Raises PlauditError where the folder does not say."""
    base = _adapter_settings(folder).get("base_model_name_or_path")
    if not isinstance(base, str) or not base:
        raise PlauditError(f"{folder / ADAPTER_CONFIG} names no base_model_name_or_path: write the model's name there")
    return base


def _adapter_settings(folder: Path) -> dict[str, object]:
    path = folder / ADAPTER_CONFIG
    try:
        settings = json.loads(path.read_bytes())
    except ValueError as error:
        raise PlauditError(f"{path} is not JSON ({error}): get the adapter's folder anew") from error
    if not isinstance(settings, dict):
        raise PlauditError(f"{path} holds no object: get the adapter's folder anew")
    return settings


def prefixes_of(model: PreTrainedModel) -> list[Prefix]:
    """The layers' prefixes; none where the model has none."""
    return [module for module in model.modules() if isinstance(module, Prefix)]


def new_prefix(model: PreTrainedModel, num_tokens: int, seed: int = 0) -> None:
    """Gives the model a prefix: what it makes of so many tokens of its vocabulary, drawn by the seed.

    (Real tokens' activations start better than noise does: Li and Liang 2021, section 7.4.) Raises PlauditError for a model
    that has one, or whose attention plaudit cannot reach.
    """
    if prefixes_of(model):
        raise PlauditError("the model has a prefix already: go on with it under train.kind = 'prefix'")
    _check_supported(model)
    cache = DynamicCache()
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(model.config.vocab_size, (1, num_tokens), generator=generator).to(model.device)
    with torch.no_grad():
        model.base_model(ids, None, None, cache)
    _install(model, [(layer.keys[0], layer.values[0]) for layer in cache.layers])


def _check_supported(model: PreTrainedModel) -> None:
    kind = model.config.model_type
    if kind not in _SUPPORTED or model.config._attn_implementation != "sdpa":
        known = ", ".join(sorted(_SUPPORTED))
        raise PlauditError(f"a prefix in a {kind!r} model is not supported, only in {known}: use train.kind = 'lora'")


def _install(model: PreTrainedModel, kept: list[tuple[Tensor, Tensor]]) -> None:
    rotary = model.base_model.rotary_emb
    position = torch.tensor([[kept[0][0].shape[1]]], device=model.device)
    cos, sin = (x[0, 0] / rotary.attention_scaling for x in rotary(kept[0][0], position))
    for layer, (keys, values) in zip(layers_of(model.base_model), kept, strict=True):
        layer.get_submodule("self_attn").add_module("prefix", Prefix(keys, values, cos, sin))
    model.set_attn_implementation(PREFIXED)


@contextmanager
def prefix_off(model: PreTrainedModel) -> Iterator[None]:
    """While it lasts the model is what it was without its prefix."""
    prefixes = prefixes_of(model)
    for prefix in prefixes:
        prefix.is_on = False
    try:
        yield
    finally:
        for prefix in prefixes:
            prefix.is_on = True


def save_prefix(model: PreTrainedModel, folder: Path, task_type: str, others: dict[str, Tensor] | None = None) -> None:
    """Writes the prefix as an adapter that `peft` loads onto the model it was trained on; `others` go beside it."""
    from peft import PrefixTuningConfig

    prefixes = prefixes_of(model)
    heads, num, width = prefixes[0].keys.shape
    # peft keeps a row a token: layer by layer its keys, then its values, head by head.
    stacked = torch.stack([x.detach() for prefix in prefixes for x in (prefix.keys, prefix.values)])
    tensors = {_TENSOR: stacked.permute(2, 0, 1, 3).reshape(num, -1).contiguous().cpu(), **(others or {})}
    save_file(tensors, folder / _WEIGHTS)
    PrefixTuningConfig(
        task_type=task_type,
        base_model_name_or_path=model.config._name_or_path,
        num_virtual_tokens=num,
        num_layers=len(prefixes),
        token_dim=heads * width,
        num_attention_heads=heads,
        num_transformer_submodules=1,
        inference_mode=True,
    ).save_pretrained(str(folder))


def load_prefix(model: PreTrainedModel, folder: Path) -> dict[str, Tensor]:
    """Gives the model the prefix saved in a folder, frozen; returns what lay beside it."""
    _check_supported(model)
    tensors: dict[str, Tensor] = load_file(folder / _WEIGHTS)
    config = model.config
    width = config.to_dict().get("head_dim") or config.hidden_size // config.num_attention_heads
    shape = (-1, config.num_hidden_layers, 2, config.num_key_value_heads, width)
    stacked = tensors.pop(_TENSOR).to(device=model.device, dtype=model.dtype).view(shape).permute(1, 2, 3, 0, 4)
    _install(model, [(keys, values) for keys, values in stacked])
    for prefix in prefixes_of(model):
        prefix.requires_grad_(False)
    return tensors
