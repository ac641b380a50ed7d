"""DPO: its loss against a slow one, its reference, what it learns."""

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM

from plaudit.batches.preferences import EncodedGroup, collated_groups
from plaudit.models.load import Precision, load_causal_lm
from plaudit.models.policy import PolicyModel
from plaudit.runs import read_metrics
from plaudit.schemas.errors import PlauditError
from plaudit.trainers import dpo
from plaudit.trainers.dpo import DPOConfig, PreferenceLoss, answer_logprobs, train
from plaudit.trainers.epochs import EpochsConfig
from tests.trainers.test_reward import groups_of
from tests.trainers.toy import ALL, LORA, UPPER, fast, moved, rankings

every_way = pytest.mark.parametrize("layers", [ALL, UPPER, LORA], ids=["all", "upper", "lora"])


def config_of(start: str, out: Path | str = "", **changes: object) -> DPOConfig:
    settings = {
        "model": start,
        "out": str(out),
        "train": UPPER,
        "optimiser": fast(),
        "epochs": EpochsConfig(num_epochs=2, batch_size=4, micro_batch_size=4),
        "precision": Precision.FLOAT32,
        **changes,
    }
    return DPOConfig(**settings)  # type: ignore[arg-type]


def slow_logprobs(model: torch.nn.Module, groups: list[EncodedGroup]) -> list[list[float]]:
    """log p(answer), summed over its tokens, a row at a time by plain transformers."""
    result = []
    for group in groups:
        sums = []
        for row in group.rows:
            with torch.no_grad():
                logprobs = torch.log_softmax(model(input_ids=torch.tensor([row.token_ids])).logits[0].double(), -1)
            counted = [t for t, counts in enumerate(row.answer_mask) if counts]
            sums.append(sum(float(logprobs[t - 1, row.token_ids[t]]) for t in counted))
        result.append(sums)
    return result


@pytest.mark.parametrize("beta", [0.1, 0.5])
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("micro", [1, 16])
def test_the_loss_against_a_slow_one(start: str, beta: float, smoothing: float, micro: int) -> None:
    """-log sigmoid of beta times the difference of the log-ratios, soft labels and weights; the policy has moved."""
    policy, groups = PolicyModel(load_causal_lm(start), UPPER), groups_of(start)
    epochs = EpochsConfig(micro_batch_size=micro)
    config = config_of(start, beta=beta, label_smoothing=smoothing, epochs=epochs)
    data = collated_groups(groups, 0)
    objective = PreferenceLoss(policy, data, data, config)
    moved(policy)
    p = slow_logprobs(policy.full, groups)
    q = slow_logprobs(AutoModelForCausalLM.from_pretrained(start), groups)
    total = right = weight_sum = strict_sum = 0.0
    for i, group in enumerate(groups):
        for a, b, target, weight, _ in group.pairs:
            logit = beta * ((p[i][a] - q[i][a]) - (p[i][b] - q[i][b]))
            smoothed = (1 - smoothing) * target + smoothing * (1 - target)
            total -= weight * smoothed * math.log(1 / (1 + math.exp(-logit)))
            total -= weight * (1 - smoothed) * math.log(1 / (1 + math.exp(logit)))
            weight_sum += weight
            if target != 0.5:
                right += weight * ((logit > 0) == (target > 0.5))
                strict_sum += weight
    expected = {"loss": total / weight_sum, "accuracy": right / strict_sum}
    assert strict_sum < weight_sum
    assert abs(expected["loss"] - math.log(2)) > 1e-3
    assert objective.backward(torch.tensor([2, 0, 1])) == pytest.approx(expected, abs=1e-4)
    assert objective.validation() == pytest.approx(expected, abs=1e-4)


@every_way
def test_before_any_update_every_pair_is_even(start: str, layers: object) -> None:
    """Policy and reference are one: log 2 for every pair, whatever the reference thinks of the answers."""
    policy = PolicyModel(load_causal_lm(start), layers)  # type: ignore[arg-type]
    data = collated_groups(groups_of(start), 0)
    found = PreferenceLoss(policy, data, None, config_of(start)).backward(torch.arange(3))
    assert found["loss"] == pytest.approx(math.log(2), abs=1e-5)


def test_a_pair_that_is_even_is_half_right(start: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """However it was labelled: before training nothing is known of any pair."""
    monkeypatch.setattr(dpo, "dpo_logits", lambda a, *_, beta: 0 * a)
    policy = PolicyModel(load_causal_lm(start), UPPER)
    data = collated_groups(groups_of(start), 0)
    for targets in (data.targets, torch.ones_like(data.targets), torch.zeros_like(data.targets)):
        one = replace(data, targets=targets)
        objective = PreferenceLoss(policy, one, one, config_of(start))
        for found in (objective.backward(torch.arange(3)), objective.validation()):
            assert found is not None
            assert found["accuracy"] == pytest.approx(0.5)


def test_ties_alone_have_no_accuracy(start: str) -> None:
    policy = PolicyModel(load_causal_lm(start), UPPER)
    data = collated_groups(groups_of(start), 0)
    ties = replace(data, targets=torch.full_like(data.targets, 0.5))
    objective = PreferenceLoss(policy, ties, ties, config_of(start))
    for found in (objective.backward(torch.arange(3)), objective.validation()):
        assert found is not None
        assert math.isfinite(found["loss"])
        assert math.isnan(found["accuracy"])


@every_way
def test_the_reference_is_asked_once_before_training_and_stays(start: str, layers: object) -> None:
    policy = PolicyModel(load_causal_lm(start), layers)  # type: ignore[arg-type]
    groups = groups_of(start)
    objective = PreferenceLoss(policy, collated_groups(groups, 0), None, config_of(start))
    moved(policy, by=0.5)
    reference = policy.reference() if layers is LORA else PolicyModel(load_causal_lm(start), ALL).reference()
    expected = answer_logprobs(reference, collated_groups(groups, 0).rows, 3)
    kept = objective._data.ref_logprobs
    assert kept is not None
    assert torch.allclose(kept, expected, atol=1e-4)
    assert objective.backward(torch.arange(3))["loss"] != pytest.approx(math.log(2), abs=1e-2)


def test_each_answer_runs_once_however_many_its_pairs(start: str) -> None:
    policy = PolicyModel(load_causal_lm(start), UPPER)
    objective = PreferenceLoss(policy, collated_groups(groups_of(start), 0), None, config_of(start))
    num_rows: list[int] = []
    policy.branch.register_forward_pre_hook(lambda _, arguments: num_rows.append(len(arguments[0])))
    objective.backward(torch.arange(3))
    assert sum(num_rows) == 9


def test_a_run_prefers_what_people_prefer(start: str, tmp_path: Path) -> None:
    """More e's. Held-out pairs are ordered better than chance, and the loss on them falls below log 2."""
    epochs = EpochsConfig(num_epochs=3, batch_size=8, micro_batch_size=32)
    settings = {"epochs": epochs, "train": ALL, "beta": 0.3, "validation_frac": 0.25, "optimiser": fast(3e-3)}
    result = train(config_of(start, tmp_path / "run", **settings), rankings(64))
    rows = read_metrics(tmp_path / "run" / "metrics.jsonl")
    assert rows[0]["train/loss"] == pytest.approx(math.log(2), abs=1e-4)
    assert result.fitted.validation is not None
    assert result.fitted.validation["loss"] < math.log(2) - 0.05
    assert result.fitted.validation["accuracy"] > 0.7
    assert "64 prompts, 144 training pairs" in (tmp_path / "run" / "log.txt").read_text()
    card = (result.folder / "README.md").read_text()
    assert "trained by DPO" in card


def test_nothing_to_learn_from_is_refused(start: str, tmp_path: Path) -> None:
    with pytest.raises(PlauditError, match="preferences can be used"):
        train(config_of(start, tmp_path / "run"), [])
