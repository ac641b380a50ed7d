"""The page says what the records hold, names nobody, and lies beside them without changing the snapshot's name."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from plaudit.formats import open_records, snapshot
from plaudit.quality import make_snapshot
from plaudit.quality.cleaning import CleaningConfig, clean
from plaudit.quality.datasheet import About, datasheet
from plaudit.schemas.conversation import assistant, user
from plaudit.schemas.errors import PlauditError
from plaudit.schemas.feedback import AnyRecord, Comparison, Demonstration, Document, Ranking, Rating, Verdict
from plaudit.schemas.snapshot import DatasetSnapshot

P, X, Y = (user("What is the tide?"),), (assistant("It is the sea."),), (assistant("涨落"),)
Z = (assistant("It was the sea"),)
RECORDS: list[AnyRecord] = [
    Comparison(id="1", source="chat", annotator="ann", prompt=P, a=X, b=Y, verdict=Verdict.A),
    Comparison(id="2", source="chat", annotator="ann", prompt=P, a=Y, b=X, verdict=Verdict.TIE, weight=0.5),
    Comparison(id="3", source="chat", annotator="bob", prompt=P, a=X, b=Y, verdict=Verdict.BOTH_BAD),
    Comparison(
        id="4", source="chat", annotator="cid", prompt=(user("潮水？"),), a=Y, b=(assistant("涨潮"),), verdict=Verdict.A
    ),
    Ranking(id="5", source="a|b", prompt=P, completions=(X, Y, Z), ranks=(0, 0, 1)),
    Rating(id="6", annotator="bob", prompt=P, completion=X, score=1),
    Rating(id="7", annotator="ann", prompt=P, completion=X, score=0.5, weight=2),
    Document(id="8", source="b@example.org", text="The tide is the sea."),
]
MADE = DatasetSnapshot(id="ab12", files=(), created_at="2026-05-17", filters={"since": "2026", "kinds": ["a"]})


def answer(page: str, question: str) -> str:
    """What stands after a question."""
    return page.split(f"**{question}**")[1].split("\n\n**")[0].split("\n\n##")[0].strip()


def test_the_records_answer_for_themselves() -> None:
    """Counted by hand."""
    page = datasheet(RECORDS, MADE)
    assert page.startswith("# Data set\n\nSnapshot `ab12`, made 2026-05-17.\n\n## Motivation\n\n")
    assert answer(page, "What is in it?").splitlines() == [
        "| kind | source | records |",
        "| --- | --- | --- |",
        "| comparison | chat | 4 |",
        "| document | [EMAIL] | 1 |",
        r"| ranking | a\|b | 1 |",
        "| rating | not stated | 2 |",
    ]
    assert answer(page, "How many different prompts?") == "2"
    assert answer(page, "In which languages?") == "en 87.5%, zh 12.5%"
    # Prompts: six of 17 characters, one of 3. Answers: six of 2 characters, seven of 14, the document's 20.
    assert answer(page, "How long are they, in characters?").splitlines()[2:] == [
        "| prompt | 3 | 3 | 17 | 17 | 17 | 17 | 17 |",
        "| answer | 2 | 2 | 2 | 14 | 14 | 14 | 20 |",
    ]
    assert answer(page, "What was said?") == (
        "Comparisons: a 50.0%, tie 25.0%, both bad 25.0%. Rankings: 33.3% of 3 ranked pairs are ties. "
        "Ratings: 50.0% of 2 lie above the middle of their scale."
    )
    assert answer(page, "How much do the records weigh?") == "0.5 to 2, 1.0625 on the mean"
    assert answer(page, "How many people's words are in it?") == (
        "3, with 2 records each on the median and 3 at most; 2 records name nobody"
    )
    assert answer(page, "How were the records chosen?") == 'kinds: ["a"]; since: "2026"'


def test_nobody_is_named_and_nothing_quoted() -> None:
    page = datasheet(RECORDS, MADE, cleaned=clean(RECORDS))
    assert not [word for word in ("ann", "bob", "cid", "example.org", "the sea", "涨落") if word in page]


def test_what_nobody_said_is_not_stated() -> None:
    page = datasheet(RECORDS[-1:], DatasetSnapshot(id="ab12", files=()))
    unsaid = [line.split("**")[1] for line in page.splitlines() if line.endswith("** not stated")]
    assert unsaid == [
        "Why was it made?",
        "Who made it, and who paid?",
        "How was it collected?",
        "When?",
        "How many people's words are in it?",
        "Who are they?",
        "On which basis may their words be used?",
        "How were the records chosen?",
        "What was left out?",
        "Is there personal data in it?",
        "What is it fit for?",
        "What is it not fit for?",
        "Under which licence?",
        "Who looks after it?",
    ]
    assert answer(page, "What was said?") == "nothing that can be counted"
    assert "made not stated" in page


def test_what_people_say_stands_where_it_is_asked() -> None:
    fields = {name: f"about {name}" for name in About.__dataclass_fields__}
    page = datasheet(RECORDS, MADE, about=About(**fields))
    assert page.startswith("# about title\n")
    assert [page.count(text) for text in fields.values()] == [1] * len(fields)
    assert answer(page, "On which basis may their words be used?") == "about consent"
    assert answer(page, "Under which licence?") == "about licence"


def test_what_was_left_out_is_told() -> None:
    rows = [
        *RECORDS,
        RECORDS[0],
        Comparison(id="9", annotator="ann", prompt=P, a=X, b=Y, verdict=Verdict.B),
        Demonstration(id="10", prompt=(user("I am a@example.org, 415-555-2671"),), completion=X),
        Document(id="11", text="x" * 99),
    ]
    cleaned = clean(rows, CleaningConfig(max_answer_chars=90))
    page = datasheet(cleaned.kept, MADE, cleaned=cleaned)
    assert answer(page, "What was left out?").splitlines()[2:] == ["| length | 1 |", "| exact duplicate | 1 |"]
    assert "in 1 records (email 1, phone 1) and taken out" in answer(page, "Is there personal data in it?")
    assert answer(page, "Do verdicts contradict each other?") == "at odds with own word: 1"
    tidy = datasheet(RECORDS[-1:], MADE, cleaned=clean(RECORDS[-1:]))
    assert answer(tidy, "What was left out?") == "nothing"
    assert answer(tidy, "Do verdicts contradict each other?") == "no"


def test_the_page_lies_beside_the_records_and_changes_no_name(tmp_path: Path) -> None:
    plain = make_snapshot(RECORDS, tmp_path / "plain")
    made = make_snapshot(RECORDS, tmp_path / "told", datasheet=partial(datasheet, RECORDS))
    assert made.id == plain.id
    assert made.files == plain.files
    page = (tmp_path / "told" / "datasheet.md").read_text(encoding="utf-8")
    assert page == datasheet(RECORDS, made)
    assert made.id in page
    assert list(snapshot.read(tmp_path / "told")) == list(snapshot.read(tmp_path / "plain"))
    assert len(open_records(tmp_path / "told")) == len(RECORDS)
    assert not (tmp_path / "plain" / "datasheet.md").exists()
    # The folder counts as the same snapshot with the page and without.
    assert make_snapshot(RECORDS, tmp_path / "told") == made
    assert make_snapshot(RECORDS, tmp_path / "plain", datasheet=partial(datasheet, RECORDS)) == plain


def test_a_page_that_fails_leaves_no_folder(tmp_path: Path) -> None:
    def fails(_: DatasetSnapshot) -> str:
        raise PlauditError("no page")

    with pytest.raises(PlauditError, match="no page"):
        make_snapshot(RECORDS, tmp_path / "snap", datasheet=fails)
    assert list(tmp_path.iterdir()) == []
