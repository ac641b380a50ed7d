"""Reward against KL."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plaudit.evaluation.frontier import FrontierPoint, best_of_n_frontier, best_of_n_kl, training_frontier


def test_a_runs_steps_become_points_above_its_first() -> None:
    metrics = [
        {"step": 1.0, "score/mean": 0.5, "kl/k1": 0.0},
        {"step": 2.0, "loss/policy": 1.0},
        {"step": 3.0, "score/mean": 1.25, "kl/k1": 0.75},
    ]
    assert training_frontier(metrics) == (FrontierPoint(0.0, 0.0, "step 1"), FrontierPoint(0.75, 0.75, "step 3"))
    assert [point.gain for point in training_frontier(metrics, reference_score=0.25)] == [0.25, 1.0]
    assert training_frontier([{"step": 1.0, "loss": 2.0}]) == ()


def test_the_kl_of_best_of_n() -> None:
    assert best_of_n_kl(1) == 0.0
    assert best_of_n_kl(2) == pytest.approx(0.193147, abs=1e-6)
    assert best_of_n_kl(4) == pytest.approx(0.636294, abs=1e-6)
    with pytest.raises(ValueError, match="at least 1"):
        best_of_n_kl(0)


def test_the_kl_is_that_of_the_best_of_n_uniform_draws() -> None:
    """KL(density n u^(n-1) || uniform) = integral of n u^(n-1) log(n u^(n-1)), summed by midpoints."""
    u = (np.arange(1_000_000) + 0.5) / 1_000_000
    for n in (2, 3, 8):
        density = n * u ** (n - 1)
        assert best_of_n_kl(n) == pytest.approx(float(np.mean(density * np.log(density))), abs=1e-5)


@given(st.lists(st.integers(-3, 3).map(float), min_size=1, max_size=6), st.integers(1, 6))
def test_the_gain_is_that_of_all_subsets(scores: list[float], n: int) -> None:
    points = best_of_n_frontier([scores], [n])
    if n > len(scores):
        assert points == ()
        return
    best = [max(subset) for subset in itertools.combinations(scores, n)]
    (point,) = points
    assert point.gain == pytest.approx(sum(best) / len(best) - sum(scores) / len(scores), abs=1e-12)
    assert point.kl == best_of_n_kl(n)


def test_prompts_count_alike_and_the_fewest_answers_bound_n() -> None:
    points = best_of_n_frontier([[0.0, 1.0], [0.0, 0.0, 6.0]], [1, 2, 3])
    # best of 2: 1 and (0 + 6 + 6) / 3 = 4, above means 0.5 and 2
    assert [(point.label, point.gain) for point in points] == [("n=1", 0.0), ("n=2", pytest.approx(1.25))]
    assert math.isclose(points[1].kl, math.log(2) - 0.5)
