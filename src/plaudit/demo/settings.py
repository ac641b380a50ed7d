"""The demo's settings: few for the user, the rest fixed here by the size of the model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from plaudit.models import tiny
from plaudit.models.load import Precision
from plaudit.models.policy import TrainLayers
from plaudit.rollout.sampler import Sampling
from plaudit.trainers.dpo import DPOConfig
from plaudit.trainers.epochs import EpochsConfig
from plaudit.trainers.experience import ExperienceConfig
from plaudit.trainers.optimisation import OptimiserConfig, OptimiserKind, Schedule
from plaudit.trainers.ppo_config import PPOConfig
from plaudit.trainers.reward import RewardConfig
from plaudit.trainers.rloo import RLOOConfig
from plaudit.trainers.sft import SFTConfig

NUM_ANSWERS = 4
# Each question is put to the whole panel: half of it ranks four answers, the other half four others.
NUM_SHEETS = 2
PER_PROMPT = 8


@dataclass(frozen=True, kw_only=True, slots=True)
class DemoConfig:
    """The main job end to end, on the project's own texts and a simulated panel."""

    model: str = "smollm2-135m"
    """The model to improve: `smollm2-135m`, `tiny` for a dry run under a minute, a folder or a hub id."""
    out: str = "demo-out"
    """The folder for every model, every answer and the report. A finished stage in it is not repeated."""
    seed: int = 0
    """Everything random follows from it."""
    rloo: bool = False
    """Run RLOO as well; it takes about as long as PPO."""
    precision: Precision = Precision.AUTO
    """Type of weights and arithmetic; `auto` is float32, with bfloat16 products where the hardware has them."""
    device: str = "auto"
    """auto, cpu or cuda."""

    @property
    def is_dry(self) -> bool:
        """Whether this is the dry run on `tiny`."""
        return self.model == tiny.NAME

    @property
    def folder(self) -> Path:
        """Where everything lands."""
        return Path(self.out)

    def model_of(self, stage: str) -> str:
        """The model folder of a stage."""
        return str(self.folder / stage / "model")

    @property
    def sampling(self) -> Sampling:
        """How answers are drawn, in collecting, in PPO and in the evaluation alike."""
        if self.is_dry:
            return Sampling(max_new_tokens=24, temperature=0.6)
        return Sampling(max_new_tokens=64, temperature=0.5, batch_size=192)

    @property
    def num_held(self) -> int:
        """Demonstrations kept for the perplexity."""
        return 8 if self.is_dry else 40

    @property
    def num_train(self) -> int:
        """Questions the panel ranks answers to."""
        return 24 if self.is_dry else 400

    @property
    def num_eval(self) -> int | None:
        """Questions of the evaluation; None for all."""
        return 32 if self.is_dry else None

    @property
    def upper(self) -> TrainLayers:
        """What reward model, PPO, DPO and RLOO train."""
        return TrainLayers(kind="upper", num_upper=1 if self.is_dry else 6)

    def sft(self) -> SFTConfig:
        """The fine-tuning."""
        return SFTConfig(
            model=self.model,
            out=str(self.folder / "sft"),
            train=TrainLayers(kind="all"),
            optimiser=OptimiserConfig(learning_rate=1e-2 if self.is_dry else 1e-4),
            epochs=EpochsConfig(num_epochs=3, checkpoint=False),
            validation_frac=0.0,
            precision=self.precision,
            device=self.device,
            seed=self.seed,
        )

    def reward(self) -> RewardConfig:
        """The reward model."""
        return RewardConfig(
            model=self.model_of("sft"),
            out=str(self.folder / "reward"),
            train=self.upper,
            optimiser=OptimiserConfig(learning_rate=1e-3 if self.is_dry else 5e-4),
            epochs=EpochsConfig(num_epochs=2, batch_size=4, micro_batch_size=16, checkpoint=False),
            validation_frac=0.0,
            # The panel ranked the SFT model's own answers, so these are the reference's.
            normalise_on="data",
            num_reference_answers=256,
            precision=self.precision,
            device=self.device,
            seed=self.seed,
        )

    def experience(self) -> ExperienceConfig:
        """How PPO and RLOO sample."""
        return ExperienceConfig(
            prompts_per_step=8 if self.is_dry else 32,
            answers_per_prompt=4 if self.is_dry else 6,
            sampling=self.sampling,
        )

    def ppo(self) -> PPOConfig:
        """PPO."""
        return PPOConfig(
            model=self.model_of("sft"),
            reward_model=self.model_of("reward"),
            out=str(self.folder / "ppo"),
            train=self.upper,
            experience=self.experience(),
            num_steps=4 if self.is_dry else 16,
            num_epochs=1,
            num_minibatches=2,
            micro_batch_size=24,
            optimiser=self._online(),
            kl_coef=0.11,
            # A critic of twenty-odd steps explains little: an answer's worth is told to all its tokens, against its siblings.
            gae_lambda=1.0,
            score_baseline="leave_one_out",
            ptx_coef=0.1,
            ptx_batch_size=16,
            precision=self.precision,
            device=self.device,
            seed=self.seed,
        )

    def rloo_config(self) -> RLOOConfig:
        """RLOO, at PPO's number of answers and updates."""
        ppo = self.ppo()
        return RLOOConfig(
            model=ppo.model,
            reward_model=ppo.reward_model,
            out=str(self.folder / "rloo"),
            train=ppo.train,
            experience=ppo.experience,
            num_steps=ppo.num_steps,
            num_epochs=ppo.num_epochs,
            num_minibatches=ppo.num_minibatches,
            optimiser=ppo.optimiser,
            kl_coef=ppo.kl_coef,
            precision=self.precision,
            device=self.device,
            seed=self.seed,
        )

    def _online(self) -> OptimiserConfig:
        # A gradient of two hundred answers tells a few directions from noise, and KL is paid for all that are taken.
        return OptimiserConfig(
            kind=OptimiserKind.MUON,
            learning_rate=1e-3 if self.is_dry else 9e-4,
            rank=8,
            schedule=Schedule.LINEAR,
            warmup_frac=0.2,
            eps=1e-5,
        )

    def dpo(self) -> DPOConfig:
        """DPO from the same rankings."""
        return DPOConfig(
            model=self.model_of("sft"),
            out=str(self.folder / "dpo"),
            train=self.upper,
            optimiser=OptimiserConfig(learning_rate=1e-3 if self.is_dry else 2e-5),
            epochs=EpochsConfig(num_epochs=1, batch_size=8, micro_batch_size=16, checkpoint=False),
            precision=self.precision,
            device=self.device,
            seed=self.seed,
        )
