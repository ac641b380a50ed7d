"""recipes/hh_cpu end to end on `tiny` and a miniature of the data, and what it promises about rows and texts."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import tomllib
from dataclasses import asdict, replace
from pathlib import Path
from typing import NoReturn

import pytest

from plaudit.cli.fields import flat_settings, settings_of
from plaudit.cli.settings import parsed
from plaudit.formats import leaked_prompts
from plaudit.models.load import Precision, load_codec
from plaudit.runs import RunDirectory, read_metrics
from plaudit.runs.manifest import read_manifest
from plaudit.schemas.conversation import prompt_id, user
from plaudit.schemas.errors import PlauditError
from plaudit.trainers import epochs
from recipes.hh_cpu import run
from recipes.hh_cpu.data import check_apart, dialogue_id, people, with_shuffled_labels, with_swapped_sides
from recipes.hh_cpu.run import main
from recipes.hh_cpu.settings import HHConfig
from tests.recipes.conftest import NUM_DEMONSTRATIONS, NUM_DIALOGUES, SECRET

RECIPE = Path(__file__).parents[2] / "recipes" / "hh_cpu"
TINY = """
model = "tiny"
num_upper = 1
precision = "float32"

[subsets]
num_demonstrations = 24
num_held_demonstrations = 6
num_train_pairs = 48
num_test_pairs = 24
num_shuffled_pairs = 16
num_swapped_pairs = 8
num_eval_prompts = 6
max_tokens = 120
max_prompt_tokens = 60

[sft]
learning_rate = 1e-2
num_epochs = 1

[reward]
learning_rate = 1e-2
num_epochs = 4

[dpo]
learning_rate = 1e-3
num_epochs = 1

[ppo]
num_steps = 2
prompts_per_step = 4
answers_per_prompt = 2
max_new_tokens = 6
"""


@pytest.fixture(scope="session")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("settings") / "tiny.toml"
    path.write_text(TINY, encoding="utf-8")
    return path


@pytest.fixture
def config(settings: Path, miniature: Path) -> HHConfig:
    return parsed(HHConfig, ["--config", str(settings), "--data", str(miniature)], name="hh_cpu")


@pytest.fixture(scope="session")
def told(settings: Path, miniature: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a whole run."""
    out = tmp_path_factory.mktemp("told") / "out"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PLAUDIT_DATA", str(miniature))
        assert main(["--config", str(settings), "--out", str(out)]) == 0
    return out


def found_in(folder: Path) -> dict[str, object]:
    summary = json.loads((folder / "summary.json").read_text())
    assert isinstance(summary, dict)
    return summary


def test_the_summary_has_what_was_asked(told: Path) -> None:
    summary = found_in(told)
    accuracy = summary["reward_accuracy"]
    assert accuracy["n"] == 24
    assert 0 <= accuracy["low"] <= accuracy["value"] <= accuracy["high"] <= 1
    assert set(summary["reward_accuracy_by_source"]) == {"helpful", "harmless"}
    assert sum(part["n"] for part in summary["reward_accuracy_by_length_difference"].values()) == 24
    assert 0 <= summary["reward_expected_calibration_error"] <= 1
    # What is better stands in the answer's letters: it is learnt, and from labels that say nothing it is not.
    assert accuracy["value"] > 0.9
    assert abs(summary["shuffled_labels_accuracy"]["value"] - 0.5) < 0.35
    # Scores are computed row by row; the rows beside it may move the last bits of a float32.
    assert summary["swapped_sides_largest_change"] < 1e-5 * max(1.0, summary["score_deviation"])
    assert set(summary["score_gains"]) == {"PPO", "DPO", "best of 4"}
    assert set(summary["methods"]) == {"SFT", "PPO", "DPO", "best of 4"}
    assert summary["methods"]["PPO"]["kl"] is not None
    assert set(summary["seconds_by_phase"]) == {
        "sft",
        "reward",
        "shuffled",
        "pairs",
        "ppo",
        "dpo",
        "answers",
        "results",
    }
    assert summary["seconds"] == pytest.approx(sum(summary["seconds_by_phase"].values()))
    assert summary["methods"]["PPO"]["cpu_seconds"] == pytest.approx(
        summary["cpu_seconds_by_phase"]["ppo"] + summary["cpu_seconds_by_phase"]["reward"]
    )


def test_baselines_are_chosen_on_training_pairs(told: Path) -> None:
    """Helpful answers are better long, harmless ones short: told the set, a rule of length is always right."""
    baselines = found_in(told)["baselines"]
    assert list(baselines) == [
        "length",
        "length, told the set",
        "the SFT model's log-likelihood",
        "linear probe on frozen features",
    ]
    by_set = baselines["length, told the set"]
    assert by_set["chosen"] == "harmless: shorter, helpful: longer"
    assert by_set["accuracy"]["value"] == 1.0
    length = baselines["length"]
    right = {"longer": "helpful", "shorter": "harmless"}[length["chosen"]]
    wrong = {"longer": "harmless", "shorter": "helpful"}[length["chosen"]]
    assert (length["accuracy_by_source"][right]["value"], length["accuracy_by_source"][wrong]["value"]) == (1.0, 0.0)
    # An e or an o: the probe reads it off the first layer's states.
    assert baselines["linear probe on frozen features"]["accuracy"]["value"] > 0.9
    for baseline in baselines.values():
        test = baseline["mcnemar"]
        assert test["only_reward_model_right"] + test["only_baseline_right"] <= test["num_pairs"] <= 24
        assert 0 <= test["p_value"] <= 1


def test_nothing_that_is_shown_holds_peoples_texts(told: Path) -> None:
    page = (told / "report.html").read_text()
    assert "Which answer did people prefer?" in page
    assert SECRET not in page.lower() + (told / "summary.json").read_text().lower()
    assert not re.search(r"(src|href)\s*=\s*[\"']?https?:", page)


def test_the_same_command_does_only_what_is_missing(
    told: Path, settings: Path, miniature: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two stages taken out of the list are done again, with the same numbers; and who asks for samples gets them."""
    out = shutil.copytree(told, tmp_path / "out")
    saved = json.loads((out / "stages.json").read_text())
    for name in ("shuffled", "pairs"):
        del saved["stages"][name]
    (out / "stages.json").write_text(json.dumps(saved))
    command = ["--config", str(settings), "--data", str(miniature), "--out", str(out)]
    assert main([*command, "--show-samples"]) == 0
    headings = [line for line in capsys.readouterr().out.splitlines() if line.startswith("==")]
    fresh = [line for line in headings if not line.endswith("done before")]
    assert fresh == ["== the same on shuffled labels", "== held-out pairs"]
    assert (out / "pairs.safetensors").read_bytes() == (told / "pairs.safetensors").read_bytes()
    assert not list(out.glob("*/checkpoints"))
    page = (out / "report.html").read_text()
    assert page.count('<article class="card sample"') == 6
    assert SECRET in page


def test_a_fit_that_broke_off_goes_on_from_its_last_epoch(
    told: Path, settings: Path, miniature: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C in the second of four epochs, the same command again: the reward model is the one of the whole run."""
    command = ["--config", str(settings), "--data", str(miniature), "--out", str(tmp_path / "out")]
    saved: list[Path] = []

    def interrupting(directory: RunDirectory, num_kept: int) -> None:
        saved.append(directory.path)
        if len(saved) == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(epochs, "keep_latest", interrupting)
        assert main(command) == 130
    assert saved == [tmp_path / "out" / "reward"] * 2

    def enough(records: object, seed: int) -> NoReturn:
        raise KeyboardInterrupt

    monkeypatch.setattr(run, "with_shuffled_labels", enough)
    assert main(command) == 130
    broken, whole = ((folder / "reward" / "metrics.jsonl") for folder in (tmp_path / "out", told))
    assert len(read_metrics(broken)) == len(read_metrics(whole))
    assert len(read_manifest(broken.with_name("manifest.json")).starts) == 2
    weights = "model/model.safetensors"
    assert (broken.parent / weights).read_bytes() == (whole.parent / weights).read_bytes()


def test_another_seed_in_the_same_folder_is_refused(
    told: Path, settings: Path, miniature: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["--config", str(settings), "--data", str(miniature), "--out", str(told), "--seed", "1"]
    assert main(command) == 2
    assert "seed was 0, now 1" in capsys.readouterr().err


def test_a_key_that_is_no_setting_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "typo.toml"
    path.write_text("[subsets]\nnum_trian_pairs = 3\n", encoding="utf-8")
    assert main(["--config", str(path)]) == 2
    assert "no setting subsets.num_trian_pairs; the nearest is subsets.num_train_pairs" in capsys.readouterr().err


def test_settings_that_contradict_each_other_are_refused_before_anything_is_run(
    settings: Path, miniature: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["--config", str(settings), "--data", str(miniature), "--out", str(tmp_path / "out")]
    assert main([*command, "--ppo.answers-per-prompt", "1", "--ppo.prompts-per-step", "8"]) == 2
    assert "answers_per_prompt of at least 2" in capsys.readouterr().err
    assert main([*command, "--subsets.num-shuffled-pairs", "49"]) == 2
    assert "num_shuffled_pairs = 49 are taken from 48 training pairs" in capsys.readouterr().err
    assert main([*command, "--subsets.num-test-pairs", "0"]) == 2
    assert "subsets.num_test_pairs must be at least 1, got 0" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_without_data_it_says_where_to_name_them(
    settings: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("PLAUDIT_DATA", raising=False)
    assert main(["--config", str(settings), "--out", str(tmp_path / "out")]) == 2
    assert "PLAUDIT_DATA is unset" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_ctrl_c_says_how_to_go_on(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted(config: HHConfig) -> Path:
        raise KeyboardInterrupt

    monkeypatch.setattr("recipes.hh_cpu.run.run", interrupted)
    assert main([]) == 130
    assert capsys.readouterr().err == "interrupted: the same command goes on after the last stage that ended\n"


def test_rows_are_drawn_apart(config: HHConfig) -> None:
    found = people(config, load_codec("tiny"))
    assert (len(found.learnt), len(found.held), len(found.train), len(found.test)) == (24, 6, 48, 24)
    assert leaked_prompts([*found.learnt, *found.train], [*found.held, *found.test]) == []
    assert not {dialogue_id(record) for record in found.train} & {dialogue_id(record) for record in found.test}
    assert {prompt_id(prompt) for prompt in found.asked} <= {prompt_id(record.prompt) for record in found.test}
    assert {prompt_id(prompt) for prompt in found.practice} <= {prompt_id(record.prompt) for record in found.train}
    assert {record.source for record in found.train} == {"helpful", "harmless"}
    # The files have the preferred answer first; a judge that looks at the side must not profit.
    first = sum(record.verdict.value == "a" for record in found.train)
    assert 12 <= first <= 36
    every = [message.text for record in (*found.train, *found.test) for message in record.prompt]
    assert not any("long long" in text for text in every)
    assert found.counts["helpful pairs"] == found.counts["harmless pairs"] == NUM_DIALOGUES + 6 + 1
    assert found.counts["demonstrations"] == NUM_DEMONSTRATIONS + 2


def test_dialogues_that_go_on_stay_together(config: HHConfig) -> None:
    """All pairs of a dialogue are on one side of the split, though their prompts differ."""
    every = replace(config.subsets, num_train_pairs=60, num_test_pairs=22)
    found = people(replace(config, subsets=every), load_codec("tiny"))
    openings = [[record.prompt[0].text for record in side] for side in (found.train, found.test)]
    twice = {text for side in openings for text in side if side.count(text) == 2}
    # Twelve dialogues have a second pair; the cut at 60 and 22 may take the last one of a side.
    assert len(twice) >= 10


def test_the_draw_follows_from_the_seed_alone(config: HHConfig) -> None:
    codec = load_codec("tiny")
    first, again, other = (people(replace(config, seed=seed), codec) for seed in (0, 0, 1))
    assert first == again
    assert [record.id for record in first.test] != [record.id for record in other.test]


def test_a_leak_is_refused_without_quoting_it(config: HHConfig) -> None:
    found = people(config, load_codec("tiny"))
    with pytest.raises(PlauditError, match="1 test prompts stand in training") as leak:
        check_apart(replace(found, practice=[*found.practice, found.asked[0]]))
    assert SECRET not in str(leak.value)
    dialogue = found.test[0].model_copy(update={"prompt": (*found.test[0].prompt, user("another turn"))})
    with pytest.raises(PlauditError, match=dialogue_id(dialogue)):
        check_apart(replace(found, train=[*found.train, dialogue]))


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("num_train_pairs", 500, "lower subsets.num_train_pairs"),
        ("num_demonstrations", 500, "lower subsets.num_demonstrations"),
        ("num_eval_prompts", 500, "lower subsets.num_eval_prompts"),
    ],
)
def test_more_rows_than_there_are_is_refused(config: HHConfig, name: str, value: int, says: str) -> None:
    with pytest.raises(PlauditError, match=says):
        people(replace(config, subsets=replace(config.subsets, **{name: value})), load_codec("tiny"))


def test_more_memory_than_allowed_is_refused_before_anything_is_run(
    settings: Path, miniature: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """48 pairs, two answers of 120 tokens, 64 numbers of 4 bytes: 2.9 MB."""
    command = ["--config", str(settings), "--data", str(miniature), "--out", str(tmp_path / "out")]
    assert main([*command, "--max-kept-mb", "2"]) == 2
    assert "keep 3 MB of activations, over max_kept_mb = 2" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_sides_and_labels_are_exchanged_as_told(config: HHConfig) -> None:
    records = people(config, load_codec("tiny")).train
    swapped = with_swapped_sides(records)
    assert [(s.a, s.b) for s in swapped] == [(r.b, r.a) for r in records]
    assert all({s.verdict.value, r.verdict.value} == {"a", "b"} for s, r in zip(swapped, records, strict=True))
    assert with_swapped_sides(swapped) == records
    shuffled = with_shuffled_labels(records, seed=0)
    assert [(s.prompt, s.a, s.b) for s in shuffled] == [(r.prompt, r.a, r.b) for r in records]
    for source in ("helpful", "harmless"):
        agree = [s.verdict is r.verdict for s, r in zip(shuffled, records, strict=True) if r.source == source]
        assert len(agree) > 16
        assert sum(agree) == len(agree) - len(agree) // 2
    assert shuffled == with_shuffled_labels(records, seed=0) != with_shuffled_labels(records, seed=1)


@pytest.mark.parametrize("name", ["quick", "full"])
def test_the_settings_that_are_shipped_are_read(name: str) -> None:
    found = parsed(HHConfig, ["--config", str(RECIPE / f"{name}.toml")], name="hh_cpu")
    written = tomllib.loads((RECIPE / f"{name}.toml").read_text(encoding="utf-8"))
    assert (found.model, found.out) == ("smollm2-135m", f"runs/hh_cpu_{name}")
    assert found.precision is Precision.AUTO
    assert not found.show_samples
    assert set(written["subsets"]) == {setting.name for setting in settings_of(type(found.subsets))}
    if name == "full":
        assert found == HHConfig()
    kept_mb = 2 * found.subsets.num_train_pairs * found.subsets.max_tokens * 576 * 4 / 1e6
    assert kept_mb <= found.max_kept_mb


def settings_table() -> str:
    """The README's table of settings, from the settings themselves."""
    quick = parsed(HHConfig, ["--config", str(RECIPE / "quick.toml")], name="hh_cpu")

    def value_in(config: HHConfig, name: str) -> str:
        value: object = asdict(config)
        for part in name.split("."):
            assert isinstance(value, dict)
            value = value[part]
        return "empty" if value == "" else f"{value:g}" if isinstance(value, float) else str(value).lower()

    rows = ["| setting | full (default) | quick | what it does |", "|---|---|---|---|"]
    for setting in flat_settings(HHConfig):
        name = setting.name
        rows.append(f"| `{name}` | {value_in(HHConfig(), name)} | {value_in(quick, name)} | {setting.doc} |")
    return "\n".join(rows) + "\n"


def test_the_page_explains_every_setting_and_its_commands_work() -> None:
    page = (RECIPE / "README.md").read_text(encoding="utf-8")
    assert settings_table() in page
    commands = re.findall(r"python -m recipes\.hh_cpu\.run ([^`\n]*)", page)
    assert len(commands) == 3
    for command in commands:
        words = [str(RECIPE.parents[1] / word) if word.endswith(".toml") else word for word in shlex.split(command)]
        parsed(HHConfig, words, name="hh_cpu")


def test_help_calls_the_recipe_as_it_is_called(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    assert "usage: python -m recipes.hh_cpu.run" in capsys.readouterr().out
