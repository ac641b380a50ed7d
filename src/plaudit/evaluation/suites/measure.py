"""Suites on one model, or on two side by side: what `plaudit evaluate --suite` does."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path

from plaudit.evaluation.evaluate import check_unseen
from plaudit.evaluation.figures import drawn
from plaudit.evaluation.judges import ScoreJudge
from plaudit.evaluation.report import Report, write_report
from plaudit.evaluation.reward_scorer import RewardModelScorer
from plaudit.evaluation.samples import Sample, ShownAnswer
from plaudit.evaluation.suites.figures import suite_figure
from plaudit.evaluation.suites.findings import findings_of
from plaudit.evaluation.suites.public_sets import SuiteData
from plaudit.evaluation.suites.subject import Subject
from plaudit.evaluation.suites.suite import Findings, Subset, Suite
from plaudit.evaluation.suites.tables import suite_table, suite_title
from plaudit.evaluation.tables import Table
from plaudit.models.load import Precision, device_for, load_codec
from plaudit.models.policy import TrainLayers, load_frozen_policy
from plaudit.models.reward import load_reward_model
from plaudit.rollout.sampler import Sampling
from plaudit.runs import PhaseTimer, RunDirectory, installed_versions, peak_rss_mb
from plaudit.schemas.conversation import prompt_id
from plaudit.schemas.errors import PlauditError

_NUM_SHOWN = 3
_ALL = TrainLayers(kind="all")


@dataclass(frozen=True, kw_only=True, slots=True)
class SuitesConfig:
    """One model, or two side by side, on suites."""

    model: str = "runs/ppo/model"
    """The model to be measured: a hub id, a folder, a .gguf file, `smollm2-135m` or `tiny`."""
    against: str = ""
    """A second model whose figures stand beside those of the first; empty measures one model."""
    reward_model: str = ""
    """A reward model that scores the answers in hhh and bias; empty leaves its figures out."""
    out: str = "runs/suites"
    """The folder for report.html, summary.json and every row."""
    max_rows: int | None = None
    """Take so many rows of each set, drawn by the seed; the report says so. Unset takes all."""
    sampling: Sampling = field(default_factory=lambda: Sampling(max_new_tokens=256, greedy=True, batch_size=16))
    """How answers are drawn. The likeliest token by default, so that a figure holds no chance but that of its prompts."""
    max_prompt_tokens: int = 2048
    """Longer prompts are left out and counted."""
    micro_batch_size: int = 8
    """Answers read at once; changes no result beyond rounding."""
    precision: Precision = Precision.FLOAT32
    """Type of weights and arithmetic. float32 gives the same figures everywhere; auto is faster on some hardware."""
    device: str = "auto"
    """auto, cpu or cuda."""
    seed: int = 0
    """Everything random follows from it."""

    def __post_init__(self) -> None:
        if self.micro_batch_size < 1 or (self.max_rows is not None and self.max_rows < 1):
            raise PlauditError(
                f"micro_batch_size and max_rows must be at least 1, got {self.micro_batch_size} and {self.max_rows}"
            )
        if self.model == self.against:
            raise PlauditError(f"model and against are both {self.model!r}: name two models, or one")

    @property
    def models(self) -> list[str]:
        """The models to be measured."""
        return [name for name in (self.model, self.against) if name]


@dataclass(frozen=True, slots=True)
class Measured:
    """What came out of a suite for each model by name: findings, or why there are none."""

    suite: Suite
    findings: Mapping[str, Findings]
    reasons: Mapping[str, str]
    notes: tuple[str, ...] = ()

    def all_notes(self) -> list[str]:
        """What a reader has to know: of the rows, of each model's figures, and why there are none."""
        of_models = [f"{name}: {note}" for name, said in self.findings.items() for note in said.notes]
        return [*self.notes, *of_models, *(f"{name}: not measured, {why}." for name, why in self.reasons.items())]


@dataclass(frozen=True, slots=True)
class SuitesReport:
    """The suites in the order asked for, a table each, and the page."""

    measured: tuple[Measured, ...]
    tables: tuple[Table, ...]
    report: Path


def measure_suites(
    config: SuitesConfig,
    suites: Sequence[Suite],
    data: SuiteData,
    *,
    trained_prompt_ids: Collection[str] = frozenset(),
) -> SuitesReport:
    """Measures the models on the suites and writes the report into `config.out`.

    A suite without data, or with a prompt that was trained on, is not measured and says why; the others are.
    """
    names = config.models
    # Loaded before the folder is made: a name that cannot be had leaves nothing behind.
    judge = _judge(config)
    subjects = [_subject(config, name, judge) for name in names]
    run = RunDirectory.create(config.out, command="evaluate --suite", config=asdict(config), seed=config.seed)
    timer, measured, samples = PhaseTimer(), list[Measured](), dict[str, Sample]()
    check = partial(check_unseen, trained_prompt_ids=trained_prompt_ids)
    with run:
        for suite in dict.fromkeys(suites):
            subset = Subset(config.max_rows, config.seed)
            findings, reasons = dict[str, Findings](), dict[str, str]()
            for subject in subjects:
                with timer(suite.value):
                    try:
                        findings[subject.name] = findings_of(suite, subject, data, subset, check)
                    except PlauditError as error:
                        reasons[subject.name] = str(error)
            found = Measured(suite, findings, reasons, tuple(subset.notes))
            run.log_samples(_rows(found))
            measured.append(found)
            samples |= {prompt_id(sample.prompt): sample for sample in _samples(found, subjects)}
        tables = tuple(suite_table(found.suite, names, found.findings, found.reasons) for found in measured)
        path = write_report(_report(config, measured, tables, tuple(samples.values()), timer), run.path)
    return SuitesReport(tuple(measured), tables, path)


def _judge(config: SuitesConfig) -> ScoreJudge | None:
    if not config.reward_model:
        return None
    device = device_for(config.device)
    reward = load_reward_model(config.reward_model, _ALL, precision=config.precision, device=device)
    codec = load_codec(config.reward_model)
    return ScoreJudge(RewardModelScorer(reward, codec, micro_batch_size=config.micro_batch_size))


def _subject(config: SuitesConfig, name: str, judge: ScoreJudge | None) -> Subject:
    return Subject(
        name,
        load_frozen_policy(name, precision=config.precision, device=device_for(config.device)),
        load_codec(name),
        sampling=config.sampling,
        max_prompt_tokens=config.max_prompt_tokens,
        micro_batch_size=config.micro_batch_size,
        seed=config.seed,
        judge=judge,
    )


def _rows(measured: Measured) -> Iterator[Mapping[str, object]]:
    """Every row of every model, for samples.jsonl."""
    for name, findings in measured.findings.items():
        for row in findings.rows:
            yield {"step": 0, "suite": measured.suite, "model": name, **row}


def _samples(measured: Measured, subjects: Sequence[Subject]) -> Iterator[Sample]:
    """The suite's first prompts with each model's answer."""
    asked = next((findings.asked for findings in measured.findings.values()), ())
    for prompt in asked[:_NUM_SHOWN]:
        answers = [(subject.name, subject.answers([prompt], measured.suite)[0]) for subject in subjects]
        yield Sample(prompt, tuple(ShownAnswer(name, answer, None) for name, answer in answers if answer is not None))


def _report(
    config: SuitesConfig,
    measured: Sequence[Measured],
    tables: tuple[Table, ...],
    samples: tuple[Sample, ...],
    timer: PhaseTimer,
) -> Report:
    notes = [f"{found.suite}: {note}" for found in measured for note in found.all_notes()]
    figures = [suite_figure(found.suite, suite_title(found.suite), config.models, found.findings) for found in measured]
    return Report(
        title=config.model + (f" beside {config.against}" if config.against else ""),
        intro=_intro(config),
        tables=tables,
        figures=drawn(*figures),
        samples=samples,
        samples_intro=f"The first {_NUM_SHOWN} prompts of each suite that has answers, each once: none was picked.",
        notes=tuple(notes),
        summary={
            "suites": {
                found.suite.value: {
                    "figures": {name: said.figures for name, said in found.findings.items()},
                    "not_measured": found.reasons,
                    "notes": found.all_notes(),
                }
                for found in measured
            },
            "seconds_by_phase": timer.seconds(),
            "peak_rss_mb": peak_rss_mb(),
            "seed": config.seed,
            "versions": installed_versions(),
        },
    )


def _intro(config: SuitesConfig) -> tuple[str, ...]:
    sampling = config.sampling
    how = (
        "the likeliest token" if sampling.greedy else f"temperature {sampling.temperature:g}, top-p {sampling.top_p:g}"
    )
    rows = "all rows of each set" if config.max_rows is None else f"at most {config.max_rows} rows of each set"
    reward = f" Scores are those of the reward model {config.reward_model}." if config.reward_model else ""
    return (
        f"Figures on {rows}, seed {config.seed}, with 95 % bootstrap intervals over prompts. Answers: one a prompt, {how}, "
        f"at most {sampling.max_new_tokens} tokens.{reward}",
    )
