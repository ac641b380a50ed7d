"""PTX: a language-modelling term on demonstrations, so that PPO does not forget them (Ouyang et al. 2022, eq. 2)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Self

import torch
from jaxtyping import Float
from torch import Tensor

from plaudit.batches.tokens import TokenRows, collated
from plaudit.models.policy import PolicyModel
from plaudit.rollout.decoding import context_of
from plaudit.schemas.errors import PlauditError
from plaudit.schemas.feedback import Demonstration
from plaudit.text.demonstrations import encoded_demonstrations
from plaudit.trainers.admission import say_left_out, with_weight
from plaudit.trainers.experience import Actor
from plaudit.trainers.memory import Portions
from plaudit.trainers.minibatches import permutation
from plaudit.trainers.sft import weighted_nll

# Longer demonstrations are left out.
_MAX_TOKENS = 1024


class PTX:
    """coef * weighted mean negative log-likelihood of a batch of demonstrations, drawn anew for each update."""

    def __init__(
        self,
        policy: PolicyModel,
        rows: TokenRows,
        weights: Float[Tensor, "B"],
        *,
        coef: float,
        batch_size: int,
        portions: Portions,
        seed: int,
    ) -> None:
        self._policy, self._rows, self._weights = policy, policy.prepared(rows), weights
        self._coef, self._batch_size, self._portions, self._seed = coef, batch_size, portions, seed

    @classmethod
    def on(cls, demonstrations: Sequence[Demonstration], actor: Actor, *, coef: float, batch_size: int) -> Self | None:
        """The term on these demonstrations; None where the coefficient is 0. What is left out is said.

        Raises PlauditError where there are none to read.
        """
        if coef == 0:
            return None
        if not demonstrations:
            raise PlauditError(f"ptx_coef = {coef} needs demonstrations to learn from: give some, or set it to 0")
        policy, codec = actor.policy, actor.codec
        limit = min(_MAX_TOKENS, context_of(policy.full) or _MAX_TOKENS)
        weighty = with_weight(demonstrations, "demonstrations of the PTX term")
        rows, _ = encoded_demonstrations(weighty, codec, max_tokens=limit, drop_too_long=True)
        counts = {"weight 0": len(demonstrations) - len(weighty), f"over {limit} tokens": len(weighty) - len(rows)}
        say_left_out("demonstrations of the PTX term", counts, actor.say)
        device = policy.full.device
        return cls(
            policy,
            collated(rows, codec.pad_id).to(device),
            torch.tensor([row.weight for row in rows], device=device),
            coef=coef,
            batch_size=batch_size,
            portions=actor.portions,
            seed=actor.seed,
        )

    def backward(self, update: int) -> dict[str, float]:
        """Adds the term's gradient for that update to what is there; returns its loss and both gradients' norms."""
        parameters = [parameter for _, parameter in self._policy.trained_parameters()]
        so_far = _taken_gradients(parameters)
        per_pass = -(-len(self._rows) // self._batch_size)
        epoch, number = divmod(update, per_pass)
        index = permutation(len(self._rows), self._seed, "ptx", epoch).split(self._batch_size)[number]
        denominator = float((self._rows.answer_mask[index].sum(-1) * self._weights[index]).sum())
        total = 0.0
        for part in self._rows.micro_batches(self._portions.size, index):
            loss = weighted_nll(self._policy, self._rows.select(part), self._weights[part], denominator)
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
