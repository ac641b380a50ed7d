"""Who says which answer is better? A scorer, or people's rows; model_judge.py has the third judge."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from plaudit.evaluation.answers import AnswerSets
from plaudit.schemas.conversation import Messages, prompt_id
from plaudit.schemas.feedback import Comparison, Ranking
from plaudit.schemas.preference import preference_group
from plaudit.schemas.protocols import Completion, TextScore, TextScorer
from plaudit.statistics.winrate import win_value

Floats = NDArray[np.float64]
Side = TypeVar("Side")


@dataclass(frozen=True, slots=True)
class Judged:
    """What a judge says of A against B.

    `wins[i][j, k]` compares answer j of A with answer k of B to prompt i: 1 where A's is better, 0 where B's is, 0.5 for
    a tie, nan where the judge has no word on the pair. `position_consistency` is the fraction of pairs on which a judge
    asked in both orders said the same twice; None for judges that see no order. `orders[i][j, k]` holds what such a judge
    said of the pair with A's answer shown first and with B's, both as wins of A; nan where either reply had no verdict.
    """

    wins: tuple[Floats, ...]
    position_consistency: float | None = None
    orders: tuple[Floats, ...] | None = None

    @property
    def num_left_out(self) -> int:
        """Pairs without a word."""
        return sum(int(np.isnan(table).sum()) for table in self.wins)

    @property
    def num_prompts_judged(self) -> int:
        """Prompts with at least one pair that has a word."""
        return sum(not np.isnan(table).all() for table in self.wins)


class Judge(Protocol):
    """Compares answers of two models."""

    def judged(self, prompts: Sequence[Messages], a: AnswerSets, b: AnswerSets) -> Judged:
        """The word on every pair of one answer of each to one prompt."""
        ...

    def utilities(self, prompts: Sequence[Messages], answers: AnswerSets) -> list[list[TextScore]] | None:
        """What each answer is worth by itself; None where the judge only compares."""
        ...


class ScoreJudge:
    """The higher score wins, equal scores tie. An answer is scored once, however often it is compared."""

    def __init__(self, scorer: TextScorer) -> None:
        self._scorer = scorer
        self._known: dict[tuple[str, Completion], TextScore] = {}

    def utilities(self, prompts: Sequence[Messages], answers: AnswerSets) -> list[list[TextScore]]:
        """The scores, prompt by prompt."""
        names = [prompt_id(prompt) for prompt in prompts]
        asked = {
            (name, answer): prompt
            for name, prompt, options in zip(names, prompts, answers, strict=True)
            for answer in options
            if (name, answer) not in self._known
        }
        if asked:
            scores = self._scorer.score(list(asked.values()), [answer for _, answer in asked])
            self._known |= zip(asked, scores, strict=True)
        return [[self._known[name, answer] for answer in options] for name, options in zip(names, answers, strict=True)]

    def judged(self, prompts: Sequence[Messages], a: AnswerSets, b: AnswerSets) -> Judged:
        """The word on every pair. Raises ValueError where a score is nan."""
        worths = zip(self.utilities(prompts, a), self.utilities(prompts, b), strict=True)
        return Judged(tuple(_table(of_a, of_b, lambda x, y: win_value(x.score, y.score)) for of_a, of_b in worths))


class PeopleJudge:
    """Takes people's word from their comparisons and rankings.

    An answer is known by its text, white space at its ends aside. Where several people judged a pair, the majority by
    weight counts, and an even split is a tie; `both_bad` is a tie, `incomparable` no word. Pairs that nobody judged are
    left out.
    """

    def __init__(self, records: Iterable[Comparison | Ranking]) -> None:
        self._lead: dict[tuple[str, str, str], float] = {}
        for record in records:
            group, name = preference_group(record), prompt_id(record.prompt)
            texts = [_text(completion) for completion in group.completions]
            for pair in group.pairs:
                lead = record.weight * (2 * pair.target - 1)
                self._add(name, texts[pair.a], texts[pair.b], lead)
                self._add(name, texts[pair.b], texts[pair.a], -lead)

    def _add(self, name: str, first: str, second: str, lead: float) -> None:
        key = (name, first, second)
        self._lead[key] = self._lead.get(key, 0.0) + lead

    def utilities(self, prompts: Sequence[Messages], answers: AnswerSets) -> None:
        """None: people compare."""

    def judged(self, prompts: Sequence[Messages], a: AnswerSets, b: AnswerSets) -> Judged:
        """The word on every pair that somebody judged."""
        return Judged(
            tuple(
                _table(of_a, of_b, partial(self._word, prompt_id(prompt)))
                for prompt, of_a, of_b in zip(prompts, a, b, strict=True)
            )
        )

    def _word(self, name: str, a: Completion, b: Completion) -> float:
        lead = self._lead.get((name, a.text.strip(), b.text.strip()))
        return np.nan if lead is None else win_value(lead, 0.0)


def _table(of_a: Sequence[Side], of_b: Sequence[Side], word: Callable[[Side, Side], float]) -> Floats:
    """`word` on every pair, one row an entry of A."""
    return np.array([[word(x, y) for y in of_b] for x in of_a], dtype=np.float64).reshape(len(of_a), len(of_b))


def _text(completion: Messages) -> str:
    return "\n".join(message.text for message in completion).strip()
