"""From a score to per-token rewards, advantages and returns."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from plaudit.algorithms.advantages import (
    generalised_advantages,
    last_token_mask,
    leave_one_out_advantages,
    shaped_rewards,
)

NAN, INF = float("nan"), float("inf")
T, F = True, False

cases = st.tuples(st.integers(0, 2**32 - 1), st.integers(1, 4), st.integers(1, 8))


def drawn(seed: int, rows: int, columns: int) -> tuple[Tensor, Tensor, Tensor]:
    """Rewards, values, and a mask with gaps and perhaps empty rows."""
    generator = torch.Generator().manual_seed(seed)
    rewards, values = torch.randn((2, rows, columns), generator=generator)
    return rewards, values, torch.rand((rows, columns), generator=generator) < 0.6


def slow_advantages(rewards: list[float], values: list[float], gamma: float, lam: float) -> list[float]:
    """A_t = sum over l of (gamma lam)^l delta_{t+l}, every term written out, for an answer without gaps."""
    num = len(rewards)
    after = [*values[1:], 0.0]
    deltas = [rewards[t] + gamma * after[t] - values[t] for t in range(num)]
    return [sum((gamma * lam) ** (s - t) * deltas[s] for s in range(t, num)) for t in range(num)]


def test_the_last_counted_token_of_each_row() -> None:
    mask = torch.tensor([[F, T, T, F], [T, F, T, T], [T, F, F, F], [F, F, F, F]])
    expected = torch.tensor([[F, F, T, F], [F, F, F, T], [T, F, F, F], [F, F, F, F]])
    assert torch.equal(last_token_mask(mask), expected)


def test_shaped_rewards_worked_by_hand() -> None:
    """Score 2 on the stop token; kl_coef 0.1 times log ratios 0.5, 0, -1. One column of prompt, one of padding."""
    found = shaped_rewards(
        torch.tensor([2.0]),
        torch.tensor([[NAN, -1.0, -2.0, -3.0, 0.0]]),
        torch.tensor([[0.0, -1.5, -2.0, -2.0, INF]]),
        torch.tensor([[F, T, T, T, F]]),
        kl_coef=0.1,
    )
    assert found[0].tolist() == pytest.approx([0.0, -0.05, 0.0, 2.1, 0.0], abs=1e-6)


def test_shaped_rewards_over_two_turns_score_the_last_one_only() -> None:
    found = shaped_rewards(
        torch.tensor([3.0, 5.0]),
        torch.tensor([[-1.0, -1.0, NAN, -1.0], [-1.0, NAN, NAN, NAN]]),
        torch.tensor([[-2.0, -2.0, NAN, -2.0], [-1.0, NAN, NAN, NAN]]),
        torch.tensor([[T, T, F, T], [F, F, F, F]]),
        kl_coef=0.5,
    )
    assert found.tolist() == [[-0.5, -0.5, 0.0, 2.5], [0.0, 0.0, 0.0, 0.0]]


def test_dense_rewards_add_to_the_tokens_they_name() -> None:
    zeros, mask = torch.zeros((1, 3)), torch.tensor([[F, T, T]])
    found = shaped_rewards(torch.tensor([1.0]), zeros, zeros, mask, kl_coef=0.1, dense=torch.tensor([[NAN, 0.25, 4.0]]))
    assert found.tolist() == [[0.0, 0.25, 5.0]]


@given(cases, st.floats(0, 2))
def test_an_answers_rewards_sum_to_its_score_minus_the_penalty(shape: tuple[int, int, int], kl_coef: float) -> None:
    logprobs, ref_logprobs, mask = drawn(*shape)
    mask[:, -1] = True
    scores = torch.arange(len(mask)).float()
    found = shaped_rewards(scores, logprobs, ref_logprobs, mask, kl_coef=kl_coef)
    for row in range(len(mask)):
        log_ratio = (logprobs[row][mask[row]] - ref_logprobs[row][mask[row]]).double().sum().item()
        assert found[row].sum().item() == pytest.approx(scores[row].item() - kl_coef * log_ratio, abs=1e-4)


TABLE = (
    # delta_2 = 4 - 2; delta_1 = 2 + 2/2 - 2; delta_0 = 1 + 2/2 - 2; each step back adds a quarter of what follows.
    [1.0, 2.0, 4.0],
    [2.0, 2.0, 2.0],
    [0.375, 1.5, 2.0],
    [2.375, 3.5, 4.0],
)


@pytest.mark.parametrize(
    "columns",
    [[0, 1, 2], [1, 2, 3], [0, 3, 4], [0, 2, 5]],
    ids=["alone", "padded", "after the person's turn", "two gaps"],
)
def test_advantages_worked_by_hand(columns: list[int]) -> None:
    """gamma = lambda = 1/2. The person's turn between two of the model's is stepped over, padding is not seen."""
    rewards, values = torch.full((1, 6), NAN), torch.full((1, 6), INF)
    mask = torch.zeros((1, 6), dtype=torch.bool)
    mask[0, columns] = True
    rewards[0, columns], values[0, columns] = torch.tensor(TABLE[0]), torch.tensor(TABLE[1])
    advantages, returns = generalised_advantages(rewards, values, mask, gamma=0.5, lam=0.5)
    assert advantages[0, columns].tolist() == TABLE[2]
    assert returns[0, columns].tolist() == TABLE[3]
    assert not advantages[~mask].any()
    assert not returns[~mask].any()


@given(cases, st.floats(0, 1), st.floats(0, 1))
def test_advantages_against_the_sum_written_out(shape: tuple[int, int, int], gamma: float, lam: float) -> None:
    rewards, values, mask = drawn(*shape)
    advantages, returns = generalised_advantages(rewards, values, mask, gamma=gamma, lam=lam)
    for row in range(len(mask)):
        counted = mask[row]
        expected = slow_advantages(rewards[row][counted].tolist(), values[row][counted].tolist(), gamma, lam)
        assert advantages[row][counted].tolist() == pytest.approx(expected, abs=1e-4)
        expected = [a + v for a, v in zip(expected, values[row][counted].tolist(), strict=True)]
        assert returns[row][counted].tolist() == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("num_answers", [2, 3, 4, 7])
@pytest.mark.parametrize("value", [0.1, -0.3, 1 / 3, -5.1, 1e6 / 7])
def test_equal_returns_leave_nothing(num_answers: int, value: float) -> None:
    """Not even rounding, which would be scaled up to an advantage."""
    found = leave_one_out_advantages(torch.full((4, num_answers), value))
    assert found.dtype == torch.float32
    assert not found.any()


def test_with_lambda_1_the_return_is_the_discounted_sum() -> None:
    """2 + 1/2 * 4 + 1/4 * 8, whatever the values say."""
    mask = torch.tensor([[T, T, T]])
    _, returns = generalised_advantages(
        torch.tensor([[2.0, 4.0, 8.0]]), torch.tensor([[7.0, -3.0, 11.0]]), mask, gamma=0.5, lam=1.0
    )
    assert returns.tolist() == [[6.0, 8.0, 8.0]]


@given(cases, st.sampled_from([NAN, INF, -INF, 1e30]))
def test_nothing_sees_what_is_masked(shape: tuple[int, int, int], garbage: float) -> None:
    first, second, mask = drawn(*shape)
    scores = torch.ones(len(mask))

    def results(filler: float) -> list[Tensor]:
        x, y = first.masked_fill(~mask, filler), second.masked_fill(~mask, filler)
        advantages, returns = generalised_advantages(x, y, mask, gamma=0.9, lam=0.8)
        return [advantages, returns, shaped_rewards(scores, x, y, mask, kl_coef=0.3, dense=x)]

    for clean, dirty in zip(results(0.0), results(garbage), strict=True):
        assert torch.equal(clean, dirty)


def test_leave_one_out_worked_by_hand() -> None:
    """1 against the mean of 2 and 6; 2 against that of 1 and 6; 6 against that of 1 and 2. Prompts do not mix."""
    found = leave_one_out_advantages(torch.tensor([[1.0, 2.0, 6.0], [5.0, 5.0, 5.0]]))
    assert found.tolist() == [[-3.0, -1.5, 4.5], [0.0, 0.0, 0.0]]


@given(st.lists(st.floats(-100, 100), min_size=2, max_size=8))
def test_leave_one_out_is_centred(returns: list[float]) -> None:
    centred = leave_one_out_advantages(torch.tensor([returns]))
    assert centred.sum().item() == pytest.approx(0.0, abs=1e-3)  # eight numbers of a hundred in float32


def test_leave_one_out_refuses_a_single_answer() -> None:
    with pytest.raises(ValueError, match="at least 2 answers a prompt, got 1"):
        leave_one_out_advantages(torch.ones((3, 1)))
