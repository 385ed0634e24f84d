"""A small Cholesky of our own: the same bits everywhere, which no BLAS promises."""

from __future__ import annotations

import math

from allotment.compiled import inner
from allotment.units import Bools, Floats


@inner
def factorise(matrix: Floats, skipped: Bools, factor: Floats) -> bool:
    """factor ← L with L Lᵀ = matrix, reading its lower triangle; shapes (K, K).

    Skipped rows and columns are left out: their pivot is 1 and the rest 0. False when the
    matrix is not positive definite.
    """
    size = matrix.shape[0]
    for row in range(size):
        for column in range(row + 1):
            if skipped[row] or skipped[column]:
                factor[row, column] = 1.0 if row == column else 0.0
                continue
            total = matrix[row, column]
            for before in range(column):
                total -= factor[row, before] * factor[column, before]
            if row == column:
                if not total > 0.0:
                    return False
                factor[row, row] = math.sqrt(total)
            else:
                factor[row, column] = total / factor[column, column]
    return True


@inner
def solve_lower(factor: Floats, vector: Floats) -> None:
    """vector ← L⁻¹ vector."""
    for row in range(factor.shape[0]):
        total = vector[row]
        for column in range(row):
            total -= factor[row, column] * vector[column]
        vector[row] = total / factor[row, row]


@inner
def solve_upper(factor: Floats, vector: Floats) -> None:
    """vector ← L⁻ᵀ vector."""
    for row in range(factor.shape[0] - 1, -1, -1):
        total = vector[row]
        for lower in range(row + 1, factor.shape[0]):
            total -= factor[lower, row] * vector[lower]
        vector[row] = total / factor[row, row]
