"""The value function: where it starts, what it reads, what it must not move."""

import pytest
import torch

from plaudit.batches.tokens import TokenRows
from plaudit.models.load import Precision
from plaudit.models.policy import PolicyModel, TrainLayers
from plaudit.models.reward import RewardModel, new_reward_model
from plaudit.models.tiny import tiny_model
from plaudit.models.value import ValueModel

CPU = torch.device("cpu")
ALL = TrainLayers(kind="all")
UPPER = TrainLayers(kind="upper", num_upper=1)
LORA = TrainLayers(kind="lora", lora_rank=4, lora_alpha=8)
every_way = pytest.mark.parametrize("train", [ALL, UPPER, LORA], ids=["all", "upper", "lora"])


def reward_model(train: TrainLayers) -> RewardModel:
    reward = new_reward_model("tiny", train, seed=0, precision=Precision.FLOAT32, pad_id=0, device=CPU)
    reward.mean, reward.std = 0.7, 1.9
    return reward


def policy_states(rows: TokenRows) -> torch.Tensor:
    return PolicyModel(tiny_model(), UPPER)(rows).hidden


def test_a_head_on_the_policy_starts_at_zero(rows: TokenRows) -> None:
    policy = PolicyModel(tiny_model(), UPPER)
    value = ValueModel.on_policy(policy.width)
    assert not value(rows, policy(rows).hidden).any()
    assert {name for name, _ in value.trained_parameters()} == {"head.weight", "head.bias"}


def test_a_head_on_the_policy_learns_and_bends_the_policy(rows: TokenRows) -> None:
    policy = PolicyModel(tiny_model(), UPPER)
    value = ValueModel.on_policy(policy.width)
    with torch.no_grad():
        value.head.weight.fill_(0.1)
    ((value(rows, policy(rows).hidden) - 1) ** 2).sum().backward()
    assert all(parameter.grad is not None and parameter.grad.any() for _, parameter in value.trained_parameters())
    assert any(parameter.grad is not None and parameter.grad.any() for _, parameter in policy.trained_parameters())


@every_way
def test_a_branch_starts_at_the_normalised_score_of_each_state(rows: TokenRows, train: TrainLayers) -> None:
    """V at column t is what the reward model says of the first t tokens: at the last token, of all but that one."""
    reward = reward_model(train)
    values = ValueModel.from_reward(reward)(reward.prepared(rows), policy_states(rows))
    for i in range(len(rows)):
        row = rows.select(torch.tensor([i]))
        for t in rows.answer_mask[i].nonzero().flatten().tolist():
            seen = TokenRows(row.token_ids[:, :t], row.attention_mask[:, :t], row.answer_mask[:, :t])
            assert values[i, t].item() == pytest.approx(reward.normalised(seen).item(), abs=1e-5)
    assert not values[~rows.answer_mask].any()


@every_way
def test_training_it_moves_neither_reward_model_nor_trunk(rows: TokenRows, train: TrainLayers) -> None:
    reward = reward_model(train)
    expected = {name: tensor.clone() for name, tensor in reward.full.state_dict().items()}
    scores = reward(rows).detach()
    value = ValueModel.from_reward(reward)
    before = value(rows, policy_states(rows)).detach()
    optimiser = torch.optim.SGD([parameter for _, parameter in value.trained_parameters()], lr=0.05)
    ((value(rows, policy_states(rows)) - 3) ** 2).mean().backward()
    optimiser.step()
    assert not torch.equal(value(rows, policy_states(rows)), before)
    assert torch.equal(reward(rows), scores)
    assert all(torch.equal(tensor, expected[name]) for name, tensor in reward.full.state_dict().items())


@every_way
def test_training_the_reward_model_does_not_move_it(rows: TokenRows, train: TrainLayers) -> None:
    reward = reward_model(train)
    value = ValueModel.from_reward(reward)
    before = value(rows, policy_states(rows)).detach()
    with torch.no_grad():
        for name, parameter in reward.trained_parameters():
            if "embed" not in name:  # under `all` the embedding stays one tensor; nobody trains it any more
                parameter.add_(0.1)
    assert torch.equal(value(rows, policy_states(rows)), before)


@pytest.mark.parametrize(
    ("train", "layers"), [(UPPER, {"0"}), (ALL, {"0", "1"})], ids=["upper: the one layer above the trunk", "all"]
)
def test_what_learns_is_the_head_the_layers_and_the_norm(train: TrainLayers, layers: set[str]) -> None:
    names = [name for name, _ in ValueModel.from_reward(reward_model(train)).trained_parameters()]
    branch = [name.split(".") for name in names if name.startswith("branch.")]
    assert names[:2] == ["head.weight", "head.bias"]
    assert {parts[1] for parts in branch} == {"layers", "norm"}
    assert {parts[2] for parts in branch if parts[1] == "layers"} == layers
    assert len(branch) == 9 * len(layers) + 1


def test_prepared_rows_give_the_same_values(rows: TokenRows) -> None:
    """Also those prepared by the policy, where the reward model was moved onto its trunk."""
    policy, reward = PolicyModel(tiny_model(), UPPER), reward_model(UPPER)
    expected = ValueModel.from_reward(reward)(rows, policy_states(rows))
    assert reward.on_trunk(policy.branch.trunk)
    value = ValueModel.from_reward(reward)
    assert torch.allclose(value(policy.prepared(rows), policy_states(rows)), expected, atol=1e-5)


def test_padding_is_not_seen(rows: TokenRows) -> None:
    value = ValueModel.from_reward(reward_model(UPPER))
    together = value(rows, policy_states(rows))
    for i in range(len(rows)):
        row = rows.select(torch.tensor([i]))
        width = row.token_ids.shape[1]
        assert torch.allclose(value(row, policy_states(row))[0], together[i, :width], atol=1e-5)
