"""The tables of a report: text cells, made from results."""

from __future__ import annotations

import math
from dataclasses import dataclass

from plaudit.evaluation.contest import ContestResult, Standing
from plaudit.evaluation.reward_quality import RewardQuality
from plaudit.runs import duration_text
from plaudit.statistics import Estimate

NOT_MEASURED = "not measured"


@dataclass(frozen=True, slots=True)
class Table:
    """`rows` have one cell a column; the first column names the row."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    caption: str = ""

    def __post_init__(self) -> None:
        if any(len(row) != len(self.columns) for row in self.rows):
            raise ValueError(f"table {self.title!r}: every row needs {len(self.columns)} cells")


def estimate_text(estimate: Estimate | None) -> str:
    """`0.812 [0.771, 0.850]`, `0.812, no interval` where there is but one prompt, or that it was not measured."""
    if estimate is None:
        return NOT_MEASURED
    if math.isnan(estimate.low):
        return f"{estimate.value:.3f}, no interval"
    return f"{estimate.value:.3f} [{estimate.low:.3f}, {estimate.high:.3f}]"


def number_text(value: float | None, digits: int = 2) -> str:
    """The number with so many decimals, or that it was not measured."""
    return NOT_MEASURED if value is None else f"{value:.{digits}f}"


def percent_text(fraction: float) -> str:
    """`12 %`."""
    return f"{100 * fraction:.0f} %"


def contest_tables(result: ContestResult) -> tuple[Table, ...]:
    """Who wins and at what cost; the judge beside people, where they were asked; what the answers are worth and look like."""
    tables = (_results_table(result), calibration_table(result), _utility_table(result), _form_table(result))
    return tuple(table for table in tables if table is not None)


def _results_table(result: ContestResult) -> Table:
    columns = ["model", "win rate", "length-matched", "KL", "perplexity", "CPU time"]
    consistency = any(standing.position_consistency is not None for standing in result.entrants)
    left_out = any(standing.num_left_out for standing in result.entrants)
    columns += ["position consistency"] * consistency + ["pairs left out"] * left_out

    def row(standing: Standing) -> tuple[str, ...]:
        against = (
            estimate_text(standing.win_rate),
            estimate_text(standing.length_matched),
            number_text(standing.kl),
        )
        judged = [number_text(standing.position_consistency)] * consistency + [str(standing.num_left_out)] * left_out
        is_baseline = standing is result.baseline
        return (
            standing.name,
            *(["baseline"] * len(against) if is_baseline else against),
            number_text(standing.perplexity),
            NOT_MEASURED if standing.cpu_seconds is None else duration_text(standing.cpu_seconds),
            *(["baseline"] * len(judged) if is_baseline else judged),
        )

    return Table(
        "Results",
        tuple(columns),
        tuple(row(standing) for standing in result.standings),
        f"Win rates against {result.baseline.name} on {result.num_prompts} prompts, ties half, with 95 % bootstrap "
        "intervals over prompts. Length-matched: pairs whose token counts differ by at most 10 %, from 100 pairs on. "
        "KL to the baseline: nats an answer.",
    )


def calibration_table(result: ContestResult) -> Table | None:
    """The win rate by judge and people together and by each alone, and how far the judge can be trusted."""
    shown = [(standing.name, standing.calibrated) for standing in result.entrants if standing.calibrated is not None]
    if not shown:
        return None
    both = [calibrated.win_rates for _, calibrated in shown]
    rows = {
        "win rate, judge and people": [estimate_text(found.estimate) for found in both],
        "the same, bootstrap interval": [estimate_text(found.resampled) for found in both],
        "win rate, people alone": [estimate_text(found.people_only) for found in both],
        "win rate, judge alone": [estimate_text(found.judge_only) for found in both],
        "judge's bias": [estimate_text(found.bias) for found in both],
        "judge's weight": [f"{found.weight:.2f}" for found in both],
        "pairs people judged": [f"{found.people_only.n} in {found.num_labelled_clusters} prompts" for found in both],
        "worth, in pairs of people's": [f"{found.effective_labels:.0f}" for found in both],
        "agreement with people": [estimate_text(calibrated.agreement) for _, calibrated in shown],
        "Cohen's kappa": [estimate_text(calibrated.kappa) for _, calibrated in shown],
    }
    positions = [calibrated.position for _, calibrated in shown]
    if any(positions):
        rows["verdict changes with the order"] = [
            estimate_text(found.flipped if found else None) for found in positions
        ]
        rows["first shown wins"] = [estimate_text(found.first if found else None) for found in positions]
    return Table(
        "The judge, calibrated by people",
        ("", *(name for name, _ in shown)),
        tuple((name, *cells) for name, cells in rows.items()),
        "Prediction-powered inference: the judge's word on every pair, corrected by people's on some, which must be a random "
        "sample. Worth: as many pairs judged by people alone would give as narrow an interval. All intervals are 95 %, "
        "over prompts.",
    )


def _utility_table(result: ContestResult) -> Table | None:
    if result.baseline.utility is None:
        return None
    names = tuple(result.baseline.components)
    return Table(
        "What the answers are worth to the judge",
        ("model", "mean", "gain", *names),
        tuple(
            (
                standing.name,
                estimate_text(standing.utility),
                "baseline" if standing is result.baseline else estimate_text(standing.gain),
                *(number_text(standing.components[name]) for name in names),
            )
            for standing in result.standings
        ),
        f"Means over answers, and what they have more than {result.baseline.name}'s; 95 % bootstrap intervals over prompts.",
    )


def _form_table(result: ContestResult) -> Table:
    def row(standing: Standing) -> tuple[str, ...]:
        return (
            standing.name,
            number_text(standing.mean_length, 1),
            percent_text(standing.stop_frac),
            number_text(standing.repetition, 3),
            percent_text(standing.loop_frac),
            percent_text(standing.decline_frac),
            number_text(standing.distinct, 3),
            number_text(standing.distinct_of_baseline, 3),
        )

    return Table(
        "Form of the answers",
        (
            *("model", "tokens", "stopped by itself", "repeated trigrams", "with a loop", "declined"),
            *("distinct-2", f"{result.baseline.name}'s distinct-2"),
        ),
        tuple(row(standing) for standing in result.standings),
        "Distinct-2: different word pairs over all word pairs, both models cut to the same number of words in all.",
    )


def quality_table(quality: RewardQuality) -> Table:
    """The reward model as a classifier of people's strict verdicts."""
    slices = {**quality.by_length_difference}
    if len(quality.by_source) > 1:
        slices |= {f"source: {name}": estimate for name, estimate in quality.by_source.items()}
    return Table(
        "Reward model on people's verdicts",
        ("pairs", "accuracy", "number"),
        (
            ("all", estimate_text(quality.accuracy), str(quality.accuracy.n)),
            *((name, estimate_text(estimate), str(estimate.n)) for name, estimate in slices.items()),
        ),
        f'Precision {quality.precision:.3f}, recall {quality.recall:.3f}, F1 {quality.f1:.3f} of "the first is preferred"; '
        f"expected calibration error {quality.expected_calibration_error:.3f}.",
    )
