"""What goes wrong in a run, and what it leaves: a clear message, an honest status, a checkpoint to go on from."""

import errno
import json
import math
import os
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file

from plaudit.batches.rollouts import Rollouts
from plaudit.checkpoints import folder as folder_module
from plaudit.checkpoints.folder import latest_checkpoint
from plaudit.models.load import load_causal_lm
from plaudit.rewards import FunctionScorer, Scores
from plaudit.runs import PhaseTimer, RunDirectory, read_metrics
from plaudit.runs.directory import as_json
from plaudit.runs.manifest import read_manifest
from plaudit.schemas.errors import PlauditError
from plaudit.trainers import online, sft
from plaudit.trainers.epochs import EpochsConfig
from plaudit.trainers.ppo import PPO, train
from tests.trainers.test_guards import taught_to_write_es, without_e
from tests.trainers.test_sft import config_of as sft_config
from tests.trainers.toy import ES, PROMPTS, demonstrations, experience, fast, ppo_config, snapshot


def status(out: Path) -> str:
    return read_manifest(out / "manifest.json").status


def last_step(out: Path) -> int:
    """The step of the newest checkpoint that verifies."""
    manifest = read_manifest(out / "manifest.json")
    return latest_checkpoint(RunDirectory(out, manifest, {}))[0]


class Failing:
    """The toy scorer, whose n-th call gives a bad score or raises."""

    def __init__(self, num: int, bad: float | BaseException) -> None:
        self.num, self.bad, self.calls = num, bad, 0

    def __call__(self, prompts: object, rollouts: Rollouts) -> Scores:
        self.calls += 1
        scores = ES(prompts, rollouts)  # type: ignore[arg-type]
        if self.calls != self.num:
            return scores
        if isinstance(self.bad, BaseException):
            raise self.bad
        scores.total[0] = self.bad
        return scores


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_score_that_is_no_number_ends_the_run(start: str, tmp_path: Path, bad: float) -> None:
    config = ppo_config(start, tmp_path / "run", num_steps=4, checkpoint_every=1)
    with pytest.raises(PlauditError, match="not finite: look at the reward model or function"):
        train(config, PROMPTS, scorer=Failing(3, bad))
    assert (status(tmp_path / "run"), last_step(tmp_path / "run")) == ("failed", 2)
    assert not (tmp_path / "run" / "model").exists()


def test_a_function_that_returns_nan_is_named(start: str, tmp_path: Path) -> None:
    def function(prompts: list[str], completions: list[str]) -> list[float]:
        return [math.nan] * len(completions)

    with pytest.raises(
        PlauditError, match="one finite number a completion: 8 completions, got 8 values, 8 of them not"
    ):
        train(ppo_config(start, tmp_path / "run"), PROMPTS, scorer=FunctionScorer(function))


def test_a_rate_far_too_high_ends_the_run_with_the_last_checkpoint_intact(start: str, tmp_path: Path) -> None:
    """The weights become numbers that overflow; the update after that is refused before it moves anything."""
    settings = {"num_steps": 6, "checkpoint_every": 1, "num_minibatches": 1, "num_epochs": 1}
    config = ppo_config(start, tmp_path / "run", optimiser=fast(1e30), **settings)
    with pytest.raises(PlauditError, match=r"gradient is nan at update \d: the last good checkpoint is intact. Lower"):
        train(config, PROMPTS, scorer=ES)
    assert status(tmp_path / "run") == "failed"
    assert last_step(tmp_path / "run") >= 1


def test_a_loss_that_is_no_number_ends_fine_tuning(tmp_path: Path) -> None:
    config = sft_config(
        tmp_path / "run", optimiser=fast(1e30), epochs=EpochsConfig(num_epochs=4, batch_size=50), validation_frac=0
    )
    with pytest.raises(PlauditError, match=r"(loss|gradient) is nan .*[Ll]ower learning_rate"):
        sft.train(config, demonstrations(32))
    assert (status(tmp_path / "run"), last_step(tmp_path / "run")) == ("failed", 1)


def test_a_sampler_that_disagrees_ends_the_run(start: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The guard's message through a whole run; what was learnt until then is kept."""
    answers = experience(answers_per_prompt=16)
    config = ppo_config(
        start, tmp_path / "run", num_steps=8, checkpoint_every=1, optimiser=fast(1e-9), experience=answers
    )
    real = PPO.step

    def step(self: PPO, number: int) -> object:
        if number == 2:
            taught_to_write_es(self)
            without_e(monkeypatch, start)
        return real(self, number)

    monkeypatch.setattr(PPO, "step", step)
    with pytest.raises(PlauditError, match="sampler's and the learner's distributions differ"):
        train(config, PROMPTS, scorer=ES)
    assert status(tmp_path / "run") == "stopped"
    assert 3 <= last_step(tmp_path / "run") < 8


def test_ctrl_c_leaves_a_run_that_can_go_on(start: str, tmp_path: Path) -> None:
    config = ppo_config(start, tmp_path / "run", num_steps=4, checkpoint_every=1)
    with pytest.raises(KeyboardInterrupt):
        train(config, PROMPTS, scorer=Failing(3, KeyboardInterrupt()))
    assert (status(tmp_path / "run"), last_step(tmp_path / "run")) == ("interrupted", 2)
    train(ppo_config(start, tmp_path / "run", num_steps=4, checkpoint_every=1, resume=True), PROMPTS, scorer=ES)
    assert status(tmp_path / "run") == "finished"
    assert [row["step"] for row in read_metrics(tmp_path / "run" / "metrics.jsonl")] == [1, 2, 3, 4]


def test_a_full_disk_while_saving_keeps_the_checkpoint_before(
    start: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, save = tmp_path / "run", folder_module.save_file
    calls = []

    def full(*arguments: object) -> None:
        calls.append(1)
        if len(calls) == 3:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        save(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(folder_module, "save_file", full)
    config = ppo_config(start, out, num_steps=4, checkpoint_every=1)
    with pytest.raises(PlauditError, match=r"step-000003: No space left on device.*Free some space.*--resume"):
        train(config, PROMPTS, scorer=ES)
    assert status(out) == "failed"
    assert sorted(path.name for path in (out / "checkpoints").iterdir()) == ["step-000001", "step-000002"]
    train(ppo_config(start, out, num_steps=4, checkpoint_every=1, resume=True), PROMPTS, scorer=ES)
    assert status(out) == "finished"


def test_a_damaged_checkpoint_is_passed_over_and_named(
    start: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In the log and on the terminal. The one before is used, the steps after it are done again, the run ends as any."""
    out = tmp_path / "run"
    settings = {"num_steps": 4, "checkpoint_every": 1}
    with pytest.raises(KeyboardInterrupt):
        train(ppo_config(start, out, **settings), PROMPTS, scorer=Failing(4, KeyboardInterrupt()))
    damaged = out / "checkpoints" / "step-000003" / "tensors.safetensors"
    content = bytearray(damaged.read_bytes())
    content[len(content) // 2] ^= 1
    damaged.write_bytes(content)
    again = Failing(-1, 0.0)
    train(ppo_config(start, out, resume=True, **settings), PROMPTS, scorer=again)
    assert again.calls == 2  # steps 3 and 4
    log = (out / "log.txt").read_text()
    says = "step-000003 is damaged: tensors.safetensors is not what was written; using the one before"
    assert says in log
    assert says in capsys.readouterr().err
    assert [row["step"] for row in read_metrics(out / "metrics.jsonl")] == [1, 2, 3, 4]
    train(ppo_config(start, tmp_path / "whole", **settings), PROMPTS, scorer=ES)
    model = "model/model.safetensors"
    assert (out / model).read_bytes() == (tmp_path / "whole" / model).read_bytes()


def test_a_run_leaves_policy_critic_settings_metrics_and_samples(start: str, tmp_path: Path) -> None:
    out = tmp_path / "run"
    config = ppo_config(start, out, num_steps=3, checkpoint_every=2, num_checkpoints=1)
    kept: list[PPO] = []
    real = PPO.step

    def step(self: PPO, number: int) -> object:
        kept.append(self)
        return real(self, number)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PPO, "step", step)
        result = train(config, PROMPTS, scorer=ES)
    assert status(out) == "finished"
    value = load_file(out / "value" / "value_head.safetensors")
    expected = snapshot(kept[-1].value.trained_parameters())
    assert value.keys() == expected.keys()
    assert all(torch.equal(value[name], expected[name]) for name in expected)
    assert value["head.weight"].any()
    model = load_causal_lm(str(result.folder)).state_dict()
    trained = snapshot(kept[-1].policy.trained_parameters())
    assert all(torch.equal(model[name], tensor) for name, tensor in trained.items())
    rows = read_metrics(out / "metrics.jsonl")
    assert [(row["step"], row["episodes"]) for row in rows] == [(1, 8), (2, 16), (3, 24)]
    phases = {name for name in rows[0] if name.startswith("seconds/")}
    assert phases == {f"seconds/{name}" for name in ("sample", "trunk", "score", "reference", "value", "update")}
    samples = [json.loads(line) for line in (out / "samples.jsonl").read_text().splitlines()]
    assert [sample["step"] for sample in samples] == [1] * 8 + [2] * 8 + [3] * 8
    assert [path.name for path in (out / "checkpoints").iterdir()] == ["step-000002"]
    saved = json.loads((out / "config.json").read_text())
    assert saved["kl_coef"] == config.kl_coef
    assert saved["experience"] == as_json(config.experience)
    assert result.metrics["score/mean"] == rows[-1]["score/mean"]
    card = (result.folder / "README.md").read_text()
    assert "improved by PPO" in card
    assert f"| score/mean | {rows[-1]['score/mean']:.4g} |" in card


def test_the_speed_is_in_answer_tokens_a_second_of_the_step(
    start: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a clock that is looked at before and after each step, and goes on by four seconds each time."""
    monkeypatch.setattr(online, "time", SimpleNamespace(perf_counter=count(0, 4).__next__))
    train(ppo_config(start, tmp_path / "run", num_steps=3), PROMPTS, scorer=ES)
    for row in read_metrics(tmp_path / "run" / "metrics.jsonl"):
        assert row["tokens_per_s"] == pytest.approx(8 * row["answer/length"] / 4)


def test_cpu_seconds_are_those_of_learning_not_of_the_monitor(start: str, tmp_path: Path) -> None:
    """By a clock that goes on by a second each time it is looked at."""
    timer = PhaseTimer(cpu=count(0.0, 1.0).__next__)
    for phase in ("sample", "monitor", "update"):
        with timer(phase):
            timer.cpu_seconds()
    spent = timer.cpu_seconds()
    assert spent["monitor"] > 0
    assert online.learning_cpu_seconds(timer) == spent["sample"] + spent["update"]
    train(ppo_config(start, tmp_path / "run", num_steps=2), PROMPTS, scorer=ES)
    assert all(row["cpu_seconds"] > 0 for row in read_metrics(tmp_path / "run" / "metrics.jsonl"))


def test_without_checkpoints_none_is_written(start: str, tmp_path: Path) -> None:
    train(ppo_config(start, tmp_path / "run", checkpoint_every=0), PROMPTS, scorer=ES)
    assert not (tmp_path / "run" / "checkpoints").exists()


def test_a_folder_that_holds_a_run_is_not_overwritten(start: str, tmp_path: Path) -> None:
    train(ppo_config(start, tmp_path / "run"), PROMPTS, scorer=ES)
    before = (tmp_path / "run" / "metrics.jsonl").read_bytes()
    with pytest.raises(PlauditError, match=r"already holds a `ppo` run .*--resume"):
        train(ppo_config(start, tmp_path / "run"), PROMPTS, scorer=ES)
    assert (tmp_path / "run" / "metrics.jsonl").read_bytes() == before
