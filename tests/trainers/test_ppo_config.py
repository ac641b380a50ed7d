"""Settings that cannot work are refused where they are written, with the values and the rule."""

import dataclasses
import inspect

import pytest

from plaudit.rollout.sampler import Sampling
from plaudit.schemas.errors import PlauditError
from plaudit.trainers.dpo import DPOConfig
from plaudit.trainers.epochs import EpochsConfig
from plaudit.trainers.experience import ExperienceConfig
from plaudit.trainers.optimisation import OptimiserConfig
from plaudit.trainers.ppo_config import PPOConfig
from plaudit.trainers.pretrain import PretrainConfig
from plaudit.trainers.reward import RewardConfig
from plaudit.trainers.rloo import RLOOConfig
from plaudit.trainers.sft import SFTConfig
from tests.trainers.toy import experience

CONFIGS = [PPOConfig, RLOOConfig, SFTConfig, PretrainConfig, RewardConfig, DPOConfig]
CONFIGS += [ExperienceConfig, EpochsConfig, OptimiserConfig]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"num_steps": 0}, "must be at least 1"),
        ({"num_epochs": 0}, "must be at least 1"),
        ({"num_minibatches": 0}, "must be at least 1"),
        ({"micro_batch_size": 0}, "must be at least 1"),
        ({"ptx_batch_size": 0}, "must be at least 1"),
        ({"num_minibatches": 9, "experience": experience()}, "num_minibatches = 9, but a step has 8 answers"),
        ({"reward_ensemble": ("b",), "reward_model": ""}, "extends reward_model, which is empty"),
        ({"spread_coef": 0.5}, "needs a reward_ensemble to spread: got 0.5 with 0 further"),
        ({"spread_coef": -0.5, "reward_ensemble": ("b",)}, "spread_coef may not be negative"),
        ({"kl_coef": -0.1}, "may not be negative"),
        ({"vf_coef": -0.1}, "may not be negative"),
        ({"ptx_coef": -0.1}, "may not be negative"),
        ({"policy_clip": 0.0}, "the clips must be above 0"),
        ({"value_clip": 0.0}, "the clips must be above 0"),
        (
            {"score_baseline": "leave_one_out", "experience": experience(answers_per_prompt=1)},
            "'leave_one_out' needs experience.answers_per_prompt of at least 2",
        ),
        ({"gamma": 1.1}, r"must lie in \[0, 1\], got 1.1 and 0.95"),
        ({"gae_lambda": -0.1}, r"must lie in \[0, 1\], got 1.0 and -0.1"),
        ({"kl_target": 0.0}, "needs kl_target and a starting kl_coef above 0"),
        ({"kl_target": 6.0, "kl_coef": 0.0}, "needs kl_target and a starting kl_coef above 0"),
        ({"kl_horizon": 7.0, "experience": experience()}, "kl_horizon = 7.0 is shorter than a step of 8 answers"),
        ({"checkpoint_every": -1}, "may not be negative and num_checkpoints must be at least 1, got -1 and 2"),
        ({"num_checkpoints": 0}, "num_checkpoints must be at least 1, got 8 and 0"),
    ],
)
def test_ppo(settings: dict[str, object], message: str) -> None:
    with pytest.raises(PlauditError, match=message):
        PPOConfig(**settings)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"experience": experience(answers_per_prompt=1)}, "answers_per_prompt must be at least 2"),
        ({"num_minibatches": 9, "experience": experience()}, "num_minibatches = 9, but a step has 8 answers"),
        ({"spread_coef": 0.5}, "needs a reward_ensemble to spread: got 0.5 with 0 further"),
        ({"num_steps": 0}, "must be at least 1"),
        ({"num_minibatches": 0}, "must be at least 1"),
        ({"kl_coef": -1.0}, "may not be negative"),
        ({"policy_clip": 0.0}, "policy_clip must be above 0"),
    ],
)
def test_rloo(settings: dict[str, object], message: str) -> None:
    with pytest.raises(PlauditError, match=message):
        RLOOConfig(**settings)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("config", "settings", "message"),
    [
        (SFTConfig, {"validation_frac": 1.0}, r"validation_frac must lie in \[0, 1\), got 1.0"),
        (PretrainConfig, {"validation_frac": 1.0}, r"validation_frac must lie in \[0, 1\), got 1.0"),
        (RewardConfig, {"validation_frac": -0.1}, r"validation_frac must lie in \[0, 1\), got -0.1"),
        (DPOConfig, {"validation_frac": 1.5}, r"validation_frac must lie in \[0, 1\), got 1.5"),
        (RewardConfig, {"label_smoothing": 0.5}, r"label_smoothing must lie in \[0, 0.5\), got 0.5"),
        (DPOConfig, {"label_smoothing": -0.1}, r"label_smoothing must lie in \[0, 0.5\), got -0.1"),
        (RewardConfig, {"num_reference_answers": 1}, "one answer has no deviation"),
        (DPOConfig, {"beta": 0.0}, "beta must be above 0, got 0.0"),
        (EpochsConfig, {"patience": 0}, r"must be at least 1, got \(3, 16, 8, 0\)"),
        (EpochsConfig, {"micro_batch_size": 0}, r"must be at least 1, got \(3, 16, 0, 1\)"),
        (OptimiserConfig, {"learning_rate": 0.0}, "learning_rate must be a positive number, got 0.0"),
        (OptimiserConfig, {"learning_rate": float("nan")}, "learning_rate must be a positive number, got nan"),
        (OptimiserConfig, {"warmup_frac": 1.0}, r"warmup_frac must lie in \[0, 1\), got 1.0"),
        (OptimiserConfig, {"max_grad_norm": 0.0}, "max_grad_norm must be above 0, got 0.0"),
        (ExperienceConfig, {"prompts_per_step": 0}, "must be at least 1"),
        (ExperienceConfig, {"answers_per_prompt": 0}, "must be at least 1"),
    ],
)
def test_the_others(config: type, settings: dict[str, object], message: str) -> None:
    with pytest.raises(PlauditError, match=message):
        config(**settings)


@pytest.mark.parametrize("settings", [{"top_p": 0.9}, {"greedy": True}])
def test_training_rollouts_sample_from_the_whole_policy(settings: dict[str, object]) -> None:
    """Else k1 goes negative: the sampler's probabilities would not be the learner's."""
    with pytest.raises(PlauditError, match="Use top_p = 1 and greedy = false"):
        ExperienceConfig(sampling=Sampling(**settings))  # type: ignore[arg-type]


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config.__name__)
def test_configs_are_frozen_whole_without_settings_and_say_what_each_does(config: type) -> None:
    made, fields = config(), dataclasses.fields(config)
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(made, fields[0].name, None)
    source = inspect.getsource(config)
    for field in fields:
        after = source.split(f"    {field.name}: ")[1].split("\n", 1)[1]
        assert after.lstrip().startswith('"""'), field.name


def test_the_horizon_is_ten_steps_of_answers_unless_set() -> None:
    assert PPOConfig(experience=experience()).resolved_kl_horizon == 80
    assert PPOConfig(kl_horizon=500.0).resolved_kl_horizon == 500
