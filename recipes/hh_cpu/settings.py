"""The recipe's settings. quick.toml and full.toml fill them; the defaults are full.toml's."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass, field
from pathlib import Path

from plaudit.models.load import Precision
from plaudit.models.policy import TrainLayers
from plaudit.rollout.sampler import Sampling
from plaudit.schemas.errors import PlauditError
from plaudit.trainers.dpo import DPOConfig
from plaudit.trainers.epochs import EpochsConfig
from plaudit.trainers.experience import ExperienceConfig
from plaudit.trainers.optimisation import OptimiserConfig, Schedule
from plaudit.trainers.ppo_config import PPOConfig
from plaudit.trainers.reward import RewardConfig
from plaudit.trainers.sft import SFTConfig

NUM_ANSWERS = 4
"""Answers of each model to each evaluation prompt, and the n of best-of-n."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Subsets:
    """Which of people's rows are used. Drawn by the seed; what is too long is left out and counted."""

    num_demonstrations: int = 1200
    """Dolly rows that fine-tuning learns from."""
    num_held_demonstrations: int = 100
    """Further Dolly rows, for the perplexity."""
    num_train_pairs: int = 1900
    """HH pairs that the reward model, DPO and the probe learn from; 15 % of them validate the first two."""
    num_test_pairs: int = 400
    """HH pairs of other dialogues, for the accuracies."""
    num_shuffled_pairs: int = 500
    """Training pairs for the control, a reward model on labels that say nothing."""
    num_swapped_pairs: int = 100
    """Test pairs that are scored a second time with their sides exchanged."""
    num_eval_prompts: int = 80
    """Prompts of test pairs that SFT, PPO, DPO and best-of-n answer."""
    max_tokens: int = 256
    """Longest demonstration, and longest prompt with either answer."""
    max_prompt_tokens: int = 128
    """Longest prompt that PPO practises on and that the methods are evaluated on."""

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if value < 1:
                raise PlauditError(f"subsets.{name} must be at least 1, got {value}")
        if self.num_shuffled_pairs > self.num_train_pairs:
            raise PlauditError(
                f"subsets.num_shuffled_pairs = {self.num_shuffled_pairs} are taken from {self.num_train_pairs} training pairs"
            )


@dataclass(frozen=True, kw_only=True, slots=True)
class Fitting:
    """How one of the fits goes over its data."""

    learning_rate: float = 5e-5
    """The peak rate."""
    num_epochs: int = 2
    """Passes over the data, at most: a worse validation loss ends them."""
    batch_size: int = 8
    """Demonstrations or pairs an update."""
    micro_batch_size: int = 8
    """Rows run at once; changes no result beyond rounding."""

    def epochs(self) -> EpochsConfig:
        """The passes. Where there are several, a checkpoint after each, so that the stage can be resumed."""
        return EpochsConfig(
            num_epochs=self.num_epochs,
            batch_size=self.batch_size,
            micro_batch_size=self.micro_batch_size,
            checkpoint=self.num_epochs > 1,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Practice:
    """How PPO learns."""

    num_steps: int = 20
    """Rounds of sampling and learning."""
    prompts_per_step: int = 16
    """Different prompts a step."""
    answers_per_prompt: int = 4
    """Answers to each."""
    max_new_tokens: int = 64
    """The length limit of every answer, in PPO and in the evaluation."""
    learning_rate: float = 5e-5
    """The policy's peak rate."""
    kl_coef: float = 0.05
    """Reward lost a nat of KL to the SFT model."""


@dataclass(frozen=True, kw_only=True, slots=True)
class HHConfig:
    """SFT on Dolly, a reward model on HH-RLHF, PPO; compared with simpler methods on dialogues nothing was trained on."""

    model: str = "smollm2-135m"
    """The model to start from: a hub id, a folder, a .gguf file, `smollm2-135m` or `tiny`."""
    data: str = ""
    """The folder of data sets; empty means $PLAUDIT_DATA."""
    out: str = "runs/hh_cpu_full"
    """The folder for every model, every measurement and the report. A finished stage in it is not repeated."""
    num_upper: int = 8
    """Upper layers that reward model, PPO and DPO train; those below stay the SFT model's and run once."""
    subsets: Subsets = field(default_factory=Subsets)
    """Which rows are used."""
    sft: Fitting = field(default_factory=lambda: Fitting(batch_size=16))
    """Fine-tuning of every layer on demonstrations."""
    reward: Fitting = field(default_factory=lambda: Fitting(learning_rate=1e-4))
    """The reward model, and the control on shuffled labels."""
    dpo: Fitting = field(default_factory=lambda: Fitting(num_epochs=1))
    """DPO from the same pairs."""
    ppo: Practice = field(default_factory=Practice)
    """PPO."""
    max_kept_mb: int = 3000
    """Most memory for the frozen layers' activations of the training pairs; more is refused before anything is run."""
    show_samples: bool = False
    """Print prompts and answers in the report. They hold offensive text."""
    precision: Precision = Precision.AUTO
    """Type of weights and arithmetic; `auto` is float32, with bfloat16 products where the hardware has them."""
    device: str = "auto"
    """auto, cpu or cuda."""
    seed: int = 0
    """Everything random follows from it."""

    def __post_init__(self) -> None:
        # Each trainer judges its own settings: now, not when its stage begins.
        for config_of in (self.sft_config, self.dpo_config, self.ppo_config):
            config_of(resume=False)
        self.reward_config("reward", resume=False)

    @property
    def folder(self) -> Path:
        """Where everything lands."""
        return Path(self.out)

    @property
    def data_folder(self) -> Path:
        """Where the data sets lie. Raises PlauditError where no folder is named."""
        name = self.data or os.environ.get("PLAUDIT_DATA", "")
        if not name:
            raise PlauditError("PLAUDIT_DATA is unset: set it to the folder of data sets, or give --data")
        return Path(name)

    def model_of(self, stage: str) -> str:
        """The model folder of a stage."""
        return str(self.folder / stage / "model")

    @property
    def upper(self) -> TrainLayers:
        """What reward model, PPO and DPO train."""
        return TrainLayers(kind="upper", num_upper=self.num_upper)

    @property
    def sampling(self) -> Sampling:
        """How answers are drawn, in PPO and in the evaluation alike."""
        return Sampling(max_new_tokens=self.ppo.max_new_tokens, batch_size=64)

    def sft_config(self, *, resume: bool) -> SFTConfig:
        """The fine-tuning."""
        return SFTConfig(
            model=self.model,
            out=str(self.folder / "sft"),
            train=TrainLayers(kind="all"),
            optimiser=OptimiserConfig(learning_rate=self.sft.learning_rate),
            epochs=self.sft.epochs(),
            max_tokens=self.subsets.max_tokens,
            precision=self.precision,
            device=self.device,
            seed=self.seed,
            resume=resume,
        )

    def reward_config(self, stage: str, *, resume: bool) -> RewardConfig:
        """The reward model of `stage`: the one PPO learns from, or the control, which needs no normalisation."""
        return RewardConfig(
            model=self.model_of("sft"),
            out=str(self.folder / stage),
            train=self.upper,
            optimiser=OptimiserConfig(learning_rate=self.reward.learning_rate),
            epochs=self.reward.epochs(),
            max_tokens=self.subsets.max_tokens,
            normalise_on="sampled" if stage == "reward" else "none",
            precision=self.precision,
            device=self.device,
            seed=self.seed,
            resume=resume,
        )

    def dpo_config(self, *, resume: bool) -> DPOConfig:
        """DPO."""
        return DPOConfig(
            model=self.model_of("sft"),
            out=str(self.folder / "dpo"),
            train=self.upper,
            optimiser=OptimiserConfig(learning_rate=self.dpo.learning_rate),
            epochs=self.dpo.epochs(),
            max_tokens=self.subsets.max_tokens,
            precision=self.precision,
            device=self.device,
            seed=self.seed,
            resume=resume,
        )

    def ppo_config(self, *, resume: bool) -> PPOConfig:
        """PPO."""
        return PPOConfig(
            model=self.model_of("sft"),
            reward_model=self.model_of("reward"),
            out=str(self.folder / "ppo"),
            train=self.upper,
            experience=ExperienceConfig(
                prompts_per_step=self.ppo.prompts_per_step,
                answers_per_prompt=self.ppo.answers_per_prompt,
                sampling=self.sampling,
                max_prompt_tokens=self.subsets.max_prompt_tokens,
            ),
            num_steps=self.ppo.num_steps,
            optimiser=OptimiserConfig(
                learning_rate=self.ppo.learning_rate, schedule=Schedule.LINEAR, warmup_frac=0.0, eps=1e-5
            ),
            kl_coef=self.ppo.kl_coef,
            # So few steps teach a critic little: an answer is measured against its siblings instead.
            score_baseline="leave_one_out",
            gae_lambda=1.0,
            checkpoint_every=4,
            precision=self.precision,
            device=self.device,
            seed=self.seed,
            resume=resume,
        )
