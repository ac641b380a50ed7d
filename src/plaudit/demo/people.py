"""What the panel's verdicts say of the people who gave them, and who must not be taken at their word."""

from __future__ import annotations

from collections.abc import Sequence

from plaudit.evaluation.tables import Table, number_text, percent_text
from plaudit.quality.labels import Person

LIKELY = 0.95


def remark(person: Person) -> str:
    """Whether the person is likely to click at random or to rank upside down, and what is done about it; empty if neither."""
    if person.clicker > LIKELY:
        return "clicks at random: counts for nothing"
    if person.liar > LIKELY:
        return "ranks upside down: counts turned round"
    return ""


def people_line(people: Sequence[Person]) -> str:
    """One line on everybody, for the terminal."""
    told = ", ".join(f"{person.name} {percent_text(person.accuracy)}" for person in people)
    doubts = [f"{person.name} {remark(person)}" for person in people if remark(person)]
    return ". ".join([f"How often each of the panel is right, by its verdicts alone: {told}", *doubts])


def people_table(people: Sequence[Person]) -> Table:
    """A row for each."""
    return Table(
        "The panel",
        ("person", "verdicts", "right in", "clicks at random", "ranks upside down", ""),
        tuple(
            (
                person.name,
                str(person.num_verdicts),
                percent_text(person.accuracy),
                number_text(person.clicker),
                number_text(person.liar),
                remark(person),
            )
            for person in people
        ),
        "Told from the verdicts alone: how often each person is right, and the chances that one clicks at random or ranks "
        "upside down. The reward model and DPO learn what all of them together make of a pair, each weighed by that.",
    )
