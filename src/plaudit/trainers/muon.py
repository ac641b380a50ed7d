"""Muon: momentum whose singular values, all or the largest, are made about one, for the matrices of layers."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from jaxtyping import Float
from torch import Tensor, nn

# The quintic of https://kellerjordan.github.io/posts/muon/: steep at zero, and near one it stays near one.
_A, _B, _C = 3.4445, -4.7750, 2.0315
_NUM_ITERATIONS = 5
_EPS = 1e-7


def orthogonalised(matrix: Float[Tensor, "M N"]) -> Float[Tensor, "M N"]:
    """U S V^T with singular values S brought to between about 0.7 and 1.2, by five Newton-Schulz iterations.

    (Jordan et al. 2024, "Muon".) Deviates from `torch.optim.Muon`, which iterates in bfloat16, fifty times slower than this
    on a processor without bfloat16 products: on a CPU it is float32 here.
    """
    is_tall = matrix.shape[0] > matrix.shape[1]
    x = matrix.float() if matrix.device.type == "cpu" else matrix.bfloat16()
    x = x.T if is_tall else x
    x = x / x.norm().clamp(min=_EPS)
    for _ in range(_NUM_ITERATIONS):
        gram = x @ x.T
        x = torch.addmm(x, torch.addmm(gram, gram, gram, beta=_B, alpha=_C), x, beta=_A)
    return (x.T if is_tall else x).to(matrix.dtype)


def leading(matrix: Float[Tensor, "M N"], rank: int) -> Float[Tensor, "M N"]:
    """U V^T over the `rank` largest singular values alone: where the signal is in few directions, the others are noise.

    By subspace iteration from a start that is always the same (Halko et al. 2011, algorithm 4.4, three rounds).
    """
    start = torch.Generator().manual_seed(0)
    num = min(2 * rank, *matrix.shape)
    x = matrix.float()
    basis = torch.randn(x.shape[1], num, generator=start).to(x.device)
    for _ in range(3):
        basis, _ = torch.linalg.qr(x @ basis)
        basis, _ = torch.linalg.qr(x.T @ basis)
    u, _, v = torch.linalg.svd(x @ basis, full_matrices=False)
    kept: Tensor = u[:, :rank] @ v[:rank] @ basis.T
    return kept.to(matrix.dtype)


class Muon(torch.optim.Optimizer):
    """Nesterov's momentum, orthogonalised, and as long as AdamW's steps: 0.2 sqrt(max(M, N)) times the rate.

    (Jordan et al. 2024; the length is that of Liu et al. 2025, "Muon is scalable for LLM training", eq. 4.)
    """

    def __init__(
        self, matrices: Iterable[nn.Parameter], lr: float, weight_decay: float, momentum: float = 0.9, rank: int = 0
    ) -> None:
        """`rank` above 0 moves along so many singular directions only, as far along each as the whole would."""
        super().__init__(matrices, {"lr": lr, "weight_decay": weight_decay, "momentum": momentum})
        self.rank = rank

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """One update from the parameters' gradients."""
        for group in self.param_groups:
            rate, momentum = group["lr"], group["momentum"]
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                state = self.state[parameter]
                if "momentum_buffer" not in state:
                    state["momentum_buffer"] = torch.zeros_like(parameter)
                buffer = state["momentum_buffer"]
                buffer.lerp_(parameter.grad, 1 - momentum)
                ahead = parameter.grad.lerp(buffer, momentum)
                direction = leading(ahead, self.rank) if self.rank else orthogonalised(ahead)
                parameter.mul_(1 - rate * group["weight_decay"])
                parameter.add_(direction, alpha=-rate * 0.2 * math.sqrt(max(parameter.shape)))
