"""The policy and its frozen reference."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel

from plaudit.batches.tokens import TokenRows
from plaudit.models import policy as policy_module
from plaudit.models.load import load_causal_lm
from plaudit.models.policy import PolicyModel, TrainLayers
from plaudit.models.tiny import tiny_model
from plaudit.schemas.errors import PlauditError

EVERY_WAY = [
    TrainLayers(kind="all"),
    TrainLayers(kind="upper", num_upper=1),
    TrainLayers(kind="upper", num_upper=2),  # all layers of the model: nothing is left for a trunk
    TrainLayers(kind="lora", lora_rank=4, lora_alpha=8),
]
every_way = pytest.mark.parametrize("train", EVERY_WAY, ids=["all", "upper 1", "upper 2", "lora"])
# GPT-2 writes its linear layers as Conv1D; peft says that it noticed.


def gpt2(dropout: float = 0.0) -> PreTrainedModel:
    """An architecture whose layers have other names, and are another kind of module."""
    sizes = {"vocab_size": 259, "n_layer": 2, "n_embd": 32, "n_head": 2, "bos_token_id": 1, "eos_token_id": 2}
    config = AutoConfig.for_model("gpt2", **sizes, resid_pdrop=dropout, embd_pdrop=dropout, attn_pdrop=dropout)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return AutoModelForCausalLM.from_config(config)


def bloom() -> PreTrainedModel:
    """An architecture that cannot be split: its body does more to what it is fed than to add positions."""
    sizes = {"vocab_size": 259, "n_layer": 2, "hidden_size": 32, "n_head": 2, "bos_token_id": 1, "eos_token_id": 2}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return AutoModelForCausalLM.from_config(AutoConfig.for_model("bloom", **sizes), dtype=torch.float32)


def updated(policy: PolicyModel, rows: TokenRows) -> None:
    """One step of SGD, then another: adapters begin to move each other only in the second."""
    optimiser = torch.optim.SGD([parameter for _, parameter in policy.trained_parameters()], lr=0.5)
    for _ in range(2):
        optimiser.zero_grad()
        policy(policy.prepared(rows)).logprobs.mean().neg().backward()
        optimiser.step()


@pytest.mark.parametrize("temperature", [1.0, 0.7])
def test_log_probabilities_are_plain_transformers(rows: TokenRows, temperature: float) -> None:
    """Logits at t - 1 divided by the temperature, log-softmax, the entry of token t: written out, all positions."""
    model = tiny_model()
    found = PolicyModel(model, TrainLayers(kind="all"))(rows, temperature)
    logits = model(input_ids=rows.token_ids, attention_mask=rows.attention_mask.long()).logits.double()
    for i in range(len(rows)):
        for t in range(rows.token_ids.shape[1]):
            expected = (0.0, 0.0)
            if rows.answer_mask[i, t]:
                p = torch.softmax(logits[i, t - 1] / temperature, -1)
                expected = (p[rows.token_ids[i, t]].log().item(), -(p * p.log()).sum().item())
            assert found.logprobs[i, t].item() == pytest.approx(expected[0], abs=1e-5)
            assert found.entropy[i, t].item() == pytest.approx(expected[1], abs=1e-5)


@pytest.mark.parametrize("train", EVERY_WAY[:2], ids=["it learns", "it is frozen"])
def test_the_head_runs_in_chunks(rows: TokenRows, monkeypatch: pytest.MonkeyPatch, train: TrainLayers) -> None:
    policy = PolicyModel(tiny_model(), train)
    whole, sizes = policy(rows), []
    head_stats = policy_module._head_stats

    def spy(head: nn.Module, states: Tensor, *args: object, **kwargs: object) -> tuple[Tensor, Tensor]:
        sizes.append(len(states))
        return head_stats(head, states, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(policy_module, "_head_stats", spy)
    monkeypatch.setattr(policy_module, "HEAD_CHUNK", 3)
    chunked = policy(rows)
    assert torch.allclose(chunked.logprobs, whole.logprobs, atol=1e-6)
    assert torch.allclose(chunked.entropy, whole.entropy, atol=1e-6)
    # On answer positions only, the last portion filled up.
    assert sizes == [3] * -(-rows.num_answer_tokens // 3)


@every_way
def test_a_row_does_not_see_its_neighbours(rows: TokenRows, train: TrainLayers) -> None:
    policy = PolicyModel(tiny_model(), train)
    together = policy(policy.prepared(rows)).logprobs
    for i in range(len(rows)):
        alone = rows.select(torch.tensor([i]))
        width = alone.token_ids.shape[1]
        assert torch.allclose(policy(alone).logprobs[0], together[i, :width], atol=1e-5)


@every_way
@pytest.mark.parametrize("temperature", [1.0, 0.7])
def test_the_reference_is_the_policy_before_training(rows: TokenRows, train: TrainLayers, temperature: float) -> None:
    policy = PolicyModel(tiny_model(), train)
    prepared = policy.prepared(rows)
    found = policy.reference()(prepared, temperature)
    assert torch.allclose(found, policy(prepared, temperature).logprobs, atol=1e-6)
    assert not found.requires_grad


@every_way
def test_the_reference_stays_while_the_policy_moves(rows: TokenRows, train: TrainLayers) -> None:
    policy = PolicyModel(tiny_model(), train)
    reference = policy.reference()
    before, started = reference(rows), policy(rows).logprobs
    updated(policy, rows)
    assert torch.equal(reference(rows), before)
    moved = (policy(rows).logprobs - started)[rows.answer_mask]
    assert moved.mean() > 0.01
    assert torch.equal(policy.reference()(rows), before) == (train.kind == "lora")  # which measures from adapters off


@every_way
def test_a_reference_on_a_shared_trunk_is_a_network_of_its_own(rows: TokenRows, train: TrainLayers) -> None:
    """The same numbers as a whole second copy that was never split."""
    separate = PolicyModel(tiny_model(), TrainLayers(kind="all"))
    policy = PolicyModel(tiny_model(), train)
    reference = policy.reference()
    updated(policy, rows)
    assert torch.allclose(reference(policy.prepared(rows)), separate(rows).logprobs, atol=1e-5)


@pytest.mark.parametrize(
    ("train", "learning"),
    [
        (EVERY_WAY[0], {"embed_tokens", "norm", "layers.0", "layers.1"}),
        (EVERY_WAY[1], {"norm", "layers.1"}),
        (EVERY_WAY[2], {"norm", "layers.0", "layers.1"}),
    ],
)
def test_what_learns(train: TrainLayers, learning: set[str]) -> None:
    model = tiny_model()
    names = {name for name, _ in PolicyModel(model, train).trained_parameters()}
    assert names == {name for name in model.state_dict() if any(f".{part}." in name for part in learning)}


def test_under_lora_only_adapters_learn_in_every_linear_layer() -> None:
    names = {name for name, _ in PolicyModel(tiny_model(), EVERY_WAY[3]).trained_parameters()}
    assert all(".lora_A." in name or ".lora_B." in name for name in names)
    assert len(names) == 2 * 2 * 7  # A and B, two layers, q k v o gate up down


def test_adapters_start_the_same_whatever_the_global_generator_and_leave_it_alone() -> None:
    started = []
    with torch.random.fork_rng(devices=[]):
        for seed in (1, 2):
            torch.manual_seed(seed)
            state = torch.get_rng_state()
            started.append(dict(PolicyModel(tiny_model(), EVERY_WAY[3]).trained_parameters()))
            assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(parameter, started[1][name]) for name, parameter in started[0].items())
    assert any(parameter.any() for name, parameter in started[0].items() if ".lora_A." in name)


def test_states_are_those_before_each_token(rows: TokenRows) -> None:
    policy = PolicyModel(tiny_model(), EVERY_WAY[1])
    states = policy(rows).hidden
    hidden = policy.full.base_model(rows.token_ids, attention_mask=rows.attention_mask.long()).last_hidden_state
    assert torch.allclose(states[0, 1:11], hidden[0, :10], atol=1e-5)
    assert not states[:, 0].any()
    assert policy.width == states.shape[-1]


@pytest.mark.parametrize("train", [EVERY_WAY[0], EVERY_WAY[1], EVERY_WAY[3]], ids=["all", "upper 1", "lora"])
def test_an_architecture_that_cannot_be_split_learns_all_the_same(rows: TokenRows, train: TrainLayers) -> None:
    policy = PolicyModel(bloom().eval(), train)
    reference = policy.reference()
    before = reference(rows)
    assert torch.allclose(before, policy(rows).logprobs, atol=1e-6)
    assert policy.prepared(rows) is rows
    names = {name for name, _ in policy.trained_parameters()}
    if train.kind == "upper":
        assert {name.split(".")[1] for name in names} == {"h", "ln_f"}
        assert all(".h.1." in name for name in names if ".h." in name)
    updated(policy, rows)
    assert torch.equal(reference(rows), before)
    assert not torch.equal(policy(rows).logprobs, before)


@pytest.mark.parametrize("train", [EVERY_WAY[0], EVERY_WAY[3]], ids=["all", "lora"])
def test_dropout_is_off_while_training(rows: TokenRows, train: TrainLayers, tmp_path: Path) -> None:
    gpt2(dropout=0.5).save_pretrained(tmp_path)
    policy = PolicyModel(load_causal_lm(str(tmp_path)), train)
    assert torch.equal(policy(rows).logprobs, policy(rows).logprobs)


def test_numbers_are_float32_whatever_the_weights(rows: TokenRows) -> None:
    policy = PolicyModel(tiny_model().bfloat16(), EVERY_WAY[1])
    found = policy(policy.prepared(rows))
    assert found.logprobs.dtype == found.entropy.dtype == torch.float32
    exact = PolicyModel(tiny_model(), EVERY_WAY[1])(rows)
    assert torch.allclose(found.logprobs, exact.logprobs, atol=0.2)  # bfloat16 has three digits


@pytest.mark.parametrize("num_upper", [3, 99])
def test_more_layers_than_there_are_is_refused(num_upper: int) -> None:
    for model in (tiny_model(), gpt2(), bloom()):
        with pytest.raises(PlauditError, match=rf"num_upper = {num_upper}, but the model has 2 layers: choose 1 to 2"):
            PolicyModel(model, TrainLayers(kind="upper", num_upper=num_upper))


def test_impossible_settings_are_refused() -> None:
    with pytest.raises(PlauditError, match="at least 1, got 0"):
        TrainLayers(num_upper=0)
    with pytest.raises(PlauditError, match="at least 1"):
        TrainLayers(lora_rank=0)
    with pytest.raises(PlauditError, match="lora_alpha must be at least 1, got 0"):
        TrainLayers(kind="lora", lora_alpha=0)


@every_way
def test_rows_without_a_counted_token_are_zeros(rows: TokenRows, train: TrainLayers) -> None:
    nothing = TokenRows(rows.token_ids, rows.attention_mask, torch.zeros_like(rows.answer_mask))
    found = PolicyModel(tiny_model(), train)(nothing)
    assert found.logprobs.shape == rows.token_ids.shape
    assert not found.logprobs.any()
    assert not found.entropy.any()
    found.logprobs.sum().backward()
