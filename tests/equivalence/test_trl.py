"""Losses and signals against the table of what TRL 1.12.0 computed: `make references`."""

import json
from pathlib import Path

import pytest
import torch

from plaudit.algorithms.logprobs import token_logprobs
from plaudit.algorithms.masked import masked_mean, whitened
from plaudit.models.load import Precision
from plaudit.runs import read_metrics
from plaudit.trainers import dpo, reward, sft
from plaudit.trainers.epochs import EpochsConfig
from plaudit.trainers.optimisation import OptimiserConfig, Schedule
from tests.references.make_trl import DEMONSTRATIONS, PAIRS, SEED, SETTINGS, TABLE, prepared, signals
from tests.trainers.toy import ALL

TRL = json.loads(TABLE.read_text())
GIVEN = {name: torch.tensor(values) for name, values in signals().items()}
NUM_COUNTED = int(GIVEN["mask"].sum())
# TRL divides by n - 1, so its whitened values are smaller by this.
UNBIASED = ((NUM_COUNTED - 1) / NUM_COUNTED) ** 0.5


@pytest.fixture(scope="module")
def starts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The models that TRL started from."""
    folder = tmp_path_factory.mktemp("starts")
    prepared(folder)
    return folder


EVERYTHING = EpochsConfig(
    num_epochs=int(SETTINGS["num_updates"]), batch_size=64, micro_batch_size=5, patience=99, checkpoint=False
)
OPTIMISER = OptimiserConfig(
    learning_rate=SETTINGS["learning_rate"],
    schedule=Schedule.CONSTANT,
    warmup_frac=0.0,
    max_grad_norm=SETTINGS["max_grad_norm"],
)
COMMON = {
    "train": ALL,
    "optimiser": OPTIMISER,
    "epochs": EVERYTHING,
    "validation_frac": 0.0,
    "precision": Precision.FLOAT32,
    "seed": SEED,
}


def losses_of(run: Path) -> list[float]:
    return [row["train/loss"] for row in read_metrics(run / "metrics.jsonl")]


def test_fine_tuning(starts: Path, tmp_path: Path) -> None:
    """Chat template, mask, stop token, global mean over tokens, clipping and AdamW: all must be TRL's for six losses to be."""
    sft.train(sft.SFTConfig(model=str(starts / "policy"), out=str(tmp_path / "run"), **COMMON), DEMONSTRATIONS)
    assert losses_of(tmp_path / "run") == pytest.approx(TRL["sft"], rel=2e-5)


def test_dpo(starts: Path, tmp_path: Path) -> None:
    config = dpo.DPOConfig(model=str(starts / "policy"), out=str(tmp_path / "run"), beta=SETTINGS["beta"], **COMMON)
    dpo.train(config, PAIRS)
    assert losses_of(tmp_path / "run") == pytest.approx(TRL["dpo"], rel=2e-5)


def test_a_reward_model(starts: Path, tmp_path: Path) -> None:
    config = reward.RewardConfig(model=str(starts / "policy"), out=str(tmp_path / "run"), normalise_on="none", **COMMON)
    reward.train(config, PAIRS)
    assert losses_of(tmp_path / "run") == pytest.approx(TRL["reward"], rel=2e-4)


def test_masked_means() -> None:
    assert float(masked_mean(GIVEN["values"], GIVEN["mask"])) == pytest.approx(TRL["signals"]["masked_mean"], rel=1e-6)


@pytest.mark.parametrize("shift_mean", [True, False])
def test_whitening(shift_mean: bool) -> None:
    name = "whitened" if shift_mean else "whitened_around_the_mean"
    wanted = torch.tensor(TRL["signals"][name])
    mean = 0.0 if shift_mean else TRL["signals"]["masked_mean"]
    found = (whitened(GIVEN["values"], GIVEN["mask"], shift_mean=shift_mean) - mean) * UNBIASED + mean
    torch.testing.assert_close(found[GIVEN["mask"]], wanted[GIVEN["mask"]], rtol=1e-5, atol=1e-6)


def test_log_probabilities() -> None:
    logprobs, _ = token_logprobs(GIVEN["logits"].flatten(0, 1), GIVEN["index"].flatten().long())
    torch.testing.assert_close(logprobs.view(3, 5), torch.tensor(TRL["signals"]["logprobs"]), rtol=1e-5, atol=1e-6)
