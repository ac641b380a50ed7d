"""A snapshot as a `datasets.Dataset` in one call."""

from __future__ import annotations

import sys
from pathlib import Path

import datasets
import pytest

from plaudit.formats.dataset import dataset_of
from plaudit.quality.snapshots import make_snapshot
from plaudit.schemas.conversation import assistant, user
from plaudit.schemas.errors import PlauditError
from plaudit.schemas.feedback import AnyRecord, Demonstration, Ranking

ASKED = (user("Why is the sky blue?"),)
SAID = tuple((assistant(text),) for text in ("Air scatters blue.", "Because.", "It is the sea."))


def ranking(name: str, ranks: tuple[int, ...]) -> Ranking:
    return Ranking(id=name, source="people", annotator="ann", prompt=ASKED, completions=SAID, ranks=ranks)


RANKINGS: list[AnyRecord] = [ranking("r1", (0, 1, 2)), ranking("r2", (0, 0, 1))]
SHOWN = Demonstration(id="d1", source="people", prompt=ASKED, completion=SAID[0])


def test_a_snapshot_gives_a_trainers_columns(tmp_path: Path) -> None:
    made = make_snapshot(RANKINGS, tmp_path / "snap")
    found = dataset_of(tmp_path / "snap")
    assert isinstance(found, datasets.Dataset)
    # Three pairs of the first, two of the second, whose first two answers are as good.
    assert len(found) == 5
    assert {"prompt", "chosen", "rejected", "annotator"} <= set(found.column_names)
    assert found[0]["prompt"] == [{"role": "user", "content": "Why is the sky blue?"}]
    assert found[0]["chosen"] == [{"role": "assistant", "content": "Air scatters blue."}]
    assert made.id in found.info.description
    assert "tie" in found.info.description


def test_ties_may_be_halved(tmp_path: Path) -> None:
    make_snapshot(RANKINGS, tmp_path / "snap")
    found = dataset_of(tmp_path / "snap", ties="half")
    assert len(found) == 7
    both_ways = [(row["chosen"], row["rejected"]) for row in found]
    assert sum((b, a) in both_ways for a, b in both_ways) >= 2


def test_other_shapes_and_records_that_lie_nowhere(tmp_path: Path) -> None:
    found = dataset_of(RANKINGS, "ranked")
    assert [row["ranks"] for row in found] == [[0, 1, 2], [0, 0, 1]]
    make_snapshot([SHOWN], tmp_path / "shown")
    file = tmp_path / "shown" / "demonstration.jsonl"
    assert dataset_of(file)[0]["completion"] == [{"role": "assistant", "content": "Air scatters blue."}]


def test_of_several_kinds_one_is_chosen(tmp_path: Path) -> None:
    make_snapshot([*RANKINGS, SHOWN], tmp_path / "snap")
    with pytest.raises(PlauditError, match=r"here are demonstration, ranking: choose with kind="):
        dataset_of(tmp_path / "snap")
    assert len(dataset_of(tmp_path / "snap", kind="demonstration")) == 1
    with pytest.raises(PlauditError, match="no record is a rating, only demonstration, ranking"):
        dataset_of(tmp_path / "snap", kind="rating")
    with pytest.raises(PlauditError, match="there are the kinds"):
        dataset_of(tmp_path / "snap", kind="rankings")


def test_columns_of_several_types_are_refused() -> None:
    mixed = [SHOWN.model_copy(update={"id": f"d{place}", "extra": {"x": x}}) for place, x in enumerate((1, "one"))]
    with pytest.raises(PlauditError, match="wants one type a column"):
        dataset_of(mixed)


def test_a_changed_snapshot_is_refused(tmp_path: Path) -> None:
    make_snapshot(RANKINGS, tmp_path / "snap")
    file = tmp_path / "snap" / "ranking.jsonl"
    file.write_bytes(file.read_bytes().replace(b"Because.", b"Because!"))
    with pytest.raises(PlauditError, match="has changed since the snapshot was made"):
        dataset_of(tmp_path / "snap")


def test_without_the_library_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(PlauditError, match=r"pip install 'plaudit\[datasets\]'"):
        dataset_of(RANKINGS)
