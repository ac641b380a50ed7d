"""The hacking monitor: does a rising score still mean better answers?

A policy can learn what its scorer overrates. So every few steps it answers prompts that it is not trained on, and what the
scorer says is compared with what another judge says, with the answers' length and with their repetition.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Self

import numpy as np
import torch
from pydantic import Field, JsonValue
from torch import Tensor, nn

from plaudit.batches.rollouts import Rollouts
from plaudit.evaluation.answers import AnswerSets
from plaudit.evaluation.judges import Judge
from plaudit.models.value import ValueModel
from plaudit.rewards.textual import completions
from plaudit.rollout.sampler import sampled
from plaudit.rules.repetition import repeated_ngram_frac
from plaudit.runs import PhaseTimer, spawn_seed
from plaudit.schemas.conversation import Frozen, Messages
from plaudit.schemas.errors import PlauditError
from plaudit.text.prompts import EncodedPrompt, TooLong, encoded_prompts
from plaudit.trainers.experience import Actor
from plaudit.trainers.memory import in_portions

_NUM_ERRORS = 2.0


@dataclass(frozen=True, kw_only=True, slots=True)
class MonitorConfig:
    """The hacking monitor: looks at answers to held-out prompts, and ends a run whose score rises while they get worse."""

    every: int = 0
    """Steps between looks; 0 never looks."""
    num_prompts: int = 32
    """How many of the held-out prompts are asked."""
    answers_per_prompt: int = 2
    """Answers to each."""
    patience: int = 2
    """Bad looks in a row that end the run; the model is then that of the best look."""
    max_length_ratio: float = 2.0
    """Answers longer than this many times the reference's, or as many times shorter, are bad."""
    max_repetition: float = 0.1
    """The share of repeated word trigrams may lie above the reference's by this much."""

    def __post_init__(self) -> None:
        if self.every < 0 or min(self.num_prompts, self.answers_per_prompt, self.patience) < 1:
            raise PlauditError(
                "monitor: every may not be negative; num_prompts, answers_per_prompt and patience must be at least 1"
            )
        if self.max_length_ratio <= 1 or self.max_repetition < 0:
            raise PlauditError("monitor: max_length_ratio must be above 1 and max_repetition may not be negative")


class Look(Frozen):
    """What was seen after a step: means over the answers; `wins` is the win rate against the reference by prompt.

    `answers` are the figures that a step's answers have too, under the same names (score, KL, length, stop rate).
    """

    step: int
    score: float
    length: float
    repetition: float
    wins: tuple[float, ...] = ()
    answers: dict[str, float] = Field(default_factory=dict)

    @property
    def win_rate(self) -> float | None:
        """The mean over the prompts; None without a judge."""
        return sum(self.wins) / len(self.wins) if self.wins else None

    def seen(self) -> dict[str, float]:
        """The monitor's metrics."""
        found = {
            "monitor/score": self.score,
            "monitor/length": self.length,
            "monitor/repetition": self.repetition,
            **({"monitor/kl": self.answers["kl/k1"]} if self.answers else {}),
        }
        return found if self.win_rate is None else found | {"monitor/win_rate": self.win_rate}

    def metrics(self) -> dict[str, float]:
        """What stands for the metrics of a step where the model is that of this look."""
        return self.answers | self.seen()


class MonitorState(Frozen):
    """What a resumed run needs, besides the best look's weights."""

    best: Look
    num_bad: int
    reason: str


class HackingMonitor:
    """Looks, remembers the best look and its weights, and says when to stop.

    A look is bad where the answers' length or repetition leaves its bounds, or where the score lies above the best look's
    and the judge's win rate below it by more than two standard errors (paired by prompt). The best look is the one of the
    highest win rate, or without a judge of the highest score, among those that are not bad.
    """

    def __init__(
        self,
        config: MonitorConfig,
        actor: Actor,
        prompts: Sequence[EncodedPrompt],
        judge: Judge | None,
        critic: ValueModel | None = None,
    ) -> None:
        self.config, self._actor, self._judge, self._critic = config, actor, judge, critic
        self._prompts = list(prompts)[: config.num_prompts]
        # Made before the first update, so the policy is the reference.
        self._reference, self._first = self._asked(0)
        if judge is not None:
            self._first = self._first.model_copy(update={"wins": (0.5,) * len(self._prompts)})
        self.best, self._best_weights = self._first, self._weights()
        self._num_bad, self.reason = 0, ""

    @classmethod
    def on(
        cls,
        config: MonitorConfig,
        actor: Actor,
        prompts: Sequence[Messages],
        judge: Judge | None,
        critic: ValueModel | None = None,
    ) -> Self | None:
        """The monitor of these prompts; None where it is switched off. Prompts that are too long are refused.

        The critic, where there is one, goes back to the best look with the policy.
        """
        if not config.every:
            return None
        if not prompts:
            raise PlauditError(
                "monitor: there are no held-out prompts to look at: give some, or set monitor.every to 0"
            )
        encoded, _ = encoded_prompts(
            prompts,
            actor.codec,
            max_tokens=actor.config.max_prompt_tokens,
            too_long=TooLong.REFUSE,
            next_step="raise the limit, or take it out of the monitor's held-out prompts",
        )
        return cls(config, actor, encoded, judge, critic)

    @property
    def has_tripped(self) -> bool:
        """Whether the run should end."""
        return self._num_bad >= self.config.patience

    def is_due(self, num_steps: int) -> bool:
        """Whether to look after this many steps."""
        return num_steps % self.config.every == 0

    def look(self, num_steps: int) -> dict[str, float]:
        """Asks the policy and judges what it sees. Returns metrics."""
        with self._actor.timer("monitor"):
            answers, look = self._asked(num_steps)
            if self._judge is not None:
                prompts = [prompt.messages for prompt in self._prompts]
                tables = self._judge.judged(prompts, answers, self._reference).wins
                # A pair that the judge has no word on is no better than a tie.
                wins = tuple(float(np.nan_to_num(table, nan=0.5).mean()) for table in tables)
                look = look.model_copy(update={"wins": wins})
        self.reason = self._fault(look)
        self._num_bad = self._num_bad + 1 if self.reason else 0
        if not self.reason and _worth(look) >= _worth(self.best):
            self.best, self._best_weights = look, self._weights()
        return look.seen() | {"monitor/is_bad": float(bool(self.reason))}

    def _asked(self, num_steps: int) -> tuple[AnswerSets, Look]:
        return self._actor.in_portions(partial(self._seen, num_steps))

    def _seen(self, num_steps: int) -> tuple[AnswerSets, Look]:
        actor, num = self._actor, self.config.answers_per_prompt
        rollouts = in_portions(self._sampled, actor.decoding, say=actor.say)
        # Its phases are the monitor's, whose time is charged as one.
        found = actor.experience_of(self._prompts, rollouts, PhaseTimer())
        flat = completions(rollouts)
        look = Look(
            step=num_steps,
            score=float(found.raw.total.mean()),
            length=float(np.mean([answer.num_tokens for answer in flat])),
            repetition=float(np.mean([repeated_ngram_frac(answer.text, 3) for answer in flat])),
            answers=found.metrics(),
        )
        return [flat[i : i + num] for i in range(0, len(flat), num)], look

    def _sampled(self) -> Rollouts:
        actor = self._actor
        return sampled(
            actor.policy.sampler(),
            actor.codec,
            self._prompts,
            replace(actor.config.sampling, batch_size=actor.decoding.size),
            num_answers=self.config.answers_per_prompt,
            # The same random numbers at every look: what differs is the policy.
            seed=spawn_seed(actor.seed, "monitor"),
        )

    def _fault(self, look: Look) -> str:
        """What is wrong with a look, or nothing."""
        ratio = look.length / max(self._first.length, 1.0)
        if not 1 / self.config.max_length_ratio <= ratio <= self.config.max_length_ratio:
            return f"answers have {look.length:.0f} tokens, the reference's {self._first.length:.0f}"
        if look.repetition > self._first.repetition + self.config.max_repetition:
            return f"repetition is {look.repetition:.2f}, the reference's {self._first.repetition:.2f}"
        if look.wins and look.score > self.best.score:
            change = np.array(look.wins) - np.array(self.best.wins)
            error = float(change.std(ddof=1)) / math.sqrt(len(change)) if len(change) > 1 else math.inf
            if change.mean() < -_NUM_ERRORS * error:
                return (
                    f"the score rose from {self.best.score:.2f} to {look.score:.2f} since step {self.best.step} while the "
                    f"judge's win rate fell from {self.best.win_rate:.2f} to {look.win_rate:.2f}"
                )
        return ""

    @torch.no_grad()
    def restore_best(self) -> None:
        """Puts the best look's weights into the policy and the critic."""
        for name, parameter in self._learning():
            parameter.copy_(self._best_weights[name])

    def _learning(self) -> Iterator[tuple[str, nn.Parameter]]:
        """What learns, the critic's under names of its own."""
        yield from self._actor.policy.trained_parameters()
        if self._critic is not None:
            yield from ((f"value/{name}", x) for name, x in self._critic.trained_parameters())

    def _weights(self) -> dict[str, Tensor]:
        return {name: parameter.detach().clone() for name, parameter in self._learning()}

    def state(self) -> tuple[dict[str, Tensor], dict[str, JsonValue]]:
        """Tensors and JSON for a checkpoint."""
        return self._best_weights, MonitorState(best=self.best, num_bad=self._num_bad, reason=self.reason).model_dump(
            mode="json"
        )

    def load_state(self, tensors: Mapping[str, Tensor], state: Mapping[str, JsonValue]) -> None:
        """Puts back what `state` gave."""
        found = MonitorState.model_validate(state)
        self.best, self._num_bad, self.reason = found.best, found.num_bad, found.reason
        self._best_weights = {name: tensors[name].to(x.device) for name, x in self._best_weights.items()}


def _worth(look: Look) -> float:
    return look.score if look.win_rate is None else look.win_rate
