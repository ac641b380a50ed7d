"""Forecasts against hand-worked sums, and that what costs more is said to cost more."""

from __future__ import annotations

from dataclasses import replace

import pytest

from plaudit.cli.forecast import ModelSize, Rates, ppo_forecast, sft_forecast
from plaudit.models.policy import TrainLayers
from plaudit.rollout import Sampling
from plaudit.trainers.experience import ExperienceConfig
from plaudit.trainers.ppo_config import PPOConfig
from plaudit.trainers.sft import SFTConfig

SIZE = ModelSize(num_layers=4, layer_parameters=100, head_parameters=60, width=10)
RATES = Rates(large=1000.0, decoding=200.0)
UPPER = TrainLayers(num_upper=1)


def test_sizes_by_hand() -> None:
    assert SIZE.parameters == 460
    assert SIZE.num_trained(TrainLayers(kind="all")) == 460
    assert SIZE.num_trained(UPPER) == 100
    assert SIZE.num_trained(TrainLayers(kind="lora")) == 0
    assert SIZE.num_trained_layers(TrainLayers(kind="lora")) == 4
    assert SIZE.num_trained_layers(TrainLayers(num_upper=9)) == 4


def test_fine_tuning_by_hand() -> None:
    """3 epochs of 20 tokens through 460 parameters, 6 operations each, at half of 1000 a second: 331.2 s."""
    found = sft_forecast(SFTConfig(), SIZE, RATES, num_demonstrations=2, num_tokens=10)
    assert found.seconds == pytest.approx(3 * 20 * 6 * 460 / 500)
    # Weights, gradient and two moments; 8 rows of 10 tokens through 4 layers; 80 rows of 6 logits, thrice.
    memory = 4 * (4 * 460 + 80 * 4 * 20 * 10 + 80 * 6 * 3)
    assert found.bytes - 0.6e9 == pytest.approx(memory)


def test_gradient_checkpointing_by_hand() -> None:
    """Every layer forward once more, 2 * 400 operations a token; kept are 4 inputs and 20 states of one layer, not 80."""
    train = TrainLayers(kind="all", gradient_checkpointing=True)
    found = sft_forecast(SFTConfig(train=train), SIZE, RATES, num_demonstrations=2, num_tokens=10)
    assert found.seconds == pytest.approx(3 * 20 * (6 * 460 + 2 * 400) / 500)
    assert found.bytes - 0.6e9 == pytest.approx(4 * (4 * 460 + 80 * (4 + 20) * 10 + 80 * 6 * 3))


def test_upper_layers_run_the_frozen_ones_once() -> None:
    """Once 3 layers forward, 2 * 300 operations a token; thrice 1 layer and the head, 6 * 160."""
    found = sft_forecast(SFTConfig(train=UPPER), SIZE, RATES, num_demonstrations=2, num_tokens=10)
    assert found.seconds == pytest.approx(20 * (600 + 3 * 6 * 160) / 500)


def test_ppo_by_hand() -> None:
    sampling = Sampling(max_new_tokens=3, batch_size=2)
    experience = ExperienceConfig(prompts_per_step=2, answers_per_prompt=1, sampling=sampling)
    config = PPOConfig(train=UPPER, experience=experience, num_steps=5, num_epochs=2, num_minibatches=1)
    found = ppo_forecast(config, SIZE, RATES, prompt_tokens=4)
    tokens = 2 * (4 + 3)
    decoding = 2 * 3 * 920
    # Prompts read; then frozen layers, three roles' upper layers and heads, and two epochs of updates over all rows.
    large = 2 * 4 * 920 + tokens * (600 + 3 * 320 + 2 * 6 * 160)
    assert found.seconds == pytest.approx(5 * (decoding / 100 + large / 500))
    training = 4 * (460 + 3 * 100 + 16 * 7 * 1 * 20 * 10 + 112 * 6 * 3)
    assert found.bytes - 0.6e9 == pytest.approx(training + 4 * (100 + 460 + tokens * 10 + 2 * 7 * 4 * 2 * 10))


def test_what_is_more_costs_more() -> None:
    deep = replace(SIZE, num_layers=12)
    base = ppo_forecast(PPOConfig(), deep, RATES, prompt_tokens=8)
    for config in (PPOConfig(num_steps=48), PPOConfig(num_epochs=4), PPOConfig(train=TrainLayers(kind="all"))):
        assert ppo_forecast(config, deep, RATES, prompt_tokens=8).seconds > base.seconds
    assert ppo_forecast(PPOConfig(), deep, RATES, prompt_tokens=80).bytes > base.bytes
    assert ppo_forecast(PPOConfig(micro_batch_size=64), deep, RATES, prompt_tokens=8).bytes > base.bytes
    larger = replace(deep, layer_parameters=200)
    assert ppo_forecast(PPOConfig(), larger, RATES, prompt_tokens=8).seconds > base.seconds
