"""Reward models and DPO take activations that sampling left instead of computing them again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from plaudit.batches.tokens import collated
from plaudit.models.kept import KeptActivations
from plaudit.models.load import Precision, load_causal_lm, load_codec
from plaudit.models.policy import load_policy
from plaudit.models.reward import load_reward_model
from plaudit.text.preferences import encoded_groups
from plaudit.trainers import dpo, reward
from plaudit.trainers.reward import preference_groups
from tests.trainers import test_dpo, test_reward
from tests.trainers.toy import UPPER, rankings

CPU = torch.device("cpu")
RECORDS = rankings(24)


def kept_of(start: str, times: float) -> KeptActivations:
    """Those of every answer, told too large by a factor."""
    policy = load_policy(start, UPPER, precision=Precision.FLOAT32, device=CPU)
    encoded, _ = encoded_groups(preference_groups(RECORDS), load_codec(start), max_tokens=512, drop_too_long=False)
    rows = policy.prepared(collated([row for group in encoded for row in group.rows], 0))
    assert rows.trunk is not None
    kept = KeptActivations()
    kept.keep(rows.with_trunk(rows.trunk * times, rows.trunk_key))
    return kept


def reward_weights(start: str, out: Path, known: KeptActivations | None) -> torch.Tensor:
    config = test_reward.config_of(start, out, train=UPPER, normalise_on="data")
    folder = str(reward.train(config, RECORDS, known=known).folder)
    return load_reward_model(folder, UPPER, precision=Precision.FLOAT32, device=CPU).head.weight


def dpo_weights(start: str, out: Path, known: KeptActivations | None) -> torch.Tensor:
    folder = str(dpo.train(test_dpo.config_of(start, out), RECORDS, known=known).folder)
    weights: Any = load_causal_lm(folder).base_model.layers[1].mlp.up_proj.weight
    assert isinstance(weights, torch.Tensor)
    return weights


@pytest.mark.parametrize("learnt", [reward_weights, dpo_weights])
def test_known_activations_stand_for_computed_ones(
    learnt: Callable[[str, Path, KeptActivations | None], torch.Tensor], start: str, tmp_path: Path
) -> None:
    plain = learnt(start, tmp_path / "plain", None)
    assert torch.allclose(learnt(start, tmp_path / "known", kept_of(start, 1.0)), plain, atol=1e-4)
    assert not torch.allclose(learnt(start, tmp_path / "wrong", kept_of(start, 2.0)), plain, atol=1e-3)
