"""What a trade would do to the books, found by posting it: the same fold, on the streams it touches.

Law: all of `tax.fold`. `tax.pretrade` gives the columns that screens and the optimiser read; a
property test holds both to what is found here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from allotment.tax.correction import Correction, corrections
from allotment.tax.identical import IdenticalGroups
from allotment.tax.recompute import Book, Refolded, refold
from allotment.tax.transactions import FoldPolicy, TaxAccounts, Transactions
from allotment.units import Ints


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """What comes of transactions that are only thought of."""

    after: Refolded
    corrections: tuple[Correction, ...]  # everything that would change, their own sales included
    washed_nano: int  # shares of losses that would be disallowed, in shares of the loss lots
    deferred_cents: int  # disallowed, and added to a basis
    permanent_cents: int  # disallowed for good


def what_if(
    book: Book,
    transactions: Transactions,
    ids: Ints,
    accounts: TaxAccounts,
    groups: IdenticalGroups,
    policy: FoldPolicy,
) -> Effect:
    """Post and look. `transactions` and `ids`: those of the book and the ones thought of, in order.

    Nothing is kept: `book` stays as it is.
    """
    after = refold(book, transactions, ids, accounts, groups, policy)
    before_links, links = book.folded.links, after.book.folded.links
    more = [
        int(column(links).sum()) - int(column(before_links).sum())
        for column in (
            lambda x: x.sold_nano,
            lambda x: np.where(x.permanent == 0, x.amount_cents, 0),
            lambda x: np.where(x.permanent == 1, x.amount_cents, 0),
        )
    ]
    return Effect(
        after=after,
        corrections=corrections(book, after.book, after.changed_ids.tolist()),
        washed_nano=more[0],
        deferred_cents=more[1],
        permanent_cents=more[2],
    )
