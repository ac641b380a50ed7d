"""The one door: open any shape, write any shape."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from plaudit.formats import Records, Shape, open_records, write_records
from plaudit.schemas.conversation import assistant, user
from plaudit.schemas.errors import PlauditError
from plaudit.schemas.feedback import Comparison, Demonstration, Ranking

DEMONSTRATION = Demonstration(id="d", source="s", prompt=(user("p"),), completion=(assistant("x"),))


def test_records_are_a_sequence(golden: Path) -> None:
    records = open_records(str(golden / "hh.jsonl"), shape="hh")
    assert isinstance(records, Records)
    assert len(records) == 2
    assert [records[0], records[1]] == list(records)
    assert list(records[1:]) == [records[-1]]
    assert records.of(Comparison) == list(records)
    assert records.of(Ranking) == []
    assert (records.skipped, records.dropped) == ((), {})


@pytest.mark.parametrize("shape", [Shape.NATIVE, Shape.TRL, Shape.ALPACA, Shape.SHAREGPT, Shape.DOLLY])
def test_a_demonstration_goes_through_every_open_shape(tmp_path: Path, shape: Shape) -> None:
    path = tmp_path / "out.jsonl.gz"
    assert not write_records([DEMONSTRATION], path, shape)
    assert open_records(path).shape is shape
    assert list(open_records(path)) == [DEMONSTRATION]


def test_the_others_are_dispatched_too(golden: Path, tmp_path: Path) -> None:
    for name, shape in [("hh", "hh"), ("ranked", "ranked"), ("plain", "plain"), ("openai-chat", "openai-chat")]:
        records = open_records(golden / f"{name}.jsonl")
        write_records(records, tmp_path / f"{name}.jsonl", shape)
        again = open_records(tmp_path / f"{name}.jsonl", shape)
        assert list(again) == list(records)


def test_shapes_that_are_only_read_and_shapes_that_are_none(tmp_path: Path) -> None:
    for shape, hint in [("open-webui", "choose ranked"), ("snapshot", "make_snapshot")]:
        with pytest.raises(PlauditError, match=hint):
            write_records([DEMONSTRATION], tmp_path / "out.jsonl", shape)
    for call in (lambda: open_records(tmp_path, shape="csv"), lambda: write_records([], tmp_path / "o", "csv")):
        with pytest.raises(PlauditError, match="no shape 'csv': choose one of native, trl, ranked"):
            call()


@pytest.mark.parametrize("shape", Shape)
def test_every_shape_has_a_reader(tmp_path: Path, shape: Shape) -> None:
    with pytest.raises(PlauditError, match=r"absent"):
        open_records(tmp_path / "absent.json", shape)


def test_the_container_makes_no_difference_to_the_records(golden: Path, tmp_path: Path) -> None:
    lines = (golden / "dolly.jsonl").read_bytes()
    rows = [json.loads(line) for line in lines.splitlines()]
    (tmp_path / "dolly.jsonl").write_bytes(gzip.compress(lines))
    zipped = open_records(tmp_path / "dolly.jsonl")
    assert list(zipped) == list(open_records(golden / "dolly.jsonl"))
    (tmp_path / "dolly.jsonl").write_text(json.dumps(rows, indent=2))
    assert list(open_records(tmp_path / "dolly.jsonl")) == list(zipped)
