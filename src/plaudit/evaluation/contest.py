"""Several methods against one baseline, judged on the same prompts: one row of numbers each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from plaudit.evaluation.answers import AnswerSets, Entrant
from plaudit.evaluation.calibrated_judge import CalibratedJudge, calibrated_judge
from plaudit.evaluation.judges import Floats, Judge, Judged
from plaudit.rules import distinct_at_equal_length, has_loop, is_decline, repeated_ngram_frac
from plaudit.schemas.conversation import Messages, prompt_id
from plaudit.schemas.errors import PlauditError
from plaudit.schemas.protocols import TextScore
from plaudit.statistics import Estimate, bootstrap_interval, paired_difference, win_rate
from plaudit.statistics.winrate import similar_lengths

MIN_MATCHED_PAIRS = 100


@dataclass(frozen=True, slots=True)
class Standing:
    """One method's numbers. None where something was not measured; the baseline has no win rates.

    `length_matched` counts pairs whose token counts differ by at most 10 % of the longer, from 100 pairs on.
    `distinct` and `distinct_of_baseline` are distinct-2, both cut to the same number of words in all. Fractions are of
    answers, except `repetition`: the mean fraction of an answer's word trigrams that occurred before in it. `utility` is the
    mean score of its answers, `gain` what it has more of it than the baseline, prompt by prompt. `calibrated`
    is the judge beside people, where people judged enough of these answers; `num_people_prompts` counts their prompts.
    """

    name: str
    win_rate: Estimate | None
    length_matched: Estimate | None
    num_left_out: int
    position_consistency: float | None
    utility: Estimate | None
    gain: Estimate | None
    components: Mapping[str, float]
    mean_length: float
    stop_frac: float
    repetition: float
    loop_frac: float
    decline_frac: float
    distinct: float
    distinct_of_baseline: float
    kl: float | None
    perplexity: float | None
    cpu_seconds: float | None
    calibrated: CalibratedJudge | None = None
    num_people_prompts: int = 0


@dataclass(frozen=True, slots=True)
class ContestResult:
    """Win rates are against `baseline`; `num_prompts` prompts with `num_answers` answers in all of the baseline."""

    baseline: Standing
    entrants: tuple[Standing, ...]
    num_prompts: int
    num_answers: int

    @property
    def standings(self) -> tuple[Standing, ...]:
        """The baseline first, then the entrants."""
        return (self.baseline, *self.entrants)


def contest(
    prompts: Sequence[Messages],
    baseline: Entrant,
    entrants: Sequence[Entrant],
    judge: Judge,
    *,
    people: Judge | None = None,
    seed: int = 0,
) -> ContestResult:
    """Every entrant against the baseline. Intervals resample prompts.

    `people` are asked about the same pairs and calibrate the judge where they judged enough. Raises PlauditError where
    answers are missing or a name stands twice.
    """
    _check(prompts, (baseline, *entrants))
    numbers: dict[str, int] = {}
    clusters = np.array([numbers.setdefault(prompt_id(prompt), len(numbers)) for prompt in prompts])
    measure = _Measure(prompts, clusters, baseline, judge, people, seed)
    return ContestResult(
        baseline=measure.standing(baseline, None),
        entrants=tuple(
            measure.standing(entrant, judge.judged(prompts, entrant.answers, baseline.answers)) for entrant in entrants
        ),
        num_prompts=len(prompts),
        num_answers=sum(len(options) for options in baseline.answers),
    )


def _check(prompts: Sequence[Messages], all_entrants: Sequence[Entrant]) -> None:
    if not prompts:
        raise PlauditError("there are no prompts to compare answers on: give at least one")
    names = [entrant.name for entrant in all_entrants]
    if len(set(names)) < len(names):
        raise PlauditError(f"every model in a comparison needs a name of its own, got {', '.join(names)}")
    for entrant in all_entrants:
        if len(entrant.answers) != len(prompts) or not all(entrant.answers):
            raise PlauditError(
                f"{entrant.name} must have at least one answer to each of {len(prompts)} prompts; it has answers to "
                f"{sum(bool(options) for options in entrant.answers)}"
            )


@dataclass(frozen=True, slots=True)
class _Measure:
    """What every standing is measured with. `clusters` gives equal prompts one number."""

    prompts: Sequence[Messages]
    clusters: NDArray[np.int64]
    baseline: Entrant
    judge: Judge
    people: Judge | None
    seed: int

    def standing(self, entrant: Entrant, judged: Judged | None) -> Standing:
        flat = [answer for options in entrant.answers for answer in options]
        texts = [answer.text for answer in flat]
        distinct, distinct_of_baseline = _distinct(entrant.answers, self.baseline.answers)
        scores = self.judge.utilities(self.prompts, entrant.answers)
        utility = self._utility(scores)
        matched = None if judged is None else _matched(judged.wins, entrant.answers, self.baseline.answers)
        people = self._people(entrant) if judged is not None else None
        return Standing(
            name=entrant.name,
            win_rate=None if judged is None else self._win_rate(judged.wins, min_pairs=1),
            length_matched=None if matched is None else self._win_rate(matched, min_pairs=MIN_MATCHED_PAIRS),
            num_left_out=0 if judged is None else judged.num_left_out,
            position_consistency=None if judged is None else judged.position_consistency,
            utility=utility.total,
            gain=None if judged is None or scores is None else self._gain(scores),
            components=utility.components,
            mean_length=float(np.mean([answer.num_tokens for answer in flat])),
            stop_frac=float(np.mean([answer.finished for answer in flat])),
            repetition=float(np.mean([repeated_ngram_frac(text, 3) for text in texts])),
            loop_frac=float(np.mean([has_loop(text) for text in texts])),
            decline_frac=float(np.mean([is_decline(text) for text in texts])),
            distinct=distinct,
            distinct_of_baseline=distinct_of_baseline,
            kl=entrant.kl,
            perplexity=entrant.perplexity,
            cpu_seconds=entrant.cpu_seconds,
            calibrated=calibrated_judge(judged, people, self.clusters, seed=self.seed) if judged and people else None,
            num_people_prompts=people.num_prompts_judged if people else 0,
        )

    def _people(self, entrant: Entrant) -> Judged | None:
        return None if self.people is None else self.people.judged(self.prompts, entrant.answers, self.baseline.answers)

    def _win_rate(self, wins: Sequence[Floats], *, min_pairs: int) -> Estimate | None:
        """Over all pairs with a word; None under `min_pairs` of them."""
        values = np.concatenate([table.ravel() for table in wins])
        owners = np.repeat(self.clusters, [table.size for table in wins])
        judged = ~np.isnan(values)
        return win_rate(values[judged], owners[judged], seed=self.seed) if judged.sum() >= min_pairs else None

    def _utility(self, scores: Sequence[Sequence[TextScore]] | None) -> _Utility:
        if scores is None:
            return _Utility(None)
        flat = [score for row in scores for score in row]
        owners = np.repeat(self.clusters, [len(row) for row in scores])
        total = bootstrap_interval([score.score for score in flat], clusters=owners, seed=self.seed)
        names = flat[0].components
        return _Utility(total, {name: float(np.mean([score.components[name] for score in flat])) for name in names})

    def _gain(self, scores: Sequence[Sequence[TextScore]]) -> Estimate | None:
        baseline = self.judge.utilities(self.prompts, self.baseline.answers)
        if baseline is None:
            return None
        own, others = ([float(np.mean([x.score for x in row])) for row in rows] for rows in (scores, baseline))
        return paired_difference(own, others, clusters=self.clusters, seed=self.seed)


@dataclass(frozen=True, slots=True)
class _Utility:
    total: Estimate | None
    components: Mapping[str, float] = field(default_factory=dict)


def _matched(wins: Sequence[Floats], a: AnswerSets, b: AnswerSets) -> list[Floats]:
    """The wins with nan where the lengths differ too much: the pairs of `statistics.length_matched_win_rate`."""
    tables = []
    for table, of_a, of_b in zip(wins, a, b, strict=True):
        lengths_a = np.array([answer.num_tokens for answer in of_a])[:, None]
        lengths_b = np.array([answer.num_tokens for answer in of_b])[None, :]
        tables.append(np.where(similar_lengths(lengths_a, lengths_b), table, np.nan))
    return tables


def _distinct(a: AnswerSets, b: AnswerSets) -> tuple[float, float]:
    """distinct-2 of both. As many answers of each to a prompt, as several answers to one prompt resemble each other."""
    pairs = [pair for of_a, of_b in zip(a, b, strict=True) for pair in zip(of_a, of_b, strict=False)]
    return distinct_at_equal_length([x.text for x, _ in pairs], [y.text for _, y in pairs], 2)
