"""The stages between the trainers: asking, ranking, answering, measuring."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from plaudit.batches.rollouts import Rollouts
from plaudit.demo.settings import NUM_ANSWERS, NUM_SHEETS, PER_PROMPT, DemoConfig
from plaudit.demo.utility import HiddenUtility, Question
from plaudit.evaluation.answers import AnswerSets, Entrant, best_of_n
from plaudit.evaluation.judges import ScoreJudge
from plaudit.evaluation.language import as_reference, kl_to_reference, perplexity_of
from plaudit.evaluation.reward_scorer import RewardModelScorer
from plaudit.formats.native import write as write_native
from plaudit.models.kept import KeptActivations
from plaudit.models.load import device_for, load_codec
from plaudit.models.policy import PolicyModel, load_policy
from plaudit.models.reward import load_reward_model
from plaudit.models.trunk import Trunk
from plaudit.rewards.textual import completions_by_prompt
from plaudit.rollout.sampler import sampled
from plaudit.runs import Progress, spawn_seed
from plaudit.schemas.feedback import Demonstration, Ranking
from plaudit.schemas.protocols import Completion
from plaudit.testing.people import default_panel, panel_rankings
from plaudit.text.prompts import TooLong, encoded_prompts

# Questions of the panel that are answered together: more decode a little faster, and hold more.
_QUESTIONS_AT_ONCE = 100


def policy_of(config: DemoConfig, stage: str) -> PolicyModel:
    """The model of a stage, to be asked and measured."""
    return load_policy(
        config.model_of(stage), config.upper, precision=config.precision, device=device_for(config.device)
    )


def _rollouts_of(
    config: DemoConfig,
    policy: PolicyModel,
    stage: str,
    questions: Sequence[Question],
    num_answers: int,
    purpose: str,
    trunk: Trunk | None = None,
    *,
    at_once: int | None = None,
) -> Iterator[Rollouts]:
    """Answers of a stage's model to `at_once` questions at a time, with the trunk's activations where it is given."""
    codec = load_codec(config.model_of(stage))
    prompts, _ = encoded_prompts([q.prompt for q in questions], codec, max_tokens=512, too_long=TooLong.REFUSE)
    with Progress(f"{purpose}: answers", total=len(prompts) * num_answers) as progress:
        num = at_once or len(prompts)
        for i in range(0, len(prompts), num):
            yield sampled(
                policy.sampler(),
                codec,
                prompts[i : i + num],
                config.sampling,
                num_answers=num_answers,
                seed=spawn_seed(config.seed, "answers", purpose),
                trunk=trunk,
                ended=progress.advance,
            )


def answers_of(
    config: DemoConfig, stage: str, questions: Sequence[Question], *, num_answers: int, purpose: str
) -> list[list[Completion]]:
    """`num_answers` answers of a stage's model to each question; `purpose` keeps their random numbers apart."""
    (rollouts,) = _rollouts_of(config, policy_of(config, stage), stage, questions, num_answers, purpose)
    return completions_by_prompt(rollouts, num_answers)


def collected_rankings(
    config: DemoConfig, questions: Sequence[Question], utility: HiddenUtility, known: KeptActivations
) -> list[Ranking]:
    """The SFT model answers, the panel ranks; both are written to the demo's folder, activations kept in `known`."""
    answers = _collected_answers(config, questions, known)
    prompts = [question.prompt for question in questions]
    worths = [[score.score for score in row] for row in ScoreJudge(utility).utilities(prompts, answers)]
    rankings = panel_rankings(
        default_panel(),
        prompts,
        answers,
        worths,
        per_prompt=PER_PROMPT,
        num_sheets=NUM_SHEETS,
        seed=spawn_seed(config.seed, "panel"),
    )
    write_native(rankings, config.folder / "rankings.jsonl")
    return rankings


def _collected_answers(
    config: DemoConfig, questions: Sequence[Question], known: KeptActivations
) -> list[list[Completion]]:
    """In portions: what is computed on the way is held in tensors padded to the longest answer until it is kept."""
    policy, num_answers = policy_of(config, "sft"), NUM_SHEETS * NUM_ANSWERS
    trunk, answers = policy.branch.trunk, list[list[Completion]]()
    portions = _rollouts_of(config, policy, "sft", questions, num_answers, "collect", trunk, at_once=_QUESTIONS_AT_ONCE)
    for rollouts in portions:
        if trunk is not None:
            known.keep(rollouts.rows)
        answers += completions_by_prompt(rollouts, num_answers)
    return answers


def best_of_four(config: DemoConfig, questions: Sequence[Question]) -> AnswerSets:
    """What the reward model picks: the best of each four fresh answers of the SFT model, two picks a question."""
    answers = answers_of(config, "sft", questions, num_answers=2 * NUM_ANSWERS, purpose="best of four")
    folder = config.model_of("reward")
    reward = load_reward_model(folder, config.upper, precision=config.precision, device=device_for(config.device))
    judge = ScoreJudge(RewardModelScorer(reward, load_codec(folder)))
    scores = judge.utilities([question.prompt for question in questions], answers)
    return best_of_n(answers, [[score.score for score in row] for row in scores], NUM_ANSWERS)


def measured(
    config: DemoConfig, stage: str, name: str, questions: Sequence[Question], held: Sequence[Demonstration], cpu: float
) -> Entrant:
    """A trained model as an entrant: its answers, their KL to the SFT model, its perplexity on held-out demonstrations."""
    policy, sft = policy_of(config, stage), policy_of(config, "sft")
    purpose, trunk = f"evaluate {stage}", policy.branch.trunk
    (rollouts,) = _rollouts_of(config, policy, stage, questions, NUM_ANSWERS, purpose, trunk)
    kl = kl_to_reference(policy, as_reference(sft), [rollouts], temperature=config.sampling.temperature)
    return Entrant(
        name,
        completions_by_prompt(rollouts, NUM_ANSWERS),
        cpu_seconds=cpu,
        kl=kl.k1,
        perplexity=perplexity_of(policy, load_codec(config.model_of(stage)), held).value,
    )
