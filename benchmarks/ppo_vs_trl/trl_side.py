"""TRL's half of the comparison; runs in the environment that run.sh makes. Usage: trl_side.py TASK REPORT SCRATCH."""

from __future__ import annotations

import os
import sys
from pathlib import Path

os.environ["TRL_EXPERIMENTAL_SILENCE"] = "1"

import torch
from datasets import Dataset
from task import NUM_WARMUP_STEPS, WARMUP_EPOCHS, Meter, Report, Task, installed_versions, peak_rss_mb
from torch.utils.data import DataLoader
from transformers import (
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)
from trl.experimental.ppo import PPOConfig, PPOTrainer


class Stopwatch(TrainerCallback):
    """Measures from the end of the warm-up step to the end of the last; keeps TRL's own numbers of the last step."""

    def __init__(self, task: Task) -> None:
        self.task, self.meter, self.logged = task, Meter(), dict[str, float]()
        self.measuring = False

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
    ) -> None:
        """The number of epochs is read anew at each step, so the warm-up can make fewer."""
        args.num_ppo_epochs = WARMUP_EPOCHS

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object) -> None:
        """Called once a PPO step."""
        if state.global_step == NUM_WARMUP_STEPS:
            args.num_ppo_epochs = self.task.num_epochs
            self.measuring = True
            self.meter.start()
        elif state.global_step == NUM_WARMUP_STEPS + self.task.num_steps:
            self.meter.stop()
            self.measuring = False

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float],
        **_: object,
    ) -> None:
        """TRL logs once a PPO step."""
        self.logged = logs


class WorkCounter:
    """Counts, while the stopwatch runs, what TRL samples and how often its optimiser moves."""

    def __init__(self, trainer: PPOTrainer, stopwatch: Stopwatch) -> None:
        self.stopwatch = stopwatch
        self.num_optimiser_steps = self.num_answer_tokens = 0
        self.prompt_tokens: list[int] = []
        self._generate = trainer.policy_model.generate
        trainer.policy_model.generate = self._counted
        # The optimiser itself, not Accelerate's wrapper, which is also called for micro-batches that only accumulate.
        trainer.optimizer.optimizer.register_step_post_hook(self._stepped)

    def _counted(self, **kwargs: object) -> object:
        output = self._generate(**kwargs)
        if self.stopwatch.measuring:
            self.prompt_tokens += kwargs["attention_mask"].sum(-1).tolist()
            self.num_answer_tokens += output.sequences[:, kwargs["input_ids"].shape[1] :].numel()
        return output

    def _stepped(self, *_: object) -> None:
        self.num_optimiser_steps += self.stopwatch.measuring


def settings(task: Task, scratch: Path) -> PPOConfig:
    """TRL's defaults but for what the task says, float32, and nothing written or drawn beside the training."""
    return PPOConfig(
        output_dir=str(scratch),
        per_device_train_batch_size=task.micro_batch_size,
        gradient_accumulation_steps=task.batch_size // task.micro_batch_size,
        num_mini_batches=1,
        num_ppo_epochs=task.num_epochs,
        total_episodes=(NUM_WARMUP_STEPS + task.num_steps) * task.batch_size,
        response_length=task.answer_tokens,
        # No stop token: generation goes on to the limit, and nothing after a turn's end is cut off.
        stop_token=None,
        stop_token_id=None,
        temperature=1.0,
        num_sample_generations=0,
        # Unset, it would be True.
        bf16=False,
        # True, the default, is never applied by PPOTrainer; False says what happens.
        gradient_checkpointing=False,
        use_cpu=True,
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        seed=task.seed,
    )


def prompts_in_order(task: Task, tokenizer: PreTrainedTokenizerBase) -> Dataset:
    """The prompts of all steps as ids, one batch more than is used.

    On the last batch of a pass over the data Accelerate lets every micro-batch move the optimiser: it is never reached.
    """
    texts = [text for step in range(NUM_WARMUP_STEPS + task.num_steps + 1) for text in task.batch(step)]
    chats = [[{"role": "user", "content": text}] for text in texts]
    ids = [tokenizer.apply_chat_template(chat, add_generation_prompt=True, return_dict=True) for chat in chats]
    return Dataset.from_dict({"input_ids": [encoded["input_ids"] for encoded in ids]})


def trainer_for(task: Task, stopwatch: Stopwatch, scratch: Path) -> PPOTrainer:
    """The trainer with its four networks: policy, its copy as reference, and twice the classifier: reward and value."""
    tokenizer = AutoTokenizer.from_pretrained(task.model, padding_side="left")
    data = prompts_in_order(task, tokenizer)

    def classifier() -> PreTrainedModel:
        return AutoModelForSequenceClassification.from_pretrained(task.reward_model, dtype=torch.float32)

    trainer = PPOTrainer(
        args=settings(task, scratch),
        processing_class=tokenizer,
        model=AutoModelForCausalLM.from_pretrained(task.model, dtype=torch.float32),
        ref_model=None,
        reward_model=classifier(),
        value_model=classifier(),
        train_dataset=data,
        callbacks=[stopwatch],
    )
    # TRL's own shuffles the data; the order is the only difference.
    in_order = DataLoader(data, batch_size=task.batch_size, shuffle=False, collate_fn=trainer.data_collator)
    trainer.dataloader = trainer.accelerator.prepare(in_order)
    dtypes = {parameter.dtype for parameter in trainer.model.parameters()}
    if trainer.accelerator.mixed_precision != "no" or dtypes != {torch.float32}:
        raise RuntimeError(f"TRL would not run in float32: {trainer.accelerator.mixed_precision=}, {dtypes=}")
    return trainer


def main() -> None:
    task, report, scratch = Task.load(Path(sys.argv[1])), Path(sys.argv[2]), Path(sys.argv[3])
    torch.set_num_threads(task.threads)
    stopwatch = Stopwatch(task)
    trainer = trainer_for(task, stopwatch, scratch)
    work = WorkCounter(trainer, stopwatch)
    trainer.train()
    Report(
        setting="trl",
        cpu_s_per_episode=stopwatch.meter.cpu_s / task.num_episodes,
        wall_s_per_episode=stopwatch.meter.wall_s / task.num_episodes,
        peak_rss_mb=peak_rss_mb(),
        num_episodes=len(work.prompt_tokens),
        num_optimiser_steps=work.num_optimiser_steps,
        num_answer_tokens=work.num_answer_tokens,
        prompt_tokens=tuple(sorted(work.prompt_tokens)),
        threads=torch.get_num_threads(),
        score_mean=stopwatch.logged["objective/scores"],
        kl=stopwatch.logged["objective/kl"],
        versions=installed_versions(),
    ).save(report)


if __name__ == "__main__":
    main()
