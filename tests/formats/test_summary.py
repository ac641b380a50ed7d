"""Counts over records, against counts made by hand."""

from __future__ import annotations

from pathlib import Path

from plaudit.formats import open_records
from plaudit.formats.summary import summaries
from plaudit.schemas.conversation import Message, Role, assistant, user
from plaudit.schemas.feedback import (
    AnyRecord,
    Comparison,
    Correction,
    Demonstration,
    Document,
    Highlights,
    Prompt,
    Ranking,
    Rating,
    Span,
    Verdict,
)

P, Q = (user("four"),), (Message(role=Role.SYSTEM, content="s"), user("five!"))
X, Y, EMPTY = (assistant("12"),), (assistant("1234"),), (assistant(" \n"),)


def test_demonstrations() -> None:
    records = [
        Demonstration(id="1", source="a", prompt=P, completion=X),
        Demonstration(id="2", source="b", prompt=P, completion=X, extra={"n": 1}),
        Demonstration(id="2", prompt=Q, completion=EMPTY),
    ]
    (summary,) = summaries(records)
    assert (summary.kind, summary.num_records, summary.num_prompts) == ("demonstration", 3, 2)
    # "four" twice, and "s", a blank line, "five!": 4, 4 and 8 characters; answers of 2, 2 and 2.
    assert summary.mean_prompt_chars == 16 / 3
    assert summary.mean_answer_chars == 2.0
    assert (summary.num_empty_answers, summary.num_duplicates, summary.num_repeated_ids) == (1, 1, 1)
    assert (summary.mean_answers, summary.verdicts, summary.num_ranked_pairs) == (1.0, {}, 0)


def test_a_weight_or_another_person_makes_no_duplicate() -> None:
    first = Demonstration(id="1", prompt=P, completion=X)
    others = [
        first.model_copy(update={"id": "2", "weight": 2.0}),
        first.model_copy(update={"id": "3", "annotator": "p"}),
    ]
    assert summaries([first, *others])[0].num_duplicates == 0


def test_rankings_and_their_ties() -> None:
    records = [
        Ranking(id="1", prompt=P, completions=(X, Y, EMPTY, X), ranks=(0, 1, 1, None)),
        Ranking(id="2", prompt=P, completions=(X, Y), ranks=(0, 1)),
        Ranking(id="3", prompt=P, completions=(X, Y, EMPTY), ranks=(2, 2, 2)),
    ]
    (summary,) = summaries(records)
    assert summary.mean_answers == 3.0
    assert (summary.num_ranked_pairs, summary.num_tied_pairs, summary.num_tied_rankings) == (3 + 1 + 3, 1 + 0 + 3, 2)
    assert (summary.num_unranked_answers, summary.num_same_answers, summary.num_empty_answers) == (1, 1, 2)


def test_comparisons_and_the_other_kinds_most_frequent_first() -> None:
    records: list[AnyRecord] = [
        Document(id="1", text="abc"),
        Comparison(id="2", prompt=P, a=X, b=X, verdict=Verdict.A),
        Comparison(id="3", prompt=P, a=X, b=Y, verdict=Verdict.TIE),
        Prompt(id="4", prompt=P),
        Rating(id="5", prompt=P, completion=X, score=1),
        Correction(id="6", prompt=P, completion=X, corrected=Y),
    ]
    comparison, document, prompt, rating, correction = summaries(records)
    assert comparison.verdicts == {"a": 1, "tie": 1}
    assert (comparison.num_same_answers, comparison.mean_answer_chars) == (1, 2.5)
    assert (document.kind, document.mean_prompt_chars, document.mean_answers) == ("document", 3.0, 0.0)
    assert (prompt.mean_prompt_chars, prompt.mean_answer_chars) == (4.0, 0.0)
    assert (rating.mean_answers, correction.mean_answers, correction.mean_answer_chars) == (1.0, 2.0, 3.0)
    assert summaries([]) == []


def test_the_real_lists(real_data: Path) -> None:
    (summary,) = summaries(open_records(real_data / "oasst1-zh" / "oaast_rm_zh.jsonl"))
    assert (summary.num_records, summary.num_tied_pairs, summary.num_unranked_answers) == (600, 0, 0)
    # Counted apart from the reader: three lists hold an answer twice.
    assert (summary.num_same_answers, summary.num_empty_answers) == (3, 0)


def test_highlights_and_what_was_kept_beside_the_fields() -> None:
    marked = tuple(Span(start=0, end=end, label=label) for end, label in ((1, "x"), (2, "x"), (2, "y")))
    records = [
        Highlights(prompt=P, completion=X, spans=marked, extra={"errors[0].note": "", "errors[1].note": "", "gold": 1}),
        Highlights(prompt=P, completion=X, spans=(), extra={"gold": 2}),
    ]
    (summary,) = summaries(records)
    assert summary.spans == {"x": 2, "y": 1}
    assert summary.further == {"errors[i].note": 1, "gold": 2}
    assert (summary.mean_answers, summary.mean_answer_chars) == (1.0, 2.0)
