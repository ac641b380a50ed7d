"""Optimisers and learning-rate schedules, shared by every trainer."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import torch
from torch import Tensor, nn

from plaudit.schemas.errors import PlauditError
from plaudit.trainers.muon import Muon


class OptimiserKind(StrEnum):
    """Which optimiser."""

    ADAMW = "adamw"
    SGD = "sgd"
    RMSPROP = "rmsprop"
    MUON = "muon"


class Schedule(StrEnum):
    """How the learning rate moves after the warm-up."""

    CONSTANT = "constant"
    LINEAR = "linear"
    COSINE = "cosine"


@dataclass(frozen=True, kw_only=True, slots=True)
class OptimiserConfig:
    """How parameters move."""

    kind: OptimiserKind = OptimiserKind.ADAMW
    """AdamW, SGD (momentum 0.9), RMSprop or Muon (the layers' matrices; AdamW for the rest; rates compare with AdamW's)."""
    learning_rate: float = 1e-4
    """The peak rate. Too high and the loss jumps, too low and nothing is learnt in the steps there are."""
    schedule: Schedule = Schedule.COSINE
    """After the warm-up: stay, or fall to zero in a line or a cosine."""
    warmup_frac: float = 0.1
    """The share of all steps in which the rate rises from zero."""
    weight_decay: float = 0.0
    """Decoupled decay of matrices; vectors are never decayed."""
    eps: float = 1e-8
    """Adam's and RMSprop's term against division by zero. Larger damps the first updates."""
    rank: int = 0
    """Muon's: how many of a matrix's directions an update moves along, the largest. Fewer keep out more of a noisy gradient; 0
    moves along all."""
    max_grad_norm: float = 1.0
    """Gradients longer than this are scaled down to it."""

    def __post_init__(self) -> None:
        if not self.learning_rate > 0 or not math.isfinite(self.learning_rate):
            raise PlauditError(f"learning_rate must be a positive number, got {self.learning_rate}")
        if not 0 <= self.warmup_frac < 1:
            raise PlauditError(f"warmup_frac must lie in [0, 1), got {self.warmup_frac}")
        if not self.weight_decay >= 0 or not math.isfinite(self.weight_decay):
            raise PlauditError(f"weight_decay must be 0 or a positive number, got {self.weight_decay}")
        if not self.eps > 0 or not math.isfinite(self.eps):
            raise PlauditError(f"eps must be a positive number, got {self.eps}")
        if self.rank < 0 or (self.rank > 0 and self.kind is not OptimiserKind.MUON):
            raise PlauditError(
                f"rank = {self.rank} is Muon's alone, and may not be negative: leave it at 0 for {self.kind}"
            )
        if not self.max_grad_norm > 0:
            raise PlauditError(f"max_grad_norm must be above 0, got {self.max_grad_norm}")


def scheduled(config: OptimiserConfig, step: int, num_steps: int) -> float:
    """The factor on the learning rate at `step` (0-based) of `num_steps`."""
    warmup = math.ceil(config.warmup_frac * num_steps)
    if step < warmup:
        return (step + 1) / (warmup + 1)
    done = (step - warmup) / max(1, num_steps - warmup)
    match config.schedule:
        case Schedule.CONSTANT:
            return 1.0
        case Schedule.LINEAR:
            return 1.0 - done
        case Schedule.COSINE:
            return 0.5 * (1.0 + math.cos(math.pi * done))


NamedParameters = Sequence[tuple[str, nn.Parameter]]


class Optimiser:
    """A torch optimiser over named parameters with its schedule; one `step` is one update.

    Each update clips the gradient, refuses one that is not finite, moves and clears.
    """

    def __init__(self, parameters: Iterable[tuple[str, nn.Parameter]], config: OptimiserConfig, num_steps: int) -> None:
        self.config, self.num_steps, self.num_done = config, num_steps, 0
        self._named: NamedParameters = list(parameters)
        if not self._named:
            raise PlauditError("nothing to train: no parameter learns under this setting of train_layers")
        self._torch = _torch_optimisers(self._named, config)
        self._owners = {x: owner for owner in self._torch for group in owner.param_groups for x in group["params"]}

    @property
    def learning_rate(self) -> float:
        """The rate of the next update."""
        return self.config.learning_rate * scheduled(self.config, self.num_done, self.num_steps)

    def step(self) -> float:
        """One update from the accumulated gradients; returns their norm before clipping.

        Raises PlauditError, parameters unmoved, where the norm is NaN or infinite.
        """
        parameters = [parameter for _, parameter in self._named]
        norm = float(nn.utils.clip_grad_norm_(parameters, self.config.max_grad_norm))
        if not math.isfinite(norm):
            raise PlauditError(
                f"the gradient is {norm} at update {self.num_done + 1}: the last good checkpoint is intact. Lower "
                "learning_rate, look at the data of this step, or use float32"
            )
        for optimiser in self._torch:
            for group in optimiser.param_groups:
                group["lr"] = self.learning_rate
            optimiser.step()
        self.clear()
        self.num_done += 1
        return norm

    def clear(self) -> None:
        """Drops the accumulated gradients."""
        for optimiser in self._torch:
            optimiser.zero_grad(set_to_none=True)

    def state_tensors(self) -> dict[str, Tensor]:
        """The optimiser's memory by parameter name, and the number of updates done."""
        tensors = {"num_done": torch.tensor(self.num_done)}
        for name, parameter in self._named:
            for key, value in self._owners[parameter].state[parameter].items():
                if isinstance(value, Tensor):
                    tensors[f"{name}/{key}"] = value
        return tensors

    def load_state_tensors(self, tensors: dict[str, Tensor]) -> None:
        """Puts back what `state_tensors` gave."""
        self.num_done = int(tensors["num_done"])
        for name, parameter in self._named:
            prefix = f"{name}/"
            state = {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}
            self._owners[parameter].state[parameter].update(
                (key, value if value.dim() == 0 else value.to(parameter.device)) for key, value in state.items()
            )


def _torch_optimisers(named: NamedParameters, config: OptimiserConfig) -> list[torch.optim.Optimizer]:
    """One optimiser; under Muon a second for what is no matrix of a layer."""
    rate, eps = config.learning_rate, config.eps
    if config.kind is OptimiserKind.MUON:
        inner = [(name, parameter) for name, parameter in named if _is_of_a_layer(name) and parameter.dim() == 2]
        names = {name for name, _ in inner}
        rest = _torch_optimisers(
            [x for x in named if x[0] not in names], replace(config, kind=OptimiserKind.ADAMW, rank=0)
        )
        if not inner:
            return rest
        matrices = [parameter for _, parameter in inner]
        return [Muon(matrices, lr=rate, weight_decay=config.weight_decay, rank=config.rank), *rest]
    matrices = [parameter for _, parameter in named if parameter.dim() >= 2]
    vectors = [parameter for _, parameter in named if parameter.dim() < 2]
    both = [{"params": matrices, "weight_decay": config.weight_decay}, {"params": vectors, "weight_decay": 0.0}]
    groups = [group for group in both if group["params"]]
    if not groups:
        return []
    match config.kind:
        case OptimiserKind.ADAMW:
            return [torch.optim.AdamW(groups, lr=rate, eps=eps, weight_decay=0.0)]
        case OptimiserKind.SGD:
            return [torch.optim.SGD(groups, lr=rate, momentum=0.9)]
        case OptimiserKind.RMSPROP:
            return [torch.optim.RMSprop(groups, lr=rate, eps=eps)]


def _is_of_a_layer(name: str) -> bool:
    """Whether the parameter stands in a numbered layer: not an embedding, a head or the last norm."""
    return any(part.isdigit() for part in name.split("."))
