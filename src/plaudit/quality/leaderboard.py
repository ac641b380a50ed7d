"""Models ranked by what people said of their answers: a table with intervals, places and P(a beats b)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from plaudit.rules.style import STYLE_NAMES, Style, style_of
from plaudit.schemas.conversation import Messages, Role
from plaudit.schemas.errors import PlauditError
from plaudit.schemas.feedback import Comparison, Ranking
from plaudit.schemas.preference import preference_group
from plaudit.statistics.bradley_terry import Votes, ranked
from plaudit.statistics.intervals import Estimate


@dataclass(frozen=True, slots=True)
class Standing:
    """A model's line. `rating` is in log-odds and sums to zero over all models; `place` is 1 + those surely better.

    Ratings and places of models in different parts (0 is the one of most models) say nothing of each other. `num_votes`
    counts pairs of answers.
    """

    model: str
    rating: Estimate
    place: int
    num_votes: int
    part: int


@dataclass(frozen=True, slots=True)
class Leaderboard:
    """Standings, part by part, the best first.

    `win_rates[i][j]` is P(standing i beats standing j), ties half: 0.5 for itself, None where no chain of votes joins the
    two. `effects` says, by name, what a model gains by more of a style, in log-odds for a typical difference between two
    answers; empty where style was not controlled. `left_out` counts records by the reason that they say nothing here.
    """

    standings: tuple[Standing, ...]
    win_rates: tuple[tuple[Estimate | None, ...], ...]
    effects: dict[str, Estimate]
    num_people: int
    left_out: dict[str, int]

    @property
    def is_connected(self) -> bool:
        """Whether all ratings may be compared."""
        return all(standing.part == 0 for standing in self.standings)


@dataclass(frozen=True, slots=True)
class _Vote:
    first: str
    second: str
    outcome: float
    weight: float
    person: str
    answers: tuple[Messages, Messages]


def leaderboard(
    records: Sequence[Ranking | Comparison],
    *,
    style_controlled: bool = False,
    prior_std: float | None = 2.0,
    num_resamples: int = 500,
    level: float = 0.95,
    seed: int = 0,
) -> Leaderboard:
    """The models of the records, ranked by Bradley-Terry with ties (`statistics.bradley_terry.ranked`).

    `extra["models"]` names the model of each answer, as `plaudit study` writes it, or `model_a` and `model_b` do, as in
    Chatbot Arena's rows. A ranking's pairs share its weight; both_bad is a tie. Intervals are from a bootstrap over people;
    records without annotator are taken to be one person's. Where `style_controlled`, ratings are those of answers of equal
    length, headings, lists and bold, each difference divided by its root mean square over the votes, so that exchanging the
    sides of a vote changes nothing. Raises PlauditError where no record compares two models.
    """
    left_out: Counter[str] = Counter()
    cast = [vote for record in records for vote in _votes_of(record, left_out)]
    if not cast:
        reasons = ", ".join(f"{reason} ({num})" for reason, num in left_out.items()) or "there are none"
        raise PlauditError(f'none of the records compares two models: {reasons}; name them in extra["models"]')
    models = sorted({model for vote in cast for model in (vote.first, vote.second)})
    of_model = {model: index for index, model in enumerate(models)}
    votes = Votes.of(
        [of_model[vote.first] for vote in cast],
        [of_model[vote.second] for vote in cast],
        [vote.outcome for vote in cast],
        [vote.person for vote in cast],
        _style_covariates(cast) if style_controlled else None,
        [vote.weight for vote in cast],
    )
    found = ranked(votes, len(models), prior_std=prior_std, num_resamples=num_resamples, level=level, seed=seed)
    part_of = _parts_by_size(found.groups)
    order = sorted(range(len(models)), key=lambda i: (part_of[i], -found.fit.ratings[i], models[i]))
    even = Estimate(0.5, 0.5, 0.5, 0)
    rates = tuple(tuple(even if i == j else found.win_rate(i, j) for j in order) for i in order)
    standings = tuple(
        Standing(models[i], found.ratings[i], _place(column), found.num_votes[i], part_of[i])
        for i, column in zip(order, zip(*rates, strict=True), strict=True)
    )
    effects = dict(zip(STYLE_NAMES, found.effects, strict=True)) if style_controlled else {}
    return Leaderboard(standings, rates, effects, int(votes.voter.max()) + 1, dict(left_out))


def model_names(record: Ranking | Comparison) -> tuple[str, ...] | None:
    """The model of each answer, in the record's order; None where they are not all named."""
    num = len(record.completions) if isinstance(record, Ranking) else 2
    names = record.extra.get("models")
    if names is None:
        names = [record.extra.get("model_a"), record.extra.get("model_b")]
    if not isinstance(names, list) or len(names) != num:
        return None
    found = tuple(name for name in names if isinstance(name, str) and name)
    return found if len(found) == num else None


def _votes_of(record: Ranking | Comparison, left_out: Counter[str]) -> Iterator[_Vote]:
    """The record's pairs of answers by two models; where there is none, the reason is counted."""
    names, group = model_names(record), preference_group(record)
    if names is None:
        left_out["models not named"] += 1
        return
    pairs = [pair for pair in group.pairs if pair.weight > 0]
    between = [pair for pair in pairs if names[pair.a] != names[pair.b]]
    if not between:
        left_out["one model only" if pairs else "nothing compared"] += 1
    for pair in between:
        answers = (group.completions[pair.a], group.completions[pair.b])
        yield _Vote(names[pair.a], names[pair.b], pair.target, pair.weight, record.annotator or "", answers)


def _style_covariates(cast: Sequence[_Vote]) -> NDArray[np.float64]:
    """The differences in style of each vote's answers [N, 4], each column with a mean square of 1."""
    styles: dict[str, Style] = {}

    def of(answer: Messages) -> Style:
        text = "\n".join(message.text for message in answer if message.role is Role.ASSISTANT)
        if text not in styles:
            styles[text] = style_of(text)
        return styles[text]

    rows = [list(of(vote.answers[0]).differences(of(vote.answers[1])).values()) for vote in cast]
    table = np.array(rows, dtype=np.float64)
    scale = np.sqrt((table**2).mean(axis=0))
    covariates: NDArray[np.float64] = table / np.where(scale > 0, scale, 1.0)
    return covariates


def _parts_by_size(groups: Sequence[int]) -> list[int]:
    """The part of each model, numbered from the one of most models on; of two as large, that of the first name is first."""
    sizes = Counter(groups)
    by_size = sorted(sizes, key=lambda group: (-sizes[group], groups.index(group)))
    return [by_size.index(group) for group in groups]


def _place(against: Sequence[Estimate | None]) -> int:
    """1 + how many models' win rates against this one lie surely above a half."""
    return 1 + sum(rate is not None and rate.low > 0.5 for rate in against)
