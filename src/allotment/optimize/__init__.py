"""The optimiser: one account's trades by lot, proven near-optimal. Method: docs/internals/optimizer.md."""

from allotment.optimize.preferences import PreferencePrices, price_preferences
from allotment.optimize.problem import Market, Problems, SolveOptions, join
from allotment.optimize.reasons import Reasons, reasons_of
from allotment.optimize.solution import Fault, Solutions, Status
from allotment.optimize.solve import solve_batch, solve_one

__all__ = [
    "Fault",
    "Market",
    "PreferencePrices",
    "Problems",
    "Reasons",
    "Solutions",
    "SolveOptions",
    "Status",
    "join",
    "price_preferences",
    "reasons_of",
    "solve_batch",
    "solve_one",
]
