"""REINFORCE with a leave-one-out baseline: several answers a prompt are each other's baseline, no critic.

Deviates from Ahmadian et al. 2024 in its step: the advantage of the whole answer goes to each of its tokens under PPO's
clipped ratio, so that an epoch may hold several updates; with one update an epoch and one epoch it is theirs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path

import torch
from jaxtyping import Float, Int
from pydantic import JsonValue
from torch import Tensor

from plaudit.algorithms.advantages import leave_one_out_advantages
from plaudit.algorithms.masked import masked_mean
from plaudit.algorithms.policy import clipped_policy_loss
from plaudit.evaluation.judges import Judge
from plaudit.models.load import Precision
from plaudit.models.policy import TrainLayers
from plaudit.models.save import save_policy
from plaudit.rewards.scorer import Scorer
from plaudit.runs import RunDirectory
from plaudit.schemas.conversation import Messages
from plaudit.schemas.errors import PlauditError
from plaudit.schemas.protocols import Interlocutor
from plaudit.text.prompts import TooLong
from plaudit.trainers.assembly import assembled_actor
from plaudit.trainers.epochs import under
from plaudit.trainers.experience import Actor, Experience, ExperienceConfig
from plaudit.trainers.guards import KLGuard
from plaudit.trainers.minibatches import split_evenly, together
from plaudit.trainers.monitor import HackingMonitor, MonitorConfig
from plaudit.trainers.online import check_loop, run_steps
from plaudit.trainers.optimisation import Optimiser, OptimiserConfig, Schedule
from plaudit.trainers.tally import Means, added, health


def _optimiser() -> OptimiserConfig:
    return OptimiserConfig(learning_rate=5e-5, schedule=Schedule.LINEAR, warmup_frac=0.0, eps=1e-5)


@dataclass(frozen=True, kw_only=True, slots=True)
class RLOOConfig:
    """RLOO against a scorer, with a KL penalty to the policy it starts from."""

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
    out: str = "runs/rloo"
    """The run folder; the model lands in its `model/`."""
    train: TrainLayers = field(default_factory=TrainLayers)
    """Which of the policy's parameters learn."""
    experience: ExperienceConfig = field(default_factory=ExperienceConfig)
    """How a step's answers are sampled and scored; needs at least 2 answers a prompt."""
    prompt_too_long: TooLong = TooLong.REFUSE
    """What happens to prompts over experience.max_prompt_tokens."""
    num_steps: int = 24
    """Rounds of sampling and learning."""
    num_epochs: int = 2
    """Passes over each step's answers."""
    num_minibatches: int = 4
    """Optimiser steps a pass."""
    micro_batch_size: int = 16
    """Answers run at once; halved where memory runs out. Changes no result beyond rounding."""
    optimiser: OptimiserConfig = field(default_factory=_optimiser)
    """How the policy moves."""
    kl_coef: float = 0.05
    """Return lost a nat of KL to the reference. Higher stays nearer."""
    policy_clip: float = 0.2
    """Ratios beyond 1 +- this earn nothing more."""
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
        if self.experience.answers_per_prompt < 2:
            raise PlauditError(
                "RLOO compares the answers to one prompt: experience.answers_per_prompt must be at least 2"
            )
        if min(self.num_steps, self.num_epochs, self.num_minibatches, self.micro_batch_size) < 1:
            raise PlauditError("num_steps, num_epochs, num_minibatches and micro_batch_size must be at least 1")
        check_loop(self)
        if self.kl_coef < 0 or self.policy_clip <= 0:
            raise PlauditError("kl_coef may not be negative; policy_clip must be above 0")


@dataclass(frozen=True, slots=True)
class RLOOResult:
    """Where the policy is, and the metrics of the step that it is of: the last, or the monitor's best look (see `Ended`)."""

    folder: Path
    metrics: dict[str, float]
    step: int


def answer_advantages(experience: Experience, kl_coef: float, answers_per_prompt: int) -> Float[Tensor, "B"]:
    """Return (score and dense rewards minus the penalty on the answer's KL) over the mean return of the prompt's others."""
    return leave_one_out_advantages(experience.returns(kl_coef).view(-1, answers_per_prompt)).flatten()


class RLOO:
    """The state of a run; `step` is the algorithm."""

    def __init__(self, config: RLOOConfig, actor: Actor) -> None:
        self.config, self.actor, self.policy = config, actor, actor.policy
        self.guard = KLGuard()
        num_updates = config.num_steps * config.num_epochs * config.num_minibatches
        self.optimiser = Optimiser(self.policy.trained_parameters(), config.optimiser, num_updates)

    def step(self, step: int) -> tuple[Experience, dict[str, float]]:
        """Sample, score, compare the answers to each prompt, descend."""
        config, means = self.config, Means()
        experience = self.actor.gather(step)
        self.guard.check(experience.kl)
        advantages = answer_advantages(experience, config.kl_coef, config.experience.answers_per_prompt)
        # As in whitening: next to nothing is not scaled up.
        advantages = advantages * torch.rsqrt(advantages.var(correction=0) + 1e-8)
        with self.actor.timer("update"):
            for epoch in range(config.num_epochs):
                order = together(experience.rollouts.prompt_index, config.seed, "minibatches", step, epoch)
                for index in split_evenly(order, config.num_minibatches):
                    means.add(self._update(experience, advantages, index))
        return experience, means.values() | experience.metrics()

    def _update(
        self, experience: Experience, advantages: Float[Tensor, "B"], index: Int[Tensor, "n"]
    ) -> dict[str, float]:
        """One optimiser step."""
        work = partial(self._backward, experience, advantages, index)
        numbers = self.actor.in_portions(work, self.optimiser.clear)
        numbers["lr"] = self.optimiser.learning_rate
        numbers["grad_norm/policy"] = self.optimiser.step()
        return numbers

    def _backward(
        self, experience: Experience, advantages: Float[Tensor, "B"], index: Int[Tensor, "n"]
    ) -> dict[str, float]:
        numbers: dict[str, float] = {}
        num_tokens = float(experience.rows.answer_mask[index].sum())
        for part in experience.rows.micro_batches(self.actor.portions.size, index):
            rows = experience.rows.select(part)
            width = rows.token_ids.shape[1]
            stats = self.policy(rows, self.config.experience.sampling.temperature)
            loss = clipped_policy_loss(
                stats.logprobs,
                experience.rollouts.logprobs[part, :width],
                advantages[part, None].expand(-1, width),
                rows.answer_mask,
                clip=self.config.policy_clip,
                denominator=num_tokens,
            )
            loss.loss.backward()
            numbers = added(numbers, health(loss, None, masked_mean(stats.entropy, rows.answer_mask, num_tokens)))
        return numbers

    def state(self) -> tuple[dict[str, Tensor], dict[str, JsonValue]]:
        """Everything a resumed run needs besides its config and data; random streams follow from the step."""
        tensors: dict[str, Tensor] = {f"policy/{name}": x for name, x in self.policy.trained_parameters()}
        tensors |= {f"optimiser/{name}": x for name, x in self.optimiser.state_tensors().items()}
        return tensors, self.guard.state()

    @torch.no_grad()
    def load_state(self, tensors: Mapping[str, Tensor], state: Mapping[str, JsonValue]) -> None:
        """Puts back what `state` gave."""
        for name, parameter in self.policy.trained_parameters():
            parameter.copy_(tensors[f"policy/{name}"])
        self.optimiser.load_state_tensors(under(tensors, "optimiser/"))
        self.guard.load_state(state)


def train(
    config: RLOOConfig,
    prompts: Sequence[Messages],
    *,
    scorer: Scorer | None = None,
    held_prompts: Sequence[Messages] = (),
    judge: Judge | None = None,
    interlocutor: Interlocutor | None = None,
) -> RLOOResult:
    """Improves `config.model` on the prompts; the policy is written to `<out>/model`.

    `scorer` replaces the reward model of the config; the hacking monitor, where it is on, asks `held_prompts` and lets
    `judge` compare the answers with the reference's. Where `experience.max_answers` is above 1, the `interlocutor` replies to
    answers, and an episode goes on.
    """
    actor = assembled_actor(config, prompts, scorer, interlocutor=interlocutor).actor
    rloo = RLOO(config, actor)
    monitor = HackingMonitor.on(config.monitor, actor, held_prompts, judge)
    run = RunDirectory.create(
        config.out,
        command="rloo",
        config=asdict(config),
        seed=config.seed,
        resume=config.resume,
        may_change={"resume"},
        parent=config.model,
    )
    with run:
        ended = run_steps(rloo, config, run, monitor)
        folder, tokenizer = run.path / "model", actor.codec.tokenizer
        save_policy(rloo.policy, tokenizer, folder, made_by="rloo", parent=config.model, numbers=ended.measured)
    return RLOOResult(folder, ended.metrics, ended.step)
