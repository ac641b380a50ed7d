"""Published sets as they are: what each row becomes, and what is wrong with a broken one."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from plaudit.formats import Shape, open_records, write_records
from plaudit.schemas.conversation import assistant, user
from plaudit.schemas.errors import PlauditError, RowError
from plaudit.schemas.feedback import (
    Comparison,
    Correction,
    Demonstration,
    Document,
    Highlights,
    Prompt,
    Ranking,
    Span,
    Verdict,
)

Written = Callable[..., Path]


def test_every_instance_of_a_task_is_a_demonstration(golden: Path) -> None:
    first, second, third = open_records(golden / "self-instruct.jsonl").of(Demonstration)
    assert (first.prompt, first.completion) == ((user("Find a rhyme.\nboat"),), (assistant("float"),))
    assert (first.id, second.id, first.weight, second.weight) == ("seed-1:0", "seed-1:1", 0.5, 0.5)
    assert first.extra == {"name": "rhyme", "is_classification": False, "by": "p1", "input": "boat"}
    assert (second.prompt, second.extra) == ((user("Find a rhyme."),), {"name": "rhyme", "is_classification": False})
    assert (third.id, third.weight, third.extra) == ("user-1", 1.0, {"motivation_app": "Harbour"})


def test_preferences_that_make_an_order_are_a_ranking(golden: Path) -> None:
    records = open_records(golden / "qa-feedback.jsonl")
    (ranking,) = records.of(Ranking)
    mill = "The mill\n\nThe mill was built in 1842. It burned in 1900."
    asked = f"When was the mill built?\n\n{mill}\n\nThe weir\n\nIt is older."
    assert ranking.prompt == (user(asked),)
    assert ranking.completions[1] == (assistant("In 1842."),)
    # 1 loses to 2, ties with 3, loses to 4; 2 beats 3 and ties with 4; 3 loses to 4.
    assert (ranking.ranks, ranking.weight) == ((1, 0, 1, 0), 1.0)
    assert ranking.extra.keys() == {"passages", "gold"}
    assert ranking.extra["gold"] == "In 1842."


def test_preferences_in_a_circle_stay_comparisons(golden: Path) -> None:
    pairs = open_records(golden / "qa-feedback.jsonl").of(Comparison)
    assert [pair.verdict for pair in pairs] == [Verdict(word) for word in ("a", "b", "tie", "a", "tie", "tie")]
    assert [(pair.a[0].text, pair.b[0].text) for pair in pairs[:2]] == [("Old.", "Older."), ("Old.", "New.")]
    assert sum(pair.weight for pair in pairs) == pytest.approx(1.0)
    assert [pair.id.partition(":")[2] for pair in pairs] == ["1-2", "1-3", "1-4", "2-3", "2-4", "3-4"]


def test_errors_are_spans_and_the_correction_is_one(golden: Path) -> None:
    records = open_records(golden / "qa-feedback.jsonl")
    marked, unmarked = records.of(Highlights)
    assert marked.spans == (Span(start=0, end=17, label="Irrelevant"), Span(start=19, end=27, label="Incoherent"))
    assert [marked.text[span.start : span.end] for span in marked.spans] == ["It burned in 1900", "in 1842."]
    assert marked.extra["spans[1].explanation"] == "twice"
    assert (marked.extra["missing-info"], unmarked.spans) == ([{"passage_id": 0}], ())
    (correction,) = records.of(Correction)
    assert (correction.completion, correction.corrected) == (marked.completion, (assistant("It was built in 1842."),))
    assert records.dropped == {"correction without text": 1}
    assert len({record.id for record in records}) == len(records) == 10


def test_a_judges_prompt_is_taken_off(golden: Path) -> None:
    first, second = open_records(golden / "judged.jsonl").of(Comparison)
    assert first.prompt == (user("May I feed the gulls?"),)
    assert (first.a, first.b) == ((assistant("Better not.\n\nThey get used to it."),), (assistant("Sure!"),))
    assert (first.verdict, first.source) == (Verdict.A, "kind")
    assert first.extra == {"task_description": "Judge the answer.\nBe fair.", "rubric": "[Is it kind?]\nScore 1: no."}
    assert second.prompt == (user("Hi"), assistant("Hello."), user(" May I feed the gulls?"))


def test_results_that_a_rule_can_check(golden: Path) -> None:
    first, second = open_records(golden / "gsm8k.jsonl").of(Demonstration)
    assert first.completion == (assistant("It has 3 - 1 = <<3-1=2>>2 sails left.\n#### 2"),)
    assert (first.extra, second.extra) == ({"ground_truth": "2"}, {"ground_truth": "2,000"})


def test_true_and_false_answers(golden: Path) -> None:
    (record,) = open_records(golden / "truthfulqa.csv").of(Ranking)
    assert record.prompt == (user("Do gulls drink salt water?"),)
    assert [completion[0].text for completion in record.completions] == [
        "Yes, they can",
        "They can drink it",
        "No",
        "They would die",
        "Gulls drink only milk",
    ]
    assert record.ranks == (0, 1, 2, 2, 2)
    assert record.unacceptable == (False, False, True, True, True)
    assert record.extra == {"Type": "Adversarial", "Category": "Sea", "Source": "https://example.org/gulls"}


def test_the_first_turn_is_the_prompt(golden: Path) -> None:
    first, second = open_records(golden / "turns.jsonl").of(Prompt)
    assert first.prompt == (user("Describe a harbour."),)
    assert first.extra == {
        "question_id": 1,
        "category": "writing",
        "reference": ["", "Boats."],
        "turns[1]": "Now in one line.",
    }
    assert second.extra == {"question_id": 2, "category": "math"}


def test_a_summary_is_a_demonstration(golden: Path) -> None:
    first, second, third = open_records(golden / "scitldr.jsonl").of(Demonstration)
    assert first.prompt == second.prompt == (user("We count boats. Counting twice helps."),)
    assert [record.completion[0].text for record in (first, second, third)] == [
        "Counting twice helps.",
        "Boats can be counted.",
        "Gulls are counted.",
    ]
    assert [record.weight for record in (first, second, third)] == [0.5, 0.5, 1.0]
    assert first.extra == {"source_labels": [0, 1], "title": "Boats", "paper_id": "b1"}
    assert len({first.id, second.id, third.id}) == 3


def test_translations_keep_their_attribution(golden: Path) -> None:
    records = open_records(golden / "tatoeba.txt", input_template="Translate into Chinese: {}")
    first, second = records.of(Demonstration)
    assert (records.shape, first.completion) == (Shape.TATOEBA, (assistant("好风。"),))
    assert second.prompt == (user("Translate into Chinese: The boat is late."),)
    attribution = "CC-BY 2.0 (France) Attribution: tatoeba.org #3 (A) & #4 (B)"
    assert second.extra == {"attribution": attribution}


def test_lines_with_a_label(golden: Path) -> None:
    first, second = open_records(golden / "labelled.pos").of(Document)
    assert (first.text, first.extra) == ("a café of a film , warm and slow . ", {"label": "pos"})
    assert second.text == "it floats \x96 somehow . "


def test_folders_of_an_archive_are_labels(tmp_path: Path) -> None:
    path = tmp_path / "reviews.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.mkdir("reviews")
        for name, text in [("README", "r"), ("reviews/neg/1.txt", "dull\n"), ("reviews/pos/2.txt", "féin")]:
            archive.writestr(name, text)
    records = open_records(path)
    assert [(record.text, record.extra) for record in records.of(Document)] == [
        ("dull\n", {"label": "neg", "file": "reviews/neg/1.txt"}),
        ("féin", {"label": "pos", "file": "reviews/pos/2.txt"}),
    ]
    assert records.dropped == {"file of the archive that is no .txt in a folder": 1}
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(PlauditError, match="damaged or locked zip archive"):
        open_records(path)
    for name in ("absent.zip", "absent.pos"):
        with pytest.raises(PlauditError, match=f"there is no file .*{name}"):
            open_records(tmp_path / name)
    with pytest.raises(PlauditError, match="has no columns to name"):
        open_records(path, columns={"text": "label"})


@pytest.mark.parametrize(
    "name", ["self-instruct.jsonl", "qa-feedback.jsonl", "judged.jsonl", "truthfulqa.csv", "turns.jsonl"]
)
def test_they_are_only_read_but_kept_whole_as_records(golden: Path, tmp_path: Path, name: str) -> None:
    records = open_records(golden / name)
    with pytest.raises(PlauditError, match=f"{records.shape} is only read: choose ranked for rankings"):
        write_records(records, tmp_path / "out.jsonl", records.shape)
    for kind in {type(record) for record in records}:
        assert not write_records(records.of(kind), tmp_path / "out.jsonl", "native")
        assert list(open_records(tmp_path / "out.jsonl")) == records.of(kind)


TASK = {"instruction": "i", "instances": [{"input": "", "output": "o"}]}
QA = {
    "question": "q",
    "passages": [["t", "s"]],
    "preference": [0] * 6,
    "feedback": {"errors": [], "corrected-prediction": "c"},
} | {f"prediction {number}": "long answer" for number in range(1, 5)}
ERROR = {"error type": "Wrong", "start": 0, "end": 4}
WRAPPED = (
    "###Task Description:\nt\n\n###The instruction to evaluate:\nq\n\n###Response to evaluate:\na\n\n"
    "###Score Rubrics:\nr\n\n###Feedback: "
)
JUDGED = {"chosen_instruction": WRAPPED, "rejected_instruction": WRAPPED}
GSM8K = {"question": "q", "answer": "a\n#### 1"}
TRUTHFUL = {"Question": "q", "Best Answer": "b", "Correct Answers": "b; c", "Incorrect Answers": "d"}
TURNS = {"turns": ["a"]}
SCITLDR = {"source": ["a"], "target": ["b"]}


def feedback(**change: object) -> dict[str, object]:
    return {"feedback": {"errors": [], "corrected-prediction": "c"} | change}


@pytest.mark.parametrize(
    ("shape", "row", "change", "field", "expected"),
    [
        ("self-instruct", TASK, {"instances": []}, "instances", "at least one instance"),
        ("self-instruct", TASK, {"instances": [{"input": "i"}]}, "instances[0]", "an object with input and output"),
        ("self-instruct", TASK, {"instances": ["o"]}, "instances[0]", "an object with input and output"),
        ("self-instruct", TASK, {"instruction": None}, "instruction", "text"),
        ("qa-feedback", QA, {"preference": [0] * 5}, "preference", "6 values, one a pair"),
        ("qa-feedback", QA, {"preference": [0] * 5 + [3]}, "preference[5]", "0 (tie), 1 (the first is better) or 2"),
        ("qa-feedback", QA, {"preference": [True] * 6}, "preference[0]", "0 (tie), 1 (the first is better) or 2"),
        ("qa-feedback", QA, {"passages": [["t"]]}, "passages[0]", "a title and sentences, all text"),
        ("qa-feedback", QA, {"passages": [["t", 3]]}, "passages[0]", "a title and sentences, all text"),
        ("qa-feedback", QA, {"prediction 3": None}, "prediction 3", "text"),
        ("qa-feedback", QA, {"feedback": "good"}, "feedback", "an object with errors and corrected-prediction"),
        ("qa-feedback", QA, feedback(errors={}), "feedback.errors", "a list of errors"),
        ("qa-feedback", QA, feedback(errors=["e"]), "feedback.errors[0]", "an error with its type, start and end"),
        (
            "qa-feedback",
            QA,
            feedback(errors=[ERROR | {"end": 0}]),
            "feedback.errors[0]",
            "a start from 0 and a later end",
        ),
        ("qa-feedback", QA, feedback(errors=[ERROR | {"start": None}]), "feedback.errors[0]", "a start from 0"),
        ("qa-feedback", QA, feedback(errors=[ERROR, {"start": 0}]), "feedback.errors[1].error type", "a name"),
        ("qa-feedback", QA, feedback(errors=[ERROR | {"end": 12}]), "(row)", "spans must lie inside the answer of 11"),
        ("qa-feedback", QA, feedback(**{"corrected-prediction": 3}), "feedback.corrected-prediction", "text"),
        ("judged", JUDGED, {"rejected_instruction": "q"}, "rejected_instruction", "a judge's prompt of the parts Task"),
        (
            "judged",
            JUDGED,
            {"chosen_instruction": f"{WRAPPED}5"},
            "chosen_instruction",
            "a judge's prompt of the parts",
        ),
        (
            "judged",
            JUDGED,
            {"chosen_instruction": WRAPPED.replace("###Score", "###Reference Answer:\nb\n\n###Score")},
            "chosen_instruction",
            "a judge's prompt of the parts",
        ),
        (
            "judged",
            JUDGED,
            {"rejected_instruction": WRAPPED.replace("\nq\n", "\nanother\n")},
            "rejected_instruction",
            "the prompt of chosen_instruction",
        ),
        (
            "judged",
            JUDGED,
            {"rejected_instruction": WRAPPED.replace("\nr\n", "\nanother\n")},
            "rejected_instruction",
            "the rubric of chosen_instruction",
        ),
        (
            "judged",
            JUDGED,
            dict.fromkeys(JUDGED, WRAPPED.replace("\nq\n", "\nq\n\nAssistant: a\n")),
            "chosen_instruction",
            "an instruction that ends with the person's turn",
        ),
        ("gsm8k", GSM8K, {"answer": "1"}, "answer", "a worked answer that ends with '#### '"),
        ("gsm8k", GSM8K, {"answer": "1\n####  "}, "answer", "a worked answer that ends with '#### '"),
        ("gsm8k", GSM8K, {"question": 1}, "question", "text"),
        ("truthfulqa", TRUTHFUL, {"Best Answer": " "}, "Best Answer", "an answer"),
        ("truthfulqa", TRUTHFUL, {"Incorrect Answers": " ; "}, "Incorrect Answers", "at least one answer"),
        ("truthfulqa", TRUTHFUL, {"Incorrect Answers": "d; b"}, "Incorrect Answers", "answers other than the best one"),
        ("truthfulqa", TRUTHFUL, {"Correct Answers": None}, "Correct Answers", "text"),
        ("turns", TURNS, {"turns": []}, "turns", "at least one turn"),
        ("turns", TURNS, {"turns": ["a", 3]}, "turns[1]", "a person's turn in text"),
        ("scitldr", SCITLDR, {"source": ["a", None]}, "source[1]", "text"),
        ("scitldr", SCITLDR, {"target": []}, "target", "at least one text"),
        ("scitldr", SCITLDR, {"target": "b"}, "target", "a list"),
    ],
)
def test_malformed_rows(
    written: Written, shape: str, row: dict[str, object], change: dict[str, object], field: str, expected: str
) -> None:
    with pytest.raises(RowError) as caught:
        open_records(written(row, row | change), shape=shape)
    assert (caught.value.line, caught.value.field) == (2, field)
    assert caught.value.expected.startswith(expected)


def test_malformed_lines_of_translations(golden: Path, tmp_path: Path) -> None:
    path = tmp_path / "pairs.txt"
    path.write_text(f"{(golden / 'tatoeba.txt').read_text(encoding='utf-8')}\nHi.\t嗨。\n", encoding="utf-8")
    with pytest.raises(RowError) as caught:
        open_records(path)
    assert (caught.value.line, caught.value.field, caught.value.got) == (4, "(row)", "2 columns")
    assert caught.value.expected == "a text, its translation and the attribution, parted by tabs"
    assert len(open_records(path, on_error="skip")) == 2
