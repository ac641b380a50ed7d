"""What a store's rows say of its people: by hand on a few, and whom it points at in a crowd."""

from __future__ import annotations

from pathlib import Path

import pytest

from plaudit.quality.panel import PersonReport, agreement, people_report
from plaudit.schemas.judgement import ItemKind, Judgement
from plaudit.schemas.tasks import EmptyQueue
from plaudit.statistics.agreement import krippendorff_alpha
from plaudit.store import Store, open_store
from plaudit.testing.crowd import Annotator, Shown
from tests.store.conftest import Panel, panel_of, same_draws  # noqa: F401 (a fixture)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(f"sqlite:///{tmp_path / 'store.db'}")


def judged(panel: Panel, person: int, verdicts: str, lead_time_ms: int = 2000) -> None:
    """Judges as many tasks as there are letters, each about the item's own answers: a, b or t(ie)."""
    for letter in verdicts:
        task = panel.task(person)
        first = task.answers[0][0].text.endswith("0")
        verdict = "tie" if letter == "t" else letter if first else {"a": "b", "b": "a"}[letter]
        panel.submit(task, verdict=verdict, lead_time_ms=lead_time_ms)


def test_by_hand(store: Store) -> None:
    panel = panel_of(store, 2, overlap=2)
    for index in range(6):
        panel.item(f"q{index}")
    judged(panel, 0, "abatab", lead_time_ms=3000)
    judged(panel, 1, "abbaab", lead_time_ms=1000)
    ann, bob = sorted(people_report(store, panel.project), key=lambda person: person.pseudonym)
    assert [person.pseudonym for person in (ann, bob)] == ["person 0", "person 1"]
    assert (ann.num_judgements, ann.median_lead_s, ann.tie_frac) == (6, 3.0, 1 / 6)
    assert (bob.median_lead_s, bob.tie_frac) == (1.0, 0.0)
    assert (ann.gold, ann.consistency) == (None, None)
    # Sides alternate; six verdicts less a tie.
    assert ann.left is not None
    assert ann.left.n == 5
    (pairs,) = agreement(store, panel.project)
    table = [[1, 1], [0, 0], [1, 0], [0.5, 1], [1, 1], [0, 0]]
    assert pairs.alpha.value == pytest.approx(krippendorff_alpha(table, "ordinal"))
    assert pairs.num_items == 6


def test_known_answers_and_repetitions(store: Store) -> None:
    """One who answers "the first answer is better" always: right on known items where that is so, and steady."""
    panel = panel_of(store, 1, overlap=1, num_onboarding=4, repeat_frac=0.4, repeat_gap=2)
    for index in range(4):
        store.items.set_gold(panel.item(f"g{index}"), Judgement(verdict="ab"[index == 0]), reason="r")
    for index in range(12):
        panel.item(f"q{index}")
    num = 0
    while not isinstance(store.tasks.next(panel.project, panel.people[0]), EmptyQueue):
        judged(panel, 0, "a")
        num += 1
    (person,) = people_report(store, panel.project)
    assert person.gold is not None
    assert (person.gold.n, person.gold.value) == (4, 0.75)
    assert person.consistency is not None
    assert (person.consistency.n, person.consistency.value) == (num - 16, 1.0)


def test_sides(store: Store) -> None:
    """One who takes whatever stands first."""
    panel = panel_of(store, 1, overlap=1)
    for index in range(20):
        panel.item(f"q{index}")
        panel.submit(panel.task(), verdict="a")
    (person,) = people_report(store, panel.project)
    assert person.left is not None
    assert (person.left.value, person.left.n) == (1.0, 20)


def crowd_report(store: Store) -> dict[str, PersonReport]:
    """Twelve people, one of whom clicks and one of whom lies, on 60 items, five people each."""
    panel = panel_of(store, 12, overlap=5)
    people = [Annotator(name=f"person {index}", skill=3.0) for index in range(10)]
    people += [Annotator(name="person 10", skill=0.0), Annotator(name="person 11", skill=3.0, lie_frac=1.0)]
    for index in range(60):
        panel.item(f"q{index}")
    working = True
    while working:
        working = False
        for index, person in enumerate(people):
            found = store.tasks.next(panel.project, panel.people[index])
            if isinstance(found, EmptyQueue):
                continue
            working = True
            texts = tuple(answer[0].text for answer in found.answers)
            shown = Shown(found.prompt[0].text, texts, tuple(float(text.endswith("0")) for text in texts))
            panel.submit(found, verdict=person.verdict(shown))
    return {person.pseudonym: person for person in people_report(store, panel.project)}


def test_it_points_at_the_clicker_and_the_liar(store: Store) -> None:
    found = crowd_report(store)
    assert {name for name, person in found.items() if person.is_flagged_together} == {"person 10", "person 11"}
    liar = found["person 11"].skill
    assert liar is not None
    assert (
        liar.accuracy
        < 0.4
        < 0.6
        < min(
            person.skill.accuracy
            for name, person in found.items()
            if person.skill and name not in ("person 10", "person 11")
        )
    )


def test_ratings_agree_on_their_own_scale(store: Store) -> None:
    panel = panel_of(store, 2, overlap=2)
    for index in range(5):
        panel.item(f"q{index}", kind=ItemKind.RATING, num_answers=1)
    for person in range(2):
        for index in range(5):
            panel.submit(panel.task(person), ratings={"overall": [1 + (index + person) % 5]})
    (found,) = agreement(store, panel.project)
    assert (found.what, found.scale) == ("overall", "interval")
    table = [[1, 2], [2, 3], [3, 4], [4, 5], [5, 1]]
    assert found.alpha.value == pytest.approx(krippendorff_alpha(table, "interval"))
