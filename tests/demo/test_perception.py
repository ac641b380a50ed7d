"""What the reward model hears: correlations worked by hand."""

import pytest

from plaudit.demo.perception import perception, perception_table, within_prompt_correlation
from plaudit.demo.utility import WEIGHTS
from plaudit.schemas.protocols import TextScore


def test_only_what_differs_within_a_prompt_counts() -> None:
    """The second prompt's answers are all worth more, and scored less: that says nothing of either's order."""
    assert within_prompt_correlation([[1, 2, 3], [0, 1, 2]], [[1, 2, 3], [7, 8, 9]]) == pytest.approx(1.0)
    assert within_prompt_correlation([[1, 2], [1, 2]], [[2, 1], [9, 8]]) == pytest.approx(-1.0)
    # 0.5 * (1, -1, 1, -1) and 0.5 * (1, -1, -1, 1)
    assert within_prompt_correlation([[1, 0], [1, 0]], [[1, 0], [0, 1]]) == pytest.approx(0.0)
    assert within_prompt_correlation([[1, 2], [3, 4]], [[5, 5], [6, 6]]) is None


def answer(points: float, plain: float) -> TextScore:
    parts = dict.fromkeys(WEIGHTS, 0.5) | {"points": points, "plain": plain}
    return TextScore(sum(WEIGHTS[name] * part for name, part in parts.items()), parts)


def test_a_part_that_is_not_heard_shows() -> None:
    utilities = [[answer(0.0, 0.0), answer(1.0, 0.0), answer(0.0, 1.0), answer(1.0, 1.0)]] * 3
    scores = [[-1.0, 1.0, -1.0, 1.0]] * 3
    found = perception(utilities, scores)
    assert found.parts["points"] == pytest.approx(1.0)
    assert found.parts["plain"] == pytest.approx(0.0)
    assert found.parts["finish"] is None
    # Uncorrelated parts: their share of the utility is weight over the root of the sum of squares.
    size = (WEIGHTS["points"] ** 2 + WEIGHTS["plain"] ** 2) ** 0.5
    assert found.utility == found.weight_in_utility["points"] == pytest.approx(WEIGHTS["points"] / size)
    assert found.weight_in_utility["plain"] == pytest.approx(WEIGHTS["plain"] / size)
    table = perception_table({"SFT": found, "PPO": found})
    assert table.columns == ("part", "in the utility", "in its score, SFT's answers", "in its score, PPO's answers")
    assert table.rows[1][0] == "points"
    assert table.rows[1][2:] == ("1.00", "1.00")
    assert table.rows[-1] == ("finish", "not measured", "not measured", "not measured")
