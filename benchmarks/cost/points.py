"""What is varied, and one step of PPO measured at each point."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import torch
from transformers import AutoConfig, AutoModelForCausalLM

from plaudit.cli.forecast import ModelSize, Rates, ppo_forecast, ppo_work
from plaudit.models.load import Precision, load_causal_lm, load_codec
from plaudit.models.policy import TrainLayers
from plaudit.models.reward import new_reward_model, save_reward_model
from plaudit.rollout.sampler import Sampling
from plaudit.runs.memory import peak_rss_mb, reuse_freed_memory
from plaudit.schemas.conversation import Messages, user
from plaudit.text.chat import ChatCodec
from plaudit.trainers.experience import ExperienceConfig
from plaudit.trainers.ppo import assembled
from plaudit.trainers.ppo_config import PPOConfig

MODEL = "smollm2-135m"
_WORDS = ("river", "garden", "window", "letter", "market", "winter", "bridge", "music")


@dataclass(frozen=True, kw_only=True, slots=True)
class Point:
    """A step of PPO: the model's shape and the sizes that its cost depends on."""

    num_layers: int = 30
    width: int = 576
    """576 is the model's own; another is a model of random weights with heads of the same size."""
    num_prompts: int = 8
    num_answers: int = 4
    """K, answers to a prompt."""
    prompt_tokens: int = 48
    answer_tokens: int = 32
    num_epochs: int = 4
    kind: Literal["all", "upper", "lora"] = "upper"
    value: Literal["policy", "reward"] = "policy"

    @property
    def layers(self) -> TrainLayers:
        """What learns; of single layers the upper fifth."""
        return TrainLayers(kind=self.kind, num_upper=max(1, self.num_layers // 5))

    def config(self, model: str = "", reward_model: str = "") -> PPOConfig:
        """The trainer's settings: one minibatch an epoch, the upper fifth where not all learns."""
        return PPOConfig(
            model=model,
            reward_model=reward_model,
            train=self.layers,
            value=self.value,
            experience=ExperienceConfig(
                prompts_per_step=self.num_prompts,
                answers_per_prompt=self.num_answers,
                sampling=Sampling(max_new_tokens=self.answer_tokens),
            ),
            num_epochs=self.num_epochs,
            num_minibatches=1,
            micro_batch_size=8,
            precision=Precision.AUTO,
            device="cpu",
        )


SWEEPS: dict[str, tuple[Point, ...]] = {
    "million parameters": (*(Point(num_layers=n) for n in (10, 20, 30)), Point(num_layers=32, width=960)),
    "answers a step": tuple(Point(num_prompts=n) for n in (2, 4, 8, 16)),
    "answer tokens": tuple(Point(answer_tokens=n) for n in (16, 32, 64, 128)),
    "answers a prompt": tuple(Point(num_prompts=32 // k, num_answers=k) for k in (1, 2, 4, 8)),
    "epochs": tuple(Point(num_epochs=n) for n in (1, 2, 4, 8)),
    "what learns": (
        Point(),
        Point(value="reward"),
        Point(kind="lora"),
        Point(kind="all"),
        Point(kind="all", value="reward"),
    ),
}


VARIED: dict[str, Callable[[Point], int]] = {
    "answers a step": lambda point: point.num_prompts * point.num_answers,
    "answer tokens": lambda point: point.answer_tokens,
    "answers a prompt": lambda point: point.num_answers,
    "epochs": lambda point: point.num_epochs,
}


def write_models(point: Point, folder: Path) -> tuple[str, str]:
    """A policy of the point's shape and a reward model on its layers; the folders' names."""
    policy, reward = folder / "policy", folder / "reward"
    codec = load_codec(MODEL)
    if point.width == 576:
        model = load_causal_lm(MODEL)
        model.model.layers = model.model.layers[: point.num_layers]
        model.config.num_hidden_layers = point.num_layers
    else:
        config = AutoConfig.for_model(**load_causal_lm(MODEL).config.to_dict())
        config.num_hidden_layers, config.hidden_size = point.num_layers, point.width
        config.intermediate_size = point.width * 8 // 3
        config.num_attention_heads = point.width // config.head_dim
        config.num_key_value_heads = config.num_attention_heads // 3
        torch.manual_seed(0)
        model = AutoModelForCausalLM.from_config(config)
    model.save_pretrained(policy)
    codec.tokenizer.save_pretrained(policy)
    layers = replace(point.layers, kind="upper")
    scorer = new_reward_model(str(policy), layers, seed=0, precision=Precision.FLOAT32, pad_id=codec.pad_id)
    save_reward_model(scorer, reward)
    codec.tokenizer.save_pretrained(reward)
    return str(policy), str(reward)


def prompts_of(codec: ChatCodec, num: int, num_tokens: int) -> list[Messages]:
    """So many different prompts of exactly so many tokens, template included."""
    prompts = []
    for number in range(num):
        said = [_WORDS[number % len(_WORDS)], _WORDS[number // len(_WORDS) % len(_WORDS)]]
        while len(codec.prompt_ids((user(" ".join(said)),))) < num_tokens:
            said.append(_WORDS[(number + len(said)) % len(_WORDS)])
        prompts.append((user(" ".join(said)),))
        found = len(codec.prompt_ids(prompts[-1]))
        if found != num_tokens:
            raise ValueError(f"no prompt of {num_tokens} tokens: got {found}")
    return prompts


def measured(point: Point, policy: str, reward: str, num_steps: int = 2) -> dict[str, Any]:
    """Seconds of a step by phase, the mean of `num_steps` after one to warm up, and the process's peak of memory."""
    reuse_freed_memory()  # as the command line does
    config = point.config(policy, reward)
    ppo = assembled(config, prompts_of(load_codec(policy), point.num_prompts, point.prompt_tokens), None, ())
    # No id: answers never stop, so that all have the point's length.
    ppo.actor.codec.stop_id = -1
    ppo.config = replace(config, num_epochs=1)
    ppo.step(0)
    ppo.config = config
    before = ppo.timer.seconds()
    for step in range(1, 1 + num_steps):
        ppo.step(step)
    seconds = {name: (x - before.get(name, 0.0)) / num_steps for name, x in ppo.timer.seconds().items()}
    return {"seconds": seconds, "peak_rss_mb": peak_rss_mb()}


def predicted(point: Point, size: ModelSize, rates: Rates) -> dict[str, Any]:
    """The same, on paper."""
    config = point.config()
    mixed = config.precision.is_mixed_on(torch.device("cpu"))
    phases = ppo_work(config, size, prompt_tokens=point.prompt_tokens, answer_tokens=point.answer_tokens, mixed=mixed)
    run = ppo_forecast(config, size, rates, prompt_tokens=point.prompt_tokens, mixed=mixed)
    return {
        "seconds": {name: work.seconds(rates) for name, work in phases.items()},
        "peak_rss_mb": run.bytes / 1e6,
    }
