"""A model by name: `smollm2-135m`, `tiny`, a folder, a hub id, or a GGUF file."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase
from transformers.utils import logging

from plaudit.models import smollm2, tiny
from plaudit.models.prefix import ADAPTER_CONFIG, base_of, folder_of, is_adapter, is_prefix, load_prefix
from plaudit.runs.memory import is_out_of_memory
from plaudit.schemas.errors import PlauditError
from plaudit.text.chat import ChatCodec

_CHOICES = (
    f"a folder written by save_pretrained (or by plaudit), a hub id, a .gguf file, {smollm2.NAME!r} or {tiny.NAME!r}"
)

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
    try:
        device = torch.device(name)
    except (RuntimeError, ImportError) as error:
        raise PlauditError(f"device {name!r} is not one torch knows: use auto, cpu or cuda") from error
    if device.type not in ("cpu", "cuda"):
        raise PlauditError(f"device {name!r}: plaudit computes on a CPU or with CUDA only; use auto, cpu or cuda")
    if device.type == "cuda" and not torch.cuda.is_available():
        raise PlauditError(f"device {name!r}: torch sees no CUDA device here; use --device cpu or auto")
    num = torch.cuda.device_count() if device.type == "cuda" else 1
    if (device.index or 0) >= num:
        raise PlauditError(f"device {name!r}: torch sees {num} of that kind here, counted from {device.type}:0")
    return device


def model_location(name: str, what: str = "model", choices: str = _CHOICES) -> tuple[str, dict[str, str]]:
    """Where `from_pretrained` finds the model, and the extra arguments a GGUF file needs.

    Raises PlauditError, naming `what` was sought and the `choices` there are, for a path where nothing of the kind lies.
    """
    if name == smollm2.NAME:
        return str(smollm2.smollm2_folder()), {}
    path = folder_of(name)
    location = str(path) if name.startswith("~") else name
    if path.suffix == ".gguf":
        if not path.is_file():
            raise PlauditError(f"{what} {name!r}: no such file")
        return str(path.parent), {"gguf_file": path.name}
    # A hub id is a name, or an owner and a name.
    looks_like_path = name.startswith((".", "/", "~", "runs/")) or name.count("/") > 1 or path.exists()
    if not looks_like_path:
        return location, {}
    if not path.exists():
        raise PlauditError(
            f"{what} {name!r}: there is no such folder. Make it with the command that writes it, or give {choices}"
        )
    if (path / "manifest.json").is_file() and (path / "model").is_dir():
        raise PlauditError(f"{what} {name!r}: that is a run's folder, its model is {path / 'model'}")
    # An adapter's folder has no config of its own, but the tokenizer and the template it was trained with.
    if not any((path / file).is_file() for file in ("config.json", ADAPTER_CONFIG)):
        raise PlauditError(f"{what} {name!r}: that folder holds no config.json. Give {choices}")
    return location, {}


@contextmanager
def loading(what: str) -> Iterator[None]:
    """Turns whatever the files of `what` make the libraries raise into a PlauditError that names it.

    Those are the user's, and may be damaged in any way. Running out of memory stays what it is, and so do our own asserts.
    """
    try:
        yield
    except (PlauditError, AssertionError):
        raise
    except Exception as error:
        if is_out_of_memory(error):
            raise
        raise PlauditError(f"{what} could not be loaded: {_cause(error)}") from error


def _cause(error: Exception) -> str:
    """In one line, what was wrong with the files."""
    lines = str(error).strip().splitlines() or ["no word of why"]
    text = " ".join(line.strip() for line in lines[: 1 + lines[0].endswith(":")])
    if "ignore_mismatched_sizes" in text:
        return "its weights have other shapes than its config.json says, so they do not belong together"
    if isinstance(error, SafetensorError):
        return f"a file of its weights is damaged or was copied in part ({text}): get it anew"
    if isinstance(error, json.JSONDecodeError):
        return f"one of its files is not JSON ({text}): get it anew"
    return text if isinstance(error, OSError | ValueError) else f"{type(error).__name__}: {text}"


@contextmanager
def needed_by(adapter: str) -> Iterator[None]:
    """Says of a model that cannot be had that it is the one below this adapter."""
    try:
        yield
    except PlauditError as error:
        raise PlauditError(f"{adapter!r} is an adapter, and the model below it cannot be had: {error}") from error


def from_files(architecture: type, location: str, **settings: object) -> tuple[PreTrainedModel, list[str]]:
    """The model, and which weights its config asks for that no file holds: transformers drew them at random."""
    load: Callable[..., Any] = architecture.from_pretrained  # type: ignore[attr-defined]
    model, found = load(location, output_loading_info=True, **settings)
    return model, sorted(found["missing_keys"])


def check_whole(what: str, missing: Sequence[str]) -> None:
    """Raises PlauditError where weights are missing."""
    if missing:
        raise PlauditError(
            f"{what} could not be loaded: its files lack {len(missing)} of the weights that its config.json asks for, among "
            f"them {missing[0]}: get them anew, or mend the config"
        )


def load_causal_lm(
    name: str, *, precision: Precision = Precision.FLOAT32, device: torch.device | None = None
) -> PreTrainedModel:
    """The causal language model of that name, dropout off. An adapter's folder gives its base model with it inside.

    Raises PlauditError, with the cause and the next step, where it cannot be had.
    """
    with loading(f"model {name!r}"):
        if name == tiny.NAME:
            model = tiny.tiny_model()
        elif is_prefix(name):
            model = load_base_of(name, precision)
            load_prefix(model, folder_of(name))
        elif is_adapter(name):
            model = _adapted(name, precision)
        else:
            location, extra = model_location(name)
            model, missing = from_files(AutoModelForCausalLM, location, dtype=precision.dtype, **extra)
            check_whole(f"model {name!r}", missing)
            if "gguf_file" in extra:
                model = _saveable(model)
    model.eval()
    return model.to(device=device or torch.device("cpu"), dtype=precision.dtype)


def load_base_of(adapter: str, precision: Precision) -> PreTrainedModel:
    """The causal language model that the adapter in a folder was trained on. Raises PlauditError where it is gone."""
    base = base_of(folder_of(adapter))
    with needed_by(adapter):
        return load_causal_lm(base, precision=precision)


def _adapted(name: str, precision: Precision) -> PreTrainedModel:
    """The base model of the adapter in a folder, the adapter's weights added to its own."""
    from peft import AutoPeftModelForCausalLM, PeftModel

    folder = folder_of(name)
    base = base_of(folder)
    with needed_by(name):
        model_location(base)
    if base == tiny.NAME:
        model = PeftModel.from_pretrained(tiny.tiny_model(), folder)
    else:
        model = AutoPeftModelForCausalLM.from_pretrained(str(folder), dtype=precision.dtype)
    merged: PreTrainedModel = model.merge_and_unload()
    return merged


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
    with loading(f"the tokenizer of {name!r}"):
        location, extra = model_location(name)
        return AutoTokenizer.from_pretrained(location, **extra)


def load_codec(name: str) -> ChatCodec:
    """The tokenizer of that model with its chat template. Raises PlauditError where either is missing."""
    return ChatCodec(load_tokenizer(name))
