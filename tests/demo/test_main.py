"""`plaudit demo --model tiny`, whole: what it writes, how long it takes, and how it goes on where it broke off."""

from __future__ import annotations

import json
import math
import re
import shutil
import time
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from plaudit.batches.tokens import collated
from plaudit.cli.main import main
from plaudit.demo.content import Content, content, hidden_utility, questions
from plaudit.demo.main import HELD_PANEL_FRAC
from plaudit.demo.settings import DemoConfig
from plaudit.demo.stages import collected_rankings, policy_of
from plaudit.formats.native import read
from plaudit.formats.splits import split_by_prompt
from plaudit.models.kept import KeptActivations
from plaudit.models.load import load_codec
from plaudit.quality.labels import weighed_preferences
from plaudit.runs import installed_versions
from plaudit.schemas.conversation import prompt_id
from plaudit.schemas.errors import PlauditError
from plaudit.schemas.feedback import Ranking
from plaudit.testing import default_panel
from plaudit.text.preferences import encoded_groups
from plaudit.trainers.reward import preference_groups

METHODS = {"PPO", "DPO", "best of 4"}
STAGES = ["sft", "collect", "reward", "dpo", "ppo", "evaluate"]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a whole dry run. No test changes it."""
    out = tmp_path_factory.mktemp("demo") / "out"
    began = time.process_time()
    assert main(["demo", "--model", "tiny", "--out", str(out)]) == 0
    # Of the processor, because the machine may be busy with other things; the tests use one thread.
    assert time.process_time() - began < 60
    return out


def summary_of(folder: Path) -> dict[str, object]:
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    assert isinstance(summary, dict)
    return summary


def test_the_summary_has_every_figure(told: Path) -> None:
    summary = summary_of(told)
    low, high = summary["win_rate_ci95"]
    assert 0 <= low <= summary["win_rate"] <= high <= 1
    assert summary["win_rate_length_matched"] is None or 0 <= summary["win_rate_length_matched"] <= 1
    assert set(summary["win_rates"]) == METHODS
    assert summary["win_rates"]["PPO"] == summary["win_rate"]
    assert math.isfinite(summary["kl"])
    assert 0 <= summary["reward_model_accuracy"] <= 1
    assert 0 <= summary["stop_frac"] <= 1
    # Of 259 tokens, an untrained model would make it 259.
    assert 1 < summary["perplexity_before"] < 259
    assert 1 < summary["perplexity_after"] < 259
    assert 0 < summary["distinct_before"] <= 1
    assert 0 < summary["distinct_after"] <= 1
    assert list(summary["seconds_by_phase"]) == [*STAGES, "figures"]
    assert summary["seconds"] >= sum(summary["seconds_by_phase"].values()) * (1 - 1e-9)
    assert 100 < summary["peak_rss_mb"] < 6000
    assert summary["seed"] == 0
    assert summary["model"] == "tiny"
    assert summary["versions"] == installed_versions()


def test_the_tricks_are_tabled(told: Path) -> None:
    """With `tiny` for an SFT model their win rates mean nothing; test_tricks.py has what they must not reach."""
    summary = summary_of(told)
    tricks = summary["tricks"]
    assert len(tricks) >= 10
    assert tricks[summary["best_trick"]] == max(tricks.values())
    page = (told / "report.html").read_text(encoding="utf-8")
    assert all(name in page for name in tricks)


class Loads(HTMLParser):
    """Every address that a browser would fetch by itself, and the number of samples."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.num_samples = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        names = {"src", "srcset", "data", "poster", "background"} | ({"href"} if tag == "link" else set())
        self.addresses += [value or "" for name, value in found.items() if name in names]
        self.num_samples += tag == "article" and "sample" in (found.get("class") or "").split()


def test_the_report_loads_nothing(told: Path) -> None:
    text = (told / "report.html").read_text(encoding="utf-8")
    page = Loads()
    page.feed(text)
    assert page.addresses
    assert all(address.startswith("data:image/png;base64,") for address in page.addresses)
    assert "<script" not in text
    assert not re.search(r"url\(|@import", text)


def test_the_report_shows_thirty_unpicked_answers_of_each_model(told: Path) -> None:
    text = (told / "report.html").read_text(encoding="utf-8")
    page = Loads()
    page.feed(text)
    assert page.num_samples >= 30
    asked = [question.prompt[0].text for question in questions("eval")[:30]]
    places = [text.index(prompt.replace("'", "&#39;")) for prompt in asked]
    assert places == sorted(places)


def test_every_figure_of_the_page_is_a_file_too(told: Path) -> None:
    names = {path.stem for path in told.glob("*.png")}
    assert {"win_rates", "training", "reward_against_kl", "seconds"} <= names


def test_the_panel_ranked_the_training_questions_only(told: Path) -> None:
    rankings = list(read(told / "rankings.jsonl"))
    ranked = {prompt_id(record.prompt) for record in rankings if isinstance(record, Ranking)}
    assert ranked <= {prompt_id(question.prompt) for question in questions("train")}
    assert {record.annotator for record in rankings} <= {person.name for person in default_panel()}
    assert all(len(record.completions) == 4 for record in rankings if isinstance(record, Ranking))


def test_what_the_panels_answers_cost_is_known_to_who_learns_from_them(told: Path, tmp_path: Path) -> None:
    config, known = DemoConfig(model="tiny", out=str(shutil.copytree(told, tmp_path / "out"))), KeptActivations()
    asked = content(0, num_held=config.num_held, num_train=config.num_train).train
    rankings = collected_rankings(config, asked, hidden_utility(), known)
    codec, trunk = load_codec(config.model_of("sft")), policy_of(config, "sft").branch.trunk
    encoded, _ = encoded_groups(preference_groups(rankings), codec, max_tokens=512, drop_too_long=False)
    assert trunk is not None
    found = list(known.of(collated([row for group in encoded for row in group.rows], codec.pad_id), trunk.key))
    # Bytes that are no text are written anew when the text is read.
    assert sum(states is not None for states in found) > 0.8 * len(found)


@pytest.mark.parametrize("stage", ["reward", "dpo"])
def test_reward_model_and_dpo_learn_what_the_weighed_panel_makes_of_each_pair(
    stage: str, told: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = shutil.copytree(told, tmp_path / "out")
    saved = json.loads((out / "stages.json").read_text(encoding="utf-8"))
    del saved["stages"][stage]
    (out / "stages.json").write_text(json.dumps(saved), encoding="utf-8")
    given: list[object] = []

    def stopped(config: object, records: list[object], **_: object) -> None:
        given.extend(records)
        raise PlauditError("seen enough")

    monkeypatch.setattr(f"plaudit.demo.main.{stage}.train", stopped)
    assert main(["demo", "--model", "tiny", "--out", str(out)]) == 2
    rankings = [record for record in read(out / "rankings.jsonl") if isinstance(record, Ranking)]
    learnt, _ = split_by_prompt(rankings, HELD_PANEL_FRAC, 0)
    assert given == weighed_preferences(learnt).groups


def test_the_report_says_whom_it_believed(told: Path) -> None:
    panel = summary_of(told)["panel"]
    assert list(panel) == [person.name for person in default_panel()]
    page = (told / "report.html").read_text(encoding="utf-8")
    assert all(f"{person['num_verdicts']}" in page for person in panel.values())


@pytest.mark.parametrize("stage", ["sft", "ppo", "dpo"])
def test_every_model_can_be_loaded_by_its_folder(told: Path, stage: str) -> None:
    from plaudit.models.load import load_causal_lm, load_codec

    assert load_causal_lm(str(told / stage / "model")).config.num_hidden_layers == 2
    assert load_codec(str(told / stage / "model")).stop_id == 2


def headings(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith("== ")]


def test_the_same_command_redoes_only_what_is_missing(
    told: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = shutil.copytree(told, tmp_path / "out")
    saved = json.loads((out / "stages.json").read_text(encoding="utf-8"))
    assert list(saved["stages"]) == STAGES
    del saved["stages"]["evaluate"]
    (out / "stages.json").write_text(json.dumps(saved), encoding="utf-8")
    assert main(["demo", "--model", "tiny", "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    assert [line.endswith("done before") for line in headings(printed)] == [True] * 5 + [False]
    again, before = summary_of(out), summary_of(told)
    # What was measured anew is what was measured before; only the clock has moved on.
    clocks = {"seconds", "seconds_by_phase", "cpu_seconds_by_method", "peak_rss_mb"}
    assert {k: v for k, v in again.items() if k not in clocks} == {k: v for k, v in before.items() if k not in clocks}
    # What to do next is said at the end.
    assert f"plaudit chat --model {out}/ppo/model" in printed
    assert "plaudit sample" in printed


def test_other_settings_in_the_same_folder_are_refused(told: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = {path: path.stat().st_mtime_ns for path in told.rglob("*")}
    assert main(["demo", "--model", "tiny", "--seed", "1", "--out", str(told)]) == 2
    assert "seed was 0, now 1" in capsys.readouterr().err
    assert {path: path.stat().st_mtime_ns for path in told.rglob("*")} == before


def test_a_folder_with_other_things_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "thesis.txt").write_text("all my work", encoding="utf-8")
    assert main(["demo", "--model", "tiny", "--out", str(tmp_path)]) == 2
    assert "give a new folder with --out" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def leaky(which: str) -> Content:
    """The texts, with one of the held-out side in training."""
    whole = content(0, num_held=8, num_train=24, num_eval=32)
    match which:
        case "question":
            return replace(whole, train=[*whole.train, whole.eval[5]])
        case "asked in a demonstration":
            asked = whole.learnt[0].model_copy(update={"prompt": whole.eval[5].prompt})
            return replace(whole, learnt=[*whole.learnt, asked])
        case "demonstration read by PPO":
            return replace(whole, anchor=[*whole.anchor, whole.held[2]])
    return replace(whole, learnt=[*whole.learnt, whole.held[2]])


@pytest.mark.parametrize(
    ("which", "what"),
    [
        ("question", "1 of the 32 prompts"),
        ("asked in a demonstration", "1 of the 32 prompts"),
        ("demonstration", "1 of the 8 held-out demonstrations"),
        ("demonstration read by PPO", "1 of the 8 held-out demonstrations"),
    ],
)
def test_nothing_is_evaluated_on_that_was_trained_on(
    which: str, what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("plaudit.demo.main.content", lambda *_, **__: leaky(which))
    assert main(["demo", "--model", "tiny", "--out", str(tmp_path / "out")]) == 2
    assert f"{what} to evaluate on were trained on" in capsys.readouterr().err
    assert not (tmp_path / "out" / "sft").exists()


def test_rloo_may_be_asked_for_later(told: Path, tmp_path: Path) -> None:
    """What has ended is not repeated, and every other figure stays."""
    out = tmp_path / "out"
    shutil.copytree(told, out)
    assert main(["demo", "--model", "tiny", "--out", str(out), "--rloo"]) == 0
    before, after = summary_of(told), summary_of(out)
    assert set(after["win_rates"]) == METHODS | {"RLOO"}
    assert {name: after["win_rates"][name] for name in METHODS} == before["win_rates"]
    assert list(after["seconds_by_phase"]) == [*STAGES, "rloo", "evaluate_rloo", "figures"]
    assert all(after["seconds_by_phase"][name] == before["seconds_by_phase"][name] for name in STAGES)
    assert "RLOO" in (out / "report.html").read_text(encoding="utf-8")
