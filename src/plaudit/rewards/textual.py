"""Scorers that read text: a rule, a person's function, anything that is a TextScorer."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import torch
from pydantic import JsonValue

from plaudit.batches.rollouts import Rollouts
from plaudit.rewards.scorer import Scores
from plaudit.schemas.conversation import Messages, prompt_id
from plaudit.schemas.errors import PlauditError
from plaudit.schemas.protocols import Completion, TextScore, TextScorer
from plaudit.text.prompts import EncodedPrompt, asked


def completions(rollouts: Rollouts) -> list[Completion]:
    """The rollouts' answers as text."""
    return [
        Completion(text=text, finished=finished, num_tokens=num_tokens)
        for text, finished, num_tokens in zip(
            rollouts.texts, rollouts.finished.tolist(), rollouts.num_tokens.tolist(), strict=True
        )
    ]


def completions_by_prompt(rollouts: Rollouts, num_answers: int) -> list[list[Completion]]:
    """The same, `num_answers` to each prompt."""
    flat = completions(rollouts)
    return [flat[i : i + num_answers] for i in range(0, len(flat), num_answers)]


class TextualScorer:
    """A TextScorer (rule, judge, remote server) where a Scorer is asked for."""

    def __init__(self, scorer: TextScorer) -> None:
        self._scorer = scorer

    def __call__(self, prompts: Sequence[EncodedPrompt], rollouts: Rollouts) -> Scores:
        scored = self._scorer.score(asked(prompts, rollouts), completions(rollouts))
        names = scored[0].components if scored else {}
        if len(scored) != len(rollouts) or any(score.components.keys() != names.keys() for score in scored):
            raise PlauditError(
                f"a scorer must return one score a completion, all with the same components: {len(rollouts)} completions, got "
                f"{len(scored)} scores with components {sorted({name for score in scored for name in score.components})}"
            )
        return Scores(
            torch.tensor([score.score for score in scored]),
            {name: torch.tensor([score.components[name] for score in scored]) for name in names},
        )


RewardFunction = Callable[..., list[float]]


class FunctionScorer:
    """`fn(prompts, completions, **columns) -> list[float]`, as TRL's GRPO takes it; a Scorer and a TextScorer.

    Prompts and completions are strings; a prompt of several messages is its texts joined by newlines, and of an episode of
    several answers the last is the completion, all before it the prompt. `columns` maps a
    prompt id to the values of its extra columns; each column reaches the function as one list, an entry a completion.
    """

    def __init__(self, function: RewardFunction, columns: Mapping[str, Mapping[str, JsonValue]] | None = None) -> None:
        self._function = function
        self._columns = columns or {}

    def __call__(self, prompts: Sequence[EncodedPrompt], rollouts: Rollouts) -> Scores:
        owners = [prompts[index].id for index in rollouts.prompt_index.tolist()]
        return Scores(torch.tensor(self._scored(owners, asked(prompts, rollouts), rollouts.texts)))

    def score(self, prompts: Sequence[Messages], completions: Sequence[Completion]) -> list[TextScore]:
        """The same for answers that an evaluation sampled."""
        texts = [completion.text for completion in completions]
        return [TextScore(score) for score in self._scored([prompt_id(prompt) for prompt in prompts], prompts, texts)]

    def _scored(self, owners: Sequence[str], before: Sequence[Messages], answers: Sequence[str]) -> list[float]:
        """What the function says of the answers; `owners` are the ids that columns are known by."""
        names = sorted({name for values in self._columns.values() for name in values})
        columns = {name: [self._columns.get(owner, {}).get(name) for owner in owners] for name in names}
        texts = ["\n".join(message.text for message in messages) for messages in before]
        returned = self._function(texts, list(answers), **columns)
        expected = f"the reward function must return one finite number a completion: {len(texts)} completions, got"
        try:
            scores = [float(score) for score in returned]
        except (TypeError, ValueError) as error:
            raise PlauditError(f"{expected} {returned!r:.60}: {error}") from error
        num_bad = sum(not math.isfinite(score) for score in scores)
        if len(scores) != len(texts) or num_bad:
            raise PlauditError(f"{expected} {len(scores)} values, {num_bad} of them not finite")
        return scores
