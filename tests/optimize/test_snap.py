"""A general solver's trades brought to whole steps: never more than there is, never half a step off."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from allotment.optimize.certify import Trades
from allotment.optimize.snap import snap
from allotment.optimize.tangled import Feature, random_problem


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000), whole=st.booleans())
def test_trades_are_whole_steps_near_what_was_asked(seed: int, whole: bool) -> None:
    rng = np.random.default_rng(seed)
    features = [Feature.TRADE_MIN, *([Feature.WHOLE_SHARES] if whole else [])]
    _, problem = random_problem(rng, 6, features=features)
    name = np.repeat(np.arange(len(problem.held)), np.diff(problem.lots_from))
    part = rng.choice([0.0, 1e-10, 0.3, 1.0 - 1e-12, 1.0], len(name))
    asked = Trades(problem.lot_weight * part, rng.choice([0.0, 1e-10, 0.01, 0.0377], len(problem.held)))
    made = snap(problem, asked)
    assert (made.sold >= 0.0).all()
    assert (made.sold <= problem.lot_weight + 1e-15).all()
    out = np.bincount(name, made.sold, minlength=len(problem.held))
    wanted = np.bincount(name, asked.sold, minlength=len(problem.held))
    closed = problem.held - out < 1e-8
    for amount, before, exempt in ((out, wanted, closed), (made.bought, asked.bought, False)):
        steps = np.divide(amount, problem.step, out=np.zeros_like(amount), where=problem.step > 0)
        off = np.abs(steps - np.round(steps)) * problem.step
        assert (np.where(exempt, 0.0, off) < 1e-12).all()
        dropped = amount == 0.0
        least = np.maximum(problem.trade_min[0], problem.step)
        assert (np.abs(amount - before)[~dropped] <= problem.step[~dropped] + 2e-8 * len(name)).all()
        assert (before[dropped] <= least[dropped] + 1e-7).all()
        assert (amount[~dropped & ~closed] >= problem.trade_min[0] - 1e-12).all()
