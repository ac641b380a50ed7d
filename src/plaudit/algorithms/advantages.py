"""From scores to per-token rewards to advantages and returns."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from plaudit.algorithms.masked import zeroed


def last_token_mask(answer_mask: Bool[Tensor, "B T"]) -> Bool[Tensor, "B T"]:
    """True at the last counted token of each row, and nowhere in a row without one."""
    counted_from_right = answer_mask.long().flip(-1).cumsum(-1).flip(-1)
    return answer_mask & (counted_from_right == 1)


def shaped_rewards(
    scores: Float[Tensor, "B"],
    logprobs: Float[Tensor, "B T"],
    ref_logprobs: Float[Tensor, "B T"],
    answer_mask: Bool[Tensor, "B T"],
    *,
    kl_coef: float,
    dense: Float[Tensor, "B T"] | None = None,
) -> Float[Tensor, "B T"]:
    """r_t = -kl_coef * (logprob_t - ref_logprob_t) + [t is last] * score (+ dense_t), zero outside the answer.

    The score sits on the answer's last token, the stop token where there is one. (Ziegler et al. 2019, eq. 2, per token.)
    Example, answer "a b <stop>", score 2, kl_coef 0.1, log ratios 0.5, 0, -1: rewards -0.05, 0, 2.1.
    """
    rewards = -kl_coef * zeroed(logprobs - ref_logprobs, answer_mask)
    rewards = rewards + last_token_mask(answer_mask) * scores[:, None]
    return rewards if dense is None else rewards + zeroed(dense, answer_mask)


def generalised_advantages(
    rewards: Float[Tensor, "B T"],
    values: Float[Tensor, "B T"],
    answer_mask: Bool[Tensor, "B T"],
    *,
    gamma: float,
    lam: float,
) -> tuple[Float[Tensor, "B T"], Float[Tensor, "B T"]]:
    """Advantages and returns (= advantages + values), zero outside the answer.

    delta_t = r_t + gamma V(s_t+1) - V(s_t);  A_t = delta_t + gamma lam A_t+1, over counted tokens only: a turn of the
    person between two of the model's is stepped over. V after the last token is 0. (Schulman et al. 2016, eq. 16.)
    """
    rewards, values = zeroed(rewards, answer_mask), zeroed(values, answer_mask)
    advantages = torch.zeros_like(rewards)
    next_value = torch.zeros_like(rewards[:, 0])
    next_advantage = torch.zeros_like(rewards[:, 0])
    for t in reversed(range(rewards.shape[1])):
        delta = rewards[:, t] + gamma * next_value - values[:, t]
        advantages[:, t] = delta + gamma * lam * next_advantage
        counted = answer_mask[:, t]
        next_value = torch.where(counted, values[:, t], next_value)
        next_advantage = torch.where(counted, advantages[:, t], next_advantage)
    advantages = zeroed(advantages, answer_mask)
    return advantages, zeroed(advantages + values, answer_mask)


def leave_one_out_advantages(returns: Float[Tensor, "P K"]) -> Float[Tensor, "P K"]:
    """Each answer's return minus the mean return of the prompt's other answers. (Ahmadian et al. 2024, RLOO, eq. 6.)

    In float64, so that equal returns leave nothing: rounding that is scaled up later looks like an advantage. Raises
    ValueError for K < 2: alone, an answer has nothing to be compared with.
    """
    num_answers = returns.shape[1]
    if num_answers < 2:
        raise ValueError(f"leave-one-out needs at least 2 answers a prompt, got {num_answers}")
    exact = returns.double()
    others = (exact.sum(-1, keepdim=True) - exact) / (num_answers - 1)
    return (exact - others).to(returns.dtype)
