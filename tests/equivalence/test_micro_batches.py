"""How a batch is split changes no parameter: one row at a time, or all at once."""

import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from plaudit.batches.preferences import collated_groups
from plaudit.models.load import Precision, load_causal_lm, load_codec
from plaudit.models.policy import PolicyModel, TrainLayers
from plaudit.models.reward import new_reward_model
from plaudit.schemas.conversation import assistant, user
from plaudit.text.preferences import encoded_groups
from plaudit.trainers.assembly import assembled_actor
from plaudit.trainers.dpo import DPOConfig, PreferenceLoss
from plaudit.trainers.epochs import EpochsConfig, Objective
from plaudit.trainers.optimisation import Optimiser, OptimiserConfig, OptimiserKind, Schedule
from plaudit.trainers.ppo import assembled
from plaudit.trainers.reward import RankingLoss, preference_groups
from plaudit.trainers.rloo import RLOO
from plaudit.trainers.sft import DemonstrationLoss
from tests.trainers.test_rloo import config_of as rloo_config
from tests.trainers.toy import (
    ALL,
    ES,
    LORA,
    PROMPTS,
    UPPER,
    demonstrations,
    largest_difference,
    letters,
    ppo_config,
    rankings,
    rows_of,
    snapshot,
)

# Adam divides a gradient near zero by one near zero: there rounding is as large as the step. With 1e-3 it is not.
STEADY = OptimiserConfig(learning_rate=1e-2, eps=1e-3, schedule=Schedule.CONSTANT, warmup_frac=0.0)
# Eight updates in a row, with a clip that is all or nothing, multiply rounding by the rate.
GENTLE = replace(STEADY, learning_rate=1e-3)
TOLERANCE = 1e-5
every_way = pytest.mark.parametrize("train", [ALL, UPPER, LORA], ids=["all", "upper", "lora"])


def two_updates(objective: Objective) -> dict[str, Tensor]:
    """The parameters after two updates over all items."""
    optimiser = Optimiser(objective.trained_parameters(), STEADY, 2)
    for _ in range(2):
        objective.backward(torch.arange(objective.num_items))
        optimiser.step()
    return snapshot(objective.trained_parameters())


def compared(make: Callable[[int], Objective]) -> float:
    """The largest difference between micro-batches of 1 and of 16; every parameter has moved by far more."""
    start = snapshot(make(1).trained_parameters())
    one, many = two_updates(make(1)), two_updates(make(16))
    assert largest_difference(start, one) > 1e-3
    return largest_difference(one, many)


@every_way
def test_sft(start: str, train: TrainLayers) -> None:
    pairs = [(d.prompt[0].text, d.completion[0].text) for d in demonstrations(8)]
    rows = rows_of(load_codec(start), *pairs)
    weights = torch.tensor([1.0, 0.5, 2.0, 1.0, 0.0, 1.0, 3.0, 1.0])

    def make(micro: int) -> Objective:
        return DemonstrationLoss(PolicyModel(load_causal_lm(start), train), rows, weights, None, micro)

    assert compared(make) < TOLERANCE


@every_way
def test_reward(start: str, train: TrainLayers) -> None:
    encoded, _ = encoded_groups(preference_groups(rankings(6)), load_codec(start), max_tokens=99, drop_too_long=False)

    def make(micro: int) -> Objective:
        model = new_reward_model(
            start, train, seed=0, precision=Precision.FLOAT32, pad_id=0, device=torch.device("cpu")
        )
        return RankingLoss(model, collated_groups(encoded, 0), None, micro, 0.1)

    assert compared(make) < TOLERANCE


@every_way
def test_dpo(start: str, train: TrainLayers) -> None:
    encoded, _ = encoded_groups(preference_groups(rankings(6)), load_codec(start), max_tokens=99, drop_too_long=False)

    def make(micro: int) -> Objective:
        config = DPOConfig(epochs=EpochsConfig(micro_batch_size=micro))
        policy = PolicyModel(load_causal_lm(start), train)
        return PreferenceLoss(policy, collated_groups(encoded, 0), None, config)

    assert compared(make) < TOLERANCE


@every_way
@pytest.mark.parametrize("ptx_coef", [0.0, 0.5])
def test_ppo(start: str, train: TrainLayers, ptx_coef: float) -> None:
    """Policy and critic, over two steps: what is sampled in the second depends on the first."""

    def parameters(micro: int) -> dict[str, Tensor]:
        config = ppo_config(
            start,
            train=train,
            micro_batch_size=micro,
            optimiser=GENTLE,
            value_optimiser=GENTLE,
            ptx_coef=ptx_coef,
            ptx_batch_size=5,
        )
        ppo = assembled(config, PROMPTS, ES, demonstrations(10) if ptx_coef else ())
        for step in range(2):
            ppo.step(step)
        critic = {f"value/{name}": tensor for name, tensor in snapshot(ppo.value.trained_parameters()).items()}
        return snapshot(ppo.policy.trained_parameters()) | critic

    one, many = parameters(1), parameters(16)
    assert one["value/head.weight"].abs().max() > 1e-3  # it began at zero
    assert largest_difference(one, many) < TOLERANCE


@every_way
def test_rloo(start: str, train: TrainLayers) -> None:
    def parameters(micro: int) -> dict[str, Tensor]:
        config = rloo_config(start, train=train, micro_batch_size=micro, optimiser=GENTLE)
        rloo = RLOO(config, assembled_actor(config, PROMPTS, ES).actor)
        for step in range(2):
            rloo.step(step)
        return snapshot(rloo.policy.trained_parameters())

    assert largest_difference(parameters(1), parameters(16)) < TOLERANCE


def test_one_minibatch_of_eight_is_eight_accumulated_ones(start: str) -> None:
    """1 x 8 = 8 x 1, parameter by parameter, and one optimiser step either way."""
    plain = OptimiserConfig(
        kind=OptimiserKind.SGD, learning_rate=0.5, schedule=Schedule.CONSTANT, warmup_frac=0, max_grad_norm=1e9
    )
    found = []
    for micro in (8, 1):
        config = ppo_config(
            start, num_minibatches=1, num_epochs=1, micro_batch_size=micro, optimiser=plain, value_optimiser=plain
        )
        ppo = assembled(config, PROMPTS, ES, ())
        ppo.step(0)
        assert ppo.policy_optimiser.num_done == 1
        found.append(snapshot(ppo.policy.trained_parameters()) | snapshot(ppo.value.trained_parameters()))
    assert largest_difference(*found) < 1e-6


def test_answers_of_very_unequal_length_weigh_by_their_tokens(start: str) -> None:
    """Where a mean of micro-batch means would differ most: one answer of one token beside answers of forty."""
    codec, generator = load_codec(start), random.Random(0)
    texts = ["", *("".join(letters(generator) for _ in range(8)) for _ in range(3))]
    rows = rows_of(codec, *(("q", text) for text in texts))
    assert rows.answer_mask.sum(-1).max() > 30 * rows.answer_mask.sum(-1).min()

    def make(micro: int) -> Objective:
        return DemonstrationLoss(PolicyModel(load_causal_lm(start), UPPER), rows, torch.ones(4), None, micro)

    losses = [make(micro).backward(torch.arange(4))["loss"] for micro in (1, 2, 16)]
    assert losses == pytest.approx([losses[0]] * 3, abs=1e-6)
    assert compared(make) < TOLERANCE


def test_padding_changes_nothing(start: str, tmp_path: Path) -> None:
    """A long row in the batch pads the others; without it they say the same."""
    codec = load_codec(start)
    alone = codec.encoded((user("hi"),), (assistant("abc"),))
    policy = PolicyModel(load_causal_lm(start), UPPER)
    short = policy(rows_of(codec, ("hi", "abc"))).logprobs[0]
    padded = policy(rows_of(codec, ("hi", "abc"), ("hi", "e" * 60))).logprobs[0]
    assert torch.allclose(padded[: len(alone.token_ids)], short, atol=1e-5)
    assert not padded[len(alone.token_ids) :].any()
