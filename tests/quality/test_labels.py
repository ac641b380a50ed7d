"""Probabilities for trainers from a panel with a clicker and an adversary."""

import numpy as np
import pytest

from plaudit.quality.labels import weighed_preferences
from plaudit.schemas.conversation import assistant, user
from plaudit.schemas.errors import PlauditError
from plaudit.schemas.feedback import Comparison, Ranking, Verdict
from plaudit.schemas.preference import pooled, preference_group
from plaudit.schemas.protocols import Completion
from plaudit.testing.people import default_panel, panel_rankings

PROMPTS = [(user(f"question {i}"),) for i in range(60)]
ANSWERS = [[Completion(f"{i} answer {k}", True, 3) for k in range(4)] for i in range(60)]


def worths(seed: int = 0) -> list[list[float]]:
    return np.random.default_rng(seed).uniform(0.3, 0.7, (60, 4)).tolist()


def panel(seed: int = 0) -> list[Ranking]:
    return panel_rankings(default_panel(), PROMPTS, ANSWERS, worths(seed), per_prompt=6, seed=seed)


def accuracy(groups: list, true: list[list[float]]) -> float:
    """How often the likelier answer of a pair is the better one, a coin a half."""
    right = []
    for group, worth in zip(groups, true, strict=True):
        for pair in group.pairs:
            better = worth[pair.a] > worth[pair.b]
            right.append(0.5 if pair.target == 0.5 else float((pair.target > 0.5) == better))
    return float(np.mean(right))


def test_skills_are_found_and_labels_better_than_a_vote() -> None:
    """The panel: six honest people from careful to careless, one who clicks, one who ranks upside down."""
    records = panel()
    found = weighed_preferences(records)
    people = {person.name: person for person in found.people}
    assert list(people) == sorted(person.name for person in default_panel())
    assert people["ada"].accuracy > people["fay"].accuracy > 0.6
    assert people["gus"].accuracy == pytest.approx(0.5, abs=0.08)
    assert people["hal"].accuracy < 0.2
    assert people["gus"].clicker > 0.9
    assert people["hal"].liar > 0.9
    assert max(people[name].p_value for name in ("gus", "hal")) < 0.01
    assert min(people[name].p_value for name in ("ada", "ben", "cho")) > 0.1
    assert sum(person.num_verdicts for person in found.people) == sum(
        pair.target != 0.5 for record in records for pair in preference_group(record).pairs
    )
    votes = pooled(map(preference_group, records))
    assert [group.completions for group in found.groups] == [group.completions for group in votes]
    assert accuracy(found.groups, worths()) > accuracy(votes, worths()) + 0.02


def test_who_is_called_what_and_which_answer_stands_first_change_nothing() -> None:
    records = panel(1)
    renamed = {person.name: f"x{7 - i}" for i, person in enumerate(default_panel())}
    turned = [
        record.model_copy(
            update={
                "annotator": renamed[record.annotator or ""],
                "completions": record.completions[::-1],
                "ranks": record.ranks[::-1],
                "truncated": record.truncated[::-1],
            }
        )
        for record in records
    ]
    before, after = weighed_preferences(records), weighed_preferences(turned)
    for old, new in zip(before.groups, after.groups, strict=True):
        of_old = {(pair.a, pair.b): pair.target for pair in old.pairs}
        for pair in new.pairs:
            assert pair.target == pytest.approx(1 - of_old[(3 - pair.b, 3 - pair.a)], abs=1e-6)
    skill = {person.name: person.accuracy for person in after.people}
    for person in before.people:
        assert skill[renamed[person.name]] == pytest.approx(person.accuracy, abs=1e-6)


def test_comparisons_in_either_order_are_one_pair() -> None:
    a, b = (assistant("a"),), (assistant("b"),)
    records = [
        Comparison(prompt=PROMPTS[0], a=a, b=b, verdict=Verdict.A, annotator="ada"),
        Comparison(prompt=PROMPTS[0], a=b, b=a, verdict=Verdict.B, annotator="ben"),
        Comparison(prompt=PROMPTS[0], a=b, b=a, verdict=Verdict.INCOMPARABLE, annotator="cho"),
    ]
    found = weighed_preferences(records)
    first, second = (group for group in found.groups if group.pairs)
    assert first.pairs[0].target == pytest.approx(1 - second.pairs[0].target)
    assert first.pairs[0].target > 0.7
    assert [person.num_verdicts for person in found.people][:2] == [1, 1]


def test_weights_stay_and_unnamed_people_are_one() -> None:
    ranking = Ranking(prompt=PROMPTS[0], completions=tuple((assistant(t),) for t in "abc"), ranks=(0, 1, 1), weight=3.0)
    found = weighed_preferences([ranking, ranking])
    assert [person.name for person in found.people] == [""]
    assert [pair.weight for pair in found.groups[0].pairs] == pytest.approx([2.0, 2.0, 2.0])
    assert [pair.target > 0.6 for pair in found.groups[0].pairs] == [True, True, False]
    assert found.groups[0].pairs[2].target == 0.5


def test_each_axis_has_chances_of_its_own() -> None:
    """Five people who find a the more helpful and b the more harmless, as one: nobody contradicts anybody."""
    answers = tuple((assistant(text),) for text in "ab")
    records = [
        Ranking(prompt=PROMPTS[0], completions=answers, ranks=ranks, annotator=name, extra={"axis": axis})
        for name in ("ada", "ben", "cho", "dee", "eli")
        for axis, ranks in (("helpful", (0, 1)), ("harmless", (1, 0)))
    ]
    helpful, harmless = (group.pairs[0].target for group in weighed_preferences(records).groups)
    assert helpful > 0.9
    assert harmless == pytest.approx(1 - helpful)


def test_what_compares_nothing_is_refused() -> None:
    nothing = Comparison(
        prompt=PROMPTS[0], a=(assistant("a"),), b=(assistant("b"),), verdict=Verdict.INCOMPARABLE, annotator="ada"
    )
    with pytest.raises(PlauditError, match="none of the 1 records compares two answers"):
        weighed_preferences([nothing])
