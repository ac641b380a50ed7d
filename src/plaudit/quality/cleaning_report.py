"""What cleaning kept, dropped and found: counts and ids, as an object for JSON and as a short text; never a record's text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from pydantic import JsonValue

from plaudit.quality.contradictions import Conflict
from plaudit.rules.personal_data import PersonalKind
from plaudit.runs.files import as_json
from plaudit.schemas.feedback import AnyRecord


class Rule(StrEnum):
    """Why a record was dropped."""

    PERSONAL_DATA = "personal_data"
    LENGTH = "length"
    LANGUAGE = "language"
    TOXICITY = "toxicity"
    EXACT_DUPLICATE = "exact_duplicate"
    NEAR_DUPLICATE = "near_duplicate"
    CONTRADICTION = "contradiction"


@dataclass(frozen=True, slots=True)
class Dropped:
    """A record that was left out. A record without id goes by its place, "row 3"; a duplicate names the one kept."""

    id: str
    source: str
    rule: Rule
    duplicate_of: str | None = None


@dataclass(frozen=True, slots=True)
class Conflicting:
    """Records by id whose verdicts cannot both be right; people with them and against them where a majority is."""

    conflict: Conflict
    ids: tuple[str, ...]
    num_with: int = 0
    num_against: int = 0


@dataclass(frozen=True, slots=True)
class Cleaned:
    """The records that are left, and an account of the others.

    `personal_data` counts what was found by kind, `with_personal_data` names the records it was in, dropped ones included.
    """

    kept: list[AnyRecord]
    dropped: tuple[Dropped, ...]
    personal_data: Mapping[PersonalKind, int]
    with_personal_data: tuple[str, ...]
    contradictions: tuple[Conflicting, ...]

    @property
    def num_dropped(self) -> dict[Rule, int]:
        """Dropped records by rule."""
        return _counted(Rule, (row.rule for row in self.dropped))

    @property
    def num_conflicts(self) -> dict[Conflict, int]:
        """Contradictions by what they are at odds with."""
        return _counted(Conflict, (row.conflict for row in self.contradictions))

    @property
    def clusters(self) -> dict[str, tuple[str, ...]]:
        """The duplicates that were dropped, by the record that was kept in their place."""
        clusters: dict[str, tuple[str, ...]] = {}
        for row in self.dropped:
            if row.duplicate_of is not None:
                clusters[row.duplicate_of] = (*clusters.get(row.duplicate_of, ()), row.id)
        return clusters

    def report(self) -> JsonValue:
        """All of the account as one JSON object."""
        sources = sorted({row.source for row in self.dropped})
        by_source = {
            source: _counted(Rule, (row.rule for row in self.dropped if row.source == source)) for source in sources
        }
        return as_json(
            {
                "num_records": len(self.kept) + len(self.dropped),
                "num_kept": len(self.kept),
                "num_dropped": {"by_rule": self.num_dropped, "by_source": by_source},
                "dropped": self.dropped,
                "personal_data": {"found": self.personal_data, "records": self.with_personal_data},
                "contradictions": self.contradictions,
            }
        )

    def summary(self) -> str:
        """The account in a few lines, for a terminal."""
        lines = [f"{len(self.kept)} of {len(self.kept) + len(self.dropped)} records kept"]
        for rule, number in self.num_dropped.items():
            sources = Counter(row.source or "no source" for row in self.dropped if row.rule is rule)
            places = ", ".join(f"{source} {count}" for source, count in sources.most_common())
            lines.append(f"dropped for {_words(rule)}: {number} ({places})")
        if self.personal_data:
            kinds = ", ".join(f"{_words(kind)} {number}" for kind, number in self.personal_data.items())
            lines.append(f"personal data in {len(self.with_personal_data)} records: {kinds}")
        for conflict, number in self.num_conflicts.items():
            lines.append(f"verdicts at odds with {_words(conflict)}: {number}")
        return "\n".join(lines)


T = TypeVar("T", bound=StrEnum)


def _counted(kinds: Iterable[T], values: Iterable[T]) -> dict[T, int]:
    """How often each kind comes, in their order; none that does not."""
    counts = Counter(values)
    return {kind: counts[kind] for kind in kinds if counts[kind]}


def _words(name: StrEnum) -> str:
    return name.value.replace("_", " ")
