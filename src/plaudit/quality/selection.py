"""What to ask people next: the answers that reward models disagree on, with a share drawn at random for figures to rest on."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import count

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit
from scipy.stats import rankdata

from plaudit.rules.words import overlap_f1
from plaudit.runs.seeds import spawn_seed
from plaudit.statistics.classification import auroc
from plaudit.statistics.intervals import Estimate, bootstrap_interval

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]

LEAST_RANDOM_FRAC = 0.15
"""Of all items at least so many are drawn at random, prompt and answers; only these feed accuracy, agreement and gates."""


class Strategy(StrEnum):
    """How the answers of a prompt are chosen, and which prompts come first.

    `disagreement`: the answers whose order the members dispute most. `thompson`: the favourites of members drawn by chance,
    so that what may be best is compared with what may be best. Of both, the prompts whose answers are disputed most.
    `random`: neither looks at scores.
    """

    DISAGREEMENT = "disagreement"
    THOMPSON = "thompson"
    RANDOM = "random"


@dataclass(frozen=True, slots=True)
class Candidates:
    """Fresh answers to one prompt.

    `scores` [K, N] are what K reward models say of N answers, in log-odds: a difference of 1 is P(beats) = s(1).
    `alike_mask` [N, N] marks answers too like each other to be asked about together.
    """

    prompt: str
    scores: Floats
    alike_mask: Bools

    @classmethod
    def of(cls, prompt: str, scores: ArrayLike, alike_mask: ArrayLike | None = None) -> Candidates:
        """The candidates, checked. Raises ValueError for what does not fit."""
        table = np.asarray(scores, np.float64)
        if table.ndim != 2 or not table.size or not np.isfinite(table).all():
            raise ValueError(f"prompt {prompt!r}: scores must be finite, members by answers, got shape {table.shape}")
        num = table.shape[1]
        alike = np.eye(num, dtype=bool) if alike_mask is None else np.asarray(alike_mask, bool)
        if alike.shape != (num, num) or (alike != alike.T).any():
            raise ValueError(
                f"prompt {prompt!r}: alike_mask must be symmetric, {num} by {num} as there are answers, got {alike.shape}"
            )
        return cls(prompt, table, alike | np.eye(num, dtype=bool))


@dataclass(frozen=True, slots=True)
class Choice:
    """Answers of a prompt to be shown side by side, in the order of their numbers: sides and places are dealt elsewhere.

    `disagreement` is the mean over their pairs. `is_random` says that chance chose the prompt and the answers.
    """

    prompt: str
    answers: tuple[int, ...]
    disagreement: float
    is_random: bool


def disagreements(scores: ArrayLike) -> Floats:
    """The variance over members of P(a beats b) [N, N], from scores [K, N]: at most 0.25, where half say 1 and half 0.

    On the scale of probabilities (Christiano et al. 2017, section 2.2.4): members that differ in how sure they are of what
    they all hold disagree little, however far apart their scores.
    """
    table = np.asarray(scores, np.float64)
    variances: Floats = expit(table[:, :, None] - table[:, None, :]).var(axis=0)
    return variances


def near_identical(texts: Sequence[str], min_overlap: float = 0.9) -> Bools:
    """Which texts are too like each other to be compared [N, N]: the same, or of the same content words.

    At the default nine in ten content words are shared (`overlap_f1`).
    """
    return np.array([[a == b or overlap_f1(a, b) >= min_overlap for b in texts] for a in texts], dtype=bool)


def next_items(
    pool: Sequence[Candidates],
    num_items: int,
    strategy: Strategy,
    *,
    num_shown: int = 2,
    random_frac: float = LEAST_RANDOM_FRAC,
    seed: int = 0,
) -> list[Choice]:
    """What to show next, in the order in which to show it: random items and chosen ones mixed.

    No prompt comes a second time before all have come once, and no two answers are shown together twice: a batch is spread
    by counting prompts, since answers to different prompts differ anyhow, while near-identical answers to one are what
    `alike_mask` bars. (Farthest-point choice would want distances between prompts, which scores do not give.) In each round,
    the random items are drawn first, from all prompts, so that they are a fair sample of what people could be shown.

    `num_shown` answers an item, fewer where no more are unlike each other. What is drawn for a prompt depends on `seed` and
    its name, not on the other prompts. The random share is rounded up, so ask by the batch: of one item, one is random.
    Fewer items than `num_items` where the pool has no more. Raises ValueError for a `random_frac` under 15 %, prompts of one
    name, and one member where members are to disagree.
    """
    _check(pool, num_items, strategy, num_shown, random_frac)
    free: dict[str, Bools] = {candidates.prompt: ~candidates.alike_mask for candidates in pool}
    chosen: list[Choice] = []
    for turn in count():
        live = [candidates for candidates in pool if free[candidates.prompt].any()]
        num = min(num_items - len(chosen), len(live))
        if not num:
            break
        live.sort(key=lambda candidates: spawn_seed(seed, "prompt", turn, candidates.prompt))
        wanted = math.ceil(random_frac * (len(chosen) + num)) - sum(choice.is_random for choice in chosen)
        num_random = num if strategy is Strategy.RANDOM else max(0, wanted)
        names = seed, turn, num_shown
        drawn = [_choice(one, free[one.prompt], Strategy.RANDOM, *names) for one in live[:num_random]]
        disputed = [_choice(one, free[one.prompt], strategy, *names) for one in live[num_random:]]
        # Stable: prompts disputed alike stay in the order that chance gave them.
        disputed.sort(key=lambda choice: -choice.disagreement)
        taken = drawn + disputed[: num - num_random]
        taken.sort(key=lambda choice: spawn_seed(seed, "place", turn, choice.prompt))
        for choice in taken:
            free[choice.prompt][np.ix_(choice.answers, choice.answers)] = False
        chosen += taken
    return chosen


def _check(pool: Sequence[Candidates], num_items: int, strategy: Strategy, num_shown: int, random_frac: float) -> None:
    if not LEAST_RANDOM_FRAC <= random_frac <= 1:
        raise ValueError(
            f"random_frac must lie in [{LEAST_RANDOM_FRAC}, 1], got {random_frac}: accuracy, agreement and gates rest on "
            "the random items alone"
        )
    if num_items < 0 or num_shown < 2:
        raise ValueError(f"ask for at least no items of at least two answers: got {num_items} of {num_shown}")
    names = [candidates.prompt for candidates in pool]
    if len(set(names)) < len(names):
        raise ValueError(f"the pool names a prompt twice: {max(names, key=names.count)!r}; join its answers")
    lone = [candidates.prompt for candidates in pool if len(candidates.scores) < 2]
    if lone and strategy is not Strategy.RANDOM:
        raise ValueError(f"prompt {lone[0]!r} has one member's scores: it takes two to disagree")


def _choice(candidates: Candidates, free: Bools, strategy: Strategy, seed: int, turn: int, num_shown: int) -> Choice:
    """One prompt's answers; `free` marks the pairs that may be shown."""
    generator = np.random.default_rng(spawn_seed(seed, "answers", turn, candidates.prompt))
    disputed = disagreements(candidates.scores)
    answers = sorted(_shown(candidates.scores, np.where(free, disputed, -1.0), free, strategy, num_shown, generator))
    pairs = disputed[np.ix_(answers, answers)]
    mean = float(pairs.sum()) / (len(answers) * (len(answers) - 1))
    return Choice(candidates.prompt, tuple(answers), mean, strategy is Strategy.RANDOM)


def _shown(
    scores: Floats, disputed: Floats, free: Bools, strategy: Strategy, num_shown: int, generator: np.random.Generator
) -> list[int]:
    """The answers to show, each free with all others.

    Double Thompson sampling (Wu and Liu 2016; for language models Dwaracherla et al. 2024): the first is what a drawn member
    holds best, the next what another drawn one does, drawn until it differs. Members being finite, that is a draw among
    those with another favourite. Deviates from the latter where there is none: then what is most disputed against those
    shown, rather than any.
    """
    favourites = np.where(free.any(axis=0), scores, -np.inf).argmax(axis=1)
    match strategy:
        case Strategy.RANDOM:
            shown = [int(place) for place in generator.choice(np.argwhere(np.triu(free)))]
        case Strategy.DISAGREEMENT:
            shown = [int(place) for place in np.unravel_index(disputed.argmax(), disputed.shape)]
        case Strategy.THOMPSON:
            shown = [int(generator.choice(favourites))]
    while len(shown) < num_shown:
        allowed = np.asarray(free[shown].all(axis=0))
        if not allowed.any():
            break
        others = favourites[allowed[favourites]]
        if strategy is Strategy.RANDOM:
            further = generator.choice(np.flatnonzero(allowed))
        elif strategy is Strategy.THOMPSON and len(others):
            further = generator.choice(others)
        else:
            further = np.where(allowed, disputed[shown].sum(axis=0), -1.0).argmax()
        shown.append(int(further))
    return shown


@dataclass(frozen=True, slots=True)
class Foresight:
    """How far disagreement tells where the ensemble errs, on pairs it has not learnt from.

    `auroc`: P(a pair whose order the mean chance has wrong is more disputed than one it has right); 0.5 says nothing.
    `rank_correlation`: Spearman's, of disagreement with how far the mean chance is from the verdict. `closeness_auroc`: the
    same as `auroc` for how near the mean chance is to a half, which one model alone can say. Chances near a half vary most
    whatever the members know, so `auroc` by itself may be closeness in disguise: `beyond_closeness` compares only pairs in
    the same tenth of closeness. Members on one trunk share its blind spots; where this one is not above 0.5, their
    disagreement says no more than one member would.
    """

    auroc: Estimate
    rank_correlation: Estimate
    closeness_auroc: Estimate
    beyond_closeness: Estimate


def foresight(
    differences: ArrayLike,
    for_a: ArrayLike,
    prompts: ArrayLike,
    *,
    num_resamples: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> Foresight:
    """How well disagreement predicts error on M held-out pairs, with intervals from a bootstrap over prompts.

    `differences` [K, M] are each member's score of a less that of b, in log-odds; `for_a` [M] is 1 where a was preferred, 0
    where b was, 0.5 for a tie (which has no right order: ties count for the correlation only); `prompts` [M] names the
    prompt of each pair. Give it randomly drawn items. Ends are nan where a resample has no error, or errors only.
    """
    table, verdict, names = np.asarray(differences, np.float64), np.asarray(for_a, np.float64), np.asarray(prompts)
    if table.ndim != 2 or len(table) < 2 or not (table.shape[1:] == verdict.shape == names.shape and len(verdict)):
        raise ValueError(
            "expected differences of two members or more by pairs, and a verdict and a prompt a pair: got shapes "
            f"{table.shape}, {verdict.shape}, {names.shape}"
        )
    if not np.isin(verdict, (0.0, 0.5, 1.0)).all():
        raise ValueError("for_a is 1, 0 or 0.5 for a tie")
    chances = expit(table)
    disputed, mean = chances.var(axis=0), chances.mean(axis=0)
    is_strict, is_wrong = verdict != 0.5, (mean > 0.5) != (verdict > 0.5)
    miss, closeness = np.abs(verdict - mean), -np.abs(mean - 0.5)

    def over_pairs(statistic: Callable[[Ints], float]) -> Estimate:
        return bootstrap_interval(
            np.arange(len(verdict)),
            lambda rows: statistic(rows.astype(np.int64)),
            clusters=names,
            num_resamples=num_resamples,
            level=level,
            seed=seed,
        )

    def area_under(predictor: Floats, stratum: Ints) -> Estimate:
        def of(rows: Ints) -> float:
            strict = rows[is_strict[rows]]
            return _stratified_auroc(predictor[strict], is_wrong[strict], stratum[strict])

        return over_pairs(of)

    together, tenth = np.zeros(len(verdict), np.int64), (rankdata(closeness, "ordinal") - 1) * 10 // len(verdict)
    return Foresight(
        area_under(disputed, together),
        over_pairs(lambda rows: _rank_correlation(disputed[rows], miss[rows])),
        area_under(closeness, together),
        area_under(disputed, tenth),
    )


def _stratified_auroc(scores: Floats, positive: Bools, stratum: Ints) -> float:
    """P(a positive item scores above a negative one of its stratum), ties half; nan where no stratum has both."""
    above, num_pairs = 0.0, 0
    for rows in (stratum == one for one in np.unique(stratum)):
        num = int(positive[rows].sum()) * int((~positive[rows]).sum())
        if num:
            above, num_pairs = above + num * auroc(scores[rows], positive[rows]), num_pairs + num
    return above / num_pairs if num_pairs else math.nan


def _rank_correlation(a: Floats, b: Floats) -> float:
    """Spearman's rank correlation; nan where either is all one value."""
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return math.nan
    return float(np.corrcoef(rankdata(a), rankdata(b))[0, 1])
