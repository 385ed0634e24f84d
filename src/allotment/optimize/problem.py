"""The optimiser's problem as arrays: what is shared by a batch, and one column per fact.

    minimise   risk + tax + year + cost + wash − utility + price of relaxations
    risk     = κ/2 TE²,  TE² = ‖Bᵀ(w−b)‖² + Σ dᵢ (wᵢ−bᵢ)²
    tax      = Σ over lots  lot_tax × weight sold
    year     = the regime of the year that holds the gains realised (`Regimes`)
    cost     = Σ half_spread × (weight sold + weight bought) + impact × (net weight traded)²
               + ticket charges + closed-lot charges
    wash     = Σ claim_cost × weight bought that washes the claim, a name's oldest claim first
               + Σ young_cost × min(weight of loss lots sold, young)
    utility  = Σ utility × w

Every weight, charge and term is a fraction of account value (0.0001 is one basis point of it);
every cost is positive when it hurts. Trading costs and taxes are not charged to cash: the cash
after trading is cash + Σ sold − Σ bought.

Accounts of one household may be one problem (`joint_from`): its objective is the sum of theirs,
each weighted by its share of the household's value, and its loss sales and purchases keep apart
over all of them.

Hard rules, never relaxed: only sellable shares are sold, nothing is short, no loss lot is sold
in a substantially identical group that is bought in any account of the problem, no blocked name
is bought, no barred loss lot is sold, lots leave in the order that the account's relief allows,
a name is sold and bought at once only to realise gains (see `may_rebuy`),
trades are at least `trade_min` (closing out a name is exempt), what is held after a trade is at
least `holding_min` or nothing, and trades are whole steps (closing out a name may carry the odd
fraction). Elastic, at a price: the cash band, the rows, the tracking-error limit. A name's limits
hold as far as its sellable lots and permissions allow; what cannot be met is reported and priced.

These records are named tuples, not dataclasses: compiled loops read them as they are, without
a second copy of fifty columns.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any, NamedTuple

import numpy as np

from allotment.optimize.hierarchy import HIERARCHY
from allotment.optimize.offsets import n_under
from allotment.units import Bools, Codes, Floats, Index, Ints


class Market(NamedTuple):
    """What all accounts of a batch share: N assets, k factors. Columns are C-contiguous."""

    loadings: Floats  # (N, k) annual, scaled so that the factor covariance is the identity
    specific_variance: Floats  # (N,) annual, positive
    group_ix: Index  # (N,) number ≥ 0 of the substantially identical group; equal = one group


class RowKind(IntEnum):
    """What a row sums over the names of its account."""

    LINEAR = 0  # coefficient × weight after trading, from the row's entries
    TURNOVER = 1  # half of the weight sold and bought
    GAIN_SHORT = 2  # net short-term gain realised
    GAIN_LONG = 3  # net long-term gain realised
    GAIN = 4  # net gain realised
    TAX = 5  # lot_tax × weight sold
    TRADES = 6  # 1 per name traded
    HOLDINGS = 7  # 1 per name held after trading
    BIG = 8  # weights after trading above `big_from`


class Problems(NamedTuple):
    """A accounts with n names, L lots and R rows in all, as concatenated columns.

    The names of account a are positions names_from[a] to names_from[a+1]: every asset that the
    account holds, may buy or has in its benchmark, each once, in any order. The lots of name i
    (position in the concatenation) are positions lots_from[i] to lots_from[i+1]. The rows of
    account a are positions rows_from[a] to rows_from[a+1]. The accounts joint_from[j] to
    joint_from[j+1] are one problem, and have the regimes regimes_from[j] to regimes_from[j+1].
    """

    # Per problem: offsets into the accounts and the regimes.
    joint_from: Ints  # (J+1,)
    regimes_from: Ints  # (J+1,)

    # Per account: shape A, and offsets into the names and rows.
    names_from: Ints  # (A+1,)
    rows_from: Ints  # (A+1,)
    value_usd: Floats  # positive; an account of no value gets status EMPTY
    risk_price: Floats  # κ: cost of a unit of half variance; TE of 1 % at κ=100 costs 50 bp; above
    #                     0 unless the tracking error is limited
    te_max: Floats  # annual limit of tracking error; infinite for none
    cash: Floats  # weight of cash before trading; Σ held + cash is the whole, normally 1
    cash_min: Floats  # band for cash after trading
    cash_max: Floats
    trade_min: Floats  # smallest weight traded in one name, 0 = none
    holding_min: Floats  # smallest weight held of a name that was traded, 0 = none
    big_from: Floats  # weight above which a name counts in rows of kind BIG
    ticket_charge: Floats  # per name traded
    lot_charge: Floats  # per lot sold from
    in_order: Bools  # lots leave in the order of their columns (the venue's method); else freely

    # Per name: shape n, and offsets into the lots.
    lots_from: Ints  # (n+1,)
    asset_ix: Index  # position in `Market`
    benchmark: Floats  # b, less what is held outside the account and not traded
    held: Floats  # weight before trading, ≥ Σ of the name's lots; the rest cannot be sold
    weight_min: Floats  # limits of the weight after trading; 0 and 1 when there are none
    weight_max: Floats
    may_buy: Bools
    may_sell: Bools
    may_rebuy: Bools  # lots at a gain may be sold and bought back at once: gains are realised and the
    #                   holding stays; at least `trade_min` is sold then. Means nothing where the
    #                   venue sets the order, a claim is open, or a step is large and a
    #                   lot at a gain is no whole number of steps
    utility: Floats  # u: worth of a unit of weight, from tilts; 0 without
    half_spread: Floats  # cost per unit of weight sold or bought
    impact: Floats  # cost per squared unit of net weight traded
    young: Floats  # the first weight of loss lots sold that shares bought lately wash, 0 = none
    young_cost: Floats  # per unit of that weight; infinite: the name's loss lots are not sold
    step: Floats  # weight of the smallest tradable fraction of a share, 0 = continuous
    claims_from: Ints  # (n+1,) offsets into the claims

    # Per claim: shape C. Earlier losses that a purchase washes, the oldest first; see `claims`.
    claim_weight: Floats  # weight bought that washes it, after those before it
    claim_cost: Floats  # per unit of that weight; infinite: the name is blocked for purchase

    # Per lot: shape L.
    lot_weight: Floats
    lot_tax: Floats  # tax per unit of weight sold, beside the year's: (rate × gain − value of basis
    #                  gained) / lot value, with the loss value applied; negative when it saves tax
    lot_gain: Floats  # gain per unit of weight sold, as the account's rows and the year count it
    lot_is_long: Bools
    lot_is_loss: Bools  # a sale realises a loss that a purchase would wash
    lot_sellable: Bools

    # Per row: shape R, row_lower ≤ measure ≤ row_upper, and the entries of each LINEAR one.
    entries_from: Ints  # (R+1,)
    row_kind: Codes  # RowKind
    row_joint: Bools  # summed over all accounts of the problem, in fractions of their value (not LINEAR)
    row_lower: Floats  # −inf for none
    row_upper: Floats  # +inf for none
    row_price: Floats  # cost per unit of violation
    entry_name: Index  # position of the name inside its account, from 0
    entry_coefficient: Floats

    # Per regime: shape G. The tax of the year is linear where the net short-term, long-term and
    # total gain of the trades lie between these ends; together the regimes cover everything.
    regime_constant: Floats
    regime_short_rate: Floats
    regime_long_rate: Floats
    regime_lower: Floats  # (G, 3) short, long, total; fractions of the value of all accounts
    regime_upper: Floats  # (G, 3)

    @property
    def n_accounts(self) -> int:
        """How many accounts these columns describe."""
        return len(self.names_from) - 1

    @property
    def n_joint(self) -> int:
        """How many problems they form."""
        return len(self.joint_from) - 1

    def account(self, a: int) -> Problems:
        """The problem of one account that stands alone, as a batch of one; its columns are views."""
        j = int(np.searchsorted(self.joint_from, a, "right")) - 1
        assert self.joint_from[j + 1] - self.joint_from[j] == 1
        return self.problems(j, j + 1)

    def problems(self, first: int, last: int) -> Problems:
        """The problems from number `first` up to but without `last`, as views."""
        joint = slice(first, last + 1)
        accounts = slice(int(self.joint_from[first]), int(self.joint_from[last]))
        regimes = slice(int(self.regimes_from[first]), int(self.regimes_from[last]))
        names = slice(int(self.names_from[accounts.start]), int(self.names_from[accounts.stop]))
        rows = slice(int(self.rows_from[accounts.start]), int(self.rows_from[accounts.stop]))
        lots = slice(int(self.lots_from[names.start]), int(self.lots_from[names.stop]))
        entries = slice(int(self.entries_from[rows.start]), int(self.entries_from[rows.stop]))
        parts = {"joint_from": joint, "regimes_from": joint}
        parts |= dict.fromkeys(("names_from", "rows_from"), slice(accounts.start, accounts.stop + 1))
        claims = slice(int(self.claims_from[names.start]), int(self.claims_from[names.stop]))
        parts |= dict.fromkeys(("lots_from", "claims_from"), slice(names.start, names.stop + 1))
        parts |= {"entries_from": slice(rows.start, rows.stop + 1)}
        parts |= dict.fromkeys(ACCOUNT_COLUMNS, accounts)
        parts |= dict.fromkeys(NAME_COLUMNS, names)
        parts |= dict.fromkeys(LOT_COLUMNS, lots)
        parts |= dict.fromkeys(CLAIM_COLUMNS, claims)
        parts |= dict.fromkeys(ROW_COLUMNS, rows)
        parts |= dict.fromkeys(ENTRY_COLUMNS, entries)
        parts |= dict.fromkeys(REGIME_COLUMNS, regimes)
        columns = {column: getattr(self, column)[part] for column, part in parts.items()}
        for offsets in OFFSETS:
            columns[offsets] = columns[offsets] - columns[offsets][0]
        return Problems(**columns)


OFFSETS = (
    "joint_from", "regimes_from", "names_from", "rows_from", "lots_from", "claims_from", "entries_from",
)  # fmt: skip
ACCOUNT_COLUMNS = (
    "value_usd", "risk_price", "te_max", "cash", "cash_min", "cash_max", "trade_min", "holding_min",
    "big_from", "ticket_charge", "lot_charge", "in_order",
)  # fmt: skip
NAME_COLUMNS = (
    "asset_ix", "benchmark", "held", "weight_min", "weight_max", "may_buy", "may_sell", "may_rebuy",
    "utility",
    "half_spread", "impact", "young", "young_cost", "step",
)  # fmt: skip
LOT_COLUMNS = ("lot_weight", "lot_tax", "lot_gain", "lot_is_long", "lot_is_loss", "lot_sellable")
CLAIM_COLUMNS = ("claim_weight", "claim_cost")
ROW_COLUMNS = ("row_kind", "row_joint", "row_lower", "row_upper", "row_price")
ENTRY_COLUMNS = ("entry_name", "entry_coefficient")
REGIME_COLUMNS = (
    "regime_constant", "regime_short_rate", "regime_long_rate", "regime_lower", "regime_upper",
)  # fmt: skip


class SolveOptions(NamedTuple):
    """How far to go, and what a relaxation costs; `hierarchy` tells why so much."""

    gap_bps: float = 0.3  # stop the branch search at this gap
    solves_max: int = 6  # branch choices tried per account; a count, so that answers replay
    cash_price: float = HIERARCHY.cash.price  # per unit of weight by which cash leaves its band
    limit_price: float = (
        HIERARCHY.restrictions.price
    )  # per unit of weight that a name stays outside its limits
    te_price: float = HIERARCHY.tracking_error.price  # per unit of half variance beyond a limit
    regime_price: float = 1.0  # per unit of gain outside the regime that a solve works in


def make_problems(**columns: Any) -> Problems:
    """The problems of these columns; any other is neutral: no rows, regimes, washes, limits or steps,
    each account a problem of its own, young shares a bar to loss sales.

    Needed: names_from, value_usd, risk_price, cash, cash_min, cash_max, lots_from, asset_ix,
    benchmark, held, half_spread, lot_weight, lot_tax, lot_is_loss.
    """
    n_accounts = len(columns["value_usd"])
    sizes: dict[str, int] = dict.fromkeys(ACCOUNT_COLUMNS, n_accounts)
    sizes |= dict.fromkeys(NAME_COLUMNS, len(columns["asset_ix"]))
    sizes |= dict.fromkeys(LOT_COLUMNS, len(columns["lot_weight"]))
    sizes |= dict.fromkeys(ROW_COLUMNS, len(columns.get("row_lower", ())))
    sizes |= dict.fromkeys(CLAIM_COLUMNS + ENTRY_COLUMNS + REGIME_COLUMNS, 0)
    neutral: dict[str, Any] = {
        "joint_from": np.arange(n_accounts + 1, dtype=np.int64),
        "rows_from": np.zeros(n_accounts + 1, np.int64),
        "entries_from": np.zeros(sizes["row_lower"] + 1, np.int64),
        "claims_from": np.zeros(sizes["asset_ix"] + 1, np.int64),
        "regime_lower": np.zeros((0, 3)),
        "regime_upper": np.zeros((0, 3)),
    }
    for column in sizes.keys() - columns.keys() - neutral.keys():
        kind = _TYPES.get(column, np.float64)
        neutral[column] = np.full(sizes[column], _NEUTRAL.get(column, 0), kind)
    n_joint = len(columns.get("joint_from", neutral["joint_from"])) - 1
    neutral["regimes_from"] = np.zeros(n_joint + 1, np.int64)
    return Problems(**(neutral | columns))


def join(problems: list[Problems]) -> Problems:
    """Several batches on one `Market` as one batch, in the order given."""
    assert problems
    columns = {}
    for column in Problems._fields:
        parts = [getattr(problem, column) for problem in problems]
        if column in OFFSETS:
            ends = np.cumsum([0] + [int(part[-1]) for part in parts])
            shifted = [part[1:] + end for part, end in zip(parts, ends, strict=False)]
            columns[column] = np.concatenate([np.zeros(1, np.int64), *shifted])
        else:
            columns[column] = np.concatenate(parts)
    return Problems(**columns)


def check_shapes(market: Market, problems: Problems) -> None:
    """A caller's broken promise about shapes, offsets or types is an AssertionError.

    What the columns hold (NaN, negative prices, empty accounts) is not checked here: it ends in
    the status of the account concerned.
    """
    n_assets, _ = market.loadings.shape
    assert market.specific_variance.shape == market.group_ix.shape == (n_assets,)
    assert market.loadings.flags.c_contiguous
    ends = {
        "joint_from": problems.n_accounts,
        "regimes_from": len(problems.regime_constant),
        "names_from": len(problems.asset_ix),
        "rows_from": len(problems.row_lower),
        "lots_from": len(problems.lot_weight),
        "claims_from": len(problems.claim_weight),
        "entries_from": len(problems.entry_name),
    }
    for offsets, end in ends.items():
        column = getattr(problems, offsets)
        assert column[0] == 0, offsets
        assert column[-1] == end, offsets
        assert (n_under(column) >= 0).all(), offsets
    assert (n_under(problems.joint_from) >= 1).all()
    assert len(problems.regimes_from) == len(problems.joint_from)
    assert len(problems.rows_from) == len(problems.names_from)
    assert len(problems.claims_from) == len(problems.lots_from)
    sizes = (
        (ACCOUNT_COLUMNS, problems.n_accounts),
        (NAME_COLUMNS, len(problems.lots_from) - 1),
        (LOT_COLUMNS, ends["lots_from"]),
        (CLAIM_COLUMNS, ends["claims_from"]),
        (ROW_COLUMNS, len(problems.entries_from) - 1),
        (ENTRY_COLUMNS, ends["entries_from"]),
        (REGIME_COLUMNS, ends["regimes_from"]),
    )
    for columns, size in sizes:
        for name in columns:
            column = getattr(problems, name)
            wanted = (size, 3) if name in ("regime_lower", "regime_upper") else (size,)
            assert column.shape == wanted, name
            expected = _TYPES.get(name, np.float64)
            assert column.dtype == expected, f"{name} is {column.dtype}, not {expected.__name__}"
    if len(problems.asset_ix):
        assert 0 <= problems.asset_ix.min() <= problems.asset_ix.max() < n_assets
    linear = problems.row_kind == RowKind.LINEAR
    assert not (linear & problems.row_joint).any()
    assert (linear | (n_under(problems.entries_from) == 0)).all()


_NEUTRAL: dict[str, float | bool] = {
    "te_max": np.inf,
    "big_from": np.inf,
    "weight_max": 1.0,
    "may_buy": True,
    "may_sell": True,
    "young_cost": np.inf,
    "lot_sellable": True,
}
_TYPES: dict[str, type[np.generic]] = {
    "asset_ix": np.int32,
    "in_order": np.bool_,
    "may_buy": np.bool_,
    "may_sell": np.bool_,
    "may_rebuy": np.bool_,
    "lot_is_long": np.bool_,
    "lot_is_loss": np.bool_,
    "lot_sellable": np.bool_,
    "row_kind": np.int8,
    "row_joint": np.bool_,
    "entry_name": np.int32,
}
