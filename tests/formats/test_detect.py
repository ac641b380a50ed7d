"""Telling the shape of a file from its first rows."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from plaudit.formats import Shape, open_records
from plaudit.formats.detect import COLUMNS, detect_shape
from plaudit.schemas.errors import PlauditError, RowError

Written = Callable[..., Path]
MESSAGES = [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("trl-prompt-completion.jsonl", Shape.TRL),
        ("trl-prompt-completion-standard.jsonl", Shape.TRL),
        ("trl-prompt-only.jsonl", Shape.TRL),
        ("trl-preference.jsonl", Shape.TRL),
        ("trl-preference-implicit.jsonl", Shape.TRL),
        ("trl-preference-implicit-standard.jsonl", Shape.TRL),
        ("trl-unpaired.jsonl", Shape.TRL),
        ("trl-stepwise.jsonl", Shape.TRL),
        ("trl-messages.jsonl", Shape.OPENAI_CHAT),
        ("openai-chat.jsonl", Shape.OPENAI_CHAT),
        ("openai-preference.jsonl", Shape.OPENAI_CHAT),
        ("hh.jsonl", Shape.HH),
        ("hh-list.jsonl", Shape.HH),
        ("oasst.jsonl", Shape.OASST),
        ("oasst-labels.jsonl", Shape.OASST),
        ("label-studio.json", Shape.LABEL_STUDIO),
        ("label-studio-ranker.json", Shape.LABEL_STUDIO),
        ("argilla.json", Shape.ARGILLA),
        ("argilla-flat.jsonl", Shape.ARGILLA),
        ("arena.jsonl", Shape.ARENA),
        ("open-webui.json", Shape.OPEN_WEBUI),
        ("spreadsheet.csv", Shape.SPREADSHEET),
        ("spreadsheet-ranking.csv", Shape.SPREADSHEET),
        ("alpaca.jsonl", Shape.ALPACA),
        ("alpaca-list.jsonl", Shape.ALPACA),
        ("alpaca-preference.jsonl", Shape.ALPACA),
        ("alpaca-kto.jsonl", Shape.ALPACA),
        ("sharegpt.jsonl", Shape.SHAREGPT),
        ("sharegpt-preference.jsonl", Shape.SHAREGPT),
        ("sharegpt-kto.jsonl", Shape.SHAREGPT),
        ("nemo.jsonl", Shape.NEMO),
        ("verl.jsonl", Shape.VERL),
        ("tldr.jsonl", Shape.TLDR),
        ("self-instruct.jsonl", Shape.SELF_INSTRUCT),
        ("qa-feedback.jsonl", Shape.QA_FEEDBACK),
        ("judged.jsonl", Shape.JUDGED),
        ("gsm8k.jsonl", Shape.GSM8K),
        ("truthfulqa.csv", Shape.TRUTHFULQA),
        ("turns.jsonl", Shape.TURNS),
        ("scitldr.jsonl", Shape.SCITLDR),
        ("tatoeba.txt", Shape.TATOEBA),
        ("labelled.pos", Shape.LABELLED),
        ("ranked.jsonl", Shape.RANKED),
        ("dolly.jsonl", Shape.DOLLY),
        ("plain.jsonl", Shape.PLAIN),
        ("plain.txt", Shape.PLAIN),
        ("native.jsonl", Shape.NATIVE),
    ],
)
def test_golden_files(golden: Path, name: str, shape: Shape) -> None:
    assert detect_shape(golden / name) is shape
    assert open_records(golden / name).shape is shape


def test_a_row_of_messages_reads_the_same_as_either_shape_that_has_them(golden: Path) -> None:
    path = golden / "trl-messages.jsonl"
    as_trl, as_chat = open_records(path, shape="trl"), open_records(path, shape="openai-chat")
    assert [r.model_dump(exclude={"id"}) for r in as_chat] != []
    (chat,), (trl,) = as_chat, as_trl
    assert (chat.id, chat.source) == (trl.id, trl.source)
    assert chat == trl


def test_text_beside_the_columns_of_a_shape_is_the_same_row_rendered(written: Written) -> None:
    assert detect_shape(written({"instruction": "i", "output": "o", "text": "i o"})) is Shape.ALPACA


def test_a_tools_marks_count_whatever_its_fields_are_called(written: Written) -> None:
    field = {"instruction": "i", "output": "o", "prompt": "p", "messages": MESSAGES, "text": "t"}
    answered = {"q.responses": ["good"], "q.responses.users": ["u1"], "q.responses.status": ["submitted"]}
    assert detect_shape(written(field | answered)) is Shape.ARGILLA
    assert detect_shape(written(field | {"judgement": "rating", "answer": "a", "score": "1"})) is Shape.SPREADSHEET


def test_a_later_row_may_settle_what_the_first_leaves_open(written: Written) -> None:
    both = {"prompt": "q", "messages": MESSAGES}
    assert detect_shape(written(both, {"prompt": "q"})) is Shape.TRL


def test_a_broken_row_among_the_first_does_not_hide_the_shape(written: Written) -> None:
    assert detect_shape(written("{", {"text": 3}, {"text": "a"})) is Shape.PLAIN


def test_several_shapes_ask_for_one(written: Written) -> None:
    path = written({"prompt": "q", "chosen": MESSAGES, "rejected": MESSAGES, "messages": MESSAGES})
    with pytest.raises(
        PlauditError, match=r"columns prompt, chosen, rejected, messages, which fit .* --shape"
    ) as caught:
        detect_shape(path)
    assert "openai-chat and trl" in str(caught.value)


def test_mixed_rows_ask_for_two_files(written: Written) -> None:
    with pytest.raises(PlauditError, match="mixes rows of the shapes dolly, plain"):
        detect_shape(written({"text": "a"}, {"instruction": "i", "response": "r"}))


def test_unknown_columns_list_the_known_shapes(written: Written) -> None:
    with pytest.raises(PlauditError, match="has the columns question, answer, which fit no known shape") as caught:
        detect_shape(written({"question": "q", "answer": "a"}))
    assert all(f"  {shape}: {text}" in str(caught.value) for shape, text in COLUMNS.items())
    assert set(COLUMNS) == set(Shape)


def test_files_without_a_readable_row(written: Written, tmp_path: Path) -> None:
    with pytest.raises(RowError, match=r"rows.jsonl:1: "):
        detect_shape(written("{"))
    with pytest.raises(PlauditError, match="holds no rows"):
        detect_shape(written())
    with pytest.raises(PlauditError, match="there is no file"):
        detect_shape(tmp_path / "absent")
    with pytest.raises(PlauditError, match="folder without manifest"):
        detect_shape(tmp_path)


def test_only_the_first_rows_are_looked_at(written: Written) -> None:
    path = written(*[json.dumps({"text": "a"})] * 5, "{")
    assert detect_shape(path) is Shape.PLAIN
    with pytest.raises(RowError, match=":6: "):
        open_records(path)
