"""The lots that a sale closed in one set of books, named for another.

Law: the tax truth is the identification that the broker confirmed (Reg. §1.1012-1(c)(1), (8)
[S]/[M]): the broker's and the taxpayer's books must close the same lots, though basis and holding
period, which some methods look at, differ between them.
"""

from __future__ import annotations

import numpy as np

from allotment.compiled import kernel
from allotment.tax.folded import Folded
from allotment.tax.transactions import Kind, LotMethod, NamedLots, TaxAccounts, Transactions
from allotment.units import Ints


def confirmed_lots(transactions: Transactions, accounts: TaxAccounts, folded: Folded) -> NamedLots:
    """Named lots of the transactions, and for every sale whose method looks at basis or holding
    period, those that `folded` relieved. First-in and last-in pick the same lots in any books."""
    rows = transactions
    method = np.where(rows.method >= 0, rows.method, accounts.method[rows.account_ix])
    by_date = (method == LotMethod.FIFO) | (method == LotMethod.LIFO)
    same = by_date & (accounts.fifo_by_holding[rows.account_ix] == 0)
    named_count = np.diff(rows.named.start)
    asks = (rows.kind == Kind.SELL) & ~same & (named_count == 0)
    sold = folded.disposals
    picked = asks[sold.sale_row]
    if not picked.any():
        return rows.named
    pairs = np.stack([sold.sale_row[picked], sold.origin_row[picked]], axis=1)
    lots, at = np.unique(pairs, axis=0, return_inverse=True)
    quantity = np.zeros(len(lots), np.int64)
    _add_by(at.ravel(), sold.quantity_nano[picked], quantity)
    count = named_count + np.bincount(lots[:, 0], minlength=len(rows))
    start = np.concatenate([[0], np.cumsum(count)])
    row, named_quantity = np.empty(int(start[-1]), np.int64), np.empty(int(start[-1]), np.int64)
    is_new = np.repeat(asks, count)
    row[is_new], named_quantity[is_new] = lots[:, 1], quantity
    row[~is_new], named_quantity[~is_new] = rows.named.row, rows.named.quantity_nano
    return NamedLots(start=start, row=row, quantity_nano=named_quantity)


@kernel
def _add_by(at: Ints, amount: Ints, out: Ints) -> None:
    for i in range(at.shape[0]):
        out[at[i]] += amount[i]
