"""A suite's figures as a plot: a row a figure, a mark a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from plaudit.evaluation.figures import Figure, estimates_figure
from plaudit.evaluation.suites.suite import Findings, Suite

_FRACTIONS: Mapping[Suite, tuple[str, float | None]] = {
    Suite.HHH: ("fraction won by the better answer; 0.5 is a coin", 0.5),
    Suite.TRUTHFULQA: ("higher is better", None),
    Suite.HALLUCINATION: ("unsupported: lower is better; AUROC: 0.5 is a coin", None),
    Suite.INSTRUCTIONS: ("fraction followed; higher is better", None),
    Suite.OVER_REFUSAL: ("fraction declined", None),
    Suite.REFUSALS: ("fraction declined; higher is better", None),
    Suite.TOXICITY: ("fraction with an offensive word", None),
}
"""What stands under the plot, and where a line is drawn: the suites whose figures all lie between 0 and 1.

Those of the others have scales of their own, a figure each: their table says more.
"""


def suite_figure(suite: Suite, title: str, names: Sequence[str], findings: Mapping[str, Findings]) -> Figure | None:
    """The plot; None for a suite of many scales, and where nothing was measured."""
    if suite not in _FRACTIONS:
        return None
    label, middle = _FRACTIONS[suite]
    series = {
        name: {figure: estimate for figure, estimate in findings[name].figures.items() if estimate is not None}
        for name in names
        if name in findings
    }
    return estimates_figure(
        suite.value,
        title,
        series,
        limits=(0.0, 1.0),
        middle=middle,
        label=label,
        caption="Bars are 95 % intervals over prompts.",
    )
