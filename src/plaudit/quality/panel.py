"""What a store's rows say of the people who judged: how right, how steady, how fast, how fair; and how far they agree."""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from plaudit.quality.consensus import Pairs, pairs_of, weighed
from plaudit.quality.labels import Person
from plaudit.schemas.feedback import Verdict
from plaudit.schemas.tasks import PersonKind
from plaudit.statistics.agreement import Scale, krippendorff_alpha
from plaudit.statistics.intervals import Estimate, bootstrap_interval, wilson_interval
from plaudit.statistics.suspicion import flagged_together
from plaudit.store import Store, Stored

FALSE_ALARMS, FALSE_FINDS = 0.02, 0.05
_NUM_RESAMPLES = 200


@dataclass(frozen=True, slots=True)
class PersonReport:
    """What is known of one person; None where there is nothing to tell it by.

    `gold`: share of known answers they gave. `consistency`: share of repeated pairs on which they stayed with their word.
    `left`: share of strict verdicts for the answer that stood first. `is_flagged`: an honest person is, with chance 0.02;
    `is_flagged_together`: of all those flagged so, a share of 0.05 at most is honest on the mean.
    """

    pseudonym: str
    num_judgements: int
    median_lead_s: float | None
    gold: Estimate | None
    consistency: Estimate | None
    left: Estimate | None
    tie_frac: float | None
    skill: Person | None
    is_flagged: bool
    is_flagged_together: bool


@dataclass(frozen=True, slots=True)
class Agreement:
    """Krippendorff's alpha over what people said of the same items, with a bootstrap interval over items; and its scale."""

    what: str
    scale: Scale
    alpha: Estimate
    num_items: int


def people_report(store: Store, project_id: str) -> list[PersonReport]:
    """A line a person, by number of judgements."""
    rows: dict[str, list[Stored]] = defaultdict(list)
    for row in store.judgements.latest(project_id):
        rows[row.person_id].append(row)
    humans = store.people.of_kind(PersonKind.HUMAN)
    skills = weighed(row for person, said in rows.items() if person in humans for row in said).people
    gold = {item: pairs_of(known) for item, known in store.items.gold(project_id).items()}
    names = store.people.pseudonyms(rows)
    tested = list(skills)
    together = flagged_together(np.array([skills[person].p_value for person in tested]), FALSE_FINDS)
    doubted = {person for person, flag in zip(tested, together, strict=True) if flag}
    found = [
        _report(names[person], said, gold, skills.get(person), is_doubted=person in doubted)
        for person, said in rows.items()
    ]
    return sorted(found, key=lambda person: (-person.num_judgements, person.pseudonym))


def agreement(store: Store, project_id: str, *, seed: int = 0) -> list[Agreement]:
    """How far people agree: on pairs of answers, and on each axis. Repetitions and known answers are left out."""
    pairs: dict[tuple[str, int, int], list[float]] = defaultdict(list)
    ratings: dict[str, dict[tuple[str, int], list[float]]] = defaultdict(lambda: defaultdict(list))
    humans = store.people.of_kind(PersonKind.HUMAN)
    for row in store.judgements.latest(project_id):
        if row.is_gold or row.is_repeat or row.person_id not in humans:
            continue
        for (a, b), for_a in pairs_of(row.judgement).items():
            pairs[row.item_id, a, b].append(for_a)
        for axis, values in row.judgement.ratings.items():
            for place, value in enumerate(values):
                if value is not None:
                    ratings[axis][row.item_id, place].append(value)
    found = [_agreement("which answer is better", "ordinal", pairs.values(), seed)]
    found += [_agreement(axis, "interval", values.values(), seed) for axis, values in sorted(ratings.items())]
    return [one for one in found if one is not None]


def _report(
    pseudonym: str, rows: Sequence[Stored], gold: Mapping[str, Pairs], skill: Person | None, *, is_doubted: bool
) -> PersonReport:
    first = {row.item_id: pairs_of(row.judgement) for row in rows if not row.is_repeat}
    again = [(pairs_of(row.judgement), first[row.item_id]) for row in rows if row.is_repeat and row.item_id in first]
    known = [(pairs_of(row.judgement), gold[row.item_id]) for row in rows if row.is_gold and row.item_id in gold]
    strict = [row for row in rows if row.judgement.verdict in (Verdict.A, Verdict.B) and row.display_order]
    num_left = sum(row.display_order[0] == (row.judgement.verdict is Verdict.B) for row in strict)
    said = [value for row in rows for value in pairs_of(row.judgement).values()]
    times = [row.judgement.lead_time_ms / 1000 for row in rows if row.judgement.lead_time_ms is not None]
    return PersonReport(
        pseudonym=pseudonym,
        num_judgements=len(rows),
        median_lead_s=statistics.median(times) if times else None,
        gold=_shared(known),
        consistency=_shared(again),
        left=wilson_interval(num_left, len(strict)) if strict else None,
        tie_frac=said.count(0.5) / len(said) if said else None,
        skill=skill,
        is_flagged=skill is not None and skill.p_value <= FALSE_ALARMS,
        is_flagged_together=is_doubted,
    )


def _shared(both: Iterable[tuple[Pairs, Pairs]]) -> Estimate | None:
    """The share of pairs of which both say the same, of those of which the second says which is better."""
    same = [said.get(pair) == value for said, other in both for pair, value in other.items() if value != 0.5]
    return wilson_interval(sum(same), len(same)) if same else None


def _agreement(what: str, scale: Scale, values: Iterable[list[float]], seed: int) -> Agreement | None:
    items = [found for found in values if len(found) > 1]
    alpha = krippendorff_alpha(items, scale)
    if math.isnan(alpha):
        return None
    estimate = bootstrap_interval(
        np.arange(len(items)),
        lambda drawn: krippendorff_alpha([items[int(index)] for index in drawn], scale),
        num_resamples=_NUM_RESAMPLES,
        seed=seed,
    )
    return Agreement(what, scale, estimate, len(items))
