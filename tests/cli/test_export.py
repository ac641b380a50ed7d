"""`plaudit export`: folders that plain transformers loads with the same numbers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM

from plaudit.models.load import load_causal_lm
from tests.cli.conftest import Plaudit, Trained


@pytest.fixture
def adapter(plaudit: Plaudit, demonstrations: Path, trained: Trained) -> Path:
    words = ("--data", demonstrations, "--model", trained.sft, "--train.kind", "lora", "--out", "lora")
    assert plaudit("sft", *words, "--epochs.num-epochs", "1", "--optimiser.learning-rate", "0.01").status == 0
    assert Path("lora/model/adapter_config.json").is_file()
    return Path("lora/model")


def logits(model: torch.nn.Module) -> torch.Tensor:
    with torch.no_grad():
        found: torch.Tensor = model(torch.arange(20)[None]).logits
    return found


def test_a_merged_adapter_is_a_plain_model_with_a_card(plaudit: Plaudit, adapter: Path, trained: Trained) -> None:
    outcome = plaudit("export", "--model", adapter, "--out", "merged", "--merge")
    assert outcome.status == 0
    assert "merged: 0.1 million parameters, float32" in outcome.out
    assert not Path("merged/adapter_config.json").exists()
    merged = logits(AutoModelForCausalLM.from_pretrained("merged"))
    torch.testing.assert_close(merged, logits(load_causal_lm(str(adapter))))
    assert (merged - logits(load_causal_lm(str(trained.sft)))).abs().max() > 1e-3
    card = Path("merged/README.md").read_text()
    assert f"base_model: {trained.sft}" in card
    assert "merged from a base model and an adapter" in card
    assert plaudit("sample", "--model", "merged", "--prompts", "demonstrations.jsonl", "--out", "o.jsonl").status == 0


def test_an_adapter_below_the_home_folder_is_found(
    plaudit: Plaudit, adapter: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert "give --merge to write both as one" in plaudit("export", "--model", f"~/{adapter}", "--out", "x").refused()
    assert plaudit("export", "--model", f"~/{adapter}", "--out", "merged", "--merge").status == 0


def test_a_whole_model_is_copied_and_rounded_where_asked(plaudit: Plaudit, trained: Trained) -> None:
    assert plaudit("export", "--model", trained.sft, "--out", "half", "--precision", "bfloat16").status == 0
    assert json.loads(Path("half/config.json").read_text())["dtype"] == "bfloat16"
    weights = AutoModelForCausalLM.from_pretrained("half").state_dict()
    whole = load_causal_lm(str(trained.sft)).state_dict()
    assert all(torch.equal(weights[name], tensor.bfloat16()) for name, tensor in whole.items())
    assert "written anew as a plain folder" in Path("half/README.md").read_text()


def test_what_is_refused(plaudit: Plaudit, adapter: Path, trained: Trained) -> None:
    assert "give --merge to write both as one" in plaudit("export", "--model", adapter, "--out", "x").refused()
    message = plaudit("export", "--model", trained.sft, "--out", "x", "--merge").refused()
    assert "is no adapter, so there is nothing to merge: leave --merge out" in message
    Path("x").mkdir()
    Path("x/mine.txt").write_text("kept")
    assert "x is not empty: give a new or empty folder" in plaudit("export", "--model", "tiny", "--out", "x").refused()
    assert Path("x/mine.txt").read_text() == "kept"
