"""TRL's half: RLOO with LoRA; runs in the environment that trl_environment.sh makes. Usage: trl_side.py TASK.

It goes on at its last checkpoint. Saving is not counted, as looks are not on plaudit's side.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

os.environ["TRL_EXPERIMENTAL_SILENCE"] = "1"

import torch
from datasets import Dataset
from peft import LoraConfig
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    PreTrainedTokenizerBase,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)
from transformers.trainer_utils import get_last_checkpoint
from trl import RLOOConfig, RLOOTrainer
from trl_task import Task


class Clock(TrainerCallback):
    """Writes what each step cost. A step is one batch of answers, whatever the optimiser's moves on it."""

    def __init__(self, task: Task) -> None:
        self.task, self._began = task, 0.0

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
    ) -> None:
        """Steps after the checkpoint it goes on from are made again."""
        kept = [row for row in self.task.done() if row["step"] * self.task.num_minibatches <= state.global_step]
        self.task.steps.write_text("".join(f"{json.dumps(row)}\n" for row in kept), encoding="utf-8")
        self._began = time.process_time()

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object) -> None:
        """Called once a move of the optimiser."""
        step, part = divmod(state.global_step, self.task.num_minibatches)
        if part:
            return
        spent = time.process_time() - self._began
        row = {"step": step, "episodes": step * self.task.answers_per_step, "cpu_seconds": spent}
        with self.task.steps.open("a", encoding="utf-8") as file:
            file.write(f"{json.dumps(row)}\n")
        self._began = time.process_time()

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object) -> None:
        """The time since the step's end was the checkpoint's."""
        self._began = time.process_time()


class Reward:
    """The reward model's scores of the very tokens, stop token included, as on plaudit's side: `(raw - mean) / std`."""

    __name__ = "reward"

    def __init__(self, task: Task, tokenizer: PreTrainedTokenizerBase) -> None:
        self._task, self._tokenizer = task, tokenizer
        self._model = AutoModelForSequenceClassification.from_pretrained(task.reward_model, dtype=torch.float32).eval()

    @torch.inference_mode()
    def __call__(
        self, prompts: list[list[dict[str, str]]], completion_ids: list[list[int]], **_: object
    ) -> list[float]:
        """A score an answer."""
        asked = self._tokenizer.apply_chat_template(prompts, add_generation_prompt=True, return_dict=True)["input_ids"]
        rows = [torch.tensor([*prompt, *answer]) for prompt, answer in zip(asked, completion_ids, strict=True)]
        size = self._task.micro_batch_size
        raw = torch.cat([self._scores(rows[i : i + size]) for i in range(0, len(rows), size)])
        config = self._model.config
        return ((raw - config.mean) / config.std).tolist()

    def _scores(self, rows: list[Tensor]) -> Tensor:
        pad = self._model.config.pad_token_id
        ids = pad_sequence(rows, batch_first=True, padding_value=pad)
        lengths = torch.tensor([len(row) for row in rows])
        mask = (torch.arange(ids.shape[1]) < lengths[:, None]).long()
        with torch.autocast("cpu", torch.bfloat16, enabled=self._task.mixed):
            logits = self._model(input_ids=ids, attention_mask=mask).logits
        return logits[:, 0].float()


def settings(task: Task) -> RLOOConfig:
    """TRL's defaults but for what the task says, and nothing recomputed, drawn or reported beside the training."""
    num_micro_batches = task.answers_per_step // task.micro_batch_size
    return RLOOConfig(
        output_dir=task.out,
        max_steps=task.num_steps * task.num_minibatches,
        per_device_train_batch_size=task.micro_batch_size,
        gradient_accumulation_steps=num_micro_batches // task.num_minibatches,
        steps_per_generation=num_micro_batches,
        num_generations=task.answers_per_prompt,
        max_completion_length=task.max_new_tokens,
        temperature=task.temperature,
        beta=task.kl_coef,
        learning_rate=task.learning_rate,
        lr_scheduler_type="linear",
        warmup_steps=round(task.warmup_frac * task.num_steps * task.num_minibatches),
        bf16=task.mixed,
        gradient_checkpointing=False,
        use_cpu=True,
        save_strategy="steps",
        save_steps=task.look_every * task.num_minibatches,
        logging_steps=task.num_minibatches,
        report_to="none",
        disable_tqdm=True,
        seed=task.seed,
    )


def main() -> None:
    task = Task.load(Path(sys.argv[1]))
    torch.set_num_threads(task.threads)
    tokenizer = AutoTokenizer.from_pretrained(task.model, padding_side="left")
    trainer = RLOOTrainer(
        model=task.model,
        reward_funcs=Reward(task, tokenizer),
        args=settings(task),
        train_dataset=Dataset.from_list([{"prompt": prompt} for prompt in task.prompts]),
        processing_class=tokenizer,
        callbacks=[Clock(task)],
        peft_config=LoraConfig(
            r=task.lora_rank, lora_alpha=task.lora_alpha, target_modules="all-linear", task_type="CAUSAL_LM"
        ),
    )
    trainer.train(resume_from_checkpoint=get_last_checkpoint(task.out))


if __name__ == "__main__":
    main()
