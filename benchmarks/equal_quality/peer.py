"""TRL on the same task: its trainer in a process and an environment of its own, its checkpoints looked at as ours are."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from benchmarks.equal_quality.settings import LOOK_EVERY
from benchmarks.equal_quality.trl_task import Task
from plaudit.batches.rollouts import Rollouts
from plaudit.demo.content import hidden_utility
from plaudit.demo.settings import NUM_ANSWERS, DemoConfig
from plaudit.evaluation.judges import ScoreJudge
from plaudit.evaluation.language import as_reference, kl_to_reference
from plaudit.models.load import device_for, load_codec
from plaudit.models.policy import PolicyModel, TrainLayers, load_frozen_policy
from plaudit.rewards.textual import completions_by_prompt
from plaudit.rollout.sampler import sampled
from plaudit.runs import read_metrics, spawn_seed
from plaudit.schemas.conversation import Messages
from plaudit.text.prompts import TooLong, encoded_prompts

HERE = Path(__file__).parent
VERSION = "trl==1.16.0"

# The best of 2e-4, 5e-4 and 1e-3 on seed 0: its default of 1e-6 moves nothing in so few steps.
LEARNING_RATE = 5e-4


def rloo(demo: DemoConfig, out: Path, train: Sequence[Messages], held: Sequence[Messages]) -> list[dict[str, float]]:
    """TRL's RLOO with LoRA, begun or gone on with: a row a step, some with what was seen of the answers to `held`."""
    out.mkdir(parents=True, exist_ok=True)
    task = _task(demo, out, train)
    if len(task.done()) < task.num_steps:
        task.save(out / "task.json")
        subprocess.run([HERE.parent / "trl_environment.sh", HERE, VERSION, "peft"], check=True)
        subprocess.run([HERE / ".venv" / "bin" / "python", HERE / "trl_side.py", out / "task.json"], check=True)
    return _looked_at(demo, task, held)


def _task(demo: DemoConfig, out: Path, train: Sequence[Messages]) -> Task:
    """The demo's PPO, as far as it can be said to TRL."""
    ppo, lora = demo.ppo(), TrainLayers(kind="lora")
    return Task(
        model=demo.model_of("sft"),
        reward_model=demo.model_of("reward"),
        prompts=[[{"role": message.role.value, "content": message.text} for message in prompt] for prompt in train],
        out=str(out),
        seed=demo.seed,
        num_steps=ppo.num_steps,
        prompts_per_step=ppo.experience.prompts_per_step,
        answers_per_prompt=ppo.experience.answers_per_prompt,
        num_minibatches=ppo.num_minibatches,
        micro_batch_size=ppo.micro_batch_size,
        max_new_tokens=demo.sampling.max_new_tokens,
        temperature=demo.sampling.temperature,
        kl_coef=ppo.kl_coef,
        learning_rate=LEARNING_RATE,
        warmup_frac=ppo.optimiser.warmup_frac,
        lora_rank=lora.lora_rank,
        lora_alpha=lora.lora_alpha,
        look_every=LOOK_EVERY,
        mixed=demo.precision.is_mixed_on(device_for(demo.device)),
        threads=torch.get_num_threads(),
    )


def _looked_at(demo: DemoConfig, task: Task, held: Sequence[Messages]) -> list[dict[str, float]]:
    """The steps, with what the monitor says of plaudit's: win rate by the utility, KL to the fine-tuned model."""
    judge, sft = ScoreJudge(hidden_utility()), _policy(demo, task.model)
    first = completions_by_prompt(_answers(demo, sft, held), NUM_ANSWERS)
    seen = Path(task.out) / "metrics.jsonl"
    rows = read_metrics(seen) if seen.exists() else []
    for step in task.done()[len(rows) :]:
        checkpoint = task.checkpoint(step["step"])
        found = {}
        if checkpoint.exists():
            policy = _policy(demo, str(checkpoint))
            answers = _answers(demo, policy, held)
            wins = judge.judged(held, completions_by_prompt(answers, NUM_ANSWERS), first).wins
            kl = kl_to_reference(policy, as_reference(sft), [answers], temperature=task.temperature)
            found = {"monitor/win_rate": float(np.mean([table.mean() for table in wins])), "monitor/kl": kl.k1}
        rows.append(step | found)
        seen.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    return rows


def _policy(demo: DemoConfig, folder: str) -> PolicyModel:
    return load_frozen_policy(folder, precision=demo.precision, device=device_for(demo.device))


def _answers(demo: DemoConfig, policy: PolicyModel, held: Sequence[Messages]) -> Rollouts:
    """The same random numbers at every look: what differs is the policy."""
    codec = load_codec(demo.model_of("sft"))
    prompts, _ = encoded_prompts(held, codec, max_tokens=512, too_long=TooLong.REFUSE)
    seed = spawn_seed(demo.seed, "equal quality")
    return sampled(policy.sampler(), codec, prompts, demo.sampling, num_answers=NUM_ANSWERS, seed=seed)
