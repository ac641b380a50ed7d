"""Every set of $PLAUDIT_DATA opens as it is, and gives what its page counts."""

from __future__ import annotations

import csv
import json
import runpy
from collections import Counter
from itertools import combinations
from pathlib import Path

import pytest

from plaudit.formats import Records, Shape, leaked_prompts, open_records
from plaudit.schemas.feedback import (
    Comparison,
    Correction,
    Demonstration,
    Highlights,
    Prompt,
    Ranking,
    Verdict,
)
from plaudit.schemas.preference import preference_group

TABLE = Path(__file__).parents[2] / "benchmarks" / "data"

SETS: list[tuple[str, Shape, dict[str, int], dict[str, int]]] = [
    ("dolly-15k/dolly-15k.jsonl", Shape.DOLLY, {"Demonstration": 13_000}, {}),
    (
        "finegrained-qa-feedback/dev_feedback.jsonl",
        Shape.QA_FEEDBACK,
        {"Ranking": 385, "Comparison": 90, "Highlights": 400, "Correction": 392},
        {"correction without text": 8},
    ),
    ("gsm8k/test.jsonl", Shape.GSM8K, {"Demonstration": 1_319}, {}),
    ("hh-harmless-base/pairs.jsonl", Shape.HH, {"Comparison": 1_712}, {}),
    ("hh-helpful-base/pairs.jsonl", Shape.HH, {"Comparison": 1_752}, {}),
    ("hhh-alignment/hhh_alignment_eval.jsonl", Shape.JUDGED, {"Comparison": 221}, {}),
    (
        "oasst-en100/en_100_message.jsonl",
        Shape.OASST,
        {"Demonstration": 252, "Ranking": 207},
        {"synthetic message": 22},
    ),
    ("oasst-en100/en_100_tree.jsonl", Shape.OASST, {"Demonstration": 252, "Ranking": 207}, {"synthetic message": 22}),
    ("oasst1-zh/oaast_rm_zh.jsonl", Shape.ALPACA, {"Ranking": 600}, {}),
    ("oasst1-zh/oaast_sft_zh.jsonl", Shape.ALPACA, {"Demonstration": 766}, {}),
    ("prompts-en/mt_bench80.jsonl", Shape.TURNS, {"Prompt": 80}, {}),
    ("prompts-en/vicuna80.jsonl", Shape.TURNS, {"Prompt": 80}, {}),
    ("prompts-en/xstest_prompts.csv", Shape.TRL, {"Prompt": 450}, {}),
    # 1,992 + 619 + 618 rows with one to four summaries each.
    ("scitldr/dev.jsonl", Shape.SCITLDR, {"Demonstration": 1_453}, {}),
    ("scitldr/test.jsonl", Shape.SCITLDR, {"Demonstration": 1_967}, {}),
    ("scitldr/train.jsonl", Shape.SCITLDR, {"Demonstration": 1_992}, {}),
    ("self-instruct-human/seed_tasks.jsonl", Shape.SELF_INSTRUCT, {"Demonstration": 175}, {}),
    ("self-instruct-human/user_oriented_instructions.jsonl", Shape.SELF_INSTRUCT, {"Demonstration": 252}, {}),
    (
        "sentence-polarity/movie_reviews.zip",
        Shape.LABELLED,
        {"Document": 2_000},
        {"file of the archive that is no .txt in a folder": 1},
    ),
    ("sentence-polarity/rt-polarity.neg", Shape.LABELLED, {"Document": 5_331}, {}),
    ("sentence-polarity/rt-polarity.pos", Shape.LABELLED, {"Document": 5_331}, {}),
    ("tatoeba-en-zh/cmn.txt", Shape.TATOEBA, {"Demonstration": 29_155}, {}),
    ("truthfulqa/TruthfulQA.csv", Shape.TRUTHFULQA, {"Ranking": 817}, {}),
    ("truthfulqa/finetune_truth.jsonl", Shape.TRL, {"Demonstration": 22_434}, {}),
]


@pytest.mark.parametrize(("file", "shape", "kinds", "dropped"), SETS, ids=[entry[0] for entry in SETS])
def test_every_set_opens_as_it_is(
    real_data: Path, file: str, shape: Shape, kinds: dict[str, int], dropped: dict[str, int]
) -> None:
    records = open_records(real_data / file)
    assert records.shape is shape
    assert Counter(type(record).__name__ for record in records) == kinds
    assert (records.dropped, records.skipped) == (dropped, ())
    assert len({record.id for record in records}) == len(records)


def test_no_set_is_forgotten(real_data: Path) -> None:
    beside = {"SOURCE.md", ".xml", "LICENSE"}
    found = {
        path.relative_to(real_data).as_posix()
        for path in real_data.glob("*/*")
        if not any(path.name.startswith(name) or path.suffix == name for name in beside)
    }
    assert found - {"seaquest-human-prefs/val.pkl.gz"} == {file for file, *_ in SETS}


@pytest.fixture
def opened(real_data: Path) -> Records:
    return open_records(real_data / "finegrained-qa-feedback" / "dev_feedback.jsonl")


def test_every_published_preference_is_in_a_pair(opened: Records, real_data: Path) -> None:
    path = real_data / "finegrained-qa-feedback" / "dev_feedback.jsonl"
    published: Counter[int] = Counter()
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            published.update(json.loads(line)["preference"])
    judged = [record for record in opened if isinstance(record, Ranking | Comparison)]
    pairs = [pair for record in judged for pair in preference_group(record).pairs]
    found = Counter({0.5: 0, 1.0: 1, 0.0: 2}[pair.target] for pair in pairs)
    assert found == published == {0: 306, 1: 1_276, 2: 818}
    assert sum(pair.weight for pair in pairs) == pytest.approx(400)
    assert sum(len(record.spans) for record in opened.of(Highlights)) == 1_104
    assert len({record.prompt for record in opened.of(Correction)}) == 392


def test_the_judged_comparisons_are_unwrapped(real_data: Path) -> None:
    records = open_records(real_data / "hhh-alignment" / "hhh_alignment_eval.jsonl").of(Comparison)
    assert Counter(record.source for record in records) == {"helpful": 59, "honest": 61, "harmless": 58, "other": 43}
    assert all(record.verdict is Verdict.A and record.a != record.b for record in records)
    texts = [message.text for record in records for message in (*record.prompt, *record.a, *record.b)]
    assert not any("###" in text or "\n\nHuman:" in text for text in texts)
    assert len({record.extra["rubric"] for record in records}) == 4


def test_what_mc1_and_mc2_need(real_data: Path) -> None:
    path = real_data / "truthfulqa" / "TruthfulQA.csv"
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for record, row in zip(open_records(path).of(Ranking), rows, strict=True):
        answers = [completion[0].text for completion in record.completions]
        sides = list(zip(answers, record.unacceptable, strict=True))
        true, false = ({answer for answer, is_wrong in sides if is_wrong is side} for side in (False, True))
        assert answers[record.ranks.index(0)] == row["Best Answer"].strip()
        assert true == {text.strip() for text in row["Correct Answers"].split(";")} - {""}
        assert false == {text.strip() for text in row["Incorrect Answers"].split(";")} - {""}


def test_the_summaries_are_of_so_many_abstracts(real_data: Path) -> None:
    parts = [
        open_records(real_data / "scitldr" / f"{name}.jsonl").of(Demonstration) for name in ("train", "dev", "test")
    ]
    assert [len({record.extra["paper_id"] for record in part}) for part in parts] == [1_992, 619, 618]
    # Six abstracts stand there under two papers each, four of them in two of the parts.
    assert len({record.prompt for part in parts for record in part}) == 3_223
    assert [len(leaked_prompts(a, b)) for a, b in combinations(parts, 2)] == [1, 2, 1]


def test_labels_a_rule_or_a_classifier_needs(real_data: Path) -> None:
    truths = open_records(real_data / "truthfulqa" / "finetune_truth.jsonl").of(Demonstration)
    assert {record.completion[0].text for record in truths} == {" yes", " no"}
    safety = open_records(real_data / "prompts-en" / "xstest_prompts.csv").of(Prompt)
    assert Counter(record.extra["label"] for record in safety) == {"safe": 250, "unsafe": 200}
    reviews = open_records(real_data / "sentence-polarity" / "movie_reviews.zip")
    assert Counter(record.extra["label"] for record in reviews) == {"neg": 1_000, "pos": 1_000}
    sums = open_records(real_data / "gsm8k" / "test.jsonl")
    assert all(str(record.extra["ground_truth"]).replace(",", "").lstrip("-").isdigit() for record in sums)


def test_the_committed_table_is_that_of_the_data(real_data: Path) -> None:
    table = runpy.run_path(str(TABLE / "table.py"))["table"](real_data)
    assert table in (TABLE / "README.md").read_text(encoding="utf-8"), "run benchmarks/data/table.py"
