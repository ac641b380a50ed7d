"""A study's result as tables, plots and one page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from plaudit.evaluation.figures import Figure, drawn, estimates_figure
from plaudit.evaluation.report import Report, write_report
from plaudit.evaluation.studies.answers import Judgement
from plaudit.evaluation.studies.results import StudyResult, study_result
from plaudit.evaluation.studies.study import Study
from plaudit.evaluation.tables import NOT_MEASURED, Table, estimate_text, percent_text

_INTERVALS = "95 % bootstrap intervals over prompts."


def study_report(study: Study, judgements: Sequence[Judgement], folder: Path) -> tuple[StudyResult, tuple[Table, ...]]:
    """Writes `report.html`, `summary.json` and the plots into the folder; gives the result and its tables.

    Raises PlauditError where nobody judged anything.
    """
    result = study_result(study, judgements, seed=study.seed)
    tables = study_tables(result)
    num_people = sum(person.num_answered > 0 for person in result.people)
    report = Report(
        title="Human study: " + ", ".join(study.models),
        intro=(
            f"{num_people} people gave {result.num_answered} of {result.num_rows} judgements on {len(study.pairs)} pairs of "
            f"answers, models hidden and sides shuffled. Study {study.id}, seed {study.seed}.",
        ),
        tables=tables,
        figures=study_figures(study, result),
        notes=study_notes(result),
        summary={
            "study": study.id,
            "models": study.models,
            "axes": study.axes,
            "scale": [study.minimum, study.maximum],
            "result": {
                "win_rates": result.duels,
                "ratings": [
                    {
                        "axis": axis.axis,
                        "means": axis.means,
                        "differences": [
                            {"models": two, "difference": found} for two, found in axis.differences.items()
                        ],
                    }
                    for axis in result.axes
                ],
                "verdict_alpha": result.verdict_alpha,
                "rating_alphas": result.rating_alphas,
                "self_agreement": result.self_agreement,
                "left_rate": result.left_rate,
                "people": result.people,
                "num_answered": result.num_answered,
                "num_rows": result.num_rows,
            },
        },
    )
    write_report(report, folder)
    return result, tables


def study_tables(result: StudyResult) -> tuple[Table, ...]:
    """Who wins; ratings; how far the people agree; the people one by one."""
    tables = [_duels_table(result), _agreement_table(result), _people_table(result)]
    if any(axis.means for axis in result.axes):
        tables.insert(1, _ratings_table(result))
    return tuple(tables)


def study_notes(result: StudyResult) -> tuple[str, ...]:
    """What to know before believing the figures."""
    notes = []
    if result.num_answered < result.num_rows:
        missing = result.num_rows - result.num_answered
        notes.append(f"{missing} of {result.num_rows} rows were not answered and count neither way.")
    few = min((duel.num_prompts for duel in result.duels), default=0)
    if few < 20:
        notes.append(
            f"Only {few} prompts were judged: under about twenty, intervals cover a little less than they say."
        )
    if result.verdict_alpha is None:
        notes.append("No pair was judged by two people: how far they agree is not known.")
    if result.left_rate is not None and (result.left_rate.low > 0.5 or result.left_rate.high < 0.5):
        notes.append(
            f"People favoured one side: the answer that stood first won {percent_text(result.left_rate.value)}."
        )
    return tuple(notes)


def study_figures(study: Study, result: StudyResult) -> tuple[Figure, ...]:
    """Win rates, and mean ratings on each axis."""
    rates = {f"{a}\nover {b}": duel.win_rate for duel in result.duels if duel.win_rate for a, b in [duel.models]}
    means = {f"{axis.axis}: {model}": found for axis in result.axes for model, found in axis.means.items()}
    return drawn(
        estimates_figure(
            "win_rates", "Win rates", {"": rates}, limits=(0, 1), middle=0.5, label="win rate", caption=_INTERVALS
        ),
        estimates_figure(
            "ratings",
            "Ratings",
            {"": means},
            limits=(study.minimum, study.maximum),
            middle=(study.minimum + study.maximum) / 2,
            label="mean rating",
            caption=_INTERVALS,
        ),
    )


def _duels_table(result: StudyResult) -> Table:
    return Table(
        "Win rates",
        ("models", "win rate of the first", "judgements", "prompts", "ties", "both bad", "cannot say"),
        tuple(
            (
                f"{duel.models[0]} over {duel.models[1]}",
                estimate_text(duel.win_rate),
                str(duel.num_judgements),
                str(duel.num_prompts),
                percent_text(duel.tie_frac),
                percent_text(duel.both_bad_frac),
                str(duel.num_incomparable),
            )
            for duel in result.duels
        ),
        f"Ties and both bad count half; cannot say counts neither way; repeated showings are left out. {_INTERVALS}",
    )


def _ratings_table(result: StudyResult) -> Table:
    models = list(dict.fromkeys(model for axis in result.axes for model in axis.means))
    duels = list(dict.fromkeys(two for axis in result.axes for two in axis.differences))
    return Table(
        "Ratings",
        ("axis", *models, *(f"{a} less {b}" for a, b in duels)),
        tuple(
            (
                axis.axis,
                *(estimate_text(axis.means.get(model)) for model in models),
                *(estimate_text(axis.differences.get(two)) for two in duels),
            )
            for axis in result.axes
        ),
        f"Means; differences are of ratings given side by side. {_INTERVALS}",
    )


def _agreement_table(result: StudyResult) -> Table:
    rows = [
        ("verdicts between people, alpha", estimate_text(result.verdict_alpha)),
        *((f"{axis} between people, alpha", estimate_text(alpha)) for axis, alpha in result.rating_alphas.items()),
        ("same verdict on a repeated pair", estimate_text(result.self_agreement)),
        ("strict verdicts for the answer that stood first", estimate_text(result.left_rate)),
    ]
    return Table(
        "How far the people can be relied on",
        ("", "estimate"),
        tuple(rows),
        "Krippendorff's alpha, nominal for verdicts and ordinal for ratings: 1 perfect agreement, 0 chance. People "
        "hardly agree with others more than with themselves.",
    )


def _people_table(result: StudyResult) -> Table:
    return Table(
        "People",
        ("person", "answered", "ties", "first side", "with themselves", "with others", "median seconds"),
        tuple(
            (
                person.person,
                f"{person.num_answered} of {person.num_assigned}",
                NOT_MEASURED if person.tie_frac is None else percent_text(person.tie_frac),
                estimate_text(person.left_rate),
                estimate_text(person.self_agreement),
                estimate_text(person.agreement),
                NOT_MEASURED if person.median_seconds is None else f"{person.median_seconds:.0f}",
            )
            for person in result.people
        ),
        "First side: strict verdicts for the answer that stood first, about a half without a habit. With others: same "
        "verdict on the same pair.",
    )
