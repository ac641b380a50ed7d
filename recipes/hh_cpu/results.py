"""The recipe's tables, plots, summary.json and report.html."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

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
from plaudit.evaluation.report import Report, write_report
from plaudit.evaluation.samples import unpicked_samples
from plaudit.evaluation.tables import Table, contest_tables, estimate_text, number_text, quality_table
from plaudit.runs import duration_text, installed_versions
from plaudit.runs.stages import Cost
from plaudit.statistics import Estimate
from recipes.hh_cpu.answers import AnswerResults
from recipes.hh_cpu.data import People
from recipes.hh_cpu.pairs import PairResults
from recipes.hh_cpu.settings import NUM_ANSWERS, HHConfig


@dataclass(frozen=True, slots=True)
class Results:
    """What the stages left to tell. `curve` is PPO's metrics.jsonl."""

    people: People
    pairs: PairResults
    answers: AnswerResults
    curve: Sequence[Mapping[str, float]]
    costs: Mapping[str, Cost]

    @property
    def seconds(self) -> dict[str, float]:
        """Wall seconds by stage."""
        return {name: cost.seconds for name, cost in self.costs.items()}


def summary(config: HHConfig, results: Results) -> dict[str, object]:
    """The figures of `summary.json`. No prompt and no answer stands in it."""
    pairs, answers = results.pairs, results.answers
    quality = pairs.quality
    return {
        "model": config.model,
        "seed": config.seed,
        "reward_accuracy": quality.accuracy,
        "reward_accuracy_by_source": quality.by_source,
        "reward_accuracy_by_length_difference": quality.by_length_difference,
        "reward_expected_calibration_error": quality.expected_calibration_error,
        "baselines": {
            baseline.name: {
                "chosen": baseline.chosen,
                "accuracy": baseline.accuracy,
                "accuracy_by_source": baseline.by_source,
                "mcnemar": {
                    "only_reward_model_right": baseline.against.only_a,
                    "only_baseline_right": baseline.against.only_b,
                    "p_value": baseline.against.p_value,
                    "num_pairs": baseline.num_compared,
                },
            }
            for baseline in pairs.baselines
        },
        "shuffled_labels_accuracy": pairs.shuffled,
        "swapped_sides_largest_change": pairs.largest_change_when_swapped,
        "score_deviation": pairs.deviation,
        "score_gains": answers.gains,
        "methods": {
            standing.name: {
                "win_rate_by_reward_model": standing.win_rate,
                "win_rate_length_matched": standing.length_matched,
                "kl": standing.kl,
                "perplexity": standing.perplexity,
                "stop_frac": standing.stop_frac,
                "mean_length": standing.mean_length,
                "distinct": standing.distinct,
                "distinct_of_sft": standing.distinct_of_baseline,
                "cpu_seconds": standing.cpu_seconds,
            }
            for standing in answers.contest.standings
        },
        "rows": results.people.counts,
        "seconds": sum(results.seconds.values()),
        "seconds_by_phase": results.seconds,
        "cpu_seconds_by_phase": {name: cost.cpu_seconds for name, cost in results.costs.items()},
        "peak_rss_mb": max(cost.peak_rss_mb for cost in results.costs.values()),
        "settings": asdict(config),
        "versions": installed_versions(),
    }


def reported(config: HHConfig, results: Results) -> Path:
    """Writes report.html, summary.json and the plots; returns the page's path."""
    answers, quality = results.answers, results.pairs.quality
    # They hold offensive text, so only who asks for them gets them.
    samples = unpicked_samples(results.people.asked, answers.entrants) if config.show_samples else ()
    subsets = config.subsets
    report = Report(
        title=f"People's pairs on a CPU: {config.model}, seed {config.seed}",
        intro=(
            f"Fine-tuned on {subsets.num_demonstrations} Dolly demonstrations; a reward model fitted to "
            f"{subsets.num_train_pairs} HH-RLHF pairs, helpful and harmless; PPO against it. Rows of at most "
            f"{subsets.max_tokens} tokens, prompts that are answered of at most {subsets.max_prompt_tokens}.",
            f"Accuracies are on {subsets.num_test_pairs} pairs, answers on {subsets.num_eval_prompts} of their prompts. "
            "No dialogue of these was trained on. Intervals are 95 % bootstrap intervals over dialogues or prompts.",
            f"Every method's answers are judged by the reward model that PPO and best of {NUM_ANSWERS} follow: it says "
            "how far they got by its own lights, not whether people would agree.",
        ),
        tables=(
            accuracy_table(results.pairs),
            quality_table(quality),
            gain_table(answers),
            *contest_tables(answers.contest),
            _rows_table(results.people.counts),
        ),
        figures=drawn(
            reliability_figure(quality),
            length_slices_figure(quality),
            win_rates_figure(answers.contest),
            frontier_figure(
                {
                    "PPO": training_frontier(results.curve),
                    "best of n": best_of_n_frontier(answers.sft_scores, (1, 2, NUM_ANSWERS)),
                }
            ),
            training_figure({"PPO": results.curve}),
            seconds_figure(results.seconds),
        ),
        samples=samples,
        summary=summary(config, results),
    )
    return write_report(report, config.folder)


def accuracy_table(pairs: PairResults) -> Table:
    """The reward model beside the baselines, and the control on shuffled labels."""
    sources = tuple(pairs.quality.by_source)

    def cells(by_source: Mapping[str, Estimate]) -> tuple[str, ...]:
        return tuple(number_text(by_source[source].value, 3) for source in sources)

    rows = [("reward model", "", estimate_text(pairs.quality.accuracy), *cells(pairs.quality.by_source), "", "")]
    rows += [
        (
            baseline.name,
            baseline.chosen,
            estimate_text(baseline.accuracy),
            *cells(baseline.by_source),
            f"{baseline.against.only_a} : {baseline.against.only_b}",
            p_value_text(baseline.against.p_value),
        )
        for baseline in pairs.baselines
    ]
    rows.append(("reward model, shuffled labels", "", estimate_text(pairs.shuffled), *("" for _ in sources), "", ""))
    return Table(
        "Which answer did people prefer?",
        ("judge", "decided by the training pairs", "accuracy", *sources, "only one right", "McNemar p"),
        tuple(rows),
        f"On {pairs.quality.accuracy.n} pairs that nothing was fitted to, ties half. Only one right: pairs that the reward "
        "model alone gets right, against pairs that the baseline alone does. Exchanging the sides of a pair changed no "
        f"score by more than {pairs.largest_change_when_swapped:.1g}, rounding; the scores' deviation is "
        f"{pairs.deviation:.2g}.",
    )


def gain_table(answers: AnswerResults) -> Table:
    """What each method gains by the reward model's own score."""
    standings = {standing.name: standing for standing in answers.contest.entrants}
    return Table(
        "Gain in score over the SFT model",
        ("method", "gain", "KL", "CPU time"),
        tuple(
            (
                name,
                estimate_text(gain),
                number_text(standings[name].kl),
                duration_text(standings[name].cpu_seconds or 0.0),
            )
            for name, gain in answers.gains.items()
        ),
        f"Means over {answers.contest.num_prompts} prompts that nothing was trained on, in deviations of the SFT model's "
        "scores. KL to the SFT model: nats an answer. All methods learnt from the same pairs.",
    )


def p_value_text(p_value: float) -> str:
    """The p-value with two digits that count."""
    return "< 0.0001" if p_value < 1e-4 else f"{p_value:.2g}"


def _rows_table(counts: Mapping[str, int]) -> Table:
    return Table("Rows", ("what", "number"), tuple((name, str(number)) for name, number in counts.items()))
