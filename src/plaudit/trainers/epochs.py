"""The loop that fine-tuning, reward models and DPO share: epochs of minibatches, validation, early stopping, resuming."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Protocol, TypeVar

import torch
from jaxtyping import Int
from torch import Tensor, nn

from plaudit.checkpoints.folder import keep_latest, save_checkpoint
from plaudit.runs import Progress, RunDirectory
from plaudit.schemas.conversation import Frozen
from plaudit.schemas.errors import PlauditError
from plaudit.trainers.memory import Portions, in_portions, told
from plaudit.trainers.minibatches import permutation
from plaudit.trainers.optimisation import Optimiser, OptimiserConfig
from plaudit.trainers.resuming import last_checkpoint, tell_of_threads

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True, slots=True)
class EpochsConfig:
    """How long and in what portions to train."""

    num_epochs: int = 3
    """Passes over the data. More fits closer and overfits sooner."""
    batch_size: int = 16
    """Items (demonstrations, or prompts with their answers) an update."""
    micro_batch_size: int = 8
    """Rows run at once; halved where memory runs out. Changes no result beyond rounding."""
    patience: int = 1
    """Epochs without a better validation loss before training stops; the best epoch's weights are kept."""
    checkpoint: bool = True
    """Save the state after every epoch, so that the run can be resumed."""

    def __post_init__(self) -> None:
        sizes = (self.num_epochs, self.batch_size, self.micro_batch_size, self.patience)
        if min(sizes) < 1:
            raise PlauditError(f"num_epochs, batch_size, micro_batch_size and patience must be at least 1, got {sizes}")


class EpochsState(Frozen):
    """The JSON half of a checkpoint."""

    epoch: int
    best_epoch: int
    best_numbers: dict[str, float] | None
    rows_at_once: int
    threads: int | None = None


class Objective(Protocol):
    """What a trainer minimises."""

    portions: Portions
    """How many rows run at once."""

    @property
    def num_items(self) -> int:
        """Training items; minibatches index them."""
        ...

    def trained_parameters(self) -> Iterator[tuple[str, nn.Parameter]]:
        """What learns."""
        ...

    def backward(self, index: Int[Tensor, "n"]) -> dict[str, float]:
        """Accumulates the gradient of the minibatch's mean loss; returns `loss` and other numbers over the minibatch."""
        ...

    def validation(self) -> dict[str, float] | None:
        """`loss` and other numbers on held-out data; None without any."""
        ...


@dataclass(frozen=True, slots=True)
class Fitted:
    """How the fit ended: updates made, and the best epoch (1-based) with its validation numbers."""

    num_updates: int
    best_epoch: int
    validation: dict[str, float] | None


class _Best:
    """The parameters of the best epoch so far, judged by validation loss; of the last epoch without validation."""

    def __init__(self) -> None:
        self.epoch, self.loss = 0, math.inf
        self.numbers: dict[str, float] | None = None
        self.tensors: dict[str, Tensor] = {}

    def consider(self, epoch: int, numbers: dict[str, float] | None, objective: Objective) -> None:
        loss = math.inf if numbers is None else numbers["loss"]
        if numbers is None or loss < self.loss:
            self.epoch, self.loss, self.numbers = epoch, loss, numbers
            if numbers is not None:
                self.tensors = {name: p.detach().clone() for name, p in objective.trained_parameters()}

    def restore(self, objective: Objective) -> None:
        with torch.no_grad():
            for name, parameter in objective.trained_parameters():
                if name in self.tensors:
                    parameter.copy_(self.tensors[name])


def fit(
    objective: Objective,
    config: EpochsConfig,
    optimiser_config: OptimiserConfig,
    run: RunDirectory,
    *,
    seed: int,
    resume: bool,
) -> Fitted:
    """Trains until the epochs or the patience end and leaves the best epoch's weights in place."""
    per_epoch = math.ceil(objective.num_items / config.batch_size)
    optimiser = Optimiser(objective.trained_parameters(), optimiser_config, per_epoch * config.num_epochs)
    best = _Best()
    first = _resumed(objective, optimiser, best, run) if resume else 0
    total = per_epoch * config.num_epochs
    with Progress(run.manifest.command, total=total, completed=first * per_epoch) as progress:

        def in_memory(work: Callable[[], T]) -> T:
            return in_portions(work, objective.portions, say=told(run, progress), clear=optimiser.clear)

        for epoch in range(first, config.num_epochs):
            # Asked before an epoch, not after: a run resumed where the patience had ended must not train on.
            if epoch - best.epoch >= config.patience:
                run.log(f"stopped after epoch {epoch}: no better validation loss for {config.patience} epochs")
                break
            for index in permutation(objective.num_items, seed, epoch).split(config.batch_size):
                numbers = in_memory(partial(objective.backward, index))
                _check_finite("the loss", numbers["loss"], optimiser)
                rate = optimiser.learning_rate
                norm = optimiser.step()
                run.log_metrics(
                    optimiser.num_done, {**_train(numbers), "grad_norm": norm, "lr": rate, "epoch": epoch + 1}
                )
                progress.advance(note=f"loss {numbers['loss']:.3f}")
            validation = in_memory(objective.validation)
            if validation is not None:
                _check_finite("the validation loss", validation["loss"], optimiser)
                run.log_metrics(optimiser.num_done, {f"validation/{name}": x for name, x in validation.items()})
            best.consider(epoch + 1, validation, objective)
            if config.checkpoint:
                _save(objective, optimiser, best, run, epoch + 1)
    best.restore(objective)
    return Fitted(optimiser.num_done, best.epoch, best.numbers)


def _check_finite(what: str, loss: float, optimiser: Optimiser) -> None:
    if not math.isfinite(loss):
        raise PlauditError(
            f"{what} is {loss} after {optimiser.num_done} updates: lower learning_rate, or look for broken rows with "
            "`plaudit data check`. Checkpoints written before are intact"
        )


def _train(numbers: dict[str, float]) -> dict[str, float]:
    return {f"train/{name}": value for name, value in numbers.items()}


def _save(objective: Objective, optimiser: Optimiser, best: _Best, run: RunDirectory, epoch: int) -> None:
    tensors: dict[str, Tensor] = {f"model/{name}": parameter for name, parameter in objective.trained_parameters()}
    tensors |= {f"optimiser/{name}": tensor for name, tensor in optimiser.state_tensors().items()}
    tensors |= {f"best/{name}": tensor for name, tensor in best.tensors.items()}
    state = EpochsState(
        epoch=epoch,
        best_epoch=best.epoch,
        best_numbers=best.numbers,
        rows_at_once=objective.portions.size,
        threads=torch.get_num_threads(),
    )
    save_checkpoint(run.checkpoint_folder(optimiser.num_done), tensors, state.model_dump())
    keep_latest(run, 2)


def _resumed(objective: Objective, optimiser: Optimiser, best: _Best, run: RunDirectory) -> int:
    """The epochs that are done, with the state after them put back."""
    say = told(run)
    _, saved = last_checkpoint(run, say)
    if saved is None:
        return 0
    with torch.no_grad():
        for name, parameter in objective.trained_parameters():
            parameter.copy_(saved.tensors[f"model/{name}"])
    optimiser.load_state_tensors(under(saved.tensors, "optimiser/"))
    best.tensors = under(saved.tensors, "best/")
    state = EpochsState.model_validate(saved.state)
    tell_of_threads(state.threads, say)
    best.epoch, best.numbers = state.best_epoch, state.best_numbers
    objective.portions.size = state.rows_at_once
    best.loss = math.inf if best.numbers is None else best.numbers["loss"]
    return state.epoch


def under(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The tensors whose names begin with the prefix, without it."""
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
