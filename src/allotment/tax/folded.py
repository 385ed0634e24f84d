"""What the fold gives: lots, disposals, links, problems and the conservation of money."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from allotment.compiled import kernel
from allotment.tax import pieces as c
from allotment.tax.pieces import Books, Matrix
from allotment.units import Codes, Dates, Index, Ints


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenLots:
    """Pieces still held, ascending by account, family of securities (its first
    member), security, acquisition. Shape (n_lots,)."""

    account_ix: Index
    sleeve_ix: Index
    security_ix: Index
    side: Codes  # +1 held, -1 short; the basis of a short is its proceeds
    origin_row: Ints  # transaction that made the lot
    quantity_nano: Ints
    basis_cents: Ints
    loss_basis_cents: Ints
    acquired: Dates
    holding_from: Dates
    purchased: Dates
    purchase_id: Ints
    absorbed: Codes
    covered: Codes
    basis_state: Codes


@dataclass(frozen=True, slots=True, kw_only=True)
class FoldedDisposals:
    """Pieces disposed of, ascending by account, then row of the sale. Shape (n_disposals,).

    Columns as `ledger.fold.Disposals`, with rows of the transactions in place of event ids.
    """

    sale_row: Ints
    account_ix: Index
    security_ix: Index
    origin_row: Ints
    day: Dates
    quantity_nano: Ints
    proceeds_cents: Ints
    basis_cents: Ints
    disallowed_cents: Ints
    permanent_cents: Ints
    gain_cents: Ints
    long_term: Codes
    acquired: Dates
    holding_from: Dates
    purchase_id: Ints
    taxable: Codes
    open_nano: Ints


@dataclass(frozen=True, slots=True, kw_only=True)
class FoldedLinks:
    """Matches of losses with replacements, ascending by disposal. Shape (n_links,)."""

    disposal_ix: Ints
    account_ix: Index
    origin_row: Ints
    quantity_nano: Ints
    sold_nano: Ints
    amount_cents: Ints
    permanent: Codes
    matched: Dates


@dataclass(frozen=True, slots=True, kw_only=True)
class FoldProblems:
    """Transactions left out, ascending by row. Shape (n_problems,)."""

    row: Ints
    code: Codes  # ProblemCode
    wanted_nano: Ints
    held_nano: Ints


@dataclass(frozen=True, slots=True, kw_only=True)
class Conservation:
    """The identity of docs/law/numbers.md in cents; row 0 inside IRAs, row 1 taxable."""

    recognised: Ints
    proceeds: Ints
    received: Ints
    held: Ints
    given: Ints
    permanent: Ints
    no_effect: Ints

    def difference(self) -> Ints:
        """Recognised gain less what the identity says it is: zero, to the cent."""
        expected = self.proceeds - self.received + self.held + self.given + self.permanent + self.no_effect
        return self.recognised - expected


@dataclass(frozen=True, slots=True, kw_only=True)
class Folded:
    """What follows from the transactions."""

    lots: OpenLots
    disposals: FoldedDisposals
    links: FoldedLinks
    problems: FoldProblems
    conservation: Conservation


def _dates(days: Ints) -> Dates:
    return np.where(days == c.NO_DAY, np.datetime64("NaT", "D"), days.astype("M8[D]"))


def folded_of(b: Books, lot: Matrix, n_transactions: int, n_accounts: int) -> Folded:
    """The books of all streams as columns, in an order that does not depend on the streams'."""
    n_rows, n_links, n_problems = (int(b.counts[i]) for i in (c.N_ROWS, c.N_LINKS, c.N_PROBLEMS))
    row, link = b.row[:n_rows], b.link[:n_links]
    problem = b.problem[:n_problems]
    by_account = _stable_order(lot[:, c.ACCOUNT], n_accounts)
    by_sale = _stable_order(row[:, c.R_SALE], n_transactions)
    by_sale = by_sale[_stable_order(row[by_sale, c.R_ACCOUNT], n_accounts)]
    place = np.empty(n_rows, np.int64)
    place[by_sale] = np.arange(n_rows)
    link_row = place[link[:, c.L_ROW]]
    by_disposal = _stable_order(link_row, n_rows)
    problem = problem[np.argsort(problem[:, c.P_ROW], kind="stable")]
    flow = b.flow
    return Folded(
        lots=_lots(lot, by_account),
        disposals=_disposals(row, by_sale),
        links=_links(link, link_row, by_disposal),
        problems=FoldProblems(
            row=problem[:, c.P_ROW],
            code=problem[:, c.P_CODE].astype(np.int8),
            wanted_nano=problem[:, c.P_WANTED],
            held_nano=problem[:, c.P_HELD],
        ),
        conservation=Conservation(
            recognised=flow[:, c.F_RECOGNISED],
            proceeds=flow[:, c.F_PROCEEDS],
            received=flow[:, c.F_RECEIVED],
            held=flow[:, c.F_HELD],
            given=flow[:, c.F_GIVEN],
            permanent=flow[:, c.F_PERMANENT],
            no_effect=flow[:, c.F_NO_EFFECT],
        ),
    )


def _lots(lot: Matrix, order: Ints) -> OpenLots:
    columns = _columns(lot, order)

    def column(i: int) -> Ints:
        taken: Ints = columns[i]
        return taken

    return OpenLots(
        account_ix=column(c.ACCOUNT).astype(np.int32),
        sleeve_ix=column(c.SLEEVE).astype(np.int32),
        security_ix=column(c.SECURITY).astype(np.int32),
        side=np.where(column(c.STATUS) == c.SHORT, -1, 1).astype(np.int8),
        origin_row=column(c.ORIGIN),
        quantity_nano=column(c.QUANTITY),
        basis_cents=column(c.BASIS),
        loss_basis_cents=column(c.LOSS_BASIS),
        acquired=_dates(column(c.ACQUIRED)),
        holding_from=_dates(column(c.HOLDING)),
        purchased=_dates(column(c.PURCHASED)),
        purchase_id=column(c.PURCHASE_ID),
        absorbed=column(c.ABSORBED).astype(np.int8),
        covered=column(c.COVERED).astype(np.int8),
        basis_state=column(c.BASIS_STATE).astype(np.int8),
    )


def _disposals(row: Matrix, order: Ints) -> FoldedDisposals:
    columns = _columns(row, order)

    def column(i: int) -> Ints:
        taken: Ints = columns[i]
        return taken

    proceeds, basis, disallowed = column(c.R_PROCEEDS), column(c.R_BASIS), column(c.R_DISALLOWED)
    return FoldedDisposals(
        sale_row=column(c.R_SALE),
        account_ix=column(c.R_ACCOUNT).astype(np.int32),
        security_ix=column(c.R_SECURITY).astype(np.int32),
        origin_row=column(c.R_ORIGIN),
        day=_dates(column(c.R_DAY)),
        quantity_nano=column(c.R_QUANTITY),
        proceeds_cents=proceeds,
        basis_cents=basis,
        disallowed_cents=disallowed,
        permanent_cents=column(c.R_PERMANENT),
        gain_cents=proceeds - basis + disallowed,
        long_term=column(c.R_LONG).astype(np.int8),
        acquired=_dates(column(c.R_ACQUIRED)),
        holding_from=_dates(column(c.R_HOLDING)),
        purchase_id=column(c.R_PURCHASE_ID),
        taxable=column(c.R_TAXABLE).astype(np.int8),
        open_nano=column(c.R_OPEN),
    )


def _links(link: Matrix, link_row: Ints, order: Ints) -> FoldedLinks:
    return FoldedLinks(
        disposal_ix=link_row[order],
        account_ix=link[order, c.L_ACCOUNT].astype(np.int32),
        origin_row=link[order, c.L_ORIGIN],
        quantity_nano=link[order, c.L_QUANTITY],
        sold_nano=link[order, c.L_SOLD],
        amount_cents=link[order, c.L_AMOUNT],
        permanent=link[order, c.L_PERMANENT].astype(np.int8),
        matched=_dates(link[order, c.L_DAY]),
    )


def _stable_order(keys: Ints, n_keys: int) -> Ints:
    """Positions that sort small keys, equal ones in their order. Linear."""
    order = np.empty(keys.shape[0], np.int64)
    _count_sort(np.ascontiguousarray(keys), np.zeros(n_keys + 1, np.int64), order)
    return order


@kernel
def _count_sort(keys: Ints, place: Ints, order: Ints) -> None:
    for i in range(keys.shape[0]):
        place[keys[i] + 1] += 1
    for k in range(1, place.shape[0]):
        place[k] += place[k - 1]
    for i in range(keys.shape[0]):
        order[place[keys[i]]] = i
        place[keys[i]] += 1


def _columns(matrix: Matrix, order: Ints) -> Matrix:
    """The rows of the matrix in the order given, as columns: (n_columns, n_rows)."""
    out = np.empty((matrix.shape[1], order.shape[0]), np.int64)
    _transpose(matrix, order, out)
    return out


@kernel
def _transpose(matrix: Matrix, order: Ints, out: Matrix) -> None:
    # By blocks of rows that stay in the nearest cache while their columns are written.
    n_rows, n_columns = order.shape[0], matrix.shape[1]
    for first in range(0, n_rows, 64):
        last = min(first + 64, n_rows)
        for column in range(n_columns):
            for i in range(first, last):
                out[column, i] = matrix[order[i], column]
