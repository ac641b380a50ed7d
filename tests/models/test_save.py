"""What plaudit saves, plain transformers and peft load, with the same raw numbers."""

import errno
import os
from pathlib import Path

import pytest
import torch
from safetensors import SafetensorError
from torch import Tensor
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification, AutoTokenizer, PreTrainedModel

from plaudit.batches.tokens import TokenRows
from plaudit.models.load import Precision, load_causal_lm, load_codec
from plaudit.models.policy import PolicyModel, TrainLayers
from plaudit.models.reward import load_reward_model, new_reward_model
from plaudit.models.save import save_policy, save_scorer
from plaudit.schemas.conversation import user
from plaudit.schemas.errors import PlauditError
from plaudit.text.chat import ChatCodec

CPU = torch.device("cpu")
ALL = TrainLayers(kind="all")
UPPER = TrainLayers(kind="upper", num_upper=1)
LORA = TrainLayers(kind="lora", lora_rank=4, lora_alpha=8)


@pytest.fixture
def base(tmp_path: Path) -> str:
    """The tiny model in a folder: an adapter names the place of its base model."""
    folder = tmp_path / "base"
    load_causal_lm("tiny").save_pretrained(folder)
    load_codec("tiny").tokenizer.save_pretrained(folder)
    return str(folder)


def moved(model: PolicyModel | torch.nn.Module, parameters: list[torch.nn.Parameter]) -> None:
    """Other weights than it was loaded with, adapters included."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in parameters:
            parameter.add_(0.05 * torch.randn(parameter.shape, generator=generator))


def plain_logprobs(model: PreTrainedModel, rows: TokenRows) -> Tensor:
    """As anyone would compute them with transformers alone."""
    with torch.no_grad():
        logits = model(input_ids=rows.token_ids, attention_mask=rows.attention_mask.long()).logits
    found = logits.log_softmax(-1)[:, :-1].gather(-1, rows.token_ids[:, 1:, None]).squeeze(-1)
    return torch.where(rows.answer_mask[:, 1:], found, 0.0)


def saved_policy(base: str, train: TrainLayers, folder: Path, rows: TokenRows) -> Tensor:
    """The log-probabilities of the policy that lies in the folder."""
    policy = PolicyModel(load_causal_lm(base), train)
    moved(policy, [parameter for _, parameter in policy.trained_parameters()])
    save_policy(policy, load_codec(base).tokenizer, folder, made_by="sft", parent=base, numbers={"perplexity": 12.5})
    return policy(rows).logprobs.detach()


@pytest.mark.parametrize("train", [ALL, UPPER], ids=["all", "upper"])
def test_a_policy_loads_in_plain_transformers(base: str, train: TrainLayers, tmp_path: Path, rows: TokenRows) -> None:
    expected = saved_policy(base, train, tmp_path / "model", rows)
    plain = AutoModelForCausalLM.from_pretrained(tmp_path / "model")
    assert torch.allclose(plain_logprobs(plain, rows), expected[:, 1:], atol=1e-5)
    assert torch.equal(PolicyModel(load_causal_lm(str(tmp_path / "model")), ALL)(rows).logprobs, expected)


def test_an_adapter_loads_in_plain_peft(base: str, tmp_path: Path, rows: TokenRows) -> None:
    from peft import PeftModel

    expected = saved_policy(base, LORA, tmp_path / "model", rows)
    assert not (tmp_path / "model" / "model.safetensors").exists()
    plain = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), tmp_path / "model")
    assert torch.allclose(plain_logprobs(plain, rows), expected[:, 1:], atol=1e-5)


def test_an_adapters_folder_loads_as_a_model_with_it_merged(base: str, tmp_path: Path, rows: TokenRows) -> None:
    expected = saved_policy(base, LORA, tmp_path / "model", rows)
    merged = load_causal_lm(str(tmp_path / "model"))
    assert torch.allclose(plain_logprobs(merged, rows), expected[:, 1:], atol=1e-5)
    assert not any("lora" in name for name, _ in merged.named_parameters())
    assert load_codec(str(tmp_path / "model")).writes_the_same_ids_as(load_codec("tiny"))


def test_the_tokenizer_and_its_template_lie_beside_the_weights(base: str, tmp_path: Path, rows: TokenRows) -> None:
    saved_policy(base, UPPER, tmp_path / "model", rows)
    ours, plain = load_codec(str(tmp_path / "model")), AutoTokenizer.from_pretrained(tmp_path / "model")
    assert ours.writes_the_same_ids_as(load_codec("tiny"))
    chat = [{"role": "user", "content": "hi"}]
    ids = plain.apply_chat_template(chat, add_generation_prompt=True)["input_ids"]
    assert list(ids) == ours.prompt_ids((user("hi"),))


def test_the_card_names_the_folder_the_parent_and_the_numbers(base: str, tmp_path: Path, rows: TokenRows) -> None:
    saved_policy(base, UPPER, tmp_path / "model", rows)
    card = (tmp_path / "model" / "README.md").read_text()
    for expected in (f"base_model: {base}", "fine-tuned from demonstrations", "| perplexity | 12.5 |", '("model")'):
        assert expected in card
    assert ".partial" not in card


@pytest.mark.parametrize("train", [ALL, UPPER, LORA], ids=["all", "upper", "lora"])
def test_a_reward_model_loads_in_plain_transformers(train: TrainLayers, tmp_path: Path, rows: TokenRows) -> None:
    """Raw scores there; mean and deviation come back in plaudit's own. An adapter is merged, and goes on learning."""
    reward = new_reward_model("tiny", train, seed=0, precision=Precision.FLOAT32, pad_id=0, device=CPU)
    reward.mean, reward.std = 0.5, 2.0
    moved(reward, [parameter for _, parameter in reward.trained_parameters()])
    learning = [name for name, _ in reward.trained_parameters()]
    expected = reward(rows).detach()
    save_scorer(reward, load_codec("tiny").tokenizer, tmp_path / "reward", parent="tiny", numbers={"accuracy": 0.75})

    plain = AutoModelForSequenceClassification.from_pretrained(tmp_path / "reward")
    with torch.no_grad():
        scores = plain(input_ids=rows.token_ids, attention_mask=rows.attention_mask.long()).logits.squeeze(-1)
    assert torch.allclose(scores, expected, atol=1e-5)
    again = load_reward_model(str(tmp_path / "reward"), UPPER)
    assert torch.allclose(again(rows), expected, atol=1e-5)
    assert torch.allclose(again.normalised(rows), (expected - 0.5) / 2.0, atol=1e-5)
    assert "| accuracy | 0.75 |" in (tmp_path / "reward" / "README.md").read_text()

    assert torch.equal(reward(rows), expected)
    assert [name for name, _ in reward.trained_parameters()] == learning


@pytest.mark.parametrize(
    "failure",
    [OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), SafetensorError("I/O error: No space left on device")],
    ids=["python", "safetensors"],
)
def test_a_full_disk_leaves_the_old_model_and_says_so(
    base: str, tmp_path: Path, rows: TokenRows, monkeypatch: pytest.MonkeyPatch, failure: Exception
) -> None:
    expected = saved_policy(base, UPPER, tmp_path / "model", rows)
    policy = PolicyModel(load_causal_lm(base), UPPER)

    def fails(target: Path) -> None:
        (target / "config.json").write_text("{}")
        raise failure

    monkeypatch.setattr(policy.full, "save_pretrained", fails)
    codec: ChatCodec = load_codec("tiny")
    with pytest.raises(PlauditError, match=r"cannot write .*model.*[Ff]ree some space"):
        save_policy(policy, codec.tokenizer, tmp_path / "model", made_by="sft", parent="tiny", numbers={})
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["base", "model"]
    again = PolicyModel(load_causal_lm(str(tmp_path / "model")), ALL)
    assert torch.equal(again(rows).logprobs, expected)
