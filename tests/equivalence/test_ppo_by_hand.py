"""Two steps of PPO against the same two steps written out on whole, separate networks.

No shared trunk, no batches, no padding, no masks: every answer runs through plain transformers by itself, every sum is a
loop. Only the sampler and the permutations are the trainer's own: they say which data, not what is done with it.
"""

import math

import pytest
import torch
from torch import Tensor, nn
from transformers import AutoModelForCausalLM, PreTrainedModel

from plaudit.models.policy import TrainLayers
from plaudit.rollout.sampler import sampled
from plaudit.text.prompts import EncodedPrompt
from plaudit.trainers.minibatches import permutation
from plaudit.trainers.optimisation import OptimiserConfig, Schedule
from plaudit.trainers.ppo import PPO, assembled
from plaudit.trainers.ppo_config import PPOConfig
from tests.trainers.toy import ALL, ES, PROMPTS, UPPER, experience, largest_difference, ppo_config, snapshot

RATE, EPS = 1e-2, 1e-3


class ByHand:
    """The networks, and two AdamW optimisers made here."""

    def __init__(self, config: PPOConfig) -> None:
        self.config, self.kl_coef, self.num_done = config, config.kl_coef, 0
        self.policy: PreTrainedModel = AutoModelForCausalLM.from_pretrained(config.model).eval()
        self.reference: PreTrainedModel = AutoModelForCausalLM.from_pretrained(config.model).eval()
        for name, parameter in self.policy.named_parameters():
            parameter.requires_grad_(config.train.kind == "all" or "layers.1." in name or name == "model.norm.weight")
        self.head = nn.Linear(self.policy.config.hidden_size, 1)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)
        self.learning = [p for p in self.policy.parameters() if p.requires_grad]
        self.policy_adam = torch.optim.AdamW(self.learning, eps=EPS, weight_decay=0.0)
        self.value_adam = torch.optim.AdamW(self.head.parameters(), eps=EPS, weight_decay=0.0)

    def seen(self, model: PreTrainedModel, ids: list[int], start: int) -> tuple[Tensor, Tensor, Tensor]:
        """Log-probabilities and entropies of the tokens from `start` on, and the states they were chosen in."""
        output = model(input_ids=torch.tensor([ids]), output_hidden_states=True)
        logprobs = torch.log_softmax(output.logits[0] / self.config.experience.sampling.temperature, -1)
        chosen = torch.stack([logprobs[t - 1, ids[t]] for t in range(start, len(ids))])
        return chosen, logprobs, output.hidden_states[-1][0, start - 1 : -1]

    def step(self, ppo: PPO, step: int) -> None:
        config = self.config
        prompts = [prompt_of(ppo, step, i) for i in range(config.experience.prompts_per_step)]
        rollouts = sampled(
            self.policy,
            ppo.actor.codec,
            prompts,
            config.experience.sampling,
            num_answers=config.experience.answers_per_prompt,
            seed=config.seed,
            step=step,
        )
        answers = []
        for i in range(len(rollouts)):
            ids = rollouts.rows.token_ids[i, : rollouts.rows.lengths[i]].tolist()
            begin = int(rollouts.rows.answer_mask[i].nonzero()[0])
            with torch.no_grad():
                old, _, states = self.seen(self.policy, ids, begin)
                reference, _, _ = self.seen(self.reference, ids, begin)
                values = self.head(states)[:, 0]
            score = float(rollouts.texts[i].count("e")) - (0.5 if ids[-1] != ppo.actor.codec.stop_id else 0.0)
            answers.append(self.targets(ids, begin, old, reference, values, score))
        self.whiten(answers)
        mean_kl = sum(answer["kl"] for answer in answers) / len(answers)
        self.descend(answers, step)
        error = max(-0.2, min(0.2, mean_kl / config.kl_target - 1))  # type: ignore[operator]
        self.kl_coef *= 1 + error * len(answers) / config.resolved_kl_horizon

    def targets(self, ids: list[int], begin: int, old: Tensor, reference: Tensor, values: Tensor, score: float) -> dict:
        """One answer's advantages and returns: backwards through its tokens."""
        config, num = self.config, len(old)
        rewards = [-self.kl_coef * float(old[t] - reference[t]) for t in range(num)]
        rewards[-1] += score
        advantages, following, next_value = [0.0] * num, 0.0, 0.0
        for t in reversed(range(num)):
            delta = rewards[t] + config.gamma * next_value - float(values[t])
            following = delta + config.gamma * config.gae_lambda * following
            advantages[t], next_value = following, float(values[t])
        return {
            "ids": ids,
            "begin": begin,
            "old": old,
            "values": values,
            "kl": float((old - reference).sum()),
            "advantages": advantages,
            "returns": [a + float(v) for a, v in zip(advantages, values, strict=True)],
        }

    def whiten(self, answers: list[dict]) -> None:
        flat = [x for answer in answers for x in answer["advantages"]]
        mean = sum(flat) / len(flat)
        deviation = math.sqrt(sum((x - mean) ** 2 for x in flat) / len(flat))
        for answer in answers:
            answer["advantages"] = [(x - mean) / deviation for x in answer["advantages"]]

    def descend(self, answers: list[dict], step: int) -> None:
        config = self.config
        for epoch in range(config.num_epochs):
            per_prompt = config.experience.answers_per_prompt
            prompts = permutation(len(answers) // per_prompt, config.seed, "minibatches", step, epoch).tolist()
            order = [prompt * per_prompt + k for prompt in prompts for k in range(per_prompt)]
            size = len(order) // config.num_minibatches
            for first in range(0, len(order), size):
                self.update([answers[i] for i in order[first : first + size]])

    def update(self, answers: list[dict]) -> None:
        config = self.config
        num = sum(len(answer["old"]) for answer in answers)
        total = torch.zeros(())
        for answer in answers:
            new, _, states = self.seen(self.policy, answer["ids"], answer["begin"])
            values = self.head(states)[:, 0]
            for t in range(len(new)):
                ratio = (new[t] - answer["old"][t]).exp()
                near = ratio.clamp(1 - config.policy_clip, 1 + config.policy_clip)
                advantage, target, old = answer["advantages"][t], answer["returns"][t], float(answer["values"][t])
                total = total - torch.minimum(advantage * ratio, advantage * near) / num
                near_value = values[t].clamp(old - config.value_clip, old + config.value_clip)
                worse = torch.maximum((values[t] - target) ** 2, (near_value - target) ** 2)
                total = total + config.vf_coef * 0.5 * worse / num
        total.backward()
        rate = RATE * (1 - self.num_done / (config.num_steps * config.num_epochs * config.num_minibatches))
        for adam, parameters in ((self.policy_adam, self.learning), (self.value_adam, list(self.head.parameters()))):
            norm = torch.sqrt(sum(p.grad.pow(2).sum() for p in parameters))  # type: ignore[union-attr, arg-type]
            for parameter in parameters:
                assert parameter.grad is not None
                parameter.grad.mul_(min(1.0, 1.0 / (float(norm) + 1e-6)))
            adam.param_groups[0]["lr"] = rate
            adam.step()
            adam.zero_grad()
        self.num_done += 1


def prompt_of(ppo: PPO, step: int, i: int) -> EncodedPrompt:
    """The i-th prompt of the step: the data in a new order each pass."""
    position = step * ppo.config.experience.prompts_per_step + i
    order = permutation(len(PROMPTS), ppo.config.seed, "prompts", position // len(PROMPTS))
    return ppo.actor.prompts[int(order[position % len(PROMPTS)])]


@pytest.mark.parametrize("train", [UPPER, ALL], ids=["upper: a shared trunk", "all"])
@pytest.mark.parametrize("temperature", [1.0, 0.7])
def test_two_steps(start: str, train: TrainLayers, temperature: float) -> None:
    """Every parameter of policy and critic, and the coefficient."""
    steady = OptimiserConfig(learning_rate=RATE, eps=EPS, schedule=Schedule.LINEAR, warmup_frac=0.0)
    config = ppo_config(
        start,
        train=train,
        kl_coef=0.3,
        kl_target=0.05,
        kl_horizon=20.0,
        gamma=0.98,
        gae_lambda=0.9,
        policy_clip=0.1,
        value_clip=0.3,
        vf_coef=0.4,
        micro_batch_size=3,
        num_epochs=2,
        num_minibatches=2,
        optimiser=steady,
        value_optimiser=steady,
        experience=experience(temperature=temperature, max_new_tokens=6, truncated_penalty=0.5),
    )
    ppo, by_hand = assembled(config, PROMPTS, ES, ()), ByHand(config)
    begun = snapshot(ppo.policy.trained_parameters())
    for step in range(2):
        ppo.step(step)
        by_hand.step(ppo, step)
    names = {name for name, _ in ppo.policy.trained_parameters()}
    ours = snapshot(ppo.policy.trained_parameters())
    theirs = {name: p.detach() for name, p in by_hand.policy.named_parameters() if name in names}
    assert largest_difference(begun, ours) > 1e-2
    assert largest_difference(ours, theirs) < 1e-5
    value = snapshot(ppo.value.trained_parameters())
    assert (value["head.weight"] - by_hand.head.weight.detach()).abs().max() < 1e-5
    assert value["head.weight"].abs().max() > 1e-3
    assert ppo.kl_coef == pytest.approx(by_hand.kl_coef, rel=1e-5)
    assert ppo.kl_coef != pytest.approx(0.3, rel=1e-3)
