"""PPO's settings, each seen at work: coefficients, early ends, critics, dense rewards, PTX."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from plaudit.batches.rollouts import Rollouts
from plaudit.models.load import Precision, load_codec
from plaudit.models.reward import new_reward_model
from plaudit.models.save import save_scorer
from plaudit.rewards import FunctionScorer, Scores
from plaudit.schemas.errors import PlauditError
from plaudit.trainers.ppo import PPO, assembled
from plaudit.trainers.ppo_config import PPOConfig
from tests.trainers.test_ppo import captured
from tests.trainers.toy import (
    ES,
    PROMPTS,
    UPPER,
    demonstrations,
    experience,
    fast,
    largest_difference,
    moved,
    new_ppo,
    ppo_config,
    snapshot,
)


@pytest.fixture(scope="module")
def reward_folder(start: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A reward model on the policy's layers, untrained, with a mean and a deviation."""
    reward = new_reward_model(start, UPPER, seed=0, precision=Precision.FLOAT32, pad_id=0, device=torch.device("cpu"))
    reward.mean, reward.std = 0.3, 1.7
    folder = tmp_path_factory.mktemp("reward") / "model"
    save_scorer(reward, load_codec(start).tokenizer, folder, parent=start, numbers={})
    return str(folder)


def coefficients(ppo: PPO, num_steps: int) -> tuple[list[float], list[float]]:
    """The coefficient each step used, and the KL it saw."""
    metrics = [ppo.step(step)[1] for step in range(num_steps)]
    return [m["kl_coef"] for m in metrics], [m["kl/k1"] for m in metrics]


def test_without_a_target_the_coefficient_stays(start: str) -> None:
    found, _ = coefficients(new_ppo(start, kl_coef=0.07, num_steps=3), 3)
    assert found == [0.07] * 3


@pytest.mark.parametrize(("target", "horizon"), [(1000.0, None), (1e-3, None), (0.5, 40.0)])
def test_the_coefficient_follows_the_kl(start: str, target: float, horizon: float | None) -> None:
    """coef * (1 + clip(kl / target - 1, +-0.2) * 8 answers / horizon), the horizon ten steps' worth unless it is set."""
    ppo = new_ppo(start, kl_coef=0.1, kl_target=target, kl_horizon=horizon, num_steps=4, optimiser=fast(3e-2))
    moved(ppo.policy, by=0.3)
    used, kls = coefficients(ppo, 4)
    expected = 0.1
    for coefficient, kl in zip(used, kls, strict=True):
        assert coefficient == pytest.approx(expected, rel=1e-6)
        error = max(-0.2, min(0.2, kl / target - 1))
        expected *= 1 + error * 8 / (horizon or 80)
    if target == 1000.0:
        assert used == sorted(used, reverse=True)
        assert used[-1] == pytest.approx(0.1 * 0.98**3)
    elif target == 1e-3:
        assert used[-1] == pytest.approx(0.1 * 1.02**3)
    else:
        assert len(set(used)) == 4


@pytest.mark.parametrize(("threshold", "updates"), [(1e-9, 2), (1e9, 8)])
def test_a_policy_too_far_from_the_old_one_ends_the_epochs(start: str, threshold: float, updates: int) -> None:
    ppo = new_ppo(start, num_epochs=4, update_kl_stop=threshold, optimiser=fast(1e-2))
    assert ppo.step(0)[1]["updates"] == updates
    assert ppo.step(1)[1]["updates"] == updates


def test_the_rate_falls_in_a_line_and_adam_has_its_epsilon(start: str) -> None:
    """The value of each update of two steps of four; 1e-5 as InstructGPT's and Ziegler's code have it, not 1e-8."""
    ppo = new_ppo(start)
    rates: list[float] = []
    optimiser = ppo.policy_optimiser
    step = optimiser.step

    def spy() -> float:
        rates.append(optimiser.learning_rate)
        return step()

    optimiser.step = spy  # type: ignore[method-assign]
    first, second = ppo.step(0)[1], ppo.step(1)[1]
    assert rates == pytest.approx([1e-2 * (8 - i) / 8 for i in range(8)])
    assert (first["lr"], second["lr"]) == pytest.approx((1e-2 * 6.5 / 8, 1e-2 * 2.5 / 8))
    defaults = PPOConfig()
    for config in (defaults.optimiser, defaults.value_optimiser):
        assert config.eps == 1e-5
        assert (config.schedule.value, config.warmup_frac) == ("linear", 0.0)
    for optimiser in (ppo.policy_optimiser, ppo.value_optimiser):
        assert [group["eps"] for part in optimiser._torch for group in part.param_groups] == [1e-5, 1e-5]


@pytest.mark.parametrize("value", ["policy", "reward"])
def test_dropout_is_off_in_every_network(start: str, reward_folder: str, value: str) -> None:
    ppo = assembled(ppo_config(start, value=value, reward_model=reward_folder), PROMPTS, None, ())
    ppo.step(0)
    scorer, reference = ppo.actor.scorer, ppo.actor.reference
    networks = [ppo.policy.full, scorer._reward.full, reference._branch.body]  # type: ignore[attr-defined]
    if ppo.value.branch is not None:
        networks.append(ppo.value.branch.body)
    modules = [module for network in networks for module in network.modules()]
    assert not [module for module in modules if module.training and not isinstance(module, torch.nn.ModuleList)]


def test_a_critic_on_the_policy_starts_at_zero_and_learns(start: str) -> None:
    ppo = new_ppo(start, num_steps=12, num_epochs=4, value_optimiser=fast(3e-2))
    _, targets, metrics = captured(ppo)
    assert not targets.old_values.any()
    assert metrics["value/explained_variance"] == pytest.approx(0.0, abs=1e-6)
    for step in range(1, 12):
        _, targets, metrics = captured(ppo, step)
    mask = targets.rows.answer_mask
    assert targets.old_values[mask].abs().mean() > 0.1
    # Nearer to the returns than the zero it started from, by a fifth of their square at least.
    errors = (targets.old_values - targets.returns)[mask]
    assert errors.square().mean() < 0.8 * targets.returns[mask].square().mean()


def test_a_critic_begun_as_the_reward_model_starts_at_its_scores_and_leaves_it_alone(
    start: str, reward_folder: str
) -> None:
    """The value of the last state but one token is the normalised score of all but that token."""
    ppo = assembled(ppo_config(start, value="reward", reward_model=reward_folder), PROMPTS, None, ())
    scorer = ppo.actor.scorer
    found, targets, _ = captured(ppo)
    reward = scorer._reward  # type: ignore[attr-defined]
    for i in range(len(found.rows)):
        row = found.rows.select(torch.tensor([i]))
        last = int(row.lengths[0]) - 1
        cut = type(row)(row.token_ids[:, :last], row.attention_mask[:, :last], row.answer_mask[:, :last])
        with torch.no_grad():
            expected = reward.normalised(cut)[0].item()
        assert targets.old_values[i, last].item() == pytest.approx(expected, abs=1e-4)
    again = scorer(found.prompts, found.rollouts).total
    assert torch.equal(again, found.raw.total)  # the critic has learnt, the scorer has not
    with torch.no_grad():
        moved_values = ppo.value(found.rows, ppo.policy(found.rows).hidden)
    assert (moved_values - targets.old_values).abs().max() > 1e-3


def test_the_critic_bends_the_policy_only_from_its_layers_and_by_its_coefficient(
    start: str, reward_folder: str
) -> None:
    def policy_after(value: str, vf_coef: float) -> dict[str, Tensor]:
        config = ppo_config(start, value=value, vf_coef=vf_coef, reward_model=reward_folder)
        ppo = assembled(config, PROMPTS, ES, ())
        torch.nn.init.constant_(ppo.value.head.weight, 0.1)
        ppo.step(0)
        return snapshot(ppo.policy.trained_parameters())

    assert largest_difference(policy_after("policy", 0.0), policy_after("policy", 1.0)) > 1e-3
    assert largest_difference(policy_after("reward", 0.1), policy_after("reward", 1.0)) == 0
    alone = policy_after("policy", 0.0)
    assert largest_difference(alone, policy_after("policy", 0.0)) == 0


def test_a_critic_cannot_read_another_tokenizers_ids(start: str, reward_folder: str, tmp_path: Path) -> None:
    reward = new_reward_model(start, UPPER, seed=0, precision=Precision.FLOAT32, pad_id=0, device=torch.device("cpu"))
    codec = load_codec(start)
    codec.tokenizer.chat_template = f"{codec.tokenizer.chat_template}{{# another #}}"
    save_scorer(reward, codec.tokenizer, tmp_path / "model", parent=start, numbers={})
    config = ppo_config(start, value="reward", reward_model=str(tmp_path / "model"))
    with pytest.raises(PlauditError, match=r"another tokenizer or chat template .*: set value to 'policy'"):
        assembled(config, PROMPTS, None, ())
    assembled(ppo_config(start, reward_model=str(tmp_path / "model")), PROMPTS, None, ())


def rewards_of(ppo: PPO) -> tuple[Rollouts, Tensor]:
    """Per-token rewards, read off the returns: gamma = lambda = 1, so a return is the sum of what follows."""
    found, targets, _ = captured(ppo)
    after = torch.cat([targets.returns[:, 1:], torch.zeros(len(targets.returns), 1)], dim=1)
    return found.rollouts, torch.where(found.rows.answer_mask, targets.returns - after, torch.zeros(()))


def test_dense_scores_reach_their_tokens(start: str) -> None:
    """A fine-grained scorer: half a point for every e, at the e; the total at the last token besides."""
    e = load_codec(start).tokenizer.convert_tokens_to_ids("e")

    def scorer(_: object, rollouts: Rollouts) -> Scores:
        return Scores(torch.full((len(rollouts),), 2.0), {}, 0.5 * (rollouts.rows.token_ids == e))

    rollouts, rewards = rewards_of(new_ppo(start, scorer, gae_lambda=1.0))
    mask = rollouts.rows.answer_mask
    expected = 0.5 * ((rollouts.rows.token_ids == e) & mask)
    for i in range(len(mask)):
        expected[i, mask[i].nonzero().max()] += 2.0
    assert torch.allclose(rewards, expected, atol=1e-4)  # the penalty is 0: policy and reference are one
    assert expected[mask].unique().numel() >= 3


def test_an_answers_return_is_score_and_dense_rewards_minus_the_penalty(start: str) -> None:
    """Whatever the critic, the whitening and the baseline make of them."""

    def scorer(_: object, rollouts: Rollouts) -> Scores:
        return Scores(torch.arange(8.0), {}, torch.where(rollouts.rows.answer_mask, 0.5, torch.nan))

    settings = {"kl_coef": 0.3, "whiten_rewards": True, "score_baseline": "leave_one_out"}
    ppo = new_ppo(start, scorer, **settings)
    moved(ppo.policy)
    found, _, metrics = captured(ppo)
    kl = (found.rollouts.logprobs - found.ref_logprobs)[found.rows.answer_mask].sum().item()
    assert abs(kl) > 0.01
    expected = (28 + 0.5 * found.rows.num_answer_tokens - 0.3 * kl) / 8
    assert metrics["reward/mean"] == pytest.approx(expected, abs=1e-4)


def test_the_score_counts_once_at_the_last_token(start: str) -> None:
    """The stop token where there is one, else the token where the limit cut."""
    rollouts, rewards = rewards_of(new_ppo(start, gae_lambda=1.0, experience=experience(max_new_tokens=4)))
    assert 0 < rollouts.finished.sum() < 8
    for i in range(8):
        positions = rollouts.rows.answer_mask[i].nonzero().flatten()
        assert rewards[i, positions[-1]].item() == pytest.approx(rollouts.texts[i].count("e"), abs=1e-4)
        assert rewards[i, positions[:-1]].abs().max() < 1e-4


def test_a_score_may_be_measured_against_the_prompts_other_answers(start: str) -> None:
    """Each score minus the mean of the other two; what is reported stays the score, and what is left of it."""
    three = experience(answers_per_prompt=3)
    ppo = new_ppo(start, gae_lambda=1.0, experience=three, score_baseline="leave_one_out", kl_coef=0.0)
    found, targets, metrics = captured(ppo)
    scores = [text.count("e") for text in found.rollouts.texts]
    for i, score in enumerate(scores):
        others = [scores[j] for j in range(3 * (i // 3), 3 * (i // 3) + 3) if j != i]
        first = found.rows.answer_mask[i].nonzero()[0]  # with gamma = lambda = 1 its return is all that follows
        assert targets.returns[i, first].item() == pytest.approx(score - sum(others) / 2, abs=1e-4)
    assert len(set(scores)) > 2
    assert metrics["score/mean"] == pytest.approx(sum(scores) / 12)
    assert metrics["reward/mean"] == pytest.approx(sum(scores) / 12)


def test_ptx_changes_the_update_and_shows_both_gradients(start: str) -> None:
    def run(coefficient: float) -> tuple[dict[str, Tensor], dict[str, float]]:
        config = ppo_config(start, ptx_coef=coefficient, ptx_batch_size=4)
        ppo = assembled(config, PROMPTS, ES, demonstrations(12) if coefficient else ())
        metrics = ppo.step(0)[1]
        return snapshot(ppo.policy.trained_parameters()), metrics

    plain, without = run(0.0)
    mixed, found = run(2.0)
    assert largest_difference(plain, mixed) > 1e-3
    assert {"loss/ptx", "grad_norm/ppo", "grad_norm/ptx"} <= found.keys() - without.keys()
    assert found["loss/ptx"] > 0
    assert found["grad_norm/ptx"] > 0
    assert abs(found["grad_norm/policy"] - found["grad_norm/ppo"]) <= found["grad_norm/ptx"] + 1e-4


def test_ptx_draws_anew_for_every_update(start: str) -> None:
    """By the update's number, which a resumed run goes on counting."""
    ppo = assembled(ppo_config(start, ptx_coef=1.0), PROMPTS, ES, demonstrations(12))
    assert ppo.ptx is not None
    backward, numbers = ppo.ptx.backward, list[int]()

    def spy(update: int) -> dict[str, float]:
        numbers.append(update)
        return backward(update)

    ppo.ptx.backward = spy  # type: ignore[method-assign]
    ppo.step(0)
    ppo.step(1)
    assert numbers == list(range(8))


def test_ptx_without_demonstrations_is_refused(start: str) -> None:
    with pytest.raises(PlauditError, match=r"ptx_coef = 0\.5 needs demonstrations"):
        assembled(ppo_config(start, ptx_coef=0.5), PROMPTS, ES, ())


def test_no_prompts_are_refused(start: str) -> None:
    with pytest.raises(PlauditError, match="there are no prompts"):
        assembled(ppo_config(start), [], ES, ())


def test_extra_columns_reach_the_reward_function(start: str) -> None:
    seen: list[object] = []

    def function(prompts: list[str], completions: list[str], answer: list[object]) -> list[float]:
        seen.extend(zip(prompts, answer, strict=True))
        return [0.0] * len(completions)

    ppo = new_ppo(start)
    columns = {prompt.id: {"answer": prompt.messages[-1].text.upper()} for prompt in ppo.actor.prompts}
    ppo.actor.scorer = FunctionScorer(function, columns)
    ppo.step(0)
    assert len(seen) == 8
    assert all(wanted == prompt.upper() for prompt, wanted in seen)  # type: ignore[misc, attr-defined]


def test_an_answer_of_one_token_can_be_learnt_from(start: str) -> None:
    ppo = new_ppo(start, experience=experience(max_new_tokens=1))
    _, metrics = ppo.step(0)
    assert metrics["answer/length"] == 1
