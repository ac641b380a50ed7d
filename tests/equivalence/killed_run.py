"""A program: a PPO run killed three times at random moments, each time resumed, and let end at last.

python -m tests.equivalence.killed_run MODEL OUT SEED

Each attempt is a forked process that gets a real SIGKILL: no handler runs, no file is closed. Prints what became of each.
"""

# ruff: noqa: T201 (a program)
from __future__ import annotations

import os
import random
import signal
import sys
import time
from pathlib import Path

from plaudit.trainers.ppo import train
from plaudit.trainers.ppo_config import PPOConfig
from tests.trainers.toy import ES, PROMPTS, demonstrations, experience, ppo_config

NUM_KILLS, NUM_STEPS = 3, 24


def config_of(model: str, out: Path | str, *, resume: bool) -> PPOConfig:
    """Everything with a memory: adaptive coefficient, both optimisers, schedules, PTX; a checkpoint every step."""
    return ppo_config(
        model,
        out,
        num_steps=NUM_STEPS,
        kl_target=0.1,
        ptx_coef=0.1,
        ptx_batch_size=4,
        checkpoint_every=1,
        experience=experience(prompts_per_step=2),
        resume=resume,
    )


def attempt(model: str, out: Path, *, resume: bool) -> int:
    """The id of a process that runs it."""
    process = os.fork()
    if process:
        return process
    status = 1
    try:
        train(config_of(model, out, resume=resume), PROMPTS, scorer=ES, demonstrations=demonstrations(10))
        status = 0
    finally:
        os._exit(status)


def num_checkpoints_seen(out: Path, seen: set[str]) -> int:
    """How many have ever stood there; old ones are removed while the run goes on."""
    if (out / "checkpoints").is_dir():
        seen.update(name for name in os.listdir(out / "checkpoints") if name.startswith("step-"))
    return len(seen)


def main(model: str, out: Path, seed: int) -> None:
    generator = random.Random(seed)
    seen: set[str] = set()
    for number in range(NUM_KILLS):
        begun, wanted = len(seen), generator.randint(1, 3)
        process = attempt(model, out, resume=number > 0)
        started = time.monotonic()
        while num_checkpoints_seen(out, seen) < begun + wanted:
            if time.monotonic() - started > 60:
                os.kill(process, signal.SIGKILL)
                sys.exit("no checkpoint within a minute")
            time.sleep(0.001)
        # Anywhere in the step that follows: sampling, learning, logging, saving.
        time.sleep(generator.uniform(0.0, 0.06))
        os.kill(process, signal.SIGKILL)
        _, status = os.waitpid(process, 0)
        print(f"killed by {os.WTERMSIG(status)}" if os.WIFSIGNALED(status) else "ended by itself", flush=True)
    _, status = os.waitpid(attempt(model, out, resume=True), 0)
    print("ended" if status == 0 else "failed", flush=True)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
