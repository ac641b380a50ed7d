"""What a file says of answers to one prompt, whatever kind of record says it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from plaudit.cli.training import of_kinds
from plaudit.formats import Records
from plaudit.quality.labels import weighed_preferences
from plaudit.schemas.errors import PlauditError
from plaudit.schemas.feedback import Comparison, Correction, Ranking, Rating
from plaudit.schemas.implied import comparison_of, rankings_of
from plaudit.schemas.preference import PreferenceGroup

PeopleCount = Literal["alike", "by_skill"]
_FALSE_ALARMS = 0.02


def preferences(
    records: Records, *, file: Path, command: str, people: PeopleCount = "alike"
) -> Sequence[Ranking | Comparison | PreferenceGroup]:
    """The rankings and comparisons of a file, and those that its ratings and corrections imply; says what became of these.

    `by_skill` gives groups whose targets weigh people by their skill, and says who looks as though they did not judge.

    Raises PlauditError where nothing compares two answers.
    """
    judged: list[Ranking | Comparison | Rating | Correction] = of_kinds(
        records, Ranking, Comparison, Rating, Correction, file=file, command=command
    )
    found = [record for record in judged if isinstance(record, Ranking | Comparison)]
    ratings = [record for record in judged if isinstance(record, Rating)]
    corrections = [record for record in judged if isinstance(record, Correction)]
    if ratings:
        rankings = rankings_of(ratings)
        num_used = sum(len(ranking.completions) for ranking in rankings)
        print(f"{file}: {num_used} of {len(ratings)} ratings rank answers to one prompt ({len(rankings)} rankings)")
        found += rankings
    if corrections:
        compared = [made for made in map(comparison_of, corrections) if made is not None]
        print(f"{file}: {len(compared)} of {len(corrections)} corrections changed the answer, and beat it")
        found += compared
    if not found:
        raise PlauditError(
            f"nothing in {file} compares two answers to one prompt: ratings do where one person rated two of them, "
            "corrections where they changed something"
        )
    return found if people == "alike" else by_skill(found)


def by_skill(records: Sequence[Ranking | Comparison]) -> list[PreferenceGroup]:
    """The records weighed by their people's skill; prints what is known of those who stand out."""
    found = weighed_preferences(records)
    flagged = [person for person in found.people if person.p_value <= _FALSE_ALARMS]
    alarms = f"{100 * _FALSE_ALARMS:.0f} % false alarms each"
    print(f"{len(found.people)} people, weighed by skill; {len(flagged)} to look at ({alarms})")
    for person in flagged:
        print(
            f"  {person.name or '(no name)'}: right {person.accuracy:.2f} of the time in {person.num_verdicts} verdicts; "
            f"clicks at random with chance {person.clicker:.2f}, turns verdicts round with {person.liar:.2f}"
        )
    return found.groups
