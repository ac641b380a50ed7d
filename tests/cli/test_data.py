"""`plaudit data check|convert|show`: what people see, and what is left on disk."""

from __future__ import annotations

import io
import json
import os
import re
import shlex
from pathlib import Path

import pytest
import tyro
from rich.console import Console

from plaudit.cli.data import DataCheck, DataConvert, DataShow, run
from plaudit.formats import Shape, open_records
from plaudit.schemas.errors import PlauditError, RowError
from plaudit.schemas.feedback import Comparison

DOCS = Path(__file__).parents[2] / "docs" / "data.md"


def output_of(config: DataCheck | DataConvert | DataShow, status: int = 0) -> str:
    """What the command prints, after checking its exit status."""
    stream = io.StringIO()
    assert run(config, Console(file=stream, width=100, color_system=None)) == status
    return stream.getvalue()


def rows(path: Path, *found: object) -> Path:
    path.write_text("".join(f"{row if isinstance(row, str) else json.dumps(row)}\n" for row in found))
    return path


RANKINGS = [
    {"prompt": "one", "completions": ["ab", "abcd", " "], "ranks": [0, 1, 1]},
    {"prompt": "one", "completions": ["ab", "abcd", " "], "ranks": [0, 1, 1]},
    {"prompt": "three", "completions": ["same", "same"], "ranks": [0, None], "id": "r"},
]


def test_check_counts(tmp_path: Path) -> None:
    text = output_of(DataCheck(file=rows(tmp_path / "r.jsonl", *RANKINGS)))
    lines = text.splitlines()
    assert lines[0] == f"{tmp_path / 'r.jsonl'}: shape ranked, 3 records"
    (counts,) = [line for line in lines if line.startswith("│ ranking")]
    # 3 records over 2 prompts of 3, 3 and 5 letters; 8 answers of 2+4+1, 2+4+1 and 4+4 letters.
    assert counts.replace("│", "").split() == ["ranking", "3", "2", "2.7", "4", "3"]
    assert lines[-4:] == [
        "ranking: 2 empty answers",
        "ranking: 1 records with the same answer twice",
        "ranking: 1 duplicates of an earlier record",
        "ranking: 6 pairs of ranked answers, 2 of them ties (in 2 rankings), 1 answers not ranked",
    ]


def test_check_names_verdicts_and_what_was_dropped(tmp_path: Path) -> None:
    pairs = [
        {"text": ["\n\nHuman: q\n\nAssistant: a", "\n\nHuman: q\n\nAssistant: b"], "score": s} for s in ([1, 0], [2, 2])
    ]
    assert "comparison: verdicts a 1, tie 1" in output_of(DataCheck(file=rows(tmp_path / "p.jsonl", *pairs)))
    tree = {"message_id": "m", "text": "q", "role": "prompter", "synthetic": True, "replies": []}
    assert "left out 1: synthetic message" in output_of(DataCheck(file=rows(tmp_path / "t.jsonl", tree)))


def test_check_names_spans_and_the_columns_kept(tmp_path: Path) -> None:
    row = {"prompt": "q", "completions": ["a", "b"], "labels": [True, False], "by": 1, "\x1bat": 2}
    text = output_of(DataCheck(file=rows(tmp_path / "s.jsonl", row, row)))
    assert text.splitlines()[-3:] == [
        "highlights: 1 duplicates of an earlier record",
        "highlights: spans step 4",
        "highlights: kept in extra �at 2, by 2",
    ]


def test_check_lists_the_first_twenty_errors_and_fails(tmp_path: Path) -> None:
    broken = ["{", *[{"text": number} for number in range(24)]]
    path = rows(tmp_path / "t.jsonl", {"text": "fine [bold]"}, *broken)
    text = output_of(DataCheck(file=path), status=1)
    errors = [line for line in text.splitlines() if line.startswith(f"{path}:") and ": field" in line]
    assert len(errors) == 20
    assert errors[0].startswith(f"{path}:2: field '(row)': expected a JSON object")
    assert errors[1] == f"{path}:3: field 'text': expected text, got the number 0"
    assert text.splitlines()[-2:] == ["... and 5 more", "25 rows cannot be read"]


def test_check_takes_the_shape_it_is_told(tmp_path: Path) -> None:
    path = rows(tmp_path / "t.jsonl", {"question": "q"})
    with pytest.raises(PlauditError, match="fit no known shape"):
        run(DataCheck(file=path))
    assert "field 'instruction': expected text" in output_of(DataCheck(file=path, shape=Shape.DOLLY), status=1)


def test_columns_of_other_names_are_told(tmp_path: Path) -> None:
    path = rows(tmp_path / "d.jsonl", {"question": "q", "answer": "a"})
    named = {"columns": "prompt=question, completion=answer", "input_template": "Say: {}"}
    text = output_of(DataCheck(file=path, **named))
    assert text.splitlines()[:2] == [f"{path}: shape trl, 1 records", "columns prompt=question, completion=answer"]
    assert "user: Say: q" in output_of(DataShow(file=path, **named))
    output_of(DataConvert(file=path, to=Shape.TRL, out=tmp_path / "out.jsonl", **named))
    assert json.loads((tmp_path / "out.jsonl").read_text())["prompt"] == [{"role": "user", "content": "Say: q"}]
    (tmp_path / "dataset_info.json").write_text(
        json.dumps({"set": {"file_name": "d.jsonl", "columns": {"prompt": "question", "response": "answer"}}})
    )
    assert output_of(DataCheck(file=path)).splitlines()[:2] == [
        f"{path}: shape alpaca, 1 records",
        "columns instruction=question, output=answer",
    ]


def test_convert_writes_and_says_what_was_lost(tmp_path: Path) -> None:
    path = rows(tmp_path / "r.jsonl", *RANKINGS)
    text = output_of(DataConvert(file=path, to=Shape.TRL, out=tmp_path / "out.jsonl"))
    assert text.splitlines() == [
        f"{tmp_path / 'out.jsonl'}: 2 records as trl",
        "field ranks (ties): not carried for 2 records",
        "left out 1 records: a ranking without two answers of different rank",
    ]
    assert len(open_records(tmp_path / "out.jsonl")) == 4


def test_convert_writes_ties_both_ways_round_where_asked_to(tmp_path: Path) -> None:
    path = rows(tmp_path / "r.jsonl", *RANKINGS)
    text = output_of(DataConvert(file=path, to=Shape.TRL, out=tmp_path / "out.jsonl", ties="half"))
    assert "ranks (ties)" not in text
    found = open_records(tmp_path / "out.jsonl").of(Comparison)
    better = [(record.a[-1].text, record.b[-1].text) for record in found]
    assert better.count(("abcd", " ")) == better.count((" ", "abcd")) == 2
    assert len(found) == 4 + 4


def test_convert_without_losses(tmp_path: Path) -> None:
    path = rows(tmp_path / "d.jsonl", {"instruction": "i", "context": "c", "response": "r"})
    text = output_of(DataConvert(file=path, to=Shape.NATIVE, out=tmp_path / "out.jsonl"))
    assert text.splitlines() == [f"{tmp_path / 'out.jsonl'}: 1 records as native", "nothing was lost"]
    assert list(open_records(tmp_path / "out.jsonl")) == list(open_records(path))


TREE = {
    "message_id": "m",
    "text": "q",
    "role": "prompter",
    "replies": [
        {"message_id": f"m{rank}", "text": f"a{rank}", "role": "assistant", "rank": rank, "replies": []}
        for rank in (1, 0)
    ],
}


def test_convert_asks_for_one_kind_where_there_are_two(tmp_path: Path) -> None:
    path = rows(tmp_path / "t.jsonl", TREE)
    with pytest.raises(PlauditError, match="holds demonstration and ranking records: choose one of them with --kind"):
        run(DataConvert(file=path, to=Shape.TRL, out=tmp_path / "out.jsonl"))
    with pytest.raises(PlauditError, match="holds no rating records, only demonstration and ranking"):
        run(DataConvert(file=path, to=Shape.TRL, out=tmp_path / "out.jsonl", kind="rating"))
    assert os.listdir(tmp_path) == ["t.jsonl"]
    output_of(DataConvert(file=path, to=Shape.RANKED, out=tmp_path / "out.jsonl", kind="ranking"))
    assert json.loads((tmp_path / "out.jsonl").read_text())["ranks"] == [1, 0]


def test_convert_of_nothing_readable_points_at_check(tmp_path: Path) -> None:
    path = rows(tmp_path / "t.jsonl", {"text": 3})
    config = DataConvert(file=path, shape=Shape.PLAIN, to=Shape.PLAIN, out=tmp_path / "out.jsonl", on_error="skip")
    with pytest.raises(PlauditError, match="holds no row that can be read: `plaudit data check` says why"):
        run(config)


def test_convert_to_a_snapshot_takes_all_kinds(tmp_path: Path) -> None:
    path = rows(tmp_path / "t.jsonl", TREE)
    text = output_of(DataConvert(file=path, to=Shape.SNAPSHOT, out=tmp_path / "snap"))
    assert re.fullmatch(rf"{tmp_path / 'snap'}: snapshot [0-9a-f]{{64}} of 2 records\n", text)
    assert {type(record).__name__ for record in open_records(tmp_path / "snap")} == {"Demonstration", "Ranking"}
    assert "shape snapshot, 2 records" in output_of(DataCheck(file=tmp_path / "snap"))


def test_highlights_go_into_a_snapshot(tmp_path: Path) -> None:
    path = rows(tmp_path / "s.jsonl", {"prompt": "q", "completions": ["a", "b"], "labels": [True, False]})
    output_of(DataConvert(file=path, to=Shape.SNAPSHOT, out=tmp_path / "snap", kind="highlights"))
    assert list(open_records(tmp_path / "snap")) == list(open_records(path))
    assert "shape snapshot, 1 records" in output_of(DataCheck(file=tmp_path / "snap"))


def test_convert_overwrites_nothing(tmp_path: Path) -> None:
    path = rows(tmp_path / "d.jsonl", {"text": "a"})
    with pytest.raises(PlauditError, match="exists: name another file"):
        run(DataConvert(file=path, to=Shape.PLAIN, out=path))


def test_convert_stops_at_a_broken_row_unless_told_to_skip(tmp_path: Path) -> None:
    path = rows(tmp_path / "d.jsonl", {"text": "a"}, {"text": None})
    config = DataConvert(file=path, to=Shape.PLAIN, out=tmp_path / "out.jsonl")
    with pytest.raises(RowError, match=":2: field 'text'"):
        run(config)
    assert os.listdir(tmp_path) == ["d.jsonl"]
    skipping = DataConvert(file=path, to=Shape.PLAIN, out=tmp_path / "out.jsonl", on_error="skip")
    text = output_of(skipping)
    assert "1 records as plain" in text
    assert "d.jsonl:2: field 'text'" in text
    assert "1 rows cannot be read" in text


def test_show_prints_records_as_people_read_them(tmp_path: Path) -> None:
    path = rows(tmp_path / "r.jsonl", *RANKINGS)
    text = output_of(DataShow(file=path, num=1))
    words = ["ranking", "from r.jsonl, weight 1", "user: one", "rank 0", "assistant: ab", "rank 1", "assistant: abcd"]
    places = [text.index(word) for word in words]
    assert places == sorted(places)
    assert text.splitlines()[-1] == "1 of 3 records, shape ranked"
    assert "not ranked" in output_of(DataShow(file=path, num=9))


def test_show_says_what_else_was_said_of_an_answer(tmp_path: Path) -> None:
    flags = {"unacceptable": [True, False, False], "truncated": [True, False, True]}
    text = output_of(DataShow(file=rows(tmp_path / "r.jsonl", RANKINGS[0] | flags)))
    labels = [line.strip("│ ") for line in text.splitlines() if line.startswith("│ rank")]
    assert labels == ["rank 0, unacceptable, truncated", "rank 1", "rank 1, truncated"]


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"kind": "document", "text": "page"}, ["document", "page"]),
        ({"kind": "prompt", "prompt": [{"role": "user", "content": "q"}]}, ["user: q"]),
        (
            {
                "kind": "comparison",
                "prompt": [],
                "a": [{"role": "assistant", "content": "first answer"}],
                "b": [{"role": "assistant", "content": "second answer"}],
                "verdict": "tie",
            },
            ["a (verdict: tie)", "first answer", "│ b ", "second answer"],
        ),
        (
            {
                "kind": "rating",
                "prompt": [],
                "completion": [{"role": "assistant", "content": "first answer"}],
                "score": 0.5,
            },
            ["rated 0.5 between 0 and 1", "first answer"],
        ),
        (
            {
                "kind": "correction",
                "prompt": [],
                "completion": [{"role": "assistant", "content": "first answer"}],
                "corrected": [{"role": "assistant", "content": "second answer"}],
            },
            ["│ before", "first answer", "│ corrected", "second answer"],
        ),
        (
            {
                "kind": "highlights",
                "prompt": [],
                "completion": [{"role": "assistant", "content": "first answer"}],
                "spans": [{"start": 0, "end": 5, "label": "vague", "score": 0.5}],
            },
            ["highlights", "1 spans marked", "first answer", "0-5 vague 0.5: first"],
        ),
    ],
    ids=lambda value: value["kind"] if isinstance(value, dict) else "",
)
def test_show_knows_every_kind(tmp_path: Path, row: object, words: list[str]) -> None:
    text = output_of(DataShow(file=rows(tmp_path / "r.jsonl", row)))
    places = [text.index(word) for word in words]
    assert places == sorted(places)


def test_no_text_of_a_file_reaches_the_terminal_as_a_command(tmp_path: Path) -> None:
    hostile = "[bold]loud[/bold] \x1b[2J\x07 [/nothing] " + "x" * 2000
    path = rows(tmp_path / "d.jsonl", {"instruction": hostile, "response": "r", "id": "\x1b]0;x"})
    text = output_of(DataShow(file=path))
    assert "[bold]loud[/bold] �[2J� [/nothing]" in text
    assert "\x1b" not in text
    assert f"({len(hostile)} characters)" in text
    broken = rows(tmp_path / "b.jsonl", {"text": "a"}, {"text": {"\x1b[2J": 1}})
    assert "\x1b" not in output_of(DataCheck(file=broken), status=1)


def test_show_wants_a_number(tmp_path: Path) -> None:
    with pytest.raises(PlauditError, match="--num must be at least 1, got 0"):
        DataShow(file=tmp_path, num=0)


def test_the_command_lines_of_the_docs_are_parsed() -> None:
    configs = {"check": DataCheck, "convert": DataConvert, "show": DataShow}
    lines = re.findall(r"^plaudit data (\w+) (.*)$", DOCS.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert {name for name, _ in lines} == set(configs)
    for name, arguments in lines:
        words = shlex.split(arguments, comments=True)
        assert isinstance(tyro.cli(configs[name], args=words), configs[name])


def test_the_python_of_the_docs_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = DOCS.read_text(encoding="utf-8")
    for name, content in re.findall(r"^`([\w.-]+\.jsonl)`:\n\n```json\n(.*?)```", text, flags=re.MULTILINE | re.DOTALL):
        (tmp_path / name).write_text(content, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    scope: dict[str, object] = {}
    blocks = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    assert len(blocks) >= 3
    for block in blocks:
        exec(compile(block, str(DOCS), "exec"), scope)


def test_every_shape_kind_and_setting_is_in_the_docs() -> None:
    text = DOCS.read_text(encoding="utf-8")
    for shape in Shape:
        assert f"`{shape}`" in text
    for config in (DataCheck, DataConvert, DataShow):
        for name in config.__dataclass_fields__:
            flag = "FILE" if name == "file" else f"--{name.replace('_', '-')}"
            assert flag in text, f"{flag} of {config.__name__}"
