"""The reward model: a sequence classifier with one bias-free output, read at the last token."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn
from transformers import AutoConfig, AutoModelForSequenceClassification, PreTrainedModel

from plaudit.algorithms.masked import zeroed
from plaudit.batches.tokens import TokenRows
from plaudit.models.anatomy import can_split
from plaudit.models.kept import KeptActivations
from plaudit.models.load import (
    Precision,
    check_whole,
    from_files,
    load_base_of,
    load_causal_lm,
    loading,
    model_location,
)
from plaudit.models.policy import TrainLayers, _upper_layers, learning_prefix, with_lora
from plaudit.models.prefix import folder_of, is_prefix, load_prefix, prefixes_of, save_prefix
from plaudit.models.trunk import Branch, Trunk, trunk_of
from plaudit.schemas.errors import PlauditError

# The head in an adapter's file, as `peft` names it there.
_SCORE = "base_model.score.weight"


class RewardModel(nn.Module):
    """Scores whole answers. `mean` and `std` are those of the reference policy's answers; `normalised` applies them."""

    def __init__(
        self, model: PreTrainedModel, train: TrainLayers, *, mean: float = 0.0, std: float = 1.0, mixed: bool = False
    ) -> None:
        super().__init__()
        self.mixed = mixed
        if train.kind == "lora":
            model = with_lora(model, train, "SEQ_CLS", modules_to_save=["score"])
            classifier = model.get_base_model()
        else:
            classifier = model
            model.requires_grad_(train.kind == "all")
            if train.kind == "upper":
                _upper_layers(model, train.num_upper).requires_grad_(True)
            elif train.kind == "prefix":
                learning_prefix(model, train)
            model.score.requires_grad_(True)
        self.full = model
        self.mean, self.std = mean, std
        self.train_layers = train
        self.branch = self._on(trunk_of(classifier, train.upper, mixed=mixed), classifier)
        self.head: nn.Linear = classifier.score
        active = "default"
        if train.kind == "lora":
            self.head = classifier.score.modules_to_save[active]

    def prepared(self, rows: TokenRows, known: KeptActivations | None = None) -> TokenRows:
        """The rows with the frozen layers' activations, where there are frozen layers below; those `known` are not computed."""
        trunk = self.branch.trunk
        return rows if trunk is None else trunk.prepared(rows, known)

    def forward(self, rows: TokenRows) -> Float[Tensor, "B"]:
        """The raw score at each row's last token."""
        hidden = self.branch(rows)
        last = hidden[torch.arange(len(rows), device=hidden.device), rows.lengths - 1]
        scores: Tensor = self.head(last).squeeze(-1).float()
        return scores

    def token_scores(self, rows: TokenRows) -> Float[Tensor, "B T"]:
        """The head's output at each answer token, that token read; zero elsewhere. What a model of marked spans says."""
        scores: Tensor = self.head(self.branch(rows)).squeeze(-1).float()
        return zeroed(scores, rows.answer_mask)

    def normalised(self, rows: TokenRows) -> Float[Tensor, "B"]:
        """(raw score - mean) / std."""
        scores: Tensor = self(rows)
        return (scores - self.mean) / self.std

    def trained_parameters(self) -> Iterator[tuple[str, nn.Parameter]]:
        """Names (as in the saved model) and parameters that learn."""
        return ((name, parameter) for name, parameter in self.full.named_parameters() if parameter.requires_grad)

    def on_trunk(self, trunk: Trunk | None) -> bool:
        """Moves onto `trunk` if it computes the same as the layers it would replace, and gives those up; says whether it did.

        Then rows prepared for the trunk's owner serve here too.
        """
        if trunk is None or self.train_layers.kind == "lora":
            return False
        classifier = self.full
        if not can_split(classifier.base_model):
            return False
        if int(classifier.config.num_hidden_layers) <= trunk.num_layers:
            return False
        if Trunk(classifier.base_model, trunk.num_layers, mixed=trunk.mixed).key != trunk.key:
            return False
        trunk.lend_to(classifier.base_model)
        self.branch = self._on(trunk, classifier)
        return True

    def _on(self, trunk: Trunk | None, classifier: PreTrainedModel) -> Branch:
        """The classifier's layers above `trunk`."""
        recompute = self.train_layers.gradient_checkpointing
        return Branch(classifier.base_model, trunk, mixed=self.mixed, recompute=recompute)


def new_reward_model(
    name: str, train: TrainLayers, *, seed: int, precision: Precision, pad_id: int, device: torch.device | None = None
) -> RewardModel:
    """A reward model on the layers of the causal model `name`, head drawn from N(0, 1 / (D + 1)), no bias.

    (Stiennon et al. 2020, appendix B; Huang et al. 2024, detail 7.)
    """
    causal = load_causal_lm(name, precision=precision)
    if prefixes_of(causal):
        raise PlauditError(
            f"{name} learnt a prefix, which a reward model cannot start from: start from the model below it"
        )
    model = _classifier(causal, pad_id)
    generator = torch.Generator().manual_seed(seed)
    width = model.score.in_features
    with torch.no_grad():
        model.score.weight.copy_(torch.randn(1, width, generator=generator) / (width + 1) ** 0.5)
    device = device or torch.device("cpu")
    return RewardModel(model.to(device), train, mixed=precision.is_mixed_on(device))


def _classifier(causal: PreTrainedModel, pad_id: int) -> PreTrainedModel:
    """A classifier of one output on the causal model's layers, its head not set."""
    # The names of a classifier's two labels, which every config carries, would contradict the one output.
    settings = {name: value for name, value in causal.config.to_dict().items() if name not in ("id2label", "label2id")}
    config = AutoConfig.for_model(**{**settings, "num_labels": 1})
    config.pad_token_id = pad_id
    with torch.random.fork_rng(devices=[]):
        model: PreTrainedModel = AutoModelForSequenceClassification.from_config(config, dtype=causal.dtype)
    model.config._name_or_path = causal.config._name_or_path
    model.config.architectures = [type(model).__name__]
    model.base_model.load_state_dict(causal.base_model.state_dict())
    return model.eval()


def load_reward_model(
    folder: str,
    train: TrainLayers,
    *,
    precision: Precision = Precision.FLOAT32,
    device: torch.device | None = None,
) -> RewardModel:
    """The reward model saved in a folder (or a hub id), with its normalisation, to score or to start a critic.

    Of `train`, which is the policy's, the number of upper layers counts: those below can be shared with a policy. A model
    that cannot be split there, or has no layers below them, stays whole.
    """
    missing: list[str] = []
    with loading(f"reward model {folder!r}"):
        if is_prefix(folder):
            model = _with_saved_prefix(folder, precision)
        else:
            location, _ = model_location(folder, "reward model", "a folder that `plaudit reward` wrote, or a hub id")
            model, missing = from_files(AutoModelForSequenceClassification, location, dtype=precision.dtype)
    if "score" not in dict(model.named_children()):
        raise PlauditError(
            f"reward model {folder!r}: a {model.config.model_type!r} model has no `score` head on a language model's last "
            "state, which is what plaudit reads: train one with `plaudit reward`"
        )
    if "score.weight" in missing:
        raise PlauditError(
            f"{folder!r} is no reward model: its files hold no `score` head, as a language model's do not: train one with "
            "`plaudit reward`"
        )
    check_whole(f"reward model {folder!r}", missing)
    if model.config.num_labels != 1:
        raise PlauditError(
            f"{folder!r} has {model.config.num_labels} outputs; a reward model has one (num_labels=1): train one with "
            "`plaudit reward`"
        )
    model.eval()
    device = device or torch.device("cpu")
    settings = model.config.to_dict()
    splits = can_split(model.base_model) and int(model.config.num_hidden_layers) > train.num_upper
    return RewardModel(
        model.to(device),
        train if train.kind == "upper" and splits else replace(train, kind="all"),
        mean=float(settings.get("mean", 0.0)),
        std=float(settings.get("std", 1.0)),
        mixed=precision.is_mixed_on(device),
    )


def save_reward_model(reward: RewardModel, folder: Path) -> None:
    """Writes what plain transformers loads (raw scores); `mean` and `std` go into the config for plaudit's Scorer."""
    model = reward.full
    if reward.train_layers.kind == "lora":
        # Of a copy: merging takes the adapters out, and training may go on.
        model = copy.deepcopy(model).merge_and_unload()
    model.config.update({"mean": reward.mean, "std": reward.std, "value_head_prefix": "score"})
    if reward.train_layers.kind == "prefix":
        save_prefix(model, folder, "SEQ_CLS", {_SCORE: model.score.weight.detach().cpu()})
        model.config.save_pretrained(folder)
    else:
        model.save_pretrained(folder)


def _with_saved_prefix(name: str, precision: Precision) -> PreTrainedModel:
    """The classifier of a folder that holds a prefix, its head and its config; the layers are its base model's."""
    folder = folder_of(name)
    saved = AutoConfig.from_pretrained(folder)
    model = _classifier(load_base_of(name, precision), saved.pad_token_id)
    model.config.update({setting: saved.to_dict()[setting] for setting in ("mean", "std")})
    others = load_prefix(model, folder)
    with torch.no_grad():
        model.score.weight.copy_(others[_SCORE])
    return model
