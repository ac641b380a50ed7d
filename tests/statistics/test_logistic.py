"""The linear probe: the fit itself against algebra and scikit-learn, its indifference to sides and scales, its folds."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from plaudit.statistics.logistic import fitted_probe, logistic_weights

Floats = NDArray[np.float64]


def world(num: int, width: int, seed: int, noise: float = 1.0) -> tuple[Floats, NDArray[np.bool_], Floats]:
    """Differences, labels drawn from a logistic model of them, and its weights."""
    rng = np.random.default_rng(seed)
    weights = rng.standard_normal(width) / noise
    differences = rng.standard_normal((num, width))
    return differences, rng.random(num) < 1 / (1 + np.exp(-differences @ weights)), weights


@pytest.mark.parametrize("weight", [0.25, 1.0, 3.0])
def test_one_pair_can_be_solved_by_hand(weight: float) -> None:
    """d/dw [log(1 + exp(-w)) + penalty w^2 / 2] = 0 at sigmoid(-w) = penalty w."""
    penalty = 1 / (1 + math.exp(weight)) / weight
    assert logistic_weights([[1.0]], [True], penalty) == pytest.approx([weight], abs=1e-5)
    assert logistic_weights([[1.0]], [False], penalty) == pytest.approx([-weight], abs=1e-5)


@pytest.mark.parametrize("penalty", [0.003, 0.1, 2.0])
def test_the_fit_is_scikit_learns(penalty: float) -> None:
    differences, labels, _ = world(80, 7, seed=1)
    reference = LogisticRegression(C=1 / (penalty * len(labels)), fit_intercept=False, tol=1e-10, max_iter=10_000)
    expected = reference.fit(differences, labels).coef_[0]
    assert logistic_weights(differences, labels, penalty) == pytest.approx(expected, abs=1e-5)


@given(st.integers(0, 1000), st.integers(1, 6))
def test_exchanging_sides_changes_nothing(seed: int, width: int) -> None:
    differences, labels, _ = world(20, width, seed)
    swapped = np.random.default_rng(seed).random(20) < 0.5
    turned = np.where(swapped[:, None], -differences, differences)
    assert logistic_weights(turned, labels ^ swapped, 0.1) == pytest.approx(
        logistic_weights(differences, labels, 0.1), abs=1e-9
    )


def test_the_probe_finds_the_direction() -> None:
    differences, labels, weights = world(4000, 5, seed=2)
    probe = fitted_probe(differences, labels, np.arange(4000))
    cosine = probe.weights @ weights / np.linalg.norm(probe.weights) / np.linalg.norm(weights)
    assert cosine > 0.995
    fresh, truth, _ = world(4000, 5, seed=2)
    assert ((fresh @ probe.weights > 0) == truth).mean() > 0.75


def test_the_probe_finds_nothing_in_labels_without_meaning() -> None:
    """Over labels drawn by a coin the folds prefer a heavy penalty, and fresh pairs come out even."""
    rng = np.random.default_rng(0)
    differences, fresh = rng.standard_normal((300, 40)), rng.standard_normal((4000, 40))
    probe = fitted_probe(differences, rng.random(300) < 0.5, np.arange(300))
    assert probe.penalty >= 1.0
    # Four standard deviations of a fair coin thrown 4000 times.
    assert ((fresh @ probe.weights > 0) == (rng.random(4000) < 0.5)).mean() == pytest.approx(0.5, abs=0.032)


def test_many_useless_features_want_a_heavier_penalty() -> None:
    differences, labels, _ = world(200, 2, seed=4, noise=0.2)
    useless = np.random.default_rng(5).standard_normal((200, 150))
    few = fitted_probe(differences, labels, np.arange(200))
    many = fitted_probe(np.hstack([differences, useless]), labels, np.arange(200))
    assert few.penalty < many.penalty


def test_scores_do_not_depend_on_the_units_of_a_feature() -> None:
    differences, labels, _ = world(60, 4, seed=6)
    units = np.array([1e-3, 1.0, 50.0, 1e4])
    plain, scaled = (fitted_probe(x, labels, np.arange(60)) for x in (differences, differences * units))
    assert scaled.penalty == plain.penalty
    assert differences * units @ scaled.weights == pytest.approx(differences @ plain.weights, abs=1e-6)


def test_a_feature_that_never_differs_weighs_nothing() -> None:
    differences, labels, _ = world(50, 3, seed=7)
    differences[:, 1] = 0.0
    assert fitted_probe(differences, labels, np.arange(50)).weights[1] == 0.0


def test_pairs_of_one_prompt_stay_in_one_fold() -> None:
    """Labels follow from the prompt by a coin. Who has seen other pairs of it knows them; nobody else can."""
    rng = np.random.default_rng(8)
    prompts = np.repeat(np.arange(60), 4)
    differences, labels = rng.standard_normal((60, 40))[prompts], (rng.random(60) < 0.5)[prompts]
    assert fitted_probe(differences, labels, np.arange(240)).penalty == 1e-3
    assert fitted_probe(differences, labels, prompts).penalty >= 1.0


def test_the_same_seed_gives_the_same_probe() -> None:
    differences, labels, _ = world(50, 3, seed=9)
    first, again = (fitted_probe(differences, labels, np.arange(50), seed=3) for _ in range(2))
    assert first.penalty == again.penalty
    assert (first.weights == again.weights).all()


@pytest.mark.parametrize(
    ("differences", "labels"),
    [([1.0, 2.0], [True, False]), ([[1.0], [2.0]], [True]), ([[math.nan]], [True]), (np.empty((0, 3)), [])],
)
def test_shapes_that_do_not_fit_are_refused(differences: object, labels: object) -> None:
    with pytest.raises(ValueError, match="expected finite"):
        logistic_weights(differences, labels, 1.0)  # type: ignore[arg-type]


def test_what_cannot_be_fitted_is_refused() -> None:
    with pytest.raises(ValueError, match="penalty must be above 0"):
        logistic_weights([[1.0]], [True], 0.0)
    with pytest.raises(ValueError, match="got 2 for 4"):
        fitted_probe(np.ones((4, 1)), [True] * 4, [0, 0, 1, 1])
