"""The reward model: where it starts, what it reads, what it shares."""

import logging
from pathlib import Path

import pytest
import torch
from transformers import AutoConfig, AutoModelForSequenceClassification

from plaudit.batches.tokens import TokenRows
from plaudit.models.load import Precision, load_causal_lm
from plaudit.models.policy import PolicyModel, TrainLayers
from plaudit.models.reward import RewardModel, load_reward_model, new_reward_model
from plaudit.models.tiny import tiny_model
from plaudit.models.trunk import Trunk
from plaudit.models.value import ValueModel
from plaudit.schemas.errors import PlauditError

CPU = torch.device("cpu")
ALL = TrainLayers(kind="all")
UPPER = TrainLayers(kind="upper", num_upper=1)
LORA = TrainLayers(kind="lora", lora_rank=4, lora_alpha=8)
every_way = pytest.mark.parametrize("train", [ALL, UPPER, LORA], ids=["all", "upper", "lora"])


def new(train: TrainLayers, seed: int = 0, name: str = "tiny") -> RewardModel:
    return new_reward_model(name, train, seed=seed, precision=Precision.FLOAT32, pad_id=0, device=CPU)


def trained_a_little(reward: RewardModel, rows: TokenRows) -> None:
    """One step that parts the first row's score from the second's."""
    optimiser = torch.optim.SGD([parameter for _, parameter in reward.trained_parameters()], lr=0.001)
    scores = reward(reward.prepared(rows))
    (scores[1] - scores[0]).backward()
    optimiser.step()
    optimiser.zero_grad()


def test_the_head_starts_at_one_over_root_d_plus_one_without_bias() -> None:
    """Not at 1 / (D + 1), eight times smaller here. 20 heads of 64 weights: the deviation is known to 2 %."""
    weights = torch.cat([new(UPPER, seed).head.weight.flatten() for seed in range(20)])
    assert weights.std().item() == pytest.approx(65**-0.5, rel=0.08)
    assert weights.mean().item() == pytest.approx(0.0, abs=4 * 65**-0.5 / 1280**0.5)
    assert new(UPPER).head.bias is None


def test_the_layers_are_the_causal_models() -> None:
    body, expected = new(ALL).full.base_model.state_dict(), tiny_model().base_model.state_dict()
    assert body.keys() == expected.keys()
    assert all(torch.equal(body[name], expected[name]) for name in body)


@every_way
def test_the_same_seed_makes_the_same_model_whatever_the_global_generator(rows: TokenRows, train: TrainLayers) -> None:
    made = []
    with torch.random.fork_rng(devices=[]):
        for seed, global_seed in ((7, 1), (7, 2), (8, 2)):
            torch.manual_seed(global_seed)
            state = torch.get_rng_state()
            made.append(new(train, seed))
            assert torch.equal(torch.get_rng_state(), state)
    first, second, other = made
    assert torch.equal(first(rows), second(rows))
    assert not torch.equal(first(rows), other(rows))
    expected = dict(second.trained_parameters())
    assert all(torch.equal(parameter, expected[name]) for name, parameter in first.trained_parameters())


@every_way
def test_the_score_is_read_at_the_last_token_only(rows: TokenRows, train: TrainLayers) -> None:
    reward = new(train)
    hidden = tiny_model().base_model(rows.token_ids, attention_mask=rows.attention_mask.long()).last_hidden_state
    last = torch.stack([hidden[i, length - 1] for i, length in enumerate(rows.lengths.tolist())])
    assert torch.allclose(reward(rows), last @ reward.head.weight[0], atol=1e-5)


@every_way
def test_padding_and_neighbours_are_not_seen(rows: TokenRows, train: TrainLayers) -> None:
    reward = new(train)
    together = reward(reward.prepared(rows))
    alone = torch.cat([reward(rows.select(torch.tensor([i]))) for i in range(len(rows))])
    assert torch.allclose(together, alone, atol=1e-5)


def test_normalised_scores(rows: TokenRows, monkeypatch: pytest.MonkeyPatch) -> None:
    reward = new(UPPER)
    reward.mean, reward.std = 3.0, 2.0
    monkeypatch.setattr(reward, "forward", lambda _: torch.tensor([3.0, 7.0, 2.0]))
    assert reward.normalised(rows).tolist() == [0.0, 2.0, -0.5]


@every_way
def test_what_learns_moves_the_scores_and_nothing_else_moves(rows: TokenRows, train: TrainLayers) -> None:
    reward = new(train)
    before = reward(rows).detach()
    still = {name: p.clone() for name, p in reward.full.named_parameters() if not p.requires_grad}
    trained_a_little(reward, rows)
    after = reward(rows).detach()
    assert after[0] - after[1] > before[0] - before[1] + 0.01
    parameters = dict(reward.full.named_parameters())
    assert all(torch.equal(parameters[name], value) for name, value in still.items())
    assert any("score" in name for name, _ in reward.trained_parameters())
    if train.kind == "upper":
        assert {name.split(".")[2] for name, _ in reward.trained_parameters() if ".layers." in name} == {"1"}


def test_on_the_policys_trunk_it_scores_as_on_its_own(rows: TokenRows) -> None:
    """Rows prepared once serve both; scores and gradients are those of a separate network."""
    policy = PolicyModel(tiny_model(), UPPER)
    shared, separate = new(UPPER), new(UPPER)
    assert shared.on_trunk(policy.branch.trunk)
    assert shared.branch.trunk is policy.branch.trunk
    prepared = policy.prepared(rows)
    assert torch.allclose(shared(prepared), separate(rows), atol=1e-5)
    shared(prepared).sum().backward()
    separate(rows).sum().backward()
    expected = dict(separate.trained_parameters())
    for name, parameter in shared.trained_parameters():
        assert torch.allclose(parameter.grad, expected[name].grad, atol=1e-4), name


@pytest.mark.parametrize("train", [ALL, UPPER], ids=["all", "upper"])
def test_a_reward_model_with_more_own_layers_keeps_them(rows: TokenRows, train: TrainLayers, tmp_path: Path) -> None:
    """The trunk of the policy is shallower than what the reward model froze: the scores are still its own."""
    tiny_model(num_layers=4).save_pretrained(tmp_path)
    reward = new(train, name=str(tmp_path))
    expected = reward(rows)
    policy = PolicyModel(load_causal_lm(str(tmp_path)), TrainLayers(kind="upper", num_upper=2))
    assert reward.on_trunk(policy.branch.trunk)
    assert torch.allclose(reward(policy.prepared(rows)), expected, atol=1e-5)


def test_another_trunk_is_refused_and_the_scores_stay(rows: TokenRows) -> None:
    reward = new(UPPER)
    expected = reward(rows)
    other = tiny_model(seed=1)
    for trunk in (None, Trunk(other.base_model, 1), Trunk(tiny_model(num_layers=4).base_model, 2)):
        assert not reward.on_trunk(trunk)
    assert not new(LORA).on_trunk(PolicyModel(tiny_model(), UPPER).branch.trunk)
    assert torch.equal(reward(rows), expected)
    foreign = PolicyModel(other, UPPER).prepared(rows)
    assert torch.equal(reward(foreign), expected)  # the activations of another trunk are not its own


def classifier(folder: Path, kind: str, num_layers: int = 2, **extra: object) -> str:
    """A reward model of that architecture in a folder."""
    sizes = {"vocab_size": 259, "hidden_size": 32, "num_hidden_layers": num_layers, "num_attention_heads": 4}
    tokens = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
    config = AutoConfig.for_model(kind, **sizes, **tokens, **extra, num_labels=1)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        AutoModelForSequenceClassification.from_config(config, dtype=torch.float32).save_pretrained(folder)
    return str(folder)


@pytest.mark.parametrize(("num_layers", "kind"), [(2, "all"), (3, "all"), (4, "upper")])
def test_a_reward_model_is_split_only_where_layers_are_left_below(
    rows: TokenRows, tmp_path: Path, num_layers: int, kind: str
) -> None:
    """The setting is the policy's: three upper layers of it learn, and the reward model may have fewer."""
    name = classifier(tmp_path, "llama", num_layers, num_key_value_heads=2, intermediate_size=64)
    expected = load_reward_model(name, ALL)(rows)
    reward = load_reward_model(name, TrainLayers(num_upper=3))
    assert reward.train_layers.kind == kind
    assert (reward.branch.trunk is None) == (kind == "all")
    assert torch.allclose(reward(rows), expected, atol=1e-5)
    critic = ValueModel.from_reward(reward)
    assert critic(rows, torch.empty(0)).shape == rows.token_ids.shape


def test_a_reward_model_that_cannot_be_split_stays_whole(rows: TokenRows, tmp_path: Path) -> None:
    """Its layers cannot even be found: it scores all the same, and only a critic cannot begin as it."""
    name = classifier(tmp_path, "opt", ffn_dim=64, word_embed_proj_dim=32)
    expected = load_reward_model(name, ALL)(rows)
    reward = load_reward_model(name, UPPER)
    assert torch.equal(reward(rows), expected)
    assert not reward.on_trunk(PolicyModel(tiny_model(), UPPER).branch.trunk)
    assert torch.equal(reward(rows), expected)
    with pytest.raises(PlauditError, match=r"cannot begin as a 'opt' reward model, .*: set value to 'policy'"):
        ValueModel.from_reward(reward)


def test_a_classifier_with_another_kind_of_head_is_refused(tmp_path: Path) -> None:
    name = classifier(tmp_path, "bert", intermediate_size=64)
    with pytest.raises(PlauditError, match=r"a 'bert' model has no `score` head .*: train one with `plaudit reward`"):
        load_reward_model(name, ALL)


def test_a_folder_that_holds_no_reward_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PlauditError, match=r"reward model .*nowhere.*: there is no such folder"):
        load_reward_model(str(tmp_path / "nowhere"), UPPER)


def test_a_language_model_is_no_reward_model(tmp_path: Path) -> None:
    tiny_model().save_pretrained(tmp_path)
    with pytest.raises(
        PlauditError, match=r"is no reward model: its files hold no `score` head, .* with `plaudit reward`"
    ):
        load_reward_model(str(tmp_path), UPPER)


def test_making_one_is_silent(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    """The causal model's config names two labels; copied, they would contradict the one output in a warning."""
    monkeypatch.setattr(logging.getLogger("transformers"), "propagate", True)
    reward = new(UPPER)
    assert not caplog.records
    assert reward.full.config.num_labels == 1
