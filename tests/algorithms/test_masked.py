"""Reductions see only what counts, whatever lies elsewhere."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from plaudit.algorithms.masked import masked_mean, masked_sum, masked_var, whitened, zeroed

NAN, INF = float("nan"), float("inf")
X = torch.tensor([[1.0, 2.0, NAN], [4.0, INF, 6.0]])
MASK = torch.tensor([[True, True, False], [True, False, True]])

shapes = st.tuples(st.integers(0, 2**32 - 1), st.integers(1, 5), st.integers(2, 7))


def drawn(seed: int, rows: int, columns: int) -> tuple[Tensor, Tensor]:
    """Numbers of unequal size and a mask that counts at least two of them."""
    generator = torch.Generator().manual_seed(seed)
    x = 3.0 * torch.randn((rows, columns), generator=generator) + 5.0
    mask = torch.rand((rows, columns), generator=generator) < 0.6
    mask[0, :2] = True
    return x, mask


def test_zeroed_keeps_what_counts_and_nothing_else() -> None:
    assert zeroed(X, MASK).tolist() == [[1.0, 2.0, 0.0], [4.0, 0.0, 6.0]]


def test_zeroed_lets_no_gradient_through_the_mask() -> None:
    x = X.clone().requires_grad_(True)
    (zeroed(x, MASK) ** 2).sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [[2.0, 4.0, 0.0], [8.0, 0.0, 12.0]]


def test_sum_and_mean_worked_by_hand() -> None:
    assert masked_sum(X, MASK).item() == 13.0
    assert masked_mean(X, MASK).item() == 3.25
    assert masked_mean(X, MASK, 26.0).item() == 0.5


@pytest.mark.parametrize("denominator", [0.0, -1.0])
def test_a_mean_needs_something_to_divide_by(denominator: float) -> None:
    with pytest.raises(ValueError, match="at least one counted element"):
        masked_mean(X, MASK, denominator)
    with pytest.raises(ValueError, match="at least one counted element"):
        masked_mean(X, torch.zeros_like(MASK))


@given(shapes, st.integers(1, 4))
def test_shards_over_the_global_count_add_up_to_the_whole(shape: tuple[int, int, int], size: int) -> None:
    x, mask = drawn(*shape)
    count = int(mask.sum())
    parts = [masked_mean(x[i : i + size], mask[i : i + size], count) for i in range(0, len(x), size)]
    assert sum(part.item() for part in parts) == pytest.approx(x[mask].double().mean().item(), rel=1e-5)


def test_variance_is_the_biased_one() -> None:
    """Of 1 and 3 about their mean 2: (1 + 1) / 2. The unbiased estimate would be 2."""
    assert masked_var(torch.tensor([1.0, NAN, 3.0]), torch.tensor([True, False, True])).item() == 1.0


def test_whitening_worked_by_hand() -> None:
    """0 and 4: mean 2, deviation 2."""
    x, mask = torch.tensor([0.0, INF, 4.0]), torch.tensor([True, False, True])
    assert whitened(x, mask, shift_mean=True).tolist() == [-1.0, 0.0, 1.0]
    assert whitened(x, mask, shift_mean=False).tolist() == [1.0, 0.0, 3.0]


@given(shapes)
def test_whitening_gives_mean_0_and_variance_1(shape: tuple[int, int, int]) -> None:
    x, mask = drawn(*shape)
    counted = whitened(x, mask, shift_mean=True)[mask].double()
    assert counted.mean().item() == pytest.approx(0.0, abs=1e-4)
    assert ((counted - counted.mean()) ** 2).mean().item() == pytest.approx(1.0, abs=1e-4)


@given(shapes)
def test_whitening_without_shift_keeps_the_mean(shape: tuple[int, int, int]) -> None:
    x, mask = drawn(*shape)
    counted = whitened(x, mask, shift_mean=False)[mask].double()
    assert counted.mean().item() == pytest.approx(x[mask].double().mean().item(), abs=1e-4)
    assert ((counted - counted.mean()) ** 2).mean().item() == pytest.approx(1.0, abs=1e-4)


@given(shapes, st.booleans(), st.sampled_from([NAN, INF, -INF, 1e30]))
def test_whitening_does_not_see_what_is_masked(shape: tuple[int, int, int], shift: bool, garbage: float) -> None:
    x, mask = drawn(*shape)
    clean, dirty = x.masked_fill(~mask, 0.0), x.masked_fill(~mask, garbage)
    assert torch.equal(whitened(clean, mask, shift_mean=shift), whitened(dirty, mask, shift_mean=shift))
    assert not whitened(dirty, mask, shift_mean=shift)[~mask].any()
