"""TRL's types, in and out."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import JsonValue

from plaudit.formats import extract_prompt, is_conversational, open_records, trl
from plaudit.formats.outgoing import Losses
from plaudit.schemas.conversation import ImagePart, Message, Role, TextPart, assistant, user
from plaudit.schemas.errors import PlauditError, RowError
from plaudit.schemas.feedback import (
    AnyRecord,
    Comparison,
    Correction,
    Demonstration,
    Document,
    Prompt,
    Ranking,
    Rating,
    Verdict,
)

Written = Callable[..., Path]


def rows_of(path: Path) -> list[dict[str, JsonValue]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_prompt_completion(golden: Path) -> None:
    first, second = trl.read(golden / "trl-prompt-completion.jsonl")
    assert isinstance(first, Demonstration)
    assert isinstance(second, Demonstration)
    assert first.prompt == (
        Message(role=Role.SYSTEM, content="Answer in one sentence."),
        user("Why is the sea salty?"),
    )
    assert first.completion == (assistant("Rivers carry salts from rocks into it, and only the water leaves again."),)
    assert (first.source, first.extra) == ("trl-prompt-completion.jsonl", {"topic": "nature", "tools": []})
    assert second.completion == (assistant("Teal."), user("Another."), assistant("Ochre."))
    assert (second.id, second.weight, second.annotator, second.source) == ("sea-2", 0.5, "p7", "kitchen table")
    assert second.extra == {"prompt[0].name": "Ada"}


def test_prompt_completion_standard(golden: Path) -> None:
    first, second = trl.read(golden / "trl-prompt-completion-standard.jsonl")
    assert isinstance(first, Demonstration)
    assert isinstance(second, Demonstration)
    assert (first.prompt, first.completion) == ((user("The lamp is"),), (assistant(" on."),))
    assert (second.prompt, second.completion) == ((), (assistant("Once upon a time"),))


def test_messages_are_parted_at_the_first_answer(golden: Path) -> None:
    (record,) = open_records(golden / "trl-messages.jsonl", shape="trl")
    assert isinstance(record, Demonstration)
    assert record.prompt == (user("Hi"),)
    assert record.completion == (assistant("Hello!"), user("Bye"), assistant("See you."))


def test_text(golden: Path) -> None:
    (record,) = open_records(golden / "plain.jsonl", shape="trl")
    assert isinstance(record, Document)
    assert record.text == "A page about boats.\nSecond line."


def test_prompt_only(golden: Path) -> None:
    first, second = trl.read(golden / "trl-prompt-only.jsonl")
    assert isinstance(first, Prompt)
    assert isinstance(second, Prompt)
    assert first.prompt == (user("Write a haiku about rain."),)
    picture = (TextPart(text="What is this?"), ImagePart(url="https://example.org/cat.png"))
    assert second.prompt == (
        Message(role=Role.SYSTEM, content="Be brief."),
        Message(role=Role.USER, content=picture),
    )


def test_preference(golden: Path) -> None:
    first, second = trl.read(golden / "trl-preference.jsonl")
    assert isinstance(first, Comparison)
    assert isinstance(second, Comparison)
    assert first.prompt == (user("Is glass a liquid?"),)
    assert (first.a, first.b) == ((assistant("No, it is an amorphous solid."),), (assistant("Yes."),))
    assert (first.verdict, first.margin, second.margin) == (Verdict.A, 1.5, None)


def test_preference_with_implicit_prompt(golden: Path) -> None:
    (record,) = trl.read(golden / "trl-preference-implicit.jsonl")
    assert isinstance(record, Comparison)
    assert record.prompt == (user("Is glass a liquid?"),)
    assert (record.a, record.b) == ((assistant("No."),), (assistant("Yes."),))


def test_preference_with_implicit_prompt_standard(golden: Path) -> None:
    (record,) = trl.read(golden / "trl-preference-implicit-standard.jsonl")
    assert isinstance(record, Comparison)
    assert record.prompt == (user("The kettle is"),)
    assert (record.a, record.b) == ((assistant(" black."),), (assistant(" blue."),))


def test_unpaired(golden: Path) -> None:
    first, second = trl.read(golden / "trl-unpaired.jsonl")
    assert isinstance(first, Rating)
    assert isinstance(second, Rating)
    assert (first.score, second.score) == (0.0, 1.0)
    assert (first.minimum, first.maximum) == (0.0, 1.0)
    assert second.completion == (assistant("I would, but the timing"),)


@pytest.mark.parametrize("name", ["prompt-completion", "prompt-only", "preference", "unpaired"])
def test_what_was_read_is_written_back(golden: Path, tmp_path: Path, name: str) -> None:
    source = golden / f"trl-{name}.jsonl"
    records = list(trl.read(source))
    out = tmp_path / source.name
    assert not trl.write(records, out)
    assert list(trl.read(out)) == records
    added = {"id", "source"}
    assert [{key: value for key, value in row.items() if key not in added} for row in rows_of(out)] == [
        {key: value for key, value in row.items() if key not in added} for row in rows_of(source)
    ]


def test_the_standard_form_is_written_back(golden: Path, tmp_path: Path) -> None:
    source = golden / "trl-prompt-completion-standard.jsonl"
    records = list(trl.read(source))
    out = tmp_path / source.name
    assert not trl.write(records, out, form="standard")
    assert list(trl.read(out)) == records
    assert [(row["prompt"], row["completion"]) for row in rows_of(out)] == [
        ("The lamp is", " on."),
        ("", "Once upon a time"),
    ]


def test_the_standard_form_leaves_out_longer_conversations(golden: Path, tmp_path: Path) -> None:
    records = [*trl.read(golden / "trl-prompt-completion.jsonl")]
    records.append(Demonstration(id="x", source="s", prompt=(user("Hi"),), completion=(assistant("Hey"),)))
    losses = trl.write(records, tmp_path / "out.jsonl", form="standard")
    assert losses.records == {
        "2 messages where the shape holds one text": 1,
        "3 messages where the shape holds one text": 1,
    }
    assert [row["id"] for row in rows_of(tmp_path / "out.jsonl")] == ["x"]


def comparison(verdict: Verdict, **further: object) -> Comparison:
    content = {"prompt": (user("p"),), "a": (assistant("x"),), "b": (assistant("y"),), "verdict": verdict}
    return Comparison.model_validate({"id": f"c-{verdict.value}", "source": "s", **content, **further})


def test_verdicts_that_chosen_and_rejected_cannot_say_are_reported(tmp_path: Path) -> None:
    records = [comparison(verdict) for verdict in Verdict]
    records.append(comparison(Verdict.A, id="full", strength=3, reason="clearer"))
    losses = trl.write(records, tmp_path / "out.jsonl")
    assert losses.fields == {
        "verdict (b was chosen: which side an answer stood on)": 1,
        "strength": 1,
        "reason": 1,
    }
    assert losses.records == {
        "verdict tie where the shape holds chosen and rejected": 1,
        "verdict both_bad where the shape holds chosen and rejected": 1,
        "verdict incomparable where the shape holds chosen and rejected": 1,
    }
    written = {str(row["id"]): row for row in rows_of(tmp_path / "out.jsonl")}
    assert list(written) == ["c-a", "c-b", "full"]
    assert written["c-b"]["chosen"] == [{"role": "assistant", "content": "y"}]
    assert written["c-b"]["rejected"] == [{"role": "assistant", "content": "x"}]


def test_a_ranking_becomes_its_strict_pairs(tmp_path: Path) -> None:
    answers = tuple((assistant(text),) for text in "wxyz")
    ranking = Ranking(
        id="r",
        source="s",
        weight=3.0,
        prompt=(user("p"),),
        completions=answers,
        ranks=(1, 0, 1, None),
        unacceptable=(False,) * 4,
        truncated=(False, True, False, False),
    )
    losses = trl.write([ranking], tmp_path / "out.jsonl")
    assert losses.fields == {"ranks (ties)": 1, "ranks (answers not ranked)": 1, "truncated": 1}
    rows = rows_of(tmp_path / "out.jsonl")
    texts = [(row["chosen"][0]["content"], row["rejected"][0]["content"]) for row in rows]  # type: ignore[index,call-overload]
    assert texts == [("x", "w"), ("x", "y")]
    # Three ranked answers make three pairs, of which one is the tie: each weighs a third of the row's 3.
    assert [row.get("weight", 1.0) for row in rows] == [1.0, 1.0]
    assert [row["group_id"] for row in rows] == ["r", "r"]
    assert [row["id"] for row in rows] == ["r:1>0", "r:1>2"]


def test_pair_weights_of_a_ranking_sum_to_its_own(tmp_path: Path) -> None:
    answers = tuple((assistant(text),) for text in "wxyz")
    ranking = Ranking(id="r", prompt=(user("p"),), completions=answers, ranks=(3, 2, 1, 0))
    trl.write([ranking], tmp_path / "out.jsonl")
    weights = [record.weight for record in trl.read(tmp_path / "out.jsonl")]
    assert len(weights) == 6
    assert sum(weights) == pytest.approx(1.0, abs=1e-12)


def test_a_ranking_of_ties_alone_leaves_nothing_to_write(tmp_path: Path) -> None:
    ranking = Ranking(prompt=(), completions=((assistant("x"),), (assistant("y"),)), ranks=(0, 0))
    with pytest.raises(PlauditError, match=r"was not written.*\n.*without two answers of different rank"):
        trl.write([ranking], tmp_path / "out.jsonl")
    assert not (tmp_path / "out.jsonl").exists()


@pytest.mark.parametrize(("score", "label"), [(4.0, True), (3.0, False), (1.0, False)])
def test_a_rating_on_another_scale_keeps_its_side_of_the_middle(tmp_path: Path, score: float, label: bool) -> None:
    rating = Rating(prompt=(user("p"),), completion=(assistant("x"),), score=score, minimum=1, maximum=5)
    losses = trl.write([rating], tmp_path / "out.jsonl")
    assert losses.fields == {"score (kept: above the middle of its range or not)": 1}
    assert rows_of(tmp_path / "out.jsonl")[0]["label"] is label


def test_kinds_without_a_type_and_mixed_kinds_are_refused(tmp_path: Path) -> None:
    correction = Correction(prompt=(user("p"),), completion=(assistant("x"),), corrected=(assistant("y"),))
    with pytest.raises(PlauditError, match="cannot carry a Correction"):
        trl.write([correction], tmp_path / "out.jsonl")
    mixed: list[AnyRecord] = [Document(text="a"), Prompt(prompt=(user("p"),)), Document(text="b")]
    with pytest.raises(PlauditError, match="one kind of record, got 2 Document, 1 Prompt"):
        trl.write(mixed, tmp_path / "out.jsonl")
    assert not (tmp_path / "out.jsonl").exists()


def test_an_extra_whose_name_a_column_takes_is_reported(tmp_path: Path) -> None:
    record = Document(id="d", source="s", text="a", extra={"text": 1, "url": "u"})
    losses = trl.write([record], tmp_path / "out.jsonl")
    assert losses == Losses(fields={"extra.text": 1})  # type: ignore[arg-type]
    assert rows_of(tmp_path / "out.jsonl") == [{"text": "a", "id": "d", "source": "s", "url": "u"}]


USER, ANSWER = {"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}


@pytest.mark.parametrize(
    ("row", "field", "expected"),
    [
        ({"prompt": "q", "chosen": [USER, ANSWER], "rejected": [ANSWER]}, "prompt", "all text or all messages"),
        ({"prompt": "q", "completion": [ANSWER]}, "prompt", "all text or all messages"),
        ({"prompt": [USER], "chosen": [USER, ANSWER], "rejected": [ANSWER]}, "chosen", "the answer alone"),
        ({"prompt": [USER], "completion": [USER, ANSWER]}, "completion", "the answer alone"),
        ({"prompt": [USER], "chosen": [ANSWER]}, "rejected", "the worse answer"),
        ({"chosen": "q a", "rejected": [USER, ANSWER]}, "chosen", "a list of messages"),
        ({"chosen": "same", "rejected": "same"}, "rejected", "a text that differs from chosen"),
        ({"chosen": [USER, ANSWER], "rejected": [ANSWER]}, "rejected", "two dialogues that part"),
        ({"chosen": [], "rejected": [USER, ANSWER]}, "rejected", "two dialogues that part"),
        ({"prompt": "q", "completion": "a", "label": 1}, "label", "true or false"),
        ({"prompt": "q", "chosen": "a", "rejected": "b", "margin": "1"}, "margin", "a number"),
        ({"prompt": ""}, "prompt", "Tuple should have at least 1 item"),
        ({"prompt": [USER], "completion": []}, "(row)", "completion must end with an assistant message"),
        ({"messages": [USER]}, "messages", "a conversation that ends with an assistant message"),
        ({"messages": []}, "messages", "a conversation that ends with an assistant message"),
        ({"question": "q"}, "text", "text"),
    ],
)
def test_malformed_rows(written: Written, row: object, field: str, expected: str) -> None:
    with pytest.raises(RowError) as caught:
        open_records(written({"prompt": "fine"}, row), shape="trl")
    assert (caught.value.line, caught.value.field) == (2, field)
    assert caught.value.expected.startswith(expected)


def test_the_most_specific_type_wins_and_the_rest_is_kept(written: Written) -> None:
    row = {"prompt": "q", "chosen": "a", "rejected": "b", "completion": "c", "text": "q a", "label": None}
    (record,) = open_records(written(row), shape="trl")
    assert isinstance(record, Comparison)
    assert record.extra == {"completion": "c", "text": "q a", "label": None}


@pytest.mark.parametrize(
    ("example", "expected"),
    [
        ({"prompt": [USER]}, True),
        ({"prompt": "q"}, False),
        ({"messages": [USER, ANSWER]}, True),
        ({"chosen": [ANSWER], "rejected": [ANSWER]}, True),
        ({"prompt": []}, False),
        ({"prompt": ["q"]}, False),
        ({"text": [USER]}, False),
        ({}, False),
    ],
)
def test_is_conversational(example: dict[str, JsonValue], expected: bool) -> None:
    assert is_conversational(example) is expected


@pytest.mark.parametrize(
    ("chosen", "rejected", "prompt"),
    [
        ("The sky is blue.", "The sky is green.", "The sky is"),
        ("The sky is blue.", "The sky is black.", "The sky is"),
        ("Yes", "No", ""),
        ("The sky is", "The sky is blue", "The sky"),
        ("Q?\nA: one", "Q?\nA: two", "Q?\nA:"),
        ("天是蓝的", "天是绿的", "天是"),
        ("a  b", "a  c", "a "),
    ],
)
def test_extract_prompt_from_text(chosen: str, rejected: str, prompt: str) -> None:
    parts = extract_prompt({"chosen": chosen, "rejected": rejected})
    assert parts["prompt"] == prompt
    assert f"{parts['prompt']}{parts['chosen']}" == chosen
    assert f"{parts['prompt']}{parts['rejected']}" == rejected


def test_extract_prompt_from_messages_leaves_each_side_its_last() -> None:
    other = {"role": "assistant", "content": "b"}
    assert extract_prompt({"chosen": [USER, ANSWER], "rejected": [USER, other]}) == {
        "prompt": [USER],
        "chosen": [ANSWER],
        "rejected": [other],
    }
    assert extract_prompt({"chosen": [USER, ANSWER], "rejected": [USER, ANSWER]})["chosen"] == [ANSWER]
    with pytest.raises(ValueError, match="both text or both messages"):
        extract_prompt({"chosen": "a", "rejected": [ANSWER]})
