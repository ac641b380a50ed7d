"""Networks, prompts and scorer of a run, put together from its config."""

from pathlib import Path

import pytest
import torch

from plaudit.models.load import Precision, load_codec
from plaudit.models.policy import PolicyModel
from plaudit.models.reward import RewardModel, new_reward_model
from plaudit.models.save import save_scorer
from plaudit.models.tiny import tiny_model
from plaudit.schemas.conversation import Messages, assistant, user
from plaudit.schemas.errors import PlauditError
from plaudit.text.prompts import TooLong
from plaudit.trainers.assembly import assembled_actor
from tests.trainers.toy import ALL, ES, PROMPTS, UPPER, experience, ppo_config


def saved_reward(folder: Path, model: str, seed: int = 0) -> tuple[str, RewardModel]:
    reward = new_reward_model(
        model, UPPER, seed=seed, precision=Precision.FLOAT32, pad_id=0, device=torch.device("cpu")
    )
    reward.mean, reward.std = 0.3, 1.7
    save_scorer(reward, load_codec(model).tokenizer, folder, parent=model, numbers={})
    return str(folder), reward


def test_the_scorer_is_the_reward_model_where_none_is_given(start: str, tmp_path: Path) -> None:
    folder, reward = saved_reward(tmp_path / "reward", start)
    parts = assembled_actor(ppo_config(start, reward_model=folder), PROMPTS, None)
    found = parts.actor.gather(0)
    with torch.no_grad():
        assert torch.allclose(found.raw.total, reward.normalised(found.rows), atol=1e-4)
    assert parts.reward is not None
    assert not any(parameter.requires_grad for parameter in parts.reward.full.parameters())


def test_a_given_scorer_replaces_it(start: str) -> None:
    parts = assembled_actor(ppo_config(start, reward_model="nowhere"), PROMPTS, ES)
    assert parts.reward is None
    assert parts.actor.gather(0).raw.total.tolist() == [
        float(text.count("e")) for text in parts.actor.gather(0).rollouts.texts
    ]


def test_a_reward_model_on_the_policys_frozen_layers_moves_onto_them(start: str, tmp_path: Path) -> None:
    """So that they run once for both; one with other layers keeps its own."""
    folder, _ = saved_reward(tmp_path / "reward", start)
    parts = assembled_actor(ppo_config(start, reward_model=folder), PROMPTS, None)
    assert parts.reward is not None
    assert parts.reward.branch.trunk is parts.actor.policy.branch.trunk is not None
    assert shared_parameters(parts.reward, parts.actor.policy) == {"embed_tokens", "layers.0"}
    tiny_model(seed=5).save_pretrained(tmp_path / "other")
    load_codec(start).tokenizer.save_pretrained(tmp_path / "other")
    folder, _ = saved_reward(tmp_path / "reward-other", str(tmp_path / "other"))
    parts = assembled_actor(ppo_config(start, reward_model=folder), PROMPTS, None)
    assert parts.reward is not None
    assert parts.reward.branch.trunk is not parts.actor.policy.branch.trunk
    assert not shared_parameters(parts.reward, parts.actor.policy)
    whole = assembled_actor(ppo_config(start, reward_model=folder, train=ALL), PROMPTS, None)
    assert whole.actor.policy.branch.trunk is None


def shared_parameters(reward: RewardModel, policy: PolicyModel) -> set[str]:
    """What of the reward model's network lies where the policy's does: parts of the body, and which layers."""
    its = {parameter.data_ptr() for parameter in policy.full.parameters()}
    return {
        ".".join(name.split(".")[: 2 if name.startswith("layers.") else 1])
        for name, parameter in reward.full.base_model.named_parameters()
        if parameter.data_ptr() in its
    }


def test_an_ensemble_scores_by_its_members_on_one_trunk(start: str, tmp_path: Path) -> None:
    """mean - 0.7 * deviation of what the three say of the same answers."""
    made = [saved_reward(tmp_path / f"reward-{seed}", start, seed) for seed in range(3)]
    (first, _), *others = made
    config = ppo_config(
        start, reward_model=first, reward_ensemble=tuple(folder for folder, _ in others), spread_coef=0.7
    )
    parts = assembled_actor(config, PROMPTS, None)
    found = parts.actor.gather(0)
    with torch.no_grad():
        said = torch.stack([reward.normalised(found.rows) for _, reward in made])
    assert said.std(0).min() > 0.01
    assert torch.allclose(found.raw.total, said.mean(0) - 0.7 * said.std(0, correction=0), atol=1e-4)
    assert {"ensemble_mean", "ensemble_spread"} <= found.raw.components.keys()


def test_a_reward_model_that_is_none_is_refused(start: str) -> None:
    with pytest.raises(PlauditError, match="reward model 'nowhere' could not be loaded"):
        assembled_actor(ppo_config(start, reward_model="nowhere"), PROMPTS, None)


LONG: Messages = (user("x" * 50), assistant("y" * 50), user("and?"))


@pytest.mark.parametrize("too_long", list(TooLong))
def test_prompts_over_the_limit_are_refused_dropped_or_cut_at_a_turn(start: str, too_long: TooLong) -> None:
    config = ppo_config(start, prompt_too_long=too_long, experience=experience(max_prompt_tokens=40))
    if too_long is TooLong.REFUSE:
        with pytest.raises(PlauditError, match=r"prompt 7 has 11\d tokens, over max_prompt_tokens = 40"):
            assembled_actor(config, [*PROMPTS, LONG], ES)
        return
    prompts = assembled_actor(config, [*PROMPTS, LONG], ES).actor.prompts
    if too_long is TooLong.DROP:
        assert [prompt.messages for prompt in prompts] == PROMPTS
    else:
        assert [prompt.messages for prompt in prompts] == [*PROMPTS, LONG[2:]]
