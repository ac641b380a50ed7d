"""The value function: V(s_t), the expected return from the state in which token t is chosen."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Tensor, nn

from plaudit.algorithms.masked import zeroed
from plaudit.batches.tokens import TokenRows
from plaudit.models.anatomy import upper_parts
from plaudit.models.policy import before, frozen_copy
from plaudit.models.reward import RewardModel
from plaudit.models.trunk import Branch
from plaudit.schemas.errors import PlauditError


class ValueModel(nn.Module):
    """A scalar head on the policy's own states, or on a branch of its own."""

    def __init__(self, head: nn.Linear, branch: Branch | None) -> None:
        super().__init__()
        self.head = head
        self.branch = branch

    @classmethod
    def on_policy(cls, width: int) -> ValueModel:
        """A zero-started head on the policy's trained layers: costs nothing, and `vf_coef` bends the policy."""
        head = nn.Linear(width, 1)
        nn.init.zeros_(head.weight)
        nn.init.zeros_(head.bias)
        return cls(head, None)

    @classmethod
    def from_reward(cls, reward: RewardModel) -> ValueModel:
        """A branch of its own, started as the reward model: its first value is the normalised score of the state.

        Raises PlauditError for a reward model whose layers cannot be found.
        """
        body = reward.branch.body
        try:
            upper_parts(body)
        except PlauditError as error:
            raise PlauditError(
                f"a critic cannot begin as a {body.config.model_type!r} reward model, whose layers plaudit cannot find: set "
                "value to 'policy'"
            ) from error
        head = nn.Linear(reward.head.in_features, 1)
        with torch.no_grad():
            head.weight.copy_(reward.head.weight.float() / reward.std)
            head.bias.fill_(-reward.mean / reward.std)
        branch = frozen_copy(reward.branch)
        for name in upper_parts(branch.body):
            branch.body.get_submodule(name).requires_grad_(True)
        return cls(head, branch)

    def forward(self, rows: TokenRows, policy_states: Float[Tensor, "B T D"]) -> Float[Tensor, "B T"]:
        """V at each answer token, zero elsewhere. `policy_states` are read by a head on the policy's layers only."""
        states = policy_states if self.branch is None else before(self.branch(rows))
        values = self.head(states.to(self.head.weight.dtype)).squeeze(-1)
        return zeroed(values, rows.answer_mask)

    def trained_parameters(self) -> Iterator[tuple[str, nn.Parameter]]:
        """Names and parameters that learn."""
        yield from ((f"head.{name}", parameter) for name, parameter in self.head.named_parameters())
        if self.branch is not None:
            # Not the embedding: it stays the reward model's.
            upper = tuple(f"{name}." for name in upper_parts(self.branch.body))
            for name, parameter in self.branch.body.named_parameters():
                if parameter.requires_grad and name.startswith(upper):
                    yield f"branch.{name}", parameter
