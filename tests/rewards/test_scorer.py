"""Scorers together: a weighted sum, and a plain one."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from plaudit.models.load import load_codec
from plaudit.rewards import FunctionScorer, Scorer, Scores, Summed, WeightedSum
from plaudit.schemas.errors import PlauditError
from tests.rewards.toy import prompts_of, rollouts_of

CODEC = load_codec("tiny")
PROMPTS = prompts_of(CODEC, "a", "b")
ROLLOUTS = rollouts_of(CODEC, PROMPTS, [["x"], ["yy", "zzz~"]])


def fixed(*values: float, dense: Tensor | None = None, **components: list[float]) -> Scorer:
    scores = Scores(torch.tensor(values), {name: torch.tensor(x) for name, x in components.items()}, dense)
    return lambda prompts, rollouts: scores


def test_totals_add_up_by_weight_and_every_part_is_named() -> None:
    """2 * (1, 2, 3) - 0.5 * (4, 0, 2); a part's own components stand under its name."""
    found = WeightedSum({"good": (fixed(1, 2, 3), 2.0), "bad": (fixed(4, 0, 2, words=[1.0, 0.0, 9.0]), -0.5)})(
        PROMPTS, ROLLOUTS
    )
    assert found.total.tolist() == [0.0, 4.0, 5.0]
    assert {name: values.tolist() for name, values in found.components.items()} == {
        "good": [1.0, 2.0, 3.0],
        "bad": [4.0, 0.0, 2.0],
        "bad/words": [1.0, 0.0, 9.0],
    }
    assert found.dense is None


def test_dense_rewards_are_weighted_too_and_stay_where_they_are() -> None:
    shape = ROLLOUTS.rows.token_ids.shape
    first, second = torch.arange(float(shape[0] * shape[1])).view(shape), torch.ones(shape)
    parts = {"a": (fixed(0, 0, 0, dense=first), 2.0), "b": (fixed(1, 1, 1), 5.0)}
    alone = WeightedSum(parts)(PROMPTS, ROLLOUTS)
    assert alone.dense is not None
    assert torch.equal(alone.dense, 2 * first)
    both = WeightedSum({**parts, "c": (fixed(0, 0, 0, dense=second), -3.0)})(PROMPTS, ROLLOUTS)
    assert both.dense is not None
    assert torch.equal(both.dense, 2 * first - 3)


@given(
    st.lists(
        st.tuples(st.floats(-9, 9, width=32), st.lists(st.floats(-9, 9, width=32), min_size=3, max_size=3)),
        min_size=1,
        max_size=5,
    )
)
def test_any_sum_against_a_loop(parts: list[tuple[float, list[float]]]) -> None:
    scorers = {f"part {i}": (fixed(*values), weight) for i, (weight, values) in enumerate(parts)}
    found = WeightedSum(scorers)(PROMPTS, ROLLOUTS).total
    expected = [sum(weight * values[i] for weight, values in parts) for i in range(3)]
    assert found.tolist() == pytest.approx(expected, abs=1e-3)


def test_sums_nest() -> None:
    inner = WeightedSum({"length": (FunctionScorer(lambda p, c: [float(len(x)) for x in c]), 1.0)})
    found = WeightedSum({"inner": (inner, 0.1)})(PROMPTS, ROLLOUTS)
    assert found.total.tolist() == pytest.approx([0.1, 0.2, 0.3])
    assert set(found.components) == {"inner", "inner/length"}


def test_nothing_to_add_is_refused() -> None:
    with pytest.raises(PlauditError, match="a weighted sum needs at least one scorer"):
        WeightedSum({})


def test_summed_scorers_pay_one_after_the_other() -> None:
    shape = ROLLOUTS.rows.token_ids.shape
    dense = torch.arange(float(shape[0] * shape[1])).view(shape)
    alone = Summed(fixed(1, 2, 3, words=[1.0, 2.0, 3.0]), fixed(0, 1, 0))(PROMPTS, ROLLOUTS)
    assert alone.total.tolist() == [1.0, 3.0, 3.0]
    assert alone.dense is None
    parts = (fixed(1, 2, 3), fixed(0, 0, 0, dense=dense, spans=[4.0, 5.0, 6.0]), fixed(0, 0, 1, dense=2 * dense))
    found = Summed(*parts)(PROMPTS, ROLLOUTS)
    assert found.total.tolist() == [1.0, 2.0, 4.0]
    assert {name: x.tolist() for name, x in found.components.items()} == {"spans": [4.0, 5.0, 6.0]}
    assert found.dense is not None
    assert torch.equal(found.dense, 3 * dense)


def test_summed_scorers_may_not_share_a_components_name() -> None:
    part = fixed(0, 0, 0, words=[1.0, 1.0, 1.0])
    with pytest.raises(PlauditError, match="two scorers have a component called words"):
        Summed(part, part)(PROMPTS, ROLLOUTS)
