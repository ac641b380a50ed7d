"""`plaudit evaluate --suite`: names, files, what is missing and what is broken."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from plaudit.cli.main import named_command
from plaudit.cli.suites import SETS, suites_named
from plaudit.evaluation.suites.public_sets import Published
from plaudit.evaluation.suites.suite import Suite
from plaudit.schemas.errors import PlauditError
from tests.cli.conftest import Plaudit, Trained, write_rows

TINY = ("--model", "tiny", "--out", "out", "--max-rows", "3", "--sampling.max-new-tokens", "4")
TRUTHFULQA = (
    "Type,Category,Question,Best Answer,Correct Answers,Incorrect Answers,Source\n"
    "Adversarial,x,Do fish sleep?,Yes,Yes; They rest,Never; Only in beds,y\n"
)


@pytest.fixture(autouse=True)
def no_data(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PLAUDIT_DATA", raising=False)


@pytest.fixture
def sets(tmp_path: Path) -> Path:
    """A folder of published sets that has one of them."""
    path = Published.TRUTHFULQA.path_in(tmp_path / "sets")
    path.parent.mkdir(parents=True)
    path.write_text(TRUTHFULQA)
    return tmp_path / "sets"


def test_tables_report_and_what_is_missing(plaudit: Plaudit, sets: Path) -> None:
    outcome = plaudit("evaluate", "--suite", "truthfulqa,hhh,refusals", *TINY, "--data", sets)
    assert outcome.status == 0
    for text in ("MC1, Adversarial", "Refusals: is declined", "name DIR with --data or PLAUDIT_DATA", "Apache-2.0"):
        assert text in outcome.out
    assert "refusals: 3 of the 67 harmful prompts, drawn with seed 0." in outcome.out
    assert "report: out/report.html" in outcome.out
    summary = json.loads(Path("out/summary.json").read_text())["suites"]
    assert list(summary) == ["truthfulqa", "hhh", "refusals"]
    assert summary["truthfulqa"]["figures"]["tiny"]["MC2"]["n"] == 1
    inputs = json.loads(Path("out/inputs.json").read_text())
    assert list(inputs["sha256"]) == ["truthfulqa"]


def test_the_folder_may_stand_in_the_environment(plaudit: Plaudit, sets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLAUDIT_DATA", str(sets))
    assert "MC2, Adversarial" in plaudit("evaluate", "--suite=truthfulqa", *TINY).out
    monkeypatch.setenv("PLAUDIT_DATA", "nowhere")
    message = plaudit("evaluate", "--suite", "refusals", *TINY, "--out", "again").refused()
    assert "PLAUDIT_DATA names nowhere, and there is no such folder" in message


def test_two_models_references_prompts_and_a_primer(
    plaudit: Plaudit, trained: Trained, sets: Path, tmp_path: Path
) -> None:
    references = write_rows(tmp_path / "r.jsonl", {"prompt": "a", "completion": "b"})
    prompts = write_rows(tmp_path / "p.jsonl", {"prompt": "one more"})
    (tmp_path / "primer.txt").write_text("Q: Is water wet?\nA: Yes.\n")
    words = ("--against", trained.sft, "--reward-model", trained.reward, "--data", sets)
    files = ("--references", references, "--prompts", prompts, "--primer", "primer.txt")
    outcome = plaudit("evaluate", "--suite", "overlap,truthfulqa,toxicity,bias", *TINY, *words, *files)
    assert outcome.status == 0
    for text in ("ROUGE-L", "given prompts", "|difference| of reward"):
        assert text in outcome.out
    figures = json.loads(Path("out/summary.json").read_text())["suites"]["truthfulqa"]["figures"]
    assert set(figures) == {"tiny", str(trained.sft)}
    outcome = plaudit("evaluate", "--suite", "truthfulqa", *TINY, "--data", sets, "--out", "without")
    other = json.loads(Path("without/summary.json").read_text())["suites"]["truthfulqa"]["figures"]
    assert other["tiny"]["MC2"]["value"] != figures["tiny"]["MC2"]["value"]


def test_a_suite_that_was_trained_on_is_left_out(plaudit: Plaudit, sets: Path, tmp_path: Path) -> None:
    seen = write_rows(tmp_path / "seen.jsonl", {"prompt": "Do fish sleep?", "completion": "x"})
    words = ("--suite", "truthfulqa,refusals", *TINY, "--data", sets, "--train-data", seen)
    outcome = plaudit("evaluate", *words)
    assert outcome.status == 0
    assert "trained on" in outcome.out
    suites = json.loads(Path("out/summary.json").read_text())["suites"]
    assert "'Do fish sleep?'" in suites["truthfulqa"]["not_measured"]["tiny"]
    assert suites["refusals"]["not_measured"] == {}


def test_settings_may_stand_in_a_file(plaudit: Plaudit, tmp_path: Path) -> None:
    (tmp_path / "s.toml").write_text('model = "tiny"\nmax_rows = 2\n[sampling]\nmax_new_tokens = 3\n')
    outcome = plaudit("evaluate", "--suite", "refusals", "--config", "s.toml", "--out", "out")
    assert "2 of the 67 harmful prompts" in outcome.out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ("--suite", "truthful"),
            "there is no suite 'truthful'; the nearest is 'truthfulqa'. There are hhh, truthfulqa",
        ),
        (("--suite", ","), "--suite names nothing"),
        (("--suite", "hhh", "--data", "nowhere"), "--data names nowhere, and there is no such folder"),
        (("--suite", "hhh", "--reward-model", "tiny"), "'tiny' is a language model, not a reward model"),
        (("--suite", "hhh", "--against", "tiny"), "model and against are both 'tiny'"),
        (("--suite", "overlap", "--references", "p.jsonl"), "holds prompts"),
        (("--suite", "truthfulqa", "--primer", "gone.txt"), "--primer gone.txt cannot be read"),
    ],
)
def test_what_is_refused(plaudit: Plaudit, tmp_path: Path, words: tuple[str, ...], message: str) -> None:
    write_rows(tmp_path / "p.jsonl", {"prompt": "a"})
    assert message in plaudit("evaluate", *words, *TINY).refused()
    assert not Path("out").exists()


def test_a_broken_set_is_named_by_file_line_and_field(plaudit: Plaudit, sets: Path) -> None:
    path = Published.TRUTHFULQA.path_in(sets)
    path.write_text(TRUTHFULQA + "Adversarial,x,Is it?,Yes,Yes,,y\n")
    message = plaudit("evaluate", "--suite", "refusals,truthfulqa", *TINY, "--data", sets).refused()
    assert f"{path}:3: field 'Incorrect Answers': expected at least one answer" in message
    assert not Path("out").exists()


def test_names() -> None:
    assert suites_named("all") == list(Suite)
    assert suites_named(" over-refusal, hhh,hhh,") == [Suite.OVER_REFUSAL, Suite.HHH]
    with pytest.raises(PlauditError, match="the nearest is 'bias'"):
        suites_named("hhh,biass")
    assert set(SETS.values()) == set(Published)


def test_the_setting_chooses_the_command() -> None:
    assert named_command(["evaluate", "--model", "m"])[0] == "evaluate"
    assert named_command(["evaluate", "--model", "m", "--suite=hhh"]) == (
        "evaluate --suite",
        ["--model", "m", "--suite=hhh"],
    )
    assert named_command(["evaluate", "--suite", "-h"]) == ("evaluate --suite", ["--help"])
