"""The model card every model folder gets: what it is, what it came from, what was measured, how to use it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from plaudit.models.prefix import is_prefix
from plaudit.runs.learning import snapshots_in_use

_HOW = {
    "sft": "fine-tuned from demonstrations, on the assistant's tokens only",
    "pretrain": "trained further on plain documents",
    "reward": "a reward model trained from people's preferences; its raw score is the single output",
    "spans": "trained to say, by the token, what people mark in answers; its single output is a log-odds at every token",
    "ppo": "improved by PPO against a reward model, with a KL penalty to the model it started from",
    "rloo": "improved by RLOO against a reward model, with a KL penalty to the model it started from",
    "dpo": "trained by DPO on people's preferences",
    "export": "merged from a base model and an adapter",
    "copy": "written anew as a plain folder",
}

_SCORERS = {"reward", "spans"}

_TEMPLATE = """---
library_name: transformers
tags: [plaudit, {made_by}]
base_model: {parent}
---
# A model made by plaudit

Base: `{parent}`. It was {how}.

{numbers}
## Use

{use}

## Limits

It was trained on little data and measured only as above. It may state falsehoods with confidence, and it has not been
checked for safety. Licences of the base model and of the data it was trained on apply to it.
"""

_CAUSAL = """    from transformers import AutoModelForCausalLM, AutoTokenizer
    model = AutoModelForCausalLM.from_pretrained("{folder}")

or `plaudit chat --model {folder}`."""

_PREFIX = """    from peft import AutoPeftModelForCausalLM
    model = AutoPeftModelForCausalLM.from_pretrained("{folder}")

or `plaudit chat --model {folder}`."""

_REWARD = """    from transformers import AutoModelForSequenceClassification
    model = AutoModelForSequenceClassification.from_pretrained("{folder}")  # raw scores

Score whole conversations in the chat template, up to and including the stop token."""

_SPANS = """    from transformers import AutoModelForSequenceClassification
    model = AutoModelForSequenceClassification.from_pretrained("{folder}")  # its `score` head on every token's state

or `plaudit ppo --span-model {folder}`. It is no reward model: what it says at the last token says nothing of the answer."""

_REWARD_PREFIX = """A prefix for `peft`, a head, and a config with mean and deviation: a folder for plaudit's `reward_model`.

Score whole conversations in the chat template, up to and including the stop token."""


def write_card(folder: Path, *, name: str, made_by: str, parent: str, numbers: Mapping[str, float]) -> None:
    """Writes README.md into a model folder that will be known as `name`."""
    table = ""
    if numbers:
        rows = "\n".join(f"| {name} | {value:.4g} |" for name, value in numbers.items())
        table = f"| measured | value |\n|---|---|\n{rows}\n"
    if is_prefix(str(folder)):
        use = _REWARD_PREFIX if made_by in _SCORERS else _PREFIX
    elif made_by == "spans":
        use = _SPANS
    else:
        use = _REWARD if made_by == "reward" else _CAUSAL
    use = use.format(folder=name)
    names = ", ".join(f"`{snapshot}`" for snapshot in snapshots_in_use())
    learnt = f"It learnt from the snapshot {names}.\n\n" if names else ""
    text = _TEMPLATE.format(made_by=made_by, parent=parent, how=_HOW[made_by], numbers=learnt + table, use=use)
    (folder / "README.md").write_text(text, encoding="utf-8")
