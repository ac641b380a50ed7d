"""Gradient checkpointing: the same numbers and gradients, the layers run again, and far less kept in between."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel

from plaudit.batches.tokens import TokenRows
from plaudit.models.load import Precision
from plaudit.models.policy import PolicyModel, TrainLayers
from plaudit.models.reward import RewardModel, new_reward_model
from plaudit.models.tiny import tiny_model
from plaudit.models.trunk import Branch, recomputing
from plaudit.models.value import ValueModel
from plaudit.schemas.errors import PlauditError
from tests.models.test_policy import EVERY_WAY, every_way, gpt2

WIDTH = 64
# A layer of the tiny model keeps some twenty hidden states for the backward pass, and far more than this many inputs.
LEAST_FACTOR = 8


def gradients(policy: PolicyModel, rows: TokenRows) -> dict[str, Tensor]:
    """Of the log-probabilities, by parameter, and the log-probabilities themselves."""
    stats = policy(policy.prepared(rows))
    (stats.logprobs.sum() + stats.entropy.mean()).backward()
    found = {name: parameter.grad for name, parameter in policy.trained_parameters()}
    return {"": stats.logprobs.detach(), **{name: grad for name, grad in found.items() if grad is not None}}


def assert_same(one: dict[str, Tensor], other: dict[str, Tensor]) -> None:
    """To 1e-6, name by name."""
    assert one.keys() == other.keys()
    for name, tensor in one.items():
        assert torch.allclose(tensor, other[name], atol=1e-6), name


def new_reward(train: TrainLayers) -> RewardModel:
    return new_reward_model("tiny", train, seed=0, precision=Precision.FLOAT32, pad_id=0)


def bytes_kept(run: Callable[[], Tensor], module: nn.Module) -> int:
    """What autograd keeps from `run` until the backward pass: each storage once, parameters not counted."""
    weights = {parameter.untyped_storage().data_ptr() for parameter in module.parameters()}
    kept: dict[int, Tensor] = {}

    def pack(tensor: Tensor) -> Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        output = run()
    assert output.requires_grad
    return sum(kept[pointer].untyped_storage().nbytes() for pointer in kept.keys() - weights)


def kept_by(train: TrainLayers, rows: TokenRows, num_layers: int) -> int:
    """Bytes that the trained layers of a policy keep; what is constant is computed before."""
    policy = PolicyModel(tiny_model(num_layers=num_layers), train)
    prepared = policy.prepared(rows)
    return bytes_kept(lambda: policy.branch(prepared), policy)


def times_run(module: nn.Module, work: Callable[[], object]) -> int:
    """How often `work` runs the module."""
    runs: list[int] = []
    handle = module.register_forward_pre_hook(lambda *_: runs.append(1))
    work()
    handle.remove()
    return len(runs)


@every_way
@pytest.mark.parametrize("make", [tiny_model, gpt2])
def test_a_policys_numbers_and_gradients_are_the_same(
    rows: TokenRows, train: TrainLayers, make: Callable[[], PreTrainedModel]
) -> None:
    plain, again = (PolicyModel(make().eval(), layers) for layers in (train, checkpointed(train)))
    assert_same(gradients(plain, rows), gradients(again, rows))


@every_way
def test_a_reward_models_numbers_and_gradients_are_the_same(rows: TokenRows, train: TrainLayers) -> None:
    found = []
    for layers in (train, checkpointed(train)):
        reward = new_reward(layers)
        scores = reward(reward.prepared(rows))
        scores.square().sum().backward()
        found.append({"": scores.detach(), **{name: p.grad for name, p in reward.trained_parameters()}})
    assert_same(*found)


def checkpointed(train: TrainLayers) -> TrainLayers:
    return replace(train, gradient_checkpointing=True)


@every_way
def test_the_backward_pass_runs_the_trained_layers_again(rows: TokenRows, train: TrainLayers) -> None:
    for layers, expected in ((train, 1), (checkpointed(train), 2)):
        policy = PolicyModel(tiny_model(), layers)
        prepared, top = policy.prepared(rows), policy.branch.body.layers[-1].mlp
        assert times_run(top, lambda p=policy, r=prepared: p(r).logprobs.sum().backward()) == expected  # type: ignore[misc]


def test_frozen_layers_below_are_not_run_again(rows: TokenRows) -> None:
    policy = PolicyModel(tiny_model(num_layers=3), checkpointed(EVERY_WAY[1]))
    lowest = policy.full.base_model.layers[0].mlp
    assert times_run(lowest, lambda: policy(rows).logprobs.sum().backward()) == 1


@pytest.mark.parametrize("train", [EVERY_WAY[0], TrainLayers(num_upper=7), EVERY_WAY[3]], ids=["all", "upper", "lora"])
def test_a_layer_keeps_its_input_and_nothing_else(rows: TokenRows, train: TrainLayers) -> None:
    """Four more layers keep four more hidden states; without, more than eight times as much."""
    state = rows.token_ids.numel() * WIDTH * 4
    more = {}
    for layers in (train, checkpointed(train)):
        deeper = replace(layers, num_upper=layers.num_upper + 4)
        more[layers.gradient_checkpointing] = kept_by(deeper, rows, 12) - kept_by(layers, rows, 8)
    assert more[True] == 4 * state
    assert more[False] > LEAST_FACTOR * more[True]


def test_a_critic_begun_as_the_reward_model_keeps_as_little(rows: TokenRows) -> None:
    kept = []
    for train in (EVERY_WAY[2], checkpointed(EVERY_WAY[2])):
        value = ValueModel.from_reward(new_reward(train))
        states = torch.zeros(*rows.token_ids.shape, WIDTH)
        kept.append(bytes_kept(lambda v=value, s=states: v(rows, s), value))  # type: ignore[misc]
    assert kept[0] > 4 * kept[1]


def test_a_reward_model_moved_onto_a_trunk_keeps_as_little(rows: TokenRows) -> None:
    reward = new_reward(checkpointed(EVERY_WAY[2]))
    policy = PolicyModel(tiny_model(), EVERY_WAY[1])
    assert reward.on_trunk(policy.branch.trunk)
    top = reward.branch.body.layers[-1].mlp
    assert times_run(top, lambda: reward(rows).sum().backward()) == 2


def test_without_gradient_nothing_is_wrapped(rows: TokenRows) -> None:
    """Sampling and scoring run as ever."""
    policy = PolicyModel(tiny_model(), checkpointed(EVERY_WAY[0]))
    layer, wrapped = policy.branch.body.layers[-1], []
    layer.mlp.register_forward_pre_hook(lambda *_: wrapped.append("forward" in vars(layer)))
    policy(rows)
    with torch.no_grad():
        policy(rows)
    policy.full(rows.token_ids, use_cache=True)  # as the sampler does
    assert wrapped == [True, False, False]
    expected = PolicyModel(tiny_model(), EVERY_WAY[0])(rows).logprobs
    assert torch.equal(policy.reference()(rows), expected)


def test_the_layers_are_as_they_were_afterwards(rows: TokenRows) -> None:
    """After an error too."""
    body = tiny_model().base_model
    with pytest.raises(KeyError), recomputing(body):
        raise KeyError
    assert not any("forward" in vars(layer) for layer in body.layers)
    Branch(body, None, recompute=True)(rows)
    assert not any("forward" in vars(layer) for layer in body.layers)


def test_the_global_generator_and_dropout_stay_out_of_it(rows: TokenRows) -> None:
    """A model configured for dropout: off in the first run and in the second."""
    plain, again = (
        PolicyModel(gpt2(dropout=0.5).eval(), layers) for layers in (EVERY_WAY[0], checkpointed(EVERY_WAY[0]))
    )
    state = torch.get_rng_state()
    found = gradients(again, rows)
    assert torch.equal(torch.get_rng_state(), state)
    assert_same(gradients(plain, rows), found)


def test_under_bfloat16_products_the_second_run_is_the_first(rows: TokenRows) -> None:
    plain, again = (
        PolicyModel(tiny_model(), layers, mixed=True) for layers in (EVERY_WAY[0], checkpointed(EVERY_WAY[0]))
    )
    assert_same(gradients(plain, rows), gradients(again, rows))


def test_a_model_whose_layers_cannot_be_found_is_refused() -> None:
    config = AutoConfig.for_model("gpt2", vocab_size=9, n_layer=1, n_embd=8, n_head=2, bos_token_id=1, eos_token_id=2)
    model = AutoModelForCausalLM.from_config(config)
    model.base_model.other = nn.ModuleList()
    with pytest.raises(
        PlauditError, match=r"cannot find the layers of a 'gpt2' model: .* without gradient_checkpointing"
    ):
        PolicyModel(model, checkpointed(EVERY_WAY[0]))
