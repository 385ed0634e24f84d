"""Our Cholesky against NumPy's."""

from __future__ import annotations

import numpy as np

from allotment.optimize.linear import factorise, solve_lower, solve_upper


def test_solves_what_numpy_solves_and_leaves_out_what_is_skipped() -> None:
    rng = np.random.default_rng(0)
    root = rng.normal(size=(7, 7))
    matrix = root @ root.T + np.eye(7)
    right = rng.normal(size=7)
    skipped = np.zeros(7, np.bool_)
    skipped[[2, 5]] = True
    kept = np.flatnonzero(~skipped)
    first = np.zeros(7, np.int32)
    factor, found = np.zeros((7, 7)), np.where(skipped, 0.0, right)
    assert factorise(matrix, first, skipped, factor)
    solve_lower(factor, first, found)
    solve_upper(factor, first, found)
    np.testing.assert_allclose(found[kept], np.linalg.solve(matrix[np.ix_(kept, kept)], right[kept]))
    assert not found[skipped].any()


def test_a_matrix_that_is_not_positive_is_refused() -> None:
    assert not factorise(-np.eye(2), np.zeros(2, np.int32), np.zeros(2, np.bool_), np.zeros((2, 2)))


def test_blocks_are_factorised_apart() -> None:
    """Two accounts of three multipliers, and a row of both."""
    rng = np.random.default_rng(1)
    root = rng.normal(size=(7, 7))
    matrix = root @ root.T + np.eye(7)
    matrix[3:6, :3] = matrix[:3, 3:6] = 0.0
    first = np.array([0, 0, 0, 3, 3, 3, 0], np.int32)
    right = rng.normal(size=7)
    factor, found = np.zeros((7, 7)), right.copy()
    assert factorise(matrix, first, np.zeros(7, np.bool_), factor)
    np.testing.assert_allclose(factor, np.linalg.cholesky(matrix), atol=1e-12)
    solve_lower(factor, first, found)
    solve_upper(factor, first, found)
    np.testing.assert_allclose(found, np.linalg.solve(matrix, right))
