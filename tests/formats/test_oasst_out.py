"""OpenAssistant's trees on the way out, and the labels of their replies both ways."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from plaudit.formats import Shape, oasst_labels, open_records, write_records
from plaudit.schemas.conversation import Message, Role, assistant, user
from plaudit.schemas.errors import PlauditError, RowError
from plaudit.schemas.feedback import Comparison, Demonstration, Ranking, Rating
from plaudit.schemas.implied import rankings_of

Written = Callable[..., Path]
Q = (user("q"),)
ANSWERS = ((assistant("x"),), (assistant("y"),))
RANKING = Ranking(id="k", source="s", weight=2, prompt=Q, completions=ANSWERS, ranks=(3, 1))
DEMONSTRATION = Demonstration(id="d", source="s", annotator="p", prompt=Q, completion=ANSWERS[0])


def row_of(path: Path) -> dict[str, Any]:
    (line,) = path.read_text(encoding="utf-8").splitlines()
    loaded: dict[str, Any] = json.loads(line)
    return loaded


def test_who_wrote_a_reply_is_its_annotator(golden: Path) -> None:
    records = open_records(golden / "oasst-labels.jsonl")
    (written_by,), (ranking,) = records.of(Demonstration), records.of(Ranking)
    assert (written_by.annotator, ranking.annotator) == ("p7", None)
    assert ranking.extra["user_id"] == "p6"  # who asked; who ranked is not published
    assert [reply["user_id"] for reply in ranking.extra["replies"]] == ["p7"] * 3  # type: ignore[index, call-overload, union-attr]


@pytest.mark.parametrize("name", ["oasst.jsonl", "oasst-labels.jsonl"])
def test_rankings_and_best_replies_come_back(golden: Path, tmp_path: Path, name: str) -> None:
    records = open_records(golden / name)
    assert not write_records(records.of(Ranking), tmp_path / name, Shape.OASST)
    again = open_records(tmp_path / name)
    assert (again.shape, again.of(Ranking), again.dropped) == (Shape.OASST, records.of(Ranking), {})
    # A ranking says which reply is best; the text of the demonstration is in it.
    assert [record.completion for record in again.of(Demonstration)] == [
        record.completion for record in records.of(Demonstration)[:1]
    ]
    found = records.of(Demonstration)
    losses = write_records(found, tmp_path / name, Shape.OASST)
    assert all(record in open_records(tmp_path / name).of(Demonstration) for record in found)
    assert losses.fields.keys() <= {"prompt (its earlier answers come back as demonstrations)"}


def test_from_any_record(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    assert not write_records([RANKING], path, "oasst")
    row = row_of(path)
    assert (row["message_tree_id"], row["prompt"]["message_id"], row["weight"]) == ("k", "k", 2)
    assert [(reply["text"], reply["rank"], reply["message_id"]) for reply in row["prompt"]["replies"]] == [
        ("x", 3, "k:0"),
        ("y", 1, "k:1"),
    ]
    assert open_records(path).of(Ranking) == [RANKING]
    assert not write_records([DEMONSTRATION], path, "oasst")
    assert list(open_records(path)) == [DEMONSTRATION]
    assert row_of(path)["prompt"]["replies"][0]["user_id"] == "p"


def test_the_turns_before_stand_above(tmp_path: Path) -> None:
    prompt = (user("q"), assistant("a"), user("r"))
    losses = write_records([RANKING.model_copy(update={"prompt": prompt})], tmp_path / "out.jsonl", "oasst")
    assert losses.fields == {"prompt (its earlier answers come back as demonstrations)": 1}
    records = open_records(tmp_path / "out.jsonl")
    assert records.of(Ranking) == [RANKING.model_copy(update={"prompt": prompt})]
    assert [record.completion[0].text for record in records.of(Demonstration)] == ["a", "y"]


def test_what_a_tree_cannot_hold(tmp_path: Path) -> None:
    def changed(**update: object) -> Ranking:
        return RANKING.model_copy(update=update)

    extra = {"rank": "best", "text": "t", "replies": [{"text": "t", "lang": "en"}, {"lang": "en"}], "lang": "fr"}
    records = [
        changed(extra=extra, unacceptable=(True, False), truncated=(False, True)),
        changed(extra={"replies": [{}]}),
        changed(prompt=()),
        changed(prompt=(*Q, assistant("a"))),
        changed(prompt=(Message(role=Role.SYSTEM, content="s"), *Q)),
        changed(ranks=(None, 0)),
        changed(completions=((assistant("x"), user("r"), assistant("z")), ANSWERS[1])),
        changed(extra={"synthetic": True}),
        changed(extra={"replies": [{}, {"deleted": True}]}),
    ]
    losses = write_records(records, tmp_path / "out.jsonl", "oasst")
    assert losses.fields == {
        "extra.rank": 1,
        "extra.text": 1,
        "extra.replies.text": 1,
        "extra.replies": 1,
        "unacceptable": 1,
        "truncated": 1,
    }
    assert losses.records.total() == 7
    first, second = open_records(tmp_path / "out.jsonl").of(Ranking)
    assert first.extra == {"lang": "fr", "replies": [{"lang": "en"}, {"lang": "en"}]}
    assert second == RANKING
    pair = Comparison(prompt=Q, a=ANSWERS[0], b=ANSWERS[1], verdict="a")
    with pytest.raises(PlauditError, match="oasst cannot carry a Comparison"):
        write_records([pair], tmp_path / "out.jsonl", "oasst")


def test_each_label_is_a_rating_in_which_more_is_better(golden: Path) -> None:
    records = open_records(golden / "oasst-labels.jsonl", "oasst-labels")
    found = {record.id: (record.score, record.minimum, record.maximum) for record in records.of(Rating)}
    assert found == {
        "m2": (0.75, 0, 1),
        "m2:toxicity": (-0.25, -1, 0),
        "m2:humor": (0.5, 0, 1),
        "m3": (0.25, 0, 1),
        "m3:spam": (0, -1, 0),
    }
    quality, toxicity, *_ = records.of(Rating)
    assert (quality.prompt, quality.completion) == ((user("A rhyme for slate?"),), (assistant("Plate."),))
    assert (quality.extra["label.count"], toxicity.extra["label"], toxicity.extra["label.count"]) == (3, "toxicity", 2)
    assert quality.extra["labels"] == {"wit": {"value": 0.1, "count": 1}}  # more or less of it, who knows
    assert records.dropped == {"labels of a prompter's message": 1, "reply without a label": 1, "synthetic message": 1}


def test_no_label_is_taken_for_another(golden: Path) -> None:
    ratings = open_records(golden / "oasst-labels.jsonl", "oasst-labels").of(Rating)
    (ranking,) = rankings_of(ratings)
    assert [completion[0].text for completion in ranking.completions] == ["Plate.", "Slate."]
    assert ranking.ranks == (0, 1)
    assert len({rating.source for rating in ratings}) == 4


def test_labels_come_back(golden: Path, tmp_path: Path) -> None:
    path = tmp_path / "oasst-labels.jsonl"
    records = open_records(golden / "oasst-labels.jsonl", "oasst-labels")
    assert not write_records(records, path, "oasst-labels")
    assert list(open_records(path, "oasst-labels")) == list(records)
    published = json.loads((golden / "oasst-labels.jsonl").read_text())["prompt"]["replies"]
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    assert [row["prompt"]["replies"][0]["labels"] for row in rows] == [reply["labels"] for reply in published[:2]]


def test_ratings_from_elsewhere_are_quality(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    thumb = Rating(id="t", source="s", annotator="p", prompt=Q, completion=ANSWERS[0], score=1)
    assert not write_records([thumb, thumb], path, "oasst-labels")
    assert list(oasst_labels.read(path)) == [thumb, thumb]
    stars = thumb.model_copy(update={"score": 2.0, "minimum": 1.0, "maximum": 5.0})
    rude = thumb.model_copy(update={"extra": {"label": "toxicity"}, "score": 0.25})
    losses = write_records([stars, rude], path, "oasst-labels")
    assert losses.fields == {
        "minimum and maximum (the score as a part of its scale)": 2,
        "id (one that does not end in the label's name)": 1,
        "source (one that does not end in the label's name)": 1,
    }
    assert [(one.score, one.minimum) for one in oasst_labels.read(path)] == [(0.25, 0), (-0.75, -1)]
    others = [
        thumb.model_copy(update={"extra": {"label": "wit"}}),
        thumb.model_copy(update={"score": 0.0, "maximum": 0.0}),
        thumb.model_copy(update={"prompt": ()}),
    ]
    losses = write_records([thumb, *others], path, "oasst-labels")
    assert losses.records.total() == 3
    with pytest.raises(PlauditError, match="oasst-labels cannot carry a Demonstration"):
        write_records([DEMONSTRATION], path, "oasst-labels")


@pytest.mark.parametrize(
    ("labels", "field"),
    [
        ("good", "labels"),
        ({"quality": 0.5}, "labels.quality"),
        ({"quality": {"count": 1}}, "labels.quality.value"),
        ({"spam": {"value": 1.5}}, "labels.spam.value"),
        ({"spam": {"value": True}}, "labels.spam.value"),
    ],
)
def test_malformed_labels(golden: Path, written: Written, labels: object, field: str) -> None:
    good = json.loads((golden / "oasst-labels.jsonl").read_text())
    bad = copy.deepcopy(good)
    bad["prompt"]["replies"][1]["labels"] = labels
    with pytest.raises(RowError) as caught:
        open_records(written(good, bad), "oasst-labels")
    assert (caught.value.line, caught.value.field) == (2, f"prompt.replies[1].{field}")


@pytest.mark.parametrize("name", ["en_100_tree.jsonl", "en_100_message.jsonl"])
def test_every_published_ranking_comes_back(real_data: Path, tmp_path: Path, name: str) -> None:
    records = open_records(real_data / "oasst-en100" / name)
    losses = write_records(records.of(Ranking), tmp_path / name, "oasst")
    assert open_records(tmp_path / name).of(Ranking) == records.of(Ranking)
    later = sum(len(record.prompt) > 1 for record in records.of(Ranking))
    assert losses.fields == {"prompt (its earlier answers come back as demonstrations)": later}
    assert not losses.records
    written = write_records(records.of(Demonstration), tmp_path / name, "oasst")
    again = {record.id: record for record in open_records(tmp_path / name).of(Demonstration)}
    assert [again[record.id] for record in records.of(Demonstration)] == records.of(Demonstration)
    assert not written.records
    # These trees were published without labels.
    labels = open_records(real_data / "oasst-en100" / name, "oasst-labels")
    assert (len(labels), labels.dropped["synthetic message"]) == (0, 22)
