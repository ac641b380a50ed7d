"""From what was measured to ratios, results.json and results.md."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import median

from arithmetic import Lengths, Network, floor
from plaudit_side import SETTINGS
from task import Report, Task
from transformers import AutoConfig

from plaudit.schemas.errors import PlauditError

MEASURES = ("cpu_s_per_episode", "wall_s_per_episode", "peak_rss_mb")


class UnequalWorkError(PlauditError):
    """The sides did not do the same: their costs must not be compared."""


def check_equal_work(task: Task, report: Report) -> None:
    """Raises UnequalWorkError unless the process did what the task says, on the prompts that it names."""
    done = {
        "episodes": (report.num_episodes, task.num_episodes),
        "answer tokens": (report.num_answer_tokens, task.num_episodes * task.answer_tokens),
        "optimiser steps": (report.num_optimiser_steps, task.num_steps * task.num_epochs),
        "threads": (report.threads, task.threads),
    }
    if wrong := {name: pair for name, pair in done.items() if pair[0] != pair[1]}:
        raise UnequalWorkError(f"{report.setting} did not do the task, (did, should have): {wrong}")


def check_same_prompts(reports: Sequence[Report]) -> None:
    """Raises UnequalWorkError where a side with one answer a prompt read other prompt lengths than TRL."""
    asked = {r.prompt_tokens for r in reports if r.setting == "trl" or SETTINGS[r.setting].answers_per_prompt == 1}
    if len(asked) > 1:
        raise UnequalWorkError(f"the sides read prompts of different lengths: {sorted(asked)}")


def medians(reports: Sequence[Report]) -> dict[str, dict[str, float]]:
    """Each measure's median over the repeats, by setting."""
    by_setting: dict[str, list[Report]] = {}
    for report in reports:
        by_setting.setdefault(report.setting, []).append(report)
    return {
        setting: {measure: median(asdict(report)[measure] for report in of_setting) for measure in MEASURES}
        for setting, of_setting in by_setting.items()
    }


def ratios(middle: Mapping[str, Mapping[str, float]], floors: Mapping[str, float]) -> dict[str, float]:
    """Flat: by setting, TRL's CPU seconds an episode over the setting's; `wall_` the same of wall seconds.

    `memory_frac_` is the share of TRL's memory, plain `memory_frac` the upper fifth's; `floor_` is the arithmetic alone.
    """
    trl = middle["trl"]
    settings = [name for name in middle if name != "trl"]
    cost = {name: trl["cpu_s_per_episode"] / middle[name]["cpu_s_per_episode"] for name in settings}
    wall = {f"wall_{name}": trl["wall_s_per_episode"] / middle[name]["wall_s_per_episode"] for name in settings}
    memory = {f"memory_frac_{name}": middle[name]["peak_rss_mb"] / trl["peak_rss_mb"] for name in settings}
    if "memory_frac_upper_fifth" in memory:
        memory["memory_frac"] = memory["memory_frac_upper_fifth"]
    return cost | wall | memory | {f"floor_{name}": floors[name] for name in settings}


def floors(task: Task, reports: Sequence[Report]) -> dict[str, float]:
    """The arithmetic floor of every setting, from the model's sizes and the lengths of TRL's prompts."""
    prompt_tokens = next(report.prompt_tokens for report in reports if report.setting == "trl")
    mean = sum(prompt_tokens) / len(prompt_tokens)
    lengths = Lengths(max(prompt_tokens), mean, task.answer_tokens, task.num_epochs)
    network = Network.of(AutoConfig.from_pretrained(task.model))
    return {name: floor(network, setting, lengths) for name, setting in SETTINGS.items()}


def machine() -> dict[str, str | int]:
    """The processor, the cores this process may use and the memory; no name of the machine itself."""
    cpu = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        named = [line for line in cpuinfo.read_text().splitlines() if line.startswith("model name")]
        cpu = named[0].split(":", 1)[1].strip() if named else cpu
    cores = len(os.sched_getaffinity(0)) if platform.system() == "Linux" else os.cpu_count() or 1
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {"cpu": cpu, "cores": cores, "memory_gb": round(memory / 1e9), "system": platform.system()}


def summary(task: Task, model: str, command: str, load: float, reports: Sequence[Report]) -> dict[str, object]:
    """Everything results.json holds."""
    middle = medians(reports)
    prompt_tokens = next(report.prompt_tokens for report in reports if report.setting == "trl")
    return {
        "command": command,
        "machine": machine(),
        "load_average_at_start": round(load, 2),
        "task": {
            "model": model,
            "threads": task.threads,
            "batch_size": task.batch_size,
            "prompt_tokens": [min(prompt_tokens), max(prompt_tokens)],
            "answer_tokens": task.answer_tokens,
            "num_epochs": task.num_epochs,
            "micro_batch_size": task.micro_batch_size,
            "measured_steps": task.num_steps,
            "dtype": "float32",
        },
        "repeats": sum(report.setting == "trl" for report in reports),
        "ratio_to_trl": {name: round(x, 4) for name, x in ratios(middle, floors(task, reports)).items()},
        "medians": middle,
        "versions": {
            side: next(r.versions for r in reports if (r.setting == "trl") == (side == "trl"))
            for side in ("trl", "plaudit")
        },
        "runs": [
            {name: x for name, x in asdict(r).items() if name not in ("versions", "prompt_tokens")} for r in reports
        ],
    }


def table(task: Task, model: str, command: str, reports: Sequence[Report]) -> str:
    """results.md: what was measured, medians with the range of the repeats."""
    middle = medians(reports)
    ratio = ratios(middle, floors(task, reports))
    host, repeats = machine(), sum(report.setting == "trl" for report in reports)
    lines = [
        "# PPO against TRL 1.12.0, measured",
        "",
        f"Written by `{command}`; README.md says what is compared. {model}, float32, {task.batch_size} answers of "
        f"{task.answer_tokens} tokens a step, {task.num_epochs} epochs, micro-batches of {task.micro_batch_size}, "
        f"{task.threads} threads on {host['cpu']} ({host['cores']} cores, {host['memory_gb']} GB). "
        + (f"Medians of {repeats} repeats, least to most in brackets." if repeats > 1 else "One repeat."),
        "",
        "| | CPU s an episode | wall s an episode | peak memory, GB | cheaper than TRL (CPU) | arithmetic alone | memory, "
        "share of TRL's |",
        "|---|---|---|---|---|---|---|",
    ]
    for setting in middle:
        runs = [report for report in reports if report.setting == setting]
        cells = [
            _with_range([report.cpu_s_per_episode for report in runs]),
            _with_range([report.wall_s_per_episode for report in runs]),
            _with_range([report.peak_rss_mb / 1000 for report in runs]),
        ]
        if setting == "trl":
            cells += ["1", "1", "1"]
        else:
            cells += [
                f"{ratio[setting]:.2f} times",
                f"{ratio[f'floor_{setting}']:.2f} times",
                f"{ratio[f'memory_frac_{setting}']:.2f}",
            ]
        lines.append(f"| {'TRL 1.12.0' if setting == 'trl' else f'`{setting}`'} | {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


def _with_range(values: Sequence[float]) -> str:
    middle = f"{median(values):.2f}"
    return middle if len(values) == 1 else f"{middle} ({min(values):.2f}-{max(values):.2f})"


def write(folder: Path, results: Mapping[str, object], markdown: str) -> None:
    """Writes both files, each whole or not at all."""
    for name, text in (("results.json", json.dumps(results, indent=2) + "\n"), ("results.md", markdown)):
        partial = folder / f".{name}.partial"
        partial.write_text(text, encoding="utf-8")
        partial.replace(folder / name)
