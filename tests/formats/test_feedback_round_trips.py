"""Whatever a record holds, a feedback tool's shape gives it back unchanged, or counts what it could not carry."""

from __future__ import annotations

import tempfile
from collections.abc import Collection
from pathlib import Path
from typing import Any

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from plaudit.formats import Shape, open_records, write_records
from plaudit.schemas.conversation import assistant, user
from plaudit.schemas.feedback import AnyRecord, Comparison, Correction, Demonstration, Ranking, Rating, Verdict
from tests.formats.test_nothing_is_lost_silently import FITS, TAKEN, TURNS
from tests.formats.test_round_trips import FIELDS, TEXTS, answers, provenance

ASKED = st.one_of(TEXTS.map(lambda text: (user(text),)), TURNS, FIELDS[Ranking]["prompt"])
ANSWER = TEXTS.map(lambda text: (assistant(text),)) | answers()
PLAIN = TEXTS.map(lambda text: (assistant(text),))
TEXT_ONLY: dict[str, st.SearchStrategy[object]] = {
    "prompt": TEXTS.map(lambda text: (user(text),)),
    "completions": st.lists(PLAIN, min_size=3, max_size=3),
    **dict.fromkeys(("a", "b", "completion", "corrected"), PLAIN),
}
SCALES = st.sampled_from([(0.0, 1.0), (1.0, 5.0), (-1.0, 0.0)])
OF_TOOLS: dict[type[AnyRecord], dict[str, st.SearchStrategy[object]]] = {
    Comparison: {"prompt": ASKED, "a": ANSWER, "b": ANSWER, "verdict": st.sampled_from(Verdict)},
    Ranking: {
        "prompt": ASKED,
        "completions": st.lists(PLAIN | ANSWER, min_size=3, max_size=3),
        "ranks": st.lists(st.none() | st.integers(0, 3), min_size=3, max_size=3),
    },
    Rating: {"prompt": ASKED, "completion": ANSWER},
    Correction: {"prompt": ASKED, "completion": ANSWER, "corrected": ANSWER},
    Demonstration: {"prompt": ASKED, "completion": ANSWER},
}
FURTHER = {
    Comparison: {name: FIELDS[Comparison][name] for name in ("strength", "margin", "reason")},
    Ranking: {name: FIELDS[Ranking][name] for name in ("unacceptable", "truncated")},
}
"""What the table for spreadsheets carries and the tools do not."""
NOTES: dict[str, st.SearchStrategy[object]] = {
    "lead_time": st.floats(0, 100),
    "lead_time_ms": st.integers(200_000, 300_000),
    "display_order": st.just([1, 0, 2]),
    "was_cancelled": st.booleans(),
    "ground_truth": st.booleans(),
    "winner": st.sampled_from(["model_a", "both_bad", 3]),
    "task.id": st.integers(0, 9),
    "task.source": TEXTS,
    "data.prompt": TEXTS,
    "data.shelf": TEXTS,
    "result.value": st.just({"selected": "left", "sure": True}),
    "result.to_name": st.sampled_from(["x,y", ["x", "y"], "x", None]),
    "ranker.items": st.sampled_from([[{"id": i, "title": "t", "body": None} for i in range(3)], [{}] * 3, 3]),
    "ranker.list": st.sampled_from(["items", "prompt", 4]),
    "further_results": st.sampled_from([[{"type": "textarea"}], [{"type": "ranker"}], 3]),
    "fields.prompt": TEXTS,
    "fields.aside": TEXTS,
    "metadata": st.sampled_from([{"shelf": 1}, 3]),
    "responses.comment": TEXTS,
    "argilla.status": st.none(),
    "message_tree_id": TEXTS,
    "label": st.sampled_from(["humor", "toxicity", "wit"]),
    "label.count": st.integers(0, 9),
    "rank": st.sampled_from([0, None, "best"]),
    "replies": st.sampled_from([[{}, {"lang": "en"}, {}], 3]),
    "prompt[0].name": TEXTS,
    "'=1": TEXTS,
}
"""What the tools' readers leave in `extra`, and what looks like it."""


def kept(record: AnyRecord) -> dict[str, Any]:
    return record.model_dump(mode="json")


def unlike(before: dict[str, Any], after: dict[str, Any], lost: Collection[str]) -> list[str]:
    """The fields and the entries of `extra` that differ, though nobody said so."""
    named = " ".join(lost)
    fields = [name for name in before if name != "extra" and before[name] != after[name] and name not in named]
    entries = [
        name
        for name, value in before["extra"].items()
        if (name, value) not in after["extra"].items() and f"extra.{name}" not in named
    ]
    return fields + entries


@pytest.mark.parametrize(
    ("shape", "kind"),
    [
        (Shape.LABEL_STUDIO, Comparison),
        (Shape.LABEL_STUDIO, Ranking),
        (Shape.ARGILLA, Ranking),
        (Shape.ARGILLA, Rating),
        (Shape.ARENA, Comparison),
        (Shape.OASST, Ranking),
        (Shape.OASST, Demonstration),
        (Shape.OASST_LABELS, Rating),
        *((Shape.SPREADSHEET, kind) for kind in OF_TOOLS),
    ],
)
@settings(max_examples=60)
@given(data=st.data())
def test_a_record_comes_back_or_the_loss_is_counted(shape: Shape, kind: type[AnyRecord], data: st.DataObject) -> None:
    of_text = TEXT_ONLY.items() if data.draw(st.booleans()) else ()
    said = OF_TOOLS[kind] | {name: text for name, text in of_text if name in OF_TOOLS[kind]}
    said |= FURTHER.get(kind, {}) if data.draw(st.booleans()) else {}
    fields = data.draw(st.fixed_dictionaries(said)) | data.draw(provenance(TAKEN))
    if kind is Rating:
        low, high = data.draw(SCALES)
        whole = st.integers(int(low), int(high)).map(float)
        fields |= {"minimum": low, "maximum": high, "score": data.draw(whole | st.floats(low, high))}
    names = data.draw(st.lists(st.sampled_from(sorted(NOTES)), max_size=2, unique=True))
    record = kind.model_validate(fields | {"extra": {name: data.draw(NOTES[name]) for name in names}})
    fits = FITS | {"corrected": (assistant("c"),)}
    plain = kind.model_validate({name: fits[name] for name in kind.model_fields.keys() & fits.keys()})
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / ("records.csv" if shape is Shape.SPREADSHEET else "records.jsonl")
        losses = write_records([plain, record], path, shape)
        event("lost something" if losses else "lost nothing")
        again = open_records(path, shape).of(kind)
        assert losses or [kept(one) for one in again] == [kept(plain), kept(record)]
        if not losses.records:
            assert unlike(kept(record), kept(again[-1]), losses.fields) == []
