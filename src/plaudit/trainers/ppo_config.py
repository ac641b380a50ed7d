"""The settings of PPO, each with what raising it does."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from plaudit.models.load import Precision
from plaudit.models.policy import TrainLayers
from plaudit.schemas.errors import PlauditError
from plaudit.text.prompts import TooLong
from plaudit.trainers.experience import ExperienceConfig
from plaudit.trainers.monitor import MonitorConfig
from plaudit.trainers.online import check_loop
from plaudit.trainers.optimisation import OptimiserConfig, Schedule


def _policy_optimiser() -> OptimiserConfig:
    return OptimiserConfig(learning_rate=5e-5, schedule=Schedule.LINEAR, warmup_frac=0.0, eps=1e-5)


def _value_optimiser() -> OptimiserConfig:
    return OptimiserConfig(learning_rate=1e-3, schedule=Schedule.LINEAR, warmup_frac=0.0, eps=1e-5)


@dataclass(frozen=True, kw_only=True, slots=True)
class PPOConfig:
    """PPO against a scorer, with a KL penalty to the policy it starts from."""

    model: str = "runs/sft/model"
    """The SFT policy: where learning starts, and the reference of the KL."""
    reward_model: str = "runs/reward/model"
    """The reward model's folder; empty where the caller brings its own scorer, or a span model is all there is."""
    reward_ensemble: tuple[str, ...] = ()
    """Folders of further reward models, fitted with other seeds: the score is the mean over all of them and `reward_model`."""
    spread_coef: float = 0.0
    """How many standard deviations between the members of that ensemble are taken off its mean. Higher keeps further away
    from answers that they disagree about."""
    span_model: str = ""
    """The folder of a span model (`plaudit spans`): what it expects to be marked in a sentence is paid at its end, besides
    the score. Empty pays nothing."""
    span_weight: float = -1.0
    """What a sentence is paid that is marked for certain. Negative where marks are errors; further from 0 counts more."""
    out: str = "runs/ppo"
    """The run folder; the model lands in its `model/`."""
    train: TrainLayers = field(default_factory=TrainLayers)
    """Which of the policy's parameters learn."""
    value: Literal["policy", "reward"] = "policy"
    """The critic: a zero-started head on the policy's layers (cheap), or a branch of its own begun as the reward model."""
    experience: ExperienceConfig = field(default_factory=ExperienceConfig)
    """How a step's answers are sampled and scored."""
    prompt_too_long: TooLong = TooLong.REFUSE
    """What happens to prompts over experience.max_prompt_tokens: refuse, drop (counted) or truncate (oldest turns first)."""
    num_steps: int = 24
    """Rounds of sampling and learning."""
    num_epochs: int = 2
    """Passes over each step's answers. More learns more from each and strays further from the policy that wrote them."""
    num_minibatches: int = 4
    """Optimiser steps a pass: each pass makes exactly this many."""
    micro_batch_size: int = 16
    """Answers run at once; halved where memory runs out. Changes no result beyond rounding."""
    optimiser: OptimiserConfig = field(default_factory=_policy_optimiser)
    """How the policy moves."""
    value_optimiser: OptimiserConfig = field(default_factory=_value_optimiser)
    """How the critic moves."""
    kl_coef: float = 0.05
    """Reward lost a nat of KL to the reference. Higher stays nearer."""
    kl_target: float | None = None
    """Adapt kl_coef so that the KL (nats an answer) moves towards this; unset keeps it fixed."""
    kl_horizon: float | None = None
    """Episodes over which kl_coef adapts; unset means ten steps' worth."""
    policy_clip: float = 0.2
    """Ratios beyond 1 +- this earn nothing more. Higher allows larger moves."""
    value_clip: float = 0.2
    """Values may move this far from the old ones before the loss stops rewarding it."""
    vf_coef: float = 0.1
    """Weight of the value loss; with a critic on the policy's layers it bends the policy."""
    score_baseline: Literal["none", "leave_one_out"] = "none"
    """`leave_one_out` subtracts the mean score of the prompt's other answers: how hard a prompt is no longer is noise that
    the critic has to learn away, and the gradient stays unbiased. Needs 2 answers a prompt; worth it in short runs."""
    gamma: float = 1.0
    """Discount a token."""
    gae_lambda: float = 0.95
    """Advantage estimation: 1 trusts the returns (noisy), 0 the critic (biased)."""
    whiten_rewards: bool = False
    """Scale rewards to unit variance, mean kept."""
    whiten_advantages: bool = True
    """Scale advantages to mean 0 and unit variance over the whole batch."""
    update_kl_stop: float | None = None
    """End a step's passes once the new policy is this far (nats a token) from the one that sampled."""
    ptx_coef: float = 0.0
    """Weight of the language-modelling term on demonstrations; needs demonstrations."""
    ptx_batch_size: int = 16
    """Demonstrations an update in that term."""
    checkpoint_every: int = 8
    """Steps between checkpoints; 0 writes none."""
    num_checkpoints: int = 2
    """How many are kept."""
    monitor: MonitorConfig = field(default_factory=MonitorConfig)
    """Whether and how held-out answers are watched for a score that rises while they get worse."""
    precision: Precision = Precision.AUTO
    """Type of weights and arithmetic; `auto` is float32, with bfloat16 products where the hardware has them."""
    device: str = "auto"
    """auto, cpu or cuda."""
    seed: int = 0
    """Everything random follows from it."""
    resume: bool = False
    """Continue the run in `out` from its last checkpoint."""

    def __post_init__(self) -> None:
        if min(self.num_steps, self.num_epochs, self.num_minibatches, self.micro_batch_size, self.ptx_batch_size) < 1:
            raise PlauditError("num_steps, num_epochs, num_minibatches and the batch sizes must be at least 1")
        check_loop(self)
        if self.score_baseline == "leave_one_out" and self.experience.answers_per_prompt < 2:
            raise PlauditError("score_baseline 'leave_one_out' needs experience.answers_per_prompt of at least 2")
        if min(self.kl_coef, self.vf_coef, self.ptx_coef) < 0 or min(self.policy_clip, self.value_clip) <= 0:
            raise PlauditError("kl_coef, vf_coef and ptx_coef may not be negative; the clips must be above 0")
        if not (0 <= self.gamma <= 1 and 0 <= self.gae_lambda <= 1):
            raise PlauditError(f"gamma and gae_lambda must lie in [0, 1], got {self.gamma} and {self.gae_lambda}")
        if self.kl_target is not None and (self.kl_target <= 0 or self.kl_coef == 0):
            raise PlauditError("an adaptive coefficient needs kl_target and a starting kl_coef above 0")
        if self.kl_horizon is not None and self.kl_horizon < self.experience.num_answers:
            raise PlauditError(
                f"kl_horizon = {self.kl_horizon} is shorter than a step of {self.experience.num_answers} answers: the "
                "coefficient would leap, and could fall below 0"
            )

    @property
    def resolved_kl_horizon(self) -> float:
        """Episodes over which the coefficient adapts."""
        return self.kl_horizon if self.kl_horizon is not None else 10.0 * self.experience.num_answers
