"""Do a model, its tokenizer and its role fit each other? Asked before anything is loaded that takes long."""

from __future__ import annotations

from typing import Literal

import torch
from transformers import AutoConfig, PretrainedConfig, PreTrainedModel

from plaudit.models import tiny
from plaudit.models.anatomy import SPLITTABLE
from plaudit.models.load import Precision, load_causal_lm, load_codec, loading, model_location, needed_by
from plaudit.models.policy import TrainLayers
from plaudit.models.prefix import base_of, folder_of, is_adapter
from plaudit.schemas.errors import PlauditError
from plaudit.text.chat import ChatCodec

_SCORER = "ForSequenceClassification"


def model_config(name: str) -> PretrainedConfig:
    """The settings of the model of that name; an adapter's are its base model's, unless it has a config of its own.

    Raises PlauditError where there are none.
    """
    if name == tiny.NAME:
        return tiny.tiny_model().config
    if is_adapter(name) and not (folder_of(name) / "config.json").is_file():
        base = base_of(folder_of(name))
        with needed_by(name):
            return model_config(base)
    location, extra = model_location(name)
    with loading(f"model {name!r}"):
        return AutoConfig.from_pretrained(location, **extra)


def is_scorer(config: PretrainedConfig) -> bool:
    """Whether the model gives scores, not text."""
    return any(architecture.endswith(_SCORER) for architecture in config.architectures or [])


def unsplit_note(name: str, train: TrainLayers) -> str | None:
    """What to tell people whose upper layers are to learn in a model that cannot be split below them."""
    if train.upper is None:
        return None
    kind = model_config(name).model_type
    if kind in SPLITTABLE:
        return None
    return (
        f"note: the layers of a {kind!r} model cannot be split: its upper {train.num_upper} learn, but every network of "
        "the run computes the layers below them itself, which costs time and memory"
    )


def check_language_model(name: str) -> PretrainedConfig:
    """The settings of a model that writes text. Raises PlauditError for a reward model, whose text would be noise."""
    config = model_config(name)
    if is_scorer(config):
        raise PlauditError(
            f"model {name!r} is a reward model: it scores answers and cannot write them. Give the model it was made from, "
            "or another language model"
        )
    return config


def check_chat_model(name: str) -> ChatCodec:
    """The codec of a model that can learn from conversations or hold one.

    Raises PlauditError for a reward model, a model without chat template, and a tokenizer with ids the model has no rows for.
    """
    config = check_language_model(name)
    codec = load_codec(name)
    check_vocabulary(name, config, codec)
    return codec


def check_vocabulary(name: str, config: PretrainedConfig, codec: ChatCodec) -> None:
    """Raises PlauditError where the tokenizer writes ids the embedding has no rows for."""
    largest = max(codec.tokenizer.get_vocab().values())
    if largest >= config.get_text_config().vocab_size:
        raise PlauditError(
            f"the tokenizer of {name!r} writes ids up to {largest}, but the model has "
            f"{config.get_text_config().vocab_size} embeddings: they do not belong together"
        )


def check_scorer_model(name: str, policy: ChatCodec, made_by: Literal["reward", "spans"] = "reward") -> str | None:
    """What to know about a reward model in front of this policy; None where nothing is.

    Raises PlauditError for a language model, whose score would be noise, and for a tokenizer without chat template.
    """
    config, kind = model_config(name), "reward model" if made_by == "reward" else "span model"
    if not is_scorer(config):
        raise PlauditError(
            f"{kind.replace(' ', '_')} {name!r} is a language model, not a {kind}: train one with `plaudit {made_by}`"
        )
    if load_codec(name).writes_the_same_ids_as(policy):
        return None
    return (
        f"the reward model {name!r} has another tokenizer or template than the policy: answers are decoded and written "
        "anew in its own template before it scores them"
    )


def answering_model(name: str, precision: Precision, device: torch.device) -> PreTrainedModel:
    """The model of that name to sample from, in bfloat16 where the precision asks for it and the hardware has it."""
    weights = Precision.BFLOAT16 if precision.is_mixed_on(device) else precision
    return load_causal_lm(name, precision=weights, device=device)
