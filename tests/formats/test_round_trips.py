"""Whatever a record holds, plaudit's own files and the ranked shape give it back unchanged."""

from __future__ import annotations

import tempfile
from collections.abc import Collection
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import JsonValue

from plaudit.formats import native, open_records, ranked
from plaudit.schemas.conversation import ImagePart, Message, Messages, Role, TextPart
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

TEXTS = st.text(max_size=12)
NAMES = st.text(min_size=1, max_size=8)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
JSON: st.SearchStrategy[JsonValue] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | FLOATS | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=5,
)
PARTS = st.builds(TextPart, text=TEXTS) | st.builds(ImagePart, url=TEXTS)
CONTENTS = TEXTS | st.lists(PARTS, max_size=3).map(tuple)


def messages_of(*roles: Role) -> st.SearchStrategy[Message]:
    return st.builds(Message, role=st.sampled_from(roles), content=CONTENTS)


def prompts() -> st.SearchStrategy[Messages]:
    return st.lists(messages_of(*Role), max_size=3).map(tuple)


@st.composite
def answers(draw: st.DrawFn) -> Messages:
    """An answer: it begins and ends with the assistant's words."""
    first = draw(messages_of(Role.ASSISTANT))
    if draw(st.booleans()):
        return (first,)
    return (first, *draw(prompts()), draw(messages_of(Role.ASSISTANT)))


@st.composite
def provenance(draw: st.DrawFn, taken: Collection[str] = ()) -> dict[str, object]:
    """Id, source, weight, annotator and extra columns that are none of the `taken` ones."""
    reserved = {"id", "source", "weight", "annotator", *taken}
    names = NAMES.filter(lambda name: name not in reserved)
    return {
        "id": draw(NAMES),
        "source": draw(NAMES),
        "weight": draw(st.floats(0, 1e6)),
        "annotator": draw(st.none() | NAMES),
        "extra": draw(st.dictionaries(names, JSON, max_size=3)),
    }


@st.composite
def rankings(draw: st.DrawFn) -> Ranking:
    completions = draw(st.lists(answers(), min_size=2, max_size=5))
    num = len(completions)
    ranks = draw(st.lists(st.none() | st.integers(0, 9), min_size=num, max_size=num))
    flags = st.just([]) | st.lists(st.booleans(), min_size=num, max_size=num)
    return Ranking.model_validate(
        draw(provenance({"prompt", "completions", "ranks", "unacceptable", "truncated", "kind"}))
        | {
            "prompt": draw(prompts()),
            "completions": completions,
            "ranks": ranks,
            "unacceptable": draw(flags),
            "truncated": draw(flags),
        }
    )


@settings(max_examples=60)
@given(st.lists(rankings(), min_size=1, max_size=4))
def test_any_ranking_survives_the_ranked_shape(records: list[Ranking]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rankings.jsonl"
        assert not ranked.write(records, path)
        assert list(ranked.read(path)) == records


NUM = 3
SPANS = st.builds(
    lambda start, length, label, score: Span(start=start, end=start + length, label=label, score=score),
    st.integers(0, 4),
    st.integers(1, 5),
    NAMES,
    st.none() | FLOATS,
)
FIELDS: dict[type[AnyRecord], dict[str, st.SearchStrategy[object]]] = {
    Document: {"text": st.text(min_size=1, max_size=12)},
    Prompt: {"prompt": prompts().filter(bool)},
    Demonstration: {"prompt": prompts(), "completion": answers()},
    Comparison: {
        "prompt": prompts(),
        "a": answers(),
        "b": answers(),
        "verdict": st.sampled_from(Verdict),
        "strength": st.none() | st.integers(1, 3),
        "margin": st.none() | FLOATS,
        "reason": TEXTS,
    },
    Ranking: {
        "prompt": prompts(),
        "completions": st.lists(answers(), min_size=NUM, max_size=NUM),
        "ranks": st.lists(st.none() | st.integers(0, 5), min_size=NUM, max_size=NUM),
        "unacceptable": st.just([]) | st.lists(st.booleans(), min_size=NUM, max_size=NUM),
        "truncated": st.just([]) | st.lists(st.booleans(), min_size=NUM, max_size=NUM),
    },
    Rating: {
        "prompt": prompts(),
        "completion": answers(),
        "score": st.floats(-2, 2),
        "minimum": st.floats(-9, -2),
        "maximum": st.floats(2, 9),
    },
    Correction: {"prompt": prompts(), "completion": answers(), "corrected": answers()},
    Highlights: {
        "prompt": prompts(),
        "completion": st.text(min_size=9, max_size=12).map(lambda text: [Message(role=Role.ASSISTANT, content=text)]),
        "spans": st.lists(SPANS, max_size=3).map(lambda spans: sorted(spans, key=lambda span: (span.start, span.end))),
    },
}


@pytest.mark.parametrize("kind", FIELDS, ids=lambda kind: kind.__name__)
@settings(max_examples=40)
@given(data=st.data())
def test_any_record_survives_its_own_file(kind: type[AnyRecord], data: st.DataObject) -> None:
    record = st.fixed_dictionaries(FIELDS[kind])
    records = [
        kind.model_validate(data.draw(record) | data.draw(provenance())) for _ in range(data.draw(st.integers(1, 3)))
    ]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "records.jsonl"
        assert not native.write(records, path)
        assert list(native.read(path)) == records
        assert open_records(path).shape == "native"
