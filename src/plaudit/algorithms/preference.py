"""Losses on preferences between answers, for reward models and for DPO."""

from __future__ import annotations

from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import logsigmoid


def soft_label_cross_entropy(
    logits: Float[Tensor, "N"], targets: Float[Tensor, "N"], label_smoothing: float = 0.0
) -> Float[Tensor, "N"]:
    """-(t log s(x) + (1 - t) log(1 - s(x))) for each pair: x the log-odds that a beats b, t the target P(a beats b).

    Smoothing draws every target towards 1/2: t' = (1 - 2 e) t + e, e the probability that a label is swapped.
    """
    targets = (1.0 - 2.0 * label_smoothing) * targets + label_smoothing
    return -(targets * logsigmoid(logits) + (1.0 - targets) * logsigmoid(-logits))


def ranking_loss(
    scores: Float[Tensor, "A"],
    a: Int[Tensor, "N"],
    b: Int[Tensor, "N"],
    targets: Float[Tensor, "N"],
    weights: Float[Tensor, "N"],
    *,
    margins: Float[Tensor, "N"] | None = None,
    label_smoothing: float = 0.0,
    denominator: float,
) -> Float[Tensor, ""]:
    """sum of weight * cross-entropy(score_a - score_b, target) / `denominator` over all pairs of a batch.

    Every answer is scored once and takes part in all its pairs (InstructGPT, Ouyang et al. 2022, eq. 1, where the weight
    1 / C(K, 2) stands before the sum). A margin is the least gap asked of the preferred side (Touvron et al. 2023,
    eq. 2): it is subtracted from that side's lead, so it favours neither side of a tie. `denominator` is the global weight.
    """
    logits = scores[a] - scores[b]
    if margins is not None:
        logits = logits - margins * (2.0 * targets - 1.0)
    return (weights * soft_label_cross_entropy(logits, targets, label_smoothing)).sum() / denominator


def dpo_logits(
    logprobs_a: Float[Tensor, "N"],
    logprobs_b: Float[Tensor, "N"],
    ref_logprobs_a: Float[Tensor, "N"],
    ref_logprobs_b: Float[Tensor, "N"],
    *,
    beta: float,
) -> Float[Tensor, "N"]:
    """beta * ((log p_a - log q_a) - (log p_b - log q_b)), log-probabilities summed over an answer.

    The implicit reward's log-odds that a beats b; `soft_label_cross_entropy` of it is DPO's loss with ties and
    probabilities as labels. (Rafailov et al. 2023, eq. 7; soft labels as in cDPO, Mitchell 2023.)
    """
    return beta * ((logprobs_a - ref_logprobs_a) - (logprobs_b - ref_logprobs_b))
