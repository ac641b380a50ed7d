"""A file's own names for its columns, and text around its prompts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from plaudit.formats import open_records
from plaudit.formats.columns import names_from
from plaudit.schemas.conversation import assistant, user
from plaudit.schemas.errors import PlauditError, RowError
from plaudit.schemas.feedback import Comparison, Demonstration, Document, Prompt

Written = Callable[..., Path]
ROW = {"question": "q", "better": "x", "worse": "y", "n": 1}
NAMES = {"prompt": "question", "chosen": "better", "rejected": "worse"}


def test_columns_are_read_under_other_names(written: Written) -> None:
    path = written(ROW)
    records = open_records(path, columns=NAMES)
    (pair,) = records.of(Comparison)
    assert (pair.prompt, pair.a, pair.b, pair.extra) == ((user("q"),), (assistant("x"),), (assistant("y"),), {"n": 1})
    assert (records.shape, records.columns) == ("trl", NAMES)


def test_a_column_whose_name_is_taken_is_kept(written: Written) -> None:
    row = {"prompt": "old", "question": "new", "completion": "a"}
    (record,) = open_records(written(row), columns={"prompt": "question"}).of(Demonstration)
    assert (record.prompt, record.extra) == ((user("new"),), {"prompt": "old"})
    (record,) = open_records(written(row), columns={"prompt": "completion", "completion": "prompt"}).of(Demonstration)
    assert (record.prompt, record.completion) == ((user("a"),), (assistant("old"),))


def test_ids_do_not_depend_on_the_names(written: Written) -> None:
    path = written({"question": "q", "n": 1})
    (renamed,) = open_records(path, columns={"prompt": "question"})
    (other,) = open_records(path, columns={"text": "question"})
    assert renamed.id == other.id


def test_no_column_stands_in_for_one_that_is_missing(written: Written) -> None:
    path = written({"question": "q", "completion": "a"}, {"prompt": "old", "completion": "a"})
    with pytest.raises(RowError) as caught:
        open_records(path, columns={"prompt": "question"})
    assert (caught.value.line, caught.value.field) == (2, "text")


def test_a_name_that_no_row_has_is_an_error(written: Written) -> None:
    path = written({"prompt": "q", "completion": "a"})
    with pytest.raises(PlauditError, match=r"has no column gap, metric: its columns are prompt, completion"):
        open_records(path, columns={"margin": "gap", "weight": "metric"})


def test_the_template_goes_around_the_last_words_of_the_person(written: Written) -> None:
    turns = [
        {"role": "user", "content": "{} hi"},
        {"role": "assistant", "content": "a"},
        {"role": "user", "content": "q"},
    ]
    first, second = open_records(written({"prompt": turns}, {"prompt": "w"}), input_template="Say: {}\n!").of(Prompt)
    assert first.prompt == (user("{} hi"), assistant("a"), user("Say: q\n!"))
    assert second.prompt == (user("Say: w\n!"),)


@pytest.mark.parametrize("template", ["Say:", "{} and {}", "{prompt}"])
def test_a_template_has_one_place(written: Written, template: str) -> None:
    with pytest.raises(PlauditError, match=r"an input template needs one \{\} where the prompt goes"):
        open_records(written({"prompt": "q"}), input_template=template)


@pytest.mark.parametrize(
    ("row", "got"),
    [
        ({"text": "a"}, "none"),
        ({"prompt": [], "completion": [{"role": "assistant", "content": "a"}]}, "none"),
        ({"prompt": [{"role": "system", "content": "s"}]}, "pictures or a message of the system"),
        (
            {"prompt": [{"role": "user", "content": [{"type": "text", "text": "q"}]}]},
            "pictures or a message of the user",
        ),
    ],
)
def test_a_template_without_a_prompt_to_put_in(written: Written, row: object, got: str) -> None:
    with pytest.raises(RowError) as caught:
        open_records(written(row), input_template="Say: {}")
    assert (caught.value.line, caught.value.field, caught.value.got) == (1, "prompt", got)
    assert caught.value.expected == "a last message of the user, in text, for the input template"


def test_files_without_columns(tmp_path: Path) -> None:
    (tmp_path / "page.txt").write_text("Boats.")
    assert open_records(tmp_path / "page.txt").of(Document)
    with pytest.raises(PlauditError, match="has no columns to name"):
        open_records(tmp_path / "page.txt", columns={"text": "page"})


def test_names_in_words() -> None:
    assert names_from("prompt=question, chosen = better,") == {"prompt": "question", "chosen": "better"}
    assert names_from("") == {}
    for text, got in [("prompt", "'prompt'"), ("=q", "'=q'"), ("prompt=", "'prompt='"), ("a=b,a=c", "'a' twice")]:
        with pytest.raises(PlauditError, match=f"prompt=question,chosen=better: got {got}"):
            names_from(text)
