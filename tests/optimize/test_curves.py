"""Exact minima over the pieces against a fine grid of weights."""

from __future__ import annotations

import numpy as np
import pytest

from allotment.compiled import kernel
from allotment.optimize.curves import piece_cost, piece_minimum
from allotment.optimize.load import load
from allotment.optimize.measures import rebuild
from allotment.optimize.problem import Market, Problems, SolveOptions
from allotment.optimize.risk_limit import priced
from allotment.optimize.solve import workspace_for
from allotment.optimize.tangled import Feature, random_problem
from allotment.optimize.workspace import Workspace


@kernel
def prepare(market: Market, problem: Problems, work: Workspace, options: SolveOptions) -> int:
    shape = load(market, problem, work, options, 0)
    rebuild(shape, work)
    priced(shape, work)
    return int(shape.n)


@pytest.mark.parametrize("seed", range(12))
def test_the_walk_finds_the_lowest_point_of_each_piece(seed: int) -> None:
    rng = np.random.default_rng(seed)
    market, problem = random_problem(rng, 8, features=set(Feature) - {Feature.TE_MAX})
    work = workspace_for(market, problem, np.zeros(1, np.int64))
    n = prepare(market, problem, work, SolveOptions())
    names, curves = work.names, work.curves
    for i in range(n):
        for piece in range(curves.start[i], curves.start[i + 1]):
            q = float(rng.normal(0.0, 0.1))
            least, weight = piece_minimum(names, curves, i, piece, q)
            grid = np.linspace(curves.low[piece], curves.high[piece], 2001)
            costs = [piece_cost(curves, piece, w) for w in grid]
            risk = names.curvature[i] / 2 * (grid - names.center[i]) ** 2
            assert least <= np.min(risk + q * grid + costs) + 1e-12
            assert curves.low[piece] - 1e-12 <= weight <= curves.high[piece] + 1e-12
            # Convex: no chord lies below the curve.
            assert np.all(np.diff(costs, 2) >= -1e-9)
