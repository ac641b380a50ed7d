"""What many people's verdicts make of each pair of answers: a probability for trainers, and what is known of each person."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from plaudit.schemas.conversation import messages_json
from plaudit.schemas.errors import PlauditError
from plaudit.schemas.feedback import Comparison, Ranking, axis_of
from plaudit.schemas.preference import Pair, PreferenceGroup, pooled, preference_group
from plaudit.statistics.skill import PairVerdicts, SkillPrior, Skills, inferred_skills
from plaudit.statistics.suspicion import suspicion


@dataclass(frozen=True, slots=True)
class Person:
    """What a person's verdicts say of the person. `accuracy` is the chance that a strict verdict is right.

    `p_value`: in what share of cases an honest person of this crowd would agree with the others as little; `clicker` and
    `liar` are the chances of being either. Nothing here removes a verdict: somebody has to look.
    """

    name: str
    num_verdicts: int
    accuracy: float
    p_value: float
    clicker: float
    liar: float


@dataclass(frozen=True, slots=True)
class WeighedPreferences:
    """Groups whose pairs have P(a beats b) as target, and the people in the order of their names."""

    groups: list[PreferenceGroup]
    people: list[Person]


_PairKey = tuple[str, str, str, str]


def weighed_preferences(
    records: Sequence[Ranking | Comparison], *, prior: SkillPrior | None = None, seed: int = 0
) -> WeighedPreferences:
    """The records as groups whose targets weigh every person by their skill, which the verdicts themselves tell.

    A person who turns verdicts round is turned back, one who clicks at random counts for nothing: a probability can say
    that, a weight cannot. Records over the same prompt and answers are pooled, those on one axis (`axis_of`) by themselves.
    Records without annotator are taken to be one person's. Skill shows where people judge the same pairs; where nobody does,
    targets stay what a person of the prior's skill deserves. Raises PlauditError where no record compares two answers.
    """
    order: dict[_PairKey, int] = {}
    names = sorted({record.annotator or "" for record in records})
    person_of = {name: index for index, name in enumerate(names)}
    pairs, people, for_a = [], [], []
    by_axis: dict[str, list[PreferenceGroup]] = {}
    for record in records:
        group, axis = preference_group(record), axis_of(record)
        by_axis.setdefault(axis, []).append(group)
        for pair in group.pairs:
            key, flipped = _key(axis, group, pair)
            pairs.append(order.setdefault(key, len(order)))
            people.append(person_of[record.annotator or ""])
            for_a.append(1 - pair.target if flipped else pair.target)
    if not pairs:
        raise PlauditError(f"none of the {len(records)} records compares two answers")
    verdicts = PairVerdicts.of(pairs, people, for_a)
    skills = inferred_skills(verdicts, prior=prior, seed=seed)
    known = people_of(names, verdicts, skills, seed)
    groups = []
    for axis, group in ((axis, group) for axis, said in by_axis.items() for group in pooled(said)):
        targets = []
        for pair in group.pairs:
            key, flipped = _key(axis, group, pair)
            chance = float(skills.a_better[order[key]])
            targets.append(pair.model_copy(update={"target": 1 - chance if flipped else chance}))
        groups.append(group.model_copy(update={"pairs": tuple(targets)}))
    return WeighedPreferences(groups, known)


def people_of(names: Sequence[str], verdicts: PairVerdicts, skills: Skills, seed: int) -> list[Person]:
    """What is known of each person of whom there is a verdict; `names` in the order of their numbers."""
    doubts = suspicion(verdicts, skills, seed=seed)
    return [
        Person(
            name,
            int(doubts.num_verdicts[i]),
            float(skills.accuracy[i]),
            float(doubts.p_value[i]),
            float(doubts.clicker[i]),
            float(doubts.liar[i]),
        )
        for i, name in enumerate(names[: len(skills.skill)])
    ]


def _key(axis: str, group: PreferenceGroup, pair: Pair) -> tuple[_PairKey, bool]:
    """A name for two answers on an axis in whatever order they stand, and whether `pair` has them the other way round."""
    a, b = messages_json(group.completions[pair.a]), messages_json(group.completions[pair.b])
    return (axis, messages_json(group.prompt), min(a, b), max(a, b)), a > b
