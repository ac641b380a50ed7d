"""How much computing does each setting of PPO need for the same quality? `python -m benchmarks.equal_quality.run --help`.

On the demo's task: CPU seconds of learning until the policy's answers to the evaluation's questions win 0.70 against the
fine-tuned model's, at a KL of at most 5. Looks are not counted. On `tiny` the scorer is the demo's hidden utility itself: it
is too small for its rankings to teach a reward model anything. On `smollm2-135m` it is the demo's reward model.

Every run goes on where it was interrupted, and leaves a row in rows.jsonl as it ends; results.md is written anew each time.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
import tyro

from benchmarks.equal_quality import peer
from benchmarks.equal_quality.results import Row, read_rows, row_of, table
from benchmarks.equal_quality.settings import NAMES, PEER, SETTINGS, ppo_config
from plaudit.cli.scoring import prompts_of
from plaudit.demo import main as demo_main
from plaudit.demo.content import content, hidden_utility
from plaudit.demo.settings import DemoConfig
from plaudit.demo.stages import answers_of
from plaudit.demo.utility import HiddenUtility, Question
from plaudit.evaluation.judges import ScoreJudge
from plaudit.rewards import Scorer, TextualScorer
from plaudit.runs import read_metrics
from plaudit.runs.memory import reuse_freed_memory
from plaudit.schemas.conversation import Messages
from plaudit.schemas.protocols import Completion, TextScore
from plaudit.trainers import ppo

HERE = Path(__file__).parent


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """CPU seconds to the same quality, on the demo's task."""

    model: str = "tiny"
    """`tiny` or `smollm2-135m`."""
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    """A demo each; where one has not been run in its folder, it is run first."""
    names: tuple[str, ...] = tuple(SETTINGS)
    """Which of the settings in settings.py; `trl_rloo`, TRL's RLOO with LoRA in an environment of its own, is asked for."""
    folder: Path = Path("runs/equal_quality")
    """Where the demos (`MODEL-SEED/demo`) and the runs beside them are."""
    out: Path = HERE
    """Where rows.jsonl and results.md are."""


class Standardised:
    """The utility with the mean and deviation of the fine-tuned model's answers taken out, as a reward model's scores."""

    def __init__(self, utility: HiddenUtility, prompts: Sequence[Messages], answers: Sequence[Sequence[Completion]]):
        self._utility = utility
        found = [[score.score for score in row] for row in ScoreJudge(utility).utilities(prompts, answers)]
        self._mean, self._std = float(np.mean(found)), float(np.std(found))

    def score(self, prompts: Sequence[Messages], completions: Sequence[Completion]) -> list[TextScore]:
        """One score a completion."""
        found = self._utility.score(prompts, completions)
        return [replace(one, score=(one.score - self._mean) / self._std) for one in found]


def measured(settings: Settings, seed: int, name: str) -> Row:
    """One run, begun or gone on with."""
    place = settings.folder / f"{settings.model}-{seed}"
    demo = DemoConfig(model=settings.model, seed=seed, out=str(place / "demo"))
    if not (demo.folder / "summary.json").exists():
        demo_main.run(demo)
    texts = content(seed, num_held=demo.num_held)
    prompts = prompts_of(demo_main.learnt_and_held(demo)[0])
    held = [question.prompt for question in texts.eval]
    if name == PEER:
        return row_of(settings.model, seed, name, peer.rloo(demo, place / name, prompts, held))
    config, utility = ppo_config(demo, name, str(place / name)), hidden_utility()
    run = Path(config.out)
    if not (run / "model").exists():
        ppo.train(
            replace(config, resume=(run / "manifest.json").exists()),
            prompts,
            scorer=_scorer(demo, utility, texts.train, prompts),
            demonstrations=texts.anchor,
            held_prompts=held,
            judge=ScoreJudge(utility),
        )
    return row_of(settings.model, seed, name, read_metrics(run / "metrics.jsonl"))


def _scorer(
    demo: DemoConfig, utility: HiddenUtility, train: Sequence[Question], prompts: Sequence[Messages]
) -> Scorer | None:
    """The utility for `tiny`; None, which is the reward model, for others."""
    if not demo.is_dry:
        return None
    asked = [question for question in train if question.prompt in prompts]
    answers = answers_of(demo, "sft", asked, num_answers=8, purpose="standardise")
    return TextualScorer(Standardised(utility, [question.prompt for question in asked], answers))


def main(settings: Settings) -> None:
    reuse_freed_memory()
    if unknown := set(settings.names) - set(NAMES):
        sys.exit(f"names: {', '.join(sorted(unknown))} is not among {', '.join(NAMES)}")
    path = settings.out / "rows.jsonl"
    for seed in settings.seeds:
        for name in settings.names:
            row = measured(settings, seed, name)
            rows = {one.key: one for one in read_rows(path)} | {row.key: row}
            ordered = sorted(rows.values(), key=lambda one: one.key)
            path.write_text("".join(f"{json.dumps(one.as_json())}\n" for one in ordered), encoding="utf-8")
            (settings.out / "results.md").write_text(table(ordered, torch.get_num_threads()), encoding="utf-8")
            sys.stdout.write(f"{row.in_words()}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main(tyro.cli(Settings, description=__doc__))
