"""One model against another on prompts that neither was trained on: what `plaudit evaluate` does."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path

from plaudit.batches.rollouts import Rollouts
from plaudit.client import ChatCompleter, RemoteModel, RemoteReward, RemoteScorer
from plaudit.evaluation.answers import Entrant
from plaudit.evaluation.calibrated_judge import MIN_PEOPLE_PROMPTS
from plaudit.evaluation.contest import ContestResult, Standing, contest
from plaudit.evaluation.figures import (
    Figure,
    calibration_figure,
    drawn,
    length_slices_figure,
    reliability_figure,
    seconds_figure,
    win_rates_figure,
)
from plaudit.evaluation.judges import Judge, PeopleJudge, ScoreJudge
from plaudit.evaluation.language import KLToReference, as_reference, kl_to_reference, measured_rows, perplexity_of
from plaudit.evaluation.model_judge import ModelJudge
from plaudit.evaluation.report import Report, write_report
from plaudit.evaluation.reward_quality import RewardQuality
from plaudit.evaluation.reward_scorer import RewardModelScorer, quality_on_records
from plaudit.evaluation.samples import unpicked_samples
from plaudit.evaluation.tables import Table, contest_tables, quality_table
from plaudit.models.load import Precision, device_for, load_codec
from plaudit.models.policy import PolicyModel, TrainLayers, load_frozen_policy
from plaudit.models.reward import load_reward_model
from plaudit.rewards.textual import completions_by_prompt
from plaudit.rollout.sampler import Sampling, sampled
from plaudit.runs import PhaseTimer, Progress, RunDirectory, installed_versions, peak_rss_mb, spawn_seed
from plaudit.schemas.conversation import Messages, prompt_id, unique_prompts
from plaudit.schemas.errors import PlauditError
from plaudit.schemas.feedback import Comparison, Demonstration, Ranking
from plaudit.schemas.protocols import TextScorer
from plaudit.text.chat import ChatCodec
from plaudit.text.prompts import EncodedPrompt, TooLong, encoded_prompts

_NUM_NAMED = 3


class JudgeKind(StrEnum):
    """Who compares."""

    REWARD = "reward"
    REMOTE_REWARD = "remote_reward"
    PEOPLE = "people"
    MODEL = "model"
    FUNCTION = "function"


@dataclass(frozen=True, kw_only=True, slots=True)
class EvaluateConfig:
    """One model against another."""

    model: str = "runs/ppo/model"
    """The model to be judged: a hub id, a folder, a .gguf file, `smollm2-135m` or `tiny`."""
    against: str = "runs/sft/model"
    """The model it has to beat, and the reference of the KL."""
    out: str = "runs/evaluate"
    """The folder for report.html, summary.json, the plots and every answer."""
    judge: JudgeKind = JudgeKind.REWARD
    """reward: a reward model's folder; remote_reward: a scoring server; people: their rows; model: a chat model; function:
    `--reward-function`."""
    reward_model: str = "runs/reward/model"
    """The reward model, for judge = reward. One that `model` was trained against flatters it."""
    remote_reward: RemoteReward = field(default_factory=RemoteReward)
    """The scoring server, for judge = remote_reward."""
    judge_model: RemoteModel = field(default_factory=lambda: RemoteModel(temperature=0.0))
    """The chat model, for judge = model; asked twice a pair, in both orders."""
    num_answers: int = 4
    """Answers of each model to each prompt; every pair is judged. More narrow the interval, prompts narrow it better."""
    sampling: Sampling = field(default_factory=Sampling)
    """How answers are drawn."""
    max_prompt_tokens: int = 1024
    """Longest prompt; longer ones are refused."""
    max_tokens: int = 1024
    """Longest demonstration, prompt and answer together; longer ones are refused before anything is sampled."""
    micro_batch_size: int = 16
    """Answers read at once; changes no result beyond rounding."""
    precision: Precision = Precision.FLOAT32
    """Type of weights and arithmetic. float32 gives the same figures everywhere; auto is faster on some hardware."""
    device: str = "auto"
    """auto, cpu or cuda."""
    seed: int = 0
    """Everything random follows from it."""

    def __post_init__(self) -> None:
        if self.num_answers < 1 or self.micro_batch_size < 1:
            raise PlauditError(
                f"num_answers and micro_batch_size must be at least 1, got {self.num_answers} and {self.micro_batch_size}"
            )
        if self.model == self.against:
            raise PlauditError(f"model and against are both {self.model!r}: name two models")


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What came out. `quality` is the reward model's on people's rows, where both were given; `notes` what to know."""

    result: ContestResult
    tables: tuple[Table, ...]
    quality: RewardQuality | None
    report: Path
    notes: tuple[str, ...] = ()


def check_unseen(prompts: Sequence[Messages], trained_prompt_ids: Collection[str], what: str = "prompts") -> None:
    """Raises PlauditError where a prompt was trained on, with their number and the first three."""
    leaked = [prompt for prompt in prompts if prompt_id(prompt) in trained_prompt_ids]
    if leaked:
        named = ", ".join(repr(prompt[-1].text[:80]) for prompt in leaked[:_NUM_NAMED])
        more = " and more" if len(leaked) > _NUM_NAMED else ""
        raise PlauditError(
            f"{len(leaked)} of the {len(prompts)} {what} to evaluate on were trained on: {named}{more}. They would flatter "
            "the model: leave them out, or train without them"
        )


def evaluate(
    config: EvaluateConfig,
    prompts: Sequence[Messages],
    *,
    records: Sequence[Comparison | Ranking] = (),
    people: Sequence[Comparison | Ranking] = (),
    demonstrations: Sequence[Demonstration] = (),
    scorer: TextScorer | None = None,
    trained_prompt_ids: Collection[str] = frozenset(),
) -> Evaluation:
    """Samples both models, has the answers judged, and writes the report into `config.out`.

    `records` are people's verdicts: the judge's, or what the reward model is measured on; `people` are their verdicts on
    some of these very answers, which calibrate another judge; `demonstrations` give the perplexities; `scorer` replaces
    the judge of the config. A prompt that stands twice counts once. Raises PlauditError where any was trained on.
    """
    unique = unique_prompts(prompts)
    check_unseen(unique, trained_prompt_ids)
    check_unseen([record.prompt for record in (*records, *people)], trained_prompt_ids, "people's verdicts")
    check_unseen([record.prompt for record in demonstrations], trained_prompt_ids, "demonstrations")
    reward = _reward_scorer(config) if scorer is None and config.judge is JudgeKind.REWARD else None
    judge = _judge(config, scorer or reward, records)
    asked = _calibrating(people, judge)
    # Each draws its own random numbers: with shared ones answer k of both would resemble each other, and tie too often.
    names = {"against": config.against, "model": config.model}
    baseline, model = (
        _Contender.load(config, name, unique, demonstrations, spawn_seed(config.seed, role))
        for role, name in names.items()
    )
    run = RunDirectory.create(config.out, command="evaluate", config=asdict(config), seed=config.seed)
    timer = PhaseTimer()
    with run:
        by_baseline, by_model = (contender.answered(config, timer) for contender in (baseline, model))
        kl = _kl(config, by_baseline, by_model, timer)
        entrants = (by_baseline.entrant(), by_model.entrant(kl))
        run.log_samples(_rows(unique, entrants))
        with timer("judge"):
            result = contest(unique, entrants[0], entrants[1:], judge, people=asked, seed=config.seed)
            quality = quality_on_records(reward.raw, records) if reward and records else None
        tables = (*contest_tables(result), *([quality_table(quality)] if quality else []))
        report = Report(
            title=f"{config.model} against {config.against}",
            intro=_intro(config, len(unique), len(prompts) - len(unique), scorer is not None),
            tables=tables,
            figures=_figures(result, quality, timer),
            samples=unpicked_samples(unique, entrants, judge),
            notes=_notes(result, has_people=asked is not None),
            summary={
                "result": result,
                "kl": kl,
                "reward_model": quality,
                "seconds_by_phase": timer.seconds(),
                "peak_rss_mb": peak_rss_mb(),
                "seed": config.seed,
                "versions": installed_versions(),
            },
        )
        path = write_report(report, run.path)
    return Evaluation(result, tables, quality, path, report.notes)


def _reward_scorer(config: EvaluateConfig) -> RewardModelScorer:
    device = device_for(config.device)
    reward = load_reward_model(config.reward_model, TrainLayers(kind="all"), precision=config.precision, device=device)
    return RewardModelScorer(reward, load_codec(config.reward_model), micro_batch_size=config.micro_batch_size)


def _judge(config: EvaluateConfig, scorer: TextScorer | None, records: Sequence[Comparison | Ranking]) -> Judge:
    """The judge; `scorer` where there is one."""
    if scorer is not None:
        return ScoreJudge(scorer)
    if config.judge is JudgeKind.MODEL:
        return ModelJudge(ChatCompleter(config.judge_model), seed=config.seed)
    if config.judge is JudgeKind.REMOTE_REWARD:
        return ScoreJudge(RemoteScorer(config.remote_reward))
    if config.judge is JudgeKind.FUNCTION:
        raise PlauditError("judge = function needs the function: give evaluate a scorer, or --reward-function")
    if not records:
        raise PlauditError(
            "judge = people needs their comparisons or rankings of both models' answers: give a file of them"
        )
    return PeopleJudge(records)


def _calibrating(people: Sequence[Comparison | Ranking], judge: Judge) -> PeopleJudge | None:
    """The people beside a judge; None where there are none."""
    if people and isinstance(judge, PeopleJudge):
        raise PlauditError("people calibrate another judge: choose judge = reward, remote_reward or model")
    return PeopleJudge(people) if people else None


@dataclass(frozen=True, slots=True)
class _Contender:
    """One of the two models, loaded."""

    name: str
    policy: PolicyModel
    codec: ChatCodec
    prompts: Sequence[EncodedPrompt]
    demonstrations: Sequence[Demonstration]
    seed: int

    @classmethod
    def load(
        cls,
        config: EvaluateConfig,
        name: str,
        prompts: Sequence[Messages],
        demonstrations: Sequence[Demonstration],
        seed: int,
    ) -> _Contender:
        """The model of that name with the prompts in its tokens.

        Raises PlauditError where either cannot be had, and where a prompt or a demonstration is too long for the config.
        """
        codec = load_codec(name)
        encoded, _ = encoded_prompts(
            prompts,
            codec,
            max_tokens=config.max_prompt_tokens,
            too_long=TooLong.REFUSE,
            next_step="raise the limit, or leave the prompt out",
        )
        if demonstrations:
            # Read in earnest after the sampling, which takes long.
            measured_rows(demonstrations, codec, config.max_tokens)
        device = device_for(config.device)
        policy = load_frozen_policy(name, precision=config.precision, device=device)
        return cls(name, policy, codec, encoded, demonstrations, seed)

    def answered(self, config: EvaluateConfig, timer: PhaseTimer) -> _Answered:
        """Its answers, and its perplexity where there are demonstrations."""
        total = len(self.prompts) * config.num_answers
        with timer("sample"), Progress(f"answers of {self.name}", total=total) as progress:
            rollouts = sampled(
                self.policy.sampler(),
                self.codec,
                self.prompts,
                config.sampling,
                num_answers=config.num_answers,
                seed=self.seed,
                ended=progress.advance,
            )
        perplexity = None
        if self.demonstrations:
            with timer("perplexity"):
                perplexity = perplexity_of(
                    self.policy,
                    self.codec,
                    self.demonstrations,
                    max_tokens=config.max_tokens,
                    micro_batch_size=config.micro_batch_size,
                ).value
        return _Answered(self, rollouts, config.num_answers, perplexity)


@dataclass(frozen=True, slots=True)
class _Answered:
    """A contender with its answers as they were sampled."""

    contender: _Contender
    rollouts: Rollouts
    num_answers: int
    perplexity: float | None

    def entrant(self, kl: KLToReference | None = None) -> Entrant:
        """The answers prompt by prompt, with what was measured."""
        answers = completions_by_prompt(self.rollouts, self.num_answers)
        return Entrant(self.contender.name, answers, kl=kl.k1 if kl else None, perplexity=self.perplexity)


def _kl(config: EvaluateConfig, baseline: _Answered, model: _Answered, timer: PhaseTimer) -> KLToReference | None:
    """The model's KL to the baseline; None where their tokens differ, or the sampling is not from the whole policy."""
    whole = config.sampling.top_p == 1.0 and not config.sampling.greedy
    if not whole or not model.contender.codec.writes_the_same_ids_as(baseline.contender.codec):
        return None
    with timer("kl"):
        return kl_to_reference(
            model.contender.policy,
            as_reference(baseline.contender.policy),
            [model.rollouts],
            temperature=config.sampling.temperature,
            micro_batch_size=config.micro_batch_size,
        )


def _rows(prompts: Sequence[Messages], entrants: Sequence[Entrant]) -> Iterator[Mapping[str, object]]:
    """Every answer, for samples.jsonl."""
    for number, prompt in enumerate(prompts):
        for entrant in entrants:
            yield {
                "step": 0,
                "prompt_id": prompt_id(prompt),
                "prompt": prompt,
                "model": entrant.name,
                "answers": entrant.answers[number],
            }


def _intro(config: EvaluateConfig, num_prompts: int, num_repeated: int, own_scorer: bool) -> tuple[str, ...]:
    judges = {
        JudgeKind.REWARD: f"the reward model {config.reward_model}",
        JudgeKind.REMOTE_REWARD: f"the scoring server {config.remote_reward.url}",
        JudgeKind.PEOPLE: "people's verdicts",
        JudgeKind.MODEL: f"the model {config.judge_model.model}, asked in both orders",
    }
    sampling = config.sampling
    repeated = f" ({num_repeated} repeated prompts left out)" if num_repeated else ""
    how = (
        "the likeliest token" if sampling.greedy else f"temperature {sampling.temperature:g}, top-p {sampling.top_p:g}"
    )
    return (
        f"{num_prompts} prompts{repeated}, {config.num_answers} answers of each model to each, sampled at {how}, at most "
        f"{sampling.max_new_tokens} tokens, seed {config.seed}. Every pair of one answer of each model was judged by "
        f"{'a scorer given in code' if own_scorer else judges[config.judge]}.",
    )


def _figures(result: ContestResult, quality: RewardQuality | None, timer: PhaseTimer) -> tuple[Figure, ...]:
    return drawn(
        win_rates_figure(result),
        calibration_figure(result),
        reliability_figure(quality),
        length_slices_figure(quality),
        seconds_figure(timer.seconds()),
    )


def _notes(result: ContestResult, *, has_people: bool) -> tuple[str, ...]:
    standing = result.entrants[0]
    notes = []
    if standing.num_left_out:
        notes.append(f"{standing.num_left_out} pairs have no verdict and count neither way.")
    if has_people and standing.calibrated is None:
        notes.append(_uncalibrated(standing))
    return tuple(notes)


def _uncalibrated(standing: Standing) -> str:
    return (
        f"The judge is not calibrated: people judged answers to {standing.num_people_prompts} of the prompts, and at least "
        f"{MIN_PEOPLE_PROMPTS} are needed. Their rows name answers by text, so prompts, models, seed and sampling must be "
        "those of the answers they saw."
    )
