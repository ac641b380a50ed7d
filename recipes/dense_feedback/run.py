"""Error spans as rewards: `python -m recipes.dense_feedback.run --config recipes/dense_feedback/recipe.toml`.

Each stage writes into the `out` folder as it ends; the same command goes on after the last one that did.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from plaudit.cli.inputs import sha256_of
from plaudit.evaluation.answers import Entrant
from plaudit.evaluation.contest import contest
from plaudit.evaluation.judges import ScoreJudge
from plaudit.evaluation.report import Report, write_report
from plaudit.evaluation.samples import unpicked_samples
from plaudit.evaluation.tables import Table, contest_tables, estimate_text
from plaudit.formats import open_records
from plaudit.formats.splits import split_by_prompt
from plaudit.models.load import device_for, load_codec
from plaudit.models.policy import load_policy
from plaudit.models.reward import load_reward_model
from plaudit.rewards.spans import SpanScorer
from plaudit.rewards.textual import completions_by_prompt
from plaudit.rollout.sampler import sampled
from plaudit.runs import Progress, installed_versions, spawn_seed
from plaudit.runs.stages import Stages
from plaudit.schemas.conversation import Messages, assistant, prompt_id
from plaudit.schemas.feedback import AnyRecord, Comparison, Correction, Demonstration, Highlights, Ranking
from plaudit.schemas.protocols import Completion, TextScore
from plaudit.text.prompts import TooLong, encoded_prompts
from plaudit.trainers import ppo, sft, spans
from recipes.command import exit_status
from recipes.dense_feedback.settings import DenseConfig
from recipes.dense_feedback.spans import Reader, SpanQuality, span_quality

NUM_ANSWERS = 4

say: Callable[[str], None] = partial(print, flush=True)


@dataclass(frozen=True, slots=True)
class People:
    """What people said, the questions parted into learnt and held out; those that do not fit are left out."""

    learnt: list[AnyRecord]
    held: list[AnyRecord]

    @classmethod
    def read(cls, config: DenseConfig) -> People:
        codec = load_codec(config.model)
        room = config.max_tokens - config.max_new_tokens
        records = [r for r in open_records(config.file) if not isinstance(r, Demonstration)]
        fits = {prompt_id(p): len(codec.prompt_ids(p)) <= room for p in {r.prompt for r in records if r.prompt}}
        learnt, held = split_by_prompt([r for r in records if fits[prompt_id(r.prompt)]], config.held_frac, config.seed)
        return cls(list(learnt), list(held))

    def demonstrations(self) -> list[Demonstration]:
        """People's corrected answers to the questions that are learnt from."""
        corrected = [record for record in self.learnt if isinstance(record, Correction)]
        return [Demonstration(prompt=record.prompt, completion=record.corrected) for record in corrected]

    def asked(self) -> list[Messages]:
        """The questions held out, each once."""
        return list({prompt_id(record.prompt): record.prompt for record in self.held}.values())


def highlights(records: Sequence[AnyRecord]) -> list[Highlights]:
    """The marked answers."""
    return [record for record in records if isinstance(record, Highlights)]


def preferences(records: Sequence[AnyRecord]) -> list[Comparison | Ranking]:
    """People's comparisons and rankings."""
    return [record for record in records if isinstance(record, Comparison | Ranking)]


class FewerMarks:
    """Judges by the chance that a person marks a token of the answer: the lower, the better."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def score(self, prompts: Sequence[Messages], answers: Sequence[Completion]) -> list[TextScore]:
        """Minus the mean chance over the answer's tokens."""
        return [
            TextScore(-self._reader.expected_marks(prompt, (assistant(answer.text),)))
            for prompt, answer in zip(prompts, answers, strict=True)
        ]


def run(config: DenseConfig) -> Path:
    """Runs what is not done yet and returns the report's path."""
    found = People.read(config)
    identity = {name: value for name, value in asdict(config).items() if name not in ("out", "data")}
    stages = Stages(config.folder, identity | {"set": sha256_of(config.file)}, say=say)
    device = device_for(config.device)
    stages.run(
        "sft", "people's corrected answers", lambda r: sft.train(config.sft_config(resume=r), found.demonstrations())
    )
    stages.run(
        "spans", "what people mark", lambda r: spans.train(config.spans_config(resume=r), highlights(found.learnt))
    )
    codec = load_codec(config.model_of("spans"))
    model = load_reward_model(config.model_of("spans"), config.upper, precision=config.precision, device=device)
    scorer = SpanScorer(model, codec, policy_codec=codec, weight=config.weight)
    practised = list({prompt_id(record.prompt): record.prompt for record in found.learnt}.values())
    stages.run(
        "ppo",
        "PPO, charged by the sentence",
        lambda r: ppo.train(config.ppo_config(resume=r), practised, scorer=scorer),
    )
    reader = Reader(model, codec)
    quality = span_quality(reader, highlights(found.held), preferences(found.held), preferences(found.learnt))
    questions = found.asked()[: config.num_eval]
    entrants = [_entrant(config, stage, name, questions) for stage, name in (("sft", "SFT"), ("ppo", "PPO"))]
    result = contest(questions, entrants[0], entrants[1:], ScoreJudge(FewerMarks(reader)), seed=config.seed)
    report = Report(
        title=f"Error spans as rewards: {config.model}, seed {config.seed}",
        intro=(
            f"A model of what people marked in {len(highlights(found.learnt))} answers, asked about {quality.words} words "
            f"of {len(highlights(found.held))} others; PPO that is charged for what it expects to be marked.",
        ),
        tables=(quality_table(quality), *contest_tables(result)),
        samples=tuple(unpicked_samples(questions, entrants)),
        summary={
            "spans": quality,
            "result": result,
            "seconds_by_phase": {name: cost.seconds for name, cost in stages.costs.items()},
            "settings": asdict(config),
            "versions": installed_versions(),
        },
    )
    page = write_report(report, config.folder)
    say(f"report: {page}")
    return page


def quality_table(found: SpanQuality) -> Table:
    """The span model beside what is simpler."""
    return Table(
        "What people mark",
        ("", "span model", "beside", "difference"),
        (
            (
                f"AUROC, {found.words} words",
                estimate_text(found.model),
                f"word overlap {estimate_text(found.overlap)}",
                estimate_text(found.over_overlap),
            ),
            (
                f"accuracy, {found.pairs} strict preferences",
                estimate_text(found.preferred),
                f"{found.length_rule} {estimate_text(found.by_length)}",
                estimate_text(found.over_length),
            ),
        ),
        "On answers to questions that nothing was learnt from; 95 % intervals by bootstrap over questions.",
    )


def _entrant(config: DenseConfig, stage: str, name: str, questions: Sequence[Messages]) -> Entrant:
    codec = load_codec(config.model_of(stage))
    device = device_for(config.device)
    policy = load_policy(config.model_of(stage), config.upper, precision=config.precision, device=device)
    encoded, _ = encoded_prompts(questions, codec, max_tokens=config.max_tokens, too_long=TooLong.REFUSE)
    with Progress(f"answers, {name}", total=NUM_ANSWERS * len(encoded)) as progress:
        rollouts = sampled(
            policy.sampler(),
            codec,
            encoded,
            config.sampling,
            num_answers=NUM_ANSWERS,
            seed=spawn_seed(config.seed, "evaluate", stage),
            ended=progress.advance,
        )
    return Entrant(name, completions_by_prompt(rollouts, NUM_ANSWERS))


def main(argv: Sequence[str] | None = None) -> int:
    """The exit status."""
    return exit_status(run, DenseConfig, "dense_feedback", argv)


if __name__ == "__main__":
    sys.exit(main())
