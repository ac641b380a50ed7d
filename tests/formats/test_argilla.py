"""Argilla's records, nested and flattened."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from plaudit.formats import Shape, argilla, open_records, write_records
from plaudit.schemas.conversation import assistant, user
from plaudit.schemas.errors import PlauditError, RowError
from plaudit.schemas.feedback import Comparison, Document, Ranking, Rating, Verdict
from tests.formats.conftest import changed

Written = Callable[..., Path]
NOT_SAID = "whether a response was submitted: a nested export does not say, it may be a draft (flatten it to be sure)"
NO_SCALE = "the scale of a rating: taken as 1 to 5, as 0 to 10 where an answer to the question lies outside"


def placed(**ranks: int | None) -> list[dict[str, object]]:
    return [{"value": name, "rank": rank} for name, rank in ranks.items()]


def nested(value: object, question: str = "ranking", **fields: object) -> dict[str, Any]:
    given = {"value": value, "user_id": "u", "status": "submitted"}
    return {"id": "r", "fields": {"prompt": "q", **(fields or {"a": "x", "b": "y"})}, "responses": {question: [given]}}


RANKED = nested(placed(a=1, b=2))
STARS = nested(3, "rating", response="x")
LOW, HIGH = "rating.minimum", "rating.maximum"
FLAT = {
    "id": "f",
    "prompt": "q",
    "a": "x",
    "b": "y",
    "ranking.responses": [placed(a=1, b=2)],
    "ranking.responses.users": ["u"],
    "ranking.responses.status": ["submitted"],
}


def test_a_response_is_a_record_and_equal_ranks_are_ties(golden: Path) -> None:
    records = open_records(golden / "argilla.json")
    first, second, third = records.of(Ranking)
    assert (first.prompt, first.ranks) == ((user("Name a bird."),), (0, 2, 0))
    # In the order of the fields, whatever that of the response.
    assert [completion[0].text for completion in second.completions] == ["The wren.", "A bat.", "A kite."]
    assert (second.ranks, second.annotator, second.id) == ((1, 0, 1), "u2", "r1:ranking:u2")
    assert third.prompt == (user("Hi"), assistant("Yes?"), user("Name a fish."))
    assert (third.id, third.ranks, third.annotator) == ("r2", (0, 1), None)
    (rating,) = records.of(Rating)
    assert (rating.completion, rating.score, rating.minimum, rating.maximum) == ((assistant("The wren."),), 5, 1, 5)
    assert rating.id == "r1:rating_response1:u1"


def test_drafts_and_what_may_be_one_never_look_submitted(golden: Path, tmp_path: Path) -> None:
    records = open_records(golden / "argilla.json")
    assert (records.dropped["draft response"], records.dropped["discarded response"]) == (1, 1)
    assert "u3" not in str(list(records))
    assert records.dropped[NOT_SAID] == 1
    said, unsaid = records.of(Ranking)[0], records.of(Ranking)[2]
    assert unsaid.extra["argilla.status"] is None
    assert "argilla.status" not in said.extra
    write_records([said, unsaid], tmp_path / "out.json", "argilla")
    rows = json.loads((tmp_path / "out.json").read_text())
    assert [row["responses"]["ranking"][0]["status"] for row in rows] == ["submitted", None]
    flat = open_records(golden / "argilla-flat.jsonl")
    assert flat.dropped["draft response"] == 1
    assert [record.annotator for record in flat.of(Ranking)] == ["u1", "u2"]


def test_flattened_keys(golden: Path) -> None:
    one, two = open_records(golden / "argilla-flat.jsonl").of(Ranking)
    (rating,) = open_records(golden / "argilla-flat.jsonl").of(Rating)
    assert (one.prompt, one.ranks, two.ranks) == ((user("Name a tree."),), (0, 1), (0, 0))
    assert (one.extra["season"], one.extra["ranking.suggestion.agent"]) == ("spring", "rm")
    assert one.extra.keys().isdisjoint({"prompt", "response1", "ranking.responses"})
    assert (rating.completion, rating.score, rating.annotator) == ((assistant("Flint."),), 4, "u1")


def test_what_else_was_shown_and_said_is_kept(golden: Path) -> None:
    records = open_records(golden / "argilla.json")
    first, second, _ = records.of(Ranking)
    assert first.extra["responses.comment"] == "Bats are no birds."
    assert "responses.comment" not in second.extra
    assert records.dropped["response to a question that neither ranks nor rates answers"] == 1
    assert (first.extra["metadata"], first.extra["status"], first.extra["_server_id"]) == (
        {"shelf": "birds"},
        "completed",
        "s1",
    )
    assert "rm" in str(first.extra["suggestions"])
    assert records.of(Rating)[0].extra["fields.response2"] == "A bat."


def test_a_scale_that_no_export_holds_is_taken_from_the_whole_file(written: Written) -> None:
    rows = [nested(stars, "rating", response="x") for stars in (2, 7)]
    both = open_records(written(*rows))
    assert [(record.minimum, record.maximum) for record in both.of(Rating)] == [(0, 10), (0, 10)]
    assert both.dropped == {NO_SCALE: 2}
    assert open_records(written(rows[0])).of(Rating)[0].maximum == 5


@pytest.mark.parametrize(
    ("question", "fields", "rated"),
    [
        ("stars", {"response": "x"}, "x"),
        ("answer-2", {"answer-1": "x", "answer-2": "y"}, "y"),
        ("rating_2", {"response1": "x", "response2": "y"}, "y"),
        ("how good is response_b", {"response": "x", "response_b": "y"}, "y"),
        ("overall", {"response1": "x", "response2": "y"}, None),
    ],
)
def test_which_answer_a_question_is_about(
    written: Written, question: str, fields: dict[str, str], rated: str | None
) -> None:
    found = open_records(written(nested(3, question, **fields))).of(Rating)
    assert [record.completion[0].text for record in found] == ([] if rated is None else [rated])


def test_the_same_records_come_back(golden: Path, tmp_path: Path) -> None:
    for name in ("argilla.json", "argilla-flat.jsonl"):
        records = open_records(golden / name)
        for kind in (Ranking, Rating):
            assert not write_records(records.of(kind), tmp_path / name, Shape.ARGILLA)
            assert open_records(tmp_path / name).of(kind) == records.of(kind)
    rankings = open_records(golden / "argilla.json").of(Ranking)
    write_records(rankings, tmp_path / "out.json", "argilla")
    first, second = json.loads((tmp_path / "out.json").read_text())
    assert (first["id"], second["id"]) == ("r1", "r2")  # two people's responses to one record
    assert [one["user_id"] for one in first["responses"]["ranking"]] == ["u1", "u2"]
    published = json.loads((golden / "argilla.json").read_text())
    assert (first["fields"], first["suggestions"]) == (published[0]["fields"], published[0]["suggestions"])


def test_from_any_record(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    answers = ((assistant("x"),), (assistant("y"),), (assistant("z"),))
    ranking = Ranking(id="k", source="s", prompt=(user("q"),), completions=answers, ranks=(1, None, 1), annotator="p")
    assert not write_records([ranking], path, "argilla")
    assert list(argilla.read(path)) == [ranking]
    row = json.loads(path.read_text())
    assert row["fields"] == {"prompt": "q", "response1": "x", "response2": "y", "response3": "z"}
    assert row["responses"]["ranking"] == [
        {"value": placed(response1=2, response2=None, response3=2), "user_id": "p", "status": "submitted"}
    ]
    thumb = Rating(id="t", source="s", prompt=(user("q"),), completion=answers[0], score=1, annotator="p")
    half = thumb.model_copy(update={"id": "h", "score": 0.5})
    assert write_records([thumb, half], path, "argilla").records == {"a score that is no whole number from 0 to 10": 1}
    assert list(argilla.read(path)) == [thumb]


def test_a_comparison_is_a_ranking_of_two(tmp_path: Path) -> None:
    pair = Comparison(id="k", prompt=(user("q"),), a=(assistant("x"),), b=(assistant("y"),), verdict="b", reason="r")
    bad = pair.model_copy(update={"id": "l", "verdict": Verdict.BOTH_BAD, "strength": 1, "margin": 0.5})
    none = pair.model_copy(update={"verdict": Verdict.INCOMPARABLE})
    losses = write_records([pair, bad, none], tmp_path / "out.jsonl", "argilla")
    assert losses.fields == {
        "kind (a comparison comes back as a ranking of two)": 2,
        "verdict (both_bad as a tie)": 1,
        "reason": 2,
        "strength": 1,
        "margin": 1,
    }
    assert losses.records == {"verdict incomparable where the shape holds a ranking": 1}
    assert [record.ranks for record in open_records(tmp_path / "out.jsonl").of(Ranking)] == [(1, 0), (0, 0)]
    with pytest.raises(PlauditError, match="argilla cannot carry a Document"):
        write_records([Document(text="a")], tmp_path / "out.jsonl", "argilla")


def test_what_would_be_read_as_something_else_is_left_out(tmp_path: Path) -> None:
    answers = ((assistant("x"),), (assistant("y"),))
    ranking = Ranking(id="k", prompt=(user("q"),), completions=answers, ranks=(0, 1))
    odd: list[dict[str, object]] = [
        {"argilla.options": ["response1"]},
        {"argilla.options": ["prompt", "response2"]},
        {"argilla.question": 3},
        {"argilla.prompt": "aside", "fields.prompt": "another"},
        {"argilla.status": "draft"},
    ]
    records = [ranking, *(ranking.model_copy(update={"id": f"{i}", "extra": extra}) for i, extra in enumerate(odd))]
    losses = write_records(records, tmp_path / "out.jsonl", "argilla")
    assert losses.records.total() == len(odd)
    assert [record.id for record in open_records(tmp_path / "out.jsonl")] == ["k"]


@pytest.mark.parametrize(
    ("row", "place", "value", "field"),
    [
        (RANKED, ["fields"], "q", "fields"),
        (RANKED, ["responses"], [], "responses"),
        (RANKED, ["responses", "ranking"], {}, "responses.ranking"),
        (RANKED, ["responses", "ranking", 0], "a", "responses.ranking[0]"),
        (RANKED, ["responses", "ranking", 0, "user_id"], 3, "responses.ranking[0].user_id"),
        (RANKED, ["responses", "ranking", 0, "status"], "done", "responses.ranking[0].status"),
        (RANKED, ["responses", "ranking", 0, "value", 1, "value"], "c", "responses.ranking[0].value[1].value"),
        (RANKED, ["responses", "ranking", 0, "value", 1, "value"], "a", "responses.ranking[0].value"),
        (RANKED, ["responses", "ranking", 0, "value", 1, "rank"], 0, "responses.ranking[0].value[1].rank"),
        (RANKED, ["responses", "ranking", 0, "value", 1, "rank"], True, "responses.ranking[0].value[1].rank"),
        (RANKED, ["responses", "ranking", 0, "value"], placed(a=1), "completions"),
        (RANKED, ["fields"], {"a": "x", "b": "y"}, "fields"),
        (RANKED, ["fields", "b"], 3, "fields.b"),
        (STARS, ["metadata"], {LOW: "1", HIGH: 5}, f"metadata.{LOW}"),
        (STARS, ["metadata"], {LOW: 4, HIGH: 5}, "(row)"),
        (FLAT, ["ranking.responses"], "a", "ranking.responses"),
        (FLAT, ["ranking.responses.users"], ["u", "v"], "ranking.responses.users"),
        (FLAT, ["ranking.responses.users"], [1], "ranking.responses.users[0]"),
        (FLAT, ["ranking.responses.status"], ["done"], "ranking.responses.status[0]"),
        (FLAT, ["ranking.responses", 0, 1, "rank"], -1, "ranking.responses[0][1].rank"),
    ],
)
def test_malformed_records(written: Written, row: dict[str, Any], place: list[Any], value: object, field: str) -> None:
    bad = changed(row, place, value)
    with pytest.raises(RowError) as caught:
        open_records(written(row, bad), shape="argilla")
    assert (caught.value.line, caught.value.field) == (2, field)


def test_neither_form(written: Written) -> None:
    with pytest.raises(RowError, match=r"field 'fields': expected an object, or columns NAME\.responses"):
        open_records(written({"prompt": "q"}), shape="argilla")
    assert open_records(written(RANKED | {"responses": {}})).dropped == {"record without a response": 1}
