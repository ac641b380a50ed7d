"""Two tiny models that differ, and a reward model, in folders."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from plaudit.text.chat import ChatCodec


@pytest.fixture
def codec() -> ChatCodec:
    from plaudit.models.load import load_codec

    return load_codec("tiny")


@pytest.fixture(scope="session")
def other_tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a tiny model with weights of its own."""
    from plaudit.models.load import load_codec
    from plaudit.models.tiny import tiny_model

    folder = tmp_path_factory.mktemp("other") / "model"
    tiny_model(seed=1).save_pretrained(folder)
    load_codec("tiny").tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_reward(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a reward model on tiny's layers, mean 0.25 and deviation 0.5."""
    import torch

    from plaudit.models.load import Precision, load_codec
    from plaudit.models.policy import TrainLayers
    from plaudit.models.reward import new_reward_model, save_reward_model

    folder = tmp_path_factory.mktemp("reward") / "model"
    reward = new_reward_model(
        "tiny",
        TrainLayers(kind="all"),
        seed=3,
        precision=Precision.FLOAT32,
        pad_id=0,
        device=torch.device("cpu"),
    )
    reward.mean, reward.std = 0.25, 0.5
    save_reward_model(reward, folder)
    load_codec("tiny").tokenizer.save_pretrained(folder)
    return folder
