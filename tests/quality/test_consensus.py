"""What the judgements of a store come to, against a count by hand; a person who looks at one side only; what is kept."""

from __future__ import annotations

from pathlib import Path

import pytest
from scipy.special import expit

from plaudit.quality.consensus import pairs_of, settle, settled, weighed
from plaudit.schemas.feedback import Verdict
from plaudit.schemas.judgement import ItemKind, Judgement
from plaudit.schemas.tasks import PersonKind, Task
from plaudit.statistics.skill import PairVerdicts, SkillPrior, inferred_skills
from plaudit.store import Store, open_store
from tests.store.conftest import Panel, panel_of, same_draws  # noqa: F401 (a fixture)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(f"sqlite:///{tmp_path / 'store.db'}")


def say(panel: Panel, person: int, letter: str) -> None:
    """Judges the next task; the letter is about the item's own answers."""
    task = panel.task(person)
    first = task.answers[0][0].text.endswith("0")
    panel.submit(task, verdict=letter if first or letter == "tie" else {"a": "b", "b": "a"}[letter])


def test_rankings_count_by_their_pairs() -> None:
    assert pairs_of(Judgement(ranks=(0, None, 2, 0))) == {(0, 2): 1.0, (0, 3): 0.5, (2, 3): 0.0}
    assert pairs_of(Judgement(verdict=Verdict.BOTH_BAD)) == {(0, 1): 0.5}
    assert pairs_of(Judgement(verdict=Verdict.INCOMPARABLE, reason="r")) == {}


def test_one_verdict_is_worth_the_skill_that_the_prior_gives(store: Store) -> None:
    panel = panel_of(store, 1)
    item = panel.item("q")
    say(panel, 0, "b")
    (pair,) = settle(store, panel.project)
    assert (pair.item_id, pair.a, pair.b) == (item, 0, 1)
    assert pair.chance == pytest.approx(1 - expit(SkillPrior().skill_mean), abs=0.02)
    assert pair.low < pair.chance < pair.high
    assert pair.num_effective == pytest.approx(2 * expit(SkillPrior().skill_mean) - 1, abs=0.04)


def test_sides_are_told_from_skill(store: Store) -> None:
    """Three look at the answers, one takes what stands on the left: with sides known that is a bias, no lack of skill."""
    panel = panel_of(store, 4, overlap=4)
    for index in range(30):
        panel.item(f"q{index}")
        for person in range(3):
            say(panel, person, "a")
        panel.submit(panel.task(3), verdict="a")
    rows = list(store.judgements.latest(panel.project))
    left = [1.0 if row.display_order == (0, 1) else -1.0 for row in rows]
    assert {1.0, -1.0} == set(left)
    people = [panel.people.index(row.person_id) for row in rows]
    items = {row.item_id: place for place, row in reversed(list(enumerate(rows)))}
    order = sorted(items, key=lambda item: items[item])
    said = [{"a": 1.0, "b": 0.0}[str(row.judgement.verdict)] for row in rows]
    expected = inferred_skills(PairVerdicts.of([order.index(row.item_id) for row in rows], people, said, left))
    found = weighed(rows)
    assert [pair.chance for pair in found.pairs] == pytest.approx(expected.a_better.tolist())
    by_place = [found.people[person].accuracy for person in panel.people]
    assert by_place == pytest.approx(expected.accuracy.tolist())
    assert expected.bias[3] > 1 > expected.bias[0]
    blind = inferred_skills(PairVerdicts.of([order.index(row.item_id) for row in rows], people, said))
    assert by_place != pytest.approx(blind.accuracy.tolist(), abs=1e-3)


def test_who_is_always_wrong_is_worth_as_much_as_who_is_always_right(store: Store) -> None:
    panel = panel_of(store, 4, overlap=4)
    for index in range(30):
        panel.item(f"q{index}")
        for person, letter in enumerate("aaab"):
            say(panel, person, letter)
    alone = panel.item("alone")
    say(panel, 3, "b")
    (found,) = (pair for pair in settle(store, panel.project) if pair.item_id == alone)
    assert found.chance > 0.7
    assert found.num_effective > 0.4


def test_it_is_kept_and_replaced(store: Store) -> None:
    panel = panel_of(store, 2, overlap=2)
    panel.item("q")
    ranked = panel.item("r", kind=ItemKind.RANKING, num_answers=3)
    assert settle(store, panel.project) == settled(store, panel.project) == []
    say(panel, 0, "a")
    first = settle(store, panel.project)
    assert settled(store, panel.project) == first
    panel.submit(panel.task(0), ranks=(0, 1, 2))
    say(panel, 1, "a")
    second = settle(store, panel.project)
    assert settled(store, panel.project) == second
    assert len(second) == 4
    assert {(pair.a, pair.b) for pair in second if pair.item_id == ranked} == {(0, 1), (0, 2), (1, 2)}
    assert second[0].chance > first[0].chance
    other = panel_of(store, 0, name="other")
    store.projects.join(other.project, panel.people[0])
    other.people.append(panel.people[0])
    assert settled(store, other.project) == []
    other.item("o")
    say(other, 0, "a")
    assert len(settle(store, other.project)) == 1
    assert settled(store, panel.project) == second


def test_neither_models_nor_known_answers_nor_repetitions_count(store: Store) -> None:
    panel = panel_of(store, 1, overlap=1, num_onboarding=1)
    store.items.set_gold(panel.item("g"), Judgement(verdict="a"), reason="r")
    panel.item("q")
    judge = store.people.add("judge", kind=PersonKind.MODEL)
    store.projects.join(panel.project, judge)
    panel.people.append(judge)
    say(panel, 0, "a")
    assert settle(store, panel.project) == []
    say(panel, 1, "a")
    say(panel, 1, "a")
    assert settle(store, panel.project) == []
    panel.item("p")
    say(panel, 0, "a")
    assert len(settle(store, panel.project)) == 1


def test_repetitions_say_how_steady_somebody_is_and_nothing_else(store: Store, same_draws: None) -> None:  # noqa: F811
    panel = panel_of(store, 1, overlap=1, repeat_frac=0.5, repeat_gap=1)
    for index in range(12):
        panel.item(f"q{index}")
    while isinstance(task := store.tasks.next(panel.project, panel.people[0]), Task):
        panel.submit(task, verdict="a")
    rows = list(store.judgements.latest(panel.project))
    first = [row for row in rows if not row.is_repeat]
    assert len(first) == 12 < len(rows)
    assert weighed(rows) == weighed(first)
