"""What trainers other than TRL read: NeMo's rankings, verl's prompts, and OpenAI's comparisons of summaries."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from plaudit.formats import nemo, open_records, tldr, verl, write_records
from plaudit.schemas.conversation import Message, Role, assistant, user
from plaudit.schemas.errors import PlauditError, RowError
from plaudit.schemas.feedback import Comparison, Document, Prompt, Ranking, Verdict

Written = Callable[..., Path]


def rows_of(path: Path, *without: str) -> list[dict[str, object]]:
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [{key: value for key, value in row.items() if key not in without} for row in rows]


def test_nemo(golden: Path) -> None:
    (record,) = nemo.read(golden / "nemo.jsonl")
    assert (record.prompt, record.ranks) == ((user("A word for snow?"),), (1, 0, 1))
    assert [completion[0].text for completion in record.completions] == ["Flakes", "Firn", "Slush"]
    extra = {"task": "words", "completions[0].model": "m1", "completions[2].completion[0].name": "Ada"}
    assert record.extra == extra


def test_verl(golden: Path) -> None:
    first, second = verl.read(golden / "verl.jsonl")
    assert first.prompt == (Message(role=Role.SYSTEM, content="End with the number."), user("3 boats and 4 boats?"))
    assert (first.source, first.extra["data_source"]) == ("verl.jsonl", "harbour/sums")
    assert second.extra["reward_model"] == {"style": "rule", "ground_truth": "7"}
    assert (second.extra["ability"], second.extra["extra_info"]) == ("math", {"split": "train", "index": 1})


def test_tldr(golden: Path) -> None:
    first, second = tldr.read(golden / "tldr.jsonl")
    asked = (
        "SUBREDDIT: r/boats\n\nTITLE: Sold my boat\n\nPOST: I sold my boat and now I miss it every morning.\n\nTL;DR:"
    )
    assert (first.prompt, first.verdict, first.annotator) == ((user(asked),), Verdict.A, "w7")
    assert (first.a, first.b) == ((assistant(" I miss my boat."),), (assistant(" Boats float."),))
    assert {name: value for name, value in first.extra.items() if name != "info"} == {
        "summaries[0].policy": "m1",
        "summaries[0].note": "short",
        "summaries[1].policy": "m2",
        "summaries[1].note": None,
        "batch": "b1",
        "split": "train",
        "extra": {"confidence": 8},
    }
    assert second.prompt == (user("The harbour was closed on Monday because of ice."),)
    assert (second.verdict, second.annotator, second.extra["worker"]) == (Verdict.B, None, None)


# No tldr in Parquet: there a null is no value, and the golden rows hold some.
@pytest.mark.parametrize(
    ("shape", "ending"),
    [
        ("nemo", "jsonl"),
        ("nemo", "json.gz"),
        ("nemo", "parquet"),
        ("verl", "jsonl"),
        ("verl", "json"),
        ("verl", "parquet"),
        ("tldr", "jsonl"),
        ("tldr", "json.gz"),
    ],
)
def test_the_same_rows_come_back(golden: Path, tmp_path: Path, shape: str, ending: str) -> None:
    path, out = golden / f"{shape}.jsonl", tmp_path / f"{shape}.{ending}"
    if ending == "parquet":
        pytest.importorskip("pyarrow", reason="pip install 'plaudit[parquet]' to run this")
    records = open_records(path)
    assert not write_records(records, out, shape)
    assert list(open_records(out)) == list(records)
    assert open_records(out).shape == shape
    if ending == "jsonl":
        assert rows_of(out, "id", "source") == rows_of(path, "id", "source")


def test_nemo_has_no_place_for_what_is_not_ranked(tmp_path: Path) -> None:
    answers = tuple((assistant(text),) for text in "xyz")
    record = Ranking(prompt=(), completions=answers, ranks=(None, 1, 0), unacceptable=(True, False, False))
    losses = write_records([record], tmp_path / "out.jsonl", "nemo")
    assert losses.fields == {"ranks (answers not ranked)": 1, "unacceptable": 1}
    (again,) = nemo.read(tmp_path / "out.jsonl")
    assert (again.completions, again.ranks) == (answers[1:], (1, 0))
    alone = record.model_copy(update={"ranks": (None, None, 0)})
    with pytest.raises(PlauditError, match="a ranking without two ranked answers"):
        write_records([alone], tmp_path / "out.jsonl", "nemo")


def test_verl_from_any_prompt(tmp_path: Path) -> None:
    assert not write_records([Prompt(source="sums", prompt=(user("q"),))], tmp_path / "out.jsonl", "verl")
    prompt = [{"role": "user", "content": "q"}]
    assert rows_of(tmp_path / "out.jsonl") == [{"data_source": "sums", "prompt": prompt, "source": "sums"}]


def test_tldr_from_any_comparison(tmp_path: Path) -> None:
    pair = Comparison(
        id="1", source="s", annotator="w", prompt=(user("p"),), a=(assistant("x"),), b=(assistant("y"),), verdict="b"
    )
    assert not write_records([pair], tmp_path / "out.jsonl", "tldr")
    assert list(tldr.read(tmp_path / "out.jsonl")) == [pair]
    assert rows_of(tmp_path / "out.jsonl", "id", "source") == [
        {"info": {"post": "p"}, "summaries": [{"text": "x"}, {"text": "y"}], "choice": 1, "worker": "w"}
    ]
    other = pair.model_copy(update={"extra": {"info": {"post": "another"}}, "margin": 0.5, "reason": "r"})
    tie = pair.model_copy(update={"verdict": Verdict.TIE})
    losses = write_records([other, tie], tmp_path / "out.jsonl", "tldr")
    assert losses.fields == {"extra.info": 1, "margin": 1, "reason": 1}
    assert losses.records == {"verdict tie where the shape holds a choice of 0 or 1": 1}


@pytest.mark.parametrize(("shape", "kind"), [("nemo", "Ranking"), ("verl", "Prompt"), ("tldr", "Comparison")])
def test_other_kinds_are_refused(tmp_path: Path, shape: str, kind: str) -> None:
    with pytest.raises(PlauditError, match=f"{shape} cannot carry a Document, only {kind}"):
        write_records([Document(text="a")], tmp_path / "out.jsonl", shape)


MESSAGES = [{"role": "user", "content": "q"}]
ANSWER = {"rank": 0, "completion": [{"role": "assistant", "content": "a"}]}
NEMO = {"context": MESSAGES, "completions": [ANSWER, ANSWER]}
VERL = {"data_source": "d", "prompt": MESSAGES}
TLDR = {"info": {"post": "p"}, "summaries": [{"text": "x"}, {"text": "y"}], "choice": 0}


@pytest.mark.parametrize(
    ("row", "change", "field", "expected"),
    [
        (NEMO, {"context": "q"}, "context", "a list of messages"),
        (NEMO, {"completions": [ANSWER]}, "completions", "Tuple should have at least 2 items"),
        (NEMO, {"completions": [ANSWER, "a"]}, "completions[1]", "an object with rank and completion"),
        (
            NEMO,
            {"completions": [ANSWER, ANSWER | {"rank": 0.5}]},
            "completions[1].rank",
            "a whole number from 0 (best)",
        ),
        (NEMO, {"completions": [ANSWER, ANSWER | {"rank": -1}]}, "(row)", "ranks start at 0 (0 is best)"),
        (NEMO, {"completions": [ANSWER, {"completion": []}]}, "completions[1].rank", "a whole number from 0 (best)"),
        (
            NEMO,
            {"completions": [ANSWER, ANSWER | {"completion": MESSAGES}]},
            "completions[1].completion",
            "the answer alone",
        ),
        (VERL, {"prompt": "q"}, "prompt", "a list of messages"),
        (VERL, {"prompt": []}, "prompt", "Tuple should have at least 1 item"),
        (VERL, {"data_source": None}, "data_source", "text"),
        (TLDR, {"info": "p"}, "info", "an object with the text of a post or an article"),
        (TLDR, {"info": {"title": "t"}}, "info", "an object with the text of a post or an article"),
        (TLDR, {"summaries": [{"text": "x"}]}, "summaries", "two summaries"),
        (TLDR, {"summaries": [{"text": "x"}, {"text": 3}]}, "summaries[1]", "a summary with text"),
        (TLDR, {"choice": 2}, "choice", "0 or 1"),
        (TLDR, {"choice": True}, "choice", "0 or 1"),
    ],
)
def test_malformed_rows(
    written: Written, row: dict[str, object], change: dict[str, object], field: str, expected: str
) -> None:
    shape = "nemo" if row is NEMO else "verl" if row is VERL else "tldr"
    with pytest.raises(RowError) as caught:
        open_records(written(row, row | change), shape=shape)
    assert (caught.value.line, caught.value.field) == (2, field)
    assert caught.value.expected.startswith(expected)
