"""What people said: stored in the item's own order, once, for good."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from plaudit.schemas.conversation import assistant, user
from plaudit.schemas.feedback import Comparison, Highlights, Ranking, Verdict
from plaudit.schemas.judgement import Axis, ItemKind, Judgement
from plaudit.schemas.tasks import ProjectSettings, Task
from plaudit.store import Query, Store
from plaudit.store.errors import AlreadyJudgedError, InvalidError, NotAllowedError, WithdrawnError
from tests.store.conftest import QUIET, Panel, panel_of


def place_of(task: Task, answer: int) -> int:
    """Where the item's answer of this number was shown."""
    return next(place for place, shown in enumerate(task.answers) if shown[0].text.endswith(f" {answer}"))


def test_places_become_answers(panel: Panel) -> None:
    """Whoever prefers the item's first answer says so, wherever it was shown."""
    panel.item("q")
    for index in range(3):
        task = panel.task(index)
        panel.submit(task, verdict="ab"[place_of(task, 0)], strength=2, lead_time_ms=900, ui_version="7")
    stored = list(panel.store.judgements.latest(panel.project))
    assert {row.display_order for row in stored} == {(0, 1), (1, 0)}
    assert all(row.judgement == Judgement(verdict="a", strength=2, lead_time_ms=900, ui_version="7") for row in stored)
    assert [row.person_id for row in stored] == panel.people


def test_rankings_ratings_spans_and_edits_too(panel: Panel) -> None:
    panel.item("q", kind=ItemKind.RANKING, num_answers=4)
    task = panel.task()
    places = [place_of(task, answer) for answer in range(4)]

    def shown(values: list[JsonValue]) -> list[JsonValue]:
        by_place = dict(zip(places, values, strict=True))
        return [by_place[place] for place in range(4)]

    edit = [assistant("Better.").model_dump(mode="json")]
    span: JsonValue = {"start": 0, "end": 1, "label": "false"}
    panel.submit(
        task,
        ranks=shown([0, 1, 1, None]),
        unacceptable=shown([False, False, False, True]),
        ratings={"overall": shown([5, 3, 3, None])},
        spans=shown([[], [span], [], []]),
        edit=edit,
        edit_of=places[2],
        critique="Too long.",
    )
    (row,) = panel.store.judgements.latest(panel.project)
    assert row.judgement == Judgement.model_validate(
        {
            "ranks": [0, 1, 1, None],
            "unacceptable": [False, False, False, True],
            "ratings": {"overall": [5, 3, 3, None]},
            "spans": [[], [span], [], []],
            "edit": edit,
            "edit_of": 2,
            "critique": "Too long.",
        }
    )


@given(st.permutations(range(5)), st.lists(st.integers(0, 4), min_size=5, max_size=5))
def test_shuffled_and_back(order: list[int], ranks: list[int]) -> None:
    """Against indexing by hand: place p showed the answer order[p]."""
    back = Judgement(ranks=tuple(ranks), edit=(assistant("x"),), edit_of=3).unshuffled(order)
    assert all(back.ranks[answer] == ranks[place] for place, answer in enumerate(order))
    assert back.edit_of == order[3]


def test_two_answers_the_other_way_round() -> None:
    said = Judgement(verdict="a", axis_verdicts={"overall": "b", "truthful": "tie"})
    back = said.unshuffled([1, 0])
    assert (back.verdict, back.axis_verdicts) == (Verdict.B, {"overall": Verdict.A, "truthful": Verdict.TIE})
    assert said.unshuffled([0, 1]) == said


def test_the_same_key_again_is_the_same_judgement(panel: Panel) -> None:
    """A client that heard nothing sends once more; one that made a mistake is told so."""
    panel.item("q")
    task = panel.task()
    first = panel.submit(task, "key", verdict="a", critique="Good.")
    assert panel.submit(task, "key", verdict="a", critique="Good.") == first
    with pytest.raises(InvalidError, match="was used for another judgement"):
        panel.submit(task, "key", verdict="b")
    with pytest.raises(AlreadyJudgedError):
        panel.submit(task, "another key", verdict="a", critique="Good.")
    assert len(list(panel.store.judgements.latest(panel.project))) == 1


def test_two_people_may_use_the_same_key(panel: Panel) -> None:
    panel.item("q")
    assert panel.submit(panel.task(0), "1") != panel.submit(panel.task(1), "1")


def test_a_correction_is_a_row_of_its_own(panel: Panel) -> None:
    store = panel.store
    panel.item("q")
    task = panel.task()
    first = panel.submit(task, "1", verdict="ab"[place_of(task, 0)])
    flipped = Judgement(verdict="ba"[place_of(task, 0)])
    second = store.judgements.revise(first, panel.people[0], flipped, client_key="2")
    assert store.judgements.revise(first, panel.people[0], flipped, client_key="2") == second
    (row,) = store.judgements.latest(panel.project)
    assert (row.id, row.judgement.verdict, len(row.display_order)) == (second, Verdict.B, 2)
    third = store.judgements.revise(second, panel.people[0], Judgement(verdict="tie"), client_key="3")
    assert [row.id for row in store.judgements.latest(panel.project)] == [third]
    with pytest.raises(AlreadyJudgedError, match="correct the latest"):
        store.judgements.revise(first, panel.people[0], Judgement(verdict="tie"), client_key="4")
    with pytest.raises(NotAllowedError):
        store.judgements.revise(third, panel.people[1], Judgement(verdict="a"), client_key="5")
    assert [row.id for row in store.judgements.latest(panel.project)] == [third]


MISFITS = {
    "no verdict": (ItemKind.COMPARISON, 2, {"critique": "hm"}, "a comparison needs a verdict"),
    "no ranks": (ItemKind.RANKING, 2, {"critique": "hm"}, "ranks must cover 2 of the 2 answers: 0 are ranked"),
    "no reason": (ItemKind.COMPARISON, 2, {"verdict": "incomparable"}, "incomparable needs a reason"),
    "no rank": (ItemKind.RANKING, 3, {"ranks": [0, None, 1]}, "ranks must cover 3 of the 3 answers: 2 are ranked"),
    "few ranks": (ItemKind.RANKING, 3, {"ranks": [0, 1]}, "ranks must have one entry an answer: 2 entries, 3 answers"),
    "many flags": (ItemKind.RANKING, 2, {"ranks": [0, 1], "unacceptable": [True]}, "unacceptable must have one entry"),
    "a verdict on three": (ItemKind.RATING, 3, {"verdict": "a", "ratings": {"overall": [1, 1, 1]}}, "has 3"),
    "no number": (ItemKind.RATING, 1, {"critique": "hm"}, "a rating needs a number"),
    "no such axis": (
        ItemKind.RATING,
        1,
        {"ratings": {"charm": [1]}},
        "'charm' is no axis of this project: it has overall",
    ),
    "off the scale": (
        ItemKind.RATING,
        1,
        {"ratings": {"overall": [6]}},
        "6 lies outside the scale of 'overall', 1 to 5",
    ),
    "few numbers": (ItemKind.RATING, 2, {"ratings": {"overall": [1]}}, "must have one entry an answer"),
    "no spans": (ItemKind.HIGHLIGHTS, 1, {"critique": "hm"}, "highlights need a list of spans"),
    "no text": (ItemKind.CORRECTION, 1, {"critique": "hm"}, "a correction needs the answer that was written"),
    "of nothing": (
        *(ItemKind.CORRECTION, 1),
        {"edit": [{"role": "assistant", "content": "x"}], "edit_of": 4},
        "edit_of names answer 4, there are 1",
    ),
    "no demonstration": (ItemKind.DEMONSTRATION, 0, {"critique": "hm"}, "a demonstration needs the answer"),
}


@pytest.mark.parametrize("name", MISFITS)
def test_what_does_not_answer_is_refused_and_nothing_is_written(panel: Panel, name: str) -> None:
    kind, num_answers, said, message = MISFITS[name]
    panel.item("q", kind=kind, num_answers=num_answers)
    task = panel.task()
    with pytest.raises(InvalidError, match=message):
        panel.submit(task, **said)
    assert list(panel.store.judgements.latest(panel.project)) == []
    assert panel.task() == task  # The lease stands, and the person may try again.


@pytest.mark.parametrize(
    ("said", "where"),
    [
        ({"verdict": "a", "model": "gpt-9"}, "model"),
        ({"verdict": "A"}, "verdict"),
        ({"verdict": "a", "strength": 4}, "strength"),
        ({"ranks": [-1, 0]}, "ranks start at 0"),
        ({"edit": [{"role": "user", "content": "x"}]}, "edit must end with an assistant message"),
    ],
)
def test_what_is_no_judgement_at_all(said: dict[str, JsonValue], where: str) -> None:
    """A client cannot name a model: the store knows which answered."""
    with pytest.raises(ValueError, match=where):
        Judgement.model_validate(said)


def test_top_k(store: Store) -> None:
    panel = panel_of(store, top_k=2)
    panel.item("q", kind=ItemKind.RANKING, num_answers=4)
    task = panel.task()
    assert task.top_k == 2
    with pytest.raises(InvalidError, match="ranks must cover 2 of the 4 answers: 1 are ranked"):
        panel.submit(task, ranks=[None, 0, None, None])
    panel.submit(task, ranks=[None, 0, None, 1])


def test_unacceptable_answers_need_no_rank(panel: Panel) -> None:
    panel.item("q", kind=ItemKind.RANKING, num_answers=3)
    panel.submit(panel.task(), ranks=[0, None, 1], unacceptable=[False, True, False])


def test_gold_must_fit_too(panel: Panel) -> None:
    item = panel.item("q")
    with pytest.raises(InvalidError, match="needs a verdict"):
        panel.store.items.set_gold(item, Judgement(ranks=(0, 1)), reason="r")


def highlights(text: str, *places: tuple[int, int]) -> dict[str, object]:
    return {"spans": [[{"start": start, "end": end, "label": text} for start, end in places]]}


def test_marks_are_kept_in_the_order_of_their_places(panel: Panel) -> None:
    """However they were clicked: as a record they are read in order."""
    panel.item("q", kind=ItemKind.HIGHLIGHTS, num_answers=1)
    panel.submit(panel.task(), **highlights("odd", (2, 3), (0, 2), (0, 1)))
    [record] = panel.store.records.read(Query(project_id=panel.project, purpose=None))
    assert isinstance(record, Highlights)
    assert [(span.start, span.end) for span in record.spans] == [(0, 1), (0, 2), (2, 3)]


def test_a_mark_past_the_end_is_refused(panel: Panel) -> None:
    """The answer is "q 0": a mark may end with it."""
    panel.item("q", kind=ItemKind.HIGHLIGHTS, num_answers=1)
    task = panel.task()
    with pytest.raises(InvalidError, match="a span of answer 0 ends at 4, the answer has 3 characters"):
        panel.submit(task, **highlights("odd", (0, 4)))
    panel.submit(task, **highlights("odd", (0, 3)))


def test_a_mark_in_an_answer_of_several_messages_is_refused(panel: Panel) -> None:
    prompt = panel.store.items.add_prompt(panel.project, (user("Count."),))
    answer = panel.store.items.add_answer(prompt, (assistant("One."), user("And?"), assistant("Two.")))
    panel.store.items.add(prompt, [answer], ItemKind.HIGHLIGHTS)
    task = panel.task()
    with pytest.raises(InvalidError, match="spans are places in one text: answer 0 has 3 messages"):
        panel.submit(task, **highlights("odd", (0, 1)))
    panel.submit(task, spans=[[]])


def test_a_key_that_comes_again_with_another_task_is_refused(panel: Panel) -> None:
    """A counter that began anew: the second judgement would be taken for the first, and lost."""
    panel.item("a")
    panel.item("b")
    panel.submit(panel.task(), "1", verdict="tie")
    with pytest.raises(InvalidError, match="the key '1' was used for another judgement"):
        panel.submit(panel.task(), "1", verdict="tie")
    panel.submit(panel.task(), "2", verdict="tie")
    assert len(list(panel.store.judgements.latest(panel.project))) == 2


def test_a_key_is_one_projects(store: Store) -> None:
    panel, other = panel_of(store, 1), panel_of(store, 0, name="others")
    store.projects.join(other.project, panel.people[0])
    other.people.append(panel.people[0])
    for one in (panel, other):
        one.item("q")
        one.submit(one.task(), "1", verdict="tie")
        assert len(list(store.judgements.latest(one.project))) == 1


def test_a_key_that_comes_again_with_another_correction_is_refused(panel: Panel) -> None:
    judgements = panel.store.judgements
    panel.item("q")
    first = panel.submit(panel.task(), verdict="tie")
    second = judgements.revise(first, panel.people[0], Judgement(verdict="both_bad"), client_key="1")
    assert judgements.revise(first, panel.people[0], Judgement(verdict="both_bad"), client_key="1") == second
    with pytest.raises(InvalidError, match="the key '1' was used for another"):
        judgements.revise(second, panel.people[0], Judgement(verdict="both_bad"), client_key="1")


def test_a_judgement_of_a_withdrawn_item_stays_as_it_is(panel: Panel) -> None:
    item = panel.item("q")
    said = panel.submit(panel.task(), verdict="tie")
    panel.store.items.withdraw(item)
    with pytest.raises(WithdrawnError, match="what was said of it stays"):
        panel.store.judgements.revise(said, panel.people[0], Judgement(verdict="both_bad"), client_key="1")


@pytest.mark.parametrize("said", [{"ratings": {"helpful": [5, 1]}}, {"axis_verdicts": {"helpful": "tie"}}])
@pytest.mark.parametrize(
    "axes", [(), (Axis(name="useful"),), (Axis(name="helpful", minimum=0, maximum=4), Axis(name="true"))]
)
def test_an_axis_in_use_stays_as_it_is(store: Store, said: dict[str, object], axes: tuple[Axis, ...]) -> None:
    before = {"axes": (Axis(name="helpful"), Axis(name="true"))}
    panel = panel_of(store, 1, **before)
    panel.item("q")
    panel.submit(panel.task(), verdict="tie", **said)
    settings = ProjectSettings.model_validate({**QUIET, **before})
    with pytest.raises(
        InvalidError, match="something was rated on helpful: an axis in use keeps its name and its scale"
    ):
        store.projects.change(panel.project, settings.model_copy(update={"axes": axes}))
    assert store.projects.named("answers").settings == settings
    wider = (Axis(name="kind"), *before["axes"][:1])
    assert store.projects.change(panel.project, settings.model_copy(update={"axes": wider})).settings.axes == wider


def test_verdicts_on_axes_come_along_with_the_record(store: Store) -> None:
    panel = panel_of(store, 1, axes=(Axis(name="helpful"),))
    panel.item("q")
    task = panel.task()
    panel.submit(task, verdict="tie", axis_verdicts={"helpful": "ab"[place_of(task, 1)]})
    [record] = store.records.read(Query(project_id=panel.project, purpose=None))
    assert isinstance(record, Comparison)
    assert (record.verdict, record.extra["axis_verdicts"]) == (Verdict.TIE, {"helpful": "b"})


def test_answers_of_which_none_will_do_are_a_ranking(panel: Panel) -> None:
    panel.item("q", kind=ItemKind.RANKING)
    panel.submit(panel.task(), unacceptable=[True, True])
    [record] = panel.store.records.read(Query(project_id=panel.project, purpose=None))
    assert isinstance(record, Ranking)
    assert (record.ranks, record.unacceptable) == ((None, None), (True, True))
