"""The lots that a sale closed in one set of books, named for another.

Law: the tax truth is the identification that the broker confirmed (Reg. §1.1012-1(c)(1), (8)
[S]/[M]): the broker's and the taxpayer's books must close the same lots, though basis and holding
period, which some methods look at, differ between them.
"""

from __future__ import annotations

import numpy as np

from allotment.compiled import kernel
from allotment.tax.folded import Folded
from allotment.tax.pieces import Matrix
from allotment.tax.transactions import Kind, LotMethod, NamedLots, TaxAccounts, Transactions
from allotment.units import Bools, Dates, Index, Ints


def confirmed_lots(transactions: Transactions, accounts: TaxAccounts, folded: Folded) -> NamedLots:
    """Named lots of the transactions, and for every sale whose method looks at basis or holding
    period, those that `folded` relieved, fill by fill. First-in and last-in pick the same lots in
    any books, but of fills of one purchase what has replaced no loss; at several prices it matters."""
    rows = transactions
    method = np.where(rows.method >= 0, rows.method, accounts.method[rows.account_ix])
    by_date = (method == LotMethod.FIFO) | (method == LotMethod.LIFO)
    same = by_date & (accounts.fifo_by_holding[rows.account_ix] == 0)
    sold = folded.disposals
    same[sold.sale_row[_in_unlike_fills(rows)[sold.origin_row]]] = False
    named_count = np.diff(rows.named.start)
    asks = (rows.kind == Kind.SELL) & ~same & (named_count == 0)
    picked = asks[sold.sale_row]
    if not picked.any():
        return rows.named
    pairs = np.stack([sold.sale_row[picked], sold.origin_row[picked]], axis=1)
    lots, at = np.unique(pairs, axis=0, return_inverse=True)
    quantity = np.zeros(len(lots), np.int64)
    _add_by(at.ravel(), sold.quantity_nano[picked], quantity)
    sale, lot, quantity = _by_fill(rows, lots[:, 0], lots[:, 1], quantity)
    is_asked = np.bincount(sale, minlength=len(rows))
    count = named_count + is_asked
    start = np.concatenate([[0], np.cumsum(count)])
    row, named_quantity = np.empty(int(start[-1]), np.int64), np.empty(int(start[-1]), np.int64)
    is_new = np.repeat(is_asked > 0, count)
    row[is_new], named_quantity[is_new] = lot, quantity
    row[~is_new], named_quantity[~is_new] = rows.named.row, rows.named.quantity_nano
    return NamedLots(start=start, row=row, quantity_nano=named_quantity)


def _by_order(rows: Transactions, some: Ints) -> tuple[Ints, Ints]:
    """`some` rows, those of one order, account, security and day one behind the other, and where each
    such order begins."""
    columns: list[Ints | Index | Dates] = [rows.order_id, rows.account_ix, rows.security_ix, rows.day]
    by_order = some[np.lexsort([some, *(column[some] for column in columns)])]
    is_new = np.ones(len(some), bool)
    if len(some):
        is_new[1:] = np.any([column[by_order[1:]] != column[by_order[:-1]] for column in columns], axis=0)
    return by_order, np.flatnonzero(is_new)


def _in_unlike_fills(rows: Transactions) -> Bools:
    """True for each fill of a purchase whose fills are not all at one price."""
    bought = np.flatnonzero(np.isin(rows.kind, (Kind.BUY, Kind.REINVEST)) & (rows.order_id > 0))
    unlike = np.zeros(len(rows), bool)
    if len(bought):
        fills, begins = _by_order(rows, bought)
        price = rows.amount_cents[fills] / np.maximum(rows.quantity_nano[fills], 1)
        differs = np.minimum.reduceat(price, begins) < np.maximum.reduceat(price, begins)
        unlike[fills] = np.repeat(differs, np.diff(np.append(begins, len(fills))))
    return unlike


def _by_fill(rows: Transactions, sale: Ints, lot: Ints, quantity: Ints) -> tuple[Ints, Ints, Ints]:
    """What orders closed, told by their first fills (`tax.fills`), shared out among all their fills.
    sale: ascending."""
    in_fills = np.flatnonzero((rows.kind == Kind.SELL) & (rows.order_id > 0))
    if not len(in_fills):
        return sale, lot, quantity
    fills, begins = _by_order(rows, in_fills)
    out = np.empty((len(sale) + len(fills), 3), np.int64)
    start = np.searchsorted(sale, np.arange(len(rows) + 1))
    is_new = np.zeros(len(fills), bool)
    is_new[begins] = True
    n = _share_out(fills, is_new, rows.quantity_nano, start, lot, quantity, out)
    alone = rows.order_id[sale] <= 0
    told = np.concatenate([np.stack([sale, lot, quantity], axis=1)[alone], out[:n]])
    told = told[np.argsort(told[:, 0], kind="stable")]
    return told[:, 0], told[:, 1], told[:, 2]


@kernel
def _share_out(
    fills: Ints, is_new: Bools, shares: Ints, start: Ints, lot: Ints, quantity: Ints, out: Matrix
) -> int:
    """Fill `out` with (fill, lot, shares): a fill that closed no lots itself takes up what is left of
    those of the fill before. Returns how many."""
    n, at, end, left = 0, 0, 0, 0
    for i in range(fills.shape[0]):
        r = fills[i]
        if is_new[i] or start[r + 1] > start[r]:
            at, end = start[r], start[r + 1]
            left = quantity[at] if at < end else 0
        room = shares[r]
        while at < end and room > 0:
            here = min(room, left)
            out[n, 0], out[n, 1], out[n, 2] = r, lot[at], here
            n += 1
            room -= here
            left -= here
            if left == 0:
                at += 1
                left = quantity[at] if at < end else 0
    return n


@kernel
def _add_by(at: Ints, amount: Ints, out: Ints) -> None:
    for i in range(at.shape[0]):
        out[at[i]] += amount[i]
