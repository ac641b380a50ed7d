"""What both sides are asked to do, and what each reports: standard library only, so that either environment reads it."""

from __future__ import annotations

import json
import resource
import sys
import time
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Self

PACKAGES = ("torch", "transformers", "tokenizers", "accelerate", "datasets", "numpy", "trl", "plaudit")

# The unmeasured first step: it loads kernels and allocates Adam's moments, and one epoch is enough for both.
NUM_WARMUP_STEPS = 1
WARMUP_EPOCHS = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Task:
    """PPO steps on the same prompts. Every answer has exactly `answer_tokens` tokens: neither side can stop early."""

    model: str
    """Folder of the policy that both start from."""
    reward_model: str
    """Folder of the sequence classifier that scores on both sides."""
    prompts: tuple[str, ...]
    """What a person asks, in batches of `batch_size`. Step s samples from batch s, counting round."""
    batch_size: int = 32
    """Answers a step."""
    answer_tokens: int = 32
    """Tokens of every answer."""
    num_epochs: int = 4
    """Passes over a step's answers, one optimiser step each."""
    micro_batch_size: int = 8
    """Answers in one forward and backward pass of the epochs."""
    num_steps: int = 1
    """Measured steps, after the warm-up."""
    threads: int = 2
    """Threads of torch."""
    seed: int = 0
    """Seed of both sides. Their generators differ, so their answers do too."""

    def __post_init__(self) -> None:
        if self.batch_size % self.micro_batch_size:
            raise ValueError(
                f"TRL cuts a batch into equal parts: batch_size = {self.batch_size} is no multiple of micro_batch_size = "
                f"{self.micro_batch_size}"
            )
        if not self.prompts or len(self.prompts) % self.batch_size:
            raise ValueError(
                f"the prompts must fill whole batches of {self.batch_size}, got {len(self.prompts)} prompts"
            )

    def batch(self, step: int) -> tuple[str, ...]:
        """The prompts of a step, the warm-up being step 0."""
        first = step * self.batch_size % len(self.prompts)
        return self.prompts[first : first + self.batch_size]

    @property
    def num_episodes(self) -> int:
        """Answers of all measured steps."""
        return self.num_steps * self.batch_size

    def save(self, file: Path) -> None:
        """Writes the task for the process that does it."""
        file.write_text(json.dumps(asdict(self)), encoding="utf-8")

    @classmethod
    def load(cls, file: Path) -> Self:
        """The task in that file."""
        read = json.loads(file.read_text(encoding="utf-8"))
        return cls(**{**read, "prompts": tuple(read["prompts"])})


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """What one process measured over the measured steps, and what shows that both sides did the same work."""

    setting: str
    cpu_s_per_episode: float
    """User and system seconds of all threads of the training loop."""
    wall_s_per_episode: float
    peak_rss_mb: float
    """The most resident memory of the whole process, loading included, in 10**6 bytes."""
    num_episodes: int
    num_optimiser_steps: int
    num_answer_tokens: int
    prompt_tokens: tuple[int, ...]
    """Lengths of the prompts of the measured answers, sorted."""
    threads: int
    score_mean: float
    """Mean raw score of the last step's answers: equal on both sides but for sampling noise."""
    kl: float
    """k1 to the starting policy, nats an answer, in the last step."""
    versions: dict[str, str]

    def save(self, file: Path) -> None:
        """Writes the report where the comparison looks for it."""
        file.write_text(json.dumps(asdict(self)), encoding="utf-8")

    @classmethod
    def load(cls, file: Path) -> Self:
        """The report in that file."""
        read = json.loads(file.read_text(encoding="utf-8"))
        return cls(**{**read, "prompt_tokens": tuple(read["prompt_tokens"])})


class Meter:
    """CPU and wall seconds of this process between `start` and `stop`."""

    def __init__(self) -> None:
        self.cpu_s = self.wall_s = 0.0

    def start(self) -> None:
        """Begins to count."""
        self._began = (_cpu_s(), time.perf_counter())

    def stop(self) -> None:
        """Ends counting."""
        self.cpu_s, self.wall_s = _cpu_s() - self._began[0], time.perf_counter() - self._began[1]


def _cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def peak_rss_mb() -> float:
    """The most resident memory this process has held, in 10**6 bytes.

    On Linux the kernel's own mark of this address space: `getrusage` would also report the parent's peak.
    """
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024 / 1e6
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def installed_versions() -> dict[str, str]:
    """The versions of what moves the numbers, as far as this environment has it."""
    versions = {"python": ".".join(map(str, sys.version_info[:3]))}
    for package in PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return versions
