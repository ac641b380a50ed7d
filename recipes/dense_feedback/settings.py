"""The recipe's settings; recipe.toml fills them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from plaudit.models.load import Precision
from plaudit.models.policy import TrainLayers
from plaudit.rollout.sampler import Sampling
from plaudit.schemas.errors import PlauditError
from plaudit.trainers.epochs import EpochsConfig
from plaudit.trainers.experience import ExperienceConfig
from plaudit.trainers.optimisation import OptimiserConfig, OptimiserKind
from plaudit.trainers.ppo_config import PPOConfig
from plaudit.trainers.sft import SFTConfig
from plaudit.trainers.spans import SpansConfig

SETS = "finegrained-qa-feedback/dev_feedback.jsonl"


@dataclass(frozen=True, kw_only=True, slots=True)
class DenseConfig:
    """What people marked in answers, learnt token by token, and PPO that is charged for it sentence by sentence."""

    model: str = "smollm2-135m"
    """The model to start from."""
    data: str = ""
    """The folder of data sets; empty means $PLAUDIT_DATA."""
    out: str = "runs/dense_feedback"
    """The folder for every model, measurement and the report. A finished stage in it is not repeated."""
    held_frac: float = 0.3
    """Questions that nothing is learnt from."""
    num_upper: int = 12
    """Upper layers that the span model trains; PPO trains as many."""
    max_tokens: int = 1024
    """Longest question, its passages included, with an answer."""
    span_epochs: int = 4
    """Passes over the marked answers, at most."""
    span_rate: float = 1e-4
    """The span model's peak rate."""
    num_steps: int = 8
    """PPO's rounds."""
    prompts_per_step: int = 8
    """Questions a round."""
    answers_per_prompt: int = 6
    """Answers to each."""
    max_new_tokens: int = 80
    """The length limit of every answer."""
    weight: float = -4.0
    """What a sentence that is sure to be marked is charged."""
    num_eval: int = 40
    """Held-out questions that the models answer."""
    precision: Precision = Precision.AUTO
    """Type of weights and arithmetic; `auto` is float32, with bfloat16 products where the hardware has them."""
    device: str = "auto"
    """auto, cpu or cuda."""
    seed: int = 0
    """Everything random follows from it."""

    @property
    def folder(self) -> Path:
        """Where everything lands."""
        return Path(self.out)

    @property
    def file(self) -> Path:
        """The marked answers. Raises PlauditError where no folder is named."""
        name = self.data or os.environ.get("PLAUDIT_DATA", "")
        if not name:
            raise PlauditError("PLAUDIT_DATA is unset: set it to the folder of data sets, or give --data")
        return Path(name) / SETS

    @property
    def upper(self) -> TrainLayers:
        """What the span model and PPO train."""
        return TrainLayers(kind="upper", num_upper=self.num_upper)

    @property
    def sampling(self) -> Sampling:
        """How answers are drawn, in PPO and in the evaluation alike."""
        return Sampling(max_new_tokens=self.max_new_tokens, batch_size=48)

    def model_of(self, stage: str) -> str:
        """The model folder of a stage."""
        return str(self.folder / stage / "model")

    def sft_config(self, *, resume: bool) -> SFTConfig:
        """Fine-tuning on people's corrected answers."""
        return SFTConfig(
            model=self.model,
            out=str(self.folder / "sft"),
            train=self.upper,
            optimiser=OptimiserConfig(learning_rate=1e-4),
            epochs=EpochsConfig(num_epochs=2, batch_size=16, micro_batch_size=4),
            max_tokens=self.max_tokens,
            drop_too_long=True,
            precision=self.precision,
            device=self.device,
            seed=self.seed,
            resume=resume,
        )

    def spans_config(self, *, resume: bool) -> SpansConfig:
        """The span model."""
        return SpansConfig(
            model=self.model_of("sft"),
            out=str(self.folder / "spans"),
            train=self.upper,
            optimiser=OptimiserConfig(learning_rate=self.span_rate),
            epochs=EpochsConfig(num_epochs=self.span_epochs, batch_size=8, micro_batch_size=4),
            max_tokens=self.max_tokens,
            precision=self.precision,
            device=self.device,
            seed=self.seed,
            resume=resume,
        )

    def ppo_config(self, *, resume: bool) -> PPOConfig:
        """PPO, charged for what the span model expects to be marked."""
        return PPOConfig(
            model=self.model_of("sft"),
            reward_model="",
            out=str(self.folder / "ppo"),
            train=self.upper,
            experience=ExperienceConfig(
                prompts_per_step=self.prompts_per_step,
                answers_per_prompt=self.answers_per_prompt,
                sampling=self.sampling,
                max_prompt_tokens=self.max_tokens - self.max_new_tokens,
            ),
            num_steps=self.num_steps,
            num_epochs=1,
            num_minibatches=2,
            micro_batch_size=8,
            optimiser=OptimiserConfig(kind=OptimiserKind.MUON, learning_rate=3e-4, eps=1e-5),
            kl_coef=0.05,
            # A sentence is charged where it ends: what was written before it earns nothing by it, what follows neither.
            gae_lambda=0.95,
            precision=self.precision,
            device=self.device,
            seed=self.seed,
            resume=resume,
        )
