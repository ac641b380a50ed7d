"""Forecasts against hand-worked sums, and that what costs more is said to cost more."""

from __future__ import annotations

from dataclasses import replace

import pytest

from plaudit.cli.forecast import (
    DECODING_EFFICIENCY,
    EFFICIENCY,
    ModelSize,
    Rates,
    Rows,
    Work,
    learner_rows,
    ppo_forecast,
    ppo_work,
    sft_forecast,
)
from plaudit.models.policy import TrainLayers
from plaudit.rollout import Sampling
from plaudit.trainers.experience import ExperienceConfig
from plaudit.trainers.ppo_config import PPOConfig
from plaudit.trainers.sft import SFTConfig

SIZE = ModelSize(num_layers=4, layer_parameters=100, head_parameters=60, width=10)
RATES = Rates(large=1000.0, decoding=200.0, memory=5000.0)
UPPER = TrainLayers(num_upper=1)


def ppo_config(
    train: TrainLayers = UPPER, *, num_prompts: int = 2, num_answers: int = 1, **others: object
) -> PPOConfig:
    sampling = Sampling(max_new_tokens=3, batch_size=2)
    experience = ExperienceConfig(prompts_per_step=num_prompts, answers_per_prompt=num_answers, sampling=sampling)
    config = PPOConfig(train=train, experience=experience, num_steps=5, num_epochs=2, num_minibatches=1)
    return replace(config, **others)


def test_sizes_by_hand() -> None:
    assert SIZE.parameters == 460
    assert SIZE.num_trained(TrainLayers(kind="all")) == 460
    assert SIZE.num_trained(UPPER) == 100
    assert SIZE.num_trained(TrainLayers(kind="lora")) == 0
    assert SIZE.num_trained_layers(TrainLayers(kind="lora")) == 4
    assert SIZE.num_trained_layers(TrainLayers(num_upper=9)) == 4


def test_work_takes_its_time() -> None:
    assert Work(1000.0, 200.0, 5000.0).seconds(RATES) == pytest.approx(1 / EFFICIENCY + 1 / DECODING_EFFICIENCY + 1)


def test_a_layer_by_hand() -> None:
    """2 rows of 7 tokens: 2 operations for each of 100 parameters, 4 for each of 10 places of 7 tokens that one sees."""
    assert Rows(2, 7).through(SIZE, 3) == 14 * 3 * (200 + 4 * 10 * 7)


def test_fine_tuning_by_hand() -> None:
    """3 epochs of 20 tokens, forward and twice that backward, through 4 layers and the head; 3 updates of 460 parameters."""
    found = sft_forecast(SFTConfig(), SIZE, RATES, num_demonstrations=2, num_tokens=10)
    layers = 20 * 4 * (200 + 4 * 10 * 10)
    assert found.seconds == pytest.approx(3 * 3 * (layers + 20 * 120) / (1000 * EFFICIENCY) + 3 * 460 * 36 / 5000)
    # Weights, gradient and two moments; 8 rows of 10 tokens through 4 layers; 80 rows of 6 logits, thrice, and once more
    # for the head that learns.
    memory = 4 * (4 * 460 + 80 * 4 * 20 * 10 + 80 * 6 * 4)
    assert found.bytes - 0.6e9 == pytest.approx(memory)


def test_gradient_checkpointing_by_hand() -> None:
    """Every layer forward once more; kept are 4 inputs and 20 states of one layer, not 80."""
    plain, again = (TrainLayers(kind="all", gradient_checkpointing=on) for on in (False, True))
    less, more = (
        sft_forecast(SFTConfig(train=train), SIZE, RATES, num_demonstrations=2, num_tokens=10)
        for train in (plain, again)
    )
    layers = 20 * 4 * (200 + 4 * 10 * 10)
    assert more.seconds - less.seconds == pytest.approx(3 * layers / (1000 * EFFICIENCY))
    assert more.bytes - 0.6e9 == pytest.approx(4 * (4 * 460 + 80 * (4 + 20) * 10 + 80 * 6 * 4))


def test_upper_layers_run_the_frozen_ones_once() -> None:
    """Once 3 layers forward; thrice 1 layer three times, and the frozen head twice; 3 updates of 100 parameters."""
    found = sft_forecast(SFTConfig(train=UPPER), SIZE, RATES, num_demonstrations=2, num_tokens=10)
    layer, head = 20 * (200 + 4 * 10 * 10), 20 * 120
    flops = 3 * layer + 3 * (3 * layer + 2 * head)
    assert found.seconds == pytest.approx(flops / (1000 * EFFICIENCY) + 3 * 100 * 36 / 5000)


def test_a_step_of_ppo_by_hand() -> None:
    """2 answers of 3 tokens to prompts of 4."""
    found = ppo_work(ppo_config(), SIZE, prompt_tokens=4, answer_tokens=3)
    branch, head = 14 * (200 + 4 * 10 * 7), 6 * 120
    prompts = 8 * 4 * (200 + 4 * 10 * 4)
    deciding = 6 * 4 * (200 + 4 * 10 * 5.5) + head
    assert found == {
        "sample": Work(large=prompts, decoding=deciding),
        "score": Work(large=branch),
        "old": Work(),
        "reference": Work(large=branch + head),
        "value": Work(),
        "update": Work(large=2 * (3 * branch + 2 * head), bytes=2 * 100 * 36),
    }


def test_a_critic_of_its_own_bfloat16_and_ptx_come_on_top() -> None:
    def work(**others: object) -> dict[str, Work]:
        mixed = bool(others.pop("mixed", False))
        config = ppo_config(**others)
        return ppo_work(config, SIZE, prompt_tokens=4, answer_tokens=3, mixed=mixed, demonstration_tokens=5)

    branch, head = 14 * (200 + 4 * 10 * 7), 6 * 120
    plain = work()
    own = work(value="reward")
    assert own["value"] == Work(large=branch)
    assert own["update"].large - plain["update"].large == 2 * 3 * branch
    assert own["update"].bytes == 2 * plain["update"].bytes
    assert work(mixed=True)["old"] == Work(large=branch + head)
    # Two updates, each of 3 demonstrations of 5 tokens.
    shown = 30 * (3 * (200 + 4 * 10 * 5) + 2 * 120)
    assert work(ptx_coef=0.1, ptx_batch_size=3)["update"].large - plain["update"].large == shown


def test_what_learns_says_how_many_passes() -> None:
    """Adapters need no gradient of the weights; a trained head needs its own."""

    def update(train: TrainLayers) -> float:
        return ppo_work(ppo_config(train), SIZE, prompt_tokens=4, answer_tokens=3)["update"].large

    branch, head = 14 * 4 * (200 + 4 * 10 * 7), 6 * 120
    assert update(TrainLayers(kind="all")) == 2 * (3 * branch + 3 * head)
    assert update(TrainLayers(kind="lora")) == 2 * (2 * branch + 2 * head)
    assert update(TrainLayers(kind="lora", gradient_checkpointing=True)) == 2 * (3 * branch + 2 * head)


def test_answers_to_one_prompt_share_its_rows_where_that_pays() -> None:
    short = ppo_config(num_answers=4)
    assert learner_rows(short, SIZE, prompt_tokens=40, answer_tokens=3) == Rows(2, 52)
    assert learner_rows(short, SIZE, prompt_tokens=4, answer_tokens=300) == Rows(8, 304)
    assert learner_rows(ppo_config(), SIZE, prompt_tokens=40, answer_tokens=3) == Rows(2, 43)


def test_a_run_of_ppo_is_its_steps() -> None:
    config = ppo_config()
    found = ppo_forecast(config, SIZE, RATES, prompt_tokens=4)
    phases = ppo_work(config, SIZE, prompt_tokens=4, answer_tokens=3)
    assert found.seconds == pytest.approx(5 * sum(work.seconds(RATES) for work in phases.values()))
    assert ppo_forecast(config, SIZE, RATES, prompt_tokens=4, mixed=True).seconds > found.seconds
    training = 4 * (460 + 3 * 100 + 16 * 7 * 1 * 20 * 10 + 112 * 6 * 3)
    assert found.bytes - 0.6e9 == pytest.approx(training + 4 * (100 + 460 + 14 * 10 + 2 * 7 * 4 * 2 * 10))


def test_what_is_more_costs_more() -> None:
    deep = replace(SIZE, num_layers=12)
    base = ppo_forecast(PPOConfig(), deep, RATES, prompt_tokens=8)
    for config in (PPOConfig(num_steps=48), PPOConfig(num_epochs=4), PPOConfig(train=TrainLayers(kind="all"))):
        assert ppo_forecast(config, deep, RATES, prompt_tokens=8).seconds > base.seconds
    assert ppo_forecast(PPOConfig(), deep, RATES, prompt_tokens=80).bytes > base.bytes
    assert ppo_forecast(PPOConfig(micro_batch_size=64), deep, RATES, prompt_tokens=8).bytes > base.bytes
    larger = replace(deep, layer_parameters=200)
    assert ppo_forecast(PPOConfig(), larger, RATES, prompt_tokens=8).seconds > base.seconds
