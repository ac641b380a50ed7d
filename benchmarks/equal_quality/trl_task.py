"""What TRL's side is asked to do, and what it leaves: standard library only, so that either environment reads it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self


@dataclass(frozen=True, kw_only=True, slots=True)
class Task:
    """Online learning on the demo's questions, against its reward model."""

    model: str
    """Folder of the fine-tuned model, which is also the reference."""
    reward_model: str
    """Folder of the sequence classifier that scores."""
    prompts: list[list[dict[str, str]]]
    """The questions, as messages."""
    out: str
    """Folder of checkpoints and steps."""
    seed: int
    num_steps: int
    """Steps: in each, answers to `prompts_per_step` questions are sampled and learnt from."""
    prompts_per_step: int
    answers_per_prompt: int
    num_minibatches: int
    """Moves of the optimiser a step, each on its part of the answers."""
    micro_batch_size: int
    """Answers in one forward and backward pass."""
    max_new_tokens: int
    temperature: float
    kl_coef: float
    learning_rate: float
    warmup_frac: float
    lora_rank: int
    lora_alpha: float
    look_every: int
    """Steps between checkpoints."""
    mixed: bool
    """Whether matrices are multiplied in bfloat16."""
    threads: int

    @property
    def answers_per_step(self) -> int:
        """Answers a step."""
        return self.prompts_per_step * self.answers_per_prompt

    @property
    def steps(self) -> Path:
        """A line a step: its number, the answers sampled so far, its CPU seconds."""
        return Path(self.out) / "steps.jsonl"

    def checkpoint(self, step: int) -> Path:
        """Where the adapter after so many steps is, if it was kept: TRL counts the optimiser's moves."""
        return Path(self.out) / f"checkpoint-{step * self.num_minibatches}"

    def done(self) -> list[dict[str, Any]]:
        """The steps so far."""
        if not self.steps.exists():
            return []
        return [json.loads(line) for line in self.steps.read_text(encoding="utf-8").splitlines()]

    def save(self, file: Path) -> None:
        """Writes the task for the process that does it."""
        file.write_text(json.dumps(asdict(self)), encoding="utf-8")

    @classmethod
    def load(cls, file: Path) -> Self:
        """The task in that file."""
        return cls(**json.loads(file.read_text(encoding="utf-8")))
