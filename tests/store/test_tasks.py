"""Who is asked what: overlap, leases, order, known answers, repetitions, and why there is nothing to do."""

from __future__ import annotations

from collections import Counter

import pytest

from plaudit.schemas.conversation import assistant, user
from plaudit.schemas.judgement import ItemKind, Judgement
from plaudit.schemas.tasks import EmptyCause, EmptyQueue, ProjectSettings, Task
from plaudit.store import Origin, Store
from plaudit.store.display import Draw, drawn_from
from plaudit.store.errors import AlreadyJudgedError, NotAllowedError, StaleLeaseError, WithdrawnError
from tests.store.conftest import Clock, Panel, panel_of


def texts(task: Task) -> list[str]:
    return [answer[0].text for answer in task.answers]


def cause(found: Task | EmptyQueue) -> EmptyCause:
    assert isinstance(found, EmptyQueue), found
    return found.cause


def test_an_item_is_shown_to_as_many_as_were_wanted(store: Store) -> None:
    panel = panel_of(store, 4, overlap=2)
    panel.item("q")
    first, second = panel.task(0), panel.task(1)
    assert first.prompt[0].text == "Question q?"
    assert sorted(texts(first)) == ["q 0", "q 1"]
    waiting = store.tasks.next(panel.project, panel.people[2])
    assert waiting == EmptyQueue(cause=EmptyCause.LEASED, num_leased=2, next_free_ms=first.expires_ms)
    panel.submit(first)
    panel.submit(second)
    assert cause(store.tasks.next(panel.project, panel.people[2])) is EmptyCause.DONE


def test_one_person_holds_one_task(panel: Panel) -> None:
    for name in "ab":
        panel.item(name)
    assert panel.task() == panel.task()
    done = panel.task()
    panel.submit(done)
    assert panel.task().assignment_id != done.assignment_id


def test_the_urgent_comes_first_then_the_oldest(panel: Panel) -> None:
    for name, priority in (("a", 0.0), ("b", 2.0), ("c", 0.0), ("d", 1.0)):
        panel.item(name, priority=priority)
    asked = []
    for _ in range(4):
        task = panel.task()
        asked.append(task.prompt[0].text[9])
        panel.submit(task)
    assert asked == ["b", "d", "a", "c"]
    assert cause(panel.store.tasks.next(panel.project, panel.people[0])) is EmptyCause.YOURS_DONE


def test_an_expired_lease_is_somebody_elses(store: Store, clock: Clock) -> None:
    panel = panel_of(store, overlap=1, lease_s=60)
    panel.item("q")
    task = panel.task(0)
    clock.forward(59)
    assert cause(store.tasks.next(panel.project, panel.people[1])) is EmptyCause.LEASED
    clock.forward(1)
    again = panel.task(1)
    with pytest.raises(StaleLeaseError, match="expired"):
        panel.submit(task)
    panel.submit(again)
    assert len(list(store.judgements.latest(panel.project))) == 1


def test_whoever_let_a_lease_expire_may_be_asked_again(store: Store, clock: Clock) -> None:
    panel = panel_of(store, overlap=1, lease_s=60)
    panel.item("q")
    first = panel.task()
    clock.forward(61)
    second = panel.task()
    assert second.assignment_id != first.assignment_id
    panel.submit(second)


def test_an_expired_lease_that_nobody_took_over_is_stale_all_the_same(store: Store, clock: Clock) -> None:
    panel = panel_of(store, overlap=1, lease_s=60)
    panel.item("q")
    task = panel.task()
    clock.forward(60)
    with pytest.raises(StaleLeaseError):
        panel.submit(task)
    with pytest.raises(StaleLeaseError):
        store.tasks.heartbeat(task.assignment_id, task.lease_token)


def test_a_heartbeat_renews_the_lease(store: Store, clock: Clock) -> None:
    panel = panel_of(store, overlap=1, lease_s=60)
    panel.item("q")
    task = panel.task()
    clock.forward(50)
    assert store.tasks.heartbeat(task.assignment_id, task.lease_token) == clock() + 60_000
    clock.forward(50)
    panel.submit(task)


def test_a_foreign_token_opens_nothing(panel: Panel) -> None:
    panel.item("q")
    task = panel.task()
    for name, token in ((task.assignment_id, "guess"), ("no such", task.lease_token)):
        with pytest.raises(StaleLeaseError, match="no lease of this token"):
            panel.store.tasks.skip(name, token)
        with pytest.raises(StaleLeaseError, match="no lease of this token"):
            panel.store.judgements.submit(name, token, Judgement(verdict="a"), client_key="k")


def test_a_draft_comes_back_with_the_task(panel: Panel) -> None:
    panel.item("q")
    task = panel.task()
    panel.store.tasks.save_draft(task.assignment_id, task.lease_token, '{"critique": "half a tho"}')
    assert panel.task().draft == '{"critique": "half a tho"}'
    panel.submit(task)
    with pytest.raises(AlreadyJudgedError):
        panel.store.tasks.save_draft(task.assignment_id, task.lease_token, "late")


@pytest.mark.parametrize("policy", ["others", "again", "drop"])
def test_what_becomes_of_skipped_items(store: Store, policy: str) -> None:
    panel = panel_of(store, 2, overlap=1, skip=policy)
    panel.item("q")
    panel.item("r")
    task = panel.task(0)
    store.tasks.skip(task.assignment_id, task.lease_token, "needs expertise")
    with pytest.raises(StaleLeaseError):
        panel.submit(task)
    other = panel.task(0)
    assert other.prompt != task.prompt
    panel.submit(other)
    mine, theirs = (store.tasks.next(panel.project, person) for person in panel.people)
    match policy:
        case "others":
            assert cause(mine) is EmptyCause.YOURS_DONE
            assert isinstance(theirs, Task)
        case "again":
            assert isinstance(mine, Task)
            assert mine.prompt == task.prompt
        case "drop":
            assert cause(mine) is cause(theirs) is EmptyCause.DONE


def test_nobody_judges_their_own_writing(panel: Panel) -> None:
    store, writer = panel.store, panel.people[0]
    prompt = store.items.add_prompt(panel.project, (user("Who?"),))
    written = store.items.add_answer(prompt, (assistant("Me."),), Origin(author_id=writer))
    drawn = store.items.add_answer(prompt, (assistant("You."),), Origin(model="m"))
    store.items.add(prompt, [written, drawn], ItemKind.COMPARISON)
    assert cause(store.tasks.next(panel.project, writer)) is EmptyCause.YOURS_DONE
    assert texts(panel.task(1)) != []


def test_a_withdrawn_item_takes_no_judgement(panel: Panel) -> None:
    item = panel.item("q")
    task = panel.task()
    panel.store.items.withdraw(item)
    with pytest.raises(WithdrawnError):
        panel.submit(task)
    assert cause(panel.store.tasks.next(panel.project, panel.people[0])) is EmptyCause.DONE


def test_strangers_and_the_suspended_are_asked_nothing(panel: Panel) -> None:
    panel.item("q")
    with pytest.raises(NotAllowedError, match="no member of the project 'answers'"):
        panel.store.tasks.next(panel.project, panel.store.people.add("stranger"))
    panel.store.people.suspend(panel.people[0])
    assert cause(panel.store.tasks.next(panel.project, panel.people[0])) is EmptyCause.SUSPENDED
    panel.store.people.suspend(panel.people[0], suspended=False)
    panel.task(0)


def test_nobody_gives_more_than_their_share(store: Store) -> None:
    panel = panel_of(store, max_per_person=2)
    for name in "abc":
        panel.item(name)
    for _ in range(2):
        panel.submit(panel.task())
    assert cause(store.tasks.next(panel.project, panel.people[0])) is EmptyCause.SHARE_DONE


def first_shown(task: Task) -> int:
    return int(texts(task)[0][-1])


def test_either_answer_comes_first_equally_often(store: Store) -> None:
    """On every item, to one; and for every person, wherever the item leaves the choice."""
    panel = panel_of(store, 4, overlap=4)
    for index in range(12):
        panel.item(f"q{index}")
    shown: dict[str, Counter[int]] = {}
    own: list[list[int]] = [[] for _ in panel.people]
    for _ in range(12):
        for index in range(4):
            task = panel.task(index)
            shown.setdefault(task.prompt[0].text, Counter())[first_shown(task)] += 1
            own[index].append(first_shown(task))
            panel.submit(task)
    assert all(counts == {0: 2, 1: 2} for counts in shown.values())


def test_alone_a_person_sees_either_first_in_turn(store: Store) -> None:
    panel = panel_of(store, 1, overlap=1)
    for index in range(10):
        panel.item(f"q{index}")
    seen = []
    for _ in range(10):
        task = panel.task()
        seen.append(first_shown(task))
        panel.submit(task)
    assert seen in ([0, 1] * 5, [1, 0] * 5)


def test_over_k_people_every_answer_stands_once_at_every_place(store: Store) -> None:
    panel = panel_of(store, 5, overlap=5)
    panel.item("q", kind=ItemKind.RANKING, num_answers=5)
    orders = [[int(text[-1]) for text in texts(panel.task(index))] for index in range(5)]
    assert all(sorted(place) == [0, 1, 2, 3, 4] for place in zip(*orders, strict=True))
    assert all(sorted(order) == [0, 1, 2, 3, 4] for order in orders)


def test_tasks_are_drawn_in_the_shares_that_were_set() -> None:
    """Over people and over one person's tasks; the standard deviation of a share is 0.003 at most."""
    settings = ProjectSettings(gold_frac=0.25, repeat_frac=0.1)
    for names in ([(f"person {n}", 7) for n in range(20_000)], [("one", n) for n in range(20_000)]):
        drawn = Counter(drawn_from(settings, "project", person, num) for person, num in names)
        assert drawn[Draw.GOLD] / 20_000 == pytest.approx(0.25, abs=0.0125)
        assert drawn[Draw.REPEAT] / 20_000 == pytest.approx(0.1, abs=0.0125)
    onboarding = settings.model_copy(update={"num_onboarding": 3})
    assert {drawn_from(onboarding, "project", "p", num) for num in range(3)} == {Draw.GOLD}


def test_known_answers_come_in_their_share_and_look_like_all_others(store: Store) -> None:
    panel = panel_of(store, 1, overlap=1, gold_frac=0.25)
    for index in range(60):
        panel.item(f"q{index}")
    for index in range(40):
        store.items.set_gold(panel.item(f"g{index}"), Judgement(verdict="a"), reason="obvious")
    asked = []
    for _ in range(120):
        found = store.tasks.next(panel.project, panel.people[0])
        if isinstance(found, EmptyQueue):
            break
        asked.append(found.prompt[0].text)
        assert found.model_dump().keys() == Task.model_fields.keys()
        panel.submit(found)
    gold = [text for text in asked if text.startswith("Question g")]
    assert len(asked) - len(gold) == 60
    # Of about 80 tasks a quarter; the standard deviation is under 4.
    assert 10 <= len(gold) <= 30
    assert len(set(asked)) == len(asked)
    stored = list(store.judgements.latest(panel.project))
    assert sum(row.is_gold for row in stored) == len(gold)


def test_the_first_tasks_may_all_be_known(store: Store) -> None:
    panel = panel_of(store, 1, num_onboarding=3)
    for index in range(5):
        panel.item(f"q{index}")
    for index in range(4):
        store.items.set_gold(panel.item(f"g{index}"), Judgement(verdict="a"), reason="obvious")
    asked = []
    for _ in range(5):
        task = panel.task()
        asked.append(task.prompt[0].text[9])
        panel.submit(task)
    assert asked == ["g", "g", "g", "q", "q"]


def test_gold_that_was_revoked_is_asked_about_again(store: Store) -> None:
    panel = panel_of(store, 1, overlap=1)
    item = panel.item("g")
    store.items.set_gold(item, Judgement(verdict="a"), reason="obvious")
    assert cause(store.tasks.next(panel.project, panel.people[0])) is EmptyCause.DONE
    store.items.revoke_gold(item)
    assert panel.task().prompt[0].text == "Question g?"


def test_known_answers_use_up_no_judgement_that_is_wanted(store: Store) -> None:
    panel = panel_of(store, 2, overlap=1, num_onboarding=1)
    item = panel.item("g")
    panel.item("q")
    store.items.set_gold(item, Judgement(verdict="a"), reason="obvious")
    known = panel.task(0)
    assert known.prompt[0].text == "Question g?"
    panel.submit(known)
    store.items.revoke_gold(item)
    assert panel.task(1).prompt[0].text == "Question g?"


def test_repetitions_come_the_other_way_round_and_count_for_no_overlap(store: Store) -> None:
    panel = panel_of(store, 1, overlap=1, repeat_frac=0.3, repeat_gap=3)
    for index in range(40):
        panel.item(f"q{index}")
    seen: dict[str, tuple[int, list[str]]] = {}
    num_repeats = 0
    for turn in range(120):
        found = store.tasks.next(panel.project, panel.people[0])
        if isinstance(found, EmptyQueue):
            break
        question = found.prompt[0].text
        if question in seen:
            before, shown = seen.pop(question)
            assert turn - before > 3
            assert texts(found) == shown[::-1]
            num_repeats += 1
        else:
            seen[question] = turn, texts(found)
        panel.submit(found)
    assert 4 <= num_repeats <= 24
    stored = list(store.judgements.latest(panel.project))
    assert sum(row.is_repeat for row in stored) == num_repeats
    assert len(stored) == 40 + num_repeats


def test_adding_an_item_again_can_want_more(panel: Panel) -> None:
    item = panel.item("q", overlap=1)
    panel.submit(panel.task(0))
    assert cause(panel.store.tasks.next(panel.project, panel.people[1])) is EmptyCause.DONE
    assert panel.item("q", overlap=2) == item
    panel.submit(panel.task(1))
    assert panel.item("q", overlap=1) == item
    assert cause(panel.store.tasks.next(panel.project, panel.people[2])) is EmptyCause.DONE


def test_what_was_withdrawn_stays_so_though_it_is_gold_no_more(panel: Panel) -> None:
    item = panel.item("q")
    panel.store.items.set_gold(item, Judgement(verdict="a"), reason="plain to see")
    panel.store.items.withdraw(item)
    panel.store.items.revoke_gold(item)
    assert cause(panel.store.tasks.next(panel.project, panel.people[0])) is EmptyCause.DONE


def test_a_draft_outlives_its_lease(panel: Panel, clock: Clock) -> None:
    """It is shown to whoever wrote it, in the order that they saw; to others never."""
    panel.item("q", kind=ItemKind.RANKING, num_answers=5, overlap=2)
    first = panel.task(0)
    panel.store.tasks.save_draft(first.assignment_id, first.lease_token, "ten minutes of writing")
    clock.forward(601)
    assert panel.task(1).draft == ""
    again = panel.task(0)
    assert again.assignment_id != first.assignment_id
    assert (again.draft, again.answers) == ("ten minutes of writing", first.answers)
    panel.submit(again, ranks=[0, 1, 2, 3, 4])
