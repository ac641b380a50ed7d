"""The model that is measured: how likely it holds an answer, and what it answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from plaudit.batches.tokens import EncodedRow, collated
from plaudit.evaluation.judges import ScoreJudge
from plaudit.evaluation.language import answer_nll
from plaudit.models.policy import PolicyModel
from plaudit.rewards.textual import completions
from plaudit.rollout.sampler import Sampling, sampled
from plaudit.runs import Progress
from plaudit.schemas.conversation import Messages, assistant, prompt_id
from plaudit.schemas.protocols import Completion
from plaudit.text.chat import ChatCodec
from plaudit.text.prompts import EncodedPrompt

_NUM_AT_ONCE = 128
"""Rows whose log-probabilities are computed before progress is shown."""


@dataclass(frozen=True, slots=True)
class Likelihood:
    """log p(answer | prompt) in nats, summed over the answer's tokens, and their number."""

    logprob: float
    num_tokens: int

    @property
    def per_token(self) -> float:
        """The mean over the tokens."""
        return self.logprob / self.num_tokens


class Subject:
    """A loaded model under its name. An answer is sampled once, whichever suite asks for it first.

    `judge` gives scores where there is a reward model. Answers are drawn as `sampling` says, keyed by the prompt, so that
    they do not depend on what else is asked.
    """

    def __init__(
        self,
        name: str,
        policy: PolicyModel,
        codec: ChatCodec,
        *,
        sampling: Sampling,
        max_prompt_tokens: int = 2048,
        micro_batch_size: int = 8,
        seed: int = 0,
        judge: ScoreJudge | None = None,
    ) -> None:
        self.name, self.codec, self.judge = name, codec, judge
        self._policy, self._sampling, self._micro_batch_size, self._seed = policy, sampling, micro_batch_size, seed
        settings = policy.full.config.get_text_config().to_dict()
        self._context = settings.get("max_position_embeddings") or settings.get("n_positions")
        room = max_prompt_tokens if self._context is None else self._context - sampling.max_new_tokens
        self._max_prompt_tokens = min(max_prompt_tokens, room)
        self._answers: dict[str, Completion] = {}

    def likelihoods(self, rows: Sequence[EncodedRow], what: str) -> list[Likelihood | None]:
        """How likely the model holds each row's answer; None for a row that is longer than its context."""
        fitting = [i for i, row in enumerate(rows) if self._context is None or len(row.token_ids) <= self._context]
        found: list[Likelihood | None] = [None] * len(rows)
        with Progress(f"{what}, log-probabilities of {self.name}", total=len(fitting), quiet=not fitting) as progress:
            for start in range(0, len(fitting), _NUM_AT_ONCE):
                part = fitting[start : start + _NUM_AT_ONCE]
                batch = collated([rows[i] for i in part], self.codec.pad_id).to(self._policy.full.device)
                nll = answer_nll(self._policy, batch, self._micro_batch_size)
                for i, value in zip(part, nll.tolist(), strict=True):
                    found[i] = Likelihood(-value, sum(rows[i].answer_mask))
                progress.advance(len(part))
        return found

    def encoded(self, prompt: Messages, answer: str) -> EncodedRow:
        """The answer to the prompt in the chat template; the stop token counts, for a complete answer ends there."""
        return self.codec.encoded(prompt, (assistant(answer),))

    def plain(self, before: str, answer: str) -> EncodedRow:
        """The answer after a plain text, without the template; no stop token counts."""
        asked = self.codec.tokenizer.encode(before)
        written = self.codec.tokenizer.encode(answer, add_special_tokens=False)
        return EncodedRow((*asked, *written), (False,) * len(asked) + (True,) * len(written))

    def answers(self, prompts: Sequence[Messages], what: str) -> list[Completion | None]:
        """One answer to each prompt; None for one that is too long."""
        missing = {prompt_id(prompt): prompt for prompt in prompts if prompt_id(prompt) not in self._answers}
        rows = [EncodedPrompt(name, prompt, tuple(self.codec.prompt_ids(prompt))) for name, prompt in missing.items()]
        # Prompts of similar length share their padding.
        rows = sorted(
            (row for row in rows if len(row.token_ids) <= self._max_prompt_tokens), key=lambda row: len(row.token_ids)
        )
        if rows:
            with Progress(f"{what}, answers of {self.name}", total=len(rows)) as progress:
                drawn = sampled(
                    self._policy.sampler(),
                    self.codec,
                    rows,
                    self._sampling,
                    num_answers=1,
                    seed=self._seed,
                    ended=progress.advance,
                )
            self._answers |= {row.id: answer for row, answer in zip(rows, completions(drawn), strict=True)}
        return [self._answers.get(prompt_id(prompt)) for prompt in prompts]

    def scores(self, prompts: Sequence[Messages], answers: Sequence[str]) -> list[float] | None:
        """The reward model's score of each answer; None where there is no reward model."""
        if self.judge is None:
            return None
        given = [[Completion(answer, True, 0)] for answer in answers]
        return [row[0].score for row in self.judge.utilities(prompts, given)]
