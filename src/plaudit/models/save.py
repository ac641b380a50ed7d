"""Model folders that plain transformers and peft load."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import save_file
from transformers import PreTrainedTokenizerBase

from plaudit.models.card import write_card
from plaudit.models.policy import PolicyModel
from plaudit.models.prefix import save_prefix
from plaudit.models.reward import RewardModel, save_reward_model
from plaudit.models.value import ValueModel
from plaudit.runs.files import full_disk_explained
from plaudit.schemas.errors import PlauditError


def _replaced(folder: Path, write: Callable[[Path], None]) -> None:
    """Lets `write` fill a folder beside `folder` and moves it there when it is whole."""
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        with full_disk_explained(folder):
            partial.mkdir(parents=True)
            write(partial)
            shutil.rmtree(folder, ignore_errors=True)
            partial.rename(folder)
    except SafetensorError as error:
        raise PlauditError(f"cannot write the model {folder}: {error}. Free some space and try again") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def save_policy(
    policy: PolicyModel,
    tokenizer: PreTrainedTokenizerBase,
    folder: Path,
    *,
    made_by: str,
    parent: str,
    numbers: Mapping[str, float],
) -> None:
    """Writes weights (or the adapter alone, under LoRA and prefix tuning), tokenizer, chat template and card."""

    def write(target: Path) -> None:
        if policy.train_layers.kind == "prefix":
            save_prefix(policy.full, target, "CAUSAL_LM")
        else:
            policy.full.save_pretrained(target)
        tokenizer.save_pretrained(target)
        write_card(target, name=folder.name, made_by=made_by, parent=parent, numbers=numbers)

    _replaced(folder, write)


def save_scorer(
    reward: RewardModel,
    tokenizer: PreTrainedTokenizerBase,
    folder: Path,
    *,
    parent: str,
    numbers: Mapping[str, float],
    made_by: str = "reward",
) -> None:
    """Writes the reward model, or the span model that `made_by` says it is, its tokenizer and card."""

    def write(target: Path) -> None:
        save_reward_model(reward, target)
        tokenizer.save_pretrained(target)
        write_card(target, name=folder.name, made_by=made_by, parent=parent, numbers=numbers)

    _replaced(folder, write)


def save_value(value: ValueModel, folder: Path) -> None:
    """Writes the critic's own weights as `value_head.safetensors`."""

    def write(target: Path) -> None:
        tensors = {name: parameter.detach().contiguous().cpu() for name, parameter in value.trained_parameters()}
        save_file(tensors, target / "value_head.safetensors")

    _replaced(folder, write)
