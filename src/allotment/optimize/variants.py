"""What else accounts ask for, put on top of synthetic problems: benchmarks and tests draw from here."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from allotment.optimize.claims import without_claims
from allotment.optimize.offsets import n_under, owners
from allotment.optimize.problem import Problems, RowKind, join
from allotment.optimize.tangled import with_year

Variant = Callable[[Problems], Problems]


def households_of_four(problems: Problems) -> Problems:
    """Each four accounts are one household: two taxable ones, the spouse's, and an IRA."""
    assert problems.n_accounts % 4 == 0
    n_joint = problems.n_accounts // 4
    account = owners(problems.names_from)
    of_lot = np.repeat(account, n_under(problems.lots_from))
    is_ira = of_lot % 4 == 3
    return problems._replace(
        joint_from=np.arange(n_joint + 1, dtype=np.int64) * 4,
        regimes_from=np.zeros(n_joint + 1, np.int64),
        lot_tax=np.where(is_ira, 0.0, problems.lot_tax),
        lot_gain=np.where(is_ira, 0.0, problems.lot_gain),
        lot_is_loss=problems.lot_is_loss & ~is_ira,
    )


def counted(trades: int, holdings: int) -> Variant:
    """At most so many trades and holdings, at 10 basis points each beyond, of accounts that hold ten
    names less than they may."""
    kinds = np.array([RowKind.TRADES, RowKind.HOLDINGS], np.int8)
    upper = np.array([trades, holdings], np.float64)
    return lambda problems: _with_rows(_largest(problems, holdings - 10), kinds, upper, 1e-3)


def turned_over(turnover: float) -> Variant:
    """One-way turnover of at most this weight."""
    kinds = np.array([RowKind.TURNOVER], np.int8)
    return lambda problems: _with_rows(problems, kinds, np.array([turnover]), 1.0)


def gains_up_to(gain: float) -> Variant:
    """Net gain realised of at most this weight."""
    kinds = np.array([RowKind.GAIN], np.int8)
    return lambda problems: _with_rows(problems, kinds, np.array([gain]), 1.0)


def gains_of(gain: float) -> Variant:
    """Long-term gains realised of at least this weight; what is sold may be bought back."""
    kinds = np.array([RowKind.GAIN_LONG], np.int8)

    def realised(problems: Problems) -> Problems:
        problems = _with_rows(problems, kinds, np.array([np.inf]), 1.0)
        lower = np.full(len(problems.row_lower), gain)
        return problems._replace(row_lower=lower, may_rebuy=np.ones(len(problems.held), np.bool_))

    return realised


def rebalanced(risk_price: float) -> Variant:
    """What a public lot-level rebalancer is asked: tracking error at most 2 %, one-way turnover at most
    35 %, 10 basis points of trading cost, and this price of risk below the limit."""

    def asked(problems: Problems) -> Problems:
        limited = tracking_within(0.02)(turned_over(0.35)(problems))
        return limited._replace(
            half_spread=np.full(len(problems.held), 1e-3),
            risk_price=np.full(problems.n_accounts, risk_price),
        )

    return asked


def tracking_within(te_max: float) -> Variant:
    """A limit of tracking error instead of a price of risk."""

    def limited(problems: Problems) -> Problems:
        n = problems.n_accounts
        return problems._replace(te_max=np.full(n, te_max), risk_price=np.zeros(n))

    return limited


def first_in_first_out(problems: Problems) -> Problems:
    """The venue knows only first-in first-out; lots stand in no order of cost."""
    return problems._replace(in_order=np.ones(problems.n_accounts, np.bool_))


def netted(problems: Problems) -> Problems:
    """The year's regimes: a long-term loss carried in of 2 %, a short-term gain outside of 1 %."""
    years = []
    for a in range(problems.n_accounts):
        offset = 3000.0 / float(problems.value_usd[a])
        years.append(with_year(problems.account(a), 0.01, -0.02, offset))
    return join(years)


def _largest(problems: Problems, n_held: int) -> Problems:
    """Accounts that hold only their largest names, in the same proportions."""
    held, lot_weight = problems.held.copy(), problems.lot_weight.copy()
    name_of_lot = owners(problems.lots_from)
    for a in range(problems.n_accounts):
        mine = np.arange(problems.names_from[a], problems.names_from[a + 1])
        dropped = mine[np.argsort(held[mine], kind="stable")[:-n_held]]
        kept = float(held[mine].sum())
        held[dropped] = 0.0
        grown = kept / float(held[mine].sum())
        held[mine] *= grown
        lots = slice(int(problems.lots_from[mine[0]]), int(problems.lots_from[mine[-1] + 1]))
        lot_weight[lots] *= grown
    lot_weight[held[name_of_lot] == 0.0] = 0.0
    is_held = held > 0.0
    return problems._replace(
        held=held,
        lot_weight=lot_weight,
        young=np.where(is_held, problems.young, 0.0),
        **without_claims(problems, ~is_held),
    )


def _with_rows(problems: Problems, kinds: np.ndarray, upper: np.ndarray, price: float) -> Problems:
    """Rows of the same kinds for each account of problems that have none."""
    assert len(problems.row_kind) == 0
    n, n_rows = problems.n_accounts, len(kinds)
    return problems._replace(
        rows_from=np.arange(n + 1, dtype=np.int64) * n_rows,
        entries_from=np.zeros(n * n_rows + 1, np.int64),
        row_kind=np.tile(kinds, n),
        row_joint=np.zeros(n * n_rows, np.bool_),
        row_lower=np.full(n * n_rows, -np.inf),
        row_upper=np.tile(upper, n),
        row_price=np.full(n * n_rows, price),
    )
