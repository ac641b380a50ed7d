"""Label Studio's tasks: pairs, and the three forms in which its Ranker says an order."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from plaudit.formats import Shape, label_studio, open_records, write_records
from plaudit.schemas.conversation import Message, Role, assistant, user
from plaudit.schemas.errors import PlauditError, RowError
from plaudit.schemas.feedback import Comparison, Document, Ranking, Verdict
from plaudit.schemas.preference import preference_group
from tests.formats.conftest import changed

Written = Callable[..., Path]
PAIR = {"from_name": "c", "to_name": ["x", "y"], "type": "pairwise", "value": {"selected": "left"}}
TASK = {"id": 1, "data": {"prompt": "q", "x": "a", "y": "b"}, "annotations": [{"id": 5, "result": [PAIR]}]}
ORDER = {"from_name": "r", "to_name": "z", "type": "ranker", "value": {"ranker": {"r": ["m", "n"]}}}
LIST = [{"id": "m", "body": "a"}, {"id": "n", "body": "b"}]
RANKER = {"id": 2, "data": {"prompt": "q", "z": LIST}, "annotations": [{"id": 6, "result": [ORDER]}]}


def ranker(value: object, **result: object) -> dict[str, Any]:
    task = copy.deepcopy(RANKER)
    task["annotations"][0]["result"][0] |= {"value": {"ranker": value}} | result  # type: ignore[index]
    return task


def test_the_first_of_to_name_stood_on_the_left(golden: Path) -> None:
    first, second, cancelled, third = open_records(golden / "label-studio.json").of(Comparison)
    assert (first.prompt, first.a, first.b) == (
        (user("How long does an egg boil?"),),
        (assistant("Six minutes."),),
        (assistant("An hour, at least."),),
    )
    assert (first.verdict, second.verdict, third.verdict) == (Verdict.A, Verdict.B, Verdict.B)
    assert (second.a, second.b) == (first.a, first.b)  # to_name as one text
    assert third.prompt == (Message(role=Role.SYSTEM, content="Rhyme."), user("The moon?"))
    assert (third.a, len(third.b)) == ((assistant("The moon comes soon."),), 3)
    assert (cancelled.verdict, cancelled.reason) == (Verdict.INCOMPARABLE, "cancelled")
    assert not preference_group(cancelled).pairs


def test_who_said_it_how_long_it_took_and_all_else_is_kept(golden: Path) -> None:
    records = open_records(golden / "label-studio.json")
    first, second, cancelled, _ = records.of(Comparison)
    assert (first.id, first.annotator, second.annotator) == ("31", "10", "11")
    assert first.extra == {
        "lead_time": 4.2,
        "was_cancelled": False,
        "ground_truth": False,
        "created_at": "2026-01-02T10:00:00Z",
        "result.id": "c1",
        "data.shelf": "kitchen",
        "task.id": 1,
        "task.meta": {},
        "task.project": 7,
    }
    assert (second.extra["ground_truth"], second.extra["lead_time"]) == (True, 9.5)
    assert second.extra["completed_by"] == {"id": 11, "email": "kim@example.org"}
    (why,) = second.extra["further_results"]  # type: ignore[misc, union-attr]
    assert why["value"] == {"text": ["Hard eggs, please."]}  # type: ignore[index, call-overload]
    assert cancelled.extra["result.value"] == {"selected": "left"}
    assert records.dropped == {
        "cancelled annotation without a comparison or ranking": 1,
        "task without an annotation": 1,
    }


def test_three_forms_of_an_order(golden: Path) -> None:
    records = open_records(golden / "label-studio-ranker.json")
    rankings = records.of(Ranking)
    assert [completion[0].text for completion in rankings[0].completions] == [
        "Steep it for three minutes.",
        "Milk first.",
        "Ask the neighbour.",
    ]
    assert [record.ranks for record in rankings] == [
        (1, 0, 2),  # {"rank": ids}
        (0, 1, None),  # a bare list, one left out
        (0, 0, None),  # a bucket ties, "_" was not placed
        (1, 0, 1),  # buckets as they stand
        (0, 3, 3),  # buckets named by rank
        (None, None, None),  # cancelled
    ]
    assert records.dropped == {"the order of a ranker's buckets: taken as they stand in the file, the best first": 1}
    assert {record.extra["lead_time"] for record in rankings} == {30.5}


def test_buckets_with_a_number_in_their_names_are_ordered_by_it(written: Written) -> None:
    records = open_records(written(ranker({"tier 2": ["m"], "tier 10": [], "tier 1": ["n"]})))
    assert (records.of(Ranking)[0].ranks, records.dropped) == ((1, 0), {})


def test_the_same_rows_come_back(golden: Path, tmp_path: Path) -> None:
    for name in ("label-studio.json", "label-studio-ranker.json"):
        records = open_records(golden / name)
        assert not write_records(records, tmp_path / name, Shape.LABEL_STUDIO)
        again = open_records(tmp_path / name)
        assert (again.shape, list(again)) == (Shape.LABEL_STUDIO, list(records))
        published, rows = (json.loads((folder / name).read_text()) for folder in (golden, tmp_path))
        if name == "label-studio.json":
            del published[0]["annotations"][3], published[2]
        assert [{key: row[key] for key in row if key != "source"} for row in rows] == published


A_RECORD = Comparison(
    id="k", source="s", annotator="p", prompt=(user("q"),), a=(assistant("x"),), b=(assistant("y"),), verdict="b"
)


def test_from_any_comparison(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    record = A_RECORD.model_copy(update={"extra": {"display_order": [1, 0], "lead_time_ms": 1500}})
    assert not write_records([record], path, "label-studio")
    row = json.loads(path.read_text())
    assert row == {
        "data": {"prompt": "q", "answer1": "x", "answer2": "y"},
        "annotations": [
            {
                "id": "k",
                "completed_by": "p",
                "lead_time": 1.5,
                "display_order": [1, 0],
                "lead_time_ms": 1500,
                "result": [
                    {
                        "type": "pairwise",
                        "from_name": "comparison",
                        "to_name": ["answer1", "answer2"],
                        "value": {"selected": "right"},
                    }
                ],
            }
        ],
        "source": "s",
    }
    assert list(label_studio.read(path)) == [record]


def test_a_pair_knows_no_tie(tmp_path: Path) -> None:
    tie, bad = (A_RECORD.model_copy(update={"verdict": verdict}) for verdict in (Verdict.TIE, Verdict.BOTH_BAD))
    losses = write_records([A_RECORD, tie, bad], tmp_path / "out.jsonl", "label-studio")
    assert losses.records == {
        "verdict tie where the shape holds left or right": 1,
        "verdict both_bad where the shape holds left or right": 1,
    }
    more = A_RECORD.model_copy(update={"strength": 2, "margin": 0.5, "reason": "r"})
    assert write_records([more], tmp_path / "m.jsonl", "label-studio").fields == {
        "strength": 1,
        "margin": 1,
        "reason": 1,
    }


def test_two_people_on_one_task(tmp_path: Path) -> None:
    other = A_RECORD.model_copy(update={"id": "l", "annotator": "17", "verdict": Verdict.A})
    assert not write_records([A_RECORD, other], tmp_path / "out.jsonl", "label-studio")
    (row,) = (json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines())
    assert [one["completed_by"] for one in row["annotations"]] == ["p", 17]
    assert open_records(tmp_path / "out.jsonl").of(Comparison) == [A_RECORD, other]


def test_rankings_carry_ties_gaps_and_what_was_not_ranked(tmp_path: Path) -> None:
    answers = tuple((assistant(text),) for text in "wxyz")
    ties = Ranking(id="k", source="s", prompt=(user("q"),), completions=answers, ranks=(4, 1, None, 1))
    order = ties.model_copy(update={"id": "l", "ranks": (2, 0, 3, 1)})
    flagged = ties.model_copy(update={"id": "m", "unacceptable": (True,) * 4, "truncated": (False,) * 4})
    losses = write_records([ties, order, flagged], tmp_path / "out.jsonl", "label-studio")
    assert losses.fields == {"unacceptable": 1, "truncated": 1}
    again = open_records(tmp_path / "out.jsonl").of(Ranking)
    assert again[:2] == [ties, order]
    (row,) = (json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines())
    values = [one["result"][0]["value"]["ranker"] for one in row["annotations"]]
    assert values[1] == {"rank": ["answer2", "answer4", "answer1", "answer3"]}
    assert values[0] == {"1": ["answer2", "answer4"], "4": ["answer1"], "_": ["answer3"]}


def test_a_bucket_of_the_rankers_name_is_no_order(tmp_path: Path) -> None:
    answers = ((assistant("x"),), (assistant("y"),))
    tie = Ranking(
        id="k", source="s", prompt=(user("q"),), completions=answers, ranks=(0, 0), extra={"result.from_name": "0"}
    )
    assert not write_records([tie], tmp_path / "out.jsonl", "label-studio")
    assert open_records(tmp_path / "out.jsonl").of(Ranking) == [tie]


def test_several_judgements_in_one_annotation(written: Written, tmp_path: Path) -> None:
    task = copy.deepcopy(TASK)
    task["annotations"][0]["result"] = [PAIR, PAIR | {"from_name": "d", "value": {"selected": "right"}}]  # type: ignore[index]
    records = open_records(written(task))
    assert [(record.id, record.extra["result.from_name"]) for record in records] == [("5:0", "c"), ("5:1", "d")]
    assert not write_records(records, tmp_path / "out.jsonl", "label-studio")
    assert list(open_records(tmp_path / "out.jsonl")) == [
        record.model_copy(update={"source": "rows.jsonl"}) for record in records
    ]


def test_other_kinds_are_refused(tmp_path: Path) -> None:
    with pytest.raises(PlauditError, match="label-studio cannot carry a Document, only Comparison and Ranking"):
        write_records([Document(text="a")], tmp_path / "out.jsonl", "label-studio")


@pytest.mark.parametrize(
    ("row", "place", "value", "field"),
    [
        (TASK, ["data"], "q", "data"),
        (TASK, ["data", "prompt"], 3, "data.prompt"),
        (TASK, ["data"], {"x": "a", "y": "b"}, "data.prompt"),
        (TASK, ["data"], {"prompt": "q", "x": "a"}, "data.y"),
        (TASK, ["data", "y"], [{"role": "user", "content": "q"}], "data.y"),
        (TASK, ["annotations"], {}, "annotations"),
        (TASK, ["annotations", 0], 1, "annotations[0]"),
        (TASK, ["annotations", 0, "id"], 1.5, "annotations[0].id"),
        (TASK, ["annotations", 0, "completed_by"], {"name": "x"}, "annotations[0].completed_by"),
        (TASK, ["annotations", 0, "result"], None, "annotations[0].result"),
        (TASK, ["annotations", 0, "result", 0], "left", "annotations[0].result[0]"),
        (TASK, ["annotations", 0, "result", 0, "to_name"], ["x"], "annotations[0].result[0].to_name"),
        (TASK, ["annotations", 0, "result", 0, "to_name"], "x,x", "annotations[0].result[0].to_name"),
        (TASK, ["annotations", 0, "result", 0, "to_name"], "x,prompt", "annotations[0].result[0].to_name"),
        (TASK, ["annotations", 0, "result", 0, "value"], "left", "annotations[0].result[0].value"),
        (
            TASK,
            ["annotations", 0, "result", 0, "value"],
            {"selected": "none"},
            "annotations[0].result[0].value.selected",
        ),
        (RANKER, ["data", "z"], "a", "annotations[0].result[0].to_name"),
        (RANKER, ["data", "z", 1], "a", "data.z[1]"),
        (RANKER, ["data", "z", 1, "id"], None, "data.z[1].id"),
        (RANKER, ["data", "z", 1, "id"], "m", "annotations[0].result[0].value.ranker"),
        (RANKER, ["data", "z", 1, "body"], None, "data.z[1].body"),
        (RANKER, ["annotations", 0, "result", 0, "value"], {}, "annotations[0].result[0].value.ranker"),
        (RANKER, ["annotations", 0, "result", 0, "value", "ranker"], ["o"], "annotations[0].result[0].value.ranker"),
        (
            RANKER,
            ["annotations", 0, "result", 0, "value", "ranker"],
            ["m", "m"],
            "annotations[0].result[0].value.ranker",
        ),
        (
            RANKER,
            ["annotations", 0, "result", 0, "value", "ranker", "r"],
            "m",
            "annotations[0].result[0].value.ranker.r",
        ),
        (
            RANKER,
            ["annotations", 0, "result", 0, "value", "ranker", "r"],
            [{}],
            "annotations[0].result[0].value.ranker.r",
        ),
    ],
)
def test_malformed_tasks_give_no_records_at_all(
    written: Written, row: dict[str, Any], place: list[Any], value: object, field: str
) -> None:
    bad = changed(row, place, value)
    with pytest.raises(RowError) as caught:
        open_records(written(row, bad), shape="label-studio")
    assert (caught.value.line, caught.value.field) == (2, field)
    assert (caught.value.expected, caught.value.got) != ("", "")


def test_in_a_list_on_one_line_the_element_is_named(tmp_path: Path) -> None:
    path = tmp_path / "export.json"
    path.write_text(json.dumps([TASK, RANKER, ranker(["o"])]))
    with pytest.raises(RowError) as caught:
        open_records(path)
    assert (caught.value.line, caught.value.field) == (1, "[2].annotations[0].result[0].value.ranker")
    path.write_text(json.dumps([TASK, 7]))
    (error,) = open_records(path, on_error="skip").skipped
    assert (error.field, error.expected, error.got) == ("[1]", "a JSON object", "int")
