"""Proximal policy optimisation with a critic, a per-token KL penalty to the SFT policy, and any scorer.

Deviates from Schulman et al. 2017 as InstructGPT does: one episode an answer, the KL in the reward, gamma 1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import torch
from jaxtyping import Float, Int
from pydantic import JsonValue
from torch import Tensor

from plaudit.algorithms.advantages import generalised_advantages, leave_one_out_advantages, shaped_rewards
from plaudit.algorithms.kl import adapted_kl_coef
from plaudit.algorithms.masked import masked_mean, whitened
from plaudit.algorithms.policy import clipped_policy_loss, clipped_value_loss, explained_variance
from plaudit.batches.rollouts import Rollouts
from plaudit.batches.tokens import TokenRows
from plaudit.evaluation.judges import Judge
from plaudit.models.load import device_for
from plaudit.models.save import save_policy, save_value
from plaudit.models.value import ValueModel
from plaudit.rewards.scorer import Scorer
from plaudit.runs import RunDirectory
from plaudit.schemas.conversation import Frozen, Messages
from plaudit.schemas.feedback import Demonstration
from plaudit.schemas.protocols import Interlocutor
from plaudit.trainers.assembly import assembled_actor
from plaudit.trainers.epochs import under
from plaudit.trainers.experience import Actor, Experience
from plaudit.trainers.guards import KLGuard
from plaudit.trainers.minibatches import split_evenly, together
from plaudit.trainers.monitor import HackingMonitor
from plaudit.trainers.online import run_steps
from plaudit.trainers.optimisation import Optimiser
from plaudit.trainers.ppo_config import PPOConfig
from plaudit.trainers.ptx import PTX
from plaudit.trainers.tally import Means, added, health


@dataclass(frozen=True, slots=True)
class Targets:
    """What the epochs of one step descend towards; every tensor is [B, T], zero outside the answers."""

    rows: TokenRows
    old_logprobs: Float[Tensor, "B T"]
    old_values: Float[Tensor, "B T"]
    advantages: Float[Tensor, "B T"]
    returns: Float[Tensor, "B T"]

    def select(self, index: Int[Tensor, "n"]) -> Targets:
        """The rows at `index`, cut to the longest of them."""
        rows = self.rows.select(index)
        width = rows.token_ids.shape[1]
        cut = (x[index][:, :width] for x in (self.old_logprobs, self.old_values, self.advantages, self.returns))
        return Targets(rows, *cut)


class PPO:
    """The state of a run: networks, optimisers, coefficient. `step` is the algorithm."""

    def __init__(self, config: PPOConfig, actor: Actor, value: ValueModel, ptx: PTX | None) -> None:
        self.config, self.actor, self.policy, self.value, self.ptx = config, actor, actor.policy, value, ptx
        self.timer = actor.timer
        self.kl_coef = config.kl_coef
        self.guard = KLGuard()
        num_updates = config.num_steps * config.num_epochs * config.num_minibatches
        self.policy_optimiser = Optimiser(self.policy.trained_parameters(), config.optimiser, num_updates)
        self.value_optimiser = Optimiser(value.trained_parameters(), config.value_optimiser, num_updates)

    def step(self, step: int) -> tuple[Experience, dict[str, float]]:
        """Sample, score, ask reference and critic; shape rewards, estimate advantages; descend; adapt the coefficient."""
        config = self.config
        experience = self.actor.gather(step)
        self.guard.check(experience.kl)
        rows, old_logprobs = experience.rows, experience.rollouts.logprobs
        mask = rows.answer_mask
        values = self.actor.in_portions(partial(self._values, experience.rollouts))
        rewards = shaped_rewards(
            self._baselined(experience.scores),
            old_logprobs,
            experience.ref_logprobs,
            mask,
            kl_coef=self.kl_coef,
            dense=experience.raw.dense,
        )
        if config.whiten_rewards:
            rewards = whitened(rewards, mask, shift_mean=False)
        advantages, returns = generalised_advantages(rewards, values, mask, gamma=config.gamma, lam=config.gae_lambda)
        if config.whiten_advantages:
            advantages = whitened(advantages, mask, shift_mean=True)
        metrics = self._descend(
            Targets(rows, old_logprobs, values, advantages, returns), experience.rollouts.prompt_index, step
        )
        metrics |= experience.metrics() | {
            "reward/mean": float(experience.returns(self.kl_coef).mean()),
            "value/explained_variance": float(explained_variance(values, returns, mask)),
            "kl_coef": self.kl_coef,
        }
        self.kl_coef = self._adapted_kl_coef(experience)
        return experience, metrics

    def _baselined(self, scores: Float[Tensor, "B"]) -> Float[Tensor, "B"]:
        if self.config.score_baseline == "none":
            return scores
        return leave_one_out_advantages(scores.view(-1, self.config.experience.answers_per_prompt)).flatten()

    def _adapted_kl_coef(self, experience: Experience) -> float:
        if self.config.kl_target is None:
            return self.kl_coef
        return adapted_kl_coef(
            self.kl_coef,
            float(experience.kl.mean()),
            target=self.config.kl_target,
            num_episodes=len(experience.rows),
            horizon=self.config.resolved_kl_horizon,
        )

    @torch.no_grad()
    def _values(self, rollouts: Rollouts) -> Float[Tensor, "B T"]:
        rows, states = rollouts.rows, rollouts.states
        assert states is not None
        with self.timer("value"):
            values = torch.zeros(rows.token_ids.shape, device=rows.token_ids.device)
            for part in rows.micro_batches(self.actor.portions.size):
                chosen = rows.select(part)
                width = chosen.token_ids.shape[1]
                values[part, :width] = self.value(chosen, states[part, :width])
        return values

    def _descend(self, targets: Targets, siblings: Int[Tensor, "B"], step: int) -> dict[str, float]:
        """E epochs of N minibatches: E * N optimiser steps, fewer only where `update_kl_stop` ends them.

        `siblings` numbers the prompts: its answers go into one minibatch as far as the split allows, and read it once.
        """
        config, means = self.config, Means()
        with self.timer("update"):
            for epoch in range(config.num_epochs):
                order = together(siblings, config.seed, "minibatches", step, epoch)
                for index in split_evenly(order, config.num_minibatches):
                    means.add(self._update(targets, index))
                if config.update_kl_stop is not None and means.latest["policy/approx_kl"] > config.update_kl_stop:
                    break
        return means.values()

    def _clear(self) -> None:
        self.policy_optimiser.clear()
        self.value_optimiser.clear()

    def _update(self, targets: Targets, index: Int[Tensor, "n"]) -> dict[str, float]:
        """One optimiser step."""
        numbers = self.actor.in_portions(partial(self._backward, targets, index), self._clear)
        numbers["lr"] = self.policy_optimiser.learning_rate
        numbers["grad_norm/policy"] = self.policy_optimiser.step()
        numbers["grad_norm/value"] = self.value_optimiser.step()
        return numbers

    def _backward(self, targets: Targets, index: Int[Tensor, "n"]) -> dict[str, float]:
        """The minibatch's gradients. Micro-batches accumulate over its token count, so their size changes nothing."""
        config = self.config
        numbers: dict[str, float] = {}
        num_tokens = float(targets.rows.answer_mask[index].sum())
        for part in targets.rows.micro_batches(self.actor.portions.size, index):
            chosen = targets.select(part)
            mask = chosen.rows.answer_mask
            stats = self.policy(chosen.rows, config.experience.sampling.temperature)
            policy_loss = clipped_policy_loss(
                stats.logprobs,
                chosen.old_logprobs,
                chosen.advantages,
                mask,
                clip=config.policy_clip,
                denominator=num_tokens,
            )
            value_loss = clipped_value_loss(
                self.value(chosen.rows, stats.hidden),
                chosen.old_values,
                chosen.returns,
                mask,
                clip=config.value_clip,
                denominator=num_tokens,
            )
            (policy_loss.loss + config.vf_coef * value_loss.loss).backward()
            numbers = added(numbers, health(policy_loss, value_loss, masked_mean(stats.entropy, mask, num_tokens)))
        if self.ptx is not None:
            numbers |= self.ptx.backward(self.policy_optimiser.num_done)
        return numbers

    def state(self) -> tuple[dict[str, Tensor], dict[str, JsonValue]]:
        """Everything a resumed run needs besides its config and data; random streams follow from the step."""
        parts: dict[str, Mapping[str, Tensor]] = {
            "policy": dict(self.policy.trained_parameters()),
            "value": dict(self.value.trained_parameters()),
            "policy_optimiser": self.policy_optimiser.state_tensors(),
            "value_optimiser": self.value_optimiser.state_tensors(),
        }
        tensors = {f"{part}/{name}": x for part, named in parts.items() for name, x in named.items()}
        return tensors, {"kl_coef": self.kl_coef, "guard": self.guard.state()}

    @torch.no_grad()
    def load_state(self, tensors: Mapping[str, Tensor], state: Mapping[str, JsonValue]) -> None:
        """Puts back what `state` gave."""
        for name, parameter in self.policy.trained_parameters():
            parameter.copy_(tensors[f"policy/{name}"])
        for name, parameter in self.value.trained_parameters():
            parameter.copy_(tensors[f"value/{name}"])
        self.policy_optimiser.load_state_tensors(under(tensors, "policy_optimiser/"))
        self.value_optimiser.load_state_tensors(under(tensors, "value_optimiser/"))
        saved = PPOState.model_validate(state)
        self.kl_coef = saved.kl_coef
        self.guard.load_state(saved.guard)


class PPOState(Frozen):
    """The JSON half of PPO's state."""

    kl_coef: float
    guard: dict[str, JsonValue]


@dataclass(frozen=True, slots=True)
class PPOResult:
    """Where the policy is, and the metrics of the step that it is of: the last, or the monitor's best look (see `Ended`)."""

    folder: Path
    metrics: dict[str, float]
    step: int


def train(
    config: PPOConfig,
    prompts: Sequence[Messages],
    *,
    scorer: Scorer | None = None,
    demonstrations: Sequence[Demonstration] = (),
    held_prompts: Sequence[Messages] = (),
    judge: Judge | None = None,
    interlocutor: Interlocutor | None = None,
) -> PPOResult:
    """Improves `config.model` on the prompts; the policy is written to `<out>/model`.

    `scorer` replaces the reward model of the config; `demonstrations` feed the PTX term; the hacking monitor, where it is
    on, asks `held_prompts` and lets `judge` compare the answers with the reference's. Where `experience.max_answers` is above
    1, the `interlocutor` replies to answers, and an episode goes on.
    """
    ppo = assembled(config, prompts, scorer, demonstrations, interlocutor)
    monitor = HackingMonitor.on(config.monitor, ppo.actor, held_prompts, judge, ppo.value)
    run = RunDirectory.create(
        config.out,
        command="ppo",
        config=asdict(config),
        seed=config.seed,
        resume=config.resume,
        may_change={"resume"},
        parent=config.model,
    )
    with run:
        ended = run_steps(ppo, config, run, monitor)
        folder, tokenizer = run.path / "model", ppo.actor.codec.tokenizer
        save_policy(ppo.policy, tokenizer, folder, made_by="ppo", parent=config.model, numbers=ended.measured)
        save_value(ppo.value, run.path / "value")
    return PPOResult(folder, ended.metrics, ended.step)


def assembled(
    config: PPOConfig,
    prompts: Sequence[Messages],
    scorer: Scorer | None,
    demonstrations: Sequence[Demonstration],
    interlocutor: Interlocutor | None = None,
) -> PPO:
    """The networks and data of a run, put together. Raises PlauditError for settings that contradict each other."""
    from_reward = config.value == "reward"
    parts = assembled_actor(config, prompts, scorer, needs_reward_model=from_reward, interlocutor=interlocutor)
    if from_reward:
        assert parts.reward is not None
        value = ValueModel.from_reward(parts.reward)
    else:
        value = ValueModel.on_policy(parts.actor.policy.width)
    ptx = PTX.on(demonstrations, parts.actor, coef=config.ptx_coef, batch_size=config.ptx_batch_size)
    return PPO(config, parts.actor, value.to(device_for(config.device)), ptx)
