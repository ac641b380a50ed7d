"""PTX: a language-modelling term on demonstrations, so that PPO does not forget them (Ouyang et al. 2022, eq. 2)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from plaudit.batches.tokens import TokenRows
from plaudit.models.policy import PolicyModel
from plaudit.trainers.memory import Portions
from plaudit.trainers.minibatches import permutation
from plaudit.trainers.sft import weighted_nll


class PTX:
    """coef * mean negative log-likelihood of a batch of demonstrations, drawn anew for each update."""

    def __init__(
        self, policy: PolicyModel, rows: TokenRows, *, coef: float, batch_size: int, portions: Portions, seed: int
    ) -> None:
        self._policy, self._rows = policy, policy.prepared(rows)
        self._coef, self._batch_size, self._portions, self._seed = coef, batch_size, portions, seed

    def backward(self, update: int) -> dict[str, float]:
        """Adds the term's gradient for that update to what is there; returns its loss and both gradients' norms."""
        parameters = [parameter for _, parameter in self._policy.trained_parameters()]
        so_far = _taken_gradients(parameters)
        per_pass = -(-len(self._rows) // self._batch_size)
        epoch, number = divmod(update, per_pass)
        index = permutation(len(self._rows), self._seed, "ptx", epoch).split(self._batch_size)[number]
        denominator = float(self._rows.answer_mask[index].sum())
        ones = torch.ones(len(self._rows), device=self._rows.token_ids.device)
        total = 0.0
        for part in self._rows.micro_batches(self._portions.size, index):
            loss = weighted_nll(self._policy, self._rows.select(part), ones[part], denominator)
            (self._coef * loss).backward()
            total += float(loss.detach())
        norms = {"grad_norm/ppo": _norm(so_far), "grad_norm/ptx": _norm([parameter.grad for parameter in parameters])}
        for parameter, gradient in zip(parameters, so_far, strict=True):
            if gradient is not None:
                parameter.grad = gradient if parameter.grad is None else parameter.grad.add_(gradient)
        return {"loss/ptx": total} | norms


def _taken_gradients(parameters: Sequence[torch.nn.Parameter]) -> list[torch.Tensor | None]:
    taken = [parameter.grad for parameter in parameters]
    for parameter in parameters:
        parameter.grad = None
    return taken


def _norm(gradients: Sequence[torch.Tensor | None]) -> float:
    return math.sqrt(sum(float(gradient.float().pow(2).sum()) for gradient in gradients if gradient is not None))
