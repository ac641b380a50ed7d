"""Log-probabilities and entropy of tempered logits."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from plaudit.algorithms.logprobs import frozen_head_logprobs, token_logprobs

# p = 1/8, 2/8, 5/8 at temperature 1; p proportional to 1, 4, 25 at temperature 1/2.
LOGITS = torch.tensor([[0.0, math.log(2), math.log(5)]])


def entropy(weights: list[int]) -> float:
    total = sum(weights)
    return -sum(w / total * math.log(w / total) for w in weights)


@pytest.mark.parametrize(("temperature", "weights"), [(1.0, [1, 2, 5]), (0.5, [1, 4, 25])])
@pytest.mark.parametrize("token", [0, 1, 2])
def test_a_table_worked_by_hand(temperature: float, weights: list[int], token: int) -> None:
    logprobs, entropies = token_logprobs(LOGITS, torch.tensor([token]), temperature)
    assert logprobs.item() == pytest.approx(math.log(weights[token] / sum(weights)), abs=1e-6)
    assert entropies.item() == pytest.approx(entropy(weights), abs=1e-6)


@given(st.lists(st.floats(-30, 30), min_size=2, max_size=6), st.floats(0.3, 3.0))
def test_against_sums_in_plain_floats(logits: list[float], temperature: float) -> None:
    weights = [math.exp(x / temperature) for x in logits]
    p = [w / sum(weights) for w in weights]
    for token in range(len(logits)):
        found, h = token_logprobs(torch.tensor([logits]), torch.tensor([token]), temperature)
        expected = logits[token] / temperature - math.log(sum(weights))
        assert found.item() == pytest.approx(expected, rel=1e-5, abs=1e-4)
        assert h.item() == pytest.approx(-sum(q * math.log(q) for q in p if q > 0), abs=1e-4)


@pytest.mark.parametrize("temperature", [1.0, 0.7])
def test_the_gradient_is_one_hot_minus_p_over_the_temperature(temperature: float) -> None:
    logits = LOGITS.clone().requires_grad_(True)
    logprobs, entropies = token_logprobs(logits, torch.tensor([1]), temperature)
    assert not entropies.requires_grad
    logprobs.sum().backward()
    p = [math.exp(x / temperature) for x in LOGITS[0].tolist()]
    expected = [((i == 1) - w / sum(p)) / temperature for i, w in enumerate(p)]
    assert logits.grad is not None
    assert logits.grad[0].tolist() == pytest.approx(expected, abs=1e-6)


def test_the_result_is_float32_whatever_the_logits() -> None:
    """In bfloat16 the softmax itself would lose three digits."""
    logits = torch.linspace(-4, 4, 1000)[None].bfloat16()
    logprobs, entropies = token_logprobs(logits, torch.tensor([7]))
    exact: Tensor = torch.log_softmax(logits.double(), -1)
    assert logprobs.dtype == entropies.dtype == torch.float32
    assert logprobs.item() == pytest.approx(exact[0, 7].item(), abs=1e-5)


def test_huge_logits_stay_finite() -> None:
    logprobs, entropies = token_logprobs(torch.tensor([[1e4, -1e4, 0.0]]), torch.tensor([1]))
    assert logprobs.item() == -2e4
    assert entropies.item() == 0.0


@pytest.mark.parametrize("temperature", [1.0, 0.6])
@pytest.mark.parametrize("has_bias", [False, True])
def test_a_frozen_heads_gradient_is_autograds(temperature: float, has_bias: bool) -> None:
    """Numbers and gradients are those of logits that autograd keeps, weighed token by token."""
    generator = torch.Generator().manual_seed(1)
    states, weight = torch.randn(5, 4, generator=generator), torch.randn(7, 4, generator=generator)
    bias = torch.randn(7, generator=generator) if has_bias else None
    tokens, weights = torch.tensor([0, 6, 3, 3, 1]), torch.tensor([1.0, -2.0, 0.0, 3.0, 0.5])
    plain, fused = states.clone().requires_grad_(True), states.clone().requires_grad_(True)
    expected, entropies = token_logprobs(torch.nn.functional.linear(plain, weight, bias), tokens, temperature)
    found, found_entropies = frozen_head_logprobs(fused, weight, bias, tokens, temperature)
    assert torch.allclose(found, expected, atol=1e-5)
    assert torch.allclose(found_entropies, entropies, atol=1e-5)
    assert not found_entropies.requires_grad
    (expected * weights).sum().backward()
    (found * weights).sum().backward()
    assert plain.grad is not None
    assert fused.grad is not None
    assert torch.allclose(fused.grad, plain.grad, atol=1e-5)


def test_a_frozen_head_keeps_nothing_for_a_backward_pass_that_will_not_come() -> None:
    with torch.no_grad():
        logprobs, _ = frozen_head_logprobs(torch.ones(2, 3), torch.ones(4, 3), None, torch.tensor([0, 1]))
    assert not logprobs.requires_grad
    assert logprobs.tolist() == pytest.approx([-math.log(4)] * 2, abs=1e-6)
