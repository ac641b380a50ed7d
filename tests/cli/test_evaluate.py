"""`plaudit evaluate`: table and report, judges, and no prompt that was trained on."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from tests.cli.conftest import FEW_ANSWERS, Plaudit, Trained, write_rows

SHORT = ("--num-answers", "2", "--sampling.max-new-tokens", "4")


@pytest.fixture
def compared(trained: Trained) -> tuple[object, ...]:
    """What every comparison here begins with."""
    return ("--model", trained.sft, "--against", "tiny", "--reward-model", trained.reward, "--out", "out", *SHORT)


def test_table_report_and_json(
    plaudit: Plaudit, prompts: Path, demonstrations: Path, compared: tuple[object, ...], tmp_path: Path
) -> None:
    held = write_rows(tmp_path / "held.jsonl", {"prompt": "unseen", "completion": "yes"})
    verdicts = write_rows(tmp_path / "v.jsonl", {"prompt": "fresh", "chosen": "aaa", "rejected": "b"})
    words = ("--prompts", prompts, *compared, "--demonstrations", held, "--verdicts", verdicts)
    outcome = plaudit("evaluate", *words)
    assert outcome.status == 0
    for title in ("win rate", "baseline", "perplexity", "Form of the answers"):
        assert title in outcome.out
    assert "report: out/report.html" in outcome.out
    assert {"report.html", "summary.json", "win_rates.png", "samples.jsonl", "inputs.json"} <= set(os.listdir("out"))
    summary = json.loads(Path("out/summary.json").read_text())
    assert summary["result"]["num_prompts"] == 6
    assert summary["reward_model"]["accuracy"]["n"] == 1
    assert summary["result"]["baseline"]["perplexity"] > 1


def test_an_evaluation_is_not_told_to_be_continued(
    plaudit: Plaudit, prompts: Path, compared: tuple[object, ...]
) -> None:
    with prompts.open("a") as file:
        file.write('{"prompt": 1}\n')
    words = ("evaluate", "--prompts", prompts, *compared, "--on-error", "skip")
    assert "left out 1: rows that cannot be read" in plaudit(*words).out
    again = plaudit(*words)
    assert again.status == 2
    assert again.err.rstrip().endswith("Give another folder")


def test_a_long_demonstration_is_refused_before_the_sampling(
    plaudit: Plaudit, prompts: Path, compared: tuple[object, ...], tmp_path: Path
) -> None:
    """By the name of a setting that the command has."""
    held = write_rows(tmp_path / "held.jsonl", {"prompt": "unseen", "completion": "yes " * 20})
    words = ("evaluate", "--prompts", prompts, *compared, "--demonstrations", held, "--max-tokens")
    message = plaudit(*words, "50").refused()
    assert "over max_tokens = 50 (1 of 1 are): raise max_tokens, or leave them out of the file" in message
    assert not Path("out").exists()
    assert plaudit(*words, "200").status == 0


def test_a_function_judges(plaudit: Plaudit, prompts: Path, compared: tuple[object, ...], tmp_path: Path) -> None:
    """With the columns of the prompts; what the model gained by it stands in the table."""
    body = (
        "def far(prompts, completions, harbour):\n    return [h + len(c) / 100 for h, c in zip(harbour, completions)]\n"
    )
    (tmp_path / "f.py").write_text(body)
    words = ("--prompts", prompts, *compared, "--judge", "function", "--reward-function", "f.py:far")
    outcome = plaudit("evaluate", *words)
    assert outcome.status == 0
    assert "What the answers are worth to the judge" in outcome.out
    assert " gain" in outcome.out
    result = json.loads(Path("out/summary.json").read_text())["result"]
    (entrant,) = result["entrants"]
    assert 2.5 < entrant["utility"]["value"] < 2.7  # the mean of 0 to 5, and some letters
    assert entrant["gain"]["value"] == pytest.approx(
        entrant["utility"]["value"] - result["baseline"]["utility"]["value"]
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--judge", "function"), "reward_function and judge = function belong together"),
        (("--reward-function", "f.py:far"), "reward_function and judge = function belong together"),
        (("--judge", "function", "--reward-function", "g.py:far"), "there is no file g.py"),
        (("--judge", "function", "--reward-function", "f.py:near"), "f.py has no function 'near'; it has far"),
    ],
)
def test_a_judging_function_that_cannot_be_had(
    plaudit: Plaudit,
    prompts: Path,
    compared: tuple[object, ...],
    tmp_path: Path,
    options: tuple[str, ...],
    message: str,
) -> None:
    (tmp_path / "f.py").write_text("def far(prompts, completions):\n    return [0] * len(prompts)\n")
    assert message in plaudit("evaluate", "--prompts", prompts, *compared, *options).refused()
    assert not Path("out").exists()


def test_people_judge(plaudit: Plaudit, prompts: Path, compared: tuple[object, ...], tmp_path: Path) -> None:
    words = ("--prompts", prompts, *compared)
    assert plaudit("evaluate", *words).status == 0
    rows = [json.loads(line) for line in Path("out/samples.jsonl").read_text().splitlines()]
    by_prompt: dict[str, list[dict[str, object]]] = {}
    for row in rows:
        by_prompt.setdefault(row["prompt_id"], []).append(row)
    verdicts = [
        {"prompt": one["prompt"], "chosen": _said(two), "rejected": _said(one)} for one, two in by_prompt.values()
    ]
    write_rows(tmp_path / "verdicts.jsonl", *verdicts)
    shutil.rmtree("out")
    outcome = plaudit("evaluate", *words, "--judge", "people", "--verdicts", "verdicts.jsonl")
    assert outcome.status == 0
    result = json.loads(Path("out/summary.json").read_text())["result"]
    (entrant,) = result["entrants"]
    assert entrant["win_rate"]["value"] == 1.0
    assert entrant["num_left_out"] == 6 * 3


def test_people_calibrate_a_judge(plaudit: Plaudit, compared: tuple[object, ...], tmp_path: Path) -> None:
    """First with their rows on too few prompts, then on as many as are needed."""
    held = write_rows(tmp_path / "many.jsonl", *({"prompt": f"new {i}"} for i in range(14)))
    words = ("--prompts", held, *compared)
    assert plaudit("evaluate", *words).status == 0
    rows = [json.loads(line) for line in Path("out/samples.jsonl").read_text().splitlines()]
    pairs = list(zip(rows[::2], rows[1::2], strict=True))
    verdicts = [{"prompt": one["prompt"], "chosen": _said(two), "rejected": _said(one)} for one, two in pairs]
    for num, told in ((9, True), (12, False)):
        write_rows(tmp_path / "people.jsonl", *verdicts[:num])
        shutil.rmtree("out")
        outcome = plaudit("evaluate", *words, "--people", "people.jsonl")
        assert outcome.status == 0
        note = "The judge is not calibrated: people judged answers to 9 of the prompts, and at least 10 are needed."
        assert (note in outcome.out) is told
        assert ("The judge, calibrated by people" in outcome.out) is not told
    (entrant,) = json.loads(Path("out/summary.json").read_text())["result"]["entrants"]
    rates = entrant["calibrated"]["win_rates"]
    assert (rates["people_only"]["value"], rates["people_only"]["n"], rates["num_unlabelled"]) == (1.0, 12, 14 * 4 - 12)
    assert entrant["calibrated"]["position"] is None
    assert Path("out/calibration.png").exists()
    assert "The judge, calibrated by people" in Path("out/report.html").read_text()
    assert "people.jsonl" in Path("out/inputs.json").read_text()
    message = plaudit("evaluate", *words, "--people", "people.jsonl", "--judge", "people").refused()
    assert "--people calibrates a judge that is none" in message


def _said(row: dict[str, object]) -> list[dict[str, str]]:
    return [{"role": "assistant", "content": row["answers"][0]["text"]}]


@pytest.mark.parametrize("prompt", ["question 3", "asked 2", "listed"])
def test_prompts_that_any_of_the_models_was_trained_on_are_refused(
    plaudit: Plaudit, trained: Trained, tmp_path: Path, prompt: str
) -> None:
    """Demonstrations of the model it started from, rankings of the reward model, prompts of its own."""
    listed = write_rows(tmp_path / "listed.jsonl", {"prompt": "listed"})
    words = ("--data", listed, "--model", trained.sft, "--reward-model", trained.reward, "--out", "ppo", *FEW_ANSWERS)
    assert plaudit("ppo", *words).status == 0
    write_rows(tmp_path / "test.jsonl", {"prompt": "unseen"}, {"prompt": prompt})
    words = ("--prompts", "test.jsonl", "--model", "ppo/model", "--against", trained.sft, "--out", "out", *SHORT)
    message = plaudit("evaluate", *words, "--reward-model", trained.reward).refused()
    assert f"1 of the 2 prompts to evaluate on were trained on: '{prompt}'" in message
    assert not Path("out").exists()


def test_files_named_as_trained_on_count_too(
    plaudit: Plaudit, prompts: Path, compared: tuple[object, ...], tmp_path: Path
) -> None:
    more = write_rows(tmp_path / "more.jsonl", {"prompt": "new 2", "completion": "x"})
    message = plaudit("evaluate", "--prompts", prompts, *compared, "--train-data", more).refused()
    assert "1 of the 6 prompts to evaluate on were trained on: 'new 2'" in message


def test_prompts_in_a_column_of_another_name_and_a_template(
    plaudit: Plaudit, compared: tuple[object, ...], tmp_path: Path
) -> None:
    write_rows(tmp_path / "asked.jsonl", {"question": "one"}, {"question": "two"})
    more = write_rows(tmp_path / "more.jsonl", {"prompt": "Say: one"}, {"prompt": "two"})
    named = ("--prompts", "asked.jsonl", "--columns", "prompt=question", "--input-template", "Say: {}")
    message = plaudit("evaluate", *named, *compared, "--train-data", more).refused()
    assert "1 of the 2 prompts to evaluate on were trained on: 'Say: one'" in message


def test_training_data_that_is_gone_is_told(
    plaudit: Plaudit, prompts: Path, demonstrations: Path, trained: Trained
) -> None:
    words = ("--data", demonstrations, "--model", "tiny", "--out", "mine", "--epochs.num-epochs", "1")
    assert plaudit("sft", *words).status == 0
    demonstrations.write_text('{"prompt": "changed", "completion": "x"}\n')
    words = ("--prompts", prompts, "--model", "mine/model", "--against", "tiny", "--out", "out", *SHORT)
    outcome = plaudit("evaluate", *words, "--reward-model", trained.reward)
    assert outcome.status == 0
    assert "not checked: whether mine was trained on these prompts" in outcome.out
    assert "has changed since" in outcome.out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--model", "tiny"), "model and against are both 'tiny': name two models"),
        (("--reward-model", "tiny"), "reward_model 'tiny' is a language model, not a reward model"),
        (("--judge", "people"), "judge = people needs their comparisons or rankings"),
        (("--judge", "model"), "which model of http://localhost:8000/v1?"),
        (("--verdicts", "prompts.jsonl"), "reads comparisons or rankings, and prompts.jsonl holds prompts"),
        (("--out", "."), "the run folder . is not empty"),
        (("--people", "prompts.jsonl"), "`plaudit evaluate --people` reads comparisons or rankings"),
        (("--people", "nowhere.jsonl"), "there is no file nowhere.jsonl"),
    ],
)
def test_what_is_refused(
    plaudit: Plaudit, prompts: Path, compared: tuple[object, ...], words: tuple[str, ...], message: str
) -> None:
    given = dict(zip(compared[::2], compared[1::2], strict=True)) | dict(zip(words[::2], words[1::2], strict=True))
    flat = [word for pair in given.items() for word in pair]
    assert message in plaudit("evaluate", "--prompts", prompts.name, *flat).refused()
