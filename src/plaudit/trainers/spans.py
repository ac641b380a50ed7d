"""A model of what people mark in answers: for every token the chance that a person marks it.

(The token-level reward models of Wu et al. 2023, "Fine-Grained Human Feedback Gives Better Rewards".) It is a reward model
whose head is read at every token of the answer; `rewards/spans.py` makes rewards of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from plaudit.algorithms.masked import masked_sum
from plaudit.batches.tokens import TokenRows, collated
from plaudit.models.load import Precision, device_for, load_codec
from plaudit.models.policy import TrainLayers
from plaudit.models.reward import RewardModel, new_reward_model
from plaudit.models.save import save_scorer
from plaudit.runs import RunDirectory, spawn_seed
from plaudit.schemas.conversation import prompt_id
from plaudit.schemas.errors import PlauditError
from plaudit.schemas.feedback import Highlights
from plaudit.statistics.classification import auroc
from plaudit.text.highlights import MarkedRow, Scored, encoded_highlights
from plaudit.trainers.admission import check_rows_fit, say_left_out, with_weight
from plaudit.trainers.epochs import EpochsConfig, Fitted, fit
from plaudit.trainers.memory import Portions, told
from plaudit.trainers.minibatches import held_out
from plaudit.trainers.optimisation import OptimiserConfig


@dataclass(frozen=True, kw_only=True, slots=True)
class SpansConfig:
    """A span model from answers that people marked."""

    model: str = "runs/sft/model"
    """The model whose layers it starts from."""
    out: str = "runs/spans"
    """The run folder; the span model lands in its `model/`."""
    labels: tuple[str, ...] = ()
    """Spans of these labels count as marked; all do where none is named."""
    scored: Scored = "low"
    """Of spans with a number (a step of a solution: 1 right, 0 wrong) those below 1/2 count, those from it on (`high`), or
    all. Spans without one always do."""
    train: TrainLayers = field(default_factory=TrainLayers)
    """Which parameters learn, besides the head."""
    optimiser: OptimiserConfig = field(default_factory=lambda: OptimiserConfig(learning_rate=5e-5))
    """How they move."""
    epochs: EpochsConfig = field(default_factory=lambda: EpochsConfig(num_epochs=3, batch_size=16, micro_batch_size=8))
    """How long and in what portions; an item is an answer."""
    max_tokens: int = 1024
    """Longest prompt with answer. Longer ones are left out and counted."""
    validation_frac: float = 0.15
    """Held-out share of the prompts, for the area under the ROC curve and early stopping."""
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
class SpansResult:
    """Where the model is and how the fit ended."""

    folder: Path
    fitted: Fitted


def marking_loss(
    logits: Float[Tensor, "B T"],
    marked: Bool[Tensor, "B T"],
    answer_mask: Bool[Tensor, "B T"],
    denominator: float,
    weights: Float[Tensor, "B"] | None = None,
) -> Float[Tensor, ""]:
    """Binary cross-entropy summed over the answers' tokens, each by its answer's weight, by `denominator`.

    Example, logits 0 and log 3 (p = 3/4), the second token marked: log 2 + log(4/3).
    """
    losses = nn.functional.binary_cross_entropy_with_logits(logits, marked.float(), reduction="none")
    if weights is not None:
        losses = losses * weights[:, None]
    return masked_sum(losses, answer_mask) / denominator


class MarkingLoss:
    """The weighted mean loss over all tokens of a minibatch's answers, whatever its split."""

    def __init__(
        self, model: RewardModel, data: Sequence[MarkedRow], held: Sequence[MarkedRow], pad_id: int, micro: int
    ) -> None:
        self._model, self.portions = model, Portions(micro)
        self._rows, self._marked = self._collated(data, pad_id)
        self._weights = torch.tensor([one.row.weight for one in data], device=self._marked.device)
        self._held = self._collated(held, pad_id) if held else None

    def _collated(self, data: Sequence[MarkedRow], pad_id: int) -> tuple[TokenRows, Bool[Tensor, "B T"]]:
        device = self._model.head.weight.device
        rows = collated([one.row for one in data], pad_id)
        marked = torch.zeros_like(rows.answer_mask)
        for i, one in enumerate(data):
            marked[i, : len(one.marked)] = torch.tensor(one.marked)
        return self._model.prepared(rows.to(device)), marked.to(device)

    @property
    def num_items(self) -> int:
        return len(self._rows)

    def trained_parameters(self) -> Iterator[tuple[str, nn.Parameter]]:
        return self._model.trained_parameters()

    def backward(self, index: Int[Tensor, "n"]) -> dict[str, float]:
        denominator = float((self._rows.answer_mask[index].sum(-1) * self._weights[index]).sum())
        total = 0.0
        for part in self._rows.micro_batches(self.portions.size, index):
            rows = self._rows.select(part)
            marked = self._marked[part, : rows.token_ids.shape[1]]
            logits, weights = self._model.token_scores(rows), self._weights[part]
            loss = marking_loss(logits, marked, rows.answer_mask, denominator, weights)
            loss.backward()
            total += float(loss.detach())
        return {"loss": total, "num_tokens": denominator}

    @torch.no_grad()
    def validation(self) -> dict[str, float] | None:
        if self._held is None:
            return None
        rows, marked = self._held
        logits = token_logits(self._model, rows, self.portions.size)
        mask = rows.answer_mask
        loss = float(marking_loss(logits, marked, mask, float(mask.sum())))
        truth = marked[mask].cpu().numpy()
        numbers = {"loss": loss}
        if truth.any() and not truth.all():
            numbers["auroc"] = auroc(logits[mask].cpu().double().numpy(), truth)
        return numbers


@torch.no_grad()
def token_logits(model: RewardModel, rows: TokenRows, micro_batch_size: int) -> Float[Tensor, "B T"]:
    """The log-odds that a person marks each answer token, zero elsewhere, on the model's device."""
    device = model.head.weight.device
    logits = torch.zeros(rows.token_ids.shape, device=device)
    for part in rows.micro_batches(micro_batch_size):
        chosen = rows.select(part).to(device)
        logits[part, : chosen.token_ids.shape[1]] = model.token_scores(chosen)
    return logits


def train(config: SpansConfig, records: Sequence[Highlights]) -> SpansResult:
    """Fits a span model to the records and writes it to `<out>/model`."""
    codec = load_codec(config.model)
    weighty = with_weight(records, "marked answers")
    found, kept = encoded_highlights(
        weighty, codec, max_tokens=config.max_tokens, labels=config.labels, scored=config.scored
    )
    is_held = np.array(held_out([prompt_id(record.prompt) for record in kept], config.validation_frac, config.seed))
    model = new_reward_model(
        config.model,
        config.train,
        seed=spawn_seed(config.seed, "span head"),
        precision=config.precision,
        pad_id=codec.pad_id,
        device=device_for(config.device),
    )
    check_rows_fit([one.row for one in found], model.full, config.model)
    run = RunDirectory.create(
        config.out,
        command="spans",
        config=asdict(config),
        seed=config.seed,
        resume=config.resume,
        may_change={"resume"},
        parent=config.model,
    )
    with run:
        run.log(f"{len(found)} marked answers ({is_held.sum()} held out), {len(weighty) - len(found)} too long")
        too_long = f"over max_tokens = {config.max_tokens}"
        counts = {"weight 0": len(records) - len(weighty), too_long: len(weighty) - len(found)}
        say_left_out("marked answers", counts, told(run))
        learnt = [one for one, out in zip(found, is_held, strict=True) if not out]
        held = [one for one, out in zip(found, is_held, strict=True) if out]
        objective = MarkingLoss(model, learnt, held, codec.pad_id, config.epochs.micro_batch_size)
        fitted = fit(objective, config.epochs, config.optimiser, run, seed=config.seed, resume=config.resume)
        numbers = {f"held-out {name}": value for name, value in (fitted.validation or {}).items()}
        folder = run.path / "model"
        save_scorer(model, codec.tokenizer, folder, parent=config.model, numbers=numbers, made_by="spans")
    return SpansResult(folder, fitted)
