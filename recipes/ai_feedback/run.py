"""Few people's labels, and labels made of them: `python -m recipes.ai_feedback.run --config recipes/ai_feedback/recipe.toml`.

Each stage writes into the `out` folder as it ends; the same command goes on after the last one that did.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from plaudit.cli.inputs import sha256_of
from plaudit.client import ChatCompleter
from plaudit.evaluation.model_judge import ModelJudge
from plaudit.evaluation.report import Report, write_report
from plaudit.evaluation.tables import Table, estimate_text, number_text
from plaudit.models.load import device_for, load_causal_lm, load_codec
from plaudit.models.reward import load_reward_model
from plaudit.rollout.completer import LocalCompleter
from plaudit.rollout.sampler import Sampling
from plaudit.runs import installed_versions
from plaudit.runs.files import as_json, write_json
from plaudit.runs.stages import Stages
from plaudit.schemas.feedback import Comparison, Verdict
from plaudit.statistics import Estimate, bootstrap_interval
from plaudit.statistics.significance import McNemar, mcnemar
from plaudit.trainers import reward
from plaudit.trainers.reward import raw_scores
from recipes.ai_feedback.labels import JudgeLabels, SelfLabels, judge_labels, self_labels
from recipes.ai_feedback.settings import AIFeedbackConfig
from recipes.command import exit_status
from recipes.hh_cpu.data import DEMONSTRATIONS, PAIRS, dialogue_id, people, sides

_JUDGE_FILE = "judge.json"

say: Callable[[str], None] = partial(print, flush=True)


@dataclass(frozen=True, slots=True)
class Measured:
    """A reward model on the test pairs: which it has right, how often, and against the one with few labels."""

    name: str
    labels: str
    right: NDArray[np.float64]
    accuracy: Estimate
    against: McNemar | None


def run(config: AIFeedbackConfig) -> Path:
    """Runs what is not done yet and returns the report's path."""
    rows, codec = config.rows, load_codec(config.model)
    found = people(rows, codec)
    few, others = found.train[: config.num_people], found.train[config.num_people :]
    data = {file: sha256_of(rows.data_folder / file) for file in (DEMONSTRATIONS, *PAIRS.values())}
    identity = {name: value for name, value in asdict(config).items() if name not in ("out", "data")}
    stages = Stages(rows.folder, identity | {"sets": data}, say=say)

    def fitted(stage: str, title: str, pairs: Sequence[Comparison]) -> None:
        stages.run(stage, title, lambda resume: reward.train(config.reward_config(stage, resume=resume), pairs))

    fitted("few", f"a reward model on {len(few)} pairs that people labelled", few)
    own = self_labels(others, margins(config, "few", others), config.confidence)
    fitted("self", f"one on those and {len(own.records)} that the first is sure of", [*few, *own.records])
    fitted("all", f"one on all {len(found.train)} that people labelled", found.train)
    stages.run("judge", "a judge's word on some", lambda _: _ask_judge(config, others[: config.num_judged]))
    judged = JudgeLabels(**_read_judge(rows.folder / _JUDGE_FILE))
    measured = _measured(config, found.test, own, len(found.train))
    tables = (accuracy_table(measured), labels_table(own, judged))
    report = Report(
        title=f"Few people's labels: {config.model}, seed {config.seed}",
        intro=(
            f"People labelled {len(few)} pairs of HH-RLHF. A reward model fitted to those labelled what it was sure of among "
            f"{len(others)} others, and one was fitted to both; a judge model was asked about some. Beside them: people's "
            "labels on all.",
        ),
        tables=tables,
        summary={
            "accuracies": {one.name: one.accuracy for one in measured},
            "against_few": {one.name: one.against for one in measured if one.against},
            "self_labels": {"pairs": len(own.records), "of": own.asked, "agreement": own.agreement},
            "judge": judged,
            "seconds_by_phase": {name: cost.seconds for name, cost in stages.costs.items()},
            "settings": asdict(config),
            "versions": installed_versions(),
        },
    )
    page = write_report(report, rows.folder)
    say(f"report: {page}")
    return page


def margins(config: AIFeedbackConfig, stage: str, records: Sequence[Comparison]) -> NDArray[np.float64]:
    """Raw score of answer a minus that of answer b, by the reward model of a stage."""
    folder, device = config.rows.model_of(stage), device_for(config.rows.device)
    model = load_reward_model(folder, config.rows.upper, precision=config.rows.precision, device=device)
    scores = raw_scores(model, model.prepared(sides(records, load_codec(folder)).to(device)), 8)
    found: NDArray[np.float64] = scores.cpu().double().numpy().reshape(-1, 2) @ np.array([1.0, -1.0])
    return found


def _measured(config: AIFeedbackConfig, test: Sequence[Comparison], own: SelfLabels, num_all: int) -> list[Measured]:
    truth = np.array([1.0 if record.verdict is Verdict.A else -1.0 for record in test])
    names = [dialogue_id(record) for record in test]
    labels = {
        "few": f"people's, {config.num_people}",
        "self": f"people's, {config.num_people}, and its own, {len(own.records)}",
        "all": f"people's, {num_all}",
    }
    found: list[Measured] = []
    for stage, told in labels.items():
        right = (np.sign(margins(config, stage, test)) * truth + 1) / 2
        against = mcnemar(right > 0.5, found[0].right > 0.5) if found else None
        found.append(Measured(stage, told, right, bootstrap_interval(right, clusters=names), against))
    return found


def _ask_judge(config: AIFeedbackConfig, records: Sequence[Comparison]) -> None:
    """Writes what the judge said; a model of this machine where no server is named."""
    if config.judge.model:
        judge = ModelJudge(ChatCompleter(config.judge), seed=config.seed)
    else:
        sampling = Sampling(max_new_tokens=96, greedy=True, batch_size=32)
        model = load_causal_lm(config.model, device=device_for(config.rows.device))
        judge = ModelJudge(LocalCompleter(model, load_codec(config.model), sampling), seed=config.seed)
    write_json(config.rows.folder / _JUDGE_FILE, as_json(asdict(judge_labels(judge, records))))


def _read_judge(path: Path) -> dict[str, object]:
    found = json.loads(path.read_bytes())
    if found["agreement"] is not None:
        found["agreement"] = Estimate(**found["agreement"])
    return dict(found)


def accuracy_table(measured: Sequence[Measured]) -> Table:
    """The reward models on the test pairs."""
    return Table(
        "Reward models on pairs of other dialogues",
        ("reward model", "labels", "accuracy", "against few: right alone / wrong alone, p"),
        tuple(
            (
                one.name,
                one.labels,
                estimate_text(one.accuracy),
                ""
                if one.against is None
                else f"{one.against.only_a} / {one.against.only_b}, {one.against.p_value:.3f}",
            )
            for one in measured
        ),
        "95 % bootstrap intervals over dialogues; McNemar's test.",
    )


def labels_table(own: SelfLabels, judged: JudgeLabels) -> Table:
    """What labels that nobody gave are worth."""
    return Table(
        "Labels that people did not give",
        ("whose", "pairs asked", "labelled", "agreement with people", "Cohen's kappa", "same in both orders"),
        (
            ("the reward model with few", str(own.asked), str(len(own.records)), estimate_text(own.agreement), "", ""),
            (
                "the judge",
                str(judged.asked),
                f"{judged.decided} (a word on {judged.with_a_word})",
                estimate_text(judged.agreement),
                number_text(judged.kappa),
                number_text(judged.position_consistency),
            ),
        ),
        "On pairs whose labels by people were kept back.",
    )


def main(argv: Sequence[str] | None = None) -> int:
    """The exit status."""
    return exit_status(run, AIFeedbackConfig, "ai_feedback", argv)


if __name__ == "__main__":
    sys.exit(main())
