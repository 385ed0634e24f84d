"""A small Cholesky of our own: the same bits everywhere, which no BLAS promises.

Row r of a matrix is zero before column `first[r]`, and so is its factor's: accounts that share no
row are factorised apart.
"""

from __future__ import annotations

import math

from allotment.compiled import inner
from allotment.units import Bools, Floats, Index


@inner
def factorise(matrix: Floats, first: Index, skipped: Bools, factor: Floats) -> bool:
    """factor ← L with L Lᵀ = matrix, reading its lower triangle; shapes (K, K).

    Skipped rows and columns are left out: their pivot is 1 and the rest 0. False when the
    matrix is not positive definite.
    """
    for row in range(matrix.shape[0]):
        for column in range(first[row], row + 1):
            if skipped[row] or skipped[column]:
                factor[row, column] = 1.0 if row == column else 0.0
                continue
            total = matrix[row, column]
            for before in range(max(first[row], first[column]), column):
                total -= factor[row, before] * factor[column, before]
            if row == column:
                if not total > 0.0:
                    return False
                factor[row, row] = math.sqrt(total)
            else:
                factor[row, column] = total / factor[column, column]
    return True


@inner
def solve_lower(factor: Floats, first: Index, vector: Floats) -> None:
    """vector ← L⁻¹ vector."""
    for row in range(factor.shape[0]):
        total = vector[row]
        for column in range(first[row], row):
            total -= factor[row, column] * vector[column]
        vector[row] = total / factor[row, row]


@inner
def solve_upper(factor: Floats, first: Index, vector: Floats) -> None:
    """vector ← L⁻ᵀ vector."""
    for row in range(factor.shape[0] - 1, -1, -1):
        value = vector[row] / factor[row, row]
        vector[row] = value
        for column in range(first[row], row):
            vector[column] -= factor[row, column] * value
