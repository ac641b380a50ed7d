"""Supervised fine-tuning: imitate the demonstrations, the assistant's tokens only."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from plaudit.algorithms.masked import masked_sum
from plaudit.batches.tokens import TokenRows, collated
from plaudit.evaluation.language import mean_nll
from plaudit.models.load import Precision, device_for, load_codec
from plaudit.models.policy import Policy, PolicyModel, TrainLayers, load_policy
from plaudit.models.save import save_policy
from plaudit.runs import RunDirectory
from plaudit.schemas.conversation import prompt_id
from plaudit.schemas.errors import PlauditError
from plaudit.schemas.feedback import Demonstration
from plaudit.text.demonstrations import encoded_demonstrations
from plaudit.trainers.admission import check_rows_fit, say_left_out, with_weight
from plaudit.trainers.epochs import EpochsConfig, Fitted, fit
from plaudit.trainers.memory import Portions, told
from plaudit.trainers.minibatches import held_out
from plaudit.trainers.optimisation import OptimiserConfig


@dataclass(frozen=True, kw_only=True, slots=True)
class SFTConfig:
    """Supervised fine-tuning."""

    model: str = "smollm2-135m"
    """The model to start from: a hub id, a folder, a .gguf file, `smollm2-135m` or `tiny`."""
    out: str = "runs/sft"
    """The run folder; the model lands in its `model/`."""
    train: TrainLayers = field(default_factory=lambda: TrainLayers(kind="all"))
    """Which parameters learn."""
    optimiser: OptimiserConfig = field(default_factory=lambda: OptimiserConfig(learning_rate=5e-5))
    """How they move."""
    epochs: EpochsConfig = field(default_factory=EpochsConfig)
    """How long and in what portions."""
    max_tokens: int = 512
    """Longer demonstrations are refused, or dropped and counted under `drop_too_long`."""
    drop_too_long: bool = False
    """Drop demonstrations over max_tokens, with their count, instead of refusing them."""
    validation_frac: float = 0.1
    """Held-out share for the validation loss, drawn by prompt. 0 switches validation and early stopping off."""
    precision: Precision = Precision.AUTO
    """Type of weights and arithmetic; `auto` is float32, with bfloat16 products where the hardware has them."""
    device: str = "auto"
    """auto, cpu or cuda."""
    seed: int = 0
    """Everything random follows from it."""
    resume: bool = False
    """Continue the run in `out` from its last checkpoint."""

    def __post_init__(self) -> None:
        if not 0 <= self.validation_frac < 1:
            raise PlauditError(f"validation_frac must lie in [0, 1), got {self.validation_frac}")


@dataclass(frozen=True, slots=True)
class SFTResult:
    """Where the model is and how the fit ended."""

    folder: Path
    fitted: Fitted

    @property
    def validation_perplexity(self) -> float | None:
        """exp(mean negative log-likelihood a token) on held-out demonstrations; None without any."""
        return None if self.fitted.validation is None else self.fitted.validation["perplexity"]


def weighted_nll(policy: Policy, rows: TokenRows, weights: Float[Tensor, "B"], denominator: float) -> Float[Tensor, ""]:
    """-sum of weight * log p(token) over the answers' tokens, by `denominator`."""
    return -masked_sum(policy(rows).logprobs * weights[:, None], rows.answer_mask) / denominator


class DemonstrationLoss:
    """Token-weighted negative log-likelihood; the denominator is the minibatch's token count, whatever its split."""

    def __init__(
        self, policy: PolicyModel, rows: TokenRows, weights: Float[Tensor, "B"], held: TokenRows | None, micro: int
    ) -> None:
        self._policy, self._weights, self.portions = policy, weights, Portions(micro)
        self._rows = policy.prepared(rows)
        self._held = None if held is None else policy.prepared(held)

    @property
    def num_items(self) -> int:
        return len(self._rows)

    def trained_parameters(self) -> Iterator[tuple[str, nn.Parameter]]:
        return self._policy.trained_parameters()

    def backward(self, index: Int[Tensor, "n"]) -> dict[str, float]:
        weighted = self._rows.answer_mask[index].sum(-1) * self._weights[index]
        denominator = float(weighted.sum())
        total = 0.0
        for part in self._rows.micro_batches(self.portions.size, index):
            loss = weighted_nll(self._policy, self._rows.select(part), self._weights[part], denominator)
            loss.backward()
            total += float(loss.detach())
        return {"loss": total, "num_tokens": float(weighted.sum())}

    def validation(self) -> dict[str, float] | None:
        if self._held is None:
            return None
        loss = mean_nll(self._policy, self._held, self.portions.size)
        return {"loss": loss, "perplexity": math.exp(loss) if loss < 700 else math.inf}


def train(config: SFTConfig, demonstrations: Sequence[Demonstration]) -> SFTResult:
    """Fine-tunes `config.model` on the demonstrations; the model is written to `<out>/model`."""
    codec = load_codec(config.model)
    weighty = with_weight(demonstrations, "demonstrations")
    rows, kept = encoded_demonstrations(
        weighty, codec, max_tokens=config.max_tokens, drop_too_long=config.drop_too_long
    )
    device = device_for(config.device)
    policy = load_policy(config.model, config.train, precision=config.precision, device=device)
    check_rows_fit(rows, policy.full, config.model)
    is_held = held_out([prompt_id(record.prompt) for record in kept], config.validation_frac, config.seed)
    run = RunDirectory.create(
        config.out,
        command="sft",
        config=asdict(config),
        seed=config.seed,
        resume=config.resume,
        may_change={"resume"},
        parent=config.model,
    )
    with run:
        run.log(f"{len(rows)} demonstrations ({sum(is_held)} held out), {len(demonstrations) - len(rows)} dropped")
        too_long = f"over max_tokens = {config.max_tokens}"
        counts = {"weight 0": len(demonstrations) - len(weighty), too_long: len(weighty) - len(rows)}
        say_left_out("demonstrations", counts, told(run))
        learnt = [row for row, out in zip(rows, is_held, strict=True) if not out]
        held = [row for row, out in zip(rows, is_held, strict=True) if out]
        objective = DemonstrationLoss(
            policy,
            collated(learnt, codec.pad_id).to(device),
            torch.tensor([row.weight for row in learnt], device=device),
            collated(held, codec.pad_id).to(device) if held else None,
            config.epochs.micro_batch_size,
        )
        fitted = fit(objective, config.epochs, config.optimiser, run, seed=config.seed, resume=config.resume)
        folder = run.path / "model"
        save_policy(
            policy, codec.tokenizer, folder, made_by="sft", parent=config.model, numbers=fitted.validation or {}
        )
    return SFTResult(folder, fitted)
