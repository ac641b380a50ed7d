"""The table for spreadsheets: no cell runs as a formula, and every one comes back unchanged."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plaudit.formats import open_records, spreadsheet, write_records
from plaudit.formats.spreadsheet import as_meant, harmless
from plaudit.schemas.conversation import Message, Role, assistant, user
from plaudit.schemas.errors import PlauditError, RowError
from plaudit.schemas.feedback import Comparison, Correction, Demonstration, Document, Ranking, Rating, Verdict

FORMULAS = [
    "=1+1",
    "+1",
    "-1",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "\n=1",
    "＝1",
    "'=1",
    "''@x",
    "=",
    "'",
    "'a",
    "it's",
    "a=1",
    "",
]
HEAD = "judgement,form,id,source,weight,annotator,prompt"


def cells(path: Path, delimiter: str = ",") -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file, delimiter=delimiter))


@pytest.mark.parametrize("text", FORMULAS)
def test_no_cell_is_a_formula_and_every_cell_comes_back(text: str) -> None:
    written = harmless(text)
    assert not written.startswith(("=", "+", "-", "@", "\t", "\r", "\n", "＝"))
    assert as_meant(written) == text


@given(st.text(alphabet="'=+-@\t\r\na＝", max_size=6))
def test_apostrophes_before_a_formula_are_counted(text: str) -> None:
    assert as_meant(harmless(text)) == text
    assert harmless(text)[:1] not in set("=+-@\t\r\n＝")


def test_other_apostrophes_are_left_alone() -> None:
    assert harmless("'tis late") == "'tis late" == as_meant("'tis late")


def test_the_golden_tables(golden: Path) -> None:
    one, two, three = open_records(golden / "spreadsheet.csv").of(Comparison)
    assert (one.a, one.b, one.verdict) == ((assistant("=1+1"),), (assistant("2"),), Verdict.B)
    assert (one.margin, one.strength, one.reason) == (-0.5, 2, '@home it is "two"')
    assert one.extra == {"display_order": [0, 1], "lead_time_ms": 4200, "note": "+ two lines\nof it"}
    assert (two.prompt, two.a, two.b) == (
        (user("''=A1 or '=A1?"),),
        (assistant("'tis the first."),),
        (assistant("'-- neither"),),
    )
    assert (two.weight, two.extra) == (0.5, {"note": "12"})
    assert (three.prompt, three.a, three.b) == ((), (assistant(""),), (assistant("盐"),))
    four, five = open_records(golden / "spreadsheet-ranking.csv").of(Ranking)
    assert (four.ranks, four.unacceptable, four.truncated) == ((0, None, 0), (False, True, False), ())
    assert (len(five.completions), five.ranks, five.unacceptable) == (2, (4, 1), ())


@pytest.mark.parametrize("name", ["out.csv", "out.csv.gz", "out.tsv"])
def test_the_same_records_come_back(golden: Path, tmp_path: Path, name: str) -> None:
    for table in ("spreadsheet.csv", "spreadsheet-ranking.csv"):
        records = open_records(golden / table)
        assert not write_records(records, tmp_path / name, "spreadsheet")
        again = open_records(tmp_path / name)
        assert (again.shape, list(again)) == ("spreadsheet", list(records))
    assert not [
        cell
        for row in cells(golden / "spreadsheet.csv")
        for cell in row.values()
        if cell.startswith(("=", "+", "-", "@", "\t", "\r"))
    ]


def test_bytes_that_spreadsheets_open(tmp_path: Path) -> None:
    record = Demonstration(id="k", source="=cmd()", prompt=(user("盐?"),), completion=(assistant('a,b\n"c"'),))
    write_records([record], tmp_path / "out.csv", "spreadsheet")
    raw = (tmp_path / "out.csv").read_bytes()
    assert raw.startswith(b'\xef\xbb\xbf"judgement",')  # without the mark, Chinese is not read as UTF-8
    assert raw.endswith(b'"\r\n')
    assert b'"\'=cmd()"' in raw
    assert list(open_records(tmp_path / "out.csv")) == [record]


def test_every_kind_of_judgement(tmp_path: Path) -> None:
    shared = {"id": "k", "source": "s", "annotator": "p", "prompt": (user("q"),)}
    x, y = (assistant("x"),), (assistant("y"), user("-"), assistant("@z"))
    system = (Message(role=Role.SYSTEM, content="=s"), user("q"))
    records = [
        Rating(**shared, completion=x, score=-2.5, minimum=-3, maximum=4),
        Correction(**shared, completion=x, corrected=y),
        Demonstration(**shared | {"prompt": system}, completion=x),
        Ranking(**shared, completions=[x] * 11, ranks=range(11), truncated=[True] * 11),
        Comparison(
            **shared | {"extra": {"a": None, "b": "1", "c": "", "d": {"e": [1.5]}, "": "=x"}}, a=x, b=y, verdict="a"
        ),
    ]
    for record in records:
        assert not write_records([record], tmp_path / "out.csv", "spreadsheet")
        assert list(open_records(tmp_path / "out.csv")) == [record]
    assert [name for name in cells(tmp_path / "out.csv")[0] if name.startswith("extra.")] == [
        "extra.a",
        "extra.b",
        "extra.c",
        "extra.d",
        "extra.",
    ]
    write_records([records[3]], tmp_path / "out.csv", "spreadsheet")
    header = list(cells(tmp_path / "out.csv")[0])
    assert header[:9] == [*HEAD.split(","), "answer_1", "answer_2"]
    assert header[17:20] == ["answer_11", "rank_1", "truncated_1"]


def test_what_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PlauditError, match=r"must end in \.csv or \.tsv"):
        write_records([Document(text="a")], tmp_path / "out.jsonl", "spreadsheet")
    with pytest.raises(PlauditError, match="spreadsheet cannot carry a Document"):
        write_records([Document(text="a")], tmp_path / "out.csv", "spreadsheet")
    fine = Rating(id="k", prompt=(), completion=(assistant("x"),), score=1)
    records = [
        fine,
        fine.model_copy(update={"completion": (assistant("x" * 140_000),)}),
        fine.model_copy(update={"extra": {"a": float("nan")}}),
        fine.model_copy(update={"annotator": ""}),
    ]
    losses = write_records(records, tmp_path / "out.csv", "spreadsheet")
    assert losses.records == {
        "a cell of more than 131072 characters, which Python's csv does not read": 1,
        "a number in extra that is not finite": 1,
    }
    assert losses.fields == {"annotator": 1}
    lone = fine.model_copy(update={"completion": (assistant("\ud800"),)})
    with pytest.raises(PlauditError, match="lone surrogates"):
        write_records([lone], tmp_path / "lone.csv", "spreadsheet")
    assert not (tmp_path / "lone.csv").exists()


def test_what_people_add_in_a_spreadsheet_is_kept(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("judgement,prompt,answer,score,my note\nrating,q,x,1,'=A1\nrating,q,y,0,\n")
    one, two = open_records(tmp_path / "t.csv").of(Rating)
    assert (one.extra, two.extra, one.weight, one.source) == ({"my note": "=A1"}, {}, 1, "t.csv")
    assert one.id != two.id
    (tmp_path / "named.csv").write_text("judgement,question,prompt,answer,score\nrating,q,old,x,1\n")
    (named,) = open_records(tmp_path / "named.csv", columns={"prompt": "question"}).of(Rating)
    assert (named.prompt, named.extra) == ((user("q"),), {"prompt": "old"})


@pytest.mark.parametrize(
    ("head", "row", "field"),
    [
        ("judgement,prompt", "opinion,q", "judgement"),
        ("judgement,form,prompt,answer", "rating,prose,q,x", "form"),
        ("judgement,prompt,answer,score", "rating,q,,1", "answer"),
        ("judgement,prompt,answer,score", "rating,q,x,", "score"),
        ("judgement,prompt,answer,score", '"rating",q,x,"0,5"', "score"),
        ("judgement,prompt,answer,score", "rating,q,x,nan", "score"),
        ("judgement,prompt,answer,score", "rating,q,x,2", "(row)"),
        ("judgement,prompt,answer,score,weight", "rating,q,x,1,much", "weight"),
        ("judgement,prompt,answer_a,answer_b,verdict", "comparison,q,x,y,c", "verdict"),
        ("judgement,prompt,answer_a,answer_b,verdict,strength", "comparison,q,x,y,A,1.5", "strength"),
        ("judgement,prompt,answer_1,answer_3,rank_1", "ranking,q,x,y,0", "answer_2"),
        ("judgement,prompt,answer_1,answer_2,rank_1,rank_2,rank_3", "ranking,q,x,y,0,1,2", "rank_1"),
        ("judgement,prompt,answer_1,answer_2,rank_1,unacceptable_1", "ranking,q,x,y,0,maybe", "unacceptable_1"),
        ("judgement,prompt,answer_1,answer_2,rank_1,unacceptable_1", "ranking,q,x,y,0,TRUE", "(row)"),
        ("judgement,prompt,answer_1,answer_2,rank_1,rank_2", "ranking,q,x,y,-1,0", "(row)"),
        ("judgement,form,prompt,answer", "demonstration,messages,[],x", "answer"),
        ("judgement,form,prompt,answer", 'demonstration,messages,[],"[{""role"": ""cat""}]"', "answer[0].role"),
        ("judgement,prompt,answer,extra.a,a", "demonstration,q,x,1,2", "a"),
    ],
)
def test_malformed_rows(tmp_path: Path, head: str, row: str, field: str) -> None:
    path = tmp_path / "t.csv"
    path.write_text(f"{head}\n{row}\n")
    with pytest.raises(RowError) as caught:
        open_records(path, "spreadsheet")
    assert (caught.value.line, caught.value.field) == (2, field)


def test_rows_that_are_no_cells(tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_text('{"judgement": "rating", "prompt": 3}\n')
    with pytest.raises(RowError, match="field 'prompt': expected a cell of text, got the number 3"):
        list(spreadsheet.read(tmp_path / "t.jsonl"))
