"""Answers against their passages: the rule's figures, and its AUROC by comparing all pairs of words."""

import json
from pathlib import Path

import pytest

from plaudit.evaluation.suites.hallucination import doubt_auroc, hallucination, passage_of
from plaudit.formats import open_records
from plaudit.rules.support import token_doubts
from plaudit.schemas.conversation import assistant, user
from plaudit.schemas.feedback import Highlights, Span
from tests.evaluation.suites.conftest import saying

PASSAGE = "The mill was built in 1842 by two brothers. It stands on a hill above the river."


def marked(question: str, answer: str, *spans: tuple[str, str]) -> Highlights:
    found = sorted((answer.index(text), answer.index(text) + len(text), label) for text, label in spans)
    return Highlights(
        prompt=(user(f"{question}\n\n{PASSAGE}"),),
        completion=(assistant(answer),),
        spans=tuple(Span(start=start, end=end, label=label) for start, end, label in found),
        extra={"passages": [["Mill", PASSAGE]]},
    )


ROWS = [
    marked("When?", "The mill was built in 1842 by a rich widow.", ("rich widow", "Unverifiable")),
    marked("Where?", "It stands on a hill. It stands.", ("It stands.", "Redundant")),
    marked("Who?", "By three sisters in Hull", ("three sisters", "Wrong-Grounding"), ("Hull", "Unverifiable")),
]


def test_own_answers_and_marked_ones() -> None:
    said = {
        ROWS[0].prompt[0].text: "Two brothers built the mill.",
        ROWS[1].prompt[0].text: "Above the river.",
        ROWS[2].prompt[0].text: "Wizards.",
    }
    found = hallucination(saying(said), ROWS)
    values = {name: estimate.value for name, estimate in found.figures.items() if estimate is not None}
    assert values["unsupported"] == pytest.approx(1 / 3)
    assert values["with an unsupported span"] == pytest.approx(2 / 3)
    # rich, widow of mill, built, 1842, rich, widow; none; three, sisters, Hull of all three.
    assert values["unsupported, of the marked answers"] == pytest.approx((2 / 5 + 0 + 1) / 3)
    assert values["AUROC of a word's doubt on the marked answers"] == pytest.approx(slow_auroc(ROWS))
    assert [row["unsupported"] for row in found.rows] == [0.0, 0.0, 1.0]


def slow_auroc(rows: list[Highlights]) -> float:
    """The share of pairs of a word marked as not in the passage and another in which the marked one is doubted more."""
    right, wrong = list[float](), list[float]()
    for row in rows:
        for word in token_doubts(row.text, passage_of(row)):
            marks = [span for span in row.spans if span.label in ("Wrong-Grounding", "Unverifiable")]
            is_marked = any(set(range(word.start, word.end)) & set(range(span.start, span.end)) for span in marks)
            (wrong if is_marked else right).append(word.doubt)
    return sum((a > b) + 0.5 * (a == b) for a in wrong for b in right) / (len(wrong) * len(right))


def test_no_auroc_without_marks() -> None:
    assert doubt_auroc([ROWS[1]]) is None


def test_passages_without_the_published_column_are_the_prompts_rest() -> None:
    bare = ROWS[0].model_copy(update={"extra": {}})
    assert passage_of(bare) == PASSAGE
    assert passage_of(ROWS[0]) == f"Mill\n{PASSAGE}"


def test_the_published_marks(data: Path) -> None:
    """The first 40 answers: the AUROC of all pairs of words, from the file as it is."""
    path = data / "finegrained-qa-feedback" / "dev_feedback.jsonl"
    rows = open_records(path).of(Highlights)[:40]
    first = json.loads(path.read_text(encoding="utf-8").splitlines()[0])
    assert passage_of(rows[0]) == "\n".join(sentence for part in first["passages"] for sentence in part)
    found = doubt_auroc(rows)
    assert found is not None
    assert found.value == pytest.approx(slow_auroc(rows))
    assert found.low < found.value < found.high
