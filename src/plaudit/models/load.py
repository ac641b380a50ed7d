"""A model by name: `smollm2-135m`, `tiny`, a folder, a hub id, or a GGUF file."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase
from transformers.utils import logging

from plaudit.models import smollm2, tiny
from plaudit.models.prefix import ADAPTER_CONFIG, base_of, is_prefix, load_prefix
from plaudit.schemas.errors import PlauditError
from plaudit.text.chat import ChatCodec

# Their bars announce files of a second; the long loops have plaudit's own.
logging.disable_progress_bar()


class Precision(StrEnum):
    """The type of weights and arithmetic. `mixed` keeps weights in float32 and multiplies matrices in bfloat16.

    `auto` is mixed where the hardware multiplies bfloat16 itself, else float32: without that, a CPU takes three times as long.
    """

    AUTO = "auto"
    FLOAT32 = "float32"
    MIXED = "mixed"
    BFLOAT16 = "bfloat16"

    @property
    def dtype(self) -> torch.dtype:
        """The type of the weights."""
        return torch.bfloat16 if self is Precision.BFLOAT16 else torch.float32

    def is_mixed_on(self, device: torch.device) -> bool:
        """Whether matrices are multiplied in bfloat16 while weights are float32."""
        return self is Precision.MIXED or (self is Precision.AUTO and multiplies_bfloat16(device))


def multiplies_bfloat16(device: torch.device) -> bool:
    """Whether the hardware has instructions for it."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return device.type == "cpu" and (
        bool(torch.cpu._is_avx512_bf16_supported()) or bool(torch.cpu._is_amx_tile_supported())
    )


def device_for(name: str) -> torch.device:
    """The device of that name; `auto` is CUDA where there is one. Raises PlauditError for one this machine lacks."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise PlauditError(f"device {name!r}: torch sees no CUDA device here; use --device cpu or auto")
    try:
        return torch.device(name)
    except RuntimeError as error:
        raise PlauditError(f"device {name!r} is not one torch knows: use auto, cpu or cuda") from error


def model_location(name: str) -> tuple[str, dict[str, str]]:
    """Where `from_pretrained` finds the model, and the extra arguments a GGUF file needs."""
    if name == smollm2.NAME:
        return str(smollm2.smollm2_folder()), {}
    path = Path(name)
    if path.suffix == ".gguf":
        if not path.is_file():
            raise PlauditError(f"model {name!r}: no such file")
        return str(path.parent), {"gguf_file": path.name}
    looks_like_path = name.startswith((".", "/", "~")) or path.exists()
    # An adapter's folder has no config of its own, but the tokenizer and the template it was trained with.
    known = ("config.json", ADAPTER_CONFIG)
    if looks_like_path and not any((path / file).is_file() for file in known):
        raise PlauditError(
            f"model {name!r}: that folder holds no config.json. Give a folder written by save_pretrained (or by plaudit), "
            f"a hub id, a .gguf file, {smollm2.NAME!r} or {tiny.NAME!r}"
        )
    return name, {}


def load_causal_lm(
    name: str, *, precision: Precision = Precision.FLOAT32, device: torch.device | None = None
) -> PreTrainedModel:
    """The causal language model of that name, dropout off. An adapter's folder gives its base model with it inside.

    Raises PlauditError, with the cause and the next step, where it cannot be had.
    """
    if name == tiny.NAME:
        model = tiny.tiny_model()
    elif (Path(name) / ADAPTER_CONFIG).is_file():
        if is_prefix(name):
            model = load_causal_lm(base_of(Path(name)), precision=precision)
            load_prefix(model, Path(name))
        else:
            from peft import AutoPeftModelForCausalLM

            model = AutoPeftModelForCausalLM.from_pretrained(name, dtype=precision.dtype).merge_and_unload()
    else:
        location, extra = model_location(name)
        try:
            model = AutoModelForCausalLM.from_pretrained(location, dtype=precision.dtype, **extra)
        except (OSError, ValueError, KeyError) as error:
            raise PlauditError(f"model {name!r} could not be loaded: {_first_line(error)}") from error
        if "gguf_file" in extra:
            model = _saveable(model)
    model.eval()
    return model.to(device=device or torch.device("cpu"), dtype=precision.dtype)


def _saveable(model: PreTrainedModel) -> PreTrainedModel:
    """The model as one that was never quantised: read from GGUF, its weights are plain tensors, yet it refuses to be saved."""
    settings = model.config.to_dict()
    settings.pop("quantization_config", None)
    with torch.random.fork_rng(devices=[]):
        plain = AutoModelForCausalLM.from_config(AutoConfig.for_model(**settings), dtype=model.dtype)
    plain.load_state_dict(model.state_dict())
    return plain


def load_tokenizer(name: str) -> PreTrainedTokenizerBase:
    """The tokenizer of that model, as it stands in its folder. Raises PlauditError where there is none."""
    if name == tiny.NAME:
        return tiny.tiny_tokenizer()
    location, extra = model_location(name)
    try:
        return AutoTokenizer.from_pretrained(location, **extra)
    except (OSError, ValueError, KeyError) as error:
        raise PlauditError(f"the tokenizer of {name!r} could not be loaded: {_first_line(error)}") from error


def load_codec(name: str) -> ChatCodec:
    """The tokenizer of that model with its chat template. Raises PlauditError where either is missing."""
    return ChatCodec(load_tokenizer(name))


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
