"""Folders that hold no model, half of one, or one that needs what is gone: each is told in one line, and nothing else is."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM

from plaudit.models.load import Precision, load_causal_lm, load_codec, load_tokenizer, model_location
from plaudit.models.policy import TrainLayers, load_policy
from plaudit.models.prefix import ADAPTER_CONFIG, base_of, is_prefix
from plaudit.models.reward import load_reward_model, new_reward_model
from plaudit.models.save import save_policy, save_scorer
from plaudit.models.tiny import tiny_model, tiny_tokenizer
from plaudit.schemas.errors import PlauditError

CPU = torch.device("cpu")
ALL = TrainLayers(kind="all")
WEIGHTS = "model.safetensors"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A language model with its tokenizer."""
    target = tmp_path / "model"
    tiny_model().save_pretrained(target)
    tiny_tokenizer().save_pretrained(target)
    return target


@pytest.fixture
def scorer(tmp_path: Path) -> Path:
    """A reward model."""
    target = tmp_path / "reward"
    reward = new_reward_model("tiny", ALL, seed=0, precision=Precision.FLOAT32, pad_id=0)
    save_scorer(reward, load_codec("tiny").tokenizer, target, parent="tiny", numbers={})
    return target


def saved(target: Path, train: TrainLayers, base: str = "tiny") -> Path:
    """What training saves of `base`."""
    policy = load_policy(base, train, precision=Precision.FLOAT32, device=CPU)
    save_policy(policy, load_codec("tiny").tokenizer, target, made_by="sft", parent=base, numbers={})
    return target


def refused(load: Callable[[], object]) -> str:
    """What is said, in one line."""
    with pytest.raises(PlauditError) as caught:
        load()
    message = str(caught.value)
    assert "\n" not in message
    return message


def half(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def empty(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize("damage", [half, empty])
def test_weights_that_were_copied_in_part(folder: Path, scorer: Path, damage: Callable[[Path], None]) -> None:
    for path, load in ((folder, load_causal_lm), (scorer, lambda name: load_reward_model(name, ALL))):
        damage(path / WEIGHTS)
        message = refused(lambda load=load, path=path: load(str(path)))  # type: ignore[misc]
        assert f"model {str(path)!r} could not be loaded: a file of its weights is damaged or was copied in" in message
        assert message.endswith("get it anew")


def test_a_config_that_asks_for_layers_that_are_not_there(folder: Path, scorer: Path) -> None:
    for path, load in ((folder, load_causal_lm), (scorer, lambda name: load_reward_model(name, ALL))):
        settings = json.loads((path / "config.json").read_text())
        more = {"num_hidden_layers": 3, "layer_types": None}
        (path / "config.json").write_text(json.dumps(settings | more))
        message = refused(lambda load=load, path=path: load(str(path)))  # type: ignore[misc]
        assert (
            f"model {str(path)!r} could not be loaded: its files lack 9 of the weights that its config.json" in message
        )
        assert "among them model.layers.2." in message


def test_a_config_that_belongs_to_other_weights(folder: Path, scorer: Path) -> None:
    for path, load in ((folder, load_causal_lm), (scorer, lambda name: load_reward_model(name, ALL))):
        settings = json.loads((path / "config.json").read_text())
        (path / "config.json").write_text(json.dumps(settings | {"hidden_size": 32}))
        message = refused(lambda load=load, path=path: load(str(path)))  # type: ignore[misc]
        assert "its weights have other shapes than its config.json says, so they do not belong together" in message


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        (
            {"hidden_size": "wide"},
            "StrictDataclassFieldValidationError: Validation error for field 'hidden_size': Type",
        ),
        ({"num_attention_heads": 0}, "ZeroDivisionError: "),
    ],
)
def test_a_config_that_makes_no_sense(folder: Path, setting: dict[str, object], message: str) -> None:
    settings = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(settings | setting))
    assert f"model {str(folder)!r} could not be loaded: {message}" in refused(lambda: load_causal_lm(str(folder)))


def test_a_tokenizer_that_was_copied_in_part(folder: Path) -> None:
    half(folder / "tokenizer.json")
    message = refused(lambda: load_tokenizer(str(folder)))
    assert f"the tokenizer of {str(folder)!r} could not be loaded: one of its files is not JSON (" in message


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is not JSON (Expecting property name"),
        ("[]", "holds no object"),
        ("{}", "names no base_model_name_or_path"),
    ],
)
def test_an_adapter_that_says_nothing_of_itself(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / ADAPTER_CONFIG).write_text(content)
    loads = (load_causal_lm, lambda name: base_of(Path(name)))
    for load in loads:
        found = refused(lambda load=load: load(str(tmp_path)))  # type: ignore[misc]
        assert f"{tmp_path / ADAPTER_CONFIG} {message}" in found
    if content != "{}":
        assert message in refused(lambda: is_prefix(str(tmp_path)))
        assert message in refused(lambda: load_reward_model(str(tmp_path), ALL))


@pytest.mark.parametrize("kind", ["lora", "prefix"])
def test_an_adapter_whose_base_model_is_gone(tmp_path: Path, folder: Path, kind: str) -> None:
    adapter = saved(tmp_path / "adapter", TrainLayers(kind=kind), str(folder))  # type: ignore[arg-type]
    folder.rename(tmp_path / "moved")
    message = refused(lambda: load_causal_lm(str(adapter)))
    assert f"{str(adapter)!r} is an adapter, and the model below it cannot be had: " in message
    assert f"model {str(folder)!r}: there is no such folder" in message


@pytest.mark.filterwarnings("ignore:Could not find a config file in tiny:UserWarning")  # peft's, of a model in code
@pytest.mark.parametrize("kind", ["lora", "prefix"])
def test_an_adapter_on_tiny_finds_it_again(tmp_path: Path, kind: str) -> None:
    """It lies in no folder and on no hub."""
    adapter = saved(tmp_path, TrainLayers(kind=kind))  # type: ignore[arg-type]
    assert base_of(adapter) == "tiny"
    expected = tiny_model().state_dict()
    found = load_causal_lm(str(adapter)).state_dict()
    assert all(torch.equal(found[name], weights) for name, weights in expected.items())


@pytest.mark.parametrize("name", ["out/sft/model", "runs/sft", "./nowhere", "/nowhere/at/all", "~/nowhere"])
def test_a_folder_that_is_not_there_is_no_hub_id(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for load in (load_causal_lm, load_codec):
        message = refused(lambda load=load: load(name))  # type: ignore[misc]
        assert f"model {name!r}: there is no such folder. Make it with the command that writes it, or" in message
    message = refused(lambda: load_reward_model(name, ALL))
    assert f"reward model {name!r}: there is no such folder." in message
    assert message.endswith("give a folder that `plaudit reward` wrote, or a hub id")


def test_the_home_folder_may_be_written_short(
    folder: Path, scorer: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert model_location("~/model") == (str(folder), {})
    assert load_causal_lm("~/model").config.hidden_size == 64
    assert load_codec("~/model").stop_id == 2
    assert load_reward_model("~/reward", ALL).mean == 0.0
    saved(tmp_path / "prefix", TrainLayers(kind="prefix"), "~/model")
    assert is_prefix("~/prefix")
    assert base_of(tmp_path / "prefix") == str(folder)
    assert load_causal_lm("~/prefix").config.hidden_size == 64
    assert "there is no such folder" in refused(lambda: model_location("~nobody-of-that-name/model"))


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes"),
        MemoryError(),
        AssertionError("a bug of ours"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_is_not_the_files_fault_stays_what_it_is(
    folder: Path, scorer: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """No memory is told by the command line, with what to lower; a bug is to be reported."""

    def fails(*args: object, **kwargs: object) -> None:
        raise error

    monkeypatch.setattr(AutoModelForCausalLM, "from_pretrained", fails)
    monkeypatch.setattr("plaudit.models.reward.AutoModelForSequenceClassification.from_pretrained", fails)
    for load in (lambda: load_causal_lm(str(folder)), lambda: load_reward_model(str(scorer), ALL)):
        with pytest.raises(type(error)) as caught:
            load()
        assert caught.value is error
