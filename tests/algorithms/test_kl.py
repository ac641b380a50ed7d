"""The KL estimators and the coefficient that follows them."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from plaudit.algorithms.kl import adapted_kl_coef, k1, k3

LN2 = math.log(2)
NAN, INF = float("nan"), float("inf")


def test_a_table_worked_by_hand() -> None:
    """Ratios p / q of 2, 1/2 and 1. k3 with q / p = 1/2: 1/2 - 1 + ln 2; with q / p = 2: 2 - 1 - ln 2."""
    logprobs = torch.tensor([[LN2 - 3, -LN2 - 3, -3.0, NAN]])
    ref_logprobs = torch.tensor([[-3.0, -3.0, -3.0, INF]])
    mask = torch.tensor([[True, True, True, False]])
    assert k1(logprobs, ref_logprobs, mask)[0].tolist() == pytest.approx([LN2, -LN2, 0, 0], abs=1e-6)
    assert k3(logprobs, ref_logprobs, mask)[0].tolist() == pytest.approx([LN2 - 0.5, 1 - LN2, 0, 0], abs=1e-6)


@given(st.lists(st.tuples(st.floats(-3, 3), st.floats(-3, 3)), min_size=2, max_size=6))
def test_both_average_to_the_divergence(logits: list[tuple[float, float]]) -> None:
    """Exact: the expectation under p over a whole vocabulary, against sum p log(p / q) in plain floats."""
    weights = [(math.exp(a), math.exp(b)) for a, b in logits]
    p = [a / sum(w for w, _ in weights) for a, _ in weights]
    q = [b / sum(w for _, w in weights) for _, b in weights]
    divergence = sum(a * math.log(a / b) for a, b in zip(p, q, strict=True))
    logprobs, ref_logprobs = torch.tensor([p]).log(), torch.tensor([q]).log()
    mask = torch.ones_like(logprobs, dtype=torch.bool)
    for estimate in (k1, k3):
        assert (torch.tensor(p) * estimate(logprobs, ref_logprobs, mask)).sum().item() == pytest.approx(
            divergence, abs=1e-5
        )


@given(st.floats(-200, 0), st.floats(-200, 0))
def test_k3_is_never_negative_and_never_overflows(logprob: float, ref_logprob: float) -> None:
    mask = torch.ones((1, 1), dtype=torch.bool)
    found = k3(torch.tensor([[logprob]]), torch.tensor([[ref_logprob]]), mask).item()
    assert 0 <= found < INF


def test_k3_is_zero_only_where_both_agree() -> None:
    logprobs, mask = torch.full((1, 3), -1.0), torch.ones((1, 3), dtype=torch.bool)
    found = k3(logprobs, logprobs + torch.tensor([[0.0, 0.01, -0.01]]), mask)[0]
    assert found[0].item() == 0
    assert found[1].item() > 0
    assert found[2].item() > 0


@pytest.mark.parametrize("estimate", [k1, k3])
@pytest.mark.parametrize("garbage", [NAN, INF, -INF])
def test_gradients_do_not_see_what_is_masked(estimate: object, garbage: float) -> None:
    assert callable(estimate)
    mask, grads = torch.tensor([[True, False, True]]), []
    for filler in (0.0, garbage):
        logprobs = torch.tensor([[-1.0, filler, -2.0]], requires_grad=True)
        estimate(logprobs, torch.tensor([[-1.5, filler, -1.0]]), mask).sum().backward()
        assert logprobs.grad is not None
        grads.append(logprobs.grad)
    assert torch.equal(grads[0], grads[1])
    assert grads[0][0, 1] == 0


@pytest.mark.parametrize(
    ("kl", "num_episodes", "clip", "expected"),
    [
        (6.0, 32, 0.2, 0.1),  # on target
        (12.0, 32, 0.2, 0.102),  # error 1, clipped to 0.2; 32 of 320 episodes: 0.1 * (1 + 0.02)
        (0.0, 32, 0.2, 0.098),  # error -1, clipped to -0.2
        (6.6, 32, 0.2, 0.101),  # error 0.1
        (5.4, 32, 0.2, 0.099),
        (12.0, 32, 0.5, 0.105),
        (12.0, 320, 0.2, 0.12),  # a whole horizon at once
        (-3.0, 32, 0.2, 0.098),  # an estimate below zero
    ],
)
def test_the_adapted_coefficient_worked_by_hand(kl: float, num_episodes: int, clip: float, expected: float) -> None:
    found = adapted_kl_coef(0.1, kl, target=6.0, num_episodes=num_episodes, horizon=320, clip=clip)
    assert found == pytest.approx(expected, rel=1e-9)
