"""Held-out prompts: what PPO, DPO and best-of-n answer, and what that is worth to the reward model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from plaudit.batches.rollouts import Rollouts
from plaudit.evaluation.answers import AnswerSets, Entrant, best_of_n, load_entrant, save_entrant
from plaudit.evaluation.contest import ContestResult, contest
from plaudit.evaluation.judges import ScoreJudge
from plaudit.evaluation.language import as_reference, kl_to_reference, perplexity_of
from plaudit.evaluation.reward_scorer import RewardModelScorer
from plaudit.models.load import device_for, load_codec
from plaudit.models.policy import PolicyModel, load_policy
from plaudit.models.reward import load_reward_model
from plaudit.rewards.textual import completions_by_prompt
from plaudit.rollout.sampler import sampled
from plaudit.runs import PhaseTimer, Progress, spawn_seed
from plaudit.runs.stages import Cost
from plaudit.schemas.conversation import Messages
from plaudit.schemas.protocols import Completion
from plaudit.statistics import Estimate, paired_difference
from plaudit.text.chat import ChatCodec
from plaudit.text.prompts import TooLong, encoded_prompts
from recipes.hh_cpu.data import People
from recipes.hh_cpu.settings import NUM_ANSWERS, HHConfig

TRAINED = {"ppo": "PPO", "dpo": "DPO"}
"""Stages that leave a model to be compared with the SFT model, and their names."""
FILES = ("sft", *TRAINED, "best-of-n")


@dataclass(frozen=True, slots=True)
class AnswerResults:
    """Every method against the SFT model. `gains` is the mean score above the SFT model's, over prompts."""

    contest: ContestResult
    gains: Mapping[str, Estimate]
    entrants: tuple[Entrant, ...]
    sft_scores: Sequence[Sequence[float]]


def answer(config: HHConfig, found: People, costs: Mapping[str, Cost]) -> None:
    """Every method's answers to the held-out prompts, one file a method.

    CPU seconds are those that made the method: its training, the reward model's where it needs one, and for best-of-n
    the sampling and scoring of what it chooses from.
    """
    reward_cpu = costs["reward"].cpu_seconds
    baseline = _trained(config, found, "sft", "SFT", costs["sft"].cpu_seconds)
    entrants = {"sft": baseline}
    for stage, name in TRAINED.items():
        cpu = costs[stage].cpu_seconds + (reward_cpu if stage == "ppo" else 0.0)
        entrants[stage] = _trained(config, found, stage, name, cpu)
    timer = PhaseTimer()
    with timer("pick"):
        picks = _picks(config, found)
    entrants["best-of-n"] = Entrant(
        f"best of {NUM_ANSWERS}",
        picks,
        cpu_seconds=reward_cpu + timer.cpu_seconds()["pick"],
        perplexity=baseline.perplexity,
    )
    for name, entrant in entrants.items():
        save_entrant(entrant, config.folder / f"answers-{name}.json")


def answer_results(config: HHConfig, prompts: Sequence[Messages]) -> AnswerResults:
    """The comparison, from what `answer` wrote. The judge is the reward model that PPO and best-of-n follow."""
    baseline, *entrants = (load_entrant(config.folder / f"answers-{name}.json") for name in FILES)
    judge = _judge(config)
    result = contest(prompts, baseline, entrants, judge, seed=config.seed)

    def scores(answers: AnswerSets) -> list[list[float]]:
        return [[score.score for score in row] for row in judge.utilities(prompts, answers)]

    sft_scores = scores(baseline.answers)
    own = [float(np.mean(row)) for row in sft_scores]
    gains = {
        entrant.name: paired_difference([float(np.mean(row)) for row in scores(entrant.answers)], own)
        for entrant in entrants
    }
    return AnswerResults(result, gains, (baseline, *entrants), sft_scores)


def _policy(config: HHConfig, stage: str) -> PolicyModel:
    device = device_for(config.device)
    return load_policy(config.model_of(stage), config.upper, precision=config.precision, device=device)


def _judge(config: HHConfig) -> ScoreJudge:
    """The reward model as a judge."""
    folder, device = config.model_of("reward"), device_for(config.device)
    model = load_reward_model(folder, config.upper, precision=config.precision, device=device)
    return ScoreJudge(RewardModelScorer(model, load_codec(folder)))


def _sampled(
    config: HHConfig, policy: PolicyModel, codec: ChatCodec, prompts: Sequence[Messages], num: int, name: str
) -> Rollouts:
    """`num` answers to each prompt; `name` keeps the random numbers of different purposes apart."""
    limit = config.subsets.max_prompt_tokens
    encoded, _ = encoded_prompts(prompts, codec, max_tokens=limit, too_long=TooLong.REFUSE)
    seed = spawn_seed(config.seed, "answers", name)
    with Progress(f"answers, {name}", total=len(encoded) * num) as progress:
        return sampled(
            policy.sampler(), codec, encoded, config.sampling, num_answers=num, seed=seed, ended=progress.advance
        )


def _trained(config: HHConfig, found: People, stage: str, name: str, cpu: float) -> Entrant:
    """A stage's model as an entrant: its answers, their KL to the SFT model, its perplexity on held-out demonstrations."""
    policy, codec = _policy(config, stage), load_codec(config.model_of(stage))
    rollouts = _sampled(config, policy, codec, found.asked, NUM_ANSWERS, stage)
    kl = 0.0
    if stage != "sft":
        reference = as_reference(_policy(config, "sft"))
        kl = kl_to_reference(policy, reference, [rollouts], temperature=config.sampling.temperature).k1
    perplexity = perplexity_of(policy, codec, found.held).value
    return Entrant(name, completions_by_prompt(rollouts, NUM_ANSWERS), cpu, kl, perplexity)


def _picks(config: HHConfig, found: People) -> list[list[Completion]]:
    """What the reward model picks from fresh answers of the SFT model: the best of each NUM_ANSWERS, two a prompt."""
    codec = load_codec(config.model_of("sft"))
    rollouts = _sampled(config, _policy(config, "sft"), codec, found.asked, 2 * NUM_ANSWERS, "best of n")
    answers = completions_by_prompt(rollouts, 2 * NUM_ANSWERS)
    worths = _judge(config).utilities(found.asked, answers)
    return best_of_n(answers, [[score.score for score in row] for row in worths], NUM_ANSWERS)
