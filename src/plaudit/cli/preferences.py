"""What a file says of answers to one prompt, whatever kind of record says it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from plaudit.cli.training import TrainingCommand, of_kinds
from plaudit.formats import Records
from plaudit.quality.labels import weighed_preferences
from plaudit.schemas.errors import PlauditError
from plaudit.schemas.feedback import Comparison, Correction, Ranking, Rating
from plaudit.schemas.implied import comparison_of, rankings_of
from plaudit.schemas.preference import PreferenceGroup

_FALSE_ALARMS = 0.02


@dataclass(frozen=True, kw_only=True, slots=True)
class PreferenceCommand(TrainingCommand):
    """A command that learns which of two answers people prefer."""

    people: Literal["alike", "by_skill"] = "alike"
    """`by_skill` weighs people by what their verdicts say of them: a liar's are turned round, a clicker's count for nothing."""

    def preferences(self, command: str) -> Sequence[Ranking | Comparison | PreferenceGroup]:
        """What the file says, people counted alike, or in groups whose targets weigh them by their skill.

        Raises PlauditError where nothing compares two answers.
        """
        found = preferences(self.opened(), file=self.data, command=command)
        return found if self.people == "alike" else by_skill(found)


def preferences(records: Records, *, file: Path, command: str) -> list[Ranking | Comparison]:
    """The rankings and comparisons of a file, and those that its ratings and corrections imply; says what became of these.

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
    return found


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
