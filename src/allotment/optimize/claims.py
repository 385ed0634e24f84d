"""Open claims by name: the earlier losses that a purchase would wash, the oldest first.

The first share bought washes the oldest claim (Reg. §1.1091-1(c)), so what the next share costs changes
from claim to claim as a purchase grows; what is bought beyond the last costs nothing more.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from allotment.optimize.offsets import n_under, owners, rows_under
from allotment.optimize.problem import Problems
from allotment.units import Bools, Floats, Index, Ints


def name_of_claim(problems: Problems) -> Index:
    """(C,) position of each claim's name."""
    return owners(problems.claims_from).astype(np.int32)


def is_claimed(problems: Problems) -> Bools:
    """(n,) True for names with an open claim: they are not sold and bought back."""
    claimed: Bools = n_under(problems.claims_from) > 0
    return claimed


def is_barred(problems: Problems) -> Bools:
    """(n,) True for names that an open claim bars from purchase."""
    bars = np.isinf(problems.claim_cost)
    barred: Bools = np.bincount(name_of_claim(problems)[bars], minlength=len(problems.held)) > 0
    return barred


def washed_by(problems: Problems, bought: Floats) -> Floats:
    """(C,) the weight of each claim that purchases (n,) wash."""
    of = name_of_claim(problems)
    total = np.cumsum(problems.claim_weight)
    older = total - problems.claim_weight
    older = older - older[problems.claims_from[of]]
    washed: Floats = np.clip(bought[of] - older, 0.0, problems.claim_weight)
    return washed


def wash_cost(problems: Problems, bought: Floats) -> Floats:
    """(n,) what purchases (n,) wash costs; a claim that bars is washed by nothing."""
    priced = np.where(np.isfinite(problems.claim_cost), problems.claim_cost, 0.0)
    cost = washed_by(problems, bought) * priced
    return np.bincount(name_of_claim(problems), cost, minlength=len(problems.held)).astype(np.float64)


def dearest(problems: Problems) -> Floats:
    """(n,) price of each name's dearest claim; 0 without one."""
    cost = np.zeros(len(problems.held))
    np.maximum.at(cost, name_of_claim(problems), problems.claim_cost)
    return cost


def claims_of(problems: Problems, names: Ints | Index) -> dict[str, Any]:
    """Columns of the claims of these names (m,), in their order."""
    claims_from, at = rows_under(problems.claims_from, names)
    return {
        "claims_from": claims_from,
        "claim_weight": problems.claim_weight[at],
        "claim_cost": problems.claim_cost[at],
    }


def without_claims(problems: Problems, freed: Bools) -> dict[str, Any]:
    """Columns of the claims of all names but those freed of them (n,)."""
    kept = ~freed[name_of_claim(problems)]
    count = np.where(freed, 0, n_under(problems.claims_from))
    return {
        "claims_from": np.concatenate([[0], np.cumsum(count)]).astype(np.int64),
        "claim_weight": problems.claim_weight[kept],
        "claim_cost": problems.claim_cost[kept],
    }


def one_claim(weight: Floats, cost: Floats) -> dict[str, Any]:
    """Columns of one claim for each name with a weight (n,) above 0, at a cost per unit (n,)."""
    is_open = weight > 0.0
    return {
        "claims_from": np.concatenate([[0], np.cumsum(is_open)]).astype(np.int64),
        "claim_weight": weight[is_open],
        "claim_cost": cost[is_open],
    }
