"""Prefix tuning: the same numbers as tokens before the prompt, as `peft` has, as the sampler draws from."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from peft import AutoPeftModelForSequenceClassification, PeftModel
from torch import Tensor
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel

from plaudit.batches.tokens import TokenRows
from plaudit.cli.export import ExportCommand
from plaudit.models.load import Precision, load_causal_lm, load_codec
from plaudit.models.policy import PolicyModel, TrainLayers, load_policy
from plaudit.models.prefix import new_prefix, prefix_off, prefixes_of
from plaudit.models.reward import load_reward_model, new_reward_model
from plaudit.models.save import save_policy, save_scorer
from plaudit.models.tiny import tiny_model
from plaudit.rollout.sampler import Sampling, sampled
from plaudit.runs import read_metrics
from plaudit.schemas.errors import PlauditError
from plaudit.text.prompts import TooLong, encoded_prompts
from plaudit.trainers import dpo, ppo, reward, sft
from tests.models.test_policy import gpt2
from tests.models.test_save import plain_logprobs
from tests.trainers import test_dpo, test_reward, test_sft
from tests.trainers.toy import ALL, ES, LORA, PROMPTS, UPPER, demonstrations, fast, moved, ppo_config, rankings

PREFIX = TrainLayers(kind="prefix", prefix_tokens=5)
CPU = torch.device("cpu")
# peft calls the cache by the name that transformers had for it.
by_its_old_name = pytest.mark.filterwarnings("ignore:.past_key_values. is deprecated:FutureWarning")
SIZES = {"vocab_size": 259, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2}
HEADS = {"num_attention_heads": 4, "num_key_value_heads": 2}


def model_of(kind: str) -> PreTrainedModel:
    config = AutoConfig.for_model(kind, **SIZES, **HEADS, max_position_embeddings=256)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return AutoModelForCausalLM.from_config(config).eval()


def learnt(model: PreTrainedModel) -> PolicyModel:
    """A policy whose prefix is no longer that of any tokens."""
    policy = PolicyModel(model, PREFIX)
    moved(policy, by=0.5)
    return policy


@pytest.fixture
def base(tmp_path: Path) -> str:
    """The tiny model in a folder: an adapter names the place of its base model."""
    folder = tmp_path / "base"
    load_causal_lm("tiny").save_pretrained(folder)
    load_codec("tiny").tokenizer.save_pretrained(folder)
    return str(folder)


@pytest.fixture
def saved(base: str, tmp_path: Path, rows: TokenRows) -> tuple[str, Tensor]:
    """A folder with a prefix, and what its policy says of the rows."""
    policy = learnt(load_causal_lm(base))
    codec = load_codec(base)
    save_policy(policy, codec.tokenizer, tmp_path / "saved", made_by="sft", parent=base, numbers={})
    return str(tmp_path / "saved"), policy(rows).logprobs.detach()


@pytest.mark.parametrize("kind", ["llama", "qwen2", "qwen3", "mistral"])
def test_a_new_prefix_is_tokens_before_the_prompt(kind: str, rows: TokenRows) -> None:
    plain, model = model_of(kind), model_of(kind)
    new_prefix(model, 5, seed=3)
    ids = torch.randint(SIZES["vocab_size"], (1, 5), generator=torch.Generator().manual_seed(3))
    found = PolicyModel(model, ALL)(rows).logprobs
    with torch.no_grad():
        logits = plain(torch.cat([ids.expand(len(rows), -1), rows.token_ids], dim=1)).logits[:, 5:]
    expected = logits.log_softmax(-1)[:, :-1].gather(-1, rows.token_ids[:, 1:, None]).squeeze(-1)
    mask = rows.answer_mask[:, 1:]
    assert torch.allclose(found[:, 1:][mask], expected[mask], atol=1e-5)


@by_its_old_name
@pytest.mark.parametrize("kind", ["llama", "qwen2", "qwen3", "mistral"])
def test_peft_has_the_same_numbers(kind: str, tmp_path: Path, rows: TokenRows) -> None:
    model = model_of(kind)
    model.save_pretrained(tmp_path / "base")
    policy = learnt(AutoModelForCausalLM.from_pretrained(tmp_path / "base"))
    tokenizer = load_codec("tiny").tokenizer
    save_policy(policy, tokenizer, tmp_path / "saved", made_by="sft", parent="base", numbers={})
    plain = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(tmp_path / "base"), tmp_path / "saved")
    assert torch.allclose(plain_logprobs(plain, rows), policy(rows).logprobs[:, 1:], atol=1e-5)


def test_a_saved_prefix_is_loaded_as_a_model(saved: tuple[str, Tensor], rows: TokenRows) -> None:
    folder, expected = saved
    assert not (Path(folder) / "model.safetensors").exists()
    model = load_causal_lm(folder)
    assert torch.allclose(PolicyModel(model, ALL)(rows).logprobs, expected, atol=1e-6)
    assert "AutoPeftModelForCausalLM" in (Path(folder) / "README.md").read_text()


def test_only_the_prefix_learns(rows: TokenRows) -> None:
    policy = PolicyModel(tiny_model(), PREFIX)
    names = {name for name, _ in policy.trained_parameters()}
    assert names == {f"model.layers.{i}.self_attn.prefix.{part}" for i in range(2) for part in ("keys", "values")}
    before = {name: tensor.clone() for name, tensor in policy.full.state_dict().items()}
    started = policy(rows).logprobs
    optimiser = torch.optim.SGD([parameter for _, parameter in policy.trained_parameters()], lr=100.0)
    policy(policy.prepared(rows)).logprobs.mean().neg().backward()
    optimiser.step()
    assert {name for name, x in policy.full.state_dict().items() if not torch.equal(x, before[name])} == names
    assert (policy(rows).logprobs - started)[rows.answer_mask].mean() > 0.01


@pytest.mark.parametrize("precision", [Precision.FLOAT32, Precision.MIXED])
def test_the_sampler_draws_from_what_the_learner_computes(precision: Precision) -> None:
    """Prompts of several lengths, each read once for its three answers, some joining others half-way."""
    policy = PolicyModel(tiny_model(), PREFIX, mixed=precision is Precision.MIXED)
    moved(policy, by=0.5)
    codec = load_codec("tiny")
    prompts, _ = encoded_prompts(PROMPTS, codec, max_tokens=99, too_long=TooLong.REFUSE)
    sampling = Sampling(max_new_tokens=12, batch_size=6)
    found = sampled(policy.sampler(), codec, prompts, sampling, num_answers=3, seed=0)
    assert found.rows.prompt_index is not None
    again = policy(policy.prepared(found.rows)).logprobs
    within = 1e-4 if precision is Precision.FLOAT32 else 0.1
    assert (again - found.logprobs).abs().max() < within


def test_answers_that_share_a_prompt_get_the_gradients_of_rows_of_their_own() -> None:
    policy = learnt(tiny_model())
    codec = load_codec("tiny")
    prompts, _ = encoded_prompts(PROMPTS, codec, max_tokens=99, too_long=TooLong.REFUSE)
    found = sampled(policy.full, codec, prompts, Sampling(max_new_tokens=9), num_answers=4, seed=0).rows
    gradients = []
    for together in (True, False):
        parts = [found] if together else [found.select(torch.tensor([i])) for i in range(len(found))]
        policy.zero_grad()
        for part in parts:
            policy(part).logprobs.sum().backward()
        gradients.append([parameter.grad for _, parameter in policy.trained_parameters()])
    for one, other in zip(*gradients, strict=True):
        assert one is not None
        assert other is not None
        assert torch.allclose(one, other, atol=1e-4)


def test_the_reference_is_the_model_as_it_came(saved: tuple[str, Tensor], base: str, rows: TokenRows) -> None:
    """Without a prefix that was added here; with the one it was loaded with."""
    plain = PolicyModel(load_causal_lm(base), ALL)(rows).logprobs
    new = PolicyModel(load_causal_lm(base), PREFIX)
    reference = new.reference()
    moved(new, by=0.5)
    assert torch.allclose(reference(rows), plain, atol=1e-6)
    with prefix_off(new.full):
        assert torch.equal(new(rows).logprobs, plain)
    folder, expected = saved
    loaded = load_policy(folder, PREFIX, precision=Precision.FLOAT32, device=CPU)
    reference = loaded.reference()
    moved(loaded, by=0.5)
    assert torch.allclose(reference(rows), expected, atol=1e-6)
    assert (loaded(rows).logprobs - expected)[rows.answer_mask].abs().max() > 0.01
    shared = {id(parameter) for parameter in loaded.full.parameters()}
    own = [parameter for parameter in reference._branch.parameters() if id(parameter) not in shared]
    assert len(own) == 4  # two layers' keys and values; the rest is the policy's


@by_its_old_name
def test_a_reward_model_with_a_prefix_loads_in_plaudit_and_peft(base: str, tmp_path: Path, rows: TokenRows) -> None:
    model = new_reward_model(base, PREFIX, seed=0, precision=Precision.FLOAT32, pad_id=0)
    names = {name for name, _ in model.trained_parameters()}
    assert {name.rsplit(".", 1)[0] for name in names} == {
        "score",
        "model.layers.0.self_attn.prefix",
        "model.layers.1.self_attn.prefix",
    }
    model(rows).sum().backward()
    with torch.no_grad():
        for _, parameter in model.trained_parameters():
            assert parameter.grad is not None
            parameter.add_(0.5 * torch.sign(parameter.grad))
    model.mean, model.std = 0.25, 2.0
    expected = model(rows).detach()
    save_scorer(model, load_codec(base).tokenizer, tmp_path / "reward", parent=base, numbers={})
    for layers in (ALL, UPPER, LORA, PREFIX):  # what a policy beside it trains
        again = load_reward_model(str(tmp_path / "reward"), layers)
        assert torch.allclose(again(again.prepared(rows)), expected, atol=1e-5)
        assert (again.mean, again.std) == (0.25, 2.0)
    # peft 0.21 refuses to call classifiers of transformers 5.24, which know the cache by another name: we call them.
    plain = AutoPeftModelForSequenceClassification.from_pretrained(tmp_path / "reward", num_labels=1)
    classifier = plain.get_base_model()
    classifier.config.pad_token_id = 0
    mask = torch.nn.functional.pad(rows.attention_mask, (PREFIX.prefix_tokens, 0), value=True).long()
    with torch.no_grad():
        inputs = {"input_ids": rows.token_ids, "attention_mask": mask, "past_key_values": plain.get_prompt(len(rows))}
        scores = classifier(**inputs).logits.squeeze(-1)
    assert torch.allclose(scores, expected, atol=1e-5)


def _sft(start: str, out: Path) -> None:
    sft.train(test_sft.config_of(out, model=start, train=PREFIX, optimiser=fast(5e-2)), demonstrations())


def _dpo(start: str, out: Path) -> None:
    dpo.train(test_dpo.config_of(start, out, train=PREFIX), rankings(16))


def _ppo(start: str, out: Path) -> None:
    ppo.train(ppo_config(start, out, train=PREFIX), PROMPTS, scorer=ES)


@pytest.mark.parametrize("train", [_sft, _dpo, _ppo])
def test_every_trainer_learns_a_prefix_and_saves_it(
    start: str, tmp_path: Path, rows: TokenRows, train: Callable[[str, Path], None]
) -> None:
    train(start, tmp_path / "run")
    model = load_causal_lm(str(tmp_path / "run" / "model"))
    assert len(prefixes_of(model)) == 2
    without, within = (PolicyModel(m, ALL)(rows).logprobs for m in (load_causal_lm(start), model))
    assert not torch.allclose(without, within, atol=1e-3)


def test_a_reward_model_learns_by_a_prefix(start: str, tmp_path: Path) -> None:
    config = test_reward.config_of(start, tmp_path / "run", train=PREFIX, optimiser=fast(5e-2))
    reward.train(config, rankings(64))
    losses = [row["train/loss"] for row in read_metrics(tmp_path / "run" / "metrics.jsonl") if "train/loss" in row]
    assert losses[-1] < losses[0] - 0.05


@pytest.mark.parametrize("train", [ALL, UPPER, LORA], ids=["all", "upper", "lora"])
def test_other_layers_under_a_prefix_are_not_trained(saved: tuple[str, Tensor], train: TrainLayers) -> None:
    with pytest.raises(PlauditError, match=r"learnt a prefix.*train.kind = 'prefix'"):
        load_policy(saved[0], train, precision=Precision.FLOAT32, device=CPU)


def test_what_cannot_be_done_with_a_prefix_says_so(saved: tuple[str, Tensor], tmp_path: Path) -> None:
    with pytest.raises(PlauditError, match="reward model cannot start from"):
        new_reward_model(saved[0], UPPER, seed=0, precision=Precision.FLOAT32, pad_id=0)
    with pytest.raises(PlauditError, match="no weights can hold"):
        ExportCommand(model=saved[0], out=tmp_path / "out", merge=True).run()
    with pytest.raises(PlauditError, match="'gpt2' model is not supported"):
        PolicyModel(gpt2(), PREFIX)
    with pytest.raises(PlauditError, match="has a prefix already"):
        new_prefix(load_causal_lm(saved[0]), 3)
    with pytest.raises(PlauditError, match="prefix_tokens must be at least 1"):
        TrainLayers(kind="prefix", prefix_tokens=0)
