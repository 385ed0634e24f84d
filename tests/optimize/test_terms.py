"""Terms of all trades add up to what the decision saves against holding, to the last digit."""

from __future__ import annotations

import numpy as np
import pytest

from allotment.optimize import Solutions, SolveOptions, solve_one
from allotment.optimize.decision import Decision, decision_of
from allotment.optimize.problem import Market, Problems
from allotment.optimize.tangled import random_problem
from allotment.optimize.terms import terms_of

SEEDS = 40


def decided(seed: int) -> tuple[Market, Problems, Solutions, Decision | None]:
    rng = np.random.default_rng(seed)
    n_accounts = int(rng.integers(1, 4))
    market, problem = random_problem(rng, int(rng.integers(4, 14)), n_accounts=n_accounts)
    answer = solve_one(market, problem)
    return market, problem, answer, decision_of(market, problem, answer, 0)


@pytest.mark.parametrize("seed", range(SEEDS))
def test_they_add_up_to_the_difference_from_holding(seed: int) -> None:
    _, problem, answer, decision = decided(seed)
    if decision is None:
        pytest.skip("no answer to explain")
    terms = terms_of(decision, SolveOptions())
    n_accounts = problem.n_accounts
    row_account = np.repeat(np.arange(n_accounts), np.diff(problem.rows_from))
    own_row = np.where(problem.row_joint, 0.0, terms.shared.row)
    own = np.bincount(decision.account, terms.names.total(), minlength=n_accounts)
    own = own + terms.shared.cash + terms.shared.te + np.bincount(row_account, own_row, minlength=n_accounts)
    together = terms.shared.year + terms.shared.row[problem.row_joint].sum()
    saved = decision.share @ (answer.objective - answer.hold_objective)
    assert decision.share @ own + together == pytest.approx(saved, abs=1e-11, rel=1e-11)
    assert not terms.names.total()[decision.traded == 0.0].any()


def test_interaction_is_what_the_trades_made_one_by_one_leave_out() -> None:
    """κ/2 Δᵀ(BBᵀ)Δ off the diagonal is missed when each trade is valued as if it were alone."""
    market, problem, _, decision = decided(2)
    assert decision is not None
    terms = terms_of(decision, SolveOptions())
    B, variance = market.loadings[problem.asset_ix], market.specific_variance[problem.asset_ix]

    def risk(weight: np.ndarray) -> float:
        total = 0.0
        for a in range(problem.n_accounts):
            mine = slice(int(problem.names_from[a]), int(problem.names_from[a + 1]))
            active = (weight - problem.benchmark)[mine]
            cost = ((B[mine].T @ active) ** 2).sum() + (variance[mine] * active**2).sum()
            total += problem.risk_price[a] / 2 * cost
        return float(total)

    for i in np.flatnonzero(decision.traded):
        alone = problem.held.copy()
        alone[i] = decision.weight[i]
        factors = terms.names.factors[i].sum() - terms.interaction[i]
        assert factors + terms.names.specific[i] == pytest.approx(risk(alone) - risk(problem.held), abs=1e-13)
    everything = terms.names.factors.sum() + terms.names.specific.sum()
    assert everything == pytest.approx(risk(decision.weight) - risk(problem.held), abs=1e-13)
