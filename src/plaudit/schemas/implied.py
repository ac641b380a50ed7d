"""What ratings and corrections imply: rankings, comparisons, demonstrations."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from plaudit.schemas.conversation import canonical_json, messages_json
from plaudit.schemas.feedback import Comparison, Correction, Demonstration, Ranking, Rating, Verdict, axis_of


def rankings_of(ratings: Iterable[Rating]) -> list[Ranking]:
    """A ranking for each person, prompt and axis with at least two different answers rated, by the scores; equal ones tie.

    One person's scores are compared with each other and with nobody else's, since people use a scale in ways of their own;
    ratings without annotator are taken to be one person's, and only those on one scale meet. What was rated on several axes
    is ranked on each by itself, and `extra` names the axis. An answer rated again counts by its last score. The ranking
    weighs as much as its ratings do on the mean.
    """
    groups: dict[str, dict[str, Rating]] = {}
    for rating in ratings:
        key = rating.model_dump(mode="json", include={"prompt", "annotator", "source", "minimum", "maximum"})
        answers = groups.setdefault(canonical_json([key, axis_of(rating)]), {})
        answers[messages_json(rating.completion)] = rating
    return [_ranking(list(answers.values())) for answers in groups.values() if len(answers) > 1]


def _ranking(ratings: Sequence[Rating]) -> Ranking:
    first, scores = ratings[0], [rating.score for rating in ratings]
    axis = axis_of(first)
    return Ranking(
        id=first.id,
        source=first.source,
        annotator=first.annotator,
        weight=sum(rating.weight for rating in ratings) / len(ratings),
        extra={"axis": axis} if axis else {},
        prompt=first.prompt,
        completions=tuple(rating.completion for rating in ratings),
        ranks=tuple(sum(other > score for other in scores) for score in scores),
    )


def comparison_of(correction: Correction) -> Comparison | None:
    """The corrected answer beats the one it was made from; None where nothing was changed."""
    if correction.corrected == correction.completion:
        return None
    return Comparison(
        id=correction.id,
        source=correction.source,
        annotator=correction.annotator,
        weight=correction.weight,
        prompt=correction.prompt,
        a=correction.corrected,
        b=correction.completion,
        verdict=Verdict.A,
    )


def demonstration_of(correction: Correction) -> Demonstration:
    """The corrected answer is what a person would want."""
    return Demonstration(
        id=correction.id,
        source=correction.source,
        annotator=correction.annotator,
        weight=correction.weight,
        prompt=correction.prompt,
        completion=correction.corrected,
    )
