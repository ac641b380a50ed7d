"""Tokens drawn from probabilities by a random number of their own."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from plaudit.rollout.sampler import answer_uniforms, drawn


def test_uniforms_are_a_stable_function_of_the_key() -> None:
    """These numbers are the same on every machine and in every version: old rollouts can be made again."""
    key = (7, 3, "0123456789abcdef", 1)
    found = answer_uniforms([key, (7, 3, "0123456789abcdef", 2)], 4)
    assert found.dtype == torch.float64
    expected = [0.922095187870264, 0.6346188286359248, 0.6428550334686832, 0.26522112021582]
    assert found[0].tolist() == pytest.approx(expected, abs=1e-12)
    assert torch.equal(answer_uniforms([key], 2)[0], found[0, :2])
    assert not (found[0] == found[1]).any()


P = torch.tensor([[0.5, 0.3, 0.15, 0.05]]).log()


def counts(uniforms: Tensor, top_p: float = 1.0) -> list[int]:
    tokens = drawn(P.expand(len(uniforms), -1), uniforms, top_p=top_p)
    return torch.bincount(tokens, minlength=4).tolist()


EVEN = (torch.arange(2000, dtype=torch.float64) + 0.5) / 2000


@pytest.mark.parametrize(
    ("top_p", "expected"),
    [
        (1.0, [1000, 600, 300, 100]),
        (0.9, [1053, 632, 315, 0]),  # 0.5, 0.3, 0.15 of 0.95: 1052.6, 631.6, 315.8, up to one at each edge
        (0.7, [1250, 750, 0, 0]),  # 0.5 and 0.3 of 0.8
        (0.49, [2000, 0, 0, 0]),
        (1e-6, [2000, 0, 0, 0]),  # at least one token is always left
    ],
)
def test_even_uniforms_give_exactly_the_probabilities(top_p: float, expected: list[int]) -> None:
    assert counts(EVEN, top_p) == pytest.approx(expected, abs=1 if top_p == 0.9 else 0)


@given(st.lists(st.integers(-9, 9), min_size=2, max_size=8, unique=True), st.floats(0.05, 0.999))
def test_top_p_keeps_the_smallest_set_with_that_much_probability(logits: list[int], top_p: float) -> None:
    """Against a loop over the tokens, likeliest first, in plain floats."""
    weights = {token: math.exp(x) for token, x in enumerate(logits)}
    kept, mass = set(), 0.0
    for token in sorted(weights, key=lambda token: -weights[token]):
        if mass >= top_p:
            break
        kept.add(token)
        mass += weights[token] / sum(weights.values())
    logprobs = torch.log_softmax(torch.tensor([logits]).double(), -1)
    found = set(drawn(logprobs.expand(2000, -1), EVEN, top_p=top_p).tolist())
    assert found <= kept
    assert all(weights[token] / sum(weights.values()) < 1e-3 for token in kept - found)  # too rare for 2,000 draws


def test_draws_at_the_ends_are_tokens_that_can_be_drawn() -> None:
    never_first_or_last = torch.tensor([[0.0, 0.4, 0.6, 0.0]]).log()
    for uniform, expected in [(0.0, 1), (0.3999, 1), (0.4001, 2), (1 - 2**-53, 2)]:
        assert drawn(never_first_or_last, torch.tensor([uniform], dtype=torch.float64)).item() == expected


@pytest.mark.parametrize("num_tokens", [255, 256, 257, 1000])
def test_a_large_vocabulary_is_drawn_from_as_by_running_sums(num_tokens: int) -> None:
    """Against a loop that adds probability to probability until the number is passed."""
    generator = torch.Generator().manual_seed(num_tokens)
    logits = 3 * torch.randn((40, num_tokens), generator=generator)
    logits[:, ::3] = -math.inf
    uniforms = torch.rand(40, generator=generator, dtype=torch.float64)
    found = drawn(logits, uniforms).tolist()
    for row, uniform, token in zip(logits.double().exp().tolist(), uniforms.tolist(), found, strict=True):
        below = sum(row[:token]) / sum(row)
        assert row[token] > 0
        assert below - 1e-6 <= uniform <= below + row[token] / sum(row) + 1e-6


def test_greedy_takes_the_likeliest_whatever_the_number() -> None:
    logprobs = torch.tensor([[0.1, 0.7, 0.2], [0.5, 0.2, 0.3]]).log()
    for uniform in (0.0, 0.99):
        assert drawn(logprobs, torch.full((2,), uniform).double(), greedy=True).tolist() == [1, 0]
