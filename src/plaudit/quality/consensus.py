"""What the judgements in a store come to: which answer of each pair is better, and how far each person can be trusted."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from pydantic import TypeAdapter

from plaudit.quality.labels import Person, people_of
from plaudit.schemas.feedback import Verdict
from plaudit.schemas.judgement import Judgement
from plaudit.schemas.preference import pairs_from_ranks
from plaudit.schemas.tasks import PersonKind
from plaudit.statistics.skill import PairVerdicts, inferred_skills
from plaudit.store import Store, Stored
from plaudit.store.consensus import Settled

METHOD = "skill"
_FOR_FIRST = {Verdict.A: 1.0, Verdict.B: 0.0, Verdict.TIE: 0.5, Verdict.BOTH_BAD: 0.5}

Pairs = dict[tuple[int, int], float]


def pairs_of(judgement: Judgement) -> Pairs:
    """What was said of each pair of answers: 1 for the first, 0 for the second, 0.5 for neither."""
    if judgement.verdict is not None:
        return {(0, 1): _FOR_FIRST[judgement.verdict]} if judgement.verdict in _FOR_FIRST else {}
    return {(pair.a, pair.b): pair.target for pair in pairs_from_ranks(judgement.ranks, 1.0)}


@dataclass(frozen=True, slots=True)
class PairChance:
    """Answer `a` of an item against its answer `b`: the chance that it is better, with its 95 % interval.

    `num_effective`: how many verdicts of somebody who is always right theirs are worth, each counting |2 accuracy - 1|.
    """

    item_id: str
    a: int
    b: int
    chance: float
    low: float
    high: float
    num_effective: float


@dataclass(frozen=True, slots=True)
class Weighed:
    """Verdicts on pairs, and what they say together: of each pair, and of each person by id."""

    pairs: list[PairChance]
    people: dict[str, Person]


def weighed(rows: Iterable[Stored], *, seed: int = 0) -> Weighed:
    """Weighs everybody by the skill that the verdicts themselves tell, and by their leaning to a side.

    Known answers and repetitions are left out. Empty where nobody compared two answers. The model is that of
    `plaudit.statistics.skill`.
    """
    pair_of: dict[tuple[str, int, int], int] = {}
    person_of: dict[str, int] = {}
    pairs, people, for_a, a_left = [], [], [], []
    for row in rows:
        if row.is_gold or row.is_repeat:
            continue
        place_of = {answer: place for place, answer in enumerate(row.display_order)}
        for (a, b), said in pairs_of(row.judgement).items():
            pairs.append(pair_of.setdefault((row.item_id, a, b), len(pair_of)))
            people.append(person_of.setdefault(row.person_id, len(person_of)))
            for_a.append(said)
            a_left.append(float(np.sign(place_of[b] - place_of[a])) if place_of else 0.0)
    if not pairs:
        return Weighed([], {})
    verdicts = PairVerdicts.of(pairs, people, for_a, a_left)
    skills = inferred_skills(verdicts, seed=seed)
    worth = np.bincount(verdicts.pair, np.abs(2 * skills.accuracy - 1)[verdicts.person])
    found = [
        PairChance(item, a, b, *(float(array[i]) for array in (skills.a_better, skills.low, skills.high, worth)))
        for (item, a, b), i in pair_of.items()
    ]
    return Weighed(found, {person.name: person for person in people_of(list(person_of), verdicts, skills, seed)})


def settle(store: Store, project_id: str, *, seed: int = 0) -> list[PairChance]:
    """What people's judgements come to by now, pair by pair; the store keeps it in the place of what it kept."""
    humans = store.people.of_kind(PersonKind.HUMAN)
    found = weighed((row for row in store.judgements.latest(project_id) if row.person_id in humans), seed=seed).pairs
    by_item: dict[str, list[PairChance]] = defaultdict(list)
    for pair in found:
        by_item[pair.item_id].append(pair)
    store.consensus.replace(project_id, METHOD, [_settled(item, pairs) for item, pairs in by_item.items()])
    return found


def settled(store: Store, project_id: str) -> list[PairChance]:
    """What the store keeps."""
    kept = store.consensus.of(project_id, METHOD)
    return [pair for one in kept for pair in _PAIRS.validate_python(one.posterior["pairs"])]


_PAIRS = TypeAdapter(list[PairChance])


def _settled(item_id: str, pairs: list[PairChance]) -> Settled:
    worth = float(np.mean([pair.num_effective for pair in pairs]))
    return Settled(item_id, {"pairs": _PAIRS.dump_python(pairs, mode="json")}, worth)
