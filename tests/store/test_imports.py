"""Records in, records out: nothing lost, nothing twice, all of a file or nothing."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import func, select

from plaudit.schemas.conversation import Message, Messages, assistant, user
from plaudit.schemas.feedback import (
    AnyRecord,
    Comparison,
    Correction,
    Demonstration,
    Document,
    Highlights,
    Ranking,
    Rating,
    Span,
    Verdict,
)
from plaudit.schemas.judgement import ItemKind
from plaudit.schemas.tasks import PersonKind
from plaudit.store import Query, Store
from plaudit.store.audit import faults
from plaudit.store.errors import InvalidError
from plaudit.store.tables import GenerationRow, ItemRow, JudgementRow, PersonRow, PromptRow, Table
from tests.store.conftest import Panel, panel_of

ASKED: Messages = (user("Why is the sky blue?"),)
ANSWERS: tuple[Messages, ...] = tuple((assistant(text),) for text in ("Air scatters it.", "It is not.", "Ask.", ""))


def every_kind() -> list[AnyRecord]:
    """One record of each kind, with whatever it may carry."""
    common = {"source": "poll", "weight": 0.5, "extra": {"channel": "mail", "nested": {"a": [1, None]}}}
    return [
        Comparison(
            **common,
            id="c",
            annotator="Ann",
            prompt=ASKED,
            a=ANSWERS[0],
            b=ANSWERS[1],
            verdict=Verdict.B,
            strength=2,
            margin=0.25,
            reason="shorter",
        ),
        Ranking(
            **common,
            id="r",
            annotator="Bob",
            prompt=ASKED,
            completions=ANSWERS,
            ranks=(1, None, 0, 1),
            unacceptable=(False, True, False, False),
            truncated=(True, False, False, True),
        ),
        Rating(**common, id="s", annotator="Ann", prompt=ASKED, completion=ANSWERS[0], score=7, minimum=0, maximum=10),
        Correction(**common, id="e", annotator="Bob", prompt=ASKED, completion=ANSWERS[1], corrected=ANSWERS[0]),
        Demonstration(**common, id="d", annotator="Ann", prompt=ASKED, completion=ANSWERS[0]),
        Highlights(
            **common,
            id="h",
            annotator="Bob",
            prompt=ASKED,
            completion=ANSWERS[0],
            spans=(Span(start=0, end=3, label="vague"), Span(start=2, end=5, label="wrong", score=0.5)),
        ),
    ]


def unnamed(records: Iterator[AnyRecord] | list[AnyRecord]) -> list[AnyRecord]:
    """The records but for who gave them, who bear other names in a store."""
    return sorted((record.model_copy(update={"annotator": None}) for record in records), key=lambda record: record.id)


def everything(panel: Panel, **query: object) -> list[AnyRecord]:
    asked = Query.model_validate({"project_id": panel.project, "purpose": None, **query})
    return list(panel.store.records.read(asked))


def count(store: Store, table: type[Table]) -> int:
    with store.database.read() as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


def test_every_kind_comes_back_as_it_went_in(panel: Panel) -> None:
    records = every_kind()
    done = panel.store.imports.add(panel.project, records, source="file.jsonl")
    assert (done.num_new, done.num_known, done.num_people) == (6, 0, 2)
    found = everything(panel)
    assert unnamed(found) == unnamed(records)
    names = {record.id: record.annotator for record in found}
    assert names["c"] == names["s"] == names["d"] != names["r"] == names["e"] == names["h"]
    assert not {"Ann", "Bob"} & set(names.values())


def test_the_same_file_twice_is_once(panel: Panel) -> None:
    for _ in range(2):
        done = panel.store.imports.add(panel.project, every_kind(), source="file.jsonl")
    assert (done.num_new, done.num_known) == (0, 6)
    assert len(everything(panel)) == 6
    tables = (PromptRow, GenerationRow, ItemRow, JudgementRow)
    assert [count(panel.store, table) for table in tables] == [1, 5, 6, 6]


def test_a_longer_file_adds_what_is_new(panel: Panel) -> None:
    records = every_kind()
    panel.store.imports.add(panel.project, records[:2], source="file.jsonl")
    done = panel.store.imports.add(panel.project, records, source="file.jsonl")
    assert (done.num_new, done.num_known) == (4, 2)


def test_one_name_in_two_sources_is_two_people(panel: Panel) -> None:
    for source in ("one", "two"):
        panel.store.imports.add(panel.project, every_kind()[:1], source=source)
    assert len({record.annotator for record in everything(panel)}) == 2


def test_answers_the_other_way_round_are_the_same_question(panel: Panel) -> None:
    """Both people prefer the same answer, which stood on different sides."""
    one = Comparison(id="1", annotator="x", prompt=ASKED, a=ANSWERS[0], b=ANSWERS[1], verdict=Verdict.A)
    other = Comparison(id="2", annotator="y", prompt=ASKED, a=ANSWERS[1], b=ANSWERS[0], verdict=Verdict.B)
    panel.store.imports.add(panel.project, [one, other], source="s")
    assert count(panel.store, ItemRow) == 1
    assert [record.verdict for record in everything(panel) if isinstance(record, Comparison)] == [Verdict.A] * 2


def test_nothing_of_a_file_with_a_row_that_does_not_belong(panel: Panel) -> None:
    before = [count(panel.store, table) for table in (PersonRow, PromptRow, ItemRow, JudgementRow)]
    with pytest.raises(InvalidError, match="a document is no feedback"):
        panel.store.imports.add(panel.project, [*every_kind(), Document(text="x")], source="s")
    assert [count(panel.store, table) for table in (PersonRow, PromptRow, ItemRow, JudgementRow)] == before


def test_without_consent_nobody_learns_from_it(panel: Panel) -> None:
    panel.store.imports.add(panel.project, every_kind()[:1], source="unasked")
    panel.store.imports.add(panel.project, every_kind()[1:2], source="asked", consent="terms of 2026-03")
    agreed = everything(panel, purpose="training")
    assert [record.id for record in agreed] == ["r"]
    with panel.store.database.read() as session:
        person = session.scalar(select(PersonRow.id).where(PersonRow.pseudonym == agreed[0].annotator))
    assert person is not None
    panel.store.people.consent(person, granted=False, basis="letter")
    assert everything(panel, purpose="training") == []
    panel.store.people.consent(person, granted=True, basis="letter")
    assert everything(panel, purpose="training") == agreed


def test_a_file_that_comes_again_does_not_undo_a_refusal(panel: Panel) -> None:
    """It says what somebody agreed to once; the person's own last word stands."""
    panel.store.imports.add(panel.project, every_kind(), source="f", consent="terms")
    ann = panel.store.people.known_as("f", ["Ann"])["Ann"]
    panel.store.people.consent(ann, granted=False, basis="letter")
    panel.store.imports.add(panel.project, every_kind(), source="f", consent="terms")
    assert {record.id for record in everything(panel, purpose="training")} == {"r", "e", "h"}


def test_whose_prompt_it_is_must_agree_too(panel: Panel) -> None:
    store, (owner, writer, judge) = panel.store, panel.people
    prompt = store.items.add_prompt(panel.project, (user("My secret?"),), owner_id=owner)
    from plaudit.store import Origin

    answers = [
        store.items.add_answer(prompt, (assistant("One."),), Origin(model="m")),
        store.items.add_answer(prompt, (assistant("Two."),), Origin(author_id=writer)),
    ]
    store.items.add(prompt, answers, ItemKind.COMPARISON)
    panel.submit(panel.task(2))
    for person in (judge, owner, writer):
        assert everything(panel, purpose="training") == []
        store.people.consent(person, granted=True, basis="form")
    assert len(everything(panel, purpose="training")) == 1


def test_people_and_models_do_not_mix_unsaid(panel: Panel) -> None:
    records = every_kind()
    panel.store.imports.add(panel.project, records[:1], source="people")
    panel.store.imports.add(panel.project, records[1:2], source="judge", kind=PersonKind.MODEL)
    assert [record.id for record in everything(panel)] == ["c"]
    assert [record.id for record in everything(panel, people=["model"])] == ["r"]
    assert len(everything(panel, people=["human", "model"])) == 2


def test_kinds_sources_and_times(panel: Panel) -> None:
    panel.store.imports.add(panel.project, every_kind(), source="f")
    assert [record.id for record in everything(panel, kinds=["rating", "ranking"])] == ["r", "s"]
    assert len(everything(panel, sources=["poll"])) == 6
    assert everything(panel, sources=["f"]) == []  # A row's own source is kept where it names one.
    now = panel.store.database.now_ms()
    assert everything(panel, until_ms=now) == everything(panel, since_ms=now + 1) == []
    assert len(everything(panel, since_ms=now, until_ms=now + 1)) == 6


def test_only_what_was_drawn_blindly(panel: Panel) -> None:
    panel.item("picked")
    panel.item("drawn", is_random=True)
    for _ in range(2):
        panel.submit(panel.task())
    (record,) = everything(panel, random_only=True)
    assert isinstance(record, Comparison)
    assert record.prompt[0].text == "Question drawn?"


def test_known_answers_and_repetitions_are_left_out(store: Store) -> None:
    from plaudit.schemas.judgement import Judgement

    panel = panel_of(store, 1, overlap=1, gold_frac=0.3, repeat_frac=0.3, repeat_gap=1)
    for index in range(30):
        panel.item(f"q{index}")
        store.items.set_gold(panel.item(f"g{index}"), Judgement(verdict="a"), reason="r")
    for _ in range(40):
        panel.submit(panel.task())
    plain, gold, both = (
        everything(panel),
        everything(panel, with_gold=True),
        everything(panel, with_gold=True, with_repeats=True),
    )
    assert len(plain) < len(gold) < len(both) == 40
    assert all("Question q" in record.prompt[0].text for record in plain if isinstance(record, Comparison))


def test_how_a_row_came_about_comes_along(panel: Panel) -> None:
    panel.item("q", is_random=True)
    panel.submit(panel.task(), verdict="tie", lead_time_ms=1234)
    (record,) = everything(panel)
    provenance = record.extra["provenance"]
    assert isinstance(provenance, dict)
    assert sorted(map(str, provenance["display_order"])) == ["0", "1"]  # type: ignore[arg-type]
    assert (provenance["lead_time_ms"], provenance["is_random"], record.extra["models"]) == (1234, True, ["m0", "m1"])


def test_what_is_said_beside_the_verdict_is_a_record_too(panel: Panel) -> None:
    panel.item("q")
    task = panel.task()
    edit = [assistant("Best.").model_dump(mode="json")]
    panel.submit(task, verdict="a", ratings={"overall": [4, 2]}, edit=edit, edit_of=0, spans=[[], []], critique="ok")
    found = everything(panel)
    assert [type(record).__name__ for record in found] == [
        *("Comparison", "Rating", "Rating", "Correction", "Highlights", "Highlights")
    ]
    assert len({record.id for record in found}) == 6
    assert all(record.id.startswith(found[0].id) for record in found)
    assert all(record.extra["critique"] == "ok" for record in found)


def test_an_import_stands_in_the_log(panel: Panel) -> None:
    panel.store.imports.add(panel.project, every_kind(), source="f")
    with panel.store.database.read() as session:
        assert list(faults(session)) == []
    with panel.store.database.write() as session:
        row = session.scalar(select(JudgementRow).where(JudgementRow.client_key == "c"))
        assert row is not None
        row.weight = 9.0
    with panel.store.database.read() as session:
        assert [fault.split(":")[1] for fault in faults(session)] == [" its judgements are not those that came in"]


def test_many_rows_in_many_chunks(panel: Panel, monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks of seven: what one wrote the next one finds."""
    monkeypatch.setattr("plaudit.store.imports._CHUNK", 7)
    records: list[AnyRecord] = [
        Ranking(
            id=f"r{number}",
            annotator=f"p{number % 5}",
            prompt=(Message(role="user", content=f"Question {number % 11}"),),
            completions=ANSWERS[:3],
            ranks=(0, 1, number % 3),
        )
        for number in range(60)
    ]
    done = panel.store.imports.add(panel.project, records, source="f")
    assert (done.num_new, done.num_people) == (60, 5)
    assert unnamed(everything(panel)) == unnamed([record.model_copy(update={"source": "f"}) for record in records])
    assert (count(panel.store, PromptRow), count(panel.store, ItemRow)) == (11, 11)


def comparison(prompt: str, a: str, b: str, verdict: str, **known: object) -> Comparison:
    return Comparison.model_validate(
        {"prompt": (user(prompt),), "a": (assistant(a),), "b": (assistant(b),), "verdict": verdict, **known}
    )


def test_records_without_ids_are_told_apart_by_what_they_say(panel: Panel) -> None:
    """Two that say the same are two; the file once more adds nothing."""
    records = [comparison("q", "x", "y", "a"), comparison("q", "x", "y", "b"), comparison("q", "x", "y", "a")]
    imports = panel.store.imports
    assert imports.add(panel.project, records, source="f").num_new == 3
    again = imports.add(panel.project, records, source="f")
    assert (again.num_new, again.num_known) == (0, 3)


def test_an_id_that_names_two_judgements_of_one_person_is_refused(panel: Panel) -> None:
    """A file whose ids name the prompts: nothing of it comes in, instead of the first row of each prompt."""
    records = [comparison("q", f"answer {place}", "other", "a", id="q") for place in range(2)]
    with pytest.raises(
        InvalidError, match="two records of whoever is not named bear the id 'q' and say different things"
    ):
        panel.store.imports.add(panel.project, records, source="f")
    assert list(panel.store.judgements.latest(panel.project)) == []
    panel.store.imports.add(panel.project, records[:1], source="f")
    with pytest.raises(InvalidError, match="bear the id 'q'"):
        panel.store.imports.add(panel.project, records[1:], source="f")
    by_others = [record.model_copy(update={"annotator": f"p{i}"}) for i, record in enumerate(records)]
    assert panel.store.imports.add(panel.project, by_others, source="f").num_new == 2


def test_written_words_make_a_record_another_too(panel: Panel) -> None:
    written = [Demonstration(id="d", prompt=ASKED, completion=answer) for answer in ANSWERS[:2]]
    with pytest.raises(InvalidError, match="bear the id 'd'"):
        panel.store.imports.add(panel.project, written, source="f")


def test_a_file_goes_into_every_project(store: Store) -> None:
    records = [comparison("q", "x", "y", "a", id="1")]
    for name in ("p", "q"):
        project = store.projects.create(name).id
        assert store.imports.add(project, records, source="f").num_new == 1
        assert len(list(store.judgements.latest(project))) == 1


def test_people_and_models_of_one_source_are_not_mixed(panel: Panel) -> None:
    imports = panel.store.imports
    imports.add(panel.project, [comparison("q", "x", "y", "a", id="1")], source="f")
    with pytest.raises(
        InvalidError, match="whoever is not named of the source 'f' is known as human here, not as model"
    ):
        imports.add(panel.project, [comparison("q", "x", "y", "b", id="2")], source="f", kind=PersonKind.MODEL)
    imports.add(panel.project, [comparison("q", "x", "y", "b", id="2")], source="judge", kind=PersonKind.MODEL)
    read = panel.store.records.read
    for kind, verdict in ((PersonKind.HUMAN, "a"), (PersonKind.MODEL, "b")):
        [record] = read(Query(project_id=panel.project, purpose=None, people=(kind,)))
        assert isinstance(record, Comparison)
        assert record.verdict == verdict


def test_equal_answers_keep_their_places(panel: Panel) -> None:
    """Sampled answers coincide; of two that do, each has its own rank. The second record names them in another order."""
    texts = {"r1": ("yes", "yes", "no"), "r2": ("no", "yes", "yes")}
    records = [
        Ranking(id=name, prompt=ASKED, completions=tuple((assistant(text),) for text in said), ranks=ranks)
        for (name, said), ranks in zip(texts.items(), ((0, 1, 2), (2, 0, 1)), strict=True)
    ]
    panel.store.imports.add(panel.project, records, source="f")
    for record in panel.store.records.read(Query(project_id=panel.project, purpose=None)):
        assert isinstance(record, Ranking)
        assert [(answer[0].text, rank) for answer, rank in zip(record.completions, record.ranks, strict=True)] == [
            ("yes", 0),
            ("yes", 1),
            ("no", 2),
        ]


def test_more_judgements_can_be_wanted_later(panel: Panel) -> None:
    """Of what was imported without asking for any, by another import or by adding the item."""
    records = [comparison("q", "x", "y", "a", id="1")]

    def overlaps() -> list[tuple[int, int]]:
        with panel.store.database.read() as session:
            return [(row.overlap, row.num_free) for row in session.scalars(select(ItemRow))]

    for overlap, wanted in ((0, 0), (2, 2), (1, 2), (3, 3)):
        panel.store.imports.add(panel.project, records, source="f", overlap=overlap)
        assert overlaps() == [(wanted, wanted)]
    panel.submit(panel.task())
    panel.store.imports.add(panel.project, records, source="f", overlap=5)
    assert overlaps() == [(5, 4)]
