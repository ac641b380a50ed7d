"""Plans: what the sizes come to in prompts, people and hours."""

from __future__ import annotations

import math

import pytest

from plaudit.evaluation.studies.plan import StudyPlan, plan_table, planned
from plaudit.schemas.errors import PlauditError
from plaudit.statistics.power import exact_judgements_for_win_rate, judgements_for_mean_difference


def test_a_plan_worked_by_hand() -> None:
    """Two people a pair with correlation 0.4: effect 1.4. 194 judgements at 0.1 without ties, so 272 by the normal law."""
    plan = StudyPlan(tie_frac=0.0, people_per_pair=(1, 2), rating_difference=1.0, seconds_per_pair=36.0)
    one, two = planned(plan)
    assert (one.judgements, two.design_effect, two.judgements) == (194, 1.4, math.ceil(1.4 * 193.8))
    exact = exact_judgements_for_win_rate(0.1)
    assert (one.exact_judgements, one.prompts) == (exact, exact)
    assert two.prompts == math.ceil(1.4 * exact / 2)
    assert one.hours == pytest.approx(exact / 100)
    assert one.half_width == pytest.approx(1.959964 * math.sqrt(0.24 / exact), abs=1e-6)
    # sd of a difference 1.5 sqrt(2 * 0.7)
    assert one.rating_judgements == judgements_for_mean_difference(1.0, 1.5 * math.sqrt(1.4))


def test_several_pairs_a_prompt_want_more_judgements_and_fewer_prompts() -> None:
    (single,), (several,) = (planned(StudyPlan(pairs_per_prompt=q, people_per_pair=(2,))) for q in (1, 4))
    assert several.design_effect == pytest.approx(1 + 0.4 + 3 * 2 * 0.1)
    assert several.judgements > single.judgements
    assert several.prompts < single.prompts


def test_the_larger_of_both_aims_decides() -> None:
    (found,) = planned(StudyPlan(people_per_pair=(1,), rating_difference=0.2))
    assert found.prompts == found.rating_judgements > found.judgements
    (huge,) = planned(StudyPlan(people_per_pair=(1,), margin=0.01))
    assert huge.exact_judgements is None


def test_the_table() -> None:
    plan = StudyPlan(people_per_pair=(1, 3), margin=0.01)
    table = plan_table(plan, planned(plan))
    assert [row[0] for row in table.rows] == ["1", "3"]
    cells = dict(zip(table.columns, table.rows[1], strict=True))
    assert cells["exactly"] == "as the normal law"
    assert int(cells["judgements"]) == 3 * int(cells["pairs"])
    assert "a win rate of 0.51 with probability 0.8 at level 0.05, 20 % ties" in table.caption


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"margin": 0.45}, "no study can be planned so: with 0.2 of ties the win rate lies between 0.1 and 0.9"),
        ({"margin": 0.0}, "is above 0"),
        ({"power": 80.0}, "fractions such as"),
        ({"people_per_pair": ()}, "at least one number from 1 on"),
        ({"people_per_pair": (0,)}, "at least one number from 1 on"),
        ({"pair_correlation": 1.5}, "pair_correlation <= 1"),
        ({"rating_deviation": 0.0}, "deviation above 0"),
        ({"seconds_per_pair": 0.0}, "seconds_per_pair must be above 0"),
    ],
)
def test_what_cannot_be_planned_is_refused(wrong: dict[str, float], message: str) -> None:
    with pytest.raises(PlauditError, match=message):
        StudyPlan(**wrong)  # type: ignore[arg-type]
