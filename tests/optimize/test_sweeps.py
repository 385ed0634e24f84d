"""After the last pass no name is left that a share more or less would make noticeably cheaper."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from allotment.optimize.problem import Problems, SolveOptions
from allotment.optimize.solution import Status
from allotment.optimize.solve import solve_one
from allotment.optimize.synthetic import PROFILE_A, PROFILE_B, synthetic_problems, synthetic_world

_spec = importlib.util.spec_from_file_location("exact_cost", Path(__file__).with_name("exact_cost.py"))
_exact = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_exact)

NOTICED = 2e-7  # of account value: what the last pass may leave, and later moves of it may open


def a_share_apart(problem: Problems, sold: np.ndarray, bought: np.ndarray) -> Iterator[tuple]:
    """The trades with one share more or less of one name, bought or from one of its lots."""
    for i in range(len(problem.held)):
        lots = np.arange(problem.lots_from[i], problem.lots_from[i + 1])
        for change in (problem.step[i], -problem.step[i]):
            if sold[lots].sum() == 0.0 and bought[i] + change > -1e-12:
                other = bought.copy()
                other[i] = max(bought[i] + change, 0.0)
                yield sold, other
            if bought[i] > 0.0:
                continue
            for lot in lots:
                if -1e-12 < sold[lot] + change < problem.lot_weight[lot] + 1e-12:
                    other = sold.copy()
                    other[lot] = np.clip(sold[lot] + change, 0.0, problem.lot_weight[lot])
                    yield other, bought


@pytest.mark.parametrize("profile", [PROFILE_A, PROFILE_B])
@pytest.mark.parametrize("seed", range(4))
def test_no_share_more_or_less_saves_anything(profile, seed) -> None:
    rng = np.random.default_rng(seed)
    world = synthetic_world(40, 5, rng)
    usd = (3e5, 3e6)
    small = profile._replace(
        n_names=40, n_lots=100, n_factors=5, share_step=1.0, value_usd=usd, cash_band=(0.0, 0.003)
    )
    problem = synthetic_problems(world, small, 1, rng)
    answer = solve_one(world.market, problem)
    assert answer.status[0] in {Status.SOLVED, Status.RELAXED}
    options = SolveOptions()
    cost = _exact.cost_of(world.market, problem, answer.sold, answer.bought, options)
    tried = 0
    for sold, bought in a_share_apart(problem, answer.sold, answer.bought):
        if _exact.broken_rules(world.market, problem, sold, bought):
            continue
        tried += 1
        other = _exact.cost_of(world.market, problem, sold, bought, options)
        assert other > cost - NOTICED
    assert tried > 40


_BOTH_WAYS = """
import numpy as np
from allotment.optimize import sweeps
from allotment.optimize.solve import solve_one
from allotment.optimize.synthetic import PROFILE_A, synthetic_problems, synthetic_world

best_move, calls = sweeps._best_move, [0, 0]

def solved(problem, way):
    def counted(*args):
        calls[way] += 1
        *found, room = best_move(*args)
        return *found, room if way == 0 else 0.0  # no way to go: weighed again in every pass
    sweeps._best_move = counted
    return solve_one(world.market, problem).weight

for seed in range(6):
    rng = np.random.default_rng(seed)
    world = synthetic_world(60, 8, rng)
    profile = PROFILE_A._replace(
        n_names=60, n_lots=120, n_factors=8, share_step=1.0, value_usd=(1e5, 1.01e5), trade_bps_min=0.0,
        cash_band=(0.0, 0.005),
    )
    problem = synthetic_problems(world, profile, 1, rng)
    assert solved(problem, 0).tolist() == solved(problem, 1).tolist()
assert 2 * calls[0] < 3 * calls[1], calls
"""


def test_names_that_are_left_out_could_not_have_paid() -> None:
    """Run as Python, so that the kernel's own step can be replaced: every name weighed in every pass."""
    env = os.environ | {"NUMBA_DISABLE_JIT": "1"}
    done = subprocess.run(
        [sys.executable, "-c", _BOTH_WAYS], env=env, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
