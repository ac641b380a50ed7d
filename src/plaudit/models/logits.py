"""What a causal model makes of its head's outputs before the softmax, and whether plaudit's log-probabilities are its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from transformers import PretrainedConfig, PreTrainedModel

from plaudit.batches.tokens import EncodedRow, TokenRows, collated
from plaudit.models.trunk import arithmetic
from plaudit.schemas.errors import PlauditError

# The setting that divides the head's outputs, or multiplies them, by architecture.
_DIVIDES = dict.fromkeys(
    ("granite", "granite_swa", "granitemoe", "granitemoe_swa", "granitemoehybrid", "granitemoeshared"), "logits_scaling"
)
_MULTIPLIES = {
    **dict.fromkeys(("cohere", "cohere2", "cohere2_moe", "cohere_compass_text"), "logit_scale"),
    "falcon_h1": "lm_head_multiplier",
    "hyperclovax": "logits_scaling",
}
# Settings that hold a soft cap: Gemma's, and those of what was built like it.
_SOFTCAPS = ("final_logit_softcapping", "logits_soft_cap", "output_logit_soft_cap")

# Tokens that plaudit and the model are both asked about.
_NUM_ASKED = 8
# How far they may differ, in shares of the logits: what rounding in another order does, many times over.
_ROUNDING = {torch.float64: 1e-3, torch.float32: 1e-3, torch.bfloat16: 2**-5, torch.float16: 2**-8}


@dataclass(frozen=True, slots=True)
class LogitShape:
    """`scale` and `softcap` of `algorithms.logprobs.shaped_logits`. As it stands: the head's outputs are the logits."""

    scale: float = 1.0
    softcap: float | None = None


PLAIN = LogitShape()


def logit_shape(config: PretrainedConfig) -> LogitShape:
    """What a causal model with this config does to its head's outputs, as far as plaudit knows."""
    config = config.get_text_config()
    settings, kind = config.to_dict(), config.model_type
    scale = 1.0
    if kind in _DIVIDES:
        scale = 1.0 / settings[_DIVIDES[kind]]
    elif kind in _MULTIPLIES:
        scale = float(settings[_MULTIPLIES[kind]])
    caps = [settings[name] for name in _SOFTCAPS if settings.get(name)]
    return LogitShape(scale, float(caps[0]) if caps else None)


@torch.no_grad()
def check_logits(
    model: PreTrainedModel, logprobs_of: Callable[[TokenRows], Float[Tensor, "B T"]], *, mixed: bool = False
) -> None:
    """Raises PlauditError where `logprobs_of` a few tokens are not the model's own, which its sampler draws from.

    An architecture may do what `logit_shape` does not know, or more behind its layers than plaudit runs. Rounding is
    forgiven.
    """
    # From the lower half of the vocabulary: what stands for images and the like has its ids at the end.
    step = max(1, model.get_input_embeddings().weight.shape[0] // (2 * _NUM_ASKED))
    asked = EncodedRow(tuple(range(0, step * _NUM_ASKED, step)), (False,) + (True,) * (_NUM_ASKED - 1))
    rows = collated([asked], pad_id=0).to(model.device)
    modules = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        with arithmetic(model.device, mixed=mixed):
            output = model(input_ids=rows.token_ids, attention_mask=rows.attention_mask.long(), use_cache=False)
        found = logprobs_of(rows)[0, 1:]
    finally:
        for module, training in modules:
            module.training = training
    logits = output.logits[0, :-1].float()
    chosen = logits.gather(-1, rows.token_ids[0, 1:, None]).squeeze(-1)
    differences = (found - (chosen - logits.logsumexp(-1))).abs()
    rounding = _ROUNDING[torch.bfloat16 if mixed else model.dtype] * (chosen.abs() + logits.amax(-1).abs())
    # Numbers that are none are not this check's to tell.
    if bool((differences > rounding).any()):
        raise PlauditError(
            f"plaudit cannot compute the log-probabilities of a {model.config.model_type!r} model: the model's own are up to "
            f"{float(differences.max()):.2g} nats a token away, so that another model would learn than the one that answers. "
            "Name a model of another architecture, such as Llama, Qwen, Mistral, Gemma or Granite"
        )
