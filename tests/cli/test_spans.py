"""`plaudit spans`, and PPO and RLOO that are paid by what it made."""

import json
from pathlib import Path

import pytest

from plaudit.cli.inputs import training_runs
from plaudit.runs import read_metrics
from tests.cli.conftest import FAST, FEW_ANSWERS, NUM_ROWS, Plaudit, Trained, write_rows


@pytest.fixture
def marked(tmp_path: Path) -> Path:
    """Answers in two steps each, the second of them marked wrong."""
    rows = [
        {"prompt": f"question {i}", "completions": ["Fine. ", "Bad."], "labels": [True, False]} for i in range(NUM_ROWS)
    ]
    return write_rows(tmp_path / "marked.jsonl", *rows)


@pytest.fixture
def span_model(plaudit: Plaudit, marked: Path, trained: Trained) -> str:
    outcome = plaudit("spans", "--data", marked, "--model", trained.sft, "--out", "spans", *FAST)
    assert outcome.status == 0
    area, model, following = outcome.out.splitlines()[-3:]
    assert area.startswith("area under the ROC curve on the tokens of held-out answers: ")
    assert model == "the span model is in spans/model"
    assert following == f"next: plaudit ppo --data {marked} --model {trained.sft} --span-model spans/model"
    card = Path("spans/model/README.md").read_text(encoding="utf-8")
    assert "what people mark" in card
    assert "no reward model" in card
    return "spans/model"


def test_without_marked_tokens_among_the_held_out_nothing_was_measured(
    plaudit: Plaudit, marked: Path, trained: Trained
) -> None:
    words = ("--data", marked, "--model", trained.sft, "--out", "spans", "--validation-frac", "0")
    assert "was not measured" in plaudit("spans", *words, *FAST).out


@pytest.mark.parametrize("command", ["ppo", "rloo"])
def test_a_span_model_alone_pays(
    plaudit: Plaudit, prompts: Path, trained: Trained, span_model: str, command: str
) -> None:
    words = ("--data", prompts, "--model", trained.sft, "--reward-model", "", "--span-model", span_model)
    assert plaudit(command, *words, "--out", "run", *FEW_ANSWERS).status == 0
    row = read_metrics(Path("run/metrics.jsonl"))[0]
    assert row["score/spans"] < 0
    assert row["score/mean"] == 0


def test_a_span_model_pays_besides_a_reward_model(
    plaudit: Plaudit, prompts: Path, trained: Trained, span_model: str
) -> None:
    words = ("--data", prompts, "--model", trained.sft, "--reward-model", trained.reward, "--out", "run", *FEW_ANSWERS)
    assert plaudit("ppo", *words, "--span-model", span_model, "--span-weight", "2").status == 0
    row = read_metrics(Path("run/metrics.jsonl"))[0]
    assert row["score/spans"] > 0
    assert row["score/mean"] != 0


def test_what_a_span_model_learnt_from_counts_as_training_data(
    plaudit: Plaudit, prompts: Path, trained: Trained, span_model: str
) -> None:
    words = ("--data", prompts, "--model", trained.sft, "--reward-model", "", "--span-model", span_model)
    assert plaudit("ppo", *words, "--out", "run", *FEW_ANSWERS).status == 0
    assert Path("spans") in training_runs("run/model")


def test_what_is_no_span_model_is_refused(plaudit: Plaudit, prompts: Path, trained: Trained, rankings: Path) -> None:
    words = ("--data", prompts, "--model", trained.sft, "--reward-model", "", "--out", "run", *FEW_ANSWERS)
    message = plaudit("ppo", *words, "--span-model", trained.sft).refused()
    assert "is a language model, not a span model: train one with `plaudit spans`" in message
    message = plaudit("spans", "--data", rankings, "--model", trained.sft, "--out", "spans", *FAST).refused()
    assert "`plaudit spans` reads highlights" in message
    assert "use `plaudit reward` or `plaudit dpo`" in message
    assert not Path("run").exists()
    assert not Path("spans").exists()


def test_a_resumed_run_keeps_its_settings(plaudit: Plaudit, marked: Path, trained: Trained, span_model: str) -> None:
    words = ("--data", marked, "--model", trained.sft, "--out", "spans", "--labels", "nothing", "--resume")
    assert plaudit("spans", *words, *FAST).status == 2
    assert json.loads(Path("spans/config.json").read_text())["labels"] == []
