"""Form 8949: which sales must be listed, in which box, with which codes and adjustment.

Law: Instructions for Form 8949 [S]: boxes A, D for sales whose basis was reported, B, E for those
whose basis was not, C, F where there is no 1099-B; codes B (basis of the 1099-B is wrong), T (its
term is wrong), W (wash sale), in alphabetical order; column (g) makes (d) - (e) + (g) our gain.
Exception 1: covered sales without adjustment need no row, their totals go on Schedule D lines 1a
and 8a. Exception 2: one row a box and broker, code M besides the others, with a statement.
Left out: digital assets (boxes G to L), market discount (D), nominees (N): none arises here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from allotment.tax.broker_view import ReportedSales
from allotment.units import Bools, Index, Ints

NOTICE = "No tax advice."
BOXES = ("A", "B", "C", "D", "E", "F")


@dataclass(frozen=True, slots=True, kw_only=True)
class Form8949:
    """Rows of the form, shape (n_rows,), columns (d) to (h)."""

    row: Ints  # of ReportedSales; -1 for a row that sums up an attached statement
    account_ix: Index
    box: tuple[str, ...]
    codes: tuple[str, ...]  # column (f)
    proceeds_cents: Ints  # (d)
    basis_cents: Ints  # (e)
    adjustment_cents: Ints  # (g)
    gain_cents: Ints  # (h)

    def __len__(self) -> int:
        return len(self.box)


def needs_row(sales: ReportedSales) -> Bools:
    """False where Exception 1 spares the row: covered, and the 1099-B is right and shows no wash
    sale."""
    right = (
        (sales.basis_cents == sales.broker_basis_cents)
        & (sales.disallowed_cents == 0)
        & (sales.broker_disallowed_cents == 0)
        & (sales.long_term == sales.broker_long_term)
    )
    listed: Bools = ~(right & (sales.covered == 1) & (sales.reported == 1))
    return listed


def form_8949(sales: ReportedSales) -> Form8949:
    """The rows that must be listed, in the order of `sales`."""
    return listed_rows(sales, np.flatnonzero(needs_row(sales)))


def listed_rows(sales: ReportedSales, listed: Ints) -> Form8949:
    """Rows of the form for the sales asked for, whether they must be listed or not."""
    mine = sales.take(listed)
    printed = (mine.covered == 1) & (mine.reported == 1)
    long = mine.long_term == 1
    # A covered sale keeps the printed basis and is put right in (g); of others the basis was
    # not reported, so the right one stands in (e).
    wrong_basis = printed & (mine.basis_cents != mine.broker_basis_cents)
    basis = np.where(printed, mine.broker_basis_cents, mine.basis_cents)
    proceeds, gain = mine.proceeds_cents, mine.gain_cents
    washed = (mine.disallowed_cents != 0) | (printed & (mine.broker_disallowed_cents != 0))
    wrong_term = printed & (mine.long_term != mine.broker_long_term)
    place = np.where(mine.reported == 0, 2, np.where(printed, 0, 1)) + 3 * long
    return Form8949(
        row=listed,
        account_ix=mine.account_ix,
        box=tuple(BOXES[i] for i in place.tolist()),
        codes=tuple(
            "B" * bool(b) + "T" * bool(t) + "W" * bool(w)
            for b, t, w in zip(wrong_basis, wrong_term, washed, strict=True)
        ),
        proceeds_cents=proceeds,
        basis_cents=basis,
        adjustment_cents=gain - (proceeds - basis),
        gain_cents=gain,
    )


def summed_up(form: Form8949) -> Form8949:
    """Exception 2: one row a box and broker (account), the rows themselves being the statement.

    Its codes are M and all that the rows have, in alphabetical order.
    """
    keys = sorted({(box, int(account)) for box, account in zip(form.box, form.account_ix, strict=True)})
    box = np.array(form.box, "U1")
    groups = [np.flatnonzero((box == one) & (form.account_ix == account)) for one, account in keys]

    def sums(column: Ints) -> Ints:
        return np.array([int(column[rows].sum()) for rows in groups], np.int64)

    return Form8949(
        row=np.full(len(keys), -1, np.int64),
        account_ix=np.array([account for _, account in keys], np.int32),
        box=tuple(one for one, _ in keys),
        codes=tuple("".join(sorted({"M", *(c for i in rows for c in form.codes[i])})) for rows in groups),
        proceeds_cents=sums(form.proceeds_cents),
        basis_cents=sums(form.basis_cents),
        adjustment_cents=sums(form.adjustment_cents),
        gain_cents=sums(form.gain_cents),
    )
