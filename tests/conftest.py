"""What every test stands on: one thread, no network, shapes checked at every call, and the `tiny` model."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

# Before anything imports torch or transformers; processes that a test starts inherit them.
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["HF_HUB_OFFLINE"] = "1"

import beartype.typing  # noqa: F401 (the checker below, named as text, reads Self from it)
import pytest
from hypothesis import settings
from jaxtyping import install_import_hook

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from plaudit.text.chat import ChatCodec

# Every tensor that enters or leaves these rooms has the shape and type its annotation says, or the test fails. An int
# may stand where a float is asked, as in Python; Self is beyond a checker that sees methods one by one.
install_import_hook(
    ["plaudit.algorithms", "plaudit.batches"],
    "beartype.beartype(conf=beartype.BeartypeConf(is_pep484_tower=True, "
    "hint_overrides=beartype.FrozenDict({beartype.typing.Self: object})))",
)

# The same examples in every run, and no time limit: the machine may be busy.
settings.register_profile("plaudit", deadline=None, derandomize=True)
settings.load_profile("plaudit")


def pytest_configure(config: pytest.Config) -> None:
    """Warnings are errors, but for one that peft causes by asking transformers under an old name."""
    config.addinivalue_line("filterwarnings", "ignore:.is_gradient_checkpointing. is deprecated:FutureWarning")


@dataclass(frozen=True)
class Tiny:
    """The two-layer model with random weights and its byte-level codec. The model is a new one in every test."""

    model: PreTrainedModel
    codec: ChatCodec


@pytest.fixture
def tiny() -> Tiny:
    from plaudit.models.load import load_causal_lm, load_codec

    return Tiny(load_causal_lm("tiny"), load_codec("tiny"))


@pytest.fixture(scope="session")
def start(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The folder of `tiny` fine-tuned to answer in up to eight letters of "abcde " and to stop: where trainers start."""
    from tests.trainers.toy import fine_tuned

    return fine_tuned(tmp_path_factory.mktemp("start") / "run")
