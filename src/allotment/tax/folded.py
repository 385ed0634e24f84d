"""What the fold gives: lots, disposals, links, problems and the conservation of money."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from allotment.compiled import inner, kernel
from allotment.tax import pieces as c
from allotment.tax.pieces import Books, Matrix
from allotment.units import Codes, Dates, Index, Ints

_NOT_A_DAY = -(2**63)  # NaT as NumPy stores it


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
    covered: Codes  # 1: the broker reports the basis
    open_nano: Ints


@dataclass(frozen=True, slots=True, kw_only=True)
class FoldedLinks:
    """Matches of losses with replacements, ascending by disposal. Shape (n_links,)."""

    disposal_ix: Ints
    account_ix: Index
    security_ix: Index
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


class _LotColumns(NamedTuple):
    account: Index
    sleeve: Index
    security: Index
    side: Codes
    origin: Ints
    quantity: Ints
    basis: Ints
    loss_basis: Ints
    acquired: Ints
    holding: Ints
    purchased: Ints
    purchase_id: Ints
    absorbed: Codes
    covered: Codes
    basis_state: Codes


class _DisposalColumns(NamedTuple):
    sale: Ints
    account: Index
    security: Index
    origin: Ints
    day: Ints
    quantity: Ints
    proceeds: Ints
    basis: Ints
    disallowed: Ints
    permanent: Ints
    gain: Ints
    long_term: Codes
    acquired: Ints
    holding: Ints
    purchase_id: Ints
    taxable: Codes
    covered: Codes
    open_: Ints


@inner
def _day(day: int) -> int:
    return _NOT_A_DAY if day == c.NO_DAY else day


@kernel
def _write_lots(lot: Matrix, order: Ints, out: _LotColumns) -> None:
    for i in range(order.shape[0]):
        r = order[i]
        out.account[i], out.sleeve[i], out.security[i] = (
            lot[r, c.ACCOUNT],
            lot[r, c.SLEEVE],
            lot[r, c.SECURITY],
        )
        out.side[i] = -1 if lot[r, c.STATUS] == c.SHORT else 1
        out.origin[i], out.quantity[i] = lot[r, c.ORIGIN], lot[r, c.QUANTITY]
        out.basis[i], out.loss_basis[i] = lot[r, c.BASIS], lot[r, c.LOSS_BASIS]
        out.acquired[i], out.holding[i] = _day(lot[r, c.ACQUIRED]), _day(lot[r, c.HOLDING])
        out.purchased[i], out.purchase_id[i] = _day(lot[r, c.PURCHASED]), lot[r, c.PURCHASE_ID]
        out.absorbed[i], out.covered[i] = lot[r, c.ABSORBED], lot[r, c.COVERED]
        out.basis_state[i] = lot[r, c.BASIS_STATE]


@kernel
def _write_disposals(row: Matrix, order: Ints, out: _DisposalColumns) -> None:
    for i in range(order.shape[0]):
        r = order[i]
        out.sale[i], out.account[i], out.security[i] = (
            row[r, c.R_SALE],
            row[r, c.R_ACCOUNT],
            row[r, c.R_SECURITY],
        )
        out.origin[i], out.day[i], out.quantity[i] = (
            row[r, c.R_ORIGIN],
            _day(row[r, c.R_DAY]),
            row[r, c.R_QUANTITY],
        )
        out.proceeds[i], out.basis[i] = row[r, c.R_PROCEEDS], row[r, c.R_BASIS]
        out.disallowed[i], out.permanent[i] = row[r, c.R_DISALLOWED], row[r, c.R_PERMANENT]
        out.gain[i] = row[r, c.R_PROCEEDS] - row[r, c.R_BASIS] + row[r, c.R_DISALLOWED]
        out.long_term[i], out.taxable[i] = row[r, c.R_LONG], row[r, c.R_TAXABLE]
        out.covered[i] = row[r, c.R_COVERED]
        out.acquired[i], out.holding[i] = _day(row[r, c.R_ACQUIRED]), _day(row[r, c.R_HOLDING])
        out.purchase_id[i], out.open_[i] = row[r, c.R_PURCHASE_ID], row[r, c.R_OPEN]


def _empty(n: int, kinds: Iterable[type]) -> Iterator[Any]:
    return (np.empty(n, kind) for kind in kinds)


def _lots(lot: Matrix, order: Ints) -> OpenLots:
    wide, small = np.int64, np.int8
    kinds = (*(np.int32,) * 3, small, *(wide,) * 8, *(small,) * 3)
    out = _LotColumns(*_empty(order.shape[0], kinds))
    _write_lots(lot, order, out)
    return OpenLots(
        account_ix=out.account,
        sleeve_ix=out.sleeve,
        security_ix=out.security,
        side=out.side,
        origin_row=out.origin,
        quantity_nano=out.quantity,
        basis_cents=out.basis,
        loss_basis_cents=out.loss_basis,
        acquired=out.acquired.view("M8[D]"),
        holding_from=out.holding.view("M8[D]"),
        purchased=out.purchased.view("M8[D]"),
        purchase_id=out.purchase_id,
        absorbed=out.absorbed,
        covered=out.covered,
        basis_state=out.basis_state,
    )


def _disposals(row: Matrix, order: Ints) -> FoldedDisposals:
    wide, small = np.int64, np.int8
    kinds = (wide, np.int32, np.int32, *(wide,) * 8, small, *(wide,) * 3, small, small, wide)
    out = _DisposalColumns(*_empty(order.shape[0], kinds))
    _write_disposals(row, order, out)
    return FoldedDisposals(
        sale_row=out.sale,
        account_ix=out.account,
        security_ix=out.security,
        origin_row=out.origin,
        day=out.day.view("M8[D]"),
        quantity_nano=out.quantity,
        proceeds_cents=out.proceeds,
        basis_cents=out.basis,
        disallowed_cents=out.disallowed,
        permanent_cents=out.permanent,
        gain_cents=out.gain,
        long_term=out.long_term,
        acquired=out.acquired.view("M8[D]"),
        holding_from=out.holding.view("M8[D]"),
        purchase_id=out.purchase_id,
        taxable=out.taxable,
        covered=out.covered,
        open_nano=out.open_,
    )


def _links(link: Matrix, link_row: Ints, order: Ints) -> FoldedLinks:
    return FoldedLinks(
        disposal_ix=link_row[order],
        account_ix=link[order, c.L_ACCOUNT].astype(np.int32),
        security_ix=link[order, c.L_SECURITY].astype(np.int32),
        origin_row=link[order, c.L_ORIGIN],
        quantity_nano=link[order, c.L_QUANTITY],
        sold_nano=link[order, c.L_SOLD],
        amount_cents=link[order, c.L_AMOUNT],
        permanent=link[order, c.L_PERMANENT].astype(np.int8),
        matched=link[order, c.L_DAY].view("M8[D]"),
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
