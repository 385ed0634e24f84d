"""One taxpayer's sales of a year in both views, and why the broker's figures differ from ours.

Law: 26 U.S.C. §6045(g)(2)(B)(ii) [P]: the broker looks at one account and one security; §1091 looks
at the household and at what is substantially identical. The reasons: docs/law/broker-view.md.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import IntEnum

import numpy as np

from allotment.units import Bools, Codes, Dates, Index, Ints, pro_rata

ROUNDING_CENTS = 2


class Reason(IntEnum):
    """Why the broker reports something else; of several, the greatest is told."""

    NONE = 0
    ORDER_OF_MATCHING = 1  # another lot of the same account and security took the loss
    ROUNDING = 2
    HOLDING_METHOD = 3
    SAME_ORDER = 4
    NONCOVERED = 5
    CUSIP_CHANGE = 6
    IDENTICAL_GROUP = 7
    CROSS_ACCOUNT = 8
    SPOUSE = 9
    IRA = 10

    @property
    def label(self) -> str:
        """As tables print it."""
        return _LABELS[self]


_LABELS = {
    Reason.NONE: "",
    Reason.ORDER_OF_MATCHING: "order of matching",
    Reason.ROUNDING: "rounding",
    Reason.HOLDING_METHOD: "hp method",
    Reason.SAME_ORDER: "same-order choice",
    Reason.NONCOVERED: "noncovered",
    Reason.CUSIP_CHANGE: "CUSIP change",
    Reason.IDENTICAL_GROUP: "SI group",
    Reason.CROSS_ACCOUNT: "cross-account",
    Reason.SPOUSE: "spouse",
    Reason.IRA: "IRA",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SalesView:
    """Disposals and wash links under one reading of who counts. `lot` and `sale` number lots and
    sales in the same way in both views. Disposals of shape (n,), links of shape (n_links,)."""

    account_ix: Index
    sale: Ints
    lot: Ints
    security_id: Ints
    acquired: Dates
    sold: Dates
    quantity_nano: Ints
    proceeds_cents: Ints
    basis_cents: Ints
    disallowed_cents: Ints
    long_term: Codes
    covered: Codes
    link_row: Ints  # the disposal whose loss is disallowed
    link_account_ix: Index
    link_lot: Ints  # the replacement
    link_security_id: Ints

    def __len__(self) -> int:
        return int(self.sale.shape[0])


@dataclass(frozen=True, slots=True, kw_only=True)
class Owners:
    """Whose accounts, and which securities are one paper under two names.

    taxpayer, taxable: (n_accounts,); paper: security id -> id of the paper, where it differs.
    """

    taxpayer: Index
    taxable: Codes
    paper: dict[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportedSales:
    """Sales of one taxpayer and year, one row a lot and term, shape (n_sales,).

    `broker_…` is what the 1099-B shows for the same shares.
    """

    account_ix: Index
    sale: Ints  # id of the sale
    security_id: Ints
    acquired: Dates
    sold: Dates
    quantity_nano: Ints
    proceeds_cents: Ints
    basis_cents: Ints
    disallowed_cents: Ints
    long_term: Codes
    covered: Codes  # 1: the broker reports the basis
    reported: Codes  # 1: there is a 1099-B
    broker_basis_cents: Ints
    broker_disallowed_cents: Ints
    broker_long_term: Codes

    def __len__(self) -> int:
        return int(self.sale.shape[0])

    def take(self, rows: Ints | Bools) -> ReportedSales:
        """The rows asked for."""
        return ReportedSales(**{part.name: getattr(self, part.name)[rows] for part in fields(self)})

    @property
    def gain_cents(self) -> Ints:
        """Recognised."""
        return self.proceeds_cents - self.basis_cents + self.disallowed_cents


@dataclass(frozen=True, slots=True, kw_only=True)
class YearOfSales:
    """`reasons[i]` (`Reason`) explains row i of `sales`."""

    sales: ReportedSales
    reasons: Codes


def year_of_sales(
    ours: SalesView, theirs: SalesView, owners: Owners, chosen: Bools, unreported: Bools
) -> YearOfSales:
    """The chosen disposals of `ours`, by sale and lot, beside what `theirs` has for the same shares.

    A lot that we sold with two terms has two rows, and the broker's figures are shared out by
    shares. chosen, unreported: masks over `ours`; of unreported sales there is no 1099-B.
    """
    rows = np.flatnonzero(chosen)
    key = np.stack([ours.account_ix[rows], ours.sale[rows], ours.lot[rows], ours.long_term[rows]])
    keys, first, at = np.unique(key, axis=1, return_index=True, return_inverse=True)
    at = at.ravel()
    n = keys.shape[1]
    mine = [_sums(at, column[rows], n) for column in _money(ours)]
    their_keys, their_at = np.unique(
        np.stack([theirs.account_ix, theirs.sale, theirs.lot]), axis=1, return_inverse=True
    )
    m = their_keys.shape[1]
    printed = [_sums(their_at.ravel(), column, m) for column in _money(theirs)]
    printed_long = np.zeros(m, np.int8)
    np.maximum.at(printed_long, their_at.ravel(), theirs.long_term)
    place = _places(their_keys, keys[:3])
    known = place >= 0
    safe = np.where(known, place, 0) if m else np.zeros(n, np.int64)
    quantity, proceeds, basis, disallowed = mine

    def of_theirs(column: Ints, own: Ints) -> Ints:
        if not m:
            return own
        whole = np.maximum(printed[0][safe], 1)
        shared = pro_rata(column[safe], np.minimum(quantity, whole), whole)
        # The second term of a lot gets what the first one left.
        second = np.zeros(n, np.bool_)
        second[1:] = (keys[:3, 1:] == keys[:3, :-1]).all(axis=0)
        at_second = np.flatnonzero(second)
        shared[at_second] = column[safe[at_second]] - shared[at_second - 1]
        return np.where(known, shared, own)

    there = rows[first]
    printed_term = printed_long[safe] if m else ours.long_term[there]
    sales = ReportedSales(
        account_ix=ours.account_ix[there],
        sale=ours.sale[there],
        security_id=ours.security_id[there],
        acquired=ours.acquired[there],
        sold=ours.sold[there],
        quantity_nano=quantity,
        proceeds_cents=proceeds,
        basis_cents=basis,
        disallowed_cents=disallowed,
        long_term=ours.long_term[there],
        covered=ours.covered[there],
        reported=(~unreported[there]).astype(np.int8),
        broker_basis_cents=of_theirs(printed[2], basis),
        broker_disallowed_cents=of_theirs(printed[3], disallowed),
        broker_long_term=np.where(known, printed_term, ours.long_term[there]).astype(np.int8),
    )
    return YearOfSales(sales=sales, reasons=_reasons(sales, keys[:3], ours, theirs, owners))


def _money(view: SalesView) -> tuple[Ints, Ints, Ints, Ints]:
    return view.quantity_nano, view.proceeds_cents, view.basis_cents, view.disallowed_cents


def _sums(at: Ints, amount: Ints, n: int) -> Ints:
    out = np.zeros(n, np.int64)
    np.add.at(out, at, amount)
    return out


def _places(keys: Ints, wanted: Ints) -> Ints:
    """Column of `keys` (sorted as np.unique does) for each column of `wanted`; -1 where none."""
    both, at = np.unique(np.concatenate([keys, wanted], axis=1), axis=1, return_inverse=True)
    place = np.full(both.shape[1], -1, np.int64)
    at = at.ravel()
    place[at[: keys.shape[1]]] = np.arange(keys.shape[1])
    found: Ints = place[at[keys.shape[1] :]]
    return found


def _reasons(sales: ReportedSales, keys: Ints, ours: SalesView, theirs: SalesView, owners: Owners) -> Codes:
    apart = np.maximum(
        abs(sales.basis_cents - sales.broker_basis_cents),
        abs(sales.disallowed_cents - sales.broker_disallowed_cents),
    )
    other_term = sales.long_term != sales.broker_long_term
    found = _crossings(keys, ours, theirs, owners)
    found = np.where(found > 0, found, np.where(sales.covered == 0, int(Reason.NONCOVERED), 0))
    small = np.where(apart <= ROUNDING_CENTS, int(Reason.ROUNDING), int(Reason.ORDER_OF_MATCHING))
    rest = np.where(other_term & (apart == 0), int(Reason.HOLDING_METHOD), small)
    differs = (apart > 0) | other_term
    reasons: Codes = np.where(differs, np.where(found > 0, found, rest), 0).astype(np.int8)
    return reasons


def _crossings(keys: Ints, ours: SalesView, theirs: SalesView, owners: Owners) -> Codes:
    """For each sale and lot (columns of `keys`), what crossed the broker's horizon: as the loss, or
    as the lot whose basis a loss had joined."""
    row = ours.link_row
    seller, buyer = ours.account_ix[row], ours.link_account_ix
    security, other = ours.security_id[row], ours.link_security_id
    renamed = np.array([owners.paper.get(int(s), int(s)) for s in security], np.int64) == np.array(
        [owners.paper.get(int(s), int(s)) for s in other], np.int64
    )
    unseen = ~_seen(ours, theirs)
    of_same_sale = np.isin(
        _pair(ours.sale[row], ours.link_lot), _pair(ours.sale, ours.lot)
    )  # the replacement left in the same order
    why = np.select(
        [
            owners.taxable[buyer] == 0,
            owners.taxpayer[seller] != owners.taxpayer[buyer],
            seller != buyer,
            (security != other) & renamed,
            security != other,
            unseen & of_same_sale,
            unseen,
        ],
        [
            Reason.IRA,
            Reason.SPOUSE,
            Reason.CROSS_ACCOUNT,
            Reason.CUSIP_CHANGE,
            Reason.IDENTICAL_GROUP,
            Reason.SAME_ORDER,
            Reason.ORDER_OF_MATCHING,
        ],
        Reason.NONE,
    ).astype(np.int8)
    as_loss = np.stack([seller, ours.sale[row], ours.lot[row]]).astype(np.int64)
    out = np.zeros(keys.shape[1], np.int8)
    at = _places(keys, as_loss)
    np.maximum.at(out, at[at >= 0], why[at >= 0])
    lots, index = np.unique(ours.link_lot, return_inverse=True)
    burden = np.zeros(len(lots), np.int8)
    np.maximum.at(burden, index, why)
    if len(lots):
        there = np.minimum(np.searchsorted(lots, keys[2]), len(lots) - 1)
        carried = np.where(lots[there] == keys[2], burden[there], 0)
        out = np.where(out > 0, out, carried).astype(np.int8)
    return out


def _seen(ours: SalesView, theirs: SalesView) -> Bools:
    """Which of our links the broker's books have too."""
    link, printed = (
        np.stack([view.sale[view.link_row], view.lot[view.link_row], view.link_lot])
        for view in (ours, theirs)
    )
    if not printed.shape[1]:
        return np.zeros(link.shape[1], np.bool_)
    return _places(np.unique(printed, axis=1), link) >= 0


def _pair(one: Ints, other: Ints) -> Ints:
    """Two columns of small numbers as one."""
    width = int(other.max(initial=0)) + 1
    return one * np.int64(2**31) + other if width < 2**31 else one * np.int64(width) + other
