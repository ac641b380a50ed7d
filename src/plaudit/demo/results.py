"""The demo's report, summary and closing words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from plaudit.demo.people import people_table
from plaudit.demo.perception import Perception, perception_table
from plaudit.demo.refusals import Refusals, refusals_table
from plaudit.demo.settings import DemoConfig
from plaudit.demo.utility import WEIGHTS
from plaudit.evaluation.answers import Entrant
from plaudit.evaluation.contest import ContestResult, Standing
from plaudit.evaluation.figures import (
    drawn,
    frontier_figure,
    length_slices_figure,
    reliability_figure,
    seconds_figure,
    training_figure,
    win_rates_figure,
)
from plaudit.evaluation.frontier import best_of_n_frontier, training_frontier
from plaudit.evaluation.judges import Judge
from plaudit.evaluation.report import Report, write_report
from plaudit.evaluation.reward_quality import RewardQuality
from plaudit.evaluation.samples import unpicked_samples
from plaudit.evaluation.tables import Table, contest_tables, estimate_text, quality_table
from plaudit.quality.labels import Person
from plaudit.runs import duration_text, installed_versions
from plaudit.schemas.conversation import Messages


@dataclass(frozen=True, slots=True)
class Results:
    """What the stages left to tell. `entrants` begins with the SFT model, `curves` are metrics by stage."""

    contest: ContestResult
    people: Sequence[Person]
    quality: RewardQuality | None
    tricks: Mapping[str, float]
    entrants: tuple[Entrant, ...]
    prompts: Sequence[Messages]
    judge: Judge
    curves: Mapping[str, Sequence[Mapping[str, float]]]
    sft_scores: Sequence[Sequence[float]]
    perceived: Mapping[str, Perception]
    refusals: Mapping[str, Refusals]
    seconds: Mapping[str, float]
    peak_rss_mb: float

    def standing(self, name: str) -> Standing:
        """The numbers of one method."""
        return next(standing for standing in self.contest.standings if standing.name == name)


def summary(config: DemoConfig, results: Results) -> dict[str, object]:
    """The figures of `summary.json`."""
    ppo, sft = results.standing("PPO"), results.contest.baseline
    assert ppo.win_rate is not None
    return {
        "model": config.model,
        "seed": config.seed,
        "win_rate": ppo.win_rate.value,
        "win_rate_ci95": [ppo.win_rate.low, ppo.win_rate.high],
        "win_rate_length_matched": None if ppo.length_matched is None else ppo.length_matched.value,
        "win_rates": {s.name: s.win_rate.value for s in results.contest.entrants if s.win_rate is not None},
        "win_rates_length_matched": {
            s.name: None if s.length_matched is None else s.length_matched.value for s in results.contest.entrants
        },
        "kl": ppo.kl,
        "kls": {s.name: s.kl for s in results.contest.entrants},
        "panel": {person.name: asdict(person) for person in results.people},
        "reward_model_accuracy": None if results.quality is None else results.quality.accuracy.value,
        "reward_model_accuracy_ci95": None
        if results.quality is None
        else [results.quality.accuracy.low, results.quality.accuracy.high],
        "reward_model_hears": results.perceived,
        "declined": results.refusals,
        "stop_frac": ppo.stop_frac,
        "stop_frac_before": sft.stop_frac,
        "perplexity_before": sft.perplexity,
        "perplexity_after": ppo.perplexity,
        "distinct_before": ppo.distinct_of_baseline,
        "distinct_after": ppo.distinct,
        "cpu_seconds_by_method": {s.name: s.cpu_seconds for s in results.contest.standings},
        "best_trick": max(results.tricks, key=lambda name: results.tricks[name]),
        "tricks": results.tricks,
        "seconds": sum(results.seconds.values()),
        "seconds_by_phase": results.seconds,
        "peak_rss_mb": results.peak_rss_mb,
        "versions": installed_versions(),
    }


def reported(config: DemoConfig, results: Results) -> Path:
    """Writes report.html, summary.json and the plots; returns the page's path."""
    parts = ", ".join(f"{name} {weight:.2f}" for name, weight in WEIGHTS.items())
    tricks = Table(
        "Fixed tricks against the SFT model",
        ("trick", "win rate"),
        tuple((name, f"{rate:.2f}") for name, rate in sorted(results.tricks.items(), key=lambda item: -item[1])),
        "Answers that need no skill, some made knowing the references' usual words. None may satisfy the utility.",
    )
    quality = () if results.quality is None else (quality_table(results.quality),)
    report = Report(
        title=f"plaudit demo: {config.model}, seed {config.seed}",
        intro=(
            "A language model fine-tuned on demonstrations (SFT), then improved from a simulated panel's rankings of its "
            "answers: by PPO against a reward model, by DPO, and by picking the best of four. All saw the same rankings.",
            f"The judge is the panel's hidden utility ({parts}), asked about {results.contest.num_prompts} questions that "
            "nothing was trained on. Training saw it only through the rankings of eight simulated people, one of whom "
            "clicks at random and one of whom ranks upside down; it was not told who: the panel's table says what it found.",
        ),
        tables=(
            *contest_tables(results.contest),
            people_table(results.people),
            *quality,
            perception_table(results.perceived),
            refusals_table(results.refusals),
            tricks,
        ),
        figures=drawn(
            win_rates_figure(results.contest),
            frontier_figure(
                {name: training_frontier(rows) for name, rows in results.curves.items()}
                | {"best of n": best_of_n_frontier(results.sft_scores, (1, 2, 4))}
            ),
            training_figure(results.curves),
            reliability_figure(results.quality),
            length_slices_figure(results.quality),
            seconds_figure(results.seconds),
        ),
        samples=tuple(unpicked_samples(results.prompts, results.entrants, results.judge)),
        summary=summary(config, results),
    )
    return write_report(report, config.folder)


def printed(config: DemoConfig, results: Results, page: Path) -> None:
    """Prints three answers before and after, the table, and what to do next."""
    before, after = results.entrants[0], results.entrants[1]
    for prompt, old, new in list(zip(results.prompts, before.answers, after.answers, strict=True))[:3]:
        print(f"\n  {prompt[-1].text}\n    before: {old[0].text}\n    after:  {new[0].text}")
    print(f"\n{'':12}{'win rate':>22}{'length-matched':>22}{'KL':>8}{'perplexity':>12}{'CPU s':>8}")
    for standing in results.contest.standings:
        kl = "" if standing.kl is None else f"{standing.kl:.2f}"
        perplexity = "" if standing.perplexity is None else f"{standing.perplexity:.2f}"
        win, matched = estimate_text(standing.win_rate), estimate_text(standing.length_matched)
        print(f"{standing.name:12}{win:>22}{matched:>22}{kl:>8}{perplexity:>12}{standing.cpu_seconds or 0:>8.0f}")
    print(
        f"\nThe report: {page}  (took {duration_text(sum(results.seconds.values()))})\n"
        f"Talk to the model: plaudit chat --model {config.model_of('ppo')}\n"
        "Your own people and data: `plaudit sample` writes answers to be ranked, `plaudit sft`, `reward` and `ppo` learn."
    )
