"""Weights in another order: the same products, while it lasts, of the weights as they are then."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from plaudit.models.anatomy import SPLITTABLE
from plaudit.models.policy import PolicyModel, TrainLayers
from plaudit.rollout import packing
from plaudit.rollout.packing import packed_for
from plaudit.rollout.sampler import Sampling, sampled
from tests.rollout.test_sampler import CODEC, PROMPTS, random_model

ROWS = 16


def layer(*, bias: bool = True, dtype: torch.dtype = torch.float32) -> nn.Linear:
    torch.manual_seed(0)
    return nn.Linear(256, 384, bias=bias, dtype=dtype).requires_grad_(False)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(ROWS, 256), (ROWS, 1, 256), (3, 50, 256), (1, 256)])
def test_products_are_the_layers_own(shape: tuple[int, ...], bias: bool) -> None:
    model, x = nn.Sequential(layer(bias=bias)), torch.randn(shape)
    own = model(x)
    with torch.inference_mode(), packed_for(model, ROWS):
        assert "forward" in vars(model[0])
        assert torch.allclose(model(x), own, atol=1e-5)
    assert not vars(model[0]).keys() & {"forward"}
    assert torch.equal(model(x), own)


def test_in_bfloat16_as_under_autocast() -> None:
    """The input is rounded as the weight was; sums are not."""
    if not torch.ops.mkldnn._is_mkldnn_bf16_supported():
        pytest.skip("oneDNN has no bfloat16 here")
    model, x = nn.Sequential(layer(dtype=torch.bfloat16)), torch.randn(ROWS, 256)
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        own = model(x)
        with packed_for(model, ROWS):
            found = model(x)
    assert found.dtype == own.dtype == torch.bfloat16
    assert torch.allclose(found.float(), own.float(), atol=2e-2)


def test_each_time_the_weights_of_now() -> None:
    model, x = nn.Sequential(layer()), torch.randn(ROWS, 256)
    for _ in range(2):
        with torch.inference_mode(), packed_for(model, ROWS):
            found = model(x)
        assert torch.allclose(found, model(x), atol=1e-5)
        model[0].weight.add_(1.0)


def test_an_error_inside_leaves_the_layers_as_they_were() -> None:
    model = nn.Sequential(layer())
    with pytest.raises(ZeroDivisionError), packed_for(model, ROWS):
        raise ZeroDivisionError
    assert "forward" not in vars(model[0])


@pytest.mark.parametrize("why", ["few rows", "few weights", "another kind of layer", "no oneDNN", "another type"])
def test_where_it_would_not_pay_or_cannot_be_nothing_is_packed(why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model: nn.Module = layer(dtype=torch.float64) if why == "another type" else layer()
    if why == "few weights":
        model = nn.Linear(64, 64)
    if why == "another kind of layer":
        model = nn.Bilinear(256, 4, 384)
    if why == "no oneDNN":
        monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    with packed_for(nn.Sequential(model), packing.MIN_ROWS - 1 if why == "few rows" else ROWS):
        assert "forward" not in vars(model)


@pytest.fixture
def packings(monkeypatch: pytest.MonkeyPatch) -> list[nn.Linear]:
    """Every linear layer is packed, however small; these were."""
    found: list[nn.Linear] = []
    product = packing._product

    def counted(layer: nn.Linear, num_rows: int) -> object:
        found.append(layer)
        return product(layer, num_rows)

    monkeypatch.setattr(packing, "MIN_ROWS", 1)
    monkeypatch.setattr(packing, "MIN_WEIGHTS", 1)
    monkeypatch.setattr(packing, "_product", counted)
    return found


@pytest.mark.parametrize("train", [TrainLayers(num_upper=1), TrainLayers(kind="lora")], ids=["upper", "lora"])
@pytest.mark.parametrize("architecture", sorted(SPLITTABLE))
def test_sampler_and_learner_agree(architecture: str, train: TrainLayers, packings: list[nn.Linear]) -> None:
    """Also after the learner has moved; what the sampler keeps is what the learner would compute."""
    policy = PolicyModel(random_model(architecture), train)
    trunk = policy.branch.trunk
    for _ in range(2):
        packings.clear()
        sampling = Sampling(max_new_tokens=12, batch_size=5)
        kept = sampled(policy.sampler(), CODEC, PROMPTS, sampling, num_answers=3, seed=0, keep_states=True, trunk=trunk)
        assert len(packings) == sum(type(layer) is nn.Linear for layer in policy.full.modules()) > 0
        with torch.no_grad():
            found = policy(kept.rows)
            assert (found.logprobs - kept.logprobs).abs().max() < 1e-4
            assert kept.states is not None
            mask = kept.rows.answer_mask
            assert torch.allclose(kept.states[mask], found.hidden[mask], atol=1e-5)
            for _, parameter in policy.trained_parameters():
                parameter.add_(0.05 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(0)))


def test_sampler_and_learner_agree_under_mixed_precision(packings: list[nn.Linear]) -> None:
    policy = PolicyModel(random_model(), TrainLayers(num_upper=1), mixed=True)
    kept = sampled(policy.sampler(), CODEC, PROMPTS, Sampling(max_new_tokens=12), num_answers=3, seed=0)
    assert packings
    with torch.no_grad():
        off = (policy(policy.prepared(kept.rows)).logprobs - kept.logprobs)[kept.rows.answer_mask].abs()
    assert off.mean() < 0.01
    assert off.max() < 0.1
