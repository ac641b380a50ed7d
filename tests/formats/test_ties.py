"""What becomes of a tie in a shape that knows a better and a worse answer only: left out, or half each way. Never a coin."""

from __future__ import annotations

from pathlib import Path

import pytest

from plaudit.formats import open_records, write_records
from plaudit.schemas.conversation import assistant, user
from plaudit.schemas.feedback import Comparison, Ranking, Verdict
from plaudit.schemas.preference import preference_group

TIE = Comparison(
    id="t",
    source="s",
    weight=3,
    annotator="p",
    prompt=(user("q"),),
    a=(assistant("x"),),
    b=(assistant("y"),),
    verdict="tie",
)


@pytest.mark.parametrize("shape", ["trl", "hh", "openai-chat", "alpaca", "sharegpt", "tldr", "label-studio"])
def test_a_tie_both_ways_round_at_half_its_weight(tmp_path: Path, shape: str) -> None:
    path, better = tmp_path / "out.jsonl", TIE.model_copy(update={"id": "b", "verdict": Verdict.A})
    dropped = write_records([TIE, better], path, shape)
    assert dropped.records.total() == 1
    losses = write_records([TIE, better], path, shape, ties="half")
    assert not losses.records
    *halves, _ = open_records(path, shape).of(Comparison)
    sides = [(half.a, half.b) if half.verdict is Verdict.A else (half.b, half.a) for half in halves]
    assert sides == [(TIE.a, TIE.b), (TIE.b, TIE.a)]
    if shape == "openai-chat":  # closed: the API takes no weights
        assert losses.fields["weight"] == 3
    else:
        assert [half.weight for half in halves] == [1.5, 1.5]
        assert [(half.annotator, half.extra["group_id"]) for half in halves] == [("p", "t")] * 2
    before = path.read_bytes()
    write_records([TIE, better], path, shape, ties="half")
    assert path.read_bytes() == before


def test_the_pairs_of_a_ranking_keep_its_weight(tmp_path: Path) -> None:
    answers = tuple((assistant(text),) for text in "wxyz")
    ranking = Ranking(id="r", source="s", weight=2, prompt=(user("q"),), completions=answers, ranks=(0, 1, 1, None))
    losses = write_records([ranking], tmp_path / "out.jsonl", "trl", ties="half")
    assert losses.fields["ranks (answers not ranked)"] == 1
    assert "ranks (ties)" not in losses.fields
    pairs = open_records(tmp_path / "out.jsonl").of(Comparison)
    texts = [(pair.a[0].text, pair.b[0].text, round(pair.weight, 3)) for pair in pairs]
    assert texts == [("w", "x", 0.667), ("w", "y", 0.667), ("x", "y", 0.333), ("y", "x", 0.333)]
    assert sum(pair.weight for pair in pairs) == pytest.approx(
        sum(pair.weight for pair in preference_group(ranking).pairs)
    )
    assert {pair.extra["group_id"] for pair in pairs} == {"r"}
    alone = ranking.model_copy(update={"ranks": (0, None, None, None)})
    losses = write_records([ranking, alone], tmp_path / "out.jsonl", "trl", ties="half")
    assert losses.records == {"a ranking without two ranked answers": 1}


def test_where_a_tie_has_its_place_nothing_is_halved(tmp_path: Path) -> None:
    for shape in ("native", "arena"):
        assert not write_records([TIE], tmp_path / "out.jsonl", shape, ties="half")
        assert list(open_records(tmp_path / "out.jsonl")) == [TIE]
    both_bad = TIE.model_copy(update={"verdict": Verdict.BOTH_BAD})
    losses = write_records([both_bad], tmp_path / "out.jsonl", "trl", ties="half")
    assert losses.fields["verdict (both_bad as a tie)"] == 1
