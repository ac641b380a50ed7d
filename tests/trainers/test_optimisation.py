"""Optimisers and learning-rate schedules."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from plaudit.schemas.errors import PlauditError
from plaudit.trainers.muon import Muon, leading, orthogonalised
from plaudit.trainers.optimisation import Optimiser, OptimiserConfig, OptimiserKind, Schedule, scheduled

KINDS = list(OptimiserKind)
FLAT = {"schedule": Schedule.CONSTANT, "warmup_frac": 0.0}


@pytest.mark.parametrize(
    ("schedule", "warmup_frac", "expected"),
    [
        # Four steps without warm-up: a line from 1 falls by a quarter; half a cosine from 1.
        (Schedule.CONSTANT, 0.0, [1.0, 1.0, 1.0, 1.0]),
        (Schedule.LINEAR, 0.0, [1.0, 0.75, 0.5, 0.25]),
        (Schedule.COSINE, 0.0, [1.0, 0.5 + 0.25 * math.sqrt(2), 0.5, 0.5 - 0.25 * math.sqrt(2)]),
        # Half of four steps to warm up: a third, two thirds; then two steps of the schedule.
        (Schedule.CONSTANT, 0.5, [1 / 3, 2 / 3, 1.0, 1.0]),
        (Schedule.LINEAR, 0.5, [1 / 3, 2 / 3, 1.0, 0.5]),
        (Schedule.COSINE, 0.5, [1 / 3, 2 / 3, 1.0, 0.5]),
        # A tenth of four steps is one.
        (Schedule.LINEAR, 0.1, [0.5, 1.0, 2 / 3, 1 / 3]),
    ],
)
def test_schedules_worked_by_hand(schedule: Schedule, warmup_frac: float, expected: list[float]) -> None:
    config = OptimiserConfig(schedule=schedule, warmup_frac=warmup_frac)
    assert [scheduled(config, step, 4) for step in range(4)] == pytest.approx(expected)


@given(st.sampled_from(list(Schedule)), st.floats(0, 0.99), st.integers(1, 60))
def test_a_schedule_rises_then_never_rises_again(schedule: Schedule, warmup_frac: float, num: int) -> None:
    config = OptimiserConfig(schedule=schedule, warmup_frac=warmup_frac)
    factors = [scheduled(config, step, num) for step in range(num)]
    peak = min(math.ceil(warmup_frac * num), num - 1)
    assert all(0 < factor <= 1 for factor in factors)
    assert factors[: peak + 1] == sorted(factors[: peak + 1])
    assert factors[peak:] == sorted(factors[peak:], reverse=True)


def parameters(*values: list[float] | list[list[float]]) -> list[tuple[str, nn.Parameter]]:
    return [(f"layers.{i}.weight", nn.Parameter(torch.tensor(value))) for i, value in enumerate(values)]


def descend(named: list[tuple[str, nn.Parameter]], optimiser: Optimiser, gradients: list[list[float]]) -> list[float]:
    """One step with these gradients; the first parameter afterwards."""
    for (_, parameter), gradient in zip(named, gradients, strict=True):
        parameter.grad = torch.tensor(gradient)
    optimiser.step()
    return [float(x) for x in named[0][1].detach().flatten()]


def test_sgd_has_momentum() -> None:
    """Rate 0.1: 1 - 0.1 * 2 = 0.8; then the velocity is 0.9 * 2 + 2 = 3.8."""
    named = parameters([1.0])
    optimiser = Optimiser(named, OptimiserConfig(kind=OptimiserKind.SGD, learning_rate=0.1, max_grad_norm=9, **FLAT), 2)
    assert descend(named, optimiser, [[2.0]]) == pytest.approx([0.8])
    assert descend(named, optimiser, [[2.0]]) == pytest.approx([0.42])


def test_adam_moves_by_the_rate_at_first() -> None:
    """Moments corrected for their start: 3 / (3 + eps) of the rate, whatever the gradient's size."""
    for eps, expected in ((1e-8, 0.9), (3.0, 0.95)):
        named = parameters([1.0])
        optimiser = Optimiser(named, OptimiserConfig(learning_rate=0.1, eps=eps, max_grad_norm=9, **FLAT), 2)
        assert descend(named, optimiser, [[3.0]]) == pytest.approx([expected], abs=1e-6)


def test_rmsprop_divides_by_the_root_mean_square() -> None:
    """The mean square after one step is 0.01 * 4, its root 0.2: 1 - 0.01 * 2 / 0.2."""
    named = parameters([1.0])
    config = OptimiserConfig(kind=OptimiserKind.RMSPROP, learning_rate=0.01, max_grad_norm=9, **FLAT)
    assert descend(named, Optimiser(named, config, 1), [[2.0]]) == pytest.approx([0.9], abs=1e-6)


def test_muon_moves_a_layers_matrix_along_all_its_directions_alike() -> None:
    """Singular values 3 and 0.3 of the gradient become about 1, times 0.2 * sqrt(2) * rate; what is no matrix of a layer
    moves as under AdamW, by the rate."""
    layer, vector = parameters([[0.0, 0.0], [0.0, 0.0]], [0.0])
    named = [layer, vector, ("embed.weight", nn.Parameter(torch.zeros(1, 1)))]
    config = OptimiserConfig(kind=OptimiserKind.MUON, learning_rate=0.1, max_grad_norm=9, **FLAT)
    descend(named, Optimiser(named, config, 1), [[[0.0, 3.0], [0.3, 0.0]], [5.0], [[7.0]]])
    moved = -layer[1].detach() / (0.1 * 0.2 * math.sqrt(2))
    assert moved[0, 0].item() == pytest.approx(0, abs=0.02)
    assert 0.6 < moved[0, 1].item() < 1.4
    assert 0.6 < moved[1, 0].item() < 1.4
    assert [named[i][1].item() for i in (1, 2)] == pytest.approx([-0.1, -0.1], abs=1e-6)


@pytest.mark.parametrize("shape", [(6, 6), (4, 9), (9, 4)], ids=["square", "wide", "tall"])
def test_muon_is_torchs_but_for_the_rounding_to_bfloat16(shape: tuple[int, int]) -> None:
    draw = torch.Generator().manual_seed(0)
    start, gradients = torch.randn(shape, generator=draw), torch.randn(3, *shape, generator=draw)
    ours, theirs = nn.Parameter(start.clone()), nn.Parameter(start.clone())
    own = Muon([ours], lr=0.1, weight_decay=0.2)
    reference = torch.optim.Muon([theirs], lr=0.1, weight_decay=0.2, momentum=0.9, adjust_lr_fn="match_rms_adamw")
    for gradient in gradients:
        ours.grad, theirs.grad = gradient.clone(), gradient.clone()
        own.step()
        reference.step()
    moved = (theirs - start).norm().item()
    assert (ours - theirs).norm().item() < 0.01 * moved
    assert not torch.equal(ours, theirs)


def test_what_muon_moves_along_has_singular_values_near_one() -> None:
    found = torch.linalg.svdvals(orthogonalised(torch.randn(40, 60, generator=torch.Generator().manual_seed(1))))
    assert found.min() > 0.6
    assert found.max() < 1.25


@pytest.mark.parametrize("shape", [(40, 60), (60, 40)], ids=["wide", "tall"])
def test_a_rank_keeps_the_largest_directions_alone_and_makes_them_alike(shape: tuple[int, int]) -> None:
    """Three directions stand out of noise: what is kept is U V^T over them."""
    draw = torch.Generator().manual_seed(2)
    u, _ = torch.linalg.qr(torch.randn(shape[0], 3, generator=draw))
    v, _ = torch.linalg.qr(torch.randn(shape[1], 3, generator=draw))
    matrix = u @ torch.diag(torch.tensor([9.0, 5.0, 3.0])) @ v.T + 0.001 * torch.randn(shape, generator=draw)
    assert torch.allclose(leading(matrix, 3), u @ v.T, atol=1e-2)
    assert torch.linalg.matrix_rank(leading(matrix, 2), atol=1e-3) == 2
    assert torch.equal(leading(matrix, 3), leading(matrix, 3))


def test_a_rank_above_the_matrix_is_all_of_it() -> None:
    matrix = torch.randn(4, 6, generator=torch.Generator().manual_seed(3))
    assert torch.linalg.svdvals(leading(matrix, 9)).tolist() == pytest.approx([1.0] * 4, abs=1e-4)


@pytest.mark.parametrize("rank", [0, 2], ids=["all directions", "two"])
def test_muon_moves_bfloat16_weights_as_it_would_in_float32(rank: int) -> None:
    gradient = torch.randn(6, 9, generator=torch.Generator().manual_seed(5)).bfloat16()
    moved = []
    for dtype in (torch.bfloat16, torch.float32):
        parameter = nn.Parameter(torch.zeros(6, 9, dtype=dtype))
        parameter.grad = gradient.to(dtype)
        Muon([parameter], lr=0.1, weight_decay=0.0, rank=rank).step()
        moved.append(parameter.detach().float())
    assert torch.allclose(moved[0], moved[1], rtol=0.02, atol=1e-3)


def test_the_rank_of_the_config_is_that_of_the_update() -> None:
    named = [("layers.0.weight", nn.Parameter(torch.zeros(8, 8))), ("norm.weight", nn.Parameter(torch.zeros(8)))]
    optimiser = Optimiser(named, OptimiserConfig(kind=OptimiserKind.MUON, learning_rate=0.1, rank=2, **FLAT), 1)
    draw = torch.Generator().manual_seed(4)
    for _, parameter in named:
        parameter.grad = torch.randn(parameter.shape, generator=draw)
    optimiser.step()
    assert torch.linalg.matrix_rank(named[0][1].detach(), atol=1e-5) == 2
    assert named[1][1].detach().count_nonzero() == 8


@pytest.mark.parametrize("wrong", [{"rank": 4}, {"rank": -1, "kind": OptimiserKind.MUON}])
def test_a_rank_is_muons_alone(wrong: dict[str, object]) -> None:
    with pytest.raises(PlauditError, match="is Muon's alone, and may not be negative"):
        OptimiserConfig(**wrong)


@pytest.mark.parametrize("eps", [0.0, -1.0, math.nan, math.inf])
def test_a_term_against_division_by_zero_that_is_none_is_refused(eps: float) -> None:
    with pytest.raises(PlauditError, match="eps must be a positive number"):
        OptimiserConfig(eps=eps)


@pytest.mark.parametrize("weight_decay", [-5.0, math.nan, math.inf])
def test_a_decay_that_is_none_is_refused(weight_decay: float) -> None:
    """Where it is no number, every matrix is none after one step, and is saved so."""
    with pytest.raises(PlauditError, match="weight_decay must be 0 or a positive number"):
        OptimiserConfig(weight_decay=weight_decay)
    OptimiserConfig(weight_decay=0.0)


def test_matrices_decay_and_vectors_do_not() -> None:
    named = parameters([[1.0]], [1.0])
    optimiser = Optimiser(named, OptimiserConfig(learning_rate=0.1, weight_decay=0.5, **FLAT), 1)
    descend(named, optimiser, [[[0.0]], [0.0]])
    assert named[0][1].item() == pytest.approx(0.95)
    assert named[1][1].item() == 1.0


def test_long_gradients_are_cut_to_the_norm_and_reported_as_they_were() -> None:
    """(3, 4) is 5 long: cut to 1 it is (0.6, 0.8)."""
    named = parameters([0.0], [0.0])
    config = OptimiserConfig(kind=OptimiserKind.SGD, learning_rate=1.0, max_grad_norm=1.0, **FLAT)
    optimiser = Optimiser(named, config, 1)
    named[0][1].grad, named[1][1].grad = torch.tensor([3.0]), torch.tensor([4.0])
    assert optimiser.step() == pytest.approx(5.0)
    assert (named[0][1].item(), named[1][1].item()) == pytest.approx((-0.6, -0.8), abs=1e-4)
    assert named[0][1].grad is None  # cleared: the next minibatch starts from nothing


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_gradient_that_is_no_number_moves_nothing(bad: float) -> None:
    named = parameters([1.0, 2.0])
    optimiser = Optimiser(named, OptimiserConfig(), 5)
    named[0][1].grad = torch.tensor([0.0, bad])
    with pytest.raises(PlauditError, match=r"gradient is (nan|inf) at update 1: the last good checkpoint is intact"):
        optimiser.step()
    assert named[0][1].tolist() == [1.0, 2.0]
    assert optimiser.num_done == 0


def test_the_rate_is_the_next_updates() -> None:
    named = parameters([1.0])
    optimiser = Optimiser(
        named, OptimiserConfig(learning_rate=0.4, schedule=Schedule.LINEAR, warmup_frac=0, kind=OptimiserKind.SGD), 4
    )
    rates = []
    for _ in range(4):
        rates.append(optimiser.learning_rate)
        descend(named, optimiser, [[1e-9]])
    assert rates == pytest.approx([0.4, 0.3, 0.2, 0.1])


def test_nothing_to_train_is_refused() -> None:
    with pytest.raises(PlauditError, match="nothing to train"):
        Optimiser([], OptimiserConfig(), 1)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("num_before", [0, 1, 3])
def test_a_resumed_optimiser_goes_on_bit_for_bit(kind: OptimiserKind, num_before: int) -> None:
    config = OptimiserConfig(kind=kind, learning_rate=0.1, weight_decay=0.1)
    generator = torch.Generator().manual_seed(0)
    gradients = torch.randn((6, 2, 3), generator=generator)

    def steps(optimiser: Optimiser, named: list[tuple[str, nn.Parameter]], part: Tensor) -> None:
        for first, second in part:
            named[0][1].grad, named[1][1].grad = first[None].clone(), second.clone()
            optimiser.step()

    whole = parameters([[1.0, 2.0, 3.0]], [4.0, 5.0, 6.0])
    optimiser = Optimiser(whole, config, 6)
    steps(optimiser, whole, gradients[:num_before])
    saved = {name: tensor.clone() for name, tensor in optimiser.state_tensors().items()}
    resumed = [(name, nn.Parameter(parameter.detach().clone())) for name, parameter in whole]
    steps(optimiser, whole, gradients[num_before:])

    again = Optimiser(resumed, config, 6)
    again.load_state_tensors(saved)
    assert again.num_done == num_before
    steps(again, resumed, gradients[num_before:])
    for (_, a), (_, b) in zip(whole, resumed, strict=True):
        assert torch.equal(a, b)
    assert again.state_tensors().keys() == optimiser.state_tensors().keys()
