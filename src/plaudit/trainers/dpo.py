"""Direct preference optimisation: the policy from the same rankings, without a reward model or sampling."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from plaudit.algorithms.preference import dpo_logits, soft_label_cross_entropy
from plaudit.batches.preferences import PreferenceRows
from plaudit.batches.tokens import TokenRows
from plaudit.models.kept import KeptActivations
from plaudit.models.load import Precision, device_for, load_codec
from plaudit.models.policy import PolicyModel, Reference, TrainLayers, load_policy
from plaudit.models.save import save_policy
from plaudit.runs import RunDirectory
from plaudit.schemas.errors import PlauditError
from plaudit.schemas.feedback import Comparison, Ranking
from plaudit.schemas.preference import PreferenceGroup
from plaudit.text.preferences import encoded_groups
from plaudit.trainers.admission import check_rows_fit, rows_of_groups, say_left_out, unused_groups
from plaudit.trainers.epochs import EpochsConfig, Fitted, fit
from plaudit.trainers.memory import Portions, told
from plaudit.trainers.optimisation import OptimiserConfig
from plaudit.trainers.reward import preference_groups, split_groups


@dataclass(frozen=True, kw_only=True, slots=True)
class DPOConfig:
    """DPO on rankings and comparisons."""

    model: str = "runs/sft/model"
    """The policy to start from, and the reference."""
    out: str = "runs/dpo"
    """The run folder; the model lands in its `model/`."""
    train: TrainLayers = field(default_factory=TrainLayers)
    """Which parameters learn."""
    optimiser: OptimiserConfig = field(default_factory=lambda: OptimiserConfig(learning_rate=2e-5))
    """How they move."""
    epochs: EpochsConfig = field(default_factory=lambda: EpochsConfig(num_epochs=2, batch_size=8, micro_batch_size=16))
    """How long and in what portions; an item is a prompt with all its answers."""
    beta: float = 0.1
    """How strongly the policy is held to the reference: higher stays nearer."""
    label_smoothing: float = 0.0
    """The share of labels taken to be swapped."""
    max_tokens: int = 512
    """Longest prompt with answer. Longer ones are refused, or left out and counted under `drop_too_long`."""
    drop_too_long: bool = False
    """Leave out prompts with an answer over max_tokens instead of refusing them."""
    validation_frac: float = 0.15
    """Held-out share of the prompts, for early stopping."""
    precision: Precision = Precision.AUTO
    """Type of weights and arithmetic; `auto` is float32, with bfloat16 products where the hardware has them."""
    device: str = "auto"
    """auto, cpu or cuda."""
    seed: int = 0
    """Everything random follows from it."""
    resume: bool = False
    """Continue the run in `out` from its last checkpoint."""

    def __post_init__(self) -> None:
        if not self.beta > 0:
            raise PlauditError(f"beta must be above 0, got {self.beta}")
        if not 0 <= self.label_smoothing < 0.5:
            raise PlauditError(f"label_smoothing must lie in [0, 0.5), got {self.label_smoothing}")
        if not 0 <= self.validation_frac < 1:
            raise PlauditError(f"validation_frac must lie in [0, 1), got {self.validation_frac}")


@dataclass(frozen=True, slots=True)
class DPOResult:
    """Where the model is and how the fit ended."""

    folder: Path
    fitted: Fitted


def answer_logprobs(reference: Reference, rows: TokenRows, micro_batch_size: int) -> Float[Tensor, "B"]:
    """log q(answer) of every row, summed over its tokens."""
    summed = torch.empty(len(rows), device=rows.token_ids.device)
    for part in rows.micro_batches(micro_batch_size):
        summed[part] = reference(rows.select(part)).sum(-1)
    return summed


class PreferenceLoss:
    """DPO's loss over all pairs of a prompt, each answer run once. The reference ran once, before training."""

    def __init__(
        self,
        policy: PolicyModel,
        data: PreferenceRows,
        held: PreferenceRows | None,
        config: DPOConfig,
        known: KeptActivations | None = None,
    ) -> None:
        self._policy, self._config = policy, config
        self.portions = Portions(config.epochs.micro_batch_size)
        reference = policy.reference()
        self._data = self._with_reference(reference, data, known)
        self._held = None if held is None else self._with_reference(reference, held, known)

    def _with_reference(
        self, reference: Reference, data: PreferenceRows, known: KeptActivations | None
    ) -> PreferenceRows:
        data = data.to(device_for(self._config.device))
        rows = self._policy.prepared(data.rows, known)
        return data.with_rows(rows, answer_logprobs(reference, rows, self.portions.size))

    @property
    def num_items(self) -> int:
        return self._data.num_groups

    def trained_parameters(self) -> Iterator[tuple[str, nn.Parameter]]:
        return self._policy.trained_parameters()

    def _loss(self, part: PreferenceRows, denominator: float) -> tuple[Float[Tensor, ""], float]:
        """The part's loss over the minibatch's weight, and its weight on strict pairs ordered as labelled, even ones half."""
        assert part.ref_logprobs is not None
        logprobs, ref = self._policy(part.rows).logprobs.sum(-1), part.ref_logprobs
        a, b = part.pair_a, part.pair_b
        logits = dpo_logits(logprobs[a], logprobs[b], ref[a], ref[b], beta=self._config.beta)
        losses = soft_label_cross_entropy(logits, part.targets, self._config.label_smoothing)
        right = torch.where(logits == 0, 0.5, ((logits > 0) == (part.targets > 0.5)).float())
        return (part.weights * losses).sum() / denominator, float((_strict_weights(part) * right).sum())

    def backward(self, index: Int[Tensor, "n"]) -> dict[str, float]:
        batch = self._data.select_groups(index)
        denominator = float(batch.weights.sum())
        total, num_right = 0.0, 0.0
        for part in batch.micro_batches(self.portions.size):
            loss, right = self._loss(part, denominator)
            loss.backward()
            total, num_right = total + float(loss.detach()), num_right + right
        return {"loss": total, "accuracy": _share(num_right, batch)}

    @torch.no_grad()
    def validation(self) -> dict[str, float] | None:
        if self._held is None:
            return None
        denominator = float(self._held.weights.sum())
        parts = self._held.micro_batches(self.portions.size)
        numbers = [(float(loss), right) for loss, right in (self._loss(part, denominator) for part in parts)]
        num_right = sum(right for _, right in numbers)
        return {"loss": sum(loss for loss, _ in numbers), "accuracy": _share(num_right, self._held)}


def _strict_weights(data: PreferenceRows) -> Float[Tensor, "N"]:
    """The weights of the pairs, those of ties 0: neither order is right there."""
    return data.weights * (data.targets != 0.5)


def _share(num_right: float, data: PreferenceRows) -> float:
    """The accuracy over the strict pairs by weight; nan without any."""
    strict = float(_strict_weights(data).sum())
    return num_right / strict if strict else math.nan


def train(
    config: DPOConfig,
    records: Sequence[Ranking | Comparison | PreferenceGroup],
    *,
    known: KeptActivations | None = None,
) -> DPOResult:
    """Trains `config.model` on the records by DPO; the model is written to `<out>/model`.

    `known` are the frozen layers' activations of answers as they were sampled, which need not be computed again.
    """
    codec = load_codec(config.model)
    given = preference_groups(records)
    encoded, groups = encoded_groups(given, codec, max_tokens=config.max_tokens, drop_too_long=config.drop_too_long)
    data, held, _ = split_groups(encoded, groups, config.validation_frac, config.seed, codec.pad_id)
    device = device_for(config.device)
    policy = load_policy(config.model, config.train, precision=config.precision, device=device)
    check_rows_fit(rows_of_groups(encoded), policy.full, config.model)
    run = RunDirectory.create(
        config.out,
        command="dpo",
        config=asdict(config),
        seed=config.seed,
        resume=config.resume,
        may_change={"resume"},
        parent=config.model,
    )
    with run:
        run.log(f"{len(groups)} prompts, {len(data.targets)} training pairs")
        say_left_out("prompts", unused_groups(given, groups, config.max_tokens), told(run))
        objective = PreferenceLoss(policy, data, held, config, known)
        fitted = fit(objective, config.epochs, config.optimiser, run, seed=config.seed, resume=config.resume)
        folder = run.path / "model"
        save_policy(
            policy, codec.tokenizer, folder, made_by="dpo", parent=config.model, numbers=fitted.validation or {}
        )
    return DPOResult(folder, fitted)
