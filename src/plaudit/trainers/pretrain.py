"""Continued pretraining: read plain documents, every token counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace

import torch

from plaudit.batches.tokens import EncodedRow, collated
from plaudit.models.load import Precision, device_for, load_tokenizer
from plaudit.models.policy import TrainLayers, load_policy
from plaudit.models.save import save_policy
from plaudit.runs import RunDirectory
from plaudit.schemas.conversation import row_id
from plaudit.schemas.errors import PlauditError
from plaudit.schemas.feedback import Document
from plaudit.text.documents import encoded_documents
from plaudit.trainers.admission import check_rows_fit, say_left_out, with_weight
from plaudit.trainers.epochs import EpochsConfig, fit
from plaudit.trainers.memory import told
from plaudit.trainers.minibatches import held_out
from plaudit.trainers.optimisation import OptimiserConfig
from plaudit.trainers.sft import DemonstrationLoss, SFTResult


@dataclass(frozen=True, kw_only=True, slots=True)
class PretrainConfig:
    """Continued pretraining on plain documents."""

    model: str = "smollm2-135m"
    """The model to start from; it needs no chat template."""
    out: str = "runs/pretrain"
    """The run folder; the model lands in its `model/`."""
    train: TrainLayers = field(default_factory=lambda: TrainLayers(kind="all"))
    """Which parameters learn."""
    optimiser: OptimiserConfig = field(default_factory=lambda: OptimiserConfig(learning_rate=5e-5))
    """How they move."""
    epochs: EpochsConfig = field(default_factory=lambda: EpochsConfig(num_epochs=1))
    """How long and in what portions; an item is a row of at most max_tokens."""
    max_tokens: int = 256
    """Row length; longer documents are cut into rows. Longer rows see more context and cost more memory."""
    validation_frac: float = 0.05
    """Held-out share of the documents. 0 switches validation and early stopping off."""
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


def train(config: PretrainConfig, documents: Sequence[Document]) -> SFTResult:
    """Trains `config.model` further on the documents; the model is written to `<out>/model`."""
    tokenizer = load_tokenizer(config.model)
    weighty = with_weight(documents, "documents")
    encoded = encoded_documents([document.text for document in weighty], tokenizer, max_tokens=config.max_tokens)
    names = [row_id(document.text, 0) for document in weighty]
    is_held = held_out(names, config.validation_frac, config.seed)
    learnt, held = list[EncodedRow](), list[EncodedRow]()
    for document, rows, out in zip(weighty, encoded, is_held, strict=True):
        (held if out else learnt).extend(replace(row, weight=document.weight) for row in rows)
    if not learnt:
        raise PlauditError("there is no document to learn from: each needs at least one token of text")
    device = device_for(config.device)
    policy = load_policy(config.model, config.train, precision=config.precision, device=device)
    check_rows_fit([*learnt, *held], policy.full, config.model)
    run = RunDirectory.create(
        config.out,
        command="pretrain",
        config=asdict(config),
        seed=config.seed,
        resume=config.resume,
        may_change={"resume"},
        parent=config.model,
    )
    pad_id = tokenizer.pad_token_id if isinstance(tokenizer.pad_token_id, int) else 0
    with run:
        run.log(f"{len(weighty)} documents, {len(learnt)} rows to learn, {len(held)} held out")
        say_left_out("documents", {"weight 0": len(documents) - len(weighty)}, told(run))
        objective = DemonstrationLoss(
            policy,
            collated(learnt, pad_id).to(device),
            torch.tensor([row.weight for row in learnt], device=device),
            collated(held, pad_id).to(device) if held else None,
            config.epochs.micro_batch_size,
        )
        fitted = fit(objective, config.epochs, config.optimiser, run, seed=config.seed, resume=config.resume)
        folder = run.path / "model"
        save_policy(policy, tokenizer, folder, made_by="pretrain", parent=config.model, numbers=fitted.validation or {})
    return SFTResult(folder, fitted)
