"""Sums over micro-batches, means over updates."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from plaudit.algorithms.policy import PolicyLoss, ValueLoss
from plaudit.trainers.tally import Means, added, health

floats = st.floats(-1e6, 1e6)


def test_sums_by_name_whichever_has_it() -> None:
    assert added({"a": 1.0, "b": 2.0}, {"b": 3.0, "c": 4.0}) == {"a": 1.0, "b": 5.0, "c": 4.0}


@given(st.lists(st.tuples(floats, floats), min_size=1, max_size=20))
def test_the_means_are_over_the_updates_there_were(updates: list[tuple[float, float]]) -> None:
    means = Means()
    for x, ratio in updates:
        means.add({"x": x, "policy/ratio_mean": ratio, "policy/ratio_square": ratio**2})
    found = means.values()
    assert found["x"] == pytest.approx(sum(x for x, _ in updates) / len(updates), abs=1e-6)
    assert found["updates"] == len(updates)
    assert means.latest["x"] == updates[-1][0]


def test_the_second_moment_becomes_the_variance() -> None:
    """Ratios 1, 1, 1, 2 in two updates of two: mean 1.25, variance 3 * 0.0625 / 4 + 0.5625 / 4."""
    means = Means()
    means.add({"policy/ratio_mean": 1.0, "policy/ratio_square": 1.0})
    means.add({"policy/ratio_mean": 1.5, "policy/ratio_square": 2.5})
    assert means.values() == {"policy/ratio_mean": 1.25, "policy/ratio_var": 0.1875, "updates": 2.0}


def test_the_numbers_of_a_micro_batch_bear_their_names() -> None:
    policy = PolicyLoss(*(torch.tensor(float(x), requires_grad=x == 1) for x in (1, 2, 3, 4, 5)))
    value = ValueLoss(torch.tensor(6.0, requires_grad=True), torch.tensor(7.0))
    expected = {
        "loss/policy": 1.0,
        "policy/approx_kl": 2.0,
        "policy/clip_frac": 3.0,
        "policy/ratio_mean": 4.0,
        "policy/ratio_square": 5.0,
        "policy/entropy": 8.0,
    }
    assert health(policy, None, torch.tensor(8.0)) == expected
    critic = {"loss/value": 6.0, "value/clip_frac": 7.0}
    assert health(policy, value, torch.tensor(8.0)) == expected | critic
