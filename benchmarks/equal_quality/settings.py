"""What is compared: three ways to train a policy, each with two critics, and TRL; and the task, on both models."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from plaudit.demo.settings import DemoConfig
from plaudit.models.policy import TrainLayers
from plaudit.trainers.monitor import MonitorConfig
from plaudit.trainers.ppo_config import PPOConfig

WIN_RATE, MOST_KL = 0.70, 5.0
"""Quality that counts as equal: this win rate against the fine-tuned model, at no more KL to it."""

LOOK_EVERY = 2
"""Steps between looks."""


@dataclass(frozen=True, slots=True)
class Setting:
    """What learns and who the critic is; `rate` multiplies the task's learning rate, for moves of about the same KL."""

    kind: Literal["upper", "all", "lora"]
    value: Literal["policy", "reward"]
    rate: float = 1.0


SETTINGS = {
    "upper_policy": Setting("upper", "policy"),
    "upper_own": Setting("upper", "reward"),
    "every_policy": Setting("all", "policy", 0.5),
    "every_own": Setting("all", "reward", 0.5),
    "lora_policy": Setting("lora", "policy", 2.0),
    "lora_own": Setting("lora", "reward", 2.0),
}
"""By name: the upper fifth, every layer and LoRA, each with a critic on the policy's layers and with one of its own."""

PEER = "trl_rloo"
NAMES = (*SETTINGS, PEER)
"""What is compared, in the table's order: plaudit's settings, and TRL's RLOO with LoRA."""


def ppo_config(demo: DemoConfig, name: str, out: str) -> PPOConfig:
    """The demo's PPO under a setting, looked at every other step on all questions of the evaluation."""
    setting, ppo = SETTINGS[name], demo.ppo()
    train = TrainLayers(kind=setting.kind, num_upper=ppo.train.num_upper)
    experience, rate = ppo.experience, ppo.optimiser.learning_rate
    if demo.is_dry:
        rate, sampling = 5e-3, replace(experience.sampling, max_new_tokens=64)
        experience = replace(experience, prompts_per_step=16, answers_per_prompt=8, sampling=sampling)
    return replace(
        ppo,
        out=out,
        train=train,
        value=setting.value,
        optimiser=replace(ppo.optimiser, learning_rate=rate * setting.rate),
        experience=experience,
        num_steps=40 if demo.is_dry else ppo.num_steps,
        kl_coef=0.05 if demo.is_dry else ppo.kl_coef,
        checkpoint_every=LOOK_EVERY,
        # It only looks: a patience that no run comes to the end of.
        monitor=MonitorConfig(every=LOOK_EVERY, num_prompts=1000, answers_per_prompt=4, patience=1000),
    )
