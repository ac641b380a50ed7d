"""SFT on Dolly, a reward model on HH-RLHF, PPO: `python -m recipes.hh_cpu.run --config recipes/hh_cpu/quick.toml`.

Each stage writes into the `out` folder as it ends; the same command goes on after the last one that did.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path

from plaudit.cli.inputs import sha256_of
from plaudit.evaluation.tables import Table
from plaudit.models.load import load_causal_lm, load_codec
from plaudit.runs import PhaseTimer, duration_text, peak_rss_mb, read_metrics
from plaudit.runs.stages import Cost, Stages
from plaudit.schemas.errors import PlauditError
from plaudit.schemas.feedback import Comparison
from plaudit.trainers import dpo, ppo, reward, sft
from recipes.command import exit_status
from recipes.hh_cpu.answers import answer, answer_results
from recipes.hh_cpu.data import DEMONSTRATIONS, PAIRS, people, with_shuffled_labels
from recipes.hh_cpu.pairs import REWARD, SHUFFLED, measure, pair_results
from recipes.hh_cpu.results import Results, accuracy_table, gain_table, reported
from recipes.hh_cpu.settings import HHConfig

say: Callable[[str], None] = partial(print, flush=True)
_ANSWERS_A_PAIR, _FLOAT_BYTES = 2, 4


def run(config: HHConfig) -> Path:
    """Runs what is not done yet and returns the report's path."""
    check_memory(config)
    found = people(config, load_codec(config.model))
    stages = Stages(config.folder, identity(config), say=say)

    def stage(name: str, title: str, work: Callable[[bool], object]) -> None:
        stages.run(name, title, work)
        # Of a stage that has ended nobody needs them, and they are the largest files.
        shutil.rmtree(config.folder / name / "checkpoints", ignore_errors=True)

    stage("sft", "fine-tuning on Dolly", lambda resume: sft.train(config.sft_config(resume=resume), found.learnt))
    fit = partial(_fit_reward, config)
    stage(REWARD, "reward model on HH-RLHF", partial(fit, REWARD, found.train))
    shuffled = with_shuffled_labels(found.train[: config.subsets.num_shuffled_pairs], config.seed)
    stage(SHUFFLED, "the same on shuffled labels", partial(fit, SHUFFLED, shuffled))
    stage("pairs", "held-out pairs", lambda _: measure(config, found))
    stage("ppo", "PPO", lambda resume: ppo.train(config.ppo_config(resume=resume), found.practice))
    stage("dpo", "DPO from the same pairs", lambda resume: dpo.train(config.dpo_config(resume=resume), found.train))
    stage("answers", "answers to held-out prompts", lambda _: answer(config, found, stages.costs))
    timer = PhaseTimer()
    with timer("results"):
        pairs, answers = pair_results(config.folder, found), answer_results(config, found.asked)
    last = Cost(timer.seconds()["results"], timer.cpu_seconds()["results"], peak_rss_mb())
    curve = read_metrics(config.folder / "ppo" / "metrics.jsonl")
    results = Results(found, pairs, answers, curve, {**stages.costs, "results": last})
    page = reported(config, results)
    for table in (accuracy_table(pairs), gain_table(answers)):
        say(table_text(table))
    say(f"\nThe report: {page}  (took {duration_text(sum(results.seconds.values()))})")
    return page


def identity(config: HHConfig) -> dict[str, object]:
    """What a run that goes on must share with the one that broke off: all settings that move a number, and the data."""
    data = {file: sha256_of(config.data_folder / file) for file in (DEMONSTRATIONS, *PAIRS.values())}
    moved = {"out", "data", "show_samples", "max_kept_mb"}
    return {name: value for name, value in asdict(config).items() if name not in moved} | {"data": data}


def _fit_reward(config: HHConfig, stage: str, pairs: Sequence[Comparison], resume: bool) -> None:
    reward.train(config.reward_config(stage, resume=resume), pairs)


def check_memory(config: HHConfig) -> None:
    """Raises PlauditError where the training pairs' activations, kept in training, would take more than is allowed."""
    subsets = config.subsets
    width = int(load_causal_lm(config.model).config.hidden_size)
    num_tokens = _ANSWERS_A_PAIR * subsets.num_train_pairs * subsets.max_tokens
    kept_mb = num_tokens * width * _FLOAT_BYTES / 1e6
    if kept_mb > config.max_kept_mb:
        raise PlauditError(
            f"{subsets.num_train_pairs} training pairs of up to {subsets.max_tokens} tokens keep {kept_mb:.0f} MB of "
            f"activations, over max_kept_mb = {config.max_kept_mb}: lower subsets.num_train_pairs or subsets.max_tokens, or "
            "raise the limit where there is memory"
        )


def table_text(table: Table) -> str:
    """The table for a terminal, its caption left to the report."""
    rows = (table.columns, *table.rows)
    widths = [max(len(row[i]) for row in rows) for i in range(len(table.columns))]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)
    return "\n".join(["", table.title, *lines])


def main(argv: Sequence[str] | None = None) -> int:
    """The exit status."""
    return exit_status(run, HHConfig, "hh_cpu", argv)


if __name__ == "__main__":
    sys.exit(main())
