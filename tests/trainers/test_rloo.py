"""RLOO: each answer's baseline is the prompt's other answers."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from plaudit.batches.rollouts import Rollouts
from plaudit.models.load import Precision, load_causal_lm
from plaudit.rewards import Scores
from plaudit.runs import read_metrics
from plaudit.runs.manifest import read_manifest
from plaudit.trainers import rloo as rloo_module
from plaudit.trainers.assembly import assembled_actor
from plaudit.trainers.rloo import RLOO, RLOOConfig, answer_advantages, train
from tests.trainers.toy import ES, PROMPTS, UPPER, experience, fast, moved, torch_steps


def config_of(start: str, out: Path | str = "", **changes: object) -> RLOOConfig:
    settings = {
        "model": start,
        "reward_model": "",
        "out": str(out),
        "train": UPPER,
        "experience": experience(prompts_per_step=3, answers_per_prompt=3),
        "num_steps": 2,
        "num_minibatches": 3,
        "optimiser": fast(),
        "precision": Precision.FLOAT32,
        **changes,
    }
    return RLOOConfig(**settings)  # type: ignore[arg-type]


def new_rloo(start: str, **changes: object) -> RLOO:
    config = config_of(start, **changes)
    return RLOO(config, assembled_actor(config, PROMPTS, ES).actor)


def test_advantages_are_returns_over_those_of_the_other_answers(start: str) -> None:
    """Score minus the penalty on the answer's summed divergence, minus the mean of the other two. Four prompts."""
    rloo = new_rloo(start, experience=experience(prompts_per_step=4, answers_per_prompt=3))
    moved(rloo.policy)
    found = rloo.actor.gather(0)
    assert found.kl.abs().min() > 1e-4
    returns = [text.count("e") - 0.3 * kl for text, kl in zip(found.rollouts.texts, found.kl.tolist(), strict=True)]
    expected = []
    for i, value in enumerate(returns):
        others = [returns[j] for j in range(3 * (i // 3), 3 * (i // 3) + 3) if j != i]
        expected.append(value - sum(others) / 2)
    assert answer_advantages(found, 0.3, 3).tolist() == pytest.approx(expected, abs=1e-4)
    assert max(map(abs, expected)) > 0.1


def test_rewards_at_single_tokens_count_in_the_return(start: str) -> None:
    """Whatever stands at tokens of the prompt does not."""
    found = new_rloo(start).actor.gather(0)
    mask = found.rows.answer_mask
    dense = torch.where(mask, torch.arange(mask.shape[1]).float(), torch.nan)
    paid = [sum(t for t, counts in enumerate(row) if counts) for row in mask.tolist()]
    expected = []
    for i, value in enumerate(paid):
        others = [paid[j] for j in range(3 * (i // 3), 3 * (i // 3) + 3) if j != i]
        expected.append(value - sum(others) / 2)
    raw = replace(found.raw, dense=dense)
    found = replace(found, raw=raw, scores=torch.zeros(len(paid)))
    assert answer_advantages(found, 0.0, 3).tolist() == pytest.approx(expected, abs=1e-3)
    assert max(map(abs, expected)) > 1


def spied(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Tensor, ...]]:
    """Old log-probabilities, advantages and masks of every micro-batch, and the divergence from the old policy."""
    seen: list[tuple[Tensor, ...]] = []
    real = rloo_module.clipped_policy_loss

    def spy(logprobs: Tensor, old: Tensor, advantages: Tensor, mask: Tensor, **settings: float) -> object:
        assert settings["clip"] == 0.15
        seen.append((old, advantages, mask, (logprobs - old)[mask].detach()))
        return real(logprobs, old, advantages, mask, **settings)

    monkeypatch.setattr(rloo_module, "clipped_policy_loss", spy)
    return seen


@pytest.mark.parametrize("temperature", [1.0, 0.7])
def test_every_token_of_an_answer_gets_its_advantage_scaled_over_the_batch(
    start: str, monkeypatch: pytest.MonkeyPatch, temperature: float
) -> None:
    sampling = experience(prompts_per_step=3, answers_per_prompt=3, temperature=temperature)
    rloo = new_rloo(start, num_minibatches=1, num_epochs=1, policy_clip=0.15, kl_coef=0.2, experience=sampling)
    moved(rloo.policy)
    seen = spied(monkeypatch)
    found, metrics = rloo.step(0)
    expected = answer_advantages(found, 0.2, 3)
    expected = expected / expected.pow(2).mean().sqrt()  # their mean is 0: the mean square is the variance
    ((old, advantages, mask, log_ratio),) = seen
    assert log_ratio.abs().max() < 1e-4  # the first minibatch's ratio is 1
    rows = {tuple(row[m].tolist()): tuple(a[m].tolist()) for row, a, m in zip(old, advantages, mask, strict=True)}
    assert len(rows) == 9
    for i, m in enumerate(found.rows.answer_mask):
        values = rows[tuple(found.rollouts.logprobs[i][m].tolist())]
        assert values == pytest.approx([expected[i].item()] * int(m.sum()), abs=1e-4)
    assert metrics["updates"] == 1


@pytest.mark.parametrize(("num_minibatches", "num_epochs"), [(1, 1), (3, 2), (9, 1)])
def test_minibatches_times_epochs_are_that_many_optimiser_steps(
    start: str, num_minibatches: int, num_epochs: int
) -> None:
    rloo = new_rloo(start, num_minibatches=num_minibatches, num_epochs=num_epochs, micro_batch_size=2)
    for step in range(2):
        with torch_steps() as made:
            _, metrics = rloo.step(step)
        assert len(made) == metrics["updates"] == num_minibatches * num_epochs
    assert rloo.optimiser.num_done == rloo.optimiser.num_steps


@pytest.mark.parametrize("score", [1.0, -5.1])
def test_answers_all_alike_teach_nothing_and_break_nothing(start: str, score: float) -> None:
    """No advantage, no deviation to divide by, no gradient; Adam's zero step. -5.1 * 3 is rounded in float32."""
    rloo = new_rloo(start, kl_coef=0.0)
    rloo.actor.scorer = lambda _, rollouts: Scores(torch.full((len(rollouts),), score))
    before = [p.detach().clone() for _, p in rloo.policy.trained_parameters()]
    _, metrics = rloo.step(0)
    assert metrics["grad_norm/policy"] == 0
    assert all(torch.equal(p, q) for (_, p), q in zip(rloo.policy.trained_parameters(), before, strict=True))


def test_differences_of_rounding_are_not_scaled_up(start: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Scores one step of float32 apart: divided by their deviation they would be advantages of about 1."""
    rloo = new_rloo(start, kl_coef=0.0, policy_clip=0.15, num_minibatches=1, num_epochs=1)
    other = torch.nextafter(torch.tensor(-5.1), torch.tensor(0.0))
    rloo.actor.scorer = lambda _, rollouts: Scores(torch.tensor([-5.1, -5.1, other] * 3))
    seen = spied(monkeypatch)
    rloo.step(0)
    ((_, advantages, _, _),) = seen
    assert 0 < advantages.abs().max() < 1e-2


def test_a_run_leaves_a_model_metrics_and_samples(start: str, tmp_path: Path) -> None:
    def scorer(_: object, rollouts: Rollouts) -> Scores:
        values = torch.tensor([float(text.count("e")) for text in rollouts.texts])
        return Scores(values, {"es": values})

    result = train(config_of(start, tmp_path / "run"), PROMPTS, scorer=scorer)
    rows = read_metrics(tmp_path / "run" / "metrics.jsonl")
    assert [row["step"] for row in rows] == [1, 2]
    assert [row["episodes"] for row in rows] == [9, 18]
    assert result.metrics["score/es"] == result.metrics["score/mean"]
    assert result.step == 2
    assert read_manifest(tmp_path / "run" / "manifest.json").status == "finished"
    assert load_causal_lm(str(result.folder)).config.num_hidden_layers == 2
    assert "improved by RLOO" in (result.folder / "README.md").read_text()
