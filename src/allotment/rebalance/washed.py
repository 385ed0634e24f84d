"""How much of its losses a proposal washes, and how much of earlier ones, by the wash state of its day.

Only where a firm prices washes does either happen. Shares of a group are counted together; what the
household's other accounts trade in it on the same day is not.
Law: 26 U.S.C. §1091(a), see `rebalance.washes`.
"""

from __future__ import annotations

import numpy as np

from allotment.rebalance.proposal import Trades
from allotment.rebalance.snapshot import MarketSnapshot
from allotment.rebalance.washes import GroupWashes
from allotment.tax.identical import in_units
from allotment.units import Bools, Floats, Ints


def washed_losses(trades: Trades, washes: GroupWashes, market: MarketSnapshot, meets_young: Bools) -> Ints:
    """Loss of each trade in cents, positive, that young shares disallow at once; shape (n_trades,).

    meets_young: by trade, shares of other purchases in its group are young. The part washed is spread
    over the group's loss sales in proportion to their shares.
    """
    rows = market.row_of(trades.security_id)
    lost = (trades.side < 0) & (trades.gain_cents < 0) & meets_young
    portion = _portion(trades, market, rows, lost, washes.young_nano)
    return np.where(lost, np.rint(-trades.gain_cents * portion), 0.0).astype(np.int64)


def washed_claims(trades: Trades, washes: GroupWashes, market: MarketSnapshot) -> int:
    """Losses of the last 30 days, in cents, that the purchases disallow, the oldest first."""
    rows = market.row_of(trades.security_id)
    bought = trades.side > 0
    group = market.group_ix[rows[bought]]
    units = np.zeros(len(washes.young_nano), np.int64)
    np.add.at(units, group, in_units(trades.quantity_nano[bought], market.groups, rows[bought]))
    of, size = washes.claim_group, washes.claim_nano
    older = np.cumsum(size) - size
    older -= older[washes.claims_from[of]]
    portion = np.clip(units[of] - older, 0, size) / np.maximum(size, 1)
    return int(np.rint(portion * washes.claim_loss_cents).sum())


def _portion(trades: Trades, market: MarketSnapshot, rows: Ints, lost: Bools, young_nano: Ints) -> Floats:
    """The part of each trade's shares that its group's young shares replace, (n_trades,)."""
    group = market.group_ix[rows]
    units = np.zeros(len(young_nano))
    np.add.at(units, group[lost], in_units(trades.quantity_nano[lost], market.groups, rows[lost]))
    young = young_nano.astype(np.float64)
    by_group = np.divide(np.minimum(units, young), units, out=np.zeros(len(units)), where=units > 0.0)
    portion: Floats = by_group[group]
    return portion
