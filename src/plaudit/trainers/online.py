"""The loop that PPO and RLOO share: step, write, look, checkpoint. A resumed run is the uninterrupted one."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import torch
from pydantic import JsonValue
from torch import Tensor

from plaudit.checkpoints.folder import Checkpoint, keep_latest, save_checkpoint
from plaudit.runs import PhaseTimer, Progress, RunDirectory
from plaudit.schemas.conversation import Frozen
from plaudit.schemas.errors import PlauditError
from plaudit.trainers.epochs import under
from plaudit.trainers.experience import Actor, Experience, ExperienceConfig
from plaudit.trainers.guards import GuardError
from plaudit.trainers.memory import told
from plaudit.trainers.monitor import HackingMonitor
from plaudit.trainers.resuming import last_checkpoint, tell_of_threads

_MEASURED = ("score/mean", "kl/k1", "answer/length", "answer/stop_frac", "monitor/score", "monitor/win_rate")


class Learner(Protocol):
    """An algorithm that learns from its own answers."""

    @property
    def actor(self) -> Actor: ...

    def step(self, step: int) -> tuple[Experience, dict[str, float]]:
        """Sample, learn; the answers and the metrics. Everything random follows from the seed and `step`."""
        ...

    def state(self) -> tuple[dict[str, Tensor], dict[str, JsonValue]]:
        """All that a resumed run needs besides config and data, as tensors and JSON."""
        ...

    def load_state(self, tensors: Mapping[str, Tensor], state: Mapping[str, JsonValue]) -> None:
        """Puts back what `state` gave."""
        ...


class OnlineConfig(Protocol):
    """The settings of the loop."""

    @property
    def num_steps(self) -> int: ...
    @property
    def checkpoint_every(self) -> int: ...
    @property
    def num_checkpoints(self) -> int: ...
    @property
    def num_minibatches(self) -> int: ...
    @property
    def experience(self) -> ExperienceConfig: ...
    @property
    def reward_model(self) -> str: ...
    @property
    def reward_ensemble(self) -> tuple[str, ...]: ...
    @property
    def spread_coef(self) -> float: ...
    @property
    def resume(self) -> bool: ...


def check_loop(config: OnlineConfig) -> None:
    """Raises PlauditError for checkpoints, minibatches or an ensemble that cannot be."""
    if config.checkpoint_every < 0 or config.num_checkpoints < 1:
        raise PlauditError(
            f"checkpoint_every may not be negative and num_checkpoints must be at least 1, got {config.checkpoint_every} "
            f"and {config.num_checkpoints}"
        )
    if config.num_minibatches > config.experience.num_answers:
        raise PlauditError(
            f"num_minibatches = {config.num_minibatches}, but a step has {config.experience.num_answers} answers: every "
            "minibatch needs one"
        )
    if config.reward_ensemble and not config.reward_model:
        raise PlauditError("reward_ensemble extends reward_model, which is empty: name the first of them there")
    if config.spread_coef < 0 or (config.spread_coef > 0 and not config.reward_ensemble):
        raise PlauditError(
            f"spread_coef may not be negative, and needs a reward_ensemble to spread: got {config.spread_coef} with "
            f"{len(config.reward_ensemble)} further reward models"
        )


class LoopState(Frozen):
    """The JSON half of a checkpoint. Bit-for-bit equality of a resumed run on CPU depends on `threads` and the portions."""

    learner: dict[str, JsonValue]
    monitor: dict[str, JsonValue] | None
    threads: int
    rows_at_once: int
    decoded_at_once: int
    metrics: dict[str, float]


@dataclass(frozen=True, slots=True)
class Ended:
    """The step that a run's model is of, and that step's metrics.

    Where the monitor ended the run: those of the best look, which are of answers to the held-out prompts.
    """

    step: int
    metrics: dict[str, float]

    @property
    def measured(self) -> dict[str, float]:
        """What the model's card says."""
        return {name: self.metrics[name] for name in _MEASURED if name in self.metrics}


def run_steps(
    learner: Learner, config: OnlineConfig, run: RunDirectory, monitor: HackingMonitor | None = None
) -> Ended:
    """The steps of a run, from the last checkpoint on where it resumes.

    Where the monitor ends the run, what learns is left as it was at the best look.
    """
    first, metrics, timer = 0, dict[str, float](), learner.actor.timer
    learner.actor.tell_with(told(run))
    if config.resume:
        first, checkpoint = last_checkpoint(run, learner.actor.say)
        if checkpoint is not None:
            metrics = _load(checkpoint, learner, monitor)
    with Progress(run.manifest.command, total=config.num_steps, completed=first) as progress:
        learner.actor.tell_with(told(run, progress))
        for step in range(first, config.num_steps):
            if monitor is not None and monitor.has_tripped:
                break
            before, begun, cpu = timer.seconds(), time.perf_counter(), learning_cpu_seconds(timer)
            try:
                experience, metrics = learner.step(step)
            except GuardError:
                run.finish("stopped")
                raise
            speed = experience.rows.num_answer_tokens / (time.perf_counter() - begun)
            if monitor is not None and monitor.is_due(step + 1):
                metrics |= monitor.look(step + 1)
            seconds = {f"seconds/{name}": x - before.get(name, 0.0) for name, x in timer.seconds().items()}
            spent = {"cpu_seconds": learning_cpu_seconds(timer) - cpu, "tokens_per_s": speed}
            episodes = float((step + 1) * len(experience.rows))
            run.log_metrics(step + 1, metrics | seconds | spent | {"episodes": episodes})
            run.log_samples(experience.samples(step + 1))
            if config.checkpoint_every and (step + 1) % config.checkpoint_every == 0:
                _save(learner, monitor, metrics, run, step + 1)
                keep_latest(run, config.num_checkpoints)
            progress.advance(note=f"score {metrics['score/mean']:.2f}, KL {metrics['kl/k1']:.2f}")
    if monitor is not None and monitor.has_tripped:
        monitor.restore_best()
        learner.actor.say(
            f"stopped by the hacking monitor: {monitor.reason}. The model is that after step {monitor.best.step}"
        )
        run.finish("stopped")
        return Ended(monitor.best.step, monitor.best.metrics())
    return Ended(config.num_steps, metrics)


def learning_cpu_seconds(timer: PhaseTimer) -> float:
    """CPU seconds in all phases of learning; the monitor's looks are none."""
    return sum(spent for phase, spent in timer.cpu_seconds().items() if phase != "monitor")


def _save(
    learner: Learner, monitor: HackingMonitor | None, metrics: dict[str, float], run: RunDirectory, step: int
) -> None:
    tensors, state = learner.state()
    watched = None
    if monitor is not None:
        best, watched = monitor.state()
        tensors |= {f"best/{name}": x for name, x in best.items()}
    found = LoopState(
        learner=state,
        monitor=watched,
        threads=torch.get_num_threads(),
        rows_at_once=learner.actor.portions.size,
        decoded_at_once=learner.actor.decoding.size,
        metrics=metrics,
    )
    save_checkpoint(run.checkpoint_folder(step), tensors, found.model_dump())


def _load(checkpoint: Checkpoint, learner: Learner, monitor: HackingMonitor | None) -> dict[str, float]:
    state = LoopState.model_validate(checkpoint.state)
    tell_of_threads(state.threads, learner.actor.say)
    learner.load_state(checkpoint.tensors, state.learner)
    learner.actor.portions.size = state.rows_at_once
    learner.actor.decoding.size = state.decoded_at_once
    if monitor is not None and state.monitor is not None:
        monitor.load_state(under(checkpoint.tensors, "best/"), state.monitor)
    return state.metrics
