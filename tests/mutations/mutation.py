"""One mistake in the source, and who must notice it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Mutation:
    """`old`, which stands in `file` (under src/plaudit) exactly once, replaced by `new`.

    Each of `tests` (files under tests/) must go red by itself.
    """

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]
