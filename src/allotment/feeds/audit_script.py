"""Check one account's answer with a general solver: python audit.py (needs numpy and cvxpy).

audit.npz holds the account's convex core: who sells, who buys and what is closed are taken as the
answer chose them. This script prices the answer's trades by its own formula, solves the core, and
tells how far apart they are. It ends with 1 when the price is not what the answer says, or when
the answer is dearer than the core by more than the first argument (basis points; 1).
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

BPS = 1e4
NO_MORE = 1e-7  # of account value, for the rounding of floats and of the solver


def outside(value: Any, lower: Any, upper: Any) -> Any:
    """How far a value lies outside its ends."""
    return np.maximum(0.0, np.maximum(lower - value, value - upper))


def price(c: dict[str, Any]) -> float:
    """What the answer's trades cost: risk, tax, spread, impact, washes, charges, broken limits."""
    sold, bought, n = c["our_sold"], c["our_bought"], len(c["held"])
    out = np.bincount(c["lot_name"], sold, minlength=n)
    lost = np.bincount(c["lot_name"], sold * c["lot_is_loss"], minlength=n)
    weight = c["held"] - out + bought
    active = weight - c["benchmark"]
    te2 = np.sum((active @ c["loadings"]) ** 2) + np.sum(c["specific_variance"] * active**2)
    cost = c["constant"] + c["risk_price"] / 2 * te2 + c["te_price"] / 2 * max(0.0, te2 - c["te_max"] ** 2)
    cost += c["lot_tax"] @ sold + c["half_spread"] @ (out + bought) + c["impact"] @ (weight - c["held"]) ** 2
    cost += c["bought_cost"] @ bought + c["loss_cost"] @ lost - c["utility"] @ weight
    cash = c["cash"] + out.sum() - bought.sum()
    cost += c["cash_price"] * outside(cash, c["cash_min"], c["cash_max"])
    cost += c["limit_price"] * np.sum(outside(weight, c["weight_min"], c["weight_max"]))
    rows = c["row_weight"] @ weight + c["row_sold"] @ sold + c["row_bought"] @ bought + c["row_constant"]
    priced = np.isfinite(c["row_price"])
    excess = outside(rows, c["row_lower"], c["row_upper"])[priced]
    return float(cost + c["row_price"][priced] @ excess)


def freed(cp: Any, low: Any, high: Any) -> tuple[Any, list[Any]]:
    """Amounts between two ends as variables, and those bounds; where the ends meet there is no variable."""
    free = np.flatnonzero(high > low)
    if len(free) == 0:
        return cp.Constant(low), []
    part = cp.Variable(len(free))
    place = np.zeros((len(low), len(free)))
    place[free, np.arange(len(free))] = 1.0
    return low + place @ part, [part >= 0, part <= (high - low)[free]]


def solve(c: dict[str, Any]) -> float:
    """The least cost within the choices, by cvxpy with Clarabel."""
    import cvxpy

    cp: Any = cvxpy
    n, n_lots = len(c["held"]), len(c["lot_name"])
    by_name = np.zeros((n, n_lots))
    by_name[c["lot_name"], np.arange(n_lots)] = 1.0
    sold, sold_free = freed(cp, c["sold_min"], c["sold_max"])
    bought, bought_free = freed(cp, c["bought_min"], c["bought_max"])
    out, lost = by_name @ sold, (by_name * c["lot_is_loss"]) @ sold
    weight = c["held"] - out + bought
    active = weight - c["benchmark"]
    te = cp.hstack([c["loadings"].T @ active, cp.multiply(np.sqrt(c["specific_variance"]), active)])
    cost = c["risk_price"] / 2 * cp.sum_squares(te) + c["lot_tax"] @ sold + c["half_spread"] @ (out + bought)
    cost += cp.sum_squares(cp.multiply(np.sqrt(c["impact"]), out - bought))
    cost += c["bought_cost"] @ bought + c["loss_cost"] @ lost - c["utility"] @ weight
    if np.isfinite(c["te_max"]):
        counted = c["te_max"] + cp.pos(cp.norm(te) - c["te_max"])
        cost += c["te_price"] / 2 * (cp.square(counted) - c["te_max"] ** 2)
    cash = c["cash"] + cp.sum(sold) - cp.sum(bought)
    cost += c["cash_price"] * (cp.pos(c["cash_min"] - cash) + cp.pos(cash - c["cash_max"]))
    cost += c["limit_price"] * cp.sum(cp.pos(c["weight_min"] - weight) + cp.pos(weight - c["weight_max"]))
    bounds = [*sold_free, *bought_free]
    for amount, low, high in (
        (out, c["name_sold_min"], None),
        (lost, c["lost_min"], c["lost_max"]),
        (weight, c["weight_least"], c["weight_most"]),
    ):
        moves = np.flatnonzero(by_name @ (c["sold_max"] - c["sold_min"]) + c["bought_max"] - c["bought_min"])
        if len(moves):
            bounds.append(amount[moves] >= low[moves])
            bounds += [] if high is None else [amount[moves] <= high[moves]]
    for r in range(len(c["row_price"])):
        row = c["row_weight"][r] @ weight + c["row_sold"][r] @ sold + c["row_bought"][r] @ bought
        row += c["row_constant"][r]
        for side, end in ((1, c["row_upper"][r]), (-1, c["row_lower"][r])):
            if np.isfinite(end) and np.isfinite(c["row_price"][r]):
                cost += c["row_price"][r] * cp.pos(side * (row - end))
            elif np.isfinite(end):
                bounds.append(side * (row - end) <= 0)
    task = cp.Problem(cp.Minimize(cost), bounds)
    task.solve(solver=cp.CLARABEL, tol_gap_abs=1e-9, tol_gap_rel=1e-9, tol_feas=1e-9)
    return float(task.value) + float(c["constant"])


def main(file: Path, bps_most: float) -> int:
    """Print what the answer says, what it costs, and what the core costs; 0 when they agree."""
    with np.load(file, allow_pickle=False) as arrays:
        columns = {name: arrays[name] for name in arrays.files}
    said, bound = float(columns["our_objective"]), float(columns["our_lower_bound"])
    priced, least = price(columns), solve(columns)
    for what, value in (
        ("cost that the answer says", said),
        ("cost of its trades, priced here", priced),
        ("least cost of the core, solved here", least),
        ("bound that the answer says", bound),
    ):
        sys.stdout.write(f"{what:<38}{value * BPS:16.6f} bp of account value\n")
    dearer = (priced - least) * BPS
    sys.stdout.write(f"{'the answer is dearer by':<38}{dearer:16.6f} bp\n")
    wrong = abs(said - priced) > NO_MORE or dearer < -NO_MORE * BPS or dearer > bps_most
    sys.stdout.write("they do not agree\n" if wrong else "they agree\n")
    return int(wrong)


if __name__ == "__main__":
    most = float(sys.argv[1]) if len(sys.argv) > 1 else 1.0
    sys.exit(main(Path(__file__).resolve().with_name("audit.npz"), most))
