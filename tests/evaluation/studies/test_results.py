"""From filled-in sheets to figures: sides turned back, mistakes named by file, line and field, results by hand."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from plaudit.evaluation.studies.answers import Judgement, SheetLine, collected, csv_lines
from plaudit.evaluation.studies.report import study_notes, study_report
from plaudit.evaluation.studies.results import study_result
from plaudit.evaluation.studies.study import Study, StudyPair, StudyRow
from plaudit.schemas.conversation import user
from plaudit.schemas.errors import PlauditError, RowError
from plaudit.schemas.feedback import Verdict
from plaudit.statistics.agreement import krippendorff_alpha

PAIRS = tuple(
    StudyPair(id=f"p{i}", prompt=(user(f"question {i}"),), models=("sft", "ppo"), answers=(f"s{i}", f"p{i}"))
    for i in range(4)
)
# ann sees pairs 0 to 3, sides changing, and 0 again turned round; bo sees 0 and 1
ROWS = (
    StudyRow(id="r0", person="ann", pair="p0", swapped=False, repeat=False),
    StudyRow(id="r1", person="ann", pair="p1", swapped=True, repeat=False),
    StudyRow(id="r2", person="ann", pair="p2", swapped=False, repeat=False),
    StudyRow(id="r3", person="ann", pair="p3", swapped=True, repeat=False),
    StudyRow(id="r4", person="ann", pair="p0", swapped=True, repeat=True),
    StudyRow(id="r5", person="bo", pair="p0", swapped=True, repeat=False),
    StudyRow(id="r6", person="bo", pair="p1", swapped=False, repeat=False),
)
STUDY = Study(id="abc", seed=0, axes=("helpful",), minimum=1, maximum=5, models=("sft", "ppo"), pairs=PAIRS, rows=ROWS)


def line(row: str, verdict: str, a: object = 3, b: object = 3, number: int = 1, **more: object) -> SheetLine:
    columns = {"row": row, "verdict": verdict, "helpful_a": a, "helpful_b": b, **more}
    return SheetLine("f.json", number, columns)  # type: ignore[arg-type]


LINES = [
    line("r0", "b", 2, 4, seconds=10),  # ppo
    line("r1", "a", 5, 1, seconds=20),  # ppo, on the left
    line("r2", "tie", 3, 3, seconds=60),
    line("r3", "b", 2, 3, comment=" short "),  # sft, on the right
    line("r4", "a", 4, 2),  # ppo again
    line("r5", "b", 1, 3),  # sft, on the right
    line("r6", "both_bad", 1, 1),
]


def judged(lines: list[SheetLine] = LINES) -> list[Judgement]:
    return collected(STUDY, lines).judgements


def test_sides_are_turned_back() -> None:
    found = {one.row.id: one for one in judged()}
    assert {name: one.win for name, one in found.items()} == {
        "r0": 0.0, "r1": 0.0, "r2": 0.5, "r3": 1.0, "r4": 0.0, "r5": 1.0, "r6": 0.5
    }  # fmt: skip
    assert {name: one.left_won for name, one in found.items()} == {
        "r0": False, "r1": True, "r2": None, "r3": False, "r4": True, "r5": False, "r6": None
    }  # fmt: skip
    assert found["r1"].ratings == {"helpful": (1, 5)}
    assert (found["r3"].comment, found["r1"].seconds) == ("short", 20.0)
    record = found["r3"].comparison(STUDY)
    assert (record.verdict, record.a[0].text, record.b[0].text) == (Verdict.A, "s3", "p3")
    assert (record.annotator, record.source, record.reason) == ("ann", "study abc", "short")


def test_the_result_worked_by_hand() -> None:
    result = study_result(STUDY, judged())
    (duel,) = result.duels
    assert duel.models == ("sft", "ppo")
    assert duel.win_rate is not None
    # first showings: 0, 0, 0.5, 1 by ann, 1, 0.5 by bo
    assert (duel.win_rate.value, duel.win_rate.n) == (0.5, 6)
    assert (duel.num_judgements, duel.num_prompts, duel.num_incomparable) == (6, 4, 0)
    assert (duel.tie_frac, duel.both_bad_frac) == (1 / 6, 1 / 6)
    (axis,) = result.axes
    # sft: 2, 1, 3, 3 by ann, 3, 1 by bo; ppo: 4, 5, 3, 2 and 1, 1
    assert axis.means["sft"].value == pytest.approx(13 / 6)
    assert axis.means["ppo"].value == pytest.approx(16 / 6)
    assert axis.differences["sft", "ppo"].value == pytest.approx(-0.5)
    assert result.verdict_alpha is not None
    assert result.verdict_alpha.value == pytest.approx(krippendorff_alpha([[0, 1], [0, 0.5]], "nominal"))
    assert result.rating_alphas["helpful"].value == pytest.approx(
        krippendorff_alpha([[2, 3], [4, 1], [1, 1], [5, 1]], "ordinal")
    )
    assert result.self_agreement is not None
    assert (result.self_agreement.value, result.self_agreement.n) == (1.0, 1)
    assert result.left_rate is not None
    assert (result.left_rate.value, result.left_rate.n) == (0.4, 5)  # r1 and r4 of r0, r1, r3, r4, r5
    ann, bo = result.people
    assert (ann.num_answered, ann.num_assigned, ann.tie_frac, ann.median_seconds) == (5, 5, 0.2, 20.0)
    assert (bo.num_answered, bo.self_agreement, bo.median_seconds) == (2, None, None)
    assert ann.agreement is not None
    assert (ann.agreement.value, ann.agreement.n) == (0.0, 2)


def test_what_nobody_said_is_not_measured() -> None:
    result = study_result(STUDY, judged([line("r6", "incomparable", "", "")]))
    (duel,) = result.duels
    assert (duel.win_rate, duel.num_incomparable) == (None, 1)
    assert (result.verdict_alpha, result.self_agreement, result.left_rate) == (None, None, None)
    assert result.axes[0].means == {}
    with pytest.raises(PlauditError, match="no pair has been judged"):
        study_result(STUDY, [])


def test_only_the_repeat_disagrees() -> None:
    lines = [line("r4", "b", 4, 2) if one.columns["row"] == "r4" else one for one in LINES]
    before, after = study_result(STUDY, judged()), study_result(STUDY, judged(lines))
    assert after.duels == before.duels
    assert after.self_agreement is not None
    assert after.self_agreement.value == 0.0


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (line("r9", "a"), "f.json:1: field 'row': expected a row of this study, got 'r9'"),
        (line("", "a"), "f.json:1: field 'row': expected a row of this study, got nothing"),
        (line("r0", "left"), "field 'verdict': expected a, b, tie, both_bad or incomparable, got 'left'"),
        (line("r0", ""), "field 'verdict': expected a, b, tie, both_bad or incomparable, got nothing"),
        (line("r0", "a", 6), "field 'helpful_a': expected a whole number from 1 to 5, got 6"),
        (line("r0", "a", 3, "x"), "field 'helpful_b': expected a whole number from 1 to 5, got 'x'"),
        (line("r0", "a", 3, 2.5), "field 'helpful_b': expected a whole number from 1 to 5, got 2.5"),
        (line("r0", "a", True), "field 'helpful_a': expected a whole number from 1 to 5, got True"),
        (line("r0", "a", None), "field 'helpful_a': expected a whole number from 1 to 5, got nothing"),
        (line("r0", "a", seconds="long"), "field 'seconds': expected a number from 0 on, or nothing, got 'long'"),
        (line("r0", "a", study="xyz"), "field 'study': expected abc, the study of this key, got 'xyz'"),
    ],
)
def test_mistakes_are_named(wrong: SheetLine, told: str) -> None:
    with pytest.raises(RowError) as caught:
        collected(STUDY, [wrong])
    assert told in str(caught.value)
    found = collected(STUDY, [wrong, LINES[0]], skip_errors=True)
    assert ([str(error) for error in found.errors], len(found.judgements)) == ([str(caught.value)], 1)


def test_one_answer_to_a_row() -> None:
    assert len(judged([LINES[0], replace(LINES[0], line=9), line("r1", "", "", "")])) == 1
    with pytest.raises(
        RowError, match=r"f\.json:9: field 'row': expected one answer to a row, got another in f\.json:1"
    ):
        judged([LINES[0], line("r0", "a", 2, 4, number=9)])


def test_tables_from_spreadsheets(tmp_path: Path) -> None:
    """Commas or semicolons, a byte order mark, quoted line ends of every kind, empty lines; mistakes on their own line."""
    path = tmp_path / "ann.csv"
    names, several = "row;answer_a;verdict;helpful_a;helpful_b", '"two\r\nlines\u2028of\x0cpages"'
    text = f"{names}\r\nr0;{several};B; 2;4\r\n;;;;\r\nr1;x;a;9;1\r\nr2;x\r\n"
    path.write_bytes(b"\xef\xbb\xbf" + text.encode())
    found = collected(STUDY, csv_lines(path), skip_errors=True)
    assert [(one.row.id, one.verdict, one.ratings["helpful"]) for one in found.judgements] == [
        ("r0", Verdict.B, (2, 4))
    ]
    assert [(error.line, error.field) for error in found.errors] == [(5, "helpful_a"), (6, "(row)")]
    path.write_text("id,verdict\n")
    with pytest.raises(
        RowError, match=r"ann\.csv:1: field 'row': expected a column called row, got columns id, verdict"
    ):
        list(csv_lines(path))
    path.write_bytes(b"row,verdict\nr0,\xff\n")
    with pytest.raises(PlauditError, match="not UTF-8 text: save it as `CSV UTF-8`"):
        list(csv_lines(path))
    with pytest.raises(PlauditError, match="cannot be read"):
        list(csv_lines(tmp_path / "none.csv"))


def test_the_report(tmp_path: Path) -> None:
    result, tables = study_report(STUDY, judged(), tmp_path)
    assert [table.title for table in tables] == [
        "Win rates", "Ratings", "How far the people can be relied on", "People"
    ]  # fmt: skip
    summary: Mapping[str, object] = json.loads((tmp_path / "summary.json").read_text())
    shown = summary["result"]
    assert isinstance(shown, dict)
    assert shown["win_rates"][0]["win_rate"]["value"] == 0.5
    assert shown["ratings"][0]["differences"][0]["models"] == ["sft", "ppo"]
    assert {"win_rates.png", "ratings.png", "report.html"} <= {path.name for path in tmp_path.iterdir()}
    assert "2 people gave 7 of 7 judgements on 4 pairs" in (tmp_path / "report.html").read_text()
    assert study_notes(result) == (
        "Only 4 prompts were judged: under about twenty, intervals cover a little less than they say.",
    )
    partial = study_result(STUDY, judged(LINES[:4]))
    notes = study_notes(partial)
    assert notes[0].startswith("3 of 7 rows were not answered")
    assert notes[2].startswith("No pair was judged by two people")
    assert partial.left_rate is not None
    assert not math.isnan(partial.left_rate.low)
