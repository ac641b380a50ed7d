"""Whatever a record holds, a trainer's shape gives it back unchanged, or counts what it could not carry."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plaudit.formats import Shape, open_records, write_records
from plaudit.schemas.conversation import Message, Role, assistant, user
from plaudit.schemas.feedback import (
    AnyRecord,
    Comparison,
    Demonstration,
    Highlights,
    Prompt,
    Ranking,
    Rating,
    Span,
    Verdict,
)
from tests.formats.test_round_trips import FIELDS, TEXTS, provenance

TAKEN = {
    *("prompt", "completion", "completions", "chosen", "rejected", "label", "labels", "margin", "ranks", "messages"),
    *("conversations", "system", "kto_tag", "instruction", "input", "output", "history", "context", "data_source"),
    *("info", "summaries", "choice", "worker"),
}
TURNS = st.lists(
    st.builds(
        Message, role=st.sampled_from([Role.USER, Role.ASSISTANT, Role.USER, Role.SYSTEM, Role.TOOL]), content=TEXTS
    ),
    max_size=4,
).map(tuple)
ASKED = st.one_of(TEXTS.map(lambda text: (user(text),)), TURNS, FIELDS[Prompt]["prompt"])
ANSWER = TEXTS.map(lambda text: (assistant(text),))
OF_TEXT: dict[type[AnyRecord], dict[str, st.SearchStrategy[object]]] = {
    Prompt: {"prompt": ASKED.filter(bool)},
    Demonstration: {"prompt": ASKED, "completion": ANSWER | FIELDS[Demonstration]["completion"]},
    Comparison: {
        "prompt": ASKED,
        "a": ANSWER,
        "b": ANSWER,
        "verdict": st.sampled_from([Verdict.A, Verdict.A, Verdict.B]),
    },
    Rating: {"prompt": ASKED, "completion": ANSWER, "score": st.sampled_from([0.0, 1.0])},
    Ranking: FIELDS[Ranking],
    Highlights: {"prompt": ASKED} | {name: FIELDS[Highlights][name] for name in ("completion", "spans")},
}
FITS = {
    "id": "plain",
    "source": "s",
    "prompt": (user("q"),),
    "completion": (assistant("a"),),
    "a": (assistant("a"),),
    "b": (assistant("b"),),
    "verdict": Verdict.A,
    "score": 1,
    "completions": ((assistant("a"),), (assistant("b"),)),
    "ranks": (0, 1),
    "spans": (Span(start=0, end=1, label="step", score=1),),
}
"""What every shape has a place for, so that a file is written whatever the other record holds."""


@pytest.mark.parametrize(
    ("shape", "kind"),
    [
        (Shape.SHAREGPT, Demonstration),
        (Shape.SHAREGPT, Comparison),
        (Shape.SHAREGPT, Rating),
        (Shape.ALPACA, Demonstration),
        (Shape.ALPACA, Comparison),
        (Shape.ALPACA, Rating),
        (Shape.NEMO, Ranking),
        (Shape.VERL, Prompt),
        (Shape.TLDR, Comparison),
        (Shape.TRL, Highlights),
        (Shape.TRL, Rating),
    ],
)
@settings(max_examples=80)
@given(data=st.data())
def test_a_record_comes_back_or_the_loss_is_counted(shape: Shape, kind: type[AnyRecord], data: st.DataObject) -> None:
    record = kind.model_validate(data.draw(st.fixed_dictionaries(OF_TEXT[kind])) | data.draw(provenance(TAKEN)))
    plain = kind.model_validate({name: FITS[name] for name in kind.model_fields.keys() & FITS.keys()})
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "records.jsonl"
        losses = write_records([plain, record], path, shape)
        assert losses or list(open_records(path, shape)) == [plain, record]
