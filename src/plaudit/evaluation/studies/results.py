"""What a human study says: win rates, ratings, and how far the people can be relied on. Intervals resample prompts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from plaudit.evaluation.studies.answers import Judgement
from plaudit.evaluation.studies.study import Study
from plaudit.schemas.conversation import prompt_id
from plaudit.schemas.errors import PlauditError
from plaudit.schemas.feedback import Verdict
from plaudit.statistics import Estimate, bootstrap_interval, paired_difference, wilson_interval, win_rate
from plaudit.statistics.agreement import Scale, krippendorff_alpha

_NUM_ALPHAS = 400
"""Resamples of an alpha: each counts all coincidences anew."""


@dataclass(frozen=True, slots=True)
class Duel:
    """The first model against the second; `win_rate` is the first's, None without a word. Fractions are of judgements."""

    models: tuple[str, str]
    win_rate: Estimate | None
    num_judgements: int
    num_prompts: int
    tie_frac: float
    both_bad_frac: float
    num_incomparable: int


@dataclass(frozen=True, slots=True)
class AxisResult:
    """Mean ratings by model, and of each two models the first's less the second's, rated side by side."""

    axis: str
    means: Mapping[str, Estimate]
    differences: Mapping[tuple[str, str], Estimate]


@dataclass(frozen=True, slots=True)
class PersonSummary:
    """One person's habits. None where there is nothing to count; `agreement` is with others on the same pairs."""

    person: str
    num_answered: int
    num_assigned: int
    tie_frac: float | None
    left_rate: Estimate | None
    self_agreement: Estimate | None
    agreement: Estimate | None
    median_seconds: float | None


@dataclass(frozen=True, slots=True)
class StudyResult:
    """Everything a study says. First showings count; repeats serve `self_agreement` alone, which equal verdicts make.

    `verdict_alpha` and `rating_alphas` are Krippendorff's over pairs that several people judged, nominal and ordinal;
    None where none was. `left_rate` is the share of strict verdicts for the answer that stood first.
    """

    duels: tuple[Duel, ...]
    axes: tuple[AxisResult, ...]
    verdict_alpha: Estimate | None
    rating_alphas: Mapping[str, Estimate]
    self_agreement: Estimate | None
    left_rate: Estimate | None
    people: tuple[PersonSummary, ...]
    num_answered: int
    num_rows: int


def study_result(study: Study, judgements: Sequence[Judgement], *, seed: int = 0) -> StudyResult:
    """The result. Raises PlauditError where nobody judged anything."""
    firsts = first_judgements(judgements)
    if not firsts:
        raise PlauditError("no pair has been judged: give the files that people saved from their sheets")
    lefts = [judgement for judgement in judgements if judgement.left_won is not None]
    duels = sorted(
        {judgement.pair.models for judgement in firsts}, key=lambda two: [study.models.index(m) for m in two]
    )
    return StudyResult(
        duels=tuple(_duel(two, [one for one in firsts if one.pair.models == two], seed) for two in duels),
        axes=tuple(_axis(axis, study, firsts, seed) for axis in study.axes),
        verdict_alpha=_alpha(firsts, lambda one: {"": one.win}, "nominal", seed),
        rating_alphas={
            axis: alpha
            for axis in study.axes
            if (alpha := _alpha(firsts, partial(_both, axis), "ordinal", seed)) is not None
        },
        self_agreement=_self_agreement(judgements),
        left_rate=_share([bool(one.left_won) for one in lefts], _prompts(lefts), seed),
        people=tuple(_person(study, person, judgements, seed) for person in study.people),
        num_answered=len(judgements),
        num_rows=len(study.rows),
    )


def _prompts(judgements: Iterable[Judgement]) -> list[str]:
    return [prompt_id(one.pair.prompt) for one in judgements]


def _share(values: Sequence[bool], clusters: Sequence[str], seed: int) -> Estimate | None:
    return bootstrap_interval(values, clusters=clusters, seed=seed) if values else None


def _duel(models: tuple[str, str], judgements: Sequence[Judgement], seed: int) -> Duel:
    heard = [one for one in judgements if one.win is not None]
    wins = [one.win for one in heard if one.win is not None]
    return Duel(
        models=models,
        win_rate=win_rate(wins, _prompts(heard), seed=seed) if wins else None,
        num_judgements=len(judgements),
        num_prompts=len(set(_prompts(judgements))),
        tie_frac=sum(one.verdict is Verdict.TIE for one in judgements) / len(judgements),
        both_bad_frac=sum(one.verdict is Verdict.BOTH_BAD for one in judgements) / len(judgements),
        num_incomparable=len(judgements) - len(heard),
    )


def _axis(axis: str, study: Study, judgements: Sequence[Judgement], seed: int) -> AxisResult:
    rated = [one for one in judgements if axis in one.ratings]
    by_model: dict[str, list[tuple[int, str]]] = defaultdict(list)
    by_duel: dict[tuple[str, str], list[tuple[int, int, str]]] = defaultdict(list)
    for one, prompt in zip(rated, _prompts(rated), strict=True):
        first, second = one.ratings[axis]
        by_model[one.pair.models[0]].append((first, prompt))
        by_model[one.pair.models[1]].append((second, prompt))
        by_duel[one.pair.models].append((first, second, prompt))
    return AxisResult(
        axis,
        {
            model: bootstrap_interval(
                [rating for rating, _ in by_model[model]], clusters=[name for _, name in by_model[model]], seed=seed
            )
            for model in study.models
            if by_model[model]
        },
        {
            two: paired_difference(
                [first for first, _, _ in rows],
                [second for _, second, _ in rows],
                clusters=[name for _, _, name in rows],
                seed=seed,
            )
            for two, rows in by_duel.items()
        },
    )


def _both(axis: str, judgement: Judgement) -> dict[str, float | None]:
    """The ratings of both answers, each an item of its own."""
    first, second = judgement.ratings.get(axis, (None, None))
    return {"a": first, "b": second}


def _alpha(
    judgements: Sequence[Judgement], values: Callable[[Judgement], Mapping[str, float | None]], scale: Scale, seed: int
) -> Estimate | None:
    """Krippendorff's alpha with an interval over prompts; None where no item has two values."""
    items: dict[tuple[str, str], list[float]] = defaultdict(list)
    prompts: dict[tuple[str, str], str] = {}
    for one, prompt in zip(judgements, _prompts(judgements), strict=True):
        for part, value in values(one).items():
            if value is not None:
                items[one.pair.id, part].append(value)
                prompts[one.pair.id, part] = prompt
    shared = [key for key, found in items.items() if len(found) >= 2]
    if not shared:
        return None
    rows = [items[key] for key in shared]
    return bootstrap_interval(
        np.arange(len(rows)),
        lambda drawn: krippendorff_alpha([rows[int(i)] for i in drawn], scale),
        clusters=[prompts[key] for key in shared],
        num_resamples=_NUM_ALPHAS,
        seed=seed,
    )


def _self_agreement(judgements: Iterable[Judgement]) -> Estimate | None:
    """How often a person gave a repeated pair the verdict they gave it first; Wilson's interval."""
    showings: dict[tuple[str, str], dict[bool, Verdict]] = defaultdict(dict)
    for one in judgements:
        showings[one.row.person, one.pair.id][one.row.repeat] = one.verdict
    same = [both[False] is both[True] for both in showings.values() if len(both) == 2]
    return wilson_interval(sum(same), len(same)) if same else None


def _person(study: Study, person: str, judgements: Sequence[Judgement], seed: int) -> PersonSummary:
    mine = [one for one in judgements if one.row.person == person]
    firsts = {one.pair.id: one for one in mine if not one.row.repeat}
    lefts = [one for one in mine if one.left_won is not None]
    met = [
        (firsts[other.pair.id], other)
        for other in judgements
        if other.row.person != person and not other.row.repeat and other.pair.id in firsts
    ]
    met = [(one, other) for one, other in met if one.win is not None and other.win is not None]
    seconds = [one.seconds for one in mine if one.seconds is not None]
    return PersonSummary(
        person=person,
        num_answered=len(mine),
        num_assigned=sum(row.person == person for row in study.rows),
        tie_frac=sum(one.win == 0.5 for one in mine) / len(mine) if mine else None,
        left_rate=_share([bool(one.left_won) for one in lefts], _prompts(lefts), seed),
        self_agreement=_self_agreement(mine),
        agreement=_share([one.win == other.win for one, other in met], _prompts(one for one, _ in met), seed),
        median_seconds=float(np.median(seconds)) if seconds else None,
    )


def first_judgements(judgements: Iterable[Judgement]) -> list[Judgement]:
    """Those that count: no repeats."""
    return [one for one in judgements if not one.row.repeat]
