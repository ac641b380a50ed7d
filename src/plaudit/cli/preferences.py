"""What a file says of answers to one prompt, whatever kind of record says it."""

from __future__ import annotations

from pathlib import Path

from plaudit.cli.training import of_kinds
from plaudit.formats import Records
from plaudit.schemas.errors import PlauditError
from plaudit.schemas.feedback import Comparison, Correction, Ranking, Rating
from plaudit.schemas.implied import comparison_of, rankings_of


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
