"""What the demo says of its panel, which the panel's verdicts alone told it."""

from __future__ import annotations

import numpy as np
import pytest

from plaudit.demo.people import people_line, people_table, remark
from plaudit.quality.labels import Person, weighed_preferences
from plaudit.schemas.conversation import user
from plaudit.schemas.protocols import Completion
from plaudit.testing import default_panel, panel_rankings


@pytest.fixture(scope="module")
def people() -> list[Person]:
    """The demo's panel, after ranking four answers each to sixty questions, half of it the one four, half the others."""
    draw = np.random.default_rng(0)
    prompts = [(user(f"question {i}"),) for i in range(60)]
    answers = [[Completion(text=f"{i} {k}", finished=True, num_tokens=2) for k in range(8)] for i in range(60)]
    worths = draw.normal(0.5, 0.1, (60, 8)).tolist()
    rankings = panel_rankings(default_panel(), prompts, answers, worths, per_prompt=8, num_sheets=2, seed=0)
    return weighed_preferences(rankings).people


def test_who_clicks_and_who_ranks_upside_down_is_found_and_nobody_else(people: list[Person]) -> None:
    told = {person.name: remark(person) for person in people if remark(person)}
    assert told == {"gus": "clicks at random: counts for nothing", "hal": "ranks upside down: counts turned round"}


def test_the_careful_are_right_more_often_than_the_careless(people: list[Person]) -> None:
    honest = [person.accuracy for person in people if not remark(person)]
    assert len(honest) == 6
    assert honest[0] > 0.9 > honest[-1] > 0.6


def test_the_line_names_everybody_and_says_what_is_done(people: list[Person]) -> None:
    line = people_line(people)
    assert all(person.name in line for person in people)
    assert line.endswith("gus clicks at random: counts for nothing. hal ranks upside down: counts turned round")


def test_the_table_has_a_row_for_each(people: list[Person]) -> None:
    table = people_table(people)
    assert [row[0] for row in table.rows] == [person.name for person in people]
    assert [row[-1] for row in table.rows] == [remark(person) for person in people]
