"""One step of PPO: how many updates, towards what, and what is reported of them."""

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor
from transformers import AutoModelForCausalLM

from plaudit.algorithms.policy import PolicyLoss
from plaudit.models.load import Precision
from plaudit.trainers import ppo as ppo_module
from plaudit.trainers.experience import Experience
from plaudit.trainers.ppo import PPO, Targets
from tests.trainers.toy import ALL, LORA, PROMPTS, UPPER, experience, fast, moved, new_ppo, torch_steps

every_way = pytest.mark.parametrize("train", [ALL, UPPER, LORA], ids=["all", "upper", "lora"])
STILL = fast(1e-12)


def captured(ppo: PPO, step: int = 0) -> tuple[Experience, Targets, dict[str, float]]:
    """A step, and what its epochs descended towards."""
    seen: list[Targets] = []
    descend = ppo._descend

    def spy(targets: Targets, siblings: Tensor, number: int) -> dict[str, float]:
        seen.append(targets)
        return descend(targets, siblings, number)

    ppo._descend = spy  # type: ignore[method-assign]
    found, metrics = ppo.step(step)
    ppo._descend = descend  # type: ignore[method-assign]
    return found, seen[0], metrics


def answer(row: Tensor, mask: Tensor) -> list[float]:
    return [float(x) for x in row[mask]]


@pytest.mark.parametrize(("num_minibatches", "num_epochs"), [(1, 1), (1, 4), (2, 2), (4, 2), (8, 1), (3, 3)])
def test_minibatches_times_epochs_are_that_many_optimiser_steps(
    start: str, num_minibatches: int, num_epochs: int
) -> None:
    """Counted on the optimisers, in every step alike: the third begins one pass over the prompts and ends another."""
    ppo = new_ppo(start, num_minibatches=num_minibatches, num_epochs=num_epochs, micro_batch_size=2, num_steps=4)
    for step in range(4):
        with torch_steps() as made:
            _, metrics = ppo.step(step)
        assert len(made) == 2 * num_minibatches * num_epochs  # the policy's and the critic's
        assert made.count(made[0]) == made.count(made[1]) == num_minibatches * num_epochs
        assert metrics["updates"] == num_minibatches * num_epochs
    assert ppo.policy_optimiser.learning_rate == 0  # the schedule counted the same


@pytest.mark.parametrize(("num_minibatches", "micro_batch_size"), [(1, 16), (2, 16), (4, 1), (3, 2)])
def test_a_constant_is_reported_as_itself(
    start: str, monkeypatch: pytest.MonkeyPatch, num_minibatches: int, micro_batch_size: int
) -> None:
    """The means are over what was filled: three a token is three, whatever the portions."""
    real = ppo_module.clipped_policy_loss

    def constant(*arguments: Tensor, clip: float, denominator: float) -> PolicyLoss:
        mask = arguments[3]
        share = mask.sum() / denominator
        found = real(*arguments, clip=clip, denominator=denominator)
        return replace(found, approx_kl=3 * share, clip_frac=3 * share, ratio_mean=3 * share, ratio_square=9 * share)

    monkeypatch.setattr(ppo_module, "clipped_policy_loss", constant)
    ppo = new_ppo(start, num_minibatches=num_minibatches, micro_batch_size=micro_batch_size)
    _, metrics = ppo.step(0)
    assert metrics["policy/approx_kl"] == pytest.approx(3, abs=1e-5)
    assert metrics["policy/clip_frac"] == pytest.approx(3, abs=1e-5)
    assert metrics["policy/ratio_mean"] == pytest.approx(3, abs=1e-5)
    assert metrics["policy/ratio_var"] == pytest.approx(0, abs=1e-4)


@every_way
@pytest.mark.parametrize("temperature", [1.0, 0.7])
@pytest.mark.parametrize("precision", [Precision.FLOAT32, Precision.MIXED])
def test_the_first_minibatchs_ratio_is_one(
    start: str,
    monkeypatch: pytest.MonkeyPatch,
    train: object,
    temperature: float,
    precision: Precision,
) -> None:
    """In the first step and after the policy has moved. Under `mixed` the learner says the old log-probabilities anew.

    Products in bfloat16 round anew in a batch of another shape, a jump at a token here and there.
    """
    ratios: list[Tensor] = []
    real = ppo_module.clipped_policy_loss

    def spy(logprobs: Tensor, old: Tensor, advantages: Tensor, mask: Tensor, **settings: float) -> PolicyLoss:
        ratios.append((logprobs - old)[mask].detach().exp())
        return real(logprobs, old, advantages, mask, **settings)

    monkeypatch.setattr(ppo_module, "clipped_policy_loss", spy)
    ppo = new_ppo(start, train=train, experience=experience(temperature=temperature), precision=precision)
    for step in range(2):
        first = len(ratios)
        ppo.step(step)
        assert len(ratios) == first + 4  # two minibatches, two epochs
        off = (ratios[first] - 1).abs()
        assert off.median() < 1e-4
        assert off.max() < (1e-4 if precision is Precision.FLOAT32 else 1e-2)
        assert (ratios[-1] - 1).abs().max() > 1e-3


def slow_targets(found: Experience, old_values: Tensor, *, kl_coef: float, gamma: float, lam: float) -> list[list]:
    """Advantages (before whitening) and returns of every answer, in plain floats, the sums written out."""
    result = []
    mask = found.rows.answer_mask
    for i in range(len(mask)):
        p, q = answer(found.rollouts.logprobs[i], mask[i]), answer(found.ref_logprobs[i], mask[i])
        values = answer(old_values[i], mask[i])
        rewards = [-kl_coef * (a - b) for a, b in zip(p, q, strict=True)]
        rewards[-1] += float(found.scores[i])
        after = [*values[1:], 0.0]
        deltas = [r + gamma * w - v for r, v, w in zip(rewards, values, after, strict=True)]
        num = len(rewards)
        advantages = [sum((gamma * lam) ** (s - t) * deltas[s] for s in range(t, num)) for t in range(num)]
        result.append([advantages, [a + v for a, v in zip(advantages, values, strict=True)]])
    return result


@pytest.mark.parametrize("temperature", [1.0, 0.7])
def test_what_the_epochs_descend_towards(start: str, temperature: float) -> None:
    """Penalty, score, values and reference in their places: against sums written out, advantages whitened over all."""
    ppo = new_ppo(start, kl_coef=0.3, gamma=0.9, gae_lambda=0.8, experience=experience(temperature=temperature))
    moved(ppo.policy, ppo.value)
    found, targets, _ = captured(ppo)
    mask = found.rows.answer_mask
    assert len(set(mask.sum(-1).tolist())) > 2  # unequal lengths
    assert found.kl.abs().min() > 1e-3
    assert torch.equal(targets.old_logprobs, found.rollouts.logprobs)
    assert targets.old_values[mask].abs().min() > 0
    expected = slow_targets(found, targets.old_values, kl_coef=0.3, gamma=0.9, lam=0.8)
    flat = [advantage for advantages, _ in expected for advantage in advantages]
    mean = sum(flat) / len(flat)
    deviation = math.sqrt(sum((x - mean) ** 2 for x in flat) / len(flat))  # biased, global
    for i, (advantages, returns) in enumerate(expected):
        whitened = [(x - mean) / deviation for x in advantages]
        assert answer(targets.advantages[i], mask[i]) == pytest.approx(whitened, abs=1e-4)
        assert answer(targets.returns[i], mask[i]) == pytest.approx(returns, abs=1e-4)
    for tensor in (targets.advantages, targets.returns, targets.old_values, targets.old_logprobs):
        assert not tensor[~mask].any()


def test_whitening_the_advantages_can_be_switched_off(start: str) -> None:
    ppo = new_ppo(start, whiten_advantages=False)
    moved(ppo.policy, ppo.value)
    found, targets, _ = captured(ppo)
    expected = slow_targets(found, targets.old_values, kl_coef=0.05, gamma=1.0, lam=0.95)
    mask = found.rows.answer_mask
    for i, (advantages, _) in enumerate(expected):
        assert answer(targets.advantages[i], mask[i]) == pytest.approx(advantages, abs=1e-4)


def test_whitened_rewards_have_unit_variance_and_keep_their_mean(start: str) -> None:
    """With gamma = lambda = 1 a return is the sum of the rewards from there on: their differences are the rewards."""

    def rewards(whiten: bool) -> Tensor:
        ppo = new_ppo(start, whiten_rewards=whiten, gae_lambda=1.0, kl_coef=0.2)
        moved(ppo.policy, ppo.value)
        found, targets, _ = captured(ppo)
        answers = [targets.returns[i][mask] for i, mask in enumerate(found.rows.answer_mask)]
        return torch.cat([x - torch.cat([x[1:], torch.zeros(1)]) for x in answers])

    plain, whitened = rewards(False), rewards(True)
    assert whitened.mean().item() == pytest.approx(plain.mean().item(), abs=1e-4)
    assert whitened.var(correction=0).item() == pytest.approx(1.0, abs=1e-3)
    assert plain.var(correction=0).item() < 0.9
    order = (plain[:, None] > plain + 1e-4) & (whitened[:, None] < whitened)
    assert not order.any()


def made_up_targets(ppo: PPO, garbage: float) -> Targets:
    """Old log-probabilities off by up to half a nat, values off by up to one; `garbage` wherever nothing counts."""
    found = ppo.actor.gather(0)
    mask = found.rows.answer_mask
    generator = torch.Generator().manual_seed(1)
    noise = torch.rand((4, *mask.shape), generator=generator) - 0.5
    filled = [
        torch.where(mask, x, torch.tensor(garbage))
        for x in (found.rollouts.logprobs + noise[0], noise[1], 3 * noise[2], 2 * noise[3])
    ]
    return Targets(found.rows, *filled)


def slow_entropies(folder: str, targets: Targets, index: list[int], temperature: float) -> list[float]:
    """Of every answer token's distribution, by plain transformers, a row at a time, no padding."""
    model = AutoModelForCausalLM.from_pretrained(folder)
    entropies = []
    for i in index:
        length = int(targets.rows.lengths[i])
        with torch.no_grad():
            logits = model(input_ids=targets.rows.token_ids[i : i + 1, :length]).logits[0].double() / temperature
        p = torch.softmax(logits, -1)
        entropy = -(p * p.log()).sum(-1)
        entropies += [float(entropy[t - 1]) for t in range(length) if targets.rows.answer_mask[i, t]]
    return entropies


@pytest.mark.parametrize("garbage", [0.0, math.nan, 1e9])
@pytest.mark.parametrize("micro_batch_size", [16, 2])
def test_an_updates_numbers_are_means_over_its_answer_tokens(start: str, garbage: float, micro_batch_size: int) -> None:
    """Losses, ratio, divergence, clipping and entropy, token by token in plain floats. What is masked is never seen."""
    ppo = new_ppo(
        start,
        policy_clip=0.15,
        value_clip=0.35,
        vf_coef=0.5,
        micro_batch_size=micro_batch_size,
        experience=experience(temperature=0.7),
    )
    moved(ppo.value)
    targets, index = made_up_targets(ppo, garbage), [0, 3, 4, 6, 7]
    with torch.no_grad():
        stats = ppo.policy(targets.rows, 0.7)
        values = ppo.value(targets.rows, stats.hidden)
    sums = dict.fromkeys(("policy", "value", "kl", "clip", "ratio", "value clip"), 0.0)
    num = 0
    for i in index:
        for t in targets.rows.answer_mask[i].nonzero().flatten().tolist():
            advantage, value, target = (
                float(targets.advantages[i, t]),
                float(values[i, t]),
                float(targets.returns[i, t]),
            )
            log_ratio = float(stats.logprobs[i, t]) - float(targets.old_logprobs[i, t])
            ratio = math.exp(log_ratio)
            near = min(max(ratio, 1 - 0.15), 1 + 0.15)
            old = float(targets.old_values[i, t])
            near_value = min(max(value, old - 0.35), old + 0.35)
            sums["policy"] += max(-advantage * ratio, -advantage * near)
            sums["value"] += 0.5 * max((value - target) ** 2, (near_value - target) ** 2)
            sums["kl"] += ratio - 1 - log_ratio
            sums["clip"] += -advantage * near > -advantage * ratio
            sums["ratio"] += ratio
            sums["value clip"] += (near_value - target) ** 2 > (value - target) ** 2
            num += 1
    found = ppo._update(targets, torch.tensor(index))
    expected = {
        "loss/policy": sums["policy"] / num,
        "loss/value": sums["value"] / num,
        "policy/approx_kl": sums["kl"] / num,
        "policy/clip_frac": sums["clip"] / num,
        "policy/ratio_mean": sums["ratio"] / num,
        "value/clip_frac": sums["value clip"] / num,
        "policy/entropy": sum(slow_entropies(start, targets, index, 0.7)) / num,
    }
    assert 0 < sums["clip"] < num
    assert 0 < sums["value clip"] < num
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, abs=1e-4), name


def test_all_answers_take_part_once_an_epoch_in_a_new_order_with_their_siblings(start: str) -> None:
    eight = experience(prompts_per_step=8)
    ppo = new_ppo(start, num_epochs=3, num_minibatches=4, num_steps=2, experience=eight)
    seen: list[list[int]] = []
    update = ppo._update

    def spy(targets: Targets, index: Tensor) -> dict[str, float]:
        seen.append(index.tolist())
        return update(targets, index)

    ppo._update = spy  # type: ignore[method-assign]
    ppo.step(0)
    ppo.step(1)
    epochs = [[*seen[i], *seen[i + 1], *seen[i + 2], *seen[i + 3]] for i in range(0, len(seen), 4)]
    assert len(epochs) == 6
    assert all(sorted(order) == list(range(16)) for order in epochs)
    assert len({tuple(order) for order in epochs}) == 6
    assert all({i ^ 1 for i in index} == set(index) for index in seen)  # answers 0 and 1 are to one prompt, 2 and 3 ...


def test_the_metrics_of_the_answers(start: str) -> None:
    """Divergences are sums over an answer, in nats; the reward is what is left of the score."""
    ppo = new_ppo(start, kl_coef=0.3, optimiser=STILL, value_optimiser=STILL)
    moved(ppo.policy)
    found, _, metrics = captured(ppo)
    mask = found.rows.answer_mask
    per_answer = [answer(row, m) for row, m in zip(found.rollouts.logprobs - found.ref_logprobs, mask, strict=True)]
    k1 = [sum(ratios) for ratios in per_answer]
    k3 = [sum(math.exp(-x) - 1 + x for x in ratios) for ratios in per_answer]
    scores = [text.count("e") for text in found.rollouts.texts]
    mean = sum(scores) / 8
    assert metrics["kl/k1"] == pytest.approx(sum(k1) / 8, abs=1e-4)
    assert metrics["kl/k3"] == pytest.approx(sum(k3) / 8, abs=1e-4)
    assert metrics["score/mean"] == pytest.approx(mean, abs=1e-6)
    assert metrics["score/std"] == pytest.approx(math.sqrt(sum((s - mean) ** 2 for s in scores) / 8), abs=1e-5)
    assert metrics["reward/mean"] == pytest.approx(mean - 0.3 * sum(k1) / 8, abs=1e-4)
    assert metrics["answer/length"] == pytest.approx(mask.sum().item() / 8)
    assert metrics["answer/stop_frac"] == pytest.approx(found.rollouts.finished.sum().item() / 8)
    assert metrics["policy/ratio_mean"] == pytest.approx(1.0, abs=1e-5)
    assert metrics["policy/ratio_var"] == pytest.approx(0.0, abs=1e-5)
    assert metrics["kl_coef"] == 0.3


def test_a_step_of_more_prompts_than_there_are_asks_them_again(start: str) -> None:
    ppo = new_ppo(start, experience=experience(prompts_per_step=10, answers_per_prompt=1), num_minibatches=1)
    found, _ = ppo.step(0)
    assert len(found.prompts) == 10
    assert len({prompt.id for prompt in found.prompts}) == len(PROMPTS)
