"""The optimiser's problem as arrays: what is shared by a batch, and one column per fact.

    minimise   risk + tax + cost + wash − utility + price of relaxations
    risk     = κ/2 ( ‖Bᵀ(w−b)‖² + Σ dᵢ (wᵢ−bᵢ)² )
    tax      = Σ over lots  lot_tax × weight sold
    cost     = Σ half_spread × (weight sold + weight bought) + ticket charges + closed-lot charges
    wash     = Σ wash_cost × min(weight bought, wash_exposed)
    utility  = Σ utility × w

Every weight, charge and term is a fraction of account value (0.0001 is one basis point of it);
every cost is positive when it hurts. Trading costs and taxes are not charged to cash: the cash
after trading is cash + Σ sold − Σ bought.

Hard rules, never relaxed: only sellable shares are sold, nothing is short, no loss lot is sold
in a substantially identical group that is bought, no blocked name is bought, no loss lot of a
name with young shares is sold, trades are at least `trade_min` (closing out a name is exempt)
and whole steps (closing out a name may carry the odd fraction). Elastic, at a price: the cash
band and the rows. A name's limits hold as far as its sellable lots and permissions allow; what
cannot be met is reported and priced.

These records are named tuples, not dataclasses: compiled loops read them as they are, without
a second copy of forty columns.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from allotment.units import Bools, Floats, Index, Ints


class Market(NamedTuple):
    """What all accounts of a batch share: N assets, k factors. Columns are C-contiguous."""

    loadings: Floats  # (N, k) annual, scaled so that the factor covariance is the identity
    specific_variance: Floats  # (N,) annual, positive
    group_ix: Index  # (N,) number ≥ 0 of the substantially identical group; equal = one group


class Problems(NamedTuple):
    """A accounts with n names, L lots and R rows in all, as concatenated columns.

    The names of account a are positions names_from[a] to names_from[a+1]: every asset that the
    account holds, may buy or has in its benchmark, each once, in any order. The lots of name i
    (position in the concatenation) are positions lots_from[i] to lots_from[i+1]. The rows of
    account a are positions rows_from[a] to rows_from[a+1].
    """

    # Per account: shape A, and offsets into the names and rows.
    names_from: Ints  # (A+1,)
    rows_from: Ints  # (A+1,)
    value_usd: Floats  # positive; an account of no value gets status EMPTY
    risk_price: Floats  # κ > 0: cost of a unit of half variance; TE of 1 % at κ=100 costs 50 bp
    cash: Floats  # weight of cash before trading; Σ held + cash is the whole, normally 1
    cash_min: Floats  # band for cash after trading
    cash_max: Floats
    trade_min: Floats  # smallest weight traded in one name, 0 = none
    ticket_charge: Floats  # per name traded
    lot_charge: Floats  # per lot sold from

    # Per name: shape n, and offsets into the lots.
    lots_from: Ints  # (n+1,)
    asset_ix: Index  # position in `Market`
    benchmark: Floats  # b
    held: Floats  # weight before trading, ≥ Σ of the name's lots; the rest cannot be sold
    weight_min: Floats  # limits of the weight after trading; 0 and 1 when there are none
    weight_max: Floats
    may_buy: Bools
    may_sell: Bools
    utility: Floats  # u: worth of a unit of weight, from tilts; 0 without
    half_spread: Floats  # cost per unit of weight sold or bought, impact included
    wash_exposed: Floats  # the first weight bought that washes an earlier loss, 0 = none
    wash_cost: Floats  # per unit of that weight; infinite: the name is blocked for purchase
    young: Floats  # weight bought lately; above 0 the name's loss lots are not sold
    step: Floats  # weight of the smallest tradable fraction of a share, 0 = continuous

    # Per lot: shape L.
    lot_weight: Floats
    lot_tax: Floats  # tax per unit of weight sold: (rate × gain − value of basis gained) / lot
    #                  value, with the loss value applied; negative when selling saves tax
    lot_is_loss: Bools  # a sale realises a loss that a purchase would wash
    lot_sellable: Bools

    # Per row: shape R, row_lower ≤ Σ coefficient × w ≤ row_upper, and the entries of each.
    entries_from: Ints  # (R+1,)
    row_lower: Floats  # −inf for none
    row_upper: Floats  # +inf for none
    row_price: Floats  # cost per unit of violation
    entry_name: Index  # position of the name inside its account, from 0
    entry_coefficient: Floats

    @property
    def n_accounts(self) -> int:
        """How many accounts these columns describe."""
        return len(self.names_from) - 1

    def account(self, a: int) -> Problems:
        """The problem of one account, as a batch of one; its columns are views."""
        return self.accounts(a, a + 1)

    def accounts(self, first: int, last: int) -> Problems:
        """The problems of the accounts from `first` up to but without `last`, as views."""
        names = slice(int(self.names_from[first]), int(self.names_from[last]))
        rows = slice(int(self.rows_from[first]), int(self.rows_from[last]))
        lots = slice(int(self.lots_from[names.start]), int(self.lots_from[names.stop]))
        entries = slice(int(self.entries_from[rows.start]), int(self.entries_from[rows.stop]))
        parts = {"names_from": slice(first, last + 1), "rows_from": slice(first, last + 1)}
        parts |= {"lots_from": slice(names.start, names.stop + 1)}
        parts |= {"entries_from": slice(rows.start, rows.stop + 1)}
        parts |= {column: slice(first, last) for column in ACCOUNT_COLUMNS}
        parts |= dict.fromkeys(NAME_COLUMNS, names)
        parts |= dict.fromkeys(LOT_COLUMNS, lots)
        parts |= dict.fromkeys(ROW_COLUMNS, rows)
        parts |= dict.fromkeys(ENTRY_COLUMNS, entries)
        columns = {column: getattr(self, column)[part] for column, part in parts.items()}
        for offsets in OFFSETS:
            columns[offsets] = columns[offsets] - columns[offsets][0]
        return Problems(**columns)


OFFSETS = ("names_from", "rows_from", "lots_from", "entries_from")
ACCOUNT_COLUMNS = (
    "value_usd", "risk_price", "cash", "cash_min", "cash_max", "trade_min", "ticket_charge", "lot_charge",
)  # fmt: skip
NAME_COLUMNS = (
    "asset_ix", "benchmark", "held", "weight_min", "weight_max", "may_buy", "may_sell", "utility",
    "half_spread", "wash_exposed", "wash_cost", "young", "step",
)  # fmt: skip
LOT_COLUMNS = ("lot_weight", "lot_tax", "lot_is_loss", "lot_sellable")
ROW_COLUMNS = ("row_lower", "row_upper", "row_price")
ENTRY_COLUMNS = ("entry_name", "entry_coefficient")


class SolveOptions(NamedTuple):
    """How far to go, and what a relaxation costs per unit of weight."""

    gap_bps: float = 0.3  # stop the branch search at this gap
    solves_max: int = 6  # branch choices tried per account; a count, so that answers replay
    cash_price: float = 10.0  # per unit of weight by which cash leaves its band
    limit_price: float = 5.0  # per unit of weight by which a name stays outside its limits


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
        "names_from": len(problems.asset_ix),
        "rows_from": len(problems.row_lower),
        "lots_from": len(problems.lot_weight),
        "entries_from": len(problems.entry_name),
    }
    for offsets, end in ends.items():
        column = getattr(problems, offsets)
        assert column[0] == 0, offsets
        assert column[-1] == end, offsets
        assert (np.diff(column) >= 0).all(), offsets
    assert len(problems.rows_from) == len(problems.names_from)
    sizes = (
        (ACCOUNT_COLUMNS, problems.n_accounts),
        (NAME_COLUMNS, len(problems.lots_from) - 1),
        (LOT_COLUMNS, ends["lots_from"]),
        (ROW_COLUMNS, len(problems.entries_from) - 1),
        (ENTRY_COLUMNS, ends["entries_from"]),
    )
    for columns, size in sizes:
        for name in columns:
            column = getattr(problems, name)
            assert column.shape == (size,), name
            expected = _TYPES.get(name, np.float64)
            assert column.dtype == expected, f"{name} is {column.dtype}, not {expected.__name__}"
    if len(problems.asset_ix):
        assert 0 <= problems.asset_ix.min() <= problems.asset_ix.max() < n_assets


_TYPES: dict[str, type[np.generic]] = {
    "asset_ix": np.int32,
    "may_buy": np.bool_,
    "may_sell": np.bool_,
    "lot_is_loss": np.bool_,
    "lot_sellable": np.bool_,
    "entry_name": np.int32,
}
