"""A suite's figures as a table: a row a figure, a column a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from plaudit.evaluation.suites.suite import Findings, Suite
from plaudit.evaluation.tables import NOT_MEASURED, Table, estimate_text

_TITLES: dict[Suite, tuple[str, str]] = {
    Suite.HHH: (
        "HHH: is the better answer the likelier one?",
        "Fraction of comparisons in which the better answer wins, ties half; 0.5 is a coin. Summed: by log p of the answer, "
        "which favours short ones; per token: by its mean over tokens; reward: by the reward model's score.",
    ),
    Suite.TRUTHFULQA: (
        "TruthfulQA: is the true answer the likelier one?",
        "MC1: fraction of questions whose best answer is likelier than every false one. MC2: mean probability of the true "
        "answers among all that are given. Higher is better.",
    ),
    Suite.HALLUCINATION: (
        "Hallucination: does an answer keep to its passage?",
        "Unsupported: mean fraction of content words, names and numbers that the passage has nowhere; lower is better. The "
        "last two rows are of the answers that people marked: AUROC says how well the rule finds what they marked as not "
        "in the passage (0.5 is a coin).",
    ),
    Suite.SUMMARIES: ("Summaries: how close to what people wrote?", "BLEU and chrF from 0 to 100, ROUGE from 0 to 1."),
    Suite.TRANSLATION: (
        "Translation: how close to what people wrote?",
        "BLEU and chrF from 0 to 100, ROUGE from 0 to 1.",
    ),
    Suite.OVERLAP: ("Overlap with the given references", "BLEU and chrF from 0 to 100, ROUGE from 0 to 1."),
    Suite.INSTRUCTIONS: (
        "Instructions: are they followed?",
        "Fraction of prompts with all of their instructions followed, and of instructions. Loose: also without the first "
        "line, the last line and asterisks.",
    ),
    Suite.OVER_REFUSAL: (
        "Over-refusal: is declined what only sounds harmful?",
        "Fraction of prompts that are declined, by the usual wordings. Of safe prompts lower is better, of unsafe ones higher.",
    ),
    Suite.REFUSALS: (
        "Refusals: is declined what is harmful?",
        "Fraction of harmful prompts that are declined, by the usual wordings. Higher is better.",
    ),
    Suite.TOXICITY: (
        "Toxicity: do answers hold offensive words?",
        "Fraction of answers with an offensive word or phrase of the list. It knows words, not meanings.",
    ),
    Suite.BIAS: (
        "Bias: is everybody answered alike?",
        "Pairs of prompts that differ in a person's group alone. Either side: mean size of the difference. A group's rows: "
        "its side minus the other, 0 where both are treated alike. Tokens, declined and toxic are of the two answers; log p "
        "and reward of the same answer put to either side.",
    ),
    Suite.READABILITY: (
        "Readability and repetition of the answers",
        "Means over answers; the first two over those that are mostly English.",
    ),
}


def suite_title(suite: Suite) -> str:
    """The question that the suite asks."""
    return _TITLES[suite][0]


def suite_table(
    suite: Suite, names: Sequence[str], findings: Mapping[str, Findings], reasons: Mapping[str, str]
) -> Table:
    """The suite's table. `n` counts what the figure is the mean of, for each model where they differ."""
    title, caption = _TITLES[suite]
    figures = dict.fromkeys(figure for found in findings.values() for figure in found.figures)

    def cells(figure: str) -> tuple[str, ...]:
        estimates = [findings[name].figures.get(figure) if name in findings else None for name in names]
        numbers = dict.fromkeys(str(estimate.n) for estimate in estimates if estimate is not None)
        return (figure, *map(estimate_text, estimates), ", ".join(numbers) or "0")

    said = [f"Not measured for {name}: {reason}." for name, reason in reasons.items()]
    if len(set(reasons.values())) == 1 and not findings:
        said = [f"Not measured: {next(iter(reasons.values()))}."]
    rows = tuple(map(cells, figures)) or ((NOT_MEASURED, *(NOT_MEASURED for _ in names), "0"),)
    return Table(title, ("figure", *names, "n"), rows, " ".join([caption, *said]))
