"""Runs TRL's PPO and plaudit's alternately, each in a process of its own, and writes what they cost.

run.sh makes TRL's environment and starts this; `--help` lists the settings.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import torch
import tyro
from plaudit_side import SETTINGS
from results import check_equal_work, check_same_prompts, summary, table, write
from task import Report, Task

from plaudit.models.load import Precision, load_causal_lm, load_codec
from plaudit.models.policy import TrainLayers
from plaudit.models.reward import new_reward_model, save_reward_model
from plaudit.runs import Progress
from plaudit.schemas.conversation import user
from plaudit.schemas.errors import PlauditError
from plaudit.text.chat import ChatCodec

HERE = Path(__file__).resolve().parent
QUICK_SETTINGS = ("every_layer", "upper_fifth", "upper_fifth_k4")


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """Measure what an episode of PPO costs with TRL 1.12.0 and with plaudit."""

    model: str = "smollm2-135m"
    """The policy both start from. `tiny` tries the scripts out in a minute; its figures mean nothing."""
    settings: tuple[str, ...] = tuple(SETTINGS)
    """plaudit's settings, of those in plaudit_side.py."""
    repeats: int = 3
    """How often each side is measured, in turn; medians are compared."""
    quick: bool = False
    """One repeat of the settings whose critic is a head on the policy's layers."""
    num_steps: int = 1
    """Measured PPO steps of a process, after its warm-up."""
    micro_batch_size: int = 8
    """Answers in one forward and backward pass of the epochs, on both sides; 8 is TRL's default."""
    threads: int = 2
    """Threads of torch, on both sides."""
    out: Path = HERE
    """Where results.json and results.md are written."""
    trl_python: Path = HERE / ".venv" / "bin" / "python"
    """The interpreter of TRL's environment."""

    def __post_init__(self) -> None:
        if unknown := sorted(set(self.settings) - SETTINGS.keys()):
            raise PlauditError(f"settings {', '.join(unknown)} do not exist: choose among {', '.join(SETTINGS)}")
        if min(self.repeats, self.num_steps, self.threads) < 1:
            raise PlauditError("repeats, num_steps and threads must be at least 1")
        if not self.trl_python.exists():
            raise PlauditError(f"no {self.trl_python}: start run.sh, which makes TRL's environment")

    @property
    def measured_settings(self) -> tuple[str, ...]:
        """plaudit's settings in the order in which they are measured."""
        return tuple(name for name in self.settings if name in QUICK_SETTINGS) if self.quick else self.settings

    @property
    def num_repeats(self) -> int:
        """How often each side is measured."""
        return 1 if self.quick else self.repeats

    @property
    def command(self) -> str:
        """What a reader types to repeat this."""
        changed = [
            f"{flag} {value}"
            for flag, value, default in (
                ("--model", self.model, "smollm2-135m"),
                ("--settings", " ".join(self.settings), " ".join(SETTINGS)),
                ("--repeats", self.repeats, 3),
                ("--num-steps", self.num_steps, 1),
                ("--micro-batch-size", self.micro_batch_size, 8),
                ("--threads", self.threads, 2),
            )
            if value != default
        ]
        quick = "QUICK=1 " if self.quick else ""
        return f"{quick}make bench-ppo" if not changed else f"{quick}benchmarks/ppo_vs_trl/run.sh {' '.join(changed)}"


def committed_prompts(codec: ChatCodec, *, with_lengths: bool) -> tuple[str, ...]:
    """The prompts of prompts.jsonl. Raises PlauditError where one has not the length written beside it."""
    rows = [json.loads(line) for line in (HERE / "prompts.jsonl").read_text(encoding="utf-8").splitlines()]
    for number, row in enumerate(rows, start=1):
        length = len(codec.prompt_ids((user(row["prompt"]),)))
        if with_lengths and length != row["num_tokens"]:
            raise PlauditError(
                f"prompts.jsonl, line {number}: {length} tokens with this tokenizer and template, {row['num_tokens']} "
                "expected; the comparison needs the lengths it was planned with"
            )
    return tuple(row["prompt"] for row in rows)


def prepared(config: Comparison, scratch: Path) -> Task:
    """The task, its two networks written to `scratch` as plain folders: the policy, and a classifier with a random head."""
    policy, reward_model = scratch / "policy", scratch / "reward"
    codec = load_codec(config.model)
    prompts = committed_prompts(codec, with_lengths=config.model == "smollm2-135m")
    load_causal_lm(config.model).save_pretrained(policy)
    reward = new_reward_model(
        config.model,
        TrainLayers(kind="all"),
        seed=0,
        precision=Precision.FLOAT32,
        pad_id=codec.pad_id,
        device=torch.device("cpu"),
    )
    save_reward_model(reward, reward_model)
    for folder in (policy, reward_model):
        codec.tokenizer.save_pretrained(folder)
    return Task(
        model=str(policy),
        reward_model=str(reward_model),
        prompts=prompts,
        num_steps=config.num_steps,
        micro_batch_size=config.micro_batch_size,
        threads=config.threads,
    )


def measured(config: Comparison, setting: str, scratch: Path) -> Report:
    """What a fresh process reports of `setting`. Raises PlauditError with the end of its output where it fails."""
    report = scratch / "report.json"
    report.unlink(missing_ok=True)
    if setting == "trl":
        command = [config.trl_python, HERE / "trl_side.py", scratch / "task.json", report, scratch / "trl"]
    else:
        command = [Path(sys.executable), HERE / "plaudit_side.py", scratch / "task.json", report, setting]
    threads = str(config.threads)
    environment = os.environ | {
        "OMP_NUM_THREADS": threads,
        "MKL_NUM_THREADS": threads,
        "CUDA_VISIBLE_DEVICES": "",
        "HF_HUB_OFFLINE": "1",
        "TOKENIZERS_PARALLELISM": "false",
    }
    done = subprocess.run(
        [str(part) for part in command],
        env=environment,
        cwd=scratch,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        end = "\n".join(done.stdout.splitlines()[-25:])
        raise PlauditError(f"the process of {setting} ended with {done.returncode}. Its last lines:\n{end}")
    return Report.load(report)


def run(config: Comparison) -> None:
    """Measures, repeat by repeat, and writes the results after each."""
    load = os.getloadavg()[0]
    if load > 0.5:
        print(f"the machine is busy (load average {load:.1f}): the figures will be worse than on an idle one")
    order = ("trl", *config.measured_settings)
    reports: list[Report] = []
    with tempfile.TemporaryDirectory(prefix="ppo_vs_trl-") as folder:
        scratch = Path(folder)
        task = prepared(config, scratch)
        task.save(scratch / "task.json")
        with Progress("bench-ppo", total=config.num_repeats * len(order)) as progress:
            for repeat in range(1, config.num_repeats + 1):
                for setting in order:
                    report = measured(config, setting, scratch)
                    check_equal_work(task, report)
                    reports.append(report)
                    print(
                        f"repeat {repeat}, {setting}: {report.cpu_s_per_episode:.2f} CPU s and "
                        f"{report.wall_s_per_episode:.2f} s an episode, {report.peak_rss_mb / 1000:.2f} GB",
                        flush=True,
                    )
                    progress.advance(note=setting)
                check_same_prompts(reports)
                results = summary(task, config.model, config.command, load, reports)
                write(config.out, results, table(task, config.model, config.command, reports))
    print((config.out / "results.md").read_text(encoding="utf-8"))


if __name__ == "__main__":
    try:
        run(tyro.cli(Comparison))
    except PlauditError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit("interrupted: results.json was last written after the last complete repeat")
