"""Which hard rules the trades of a problem break."""

from __future__ import annotations

from typing import Any

import numpy as np


def broken_rules(market: Any, p: Any, w: Any, bought: Any, sold: Any) -> tuple[str, ...]:
    """The hard rules that trades break, in words. p: a batch of one problem with n names and L lots;
    w, bought: (n,) weight after trading and bought; sold: (L,)."""
    account = np.repeat(np.arange(p.n_accounts), np.diff(p.names_from))
    of_lot, of_claim = (np.repeat(np.arange(len(w)), np.diff(x)) for x in (p.lots_from, p.claims_from))
    group = market.group_ix[p.asset_ix]
    out = np.bincount(of_lot, sold, minlength=len(w))
    traded, closed = out + bought, (w <= 1e-12) & (p.held > 0)
    steps = np.divide(w - p.held, p.step, out=np.zeros(len(w)), where=p.step > 0)
    barred = p.lot_is_loss & ((p.young > 0) & np.isinf(p.young_cost))[of_lot]
    least = np.maximum(p.trade_min[account] - 1e-10, 0.0)
    loss_sold = group[np.unique(of_lot[(sold > 0) & p.lot_is_loss])]
    before = np.concatenate([[False], (sold < p.lot_weight - 1e-12)[:-1] & (of_lot[:-1] == of_lot[1:])])
    blocked = ~p.may_buy | (np.bincount(of_claim, np.isinf(p.claim_cost), len(w)) > 0)
    small = (traded > 0) & ~closed & (w < p.holding_min[account] - 1e-10)
    rules = {
        "sells more than a lot holds": (sold < 0) | (sold > p.lot_weight + 1e-12),
        "buys less than nothing": bought < 0,
        "sells a lot that may not be sold": (sold > 0) & (~p.lot_sellable | ~p.may_sell[of_lot] | barred),
        "sells lots out of order": (sold > 1e-12) & before & p.in_order[account][of_lot],
        "weights do not follow from the trades": np.abs(p.held + bought - out - w) > 1e-10,
        "is short": w < 0,
        "buys a blocked name": (bought > 0) & blocked,
        "sells a loss and buys its group": np.isin(group[bought > 0], loss_sold),
        "sells what it buys": (bought > 0) & (out > 0) & (~rebuyable(p, account, of_lot) | (out < least)),
        "trades less than the smallest trade": (traded > 0)
        & (traded < p.trade_min[account] - 1e-10)
        & ~closed,
        "leaves less than the smallest holding": small,
        "trades a fraction of a step": (np.abs(steps - np.round(steps)) * p.step > 1e-10 * (1.0 + p.held))
        & ~closed,
    }
    return tuple(rule for rule, cases in rules.items() if np.any(cases))


def rebuyable(p: Any, account: Any, of_lot: Any) -> Any:
    """Names whose lots at a gain may be sold and bought back at once."""
    step = p.step[of_lot]
    steps = p.lot_weight / np.where(step > 0, step, 1.0)
    odd = (step >= 1e-7) & ~p.lot_is_loss & (np.abs(steps - np.round(steps)) > 1e-7)
    whole = np.bincount(of_lot, odd, minlength=len(p.held)) == 0
    return p.may_rebuy & p.may_buy & (np.diff(p.claims_from) == 0) & ~p.in_order[account] & whole
