"""Displacements against the inverse written out, between peaks worked by hand, and without ever holding a full matrix."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.linalg import block_diag
from scipy.sparse import csr_matrix

from plaudit.statistics.laplace import dense_draws, inverse_root, sparse_draws

Floats = NDArray[np.float64]


def told(seed: int, num_people: int, share_lost: float) -> tuple[Floats, csr_matrix]:
    """Blocks [J, 2, 2] with a few entries and many, and a loss that leaves at least 1 - share_lost of every direction."""
    rng = np.random.default_rng(seed)
    halves = rng.normal(size=(num_people, 2, 2)) * rng.exponential(3.0, (num_people, 1, 1))
    complete = halves @ halves.transpose(0, 2, 1) + np.eye(2)
    shape = (3 * num_people, 2 * num_people)
    lost = rng.normal(size=shape) * (rng.random(shape) < 4 / num_people)
    back = np.linalg.inv(np.linalg.cholesky(block_diag(*complete))).T
    return complete, csr_matrix(lost * (np.sqrt(share_lost) / np.linalg.norm(lost @ back, 2)))


@pytest.mark.parametrize("share_lost", [0.5, 0.9, 0.97])
def test_the_root_against_eigenvectors(share_lost: float) -> None:
    complete, lost = told(0, 100, share_lost)
    back = np.linalg.inv(np.linalg.cholesky(block_diag(*complete))).T
    scaled = lost @ back
    left, directions = np.linalg.eigh(np.eye(200) - scaled.T @ scaled)
    assert left[0] == pytest.approx(1 - share_lost)
    found = inverse_root(csr_matrix(scaled), np.eye(200))
    assert np.abs(found - directions / np.sqrt(left) @ directions.T).max() < 2e-3


def test_sparse_draws_have_the_inverse_for_covariance() -> None:
    complete, lost = told(1, 30, 0.9)
    covariance = np.linalg.inv(block_diag(*complete) - (lost.T @ lost).toarray())
    draws, std = sparse_draws(complete, lost, 20_000, np.random.default_rng(0))
    scale = np.sqrt(np.diag(covariance))
    # Three deviations of the mean of 20,000 products, at most root 2 each, over 1,800 pairs of numbers: 4.5 * 0.01.
    assert np.abs((draws.T @ draws / len(draws) - covariance) / np.outer(scale, scale)).max() < 0.045
    assert std == pytest.approx(scale, rel=0.02)
    few, roughly = sparse_draws(complete, lost, 2, np.random.default_rng(0))
    assert few.shape == (2, 60)
    assert np.array_equal(few, draws[:2])
    # 64 draws: their deviations alone would be off by a tenth and more.
    assert np.sqrt(np.mean((roughly / scale - 1) ** 2)) < 0.04


def test_dense_draws_have_the_inverse_for_covariance() -> None:
    information = np.array([[2.0, -1.0], [-1.0, 3.0]])
    draws, std = dense_draws(information, np.ones(2), 20_000, np.random.default_rng(0))
    assert draws.T @ draws / len(draws) == pytest.approx(np.array([[0.6, 0.2], [0.2, 0.4]]), abs=0.02)
    assert std == pytest.approx(np.sqrt([0.6, 0.4]))


def test_between_peaks_worked_by_hand() -> None:
    """One number of deviation 2 is flat: twice that and once more on its own. The other is known with precision 4."""
    draws, std = dense_draws(np.diag([-5.0, 4.0]), np.array([2.0, 1.0]), 20_000, np.random.default_rng(0))
    assert std == pytest.approx([2 * np.sqrt(2**2 + 1), 0.5])
    assert draws.std(0) == pytest.approx(std, rel=0.02)
    # The difference of two is flat, their sum has precision 8: by the difference, by the sum, each on its own.
    _, std = dense_draws(np.array([[3.0, 5.0], [5.0, 3.0]]), np.ones(2), 2, np.random.default_rng(0))
    assert std == pytest.approx(np.full(2, np.sqrt(2**2 + 1 / 16 + 1)))
    # So it is of two camps of five, however many share the flat direction.
    sides = np.repeat([1.0, -1.0], 5)
    _, std = dense_draws(4 * np.eye(10) - np.outer(sides, sides), np.ones(10), 2, np.random.default_rng(0))
    assert std == pytest.approx(np.full(10, np.sqrt(2**2 + 0.9 / 4 + 1)))


@given(st.integers(0, 50), st.floats(-3, 6), st.integers(1, 12))
def test_any_curvature_gives_finite_displacements(seed: int, magnitude: float, num_people: int) -> None:
    """Also where all directions, or none, are flat, and where hiding loses more than there was."""
    rng = np.random.default_rng(seed)
    half = 10**magnitude * rng.normal(size=(2 * num_people, 2 * num_people))
    dense = dense_draws((half + half.T) / 2, rng.exponential(1.0, 2 * num_people) + 1e-3, 3, rng)
    complete, _ = told(seed, num_people, 0.5)
    sparse = sparse_draws(complete, csr_matrix(half[:num_people]), 3, rng)
    nothing = sparse_draws(complete, csr_matrix((1, 2 * num_people)), 3, rng)
    for draws, std in (dense, sparse, nothing):
        assert np.isfinite(draws).all()
        assert np.isfinite(std).all()
        assert (std > 0).all()
    known = np.sqrt(np.diagonal(np.linalg.inv(complete), axis1=1, axis2=2).ravel())
    assert nothing[1] == pytest.approx(known)
