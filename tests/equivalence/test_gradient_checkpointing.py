"""Every trainer makes the same updates with gradient checkpointing as without, and really runs its layers again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from plaudit.batches.preferences import collated_groups
from plaudit.models.load import Precision, load_causal_lm, load_codec
from plaudit.models.policy import PolicyModel, TrainLayers
from plaudit.models.reward import new_reward_model
from plaudit.models.save import save_scorer
from plaudit.text.preferences import encoded_groups
from plaudit.trainers import reward as reward_trainer
from plaudit.trainers.dpo import DPOConfig, PreferenceLoss
from plaudit.trainers.epochs import Objective
from plaudit.trainers.optimisation import Optimiser
from plaudit.trainers.ppo import PPO, assembled
from plaudit.trainers.sft import DemonstrationLoss
from tests.equivalence.test_micro_batches import GENTLE, STEADY, every_way
from tests.trainers.toy import PROMPTS, demonstrations, largest_difference, ppo_config, rankings, rows_of, snapshot

TOLERANCE = 1e-6


class Runs:
    """How often the modules it watches were run."""

    def __init__(self, *modules: torch.nn.Module) -> None:
        self.num = 0
        for module in modules:
            module.register_forward_pre_hook(self._count)

    def _count(self, *_: object) -> None:
        self.num += 1


def compared(make: Callable[[bool], tuple[Objective, torch.nn.Module]]) -> None:
    """Two updates each way; with checkpointing the top layer's feed-forward is run twice as often."""
    found, runs = [], []
    for recompute in (False, True):
        objective, top = make(recompute)
        counted = Runs(top)
        optimiser = Optimiser(objective.trained_parameters(), STEADY, 2)
        for _ in range(2):
            objective.backward(torch.arange(objective.num_items))
            optimiser.step()
        found.append(snapshot(objective.trained_parameters()))
        runs.append(counted.num)
    assert largest_difference(*found) < TOLERANCE
    assert runs[1] == 2 * runs[0] > 0


@every_way
def test_sft(start: str, train: TrainLayers) -> None:
    rows = rows_of(load_codec(start), *[(d.prompt[0].text, d.completion[0].text) for d in demonstrations(8)])

    def make(recompute: bool) -> tuple[Objective, torch.nn.Module]:
        policy = PolicyModel(load_causal_lm(start), replace(train, gradient_checkpointing=recompute))
        return DemonstrationLoss(policy, rows, torch.ones(8), None, 4), policy.branch.body.layers[-1].mlp

    compared(make)


@every_way
def test_reward(start: str, train: TrainLayers) -> None:
    groups = reward_trainer.preference_groups(rankings(6))
    encoded, _ = encoded_groups(groups, load_codec(start), max_tokens=99, drop_too_long=False)

    def make(recompute: bool) -> tuple[Objective, torch.nn.Module]:
        layers = replace(train, gradient_checkpointing=recompute)
        model = new_reward_model(start, layers, seed=0, precision=Precision.FLOAT32, pad_id=0)
        data = collated_groups(encoded, 0)
        return reward_trainer.RankingLoss(model, data, None, 4, 0.1), model.branch.body.layers[-1].mlp

    compared(make)


@every_way
def test_dpo(start: str, train: TrainLayers) -> None:
    groups = reward_trainer.preference_groups(rankings(6))
    encoded, _ = encoded_groups(groups, load_codec(start), max_tokens=99, drop_too_long=False)

    def make(recompute: bool) -> tuple[Objective, torch.nn.Module]:
        policy = PolicyModel(load_causal_lm(start), replace(train, gradient_checkpointing=recompute))
        objective = PreferenceLoss(policy, collated_groups(encoded, 0), None, DPOConfig(train=train))
        return objective, policy.branch.body.layers[-1].mlp

    compared(make)


@pytest.fixture
def scorer_folder(start: str, tmp_path: Path) -> str:
    """A reward model that answers can be scored by and a critic begun as."""
    model = new_reward_model(start, TrainLayers(kind="all"), seed=0, precision=Precision.FLOAT32, pad_id=0)
    folder = tmp_path / "reward"
    save_scorer(model, load_codec(start).tokenizer, folder, parent="tiny", numbers={})
    return str(folder)


@every_way
def test_ppo_with_a_critic_of_its_own(start: str, scorer_folder: str, train: TrainLayers) -> None:
    def stepped(recompute: bool) -> tuple[PPO, int]:
        layers = replace(train, gradient_checkpointing=recompute)
        config = ppo_config(
            start, reward_model=scorer_folder, train=layers, optimiser=GENTLE, value_optimiser=GENTLE, value="reward"
        )
        ppo = assembled(config, PROMPTS, None, ())
        assert ppo.value.branch is not None
        counted = Runs(ppo.value.branch.body.layers[-1].mlp)
        for step in range(2):
            ppo.step(step)
        return ppo, counted.num

    def parameters(ppo: PPO) -> dict[str, Tensor]:
        critic = {f"value/{name}": tensor for name, tensor in snapshot(ppo.value.trained_parameters()).items()}
        return snapshot(ppo.policy.trained_parameters()) | critic

    (plain, fewer), (again, more) = stepped(False), stepped(True)
    assert largest_difference(parameters(plain), parameters(again)) < TOLERANCE
    assert more > fewer
