"""The optimiser: one account's trades by lot, proven near-optimal. Method: docs/internals/optimizer.md."""

from allotment.optimize.problem import Market, Problems, SolveOptions, join
from allotment.optimize.solution import Fault, Solutions, Status
from allotment.optimize.solve import solve_batch, solve_one

__all__ = [
    "Fault",
    "Market",
    "Problems",
    "Solutions",
    "SolveOptions",
    "Status",
    "join",
    "solve_batch",
    "solve_one",
]
