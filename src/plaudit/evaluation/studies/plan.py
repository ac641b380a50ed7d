"""How large must a study be? Prompts, judgements and people's time for a margin, a power and a level."""

from __future__ import annotations

import math
from dataclasses import dataclass

from scipy.special import ndtri

from plaudit.evaluation.tables import Table, number_text
from plaudit.schemas.errors import PlauditError
from plaudit.statistics.power import (
    Clustering,
    exact_judgements_for_win_rate,
    judgements_for_mean_difference,
    judgements_for_win_rate,
    paired_deviation,
    verdict_variance,
)

_MAX_EXACT = 3000
"""Judgements from which the exact size is that of the normal law within 2 %, and slow."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StudyPlan:
    """What a study should be able to find."""

    margin: float = 0.1
    """How far from 0.5 the win rate is that the study must not miss: 0.1 means 0.6 or 0.4."""
    power: float = 0.8
    """How probable it should be that such a win rate is found."""
    alpha: float = 0.05
    """How probable it may be to find one where there is none; two-sided."""
    tie_frac: float = 0.2
    """Share of ties expected. More ties leave fewer verdicts but less spread."""
    pairs_per_prompt: int = 1
    """Pairs of answers to each prompt. Another prompt tells more than another pair of the same."""
    people_per_pair: tuple[int, ...] = (1, 2, 3, 5)
    """The numbers of people a pair to plan for."""
    pair_correlation: float = 0.4
    """Correlation of two people's verdicts on one pair: about Krippendorff's alpha; 0.3 to 0.6 is usual."""
    prompt_correlation: float = 0.1
    """Correlation of verdicts on two pairs of one prompt; matters with several pairs a prompt only."""
    rating_difference: float = 0.5
    """Difference of two models' mean ratings that the study must not miss, in points of the scale."""
    rating_deviation: float = 1.5
    """Standard deviation of a rating, in points of the scale."""
    rating_correlation: float = 0.3
    """Correlation of one person's ratings of the two answers of a pair."""
    seconds_per_pair: float = 60.0
    """How long a person takes over a pair."""

    def __post_init__(self) -> None:
        if not self.people_per_pair or min(self.people_per_pair) < 1:
            raise PlauditError("people_per_pair needs at least one number from 1 on")
        if not self.seconds_per_pair > 0:
            raise PlauditError(f"seconds_per_pair must be above 0, got {self.seconds_per_pair:g}")
        try:
            planned(self)
        except ValueError as error:
            raise PlauditError(f"no study can be planned so: {error}") from error


@dataclass(frozen=True, slots=True)
class PlannedStudy:
    """One number of people a pair. Judgements are counted in all; `half_width` is that of the win rate's interval."""

    people_per_pair: int
    design_effect: float
    judgements: int
    exact_judgements: int | None
    rating_judgements: int
    prompts: int
    half_width: float
    hours: float


def planned(plan: StudyPlan) -> tuple[PlannedStudy, ...]:
    """The study for each number of people a pair, large enough for the win rate and for the ratings."""
    return tuple(_planned(plan, people) for people in plan.people_per_pair)


def _planned(plan: StudyPlan, people: int) -> PlannedStudy:
    shape = Clustering(
        pairs_per_prompt=plan.pairs_per_prompt,
        people_per_pair=people,
        pair_correlation=plan.pair_correlation,
        prompt_correlation=min(plan.prompt_correlation, plan.pair_correlation),
    )
    effect, aims = shape.design_effect, {"power": plan.power, "alpha": plan.alpha}
    normal = judgements_for_win_rate(plan.margin, tie_frac=plan.tie_frac, effect=effect, **aims)
    exact = None
    if normal <= _MAX_EXACT * effect:
        exact = exact_judgements_for_win_rate(plan.margin, tie_frac=plan.tie_frac, effect=effect, **aims)
    deviation = paired_deviation(plan.rating_deviation, plan.rating_correlation)
    ratings = judgements_for_mean_difference(plan.rating_difference, deviation, effect=effect, **aims)
    prompts = math.ceil(max(normal, exact or 0, ratings) / shape.per_prompt)
    num = prompts * shape.per_prompt
    variance = verdict_variance(0.5 + plan.margin, plan.tie_frac) * effect / num
    return PlannedStudy(
        people_per_pair=people,
        design_effect=effect,
        judgements=normal,
        exact_judgements=exact,
        rating_judgements=ratings,
        prompts=prompts,
        half_width=float(ndtri(1 - plan.alpha / 2)) * math.sqrt(variance),
        hours=num * plan.seconds_per_pair / 3600,
    )


def plan_table(plan: StudyPlan, studies: tuple[PlannedStudy, ...]) -> Table:
    """The plan as a table: a row for each number of people a pair."""
    return Table(
        "How large the study must be",
        (
            *("people a pair", "prompts", "pairs", "judgements", "hours in all", "interval of the win rate"),
            *("for the win rate", "exactly", "for ratings", "design effect"),
        ),
        tuple(
            (
                str(study.people_per_pair),
                str(study.prompts),
                str(study.prompts * plan.pairs_per_prompt),
                str(study.prompts * plan.pairs_per_prompt * study.people_per_pair),
                f"{study.hours:.1f}",
                f"± {study.half_width:.3f}",
                str(study.judgements),
                number_text(study.exact_judgements, 0) if study.exact_judgements else "as the normal law",
                str(study.rating_judgements),
                f"{study.design_effect:.2f}",
            )
            for study in studies
        ),
        f"Finds a win rate of {0.5 + plan.margin:g} with probability {plan.power:g} at level {plan.alpha:g}, "
        f"{100 * plan.tie_frac:g} % ties expected, and a difference of {plan.rating_difference:g} in mean ratings. For the "
        "win rate: judgements by the normal law; exactly: by the sign test on independent verdicts, times the design effect. "
        "More people a pair want fewer prompts and more judgements; at least a share of the pairs needs two people, or "
        "their agreement stays unknown.",
    )
