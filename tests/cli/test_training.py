"""What all training commands share, through the real parser: bad data, leaks, occupied folders, resuming, broken runs."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest
from safetensors.numpy import load_file

from plaudit.checkpoints import load_checkpoint
from plaudit.cli.evaluate import trained_prompt_ids
from plaudit.cli.training import latest_checkpoint_folder
from plaudit.runs import read_metrics
from plaudit.schemas.conversation import prompt_id, user
from tests.cli.conftest import FAST, FEW_ANSWERS, NUM_ROWS, Plaudit, Trained, write_rows


def test_sft_from_file_to_model(plaudit: Plaudit, demonstrations: Path) -> None:
    outcome = plaudit("sft", "--data", demonstrations.name, "--model", "tiny", "--out", "run", *FAST)
    assert outcome.status == 0
    perplexity, model, following = outcome.out.splitlines()
    assert perplexity.startswith("perplexity on held-out demonstrations: ")
    assert (model, following) == ("the model is in run/model", "next: plaudit chat --model run/model")
    assert {"config.json", "model.safetensors", "tokenizer.json", "README.md"} <= set(os.listdir("run/model"))
    assert json.loads(Path("run/config.json").read_text())["train"]["num_upper"] == 1
    assert json.loads(Path("run/inputs.json").read_text())["settings"]["data"] == demonstrations.name


def test_pretrain_reads_documents(plaudit: Plaudit, tmp_path: Path) -> None:
    write_rows(tmp_path / "pages.jsonl", *({"text": f"page {i} of a book"} for i in range(NUM_ROWS)))
    outcome = plaudit("pretrain", "--data", "pages.jsonl", "--model", "tiny", "--out", "run", *FAST)
    assert outcome.status == 0
    assert "the model is in run/model" in outcome.out


def test_reward_reports_its_quality(plaudit: Plaudit, rankings: Path, trained: Trained) -> None:
    words = ("--data", rankings, "--model", trained.sft, "--out", "run", "--num-reference-answers", "4")
    outcome = plaudit("reward", *words, *FAST)
    assert outcome.status == 0
    assert "accuracy on held-out pairs: " in outcome.out
    assert "by source, rankings.jsonl: " in outcome.out
    assert {"report.html", "summary.json", "reliability.png"} <= set(os.listdir("run"))
    assert json.loads(Path("run/summary.json").read_text())["reward_model"]["accuracy"]["n"] == 6


def test_reward_without_held_out_pairs_says_that_nothing_was_measured(
    plaudit: Plaudit, rankings: Path, trained: Trained
) -> None:
    words = ("--data", rankings, "--model", trained.sft, "--out", "run", "--normalise-on", "data")
    outcome = plaudit("reward", *words, "--validation-frac", "0", *FAST)
    assert "its quality was not measured" in outcome.out


def test_dpo_on_rankings(plaudit: Plaudit, rankings: Path, trained: Trained) -> None:
    outcome = plaudit("dpo", "--data", rankings, "--model", trained.sft, "--out", "run", *FAST)
    assert outcome.status == 0
    assert "held-out pairs ordered as people did: " in outcome.out


@pytest.mark.parametrize(
    ("command", "rows", "message"),
    [
        ("sft", [{"prompt": "q", "completions": ["a", "b"], "ranks": [0, 1]}], "use `plaudit reward` or `plaudit dpo`"),
        (
            "reward",
            [{"prompt": "q", "completion": "a"}],
            "reads rankings, comparisons, ratings or corrections, and data.jsonl holds demon",
        ),
        (
            "sft",
            [{"prompt": "q", "completions": ["a"], "labels": [True]}],
            "demonstrations or corrections, and data.jsonl holds highlights: use `plaudit spans`",
        ),
        ("dpo", [{"text": "a page"}], "and data.jsonl holds documents: use `plaudit pretrain`"),
        ("pretrain", [{"prompt": "q"}], "reads documents, and data.jsonl holds prompts: use `plaudit ppo`"),
        ("ppo", [{"text": "a page"}], "data.jsonl holds no prompts: give a file of prompts"),
        ("rloo", [{"text": "a page"}], "data.jsonl holds no prompts"),
        ("sft", [{"prompt": "q", "completion": "a"}, {"prompt": "q", "completion": []}], "data.jsonl:2: field '"),
        ("sft", [], "data.jsonl holds no rows"),
    ],
)
def test_data_of_another_kind_or_shape_is_refused_before_anything_is_written(
    plaudit: Plaudit, tmp_path: Path, command: str, rows: list[object], message: str
) -> None:
    write_rows(tmp_path / "data.jsonl", *rows)
    assert message in plaudit(command, "--data", "data.jsonl", "--model", "tiny", "--out", "run").refused()
    assert not Path("run").exists()


def test_what_is_left_out_is_counted(plaudit: Plaudit, tmp_path: Path) -> None:
    rows = [{"prompt": f"q{i}", "completion": "a"} for i in range(4)]
    write_rows(tmp_path / "data.jsonl", *rows, {"prompt": "q", "completion": []}, {"prompt": "q"}, {"prompt": "r"})
    words = ("--data", "data.jsonl", "--model", "tiny", "--out", "run", "--shape", "trl", *FAST)
    assert "data.jsonl:5: field" in plaudit("sft", *words).refused()
    outcome = plaudit("sft", *words, "--on-error", "skip")
    assert outcome.status == 0
    assert outcome.out.splitlines()[:2] == [
        "data.jsonl: left out 1: rows that cannot be read",
        "data.jsonl: left out 2: prompts",
    ]


def test_columns_of_other_names_and_a_template(plaudit: Plaudit, tmp_path: Path) -> None:
    rows = ({"question": f"What is {i}?", "answer": f"A number, {i}."} for i in range(NUM_ROWS))
    write_rows(tmp_path / "sums.jsonl", *rows)
    names = ("--columns", "prompt=question,completion=answer", "--input-template", "Say: {}")
    words = ("sft", "--data", "sums.jsonl", "--model", "tiny", "--out", "run")
    assert plaudit(*words, *names, *FAST).status == 0
    settings = json.loads(Path("run/inputs.json").read_text())["settings"]
    assert (settings["columns"], settings["input_template"]) == ("prompt=question,completion=answer", "Say: {}")
    asked = {prompt_id([user(text)]) for text in ("Say: What is 3?", "What is 3?")}
    assert trained_prompt_ids(["run/model"], []) & asked == {prompt_id([user("Say: What is 3?")])}
    write_rows(tmp_path / "test.jsonl", {"question": "What is 3?", "answer": "x"})
    leaking = plaudit(*words[:-1], "other", *names, "--test-data", "test.jsonl", *FAST)
    assert "1 of the test prompts in test.jsonl stand in the training data" in leaking.refused()
    wrong = plaudit(*words[:-1], "other", "--columns", "prompt:question", *FAST)
    assert "columns are named as in prompt=question,chosen=better: got 'prompt:question'" in wrong.refused()


def test_a_changed_dataset_info_is_another_data_set(plaudit: Plaudit, tmp_path: Path) -> None:
    write_rows(tmp_path / "sums.jsonl", *({"ask": f"What is {i}?", "say": f"It is {i}."} for i in range(NUM_ROWS)))
    entry = {"file_name": "sums.jsonl", "columns": {"prompt": "ask", "response": "say"}}
    Path("dataset_info.json").write_text(json.dumps({"sums": entry}))
    assert plaudit("sft", "--data", "sums.jsonl", "--model", "tiny", "--out", "run", *FAST).status == 0
    assert json.loads(Path("run/inputs.json").read_text())["sha256"].keys() == {"data", "dataset_info"}
    Path("dataset_info.json").write_text(
        json.dumps({"sums": entry | {"columns": {"prompt": "say", "response": "ask"}}})
    )
    message = plaudit("sft", "--resume", "run").refused()
    assert "dataset_info.json is not the dataset_info it began with" in message


def test_a_missing_file_is_named(plaudit: Plaudit) -> None:
    assert "there is no file nope.jsonl" in plaudit("sft", "--data", "nope.jsonl", "--model", "tiny").refused()


def test_test_prompts_in_the_training_data_are_refused(plaudit: Plaudit, demonstrations: Path, tmp_path: Path) -> None:
    write_rows(tmp_path / "test.jsonl", {"prompt": "unseen"}, {"prompt": "question 3"})
    words = ("--data", demonstrations.name, "--model", "tiny", "--test-data", "test.jsonl", "--out", "run")
    message = plaudit("sft", *words).refused()
    assert "1 of the test prompts in test.jsonl stand in the training data demonstrations.jsonl too" in message
    write_rows(tmp_path / "test.jsonl", {"prompt": "unseen"})
    assert plaudit("sft", *words, *FAST).status == 0


def test_a_finished_run_is_not_overwritten(plaudit: Plaudit, demonstrations: Path) -> None:
    words = ("sft", "--data", demonstrations, "--model", "tiny", "--out", "run", *FAST)
    assert plaudit(*words).status == 0
    weights = Path("run/model/model.safetensors").read_bytes()
    assert "run already holds a `sft` run (finished" in plaudit(*words).refused()
    assert Path("run/model/model.safetensors").read_bytes() == weights


def test_a_too_long_row_is_refused_with_the_setting_that_leaves_it_out(plaudit: Plaudit, demonstrations: Path) -> None:
    words = ("--data", demonstrations, "--model", "tiny", "--out", "run", "--max-tokens", "21")
    message = plaudit("sft", *words).refused()
    assert "over max_tokens = 21" in message
    assert "drop_too_long" in message
    assert not Path("run").exists()


def test_a_loss_that_is_not_a_number_ends_the_run_with_the_cause(plaudit: Plaudit, demonstrations: Path) -> None:
    words = ("--data", demonstrations, "--model", "tiny", "--out", "run", "--optimiser.learning-rate", "1e30")
    outcome = plaudit("sft", *words, "--epochs.batch-size", "2", "--optimiser.warmup-frac", "0")
    assert outcome.status == 2
    assert "learning_rate" in outcome.err
    assert '"failed"' in Path("run/manifest.json").read_text()


def test_a_full_disk_leaves_the_last_checkpoint_good(
    plaudit: Plaudit, demonstrations: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from plaudit.checkpoints import folder

    save, calls = folder.save_file, list[Path]()

    def full(tensors: dict[str, object], path: Path) -> None:
        calls.append(path)
        if len(calls) == 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        save(tensors, path)

    monkeypatch.setattr(folder, "save_file", full)
    words = ("--data", demonstrations, "--model", "tiny", "--out", "run", "--epochs.num-epochs", "3")
    outcome = plaudit("sft", *words, "--epochs.patience", "3")
    assert (outcome.status, outcome.out) == (2, "")
    assert "No space left on device" in outcome.err
    assert "continue with --resume" in outcome.err
    (left,) = Path("run/checkpoints").iterdir()
    load_checkpoint(left)


INTERRUPTING = """
from pathlib import Path

calls = []

def brief(prompts, completions, harbour):
    calls.append(1)
    if Path("stop").exists() and len(calls) == 3:
        raise KeyboardInterrupt
    return [-len(text) / 10 + place / 100 for text, place in zip(completions, harbour)]
"""


def test_a_run_broken_off_and_resumed_equals_one_that_was_not(plaudit: Plaudit, prompts: Path, tmp_path: Path) -> None:
    (tmp_path / "f.py").write_text(INTERRUPTING)
    common = ("ppo", "--data", prompts.name, "--model", "tiny", "--reward-function", "f.py:brief", *FEW_ANSWERS)
    words = (*common, "--num-steps", "4", "--checkpoint-every", "1")
    assert plaudit(*words, "--out", "whole").status == 0
    (tmp_path / "stop").touch()
    outcome = plaudit(*words, "--out", "broken")
    assert outcome.status == 130
    assert (
        "The last checkpoint is broken/checkpoints/step-000002: continue with `plaudit ppo --resume broken`"
        in outcome.err
    )
    (tmp_path / "stop").unlink()
    (tmp_path / "f.py").write_text(INTERRUPTING.replace("/ 10", "/ 20"))
    assert "f.py is not the reward_function it began with" in plaudit("ppo", "--resume", "broken").refused()
    (tmp_path / "f.py").write_text(INTERRUPTING)
    assert plaudit("ppo", "--resume", "broken").status == 0
    for name in ("model/model.safetensors", "value/value_head.safetensors"):
        whole, resumed = load_file(f"whole/{name}"), load_file(f"broken/{name}")
        assert whole.keys() == resumed.keys()
        assert all((whole[key] == resumed[key]).all() for key in whole)
    assert Path("whole/samples.jsonl").read_text() == Path("broken/samples.jsonl").read_text()


def test_interrupted_before_the_first_checkpoint(plaudit: Plaudit, prompts: Path, tmp_path: Path) -> None:
    (tmp_path / "f.py").write_text("def f(prompts, completions):\n    raise KeyboardInterrupt\n")
    words = ("--data", prompts.name, "--model", "tiny", "--reward-function", "f.py:f", "--out", "run", *FEW_ANSWERS)
    outcome = plaudit("ppo", *words)
    assert outcome.status == 130
    assert "interrupted before the first checkpoint: `plaudit ppo --resume run` begins from the start" in outcome.err
    again = plaudit("ppo", "--resume", "run")
    assert again.status == 130
    assert "there is no checkpoint yet: beginning from the start" in again.err


def test_interrupted_before_the_run_began(
    plaudit: Plaudit, demonstrations: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from plaudit.cli import sft

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(sft, "train", interrupted)
    outcome = plaudit("sft", "--data", demonstrations, "--model", "tiny", "--out", "run")
    assert (outcome.status, outcome.err) == (130, "interrupted before the run began: nothing was written\n")
    assert not Path("run").exists()


@pytest.fixture
def run(plaudit: Plaudit, demonstrations: Path) -> Path:
    """A finished fine-tuning run, for attempts at resuming it."""
    words = ("--data", demonstrations.name, "--model", "tiny", "--out", "run", *FAST)
    assert plaudit("sft", *words).status == 0
    return Path("run")


def test_a_run_can_only_be_resumed_as_it_began(plaudit: Plaudit, run: Path, demonstrations: Path) -> None:
    assert plaudit("sft", "--resume", run).status == 0
    assert "seed was 0, now 4" in plaudit("sft", "--resume", run, "--seed", "4").refused()
    assert "continue it with `plaudit sft --resume run`" in plaudit("dpo", "--resume", run).refused()
    moved = demonstrations.rename(demonstrations.with_name("moved.jsonl"))
    assert "there is no file demonstrations.jsonl" in plaudit("sft", "--resume", run).refused()
    assert plaudit("sft", "--resume", run, "--data", moved).status == 0
    write_rows(moved, {"prompt": "another", "completion": "one"})
    assert "is not the data it began with" in plaudit("sft", "--resume", run, "--data", moved).refused()


def test_nothing_to_resume(plaudit: Plaudit) -> None:
    assert "holds no run that can be continued" in plaudit("sft", "--resume", "nowhere").refused()
    outcome = plaudit("rloo", "--resume", "nowhere")
    assert (outcome.status, outcome.out) == (2, "")
    assert "--resume" in outcome.err


def test_the_newest_checkpoint_is_found_by_number(tmp_path: Path) -> None:
    assert latest_checkpoint_folder(tmp_path) is None
    for name in ("step-000009", "step-1000000", "step-999999", ".step-2000000.partial"):
        (tmp_path / "checkpoints" / name).mkdir(parents=True)
    assert latest_checkpoint_folder(tmp_path) == tmp_path / "checkpoints" / "step-1000000"


def test_training_reports_to_tensorboard_unless_told_otherwise(plaudit: Plaudit, demonstrations: Path) -> None:
    pytest.importorskip("tensorboard", reason="needs `pip install tensorboard`")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    words = ("sft", "--data", demonstrations, "--model", "tiny", *FAST)
    assert plaudit(*words, "--out", "quiet", "--report-to", "none").status == 0
    assert not list(Path("quiet").glob("events.*"))
    assert plaudit(*words, "--out", "run").status == 0
    assert json.loads(Path("run/inputs.json").read_text())["settings"]["report_to"] == ["tensorboard"]
    for _ in range(2):
        events = EventAccumulator("run")
        events.Reload()
        losses = [event.value for event in events.Scalars("train/loss")]
        rows = [row for row in read_metrics(Path("run/metrics.jsonl")) if "train/loss" in row]
        assert losses == pytest.approx([row["train/loss"] for row in rows], rel=1e-6)
        assert len(losses) > 0
        assert plaudit("sft", "--resume", "run").status == 0
    assert plaudit("sft", "--resume", "run", "--report-to", "none").status == 0


def test_trackers_that_cannot_be_had_are_refused_before_anything_is_written(
    plaudit: Plaudit, demonstrations: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("sft", "--data", demonstrations, "--model", "tiny", "--out", "run", *FAST)
    assert "none stands alone" in plaudit(*words, "--report-to", "none", "wandb").err
    unknown = plaudit(*words, "--report-to", "xyz")
    assert unknown.status == 2
    assert all(word in unknown.err for word in ("xyz", "tensorboard", "wandb", "mlflow", "trackio", "none"))
    monkeypatch.setattr("plaudit.runs.trackers.find_spec", lambda name: None)
    assert "`pip install trackio`" in plaudit(*words, "--report-to", "trackio").err
    assert not Path("run").exists()
    outcome = plaudit(*words)
    assert outcome.status == 0
    assert "no TensorBoard event files: tensorboard is not installed" in outcome.out
    assert not list(Path("run").glob("events.*"))
