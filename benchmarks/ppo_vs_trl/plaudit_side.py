"""plaudit's half of the comparison. Usage: plaudit_side.py TASK REPORT SETTING."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import torch
from task import NUM_WARMUP_STEPS, WARMUP_EPOCHS, Meter, Report, Task, installed_versions, peak_rss_mb
from transformers import AutoConfig

from plaudit.models.load import Precision
from plaudit.models.policy import TrainLayers
from plaudit.rollout.sampler import Sampling
from plaudit.runs.memory import reuse_freed_memory
from plaudit.schemas.conversation import user
from plaudit.trainers.experience import ExperienceConfig
from plaudit.trainers.minibatches import permutation
from plaudit.trainers.optimisation import OptimiserConfig, Schedule
from plaudit.trainers.ppo import PPO, assembled
from plaudit.trainers.ppo_config import PPOConfig


@dataclass(frozen=True, kw_only=True, slots=True)
class Setting:
    """A way for plaudit to do the task."""

    every_layer: bool
    """Train every layer, as TRL does, or the upper fifth."""
    answers_per_prompt: int = 1
    """K: the batch is batch_size / K prompts with K answers each."""
    value: Literal["policy", "reward"] = "policy"
    """The critic: a head on the policy's layers, or a branch of its own begun as the reward model, as TRL's is."""

    def num_trained(self, num_layers: int) -> int:
        """How many of the layers learn."""
        return num_layers if self.every_layer else max(1, num_layers // 5)


SETTINGS = {
    "every_layer": Setting(every_layer=True),
    "upper_fifth": Setting(every_layer=False),
    "upper_fifth_k4": Setting(every_layer=False, answers_per_prompt=4),
    "every_layer_value_reward": Setting(every_layer=True, value="reward"),
    "upper_fifth_value_reward": Setting(every_layer=False, value="reward"),
    "upper_fifth_k4_value_reward": Setting(every_layer=False, answers_per_prompt=4, value="reward"),
}


def in_order(prompts: Sequence[str], seed: int) -> list[str]:
    """The prompts so placed that PPO, which shuffles them by its seed, meets them in the order given."""
    placed = list(prompts)
    for prompt, place in zip(prompts, permutation(len(prompts), seed, "prompts", 0).tolist(), strict=True):
        placed[place] = prompt
    return placed


def ppo_for(task: Task, setting: Setting, num_layers: int) -> PPO:
    """The trainer of a setting: the task's sizes, TRL's default learning rate and coefficients, float32."""
    num_prompts = task.batch_size // setting.answers_per_prompt
    num_steps = NUM_WARMUP_STEPS + task.num_steps
    optimiser = OptimiserConfig(learning_rate=3e-6, schedule=Schedule.LINEAR, warmup_frac=0.0, eps=1e-8)
    config = PPOConfig(
        model=task.model,
        reward_model=task.reward_model,
        train=TrainLayers(kind="all" if setting.every_layer else "upper", num_upper=setting.num_trained(num_layers)),
        value=setting.value,
        experience=ExperienceConfig(
            prompts_per_step=num_prompts,
            answers_per_prompt=setting.answers_per_prompt,
            sampling=Sampling(max_new_tokens=task.answer_tokens),
        ),
        num_steps=num_steps,
        num_epochs=task.num_epochs,
        num_minibatches=1,
        micro_batch_size=task.micro_batch_size,
        optimiser=optimiser,
        value_optimiser=optimiser,
        precision=Precision.FLOAT32,
        device="cpu",
        seed=task.seed,
    )
    # With K answers a prompt, the first prompts of each batch: prompts.jsonl puts there eight of the batch's mean length.
    prompts = [text for step in range(num_steps) for text in task.batch(step)[:num_prompts]]
    ppo = assembled(config, [(user(text),) for text in in_order(prompts, task.seed)], scorer=None, demonstrations=())
    # No id: the sampler never stops, so that every answer has the task's length.
    ppo.actor.codec.stop_id = -1
    return ppo


def measured(task: Task, name: str, num_layers: int) -> Report:
    """What a setting costs."""
    ppo = ppo_for(task, SETTINGS[name], num_layers)
    config = ppo.config
    ppo.config = replace(config, num_epochs=WARMUP_EPOCHS)
    for step in range(NUM_WARMUP_STEPS):
        ppo.step(step)
    ppo.config = config
    num_updates, num_answer_tokens, prompt_tokens = ppo.policy_optimiser.num_done, 0, list[int]()
    meter = Meter()
    meter.start()
    for step in range(NUM_WARMUP_STEPS, NUM_WARMUP_STEPS + task.num_steps):
        experience, metrics = ppo.step(step)
        num_answer_tokens += experience.rows.num_answer_tokens
        prompt_tokens += (experience.rows.lengths - experience.rollouts.num_tokens).tolist()
    meter.stop()
    return Report(
        setting=name,
        cpu_s_per_episode=meter.cpu_s / task.num_episodes,
        wall_s_per_episode=meter.wall_s / task.num_episodes,
        peak_rss_mb=peak_rss_mb(),
        num_episodes=len(prompt_tokens),
        num_optimiser_steps=ppo.policy_optimiser.num_done - num_updates,
        num_answer_tokens=num_answer_tokens,
        prompt_tokens=tuple(sorted(prompt_tokens)),
        threads=torch.get_num_threads(),
        score_mean=metrics["score/mean"],
        kl=metrics["kl/k1"],
        versions=installed_versions(),
    )


def main() -> None:
    task, report, name = Task.load(Path(sys.argv[1])), Path(sys.argv[2]), sys.argv[3]
    torch.set_num_threads(task.threads)
    reuse_freed_memory()  # as the command line does
    num_layers = int(AutoConfig.from_pretrained(task.model).num_hidden_layers)
    measured(task, name, num_layers).save(report)


if __name__ == "__main__":
    main()
