"""PPO's two losses: values, gradients, health numbers, and what they must not see."""

import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from plaudit.algorithms.policy import clipped_policy_loss, clipped_value_loss, explained_variance

NAN, INF = float("nan"), float("inf")
cases = st.tuples(st.integers(0, 2**32 - 1), st.integers(1, 4), st.integers(1, 6))


def drawn(seed: int, rows: int, columns: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Three tensors near each other, so that some elements are clipped, and a mask that counts at least one."""
    generator = torch.Generator().manual_seed(seed)
    a, b, c = 0.4 * torch.randn((3, rows, columns), generator=generator)
    mask = torch.rand((rows, columns), generator=generator) < 0.6
    mask[0, 0] = True
    return a, b, c, mask


@pytest.mark.parametrize(
    ("ratio", "advantage", "loss", "gradient", "clipped"),
    [
        (1.0, 2.0, -2.0, -2.0, 0.0),  # the first minibatch: minus the advantage
        (1.0, -2.0, 2.0, 2.0, 0.0),
        (1.1, 1.0, -1.1, -1.1, 0.0),  # inside the clip
        (1.5, 1.0, -1.2, 0.0, 1.0),  # better and already likelier: nothing more to gain
        (0.5, 1.0, -0.5, -0.5, 0.0),  # better and made less likely: full pull back
        (1.5, -1.0, 1.5, 1.5, 0.0),  # worse and made likelier: full push down
        (0.5, -1.0, 0.8, 0.0, 1.0),  # worse and already less likely: nothing more to gain
    ],
)
def test_the_policy_loss_of_one_token(
    ratio: float, advantage: float, loss: float, gradient: float, clipped: float
) -> None:
    logprobs = torch.tensor([[math.log(ratio) - 1.0]], requires_grad=True)
    mask = torch.ones((1, 1), dtype=torch.bool)
    found = clipped_policy_loss(
        logprobs, torch.tensor([[-1.0]]), torch.tensor([[advantage]]), mask, clip=0.2, denominator=1
    )
    found.loss.backward()
    assert logprobs.grad is not None
    assert found.loss.item() == pytest.approx(loss, abs=1e-6)
    assert logprobs.grad.item() == pytest.approx(gradient, abs=1e-6)
    assert found.clip_frac.item() == clipped
    assert found.approx_kl.item() == pytest.approx(ratio - 1 - math.log(ratio), abs=1e-6)
    assert found.ratio_mean.item() == pytest.approx(ratio, abs=1e-6)
    assert found.ratio_square.item() == pytest.approx(ratio**2, abs=1e-6)


def test_the_denominator_is_the_callers() -> None:
    """Two counted tokens of eight in the minibatch: losses 1.5 and -1.2 over 8, not over 2."""
    logprobs = torch.tensor([[1.5, 1.5, 9.0]]).log()
    mask = torch.tensor([[True, True, False]])
    found = clipped_policy_loss(
        logprobs, torch.zeros((1, 3)), torch.tensor([[-1.0, 1.0, 9.0]]), mask, clip=0.2, denominator=8
    )
    assert found.loss.item() == pytest.approx(0.3 / 8)
    assert found.clip_frac.item() == pytest.approx(1 / 8)
    assert found.ratio_mean.item() == pytest.approx(3 / 8)
    assert found.ratio_square.item() == pytest.approx(4.5 / 8)
    assert found.approx_kl.item() == pytest.approx(2 * (0.5 - math.log(1.5)) / 8)
    values = clipped_value_loss(
        torch.tensor([[1.0, 2.0, 9.0]]), torch.zeros((1, 3)), torch.zeros((1, 3)), mask, clip=9.0, denominator=8
    )
    assert values.loss.item() == pytest.approx(0.5 * (1 + 4) / 8)


@pytest.mark.parametrize(
    ("value", "old", "target", "loss", "gradient", "clipped"),
    [
        (0.1, 0.0, 1.0, 0.405, -0.9, 0.0),  # inside the clip: half the squared error
        (0.5, 0.0, 1.0, 0.32, 0.0, 1.0),  # moved too far towards the return: held at 0.2
        (0.5, 0.0, 0.0, 0.125, 0.5, 0.0),  # moved away from it: full pull back
        (-0.5, 0.0, -1.0, 0.32, 0.0, 1.0),
        (2.0, 2.0, 1.0, 0.5, 1.0, 0.0),  # the first minibatch
    ],
)
def test_the_value_loss_of_one_token(
    value: float, old: float, target: float, loss: float, gradient: float, clipped: float
) -> None:
    values = torch.tensor([[value]], requires_grad=True)
    mask = torch.ones((1, 1), dtype=torch.bool)
    found = clipped_value_loss(values, torch.tensor([[old]]), torch.tensor([[target]]), mask, clip=0.2, denominator=1.0)
    found.loss.backward()
    assert values.grad is not None
    assert found.loss.item() == pytest.approx(loss, abs=1e-6)
    assert values.grad.item() == pytest.approx(gradient, abs=1e-6)
    assert found.clip_frac.item() == clipped


@given(cases)
def test_the_losses_against_plain_python(shape: tuple[int, int, int]) -> None:
    """Token by token: the pessimistic one of the plain and the clipped objective."""
    x, old, target, mask = drawn(*shape)
    count = int(mask.sum())
    policy = value = 0.0
    for new, before, goal in zip(x[mask].tolist(), old[mask].tolist(), target[mask].tolist(), strict=True):
        ratio = math.exp(new - before)
        policy -= min(goal * ratio, goal * min(max(ratio, 0.8), 1.2)) / count
        held = min(max(new, before - 0.2), before + 0.2)
        value += max((new - goal) ** 2, (held - goal) ** 2) / (2 * count)
    assert clipped_policy_loss(x, old, target, mask, clip=0.2, denominator=count).loss.item() == pytest.approx(
        policy, abs=1e-5
    )
    assert clipped_value_loss(x, old, target, mask, clip=0.2, denominator=count).loss.item() == pytest.approx(
        value, abs=1e-5
    )


def policy_numbers(x: Tensor, old: Tensor, other: Tensor, mask: Tensor, count: int) -> tuple[Tensor, list[Tensor]]:
    found = clipped_policy_loss(x, old, other, mask, clip=0.2, denominator=count)
    return found.loss, [found.approx_kl, found.clip_frac, found.ratio_mean, found.ratio_square]


def value_numbers(x: Tensor, old: Tensor, other: Tensor, mask: Tensor, count: int) -> tuple[Tensor, list[Tensor]]:
    found = clipped_value_loss(x, old, other, mask, clip=0.2, denominator=count)
    return found.loss, [found.clip_frac]


Numbers = Callable[[Tensor, Tensor, Tensor, Tensor, int], tuple[Tensor, list[Tensor]]]
either = pytest.mark.parametrize("numbers", [policy_numbers, value_numbers])


@either
@given(shape=cases, garbage=st.sampled_from([NAN, INF, -INF, 1e30]))
def test_nothing_sees_what_is_masked(numbers: Numbers, shape: tuple[int, int, int], garbage: float) -> None:
    """Loss, metrics and gradient are equal to the last bit, whatever lies under the mask."""
    *tensors, mask = drawn(*shape)
    seen = []
    for filler in (0.0, garbage):
        x, old, other = (tensor.masked_fill(~mask, filler) for tensor in tensors)
        x.requires_grad_(True)
        loss, metrics = numbers(x, old, other, mask, int(mask.sum()))
        loss.backward()
        assert x.grad is not None
        seen.append(torch.cat([torch.stack([loss.detach(), *metrics]), x.grad.flatten()]))
    assert torch.equal(seen[0], seen[1])
    assert torch.isfinite(seen[1]).all()


@either
@given(shape=cases, size=st.integers(1, 3), seed=st.integers(0, 100))
def test_shards_and_their_order_change_nothing(
    numbers: Numbers, shape: tuple[int, int, int], size: int, seed: int
) -> None:
    """Losses, metrics and gradients of micro-batches, over the global count, add up to those of the whole."""
    *tensors, mask = drawn(*shape)
    count = int(mask.sum())
    x = tensors[0].requires_grad_(True)
    whole, metrics = numbers(x, *tensors[1:], mask, count)
    (gradient,) = torch.autograd.grad(whole, x)
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(seed))
    totals = torch.zeros(1 + len(metrics))
    for part in order.split(size):
        loss, shard_metrics = numbers(x[part], *(tensor[part] for tensor in tensors[1:]), mask[part], count)
        loss.backward()
        totals += torch.stack([loss.detach(), *shard_metrics])
    assert x.grad is not None
    assert torch.allclose(totals, torch.stack([whole.detach(), *metrics]), atol=1e-6)
    assert torch.allclose(x.grad, gradient, atol=1e-6)


def test_metrics_carry_no_gradient() -> None:
    x, old, other, mask = drawn(0, 2, 3)
    x.requires_grad_(True)
    for numbers in (policy_numbers, value_numbers):
        _, metrics = numbers(x, old, other, mask, 1)
        assert not any(metric.requires_grad for metric in metrics)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1.0, 2.0, 6.0], 1.0),  # perfect
        ([3.0, 3.0, 3.0], 0.0),  # a constant
        ([8.0, 9.0, 13.0], 1.0),  # a constant offset explains all the variance there is
        ([6.0, 5.0, 1.0], 1 - 56 / 14),  # errors -5, -3, 5 have squares 3 x (56 / 3) about -1; returns 14 about 3
    ],
)
def test_explained_variance_worked_by_hand(values: list[float], expected: float) -> None:
    returns, mask = torch.tensor([[1.0, 2.0, 6.0, NAN]]), torch.tensor([[True, True, True, False]])
    found = explained_variance(torch.tensor([[*values, INF]]), returns, mask)
    assert found.item() == pytest.approx(expected, abs=1e-6)


def test_explained_variance_of_equal_returns_is_not_a_number() -> None:
    ones = torch.ones((1, 3))
    assert explained_variance(ones, ones, ones.bool()).isnan()
