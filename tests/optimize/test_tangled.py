"""Random problems are sound, and have in them what was asked for."""

from __future__ import annotations

import numpy as np
import pytest

from allotment.optimize.problem import Problems, RowKind, check_shapes, make_problems
from allotment.optimize.tangled import Feature, random_problem, with_year

NEEDED = (
    "value_usd", "risk_price", "cash", "cash_min", "cash_max", "benchmark", "held", "half_spread",
    "lot_weight", "lot_tax",
)  # fmt: skip
NEUTRAL = make_problems(
    names_from=np.array([0, 1]),
    lots_from=np.array([0, 1]),
    asset_ix=np.zeros(1, np.int32),
    lot_is_loss=np.zeros(1, np.bool_),
    **{column: np.ones(1) for column in NEEDED},
)
COLUMNS = {
    Feature.LIMITS: ("weight_max",),
    Feature.BANS: ("may_buy", "may_sell", "lot_sellable"),
    Feature.EXPOSED: ("claims_from",),
    Feature.YOUNG_BARS: ("young",),
    Feature.YOUNG_PRICES: ("young", "young_cost"),
    Feature.TICKETS: ("ticket_charge",),
    Feature.LOT_CHARGES: ("lot_charge",),
    Feature.TRADE_MIN: ("trade_min",),
    Feature.HOLDING_MIN: ("holding_min",),
    Feature.WHOLE_SHARES: ("step",),
    Feature.UTILITY: ("utility",),
    Feature.IMPACT: ("impact",),
    Feature.IN_ORDER: ("in_order",),
    Feature.TE_MAX: ("te_max",),
    Feature.BIG: ("big_from",),
    Feature.REBUYS: ("may_rebuy",),
}
KINDS = {
    Feature.SECTORS: {RowKind.LINEAR},
    Feature.TURNOVER: {RowKind.TURNOVER},
    Feature.GAINS: {RowKind.GAIN_SHORT, RowKind.GAIN_LONG, RowKind.GAIN, RowKind.TAX},
    Feature.COUNTS: {RowKind.TRADES, RowKind.HOLDINGS},
    Feature.BIG: {RowKind.BIG},
}


def differs(problem: Problems, column: str) -> bool:
    return bool((getattr(problem, column) != getattr(NEUTRAL, column)[0]).any())


@pytest.mark.parametrize("n_accounts", [1, 3])
def test_problems_of_all_features_have_sound_columns(n_accounts: int) -> None:
    for seed in range(30):
        market, problem = random_problem(np.random.default_rng(seed), 9, n_accounts=n_accounts)
        check_shapes(market, problem)
        assert problem.n_joint == 1
        assert problem.n_accounts == n_accounts
        name_of_lot = np.repeat(np.arange(len(problem.held)), np.diff(problem.lots_from))
        in_lots = np.bincount(name_of_lot, problem.lot_weight, minlength=len(problem.held))
        assert in_lots == pytest.approx(problem.held, abs=1e-12)
        assert (problem.weight_min <= problem.weight_max).all()
        assert (problem.row_lower <= problem.row_upper).all()


@pytest.mark.parametrize("feature", list(Feature))
def test_a_feature_that_is_asked_for_turns_up_and_no_other(feature: Feature) -> None:
    found = False
    for seed in range(20):
        market, problem = random_problem(np.random.default_rng(seed), 9, n_accounts=2, features=[feature])
        for other in Feature:
            columns = [column for column in COLUMNS.get(other, ()) if column != "step"]
            present = any(differs(problem, column) for column in columns)
            assert not present or set(columns) & set(COLUMNS.get(feature, ()))
        kinds = {RowKind(int(kind)) for kind in problem.row_kind[~problem.row_joint]}
        assert kinds <= KINDS.get(feature, set())
        found |= any(differs(problem, column) for column in COLUMNS.get(feature, ())) or bool(kinds)
        found |= feature == Feature.GROUPS and len(np.unique(market.group_ix)) < 9
        found |= feature == Feature.YEAR and len(problem.regime_constant) > 0
        found |= feature == Feature.JOINT_ROWS and problem.row_joint.any()
    assert found


def test_the_tax_of_the_year_is_continuous_and_nets() -> None:
    """§1222 (11), §1211 (b): short- and long-term gains net; a net loss is capped and carried over."""
    _, problem = random_problem(np.random.default_rng(0), 8, features=[])
    problem = with_year(problem, short=0.02, long=-0.05, offset=0.01)

    def taxes(short: float, long: float) -> np.ndarray:
        """By every regime that holds these gains of the trades."""
        point = np.array([short, long, short + long])
        inside = (point >= problem.regime_lower - 1e-12) & (point <= problem.regime_upper + 1e-12)
        linear = problem.regime_constant + problem.regime_short_rate * short
        return np.asarray((linear + problem.regime_long_rate * long)[inside.all(axis=1)])

    assert taxes(0.0, 0.0) == pytest.approx(-0.408 * 0.01 - 0.2 * 0.02)  # −3 % net: 1 % now, 2 % carried
    assert taxes(0.10, 0.0) == pytest.approx(0.408 * 0.07)  # short 12 %, long −5 %
    assert taxes(-0.05, 0.10) == pytest.approx(0.238 * 0.02)  # short −3 %, long 5 %
    assert taxes(0.10, 0.10) == pytest.approx(0.408 * 0.12 + 0.238 * 0.05)
    rng = np.random.default_rng(1)
    for short, long in rng.normal(0.0, 0.05, (200, 2)):
        assert len(taxes(short, long)) >= 1
    for long in (0.03, 0.0, 0.05):  # on the borders: all regimes there agree
        assert np.ptp(taxes(-0.02, long)) < 1e-15
        assert np.ptp(taxes(0.03 - long, long)) < 1e-15
