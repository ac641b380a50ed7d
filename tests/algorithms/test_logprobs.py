"""Log-probabilities and entropy of tempered logits."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from plaudit.algorithms.logprobs import frozen_head_logprobs, shaped_logits, token_logprobs

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


SHAPES = [(1.0, None), (0.125, None), (1.0, 2.0), (3.0, 2.0)]
every_shape = pytest.mark.parametrize(("scale", "softcap"), SHAPES)


@every_shape
def test_shaped_logits_worked_in_plain_floats(scale: float, softcap: float | None) -> None:
    outputs = [-30.0, -0.5, 0.0, 1.5, 30.0]
    expected = [scale * h if softcap is None else softcap * math.tanh(scale * h / softcap) for h in outputs]
    found = shaped_logits(torch.tensor([outputs]), scale, softcap)
    assert found[0].tolist() == pytest.approx(expected, rel=1e-6)


def test_plain_logits_are_the_heads_outputs_untouched() -> None:
    outputs = torch.randn(2, 3, generator=torch.Generator().manual_seed(0)).bfloat16()
    assert shaped_logits(outputs) is outputs
    assert shaped_logits(outputs, 0.125, 30.0).dtype is torch.bfloat16  # as the model itself rounds them


@every_shape
@pytest.mark.parametrize("has_bias", [False, True])
def test_a_frozen_heads_gradient_is_exact_whatever_is_made_of_its_outputs(
    scale: float, softcap: float | None, has_bias: bool
) -> None:
    """In float64: numbers and gradients against those of logits that autograd keeps, weighed token by token."""
    generator = torch.Generator().manual_seed(1)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    states, weight, bias = normal(5, 4), normal(7, 4), normal(7) if has_bias else None
    tokens, weights = torch.tensor([0, 6, 3, 3, 1]), torch.tensor([1.0, -2.0, 0.0, 3.0, 0.5])
    plain, fused = states.clone().requires_grad_(True), states.clone().requires_grad_(True)
    logits = scale * (plain @ weight.T + (0.0 if bias is None else bias))
    logits = logits if softcap is None else softcap * torch.tanh(logits / softcap)
    p = torch.softmax(logits / 0.7, -1)
    expected = p.gather(-1, tokens[:, None]).squeeze(-1).log()
    found, entropies = frozen_head_logprobs(fused, weight, bias, tokens, 0.7, scale=scale, softcap=softcap)
    assert torch.allclose(found, expected, rtol=0, atol=1e-12)
    assert torch.allclose(entropies, -(p * p.log()).sum(-1), rtol=0, atol=1e-12)
    (expected * weights).sum().backward()
    (found * weights).sum().backward()
    assert plain.grad is not None
    assert fused.grad is not None
    assert torch.allclose(fused.grad, plain.grad, rtol=0, atol=1e-12)


@every_shape
def test_a_frozen_head_and_one_that_learns_give_the_same_bits(scale: float, softcap: float | None) -> None:
    """So that a policy and its frozen copy are equal before the first update."""
    generator = torch.Generator().manual_seed(1)
    states, weight = torch.randn(5, 4, generator=generator), torch.randn(7, 4, generator=generator)
    tokens = torch.tensor([0, 6, 3, 3, 1])
    outputs = torch.nn.functional.linear(states, weight)
    expected, _ = token_logprobs(shaped_logits(outputs, scale, softcap), tokens, 0.7)
    found, _ = frozen_head_logprobs(states, weight, None, tokens, 0.7, scale=scale, softcap=softcap)
    assert torch.equal(found, expected)


def test_a_frozen_head_keeps_nothing_for_a_backward_pass_that_will_not_come() -> None:
    with torch.no_grad():
        logprobs, _ = frozen_head_logprobs(torch.ones(2, 3), torch.ones(4, 3), None, torch.tensor([0, 1]))
    assert not logprobs.requires_grad
    assert logprobs.tolist() == pytest.approx([-math.log(4)] * 2, abs=1e-6)
