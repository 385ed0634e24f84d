"""Form 1099-B as the broker must report it, box by box.

Law: 26 U.S.C. §6045(g) [P]; Instructions for Form 1099-B [S]: one row a sale and lot; 1d net of selling
costs (box 6); 1e includes earlier additions of the same account and security; 1g the loss that
the broker's books disallow; box 5 for noncovered shares, whose basis and term are left blank.
Left out: 1f accrued market discount, 3 collectibles and QOF, 4 withholding, 7 change in control:
none arises from the shares that these books hold; they are printed empty.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from allotment.tax.broker_view import ReportedSales
from allotment.units import Bools, Codes, Dates, Index, Ints


@dataclass(frozen=True, slots=True, kw_only=True)
class Form1099B:
    """Rows of one taxpayer's forms of a year, ascending by account and sale. Shape (n_rows,)."""

    row: Ints  # of ReportedSales
    account_ix: Index  # one form an account
    security_id: Ints  # box 1a, with the quantity
    quantity_nano: Ints
    acquired: Dates  # box 1b
    sold: Dates  # box 1c
    proceeds_cents: Ints  # box 1d
    basis_cents: Ints  # box 1e, counts where `covered`
    disallowed_cents: Ints  # box 1g
    long_term: Codes  # box 2, counts where `covered`
    covered: Codes  # box 5 is its opposite, box 12 the same


def form_1099b(sales: ReportedSales) -> Form1099B:
    """What the brokers print for these sales; rows without a 1099-B are left out."""
    row = np.flatnonzero(sales.reported == 1)
    mine = sales.take(row)
    hidden: Bools = mine.covered == 0
    return Form1099B(
        row=row,
        account_ix=mine.account_ix,
        security_id=mine.security_id,
        quantity_nano=mine.quantity_nano,
        acquired=mine.acquired,
        sold=mine.sold,
        proceeds_cents=mine.proceeds_cents,
        basis_cents=np.where(hidden, 0, mine.broker_basis_cents),
        disallowed_cents=np.where(hidden, 0, mine.broker_disallowed_cents),
        long_term=np.where(hidden, 0, mine.broker_long_term).astype(np.int8),
        covered=mine.covered,
    )
