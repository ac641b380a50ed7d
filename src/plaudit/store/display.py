"""In which order answers are shown, and which tasks are slipped in: fixed by ids and counts, foreseen by nobody who judges."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from enum import StrEnum

from plaudit.schemas.tasks import ProjectSettings


class Draw(StrEnum):
    """What a person's next task is taken from."""

    QUEUE = "queue"
    GOLD = "gold"
    REPEAT = "repeat"


def drawn_from(settings: ProjectSettings, project_id: str, person_id: str, num_given: int) -> Draw:
    """Where the task after `num_given` judgements comes from, in the shares that the settings name."""
    if num_given < settings.num_onboarding:
        return Draw.GOLD
    chance = _uniform(project_id, person_id, str(num_given))
    if chance < settings.gold_frac:
        return Draw.GOLD
    return Draw.REPEAT if chance < settings.gold_frac + settings.repeat_frac else Draw.QUEUE


def display_order(
    item_id: str, person_id: str, num_answers: int, shown_first: Sequence[int], num_given: int
) -> list[int]:
    """Which answer stands at each place. Every answer of an item comes first equally often, to one, and of two answers
    either comes first in every other task of a person, wherever the item leaves the choice.

    `shown_first`: the answers that came first so far. The others follow in one cyclic order an item, so that over K people
    each answer stands once at every place.
    """
    if num_answers == 0:
        return []
    cycle = list(range(num_answers))
    if num_answers > 2:
        cycle.sort(key=lambda answer: _uniform(item_id, str(answer)))
    used = Counter(shown_first)
    own = int(_uniform(person_id) * num_answers) + num_given
    start = min(range(num_answers), key=lambda place: (used[cycle[place]], (place - own) % num_answers))
    return cycle[start:] + cycle[:start]


def drawn_lot(names: Sequence[str], person_id: str) -> str:
    """One of the names, drawn anew for each person."""
    return min(names, key=lambda name: _uniform(name, person_id))


def _uniform(*parts: str) -> float:
    """A number in [0, 1) that depends on the parts alone."""
    digest = hashlib.sha256("\0".join(parts).encode()).digest()
    return int.from_bytes(digest[:7]) / 2**56
