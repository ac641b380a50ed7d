"""Several scorers of one kind: by hand, and what holds for any scores."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from plaudit.rewards.ensemble import EnsembleScorer
from plaudit.schemas.errors import PlauditError
from tests.rewards.test_scorer import PROMPTS, ROLLOUTS, fixed


def test_by_hand() -> None:
    """Three members say (0, 1, 5), (3, 1, 5) and (6, 1, 2): means 3, 1, 4, deviations sqrt(6), 0, sqrt(2)."""
    members = [fixed(0.0, 1, 5), fixed(3.0, 1, 5), fixed(6.0, 1, 2)]
    found = EnsembleScorer(members, 0.5)(PROMPTS, ROLLOUTS)
    spread = [math.sqrt(6), 0.0, math.sqrt(2)]
    assert found.components["ensemble_mean"].tolist() == [3.0, 1.0, 4.0]
    assert found.components["ensemble_spread"].tolist() == pytest.approx(spread)
    assert found.total.tolist() == pytest.approx([3 - spread[0] / 2, 1.0, 4 - spread[2] / 2])
    assert found.dense is None


def test_one_member_is_no_ensemble() -> None:
    with pytest.raises(PlauditError, match="at least two members, got 1"):
        EnsembleScorer([fixed(1, 2, 3)], 0.5)


SCORES = st.lists(st.lists(st.floats(-9, 9, width=32), min_size=3, max_size=3), min_size=2, max_size=5)


@given(SCORES, st.floats(0, 3))
def test_no_answer_is_worth_more_than_its_mean_and_order_does_not_count(
    said: Sequence[Sequence[float]], coef: float
) -> None:
    members = [fixed(*values) for values in said]
    found = EnsembleScorer(members, coef)(PROMPTS, ROLLOUTS)
    assert torch.all(found.total <= found.components["ensemble_mean"] + 1e-6)
    again = EnsembleScorer(members[::-1], coef)(PROMPTS, ROLLOUTS)
    assert torch.allclose(found.total, again.total, atol=1e-4)


@given(st.lists(st.floats(-9, 9, width=32), min_size=3, max_size=3), st.floats(0, 3))
def test_members_that_agree_are_one(values: list[float], coef: float) -> None:
    found = EnsembleScorer([fixed(*values)] * 3, coef)(PROMPTS, ROLLOUTS)
    assert found.total.tolist() == pytest.approx(values, abs=1e-5)
