"""Exact minima over the pieces against a fine grid of weights."""

from __future__ import annotations

import numpy as np
import pytest

from allotment.optimize.curves import build_pieces, piece_cost, piece_minimum
from allotment.optimize.load import load
from allotment.optimize.problem import SolveOptions
from allotment.optimize.tangled import tangled_problem
from allotment.optimize.workspace import make_workspace


@pytest.mark.parametrize("seed", range(12))
def test_the_walk_finds_the_lowest_point_of_each_piece(seed: int) -> None:
    rng = np.random.default_rng(seed)
    market, problem = tangled_problem(rng, 8, whole_shares=False)
    n_lots, n_rows = len(problem.lot_weight), len(problem.row_lower)
    work = make_workspace(8, n_lots, n_rows, len(problem.entry_name), market.loadings.shape[1], 8, 8)
    account = load(market, problem, work, SolveOptions(), 0)
    build_pieces(account, work.names, work.lots, work.curves, work.plan)
    names, curves = work.names, work.curves
    for i in range(8):
        for piece in range(curves.start[i], curves.start[i + 1]):
            q = float(rng.normal(0.0, 0.1))
            least, weight = piece_minimum(names, curves, i, piece, q)
            grid = np.linspace(curves.low[piece], curves.high[piece], 2001)
            costs = [piece_cost(curves, piece, w) for w in grid]
            risk = names.curvature[i] / 2 * (grid - names.benchmark[i]) ** 2
            assert least <= np.min(risk + q * grid + costs) + 1e-12
            assert curves.low[piece] - 1e-12 <= weight <= curves.high[piece] + 1e-12
            # Convex: no chord lies below the curve.
            assert np.all(np.diff(costs, 2) >= -1e-9)
