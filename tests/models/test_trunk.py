"""The network in two parts computes what the whole one computes."""

from dataclasses import replace

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel

from plaudit.batches.tokens import EncodedRow, TokenRows, collated
from plaudit.models.anatomy import SPLITTABLE, upper_parts
from plaudit.models.policy import PolicyModel, TrainLayers
from plaudit.models.tiny import tiny_model
from plaudit.models.trunk import Branch, Trunk, hidden_states, trunk_of
from plaudit.schemas.errors import PlauditError
from tests.models.test_policy import bloom

NUM_LAYERS = 4


def small_model(architecture: str, *, windows: bool = True) -> PreTrainedModel:
    """Four layers with random weights. A window of 8 tokens where the architecture has one, shorter than the rows."""
    sizes = {
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 8,
    }
    config = AutoConfig.for_model(architecture, vocab_size=259, num_hidden_layers=NUM_LAYERS, **sizes)
    window = {"mistral": {"sliding_window": 8}, "qwen2": {"sliding_window": 8, "use_sliding_window": True}}
    settings = (
        config.to_dict()
        | (window.get(architecture, {}) if windows else {})
        | {"max_window_layers": 2, "layer_types": None}
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return AutoModelForCausalLM.from_config(AutoConfig.for_model(**settings), dtype=torch.float32).eval()


@pytest.mark.parametrize("num_trained", range(1, NUM_LAYERS))
@pytest.mark.parametrize("architecture", sorted(SPLITTABLE))
def test_lower_and_upper_layers_make_the_whole(rows: TokenRows, architecture: str, num_trained: int) -> None:
    model = small_model(architecture)
    whole = hidden_states(model.base_model, rows)
    trunk = trunk_of(model, num_trained)
    assert trunk is not None
    assert trunk.num_layers == NUM_LAYERS - num_trained
    branch = Branch(model.base_model, trunk)
    for given in (rows, trunk.prepared(rows)):
        assert torch.allclose(branch(given)[rows.attention_mask], whole[rows.attention_mask], atol=1e-5)


@pytest.mark.parametrize("architecture", sorted(SPLITTABLE))
def test_the_upper_layers_get_the_whole_networks_gradients(rows: TokenRows, architecture: str) -> None:
    """Log-probabilities and their gradients in the trained layers, prepared or not."""
    whole = PolicyModel(small_model(architecture), TrainLayers(kind="all"))
    found = whole(rows)
    found.logprobs.sum().backward()
    expected = {name: parameter.grad for name, parameter in whole.trained_parameters()}
    split = PolicyModel(small_model(architecture), TrainLayers(kind="upper", num_upper=2))
    for given in (rows, split.prepared(rows)):
        stats = split(given)
        assert torch.allclose(stats.logprobs, found.logprobs, atol=1e-5)
        assert torch.allclose(stats.entropy, found.entropy, atol=1e-5)
        split.zero_grad()
        stats.logprobs.sum().backward()
        learning = dict(split.trained_parameters())
        assert any(f"{upper_parts(split.full.base_model)[0]}.2." in name for name in learning)
        for name, parameter in learning.items():
            assert torch.allclose(parameter.grad, expected[name], atol=1e-4), name  # sums over 20 tokens


def test_nothing_below_the_branch_learns(rows: TokenRows) -> None:
    model = tiny_model(num_layers=3)
    policy = PolicyModel(model, TrainLayers(kind="upper", num_upper=1))
    policy(rows).logprobs.sum().backward()
    with_gradient = {name for name, parameter in model.named_parameters() if parameter.grad is not None}
    assert {name.split(".")[1] for name in with_gradient} == {"layers", "norm"}
    assert {name.split(".")[2] for name in with_gradient if ".layers." in name} == {"2"}


def test_the_trunks_hash_outlives_an_optimiser_step(rows: TokenRows) -> None:
    """Embedding and head are one tensor: were the head trained, the trunk would move under every kept activation."""
    model = tiny_model(num_layers=3)
    policy = PolicyModel(model, TrainLayers(kind="upper", num_upper=1))
    assert policy.branch.trunk is not None
    key, head = policy.branch.trunk.key, model.get_output_embeddings().weight.clone()
    optimiser = torch.optim.AdamW([parameter for _, parameter in policy.trained_parameters()], lr=0.1)
    loss = policy(rows).logprobs.sum()
    loss.backward()
    optimiser.step()
    assert policy(rows).logprobs.sum() != loss
    assert Trunk(model.base_model, 2).key == key
    assert torch.equal(model.get_output_embeddings().weight, head)


def test_the_key_names_weights_and_depth() -> None:
    first, same, other = tiny_model(num_layers=3), tiny_model(num_layers=3), tiny_model(seed=1, num_layers=3)
    keys = [Trunk(model.base_model, 2).key for model in (first, same, other)] + [Trunk(first.base_model, 1).key]
    assert keys[0] == keys[1]
    assert len({keys[0], keys[2], keys[3]}) == 3
    with torch.no_grad():
        same.base_model.layers[1].mlp.up_proj.weight[0, 0] += 1e-3
    assert Trunk(same.base_model, 2).key != keys[0]
    with torch.no_grad():
        first.base_model.layers[2].mlp.up_proj.weight[0, 0] += 1e-3  # above the trunk
    assert Trunk(first.base_model, 2).key == keys[0]


def test_activations_of_another_trunk_are_not_used(rows: TokenRows) -> None:
    ours, theirs = (Trunk(tiny_model(seed=seed, num_layers=3).base_model, 2) for seed in (0, 1))
    foreign = theirs.prepared(rows)
    assert torch.equal(ours(foreign), ours(rows))
    assert ours.prepared(foreign).trunk_key == ours.key
    assert theirs.prepared(foreign) is foreign


@pytest.mark.parametrize("micro_batch_size", [1, 2, 16])
def test_activations_do_not_depend_on_the_portions(rows: TokenRows, micro_batch_size: int) -> None:
    trunk = Trunk(tiny_model(num_layers=3).base_model, 2)
    prepared = trunk.prepared(rows, micro_batch_size=micro_batch_size)
    assert prepared.trunk is not None
    assert torch.allclose(prepared.trunk[rows.attention_mask], trunk(rows)[rows.attention_mask], atol=1e-5)
    assert not prepared.trunk.requires_grad


def test_padding_is_not_seen(rows: TokenRows) -> None:
    """A row alone, the row among longer ones, and the row with other ids under the padding."""
    body = tiny_model().base_model
    noisy = replace(rows, token_ids=torch.where(rows.attention_mask, rows.token_ids, 77))
    for i in range(len(rows)):
        alone = hidden_states(body, rows.select(torch.tensor([i])))[0, : rows.lengths[i]]
        for batch in (rows, noisy):
            assert torch.allclose(hidden_states(body, batch)[i, : len(alone)], alone, atol=1e-5)


@pytest.mark.parametrize("num_trained", [0, 5, -1])
def test_layers_the_model_does_not_have_are_refused(num_trained: int) -> None:
    with pytest.raises(PlauditError, match=rf"= {num_trained}, but the model has 4 layers: choose 1 to 4"):
        trunk_of(tiny_model(num_layers=4), num_trained)


def test_where_all_layers_learn_there_is_no_trunk() -> None:
    model = tiny_model()
    assert trunk_of(model, None) is None
    assert trunk_of(model, 2) is None


def test_an_architecture_that_cannot_be_split_has_no_trunk() -> None:
    assert trunk_of(bloom(), 1) is None


def test_a_gemma_that_scales_whatever_it_is_fed_is_not_split() -> None:
    """As earlier releases of transformers had it: its embedding does not scale what it puts out."""
    model = small_model("gemma")
    assert trunk_of(model, 1) is not None
    model.base_model.embed_tokens = torch.nn.Embedding(259, 32)
    assert trunk_of(model, 1) is None


def siblings() -> TokenRows:
    """Two prompts of unequal length with three answers and one, their order mixed."""
    generator = torch.Generator().manual_seed(3)
    prompts = [torch.randint(1, 250, (length,), generator=generator).tolist() for length in (20, 13)]
    rows = []
    for prompt, length in ((0, 4), (1, 6), (0, 9), (0, 1)):
        answer = torch.randint(1, 250, (length,), generator=generator).tolist()
        rows.append(EncodedRow((*prompts[prompt], *answer), (False,) * len(prompts[prompt]) + (True,) * length))
    return collated(rows, pad_id=0)


@pytest.mark.parametrize("kind", ["all", "upper", "lora"])
@pytest.mark.parametrize("architecture", ["llama", "qwen2", "qwen3"])
def test_a_shared_prompt_is_read_once_and_changes_no_number(architecture: str, kind: str) -> None:
    """Log-probabilities, entropies, states and every gradient, against the same rows without their prompts' numbers."""
    policy = PolicyModel(small_model(architecture, windows=False), TrainLayers(kind=kind, num_upper=2))
    rows = siblings()
    cells: list[int] = []
    policy.branch.body.layers[-1].register_forward_pre_hook(lambda _, args: cells.append(args[0].shape[:2].numel()))
    numbers = []
    for given in (rows, replace(rows, prompt_index=None)):
        given = policy.prepared(given)
        policy.zero_grad()
        stats = policy(given, 0.7)
        (stats.logprobs.sum() + stats.entropy.sum()).backward()
        gradients = [p.grad.clone() for _, p in policy.trained_parameters() if p.grad is not None]
        numbers.append((stats.logprobs, stats.entropy, stats.hidden[rows.answer_mask], *gradients))
    for shared, alone in zip(*numbers, strict=True):
        assert torch.allclose(shared, alone, atol=1e-5)
    plain, packed_cells = 4 * 29, 2 * 40
    assert sorted(set(cells)) == [packed_cells, plain]


def test_a_window_shorter_than_the_rows_is_kept() -> None:
    """Mistral's layers look back over 8 tokens only; a mask of ours would make them look further."""
    policy = PolicyModel(small_model("mistral"), TrainLayers(kind="all"))
    rows = siblings()
    assert torch.equal(policy(rows).logprobs, policy(replace(rows, prompt_index=None)).logprobs)
