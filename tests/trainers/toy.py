"""A small world in which learning takes a second: answers of a few letters, scorers that count them, short runs."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.optim.optimizer import register_optimizer_step_post_hook

from plaudit.batches.tokens import EncodedRow, TokenRows, collated
from plaudit.models.load import Precision
from plaudit.models.policy import TrainLayers
from plaudit.rewards import FunctionScorer, Scorer
from plaudit.rollout.sampler import Sampling
from plaudit.schemas.conversation import assistant, user
from plaudit.schemas.feedback import Demonstration, Ranking
from plaudit.text.chat import ChatCodec
from plaudit.trainers import sft
from plaudit.trainers.epochs import EpochsConfig
from plaudit.trainers.experience import ExperienceConfig
from plaudit.trainers.optimisation import OptimiserConfig, Schedule
from plaudit.trainers.ppo import PPO, assembled
from plaudit.trainers.ppo_config import PPOConfig

QUESTIONS = ("hi", "what?", "tell me", "go on", "why", "a longer question")
PROMPTS = [(user(question),) for question in QUESTIONS]
ALL = TrainLayers(kind="all")
UPPER = TrainLayers(kind="upper", num_upper=1)
LORA = TrainLayers(kind="lora", lora_rank=4, lora_alpha=8)


def letters(generator: random.Random) -> str:
    """One to eight of "abcde "."""
    return "".join(generator.choice("abcde ") for _ in range(generator.randint(1, 8)))


def demonstrations(num: int = 48, seed: int = 0) -> list[Demonstration]:
    """Any question, any letters."""
    generator = random.Random(seed)
    return [
        Demonstration(prompt=PROMPTS[i % len(PROMPTS)], completion=(assistant(letters(generator)),)) for i in range(num)
    ]


def rankings(num: int, seed: int = 0, num_answers: int = 3) -> list[Ranking]:
    """One prompt each: more e's are better, as many are a tie."""
    generator = random.Random(seed)
    records = []
    for i in range(num):
        answers = [letters(generator) for _ in range(num_answers)]
        ranks = tuple(sum(other.count("e") > answer.count("e") for other in answers) for answer in answers)
        completions = tuple((assistant(answer),) for answer in answers)
        records.append(Ranking(prompt=(user(f"question {i}"),), completions=completions, ranks=ranks))
    return records


def num_es(prompts: Sequence[str], completions: Sequence[str]) -> list[float]:
    """The toy score."""
    return [float(text.count("e")) for text in completions]


ES = FunctionScorer(num_es)


def fast(learning_rate: float = 1e-2, **changes: object) -> OptimiserConfig:
    """An optimiser for two-layer models."""
    return OptimiserConfig(learning_rate=learning_rate, **changes)  # type: ignore[arg-type]


def fine_tuned(out: Path) -> str:
    """The model folder of a fresh run of supervised fine-tuning on the demonstrations."""
    epochs = EpochsConfig(num_epochs=6, batch_size=8, checkpoint=False)
    config = sft.SFTConfig(
        model="tiny", out=str(out), optimiser=fast(), epochs=epochs, validation_frac=0, precision=Precision.FLOAT32
    )
    return str(sft.train(config, demonstrations()).folder)


def experience(*, max_new_tokens: int = 8, temperature: float = 1.0, **changes: object) -> ExperienceConfig:
    """Four prompts a step with two answers each."""
    sampling = Sampling(max_new_tokens=max_new_tokens, temperature=temperature)
    settings = {"prompts_per_step": 4, "answers_per_prompt": 2, "sampling": sampling, **changes}
    return ExperienceConfig(**settings)  # type: ignore[arg-type]


def ppo_config(start: str, out: Path | str = "", **changes: object) -> PPOConfig:
    """Two short steps of PPO in float32."""
    settings = {
        "model": start,
        "reward_model": "",
        "out": str(out),
        "train": UPPER,
        "experience": experience(),
        "num_steps": 2,
        "num_minibatches": 2,
        "optimiser": fast(schedule=Schedule.LINEAR, warmup_frac=0.0, eps=1e-5),
        "precision": Precision.FLOAT32,
        **changes,
    }
    return PPOConfig(**settings)  # type: ignore[arg-type]


def new_ppo(start: str, scorer: Scorer = ES, **changes: object) -> PPO:
    """PPO put together, no step done, nothing on disk."""
    return assembled(ppo_config(start, **changes), PROMPTS, scorer, ())


@torch.no_grad()
def moved(*modules: nn.Module, by: float = 0.05, seed: int = 0) -> None:
    """Adds noise to what learns, so that no test rests on a policy equal to its reference or a critic that says 0."""
    generator = torch.Generator().manual_seed(seed)
    for module in modules:
        for parameter in module.parameters():
            if parameter.requires_grad:
                parameter.add_(by * torch.randn(parameter.shape, generator=generator))


@contextmanager
def torch_steps() -> Iterator[list[torch.optim.Optimizer]]:
    """Every step that any torch optimiser makes inside, by the optimiser."""
    made: list[torch.optim.Optimizer] = []
    handle = register_optimizer_step_post_hook(lambda optimiser, *_: made.append(optimiser))
    try:
        yield made
    finally:
        handle.remove()


def snapshot(parameters: Iterator[tuple[str, nn.Parameter]]) -> dict[str, Tensor]:
    """Copies of the parameters by name."""
    return {name: parameter.detach().clone() for name, parameter in parameters}


def largest_difference(a: dict[str, Tensor], b: dict[str, Tensor]) -> float:
    """Over all parameters; the names must agree."""
    assert a.keys() == b.keys()
    assert a
    return max((a[name] - b[name]).abs().max().item() for name in a)


def rows_of(codec: ChatCodec, *pairs: tuple[str, str]) -> TokenRows:
    """Questions with their answers."""
    encoded: list[EncodedRow] = [codec.encoded((user(question),), (assistant(answer),)) for question, answer in pairs]
    return collated(encoded, codec.pad_id)
