"""What PPO and RLOO learn from: answers sampled from the policy, with their scores and the reference's opinion."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TypeVar

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor
from transformers import PreTrainedModel

from plaudit.algorithms.kl import k1, k3
from plaudit.algorithms.masked import zeroed
from plaudit.batches.rollouts import Rollouts
from plaudit.batches.tokens import TokenRows
from plaudit.models.policy import PolicyModel, Reference
from plaudit.rewards.scorer import Scorer, Scores
from plaudit.rollout.decoding import context_of
from plaudit.rollout.episodes import episodes
from plaudit.rollout.sampler import Sampling, sampled
from plaudit.runs import PhaseTimer
from plaudit.schemas.errors import PlauditError
from plaudit.schemas.protocols import Interlocutor
from plaudit.text.chat import ChatCodec
from plaudit.text.prompts import EncodedPrompt
from plaudit.trainers.memory import Portions, in_portions
from plaudit.trainers.minibatches import permutation

T = TypeVar("T")

_TOTAL_NAMES = {"mean", "std"}


@dataclass(frozen=True, kw_only=True, slots=True)
class ExperienceConfig:
    """How a step's answers are sampled and scored."""

    prompts_per_step: int = 32
    """Different prompts a step."""
    answers_per_prompt: int = 4
    """Answers to each. More answers to fewer prompts sample faster and compare better; fewer see more prompts."""
    max_answers: int = 1
    """Answers an episode at most; above 1 somebody has to reply between them. One score, after the last, is for all."""
    sampling: Sampling = field(default_factory=Sampling)
    """How they are drawn; top_p and greedy are refused here."""
    truncated_score: float | None = None
    """An answer cut off by the length limit gets this score *instead* of the scorer's."""
    truncated_penalty: float = 0.0
    """An answer cut off by the length limit *loses* this much."""
    max_prompt_tokens: int = 512
    """Longest prompt; `prompt_too_long` in the trainer's config says what happens to longer ones. An episode ends where its
    next answer's prompt would be longer, or leave no room for the answer in the model's context."""

    def __post_init__(self) -> None:
        if min(self.prompts_per_step, self.answers_per_prompt, self.max_answers, self.max_prompt_tokens) < 1:
            raise PlauditError(
                "prompts_per_step, answers_per_prompt, max_answers and max_prompt_tokens must be at least 1"
            )
        self.sampling.checked_for_training()

    @property
    def num_answers(self) -> int:
        """Answers a step."""
        return self.prompts_per_step * self.answers_per_prompt


@dataclass(frozen=True, slots=True)
class Experience:
    """One step's answers. `scores` has the truncation settings applied; the rows are prepared for the policy."""

    prompts: Sequence[EncodedPrompt]
    rollouts: Rollouts
    raw: Scores
    scores: Float[Tensor, "B"]
    ref_logprobs: Float[Tensor, "B T"]

    @property
    def rows(self) -> TokenRows:
        """The answers' rows."""
        return self.rollouts.rows

    @property
    def kl(self) -> Float[Tensor, "B"]:
        """k1 summed over each answer, nats."""
        return k1(self.rollouts.logprobs, self.ref_logprobs, self.rows.answer_mask).sum(-1)

    def returns(self, kl_coef: float) -> Float[Tensor, "B"]:
        """Score and dense rewards of each answer minus the penalty on its KL."""
        returns = self.scores - kl_coef * self.kl
        if self.raw.dense is not None:
            returns = returns + zeroed(self.raw.dense, self.rows.answer_mask).sum(-1)
        return returns

    def metrics(self) -> dict[str, float]:
        """Health numbers of the sampled answers, masked."""
        turns = self.rollouts.turns
        k3_sum = k3(self.rollouts.logprobs, self.ref_logprobs, self.rows.answer_mask).sum(-1)
        return {
            "score/mean": float(self.scores.mean()),
            "score/std": float(self.scores.std(correction=0)),
            **{f"score/{name}": float(values.mean()) for name, values in self.raw.components.items()},
            "kl/k1": float(self.kl.mean()),
            "kl/k3": float(k3_sum.mean()),
            "answer/length": float(self.rollouts.num_tokens.float().mean()),
            "answer/stop_frac": float(self.rollouts.finished.float().mean()),
            **({"episode/answers": float(np.mean([1 + len(said) // 2 for said in turns]))} if turns else {}),
        }

    def samples(self, step: int, num: int = 4) -> list[dict[str, object]]:
        """The best and the worst answers of the batch with score and KL, for samples.jsonl."""
        order = self.scores.argsort(descending=True).tolist()
        shown = [*order[:num], *order[len(order) - num :]] if len(order) > 2 * num else order
        return [
            {
                "step": step,
                "prompt": self.prompts[int(self.rollouts.prompt_index[i])].messages[-1].text,
                **({"turns": [message.text for message in self.rollouts.turns[i]]} if self.rollouts.turns else {}),
                "answer": self.rollouts.texts[i],
                "score": float(self.scores[i]),
                "kl": float(self.kl[i]),
                "finished": bool(self.rollouts.finished[i]),
            }
            for i in shown
        ]


def prompts_of_step(prompts: Sequence[EncodedPrompt], step: int, num: int, seed: int) -> list[EncodedPrompt]:
    """The prompts of a step: the data in a fresh order each pass, from the seed and the step alone."""
    chosen: list[EncodedPrompt] = []
    for position in range(step * num, (step + 1) * num):
        epoch, offset = divmod(position, len(prompts))
        chosen.append(prompts[int(permutation(len(prompts), seed, "prompts", epoch)[offset])])
    return chosen


def adjusted_scores(
    scores: Float[Tensor, "B"], finished: Bool[Tensor, "B"], *, truncated_score: float | None, truncated_penalty: float
) -> Float[Tensor, "B"]:
    """The scores; an answer cut off by the length limit gets `truncated_score` instead, then loses `truncated_penalty`."""
    if truncated_score is not None:
        scores = torch.where(finished, scores, torch.full_like(scores, truncated_score))
    return torch.where(finished, scores, scores - truncated_penalty)


def checked_scores(scores: Scores, num_answers: int) -> Scores:
    """The scores themselves.

    Raises PlauditError for another number of them than answers, for one that is not finite, and for a component that
    bears a name which the metrics of the total have.
    """
    counts = [len(values) for values in (scores.total, *scores.components.values())]
    if set(counts) != {num_answers}:
        raise PlauditError(
            f"the scorer must give one score an answer: {num_answers} answers, got {counts} (the total, then the components)"
        )
    if not bool(torch.isfinite(scores.total).all()):
        raise PlauditError("the scorer gave a score that is not finite: look at the reward model or function")
    if taken := sorted(_TOTAL_NAMES & scores.components.keys()):
        raise PlauditError(
            f"a component of the score is called {', '.join(taken)}: score/mean and score/std are those of the total; "
            "give the component another name"
        )
    return scores


class Actor:
    """The policy at work: samples answers, has them scored, asks the reference."""

    def __init__(
        self,
        config: ExperienceConfig,
        policy: PolicyModel,
        reference: Reference,
        codec: ChatCodec,
        scorer: Scorer,
        prompts: Sequence[EncodedPrompt],
        *,
        seed: int,
        micro_batch_size: int,
        timer: PhaseTimer,
        interlocutor: Interlocutor | None = None,
    ) -> None:
        if (interlocutor is None) != (config.max_answers == 1):
            raise PlauditError(
                f"max_answers = {config.max_answers} and an interlocutor belong together: an episode of several answers "
                "needs somebody to reply between them"
            )
        self.interlocutor = interlocutor
        self.config, self.policy, self.reference, self.codec, self.scorer = config, policy, reference, codec, scorer
        self.prompts, self.seed, self.timer = prompts, seed, timer
        self.portions = Portions(micro_batch_size)
        self.decoding = Portions(config.sampling.batch_size)
        self._unsaid: list[str] = []
        self.say: Callable[[str], None] = self._unsaid.append
        """Tells people a thing; what is said before there is a run to tell it is kept for `tell_with`."""

    def tell_with(self, say: Callable[[str], None]) -> None:
        """From here on `say` tells people; what was kept for it is said now."""
        self.say = say
        for text in self._unsaid:
            say(text)
        self._unsaid.clear()

    def in_portions(self, work: Callable[[], T], clear: Callable[[], None] | None = None) -> T:
        """`trainers.memory.in_portions` of the run's own portions."""
        return in_portions(work, self.portions, say=self.say, clear=clear)

    def gather(self, step: int) -> Experience:
        """The experience of a step. Raises PlauditError where a score is not finite."""
        return self.in_portions(partial(self._gathered, step))

    def _gathered(self, step: int) -> Experience:
        config = self.config
        prompts = prompts_of_step(self.prompts, step, config.prompts_per_step, self.seed)
        with self.timer("sample"):
            rollouts = in_portions(partial(self._sampled, prompts, step), self.decoding, say=self.say)
        return self.experience_of(prompts, rollouts, self.timer)

    def experience_of(self, prompts: Sequence[EncodedPrompt], rollouts: Rollouts, timer: PhaseTimer) -> Experience:
        """What scorer and reference say of the answers; the time it takes is charged to `timer`."""
        config = self.config
        with timer("trunk"):
            rollouts = rollouts.with_rows(self.policy.prepared(rollouts.rows))
        with timer("score"):
            raw = checked_scores(self.scorer(prompts, rollouts), len(rollouts))
            scores = adjusted_scores(
                raw.total,
                rollouts.finished,
                truncated_score=config.truncated_score,
                truncated_penalty=config.truncated_penalty,
            )
        if self.policy.mixed:
            with timer("old"):
                rollouts = rollouts.with_stats(*self._learner_stats(rollouts))
        with timer("reference"):
            ref_logprobs = torch.zeros_like(rollouts.logprobs)
            for part in rollouts.rows.micro_batches(self.portions.size):
                rows = rollouts.rows.select(part)
                ref_logprobs[part, : rows.token_ids.shape[1]] = self.reference(rows, config.sampling.temperature)
        return Experience(prompts, rollouts, raw, scores, ref_logprobs)

    def _sampled(self, prompts: Sequence[EncodedPrompt], step: int) -> Rollouts:
        """The answers to the prompts, or the episodes that begin with them."""
        model = self.policy.sampler()
        sampling = replace(self.config.sampling, batch_size=self.decoding.size)

        def sample(asked: Sequence[EncodedPrompt], num_answers: int) -> Rollouts:
            return sampled(
                model,
                self.codec,
                asked,
                sampling,
                num_answers=num_answers,
                seed=self.seed,
                step=step,
                keep_states=not self.policy.mixed,
                trunk=self.policy.branch.trunk,
            )

        if self.interlocutor is None:
            return sample(prompts, self.config.answers_per_prompt)
        return episodes(
            sample,
            self.codec,
            prompts,
            self.interlocutor,
            num_answers=self.config.answers_per_prompt,
            max_answers=self.config.max_answers,
            max_tokens=self._longest_prompt(model),
        )

    def _longest_prompt(self, model: PreTrainedModel) -> int:
        """Tokens that a later prompt of an episode may have."""
        context = context_of(model) or sys.maxsize
        return min(self.config.max_prompt_tokens, context - self.config.sampling.max_new_tokens)

    @torch.no_grad()
    def _learner_stats(self, rollouts: Rollouts) -> tuple[Float[Tensor, "B T"], Float[Tensor, "B T D"]]:
        """The learner's log-probabilities and states: the sampler's products were rounded in batches of another shape."""
        logprobs = torch.zeros_like(rollouts.logprobs)
        states = logprobs.new_zeros((*logprobs.shape, self.policy.width))
        for part in rollouts.rows.micro_batches(self.portions.size):
            rows = rollouts.rows.select(part)
            stats, width = self.policy(rows, self.config.sampling.temperature), rows.token_ids.shape[1]
            logprobs[part, :width], states[part, :width] = stats.logprobs, stats.hidden
        return logprobs, states
