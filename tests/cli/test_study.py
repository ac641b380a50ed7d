"""`plaudit study`: from two files of answers to sheets, and from filled-in sheets to a report."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from tests.cli.conftest import Plaudit, write_rows

TWO = ("--people", "ann", "bo")


def answers(model: str, path: Path, num: int = 12) -> Path:
    rows = [
        {
            "prompt": f"question {i}",
            "completions": [f"{model} {i}", "z"],
            "ranks": [None, None],
            "model": f"runs/{model}",
        }
        for i in range(num)
    ]
    return write_rows(path, *rows)


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    return answers("sft", tmp_path / "sft.jsonl"), answers("ppo", tmp_path / "ppo.jsonl", num=10)


@pytest.fixture
def filled(plaudit: Plaudit, files: tuple[Path, Path]) -> list[Path]:
    """Ann's sheet as the page saves it, bo's as a spreadsheet: both like ppo's answers."""
    assert plaudit("study", "sheet", "--answers", *files, *TWO).status == 0
    key = json.loads(Path("study/key.json").read_text())
    verdicts = {row["id"]: "a" if row["swapped"] else "b" for row in key["rows"]}
    ratings = {f"{axis}_{side}": 4 for axis in key["axes"] for side in "ab"}
    mine = [row["id"] for row in key["rows"] if row["person"] == "ann"]
    rows = [{"study": key["id"], "row": row, "verdict": verdicts[row], **ratings, "seconds": 5.5} for row in mine]
    Path("ann.json").write_text("[\n" + ",\n".join(map(json.dumps, rows)) + "\n]\n")
    with Path("study/sheets/bo.csv").open(encoding="utf-8-sig", newline="") as file:
        lines = list(csv.DictReader(file))
    with Path("bo.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(lines[0]))
        writer.writeheader()
        writer.writerows({**line, **ratings, "verdict": verdicts[line["row"]]} for line in lines)
    return [Path("ann.json"), Path("bo.csv")]


def test_a_plan(plaudit: Plaudit) -> None:
    outcome = plaudit("study", "plan", "--margin", "0.15", "--people-per-pair", "2", "3")
    assert outcome.status == 0
    assert "How large the study must be" in outcome.out
    assert "Finds a win rate of 0.65 with probability 0.8" in outcome.out
    assert "no study can be planned so" in plaudit("study", "plan", "--margin", "0.45").refused()


def test_sheets(plaudit: Plaudit, files: tuple[Path, Path]) -> None:
    outcome = plaudit("study", "sheet", "--answers", *files, *TWO, "--repeat-frac", "0")
    assert outcome.status == 0
    assert "study: 10 pairs of runs/sft, runs/ppo, 20 rows for 2 people (2 prompts without answers of every model)" in (
        outcome.out
    )
    assert "study/sheets/ann.html: 10 rows" in outcome.out
    assert sorted(path.name for path in Path("study/sheets").iterdir()) == ["ann.csv", "ann.html", "bo.csv", "bo.html"]
    for page in Path("study/sheets").iterdir():
        assert "runs/" not in page.read_text("utf-8")
    assert "study is not empty" in plaudit("study", "sheet", "--answers", *files, *TWO).refused()
    named = plaudit("study", "sheet", "--answers", *files, *TWO, "--names", "old", "new", "--out", "named")
    assert "pairs of old, new" in named.out


def test_a_report(plaudit: Plaudit, filled: list[Path]) -> None:
    outcome = plaudit("study", "report", "--answers", *filled)
    assert outcome.status == 0
    for title in ("Win rates", "Ratings", "How far the people can be relied on", "People"):
        assert title in outcome.out
    (duel,) = json.loads(Path("study-report/summary.json").read_text())["result"]["win_rates"]
    assert (duel["models"], duel["win_rate"]["value"], duel["win_rate"]["n"]) == (["runs/sft", "runs/ppo"], 0.0, 20)
    assert Path("study-report/report.html").exists()
    checked = plaudit("data", "check", "study-report/verdicts.jsonl")
    assert checked.status == 0
    assert "verdicts b 20" in checked.out
    assert "study-report is not empty" in plaudit("study", "report", "--answers", *filled).refused()


def test_mistakes_in_sheets_are_named_or_left_out(plaudit: Plaudit, filled: list[Path]) -> None:
    ann = filled[0]
    ann.write_text(ann.read_text().replace('"helpful_a": 4', '"helpful_a": 8', 1))
    message = plaudit("study", "report", "--answers", *filled).refused()
    assert "ann.json:2: field 'helpful_a': expected a whole number from 1 to 7, got 8" in message
    assert not Path("study-report").exists()
    outcome = plaudit("study", "report", "--answers", *filled, "--on-error", "skip")
    assert outcome.status == 0
    assert "ann.json:2: field 'helpful_a'" in outcome.out
    assert "1 lines cannot be read and were left out" in outcome.out


def test_mistakes_are_named_where_they_leave_nothing(plaudit: Plaudit, filled: list[Path]) -> None:
    ann = filled[0]
    ann.write_text(ann.read_text().replace('"helpful_a": 4', '"helpful_a": 8'))
    outcome = plaudit("study", "report", "--answers", ann, "--on-error", "skip", "--out", "none")
    assert outcome.status == 2
    assert "ann.json:2: field 'helpful_a'" in outcome.out
    assert "lines cannot be read and were left out" in outcome.out
    assert not Path("none").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("sheet", "--answers", "sft.jsonl", *TWO), "a study compares two models or more"),
        (("sheet", "--answers", "sft.jsonl", "none.jsonl", *TWO), "there is no file none.jsonl"),
        (
            ("sheet", "--answers", "sft.jsonl", "sft.jsonl", *TWO),
            "every model needs a name of its own, got runs/sft, runs/sft",
        ),
        (("sheet", "--answers", "sft.jsonl", "ppo.jsonl", "--names", "x", *TWO), "got 1 names for 2 files"),
        (("sheet", "--answers", "sft.jsonl", "ppo.jsonl", "--people", "a b", "c"), "letters, digits"),
        (
            ("sheet", "--answers", "sft.jsonl", "ppo.jsonl", "--people", "ann"),
            "between 1 and the number of people, 1: got 2",
        ),
        (("report", "--answers", "ann.json"), "study cannot be read: No such file or directory"),
    ],
)
def test_what_is_refused(plaudit: Plaudit, files: tuple[Path, Path], words: tuple[str, ...], message: str) -> None:
    assert message in plaudit("study", *words).refused()


def test_help(plaudit: Plaudit) -> None:
    listed = plaudit("study").out
    assert all(name in listed for name in ("study plan", "study sheet", "study report"))
    assert "data check" not in listed
    assert "--people-per-pair" in plaudit("study", "sheet", "--help").out
