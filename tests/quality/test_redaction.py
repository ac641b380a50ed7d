"""Records lose the personal data in their texts, and nothing else."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plaudit.quality.redaction import redacted_record
from plaudit.rules.personal_data import PersonalKind, personal_spans
from plaudit.schemas.conversation import ImagePart, Message, Role, TextPart, assistant, user
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

EMAIL, PHONE, CARD = PersonalKind.EMAIL, PersonalKind.PHONE, PersonalKind.PAYMENT_CARD
ASKED, HIDDEN = (user("I am a@example.org"),), (user("I am [EMAIL]"),)
SAID, SHOWN = (assistant("Call 415-555-2671"),), (assistant("Call [PHONE]"),)
PLAIN = (assistant("No."),)

RECORDS: list[tuple[AnyRecord, AnyRecord, dict[PersonalKind, int]]] = [
    (Document(text="电话13812345678"), Document(text="电话[PHONE]"), {PHONE: 1}),
    (Prompt(prompt=ASKED), Prompt(prompt=HIDDEN), {EMAIL: 1}),
    (
        Demonstration(prompt=ASKED, completion=SAID),
        Demonstration(prompt=HIDDEN, completion=SHOWN),
        {EMAIL: 1, PHONE: 1},
    ),
    (
        Comparison(prompt=ASKED, a=SAID, b=PLAIN, verdict=Verdict.B, reason="b@example.org asked", strength=2),
        Comparison(prompt=HIDDEN, a=SHOWN, b=PLAIN, verdict=Verdict.B, reason="[EMAIL] asked", strength=2),
        {EMAIL: 2, PHONE: 1},
    ),
    (
        Ranking(prompt=ASKED, completions=(PLAIN, SAID), ranks=(0, None)),
        Ranking(prompt=HIDDEN, completions=(PLAIN, SHOWN), ranks=(0, None)),
        {EMAIL: 1, PHONE: 1},
    ),
    (
        Rating(prompt=ASKED, completion=SAID, score=1),
        Rating(prompt=HIDDEN, completion=SHOWN, score=1),
        {EMAIL: 1, PHONE: 1},
    ),
    (
        Correction(prompt=(), completion=PLAIN, corrected=SAID),
        Correction(prompt=(), completion=PLAIN, corrected=SHOWN),
        {PHONE: 1},
    ),
    (
        Prompt(
            prompt=(user("x"),), extra={"raw": ["a@example.org", {"n": 1, "card": "4111 1111 1111 1111"}], "k": None}
        ),
        Prompt(prompt=(user("x"),), extra={"raw": ["[EMAIL]", {"n": 1, "card": "[PAYMENT_CARD]"}], "k": None}),
        {EMAIL: 1, CARD: 1},
    ),
]


@pytest.mark.parametrize(("record", "expected", "counts"), RECORDS)
def test_every_text_of_every_kind(record: AnyRecord, expected: AnyRecord, counts: dict[PersonalKind, int]) -> None:
    named = record.model_copy(update={"id": "i", "source": "s", "weight": 0.5, "annotator": "p1"})
    clean, found = redacted_record(named)
    assert clean == expected.model_copy(update={"id": "i", "source": "s", "weight": 0.5, "annotator": "p1"})
    assert found == Counter(counts)
    assert type(clean).model_validate_json(clean.model_dump_json()) == clean
    assert redacted_record(clean) == (clean, Counter())


def test_a_record_without_any_is_the_record_itself() -> None:
    record = Rating(prompt=(user("x"),), completion=PLAIN, score=1, extra={"n": 1})
    clean, found = redacted_record(record)
    assert clean is record
    assert not found


def test_a_number_that_runs_over_the_parts_of_a_message() -> None:
    def parts(*texts: str) -> Message:
        image = ImagePart(url="https://example.org/a@example.org.png")
        return Message(role=Role.USER, content=(TextPart(text=texts[0]), image, *(TextPart(text=t) for t in texts[1:])))

    record = Prompt(prompt=(parts("Ann: a@exa", "mple.o", "rg, 415-555-2671", ""),))
    clean, found = redacted_record(record)
    assert clean == Prompt(prompt=(parts("Ann: [EMAIL]", "", ", [PHONE]", ""),))
    assert found == {EMAIL: 1, PHONE: 1}


def test_marks_move_along_with_the_answer() -> None:
    text = "Write to a@example.org or 415-555-2671 today."
    marks = ["Write", "to a@exa", "example.org", "a@example.org or 415", " or ", "today"]
    spans = sorted((text.index(mark), text.index(mark) + len(mark)) for mark in marks)
    record = Highlights(
        prompt=ASKED,
        completion=(assistant(text),),
        spans=tuple(Span(start=start, end=end, label="x") for start, end in spans),
    )
    clean, _ = redacted_record(record)
    assert isinstance(clean, Highlights)
    assert clean.text == "Write to [EMAIL] or [PHONE] today."
    assert sorted(clean.text[span.start : span.end] for span in clean.spans) == sorted(
        ["Write", "to [EMAIL]", "[EMAIL]", "[EMAIL] or [PHONE]", " or ", "today"]
    )
    assert Highlights.model_validate_json(clean.model_dump_json()) == clean


PIECES = ["a@example.org", "415-555-2671", "4111111111111111", " ", "x", "，", "78", "-"]


@given(st.lists(st.sampled_from(PIECES), min_size=1, max_size=7), st.data())
def test_marks_outside_keep_their_words_and_all_stay_valid(pieces: list[str], data: st.DataObject) -> None:
    text = "".join(pieces)
    places = st.integers(0, len(text))
    drawn = data.draw(st.lists(st.tuples(places, places).filter(lambda pair: pair[0] < pair[1]), max_size=4))
    record = Highlights(
        prompt=(),
        completion=(assistant(text),),
        spans=tuple(Span(start=start, end=end, label=f"{start}-{end}") for start, end in sorted(drawn)),
    )
    clean, found = redacted_record(record)
    assert isinstance(clean, Highlights)
    assert personal_spans(clean.text) == ()
    assert Highlights.model_validate_json(clean.model_dump_json()) == clean
    if not found:
        assert clean is record
    passed = personal_spans(text)
    for span in clean.spans:
        start, end = map(int, span.label.split("-"))
        if all(end <= one.start or one.end <= start for one in passed) and not personal_spans(
            text[:start] + text[end:]
        ):
            assert clean.text[span.start : span.end] == text[start:end]


def test_a_name_that_is_an_address_becomes_a_pseudonym() -> None:
    records = [
        Prompt(prompt=(user("x"),), annotator=name) for name in ("a@example.org", "a@example.org", "b@example.org")
    ]
    names = [redacted_record(record)[0].annotator or "" for record in records]
    assert names[0] == names[1] != names[2]
    assert all(name.startswith("person-") and not personal_spans(name) and "@" not in name for name in names)
    assert redacted_record(records[0])[1] == {EMAIL: 1}
