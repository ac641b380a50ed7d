"""Models that do not fit their role or their tokenizer are told before anything is loaded."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch

from plaudit.cli.agreement import (
    answering_model,
    check_chat_model,
    check_language_model,
    check_scorer_model,
    is_scorer,
    model_config,
)
from plaudit.models.load import Precision, load_codec
from plaudit.models.policy import TrainLayers
from plaudit.models.reward import new_reward_model
from plaudit.models.save import save_scorer
from plaudit.schemas.errors import PlauditError
from tests.cli.conftest import FAST, Plaudit, Trained
from tests.models.test_policy import bloom


def copied(model: Path, target: Path) -> Path:
    return Path(shutil.copytree(model, target))


def test_tiny_is_a_chat_model() -> None:
    assert check_chat_model("tiny").stop_id == 2
    assert check_scorer_model.__doc__


def test_roles_are_told_apart(trained: Trained) -> None:
    assert not is_scorer(check_language_model(str(trained.sft)))
    assert is_scorer(model_config(str(trained.reward)))
    with pytest.raises(PlauditError, match=r"is a reward model: it scores answers and cannot write them"):
        check_language_model(str(trained.reward))
    with pytest.raises(PlauditError, match=r"is a language model, not a reward model: train one with `plaudit reward`"):
        check_scorer_model(str(trained.sft), load_codec("tiny"))
    assert check_scorer_model(str(trained.reward), load_codec(str(trained.sft))) is None


def test_an_adapter_is_as_large_as_its_base_model(trained: Trained, tmp_path: Path) -> None:
    (tmp_path / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": str(trained.sft)}))
    assert model_config(str(tmp_path)).vocab_size == 259


def test_a_config_of_an_adapters_own_counts(trained: Trained, tmp_path: Path) -> None:
    """A reward model's prefix comes with one, which says that it is no language model."""
    prefix = TrainLayers(kind="prefix")
    reward = new_reward_model(str(trained.sft), prefix, seed=0, precision=Precision.FLOAT32, pad_id=0)
    save_scorer(reward, load_codec("tiny").tokenizer, tmp_path / "prefix", parent="sft", numbers={})
    assert check_scorer_model(str(tmp_path / "prefix"), load_codec("tiny")) is None
    with pytest.raises(PlauditError, match="is a reward model"):
        check_language_model(str(tmp_path / "prefix"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is not JSON"),
        ("{}", "names no base_model_name_or_path"),
        ('{"base_model_name_or_path": "/nowhere"}', "cannot be had: model '/nowhere': there is no such folder"),
    ],
)
def test_an_adapter_without_its_base_model_is_told(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "adapter_config.json").write_text(content)
    with pytest.raises(PlauditError, match=message):
        model_config(str(tmp_path))


def test_the_home_folder_may_be_written_short(trained: Trained, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(trained.sft.parent))
    assert model_config(f"~/{trained.sft.name}").vocab_size == 259


def test_a_config_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "llama", "hidden_size": "wide"}')
    with pytest.raises(PlauditError, match=r"could not be loaded: .*hidden_size"):
        model_config(str(tmp_path))


def test_a_model_whose_layers_cannot_be_split_is_trained_with_a_word_about_it(
    plaudit: Plaudit, tmp_path: Path, demonstrations: Path
) -> None:
    model = tmp_path / "bloom"
    bloom().save_pretrained(model)
    load_codec("tiny").tokenizer.save_pretrained(model)
    words = ("--data", demonstrations, "--model", model, *FAST, "--train.kind")
    note = "the layers of a 'bloom' model cannot be split: its upper 1 learn"
    assert note in plaudit("sft", *words, "upper", "--out", "upper").out
    assert Path("upper/model/config.json").exists()
    assert "cannot be split" not in plaudit("sft", *words, "all", "--out", "whole").out


@pytest.mark.parametrize("command", ["sft", "reward", "ppo", "dpo", "rloo"])
def test_a_model_without_template_is_refused_with_the_way_out(
    plaudit: Plaudit, trained: Trained, tmp_path: Path, rankings: Path, demonstrations: Path, command: str
) -> None:
    model = copied(trained.sft, tmp_path / "bare")
    (model / "chat_template.jinja").unlink()
    data = demonstrations if command == "sft" else rankings
    message = plaudit(command, "--data", data, "--model", model, "--out", "run").refused()
    assert "has no chat template" in message
    assert "`plaudit pretrain`" in message
    assert not Path("run").exists()


def test_pretraining_needs_no_template(plaudit: Plaudit, trained: Trained, tmp_path: Path) -> None:
    model = copied(trained.sft, tmp_path / "bare")
    (model / "chat_template.jinja").unlink()
    (tmp_path / "pages.txt").write_text("one page of text")
    words = ("--data", "pages.txt", "--model", model, "--out", "run", "--validation-frac", "0")
    assert plaudit("pretrain", *words, "--train.num-upper", "1").status == 0


def test_a_tokenizer_with_more_ids_than_embeddings_is_refused(trained: Trained, tmp_path: Path) -> None:
    model = copied(trained.sft, tmp_path / "small")
    config = json.loads((model / "config.json").read_text())
    (model / "config.json").write_text(json.dumps(config | {"vocab_size": 200}))
    with pytest.raises(PlauditError, match="writes ids up to 258, but the model has 200 embeddings"):
        check_chat_model(str(model))


@pytest.mark.parametrize("command", ["sft", "ppo", "sample", "chat", "export"])
def test_a_reward_model_in_a_language_models_place(
    plaudit: Plaudit, trained: Trained, demonstrations: Path, command: str
) -> None:
    words = {
        "sft": ("--data", demonstrations, "--out", "run"),
        "ppo": ("--data", demonstrations, "--out", "run"),
        "sample": ("--prompts", demonstrations, "--out", "out.jsonl"),
        "chat": (),
        "export": ("--out", "out"),
    }[command]
    assert "is a reward model" in plaudit(command, "--model", trained.reward, *words).refused()


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("runs/none/model", "model 'runs/none/model': there is no such folder"),
        ("out/sft/model", "model 'out/sft/model': there is no such folder"),
        ("./none", "there is no such folder"),
        ("none.gguf", "no such file"),
    ],
)
def test_a_model_that_is_not_there(plaudit: Plaudit, demonstrations: Path, model: str, message: str) -> None:
    assert message in plaudit("sft", "--data", demonstrations, "--model", model, "--out", "run").refused()


def test_a_device_that_is_not_there(plaudit: Plaudit, demonstrations: Path) -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has the device; a machine without CUDA would run this")
    words = ("--data", demonstrations, "--model", "tiny", "--out", "run", "--device", "cuda")
    assert "torch sees no CUDA device here; use --device cpu or auto" in plaudit("sft", *words).refused()


def test_answers_are_sampled_in_the_precision_asked_for() -> None:
    device = torch.device("cpu")
    assert answering_model("tiny", Precision.FLOAT32, device).dtype is torch.float32
    assert answering_model("tiny", Precision.MIXED, device).dtype is torch.bfloat16
    assert answering_model("tiny", Precision.BFLOAT16, device).dtype is torch.bfloat16
