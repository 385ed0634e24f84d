"""What the fold gives: lots, disposals, links, problems and the conservation of money."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

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
    sleeve_ix: Index  # that held the shares
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
    sleeve: Index
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


_WIDE, _SMALL = np.int64, np.int8
_LOT_TYPES = (*(np.int32,) * 3, _SMALL, *(_WIDE,) * 8, *(_SMALL,) * 3)
_DISPOSAL_TYPES = (_WIDE, *(np.int32,) * 3, *(_WIDE,) * 8, _SMALL, *(_WIDE,) * 3, _SMALL, _SMALL, _WIDE)
_Columns = TypeVar("_Columns", _LotColumns, _DisposalColumns)


class Harvest:
    """Columns that the parts of a book are written to, one part behind the other.

    Room is taken once, for what the first part lets expect; what is not used is never touched.
    """

    def __init__(self, n_transactions: int) -> None:
        self._n_transactions, self._n_seen = n_transactions, 0
        self._lots = _LotColumns(*_empty(0, _LOT_TYPES))
        self._sold = _DisposalColumns(*_empty(0, _DISPOSAL_TYPES))
        self._n_lots, self._n_sold = 0, 0
        self._links: list[Matrix] = []
        self._problems: list[Matrix] = []

    def bring_in(self, b: Books, lot: Matrix, rows: Ints) -> None:
        """What the transactions `rows` came to: the books, which name them by their place in `rows`,
        and the open pieces. The order of what is written does not depend on that of the streams."""
        n, n_links, n_problems = (int(b.counts[i]) for i in (c.N_ROWS, c.N_LINKS, c.N_PROBLEMS))
        self._n_seen += len(rows)
        row, link, problem = b.row[:n], b.link[:n_links], b.problem[:n_problems]
        self._lots = self._with_room(self._lots, _LOT_TYPES, self._n_lots, len(lot))
        _write_lots(lot, _stable_order(lot[:, c.ACCOUNT]), rows, self._lots, self._n_lots)
        self._n_lots += len(lot)
        by_sale = _stable_order(rows[row[:, c.R_SALE]])
        by_sale = by_sale[_stable_order(row[by_sale, c.R_ACCOUNT])]
        self._sold = self._with_room(self._sold, _DISPOSAL_TYPES, self._n_sold, n)
        _write_disposals(row, by_sale, rows, self._sold, self._n_sold)
        place = np.empty(n, np.int64)
        place[by_sale] = np.arange(self._n_sold, self._n_sold + n)
        link[:, c.L_ROW], link[:, c.L_ORIGIN] = place[link[:, c.L_ROW]], rows[link[:, c.L_ORIGIN]]
        self._links.append(link[np.argsort(link[:, c.L_ROW], kind="stable")])
        self._n_sold += n
        problem[:, c.P_ROW] = rows[problem[:, c.P_ROW]]
        self._problems.append(problem[np.argsort(problem[:, c.P_ROW], kind="stable")])

    def _with_room(self, columns: _Columns, types: Sequence[type], used: int, more: int) -> _Columns:
        if used + more <= columns.account.shape[0]:
            return columns
        expected = (used + more) * self._n_transactions // max(self._n_seen, 1)
        larger: _Columns = type(columns)(*_empty(max(used + more, expected + expected // 16), types))
        for new, old in zip(_first(used, larger), _first(used, columns), strict=True):
            new[:] = old
        return larger

    def folded(self, flow: Matrix) -> Folded:
        """Everything brought in; `flow` has the sums of money of all parts."""
        link, problem = np.concatenate(self._links), np.concatenate(self._problems)
        return Folded(
            lots=_lots(self._lots, self._n_lots),
            disposals=_disposals(self._sold, self._n_sold),
            links=_links(link),
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


@inner
def _day(day: int) -> int:
    return _NOT_A_DAY if day == c.NO_DAY else day


@kernel
def _write_lots(lot: Matrix, order: Ints, rows: Ints, out: _LotColumns, first: int) -> None:
    for j in range(order.shape[0]):
        r, i = order[j], first + j
        out.account[i], out.sleeve[i], out.security[i] = (
            lot[r, c.ACCOUNT],
            lot[r, c.SLEEVE],
            lot[r, c.SECURITY],
        )
        out.side[i] = -1 if lot[r, c.STATUS] == c.SHORT else 1
        out.origin[i], out.quantity[i] = rows[lot[r, c.ORIGIN]], lot[r, c.QUANTITY]
        out.basis[i], out.loss_basis[i] = lot[r, c.BASIS], lot[r, c.LOSS_BASIS]
        out.acquired[i], out.holding[i] = _day(lot[r, c.ACQUIRED]), _day(lot[r, c.HOLDING])
        out.purchased[i], out.purchase_id[i] = _day(lot[r, c.PURCHASED]), lot[r, c.PURCHASE_ID]
        out.absorbed[i], out.covered[i] = lot[r, c.ABSORBED], lot[r, c.COVERED]
        out.basis_state[i] = lot[r, c.BASIS_STATE]


@kernel
def _write_disposals(row: Matrix, order: Ints, rows: Ints, out: _DisposalColumns, first: int) -> None:
    for j in range(order.shape[0]):
        r, i = order[j], first + j
        out.sale[i], out.account[i], out.security[i] = (
            rows[row[r, c.R_SALE]],
            row[r, c.R_ACCOUNT],
            row[r, c.R_SECURITY],
        )
        out.origin[i], out.day[i], out.quantity[i] = (
            rows[row[r, c.R_ORIGIN]],
            _day(row[r, c.R_DAY]),
            row[r, c.R_QUANTITY],
        )
        out.proceeds[i], out.basis[i] = row[r, c.R_PROCEEDS], row[r, c.R_BASIS]
        out.disallowed[i], out.permanent[i] = row[r, c.R_DISALLOWED], row[r, c.R_PERMANENT]
        out.gain[i] = row[r, c.R_PROCEEDS] - row[r, c.R_BASIS] + row[r, c.R_DISALLOWED]
        out.long_term[i], out.taxable[i] = row[r, c.R_LONG], row[r, c.R_TAXABLE]
        out.covered[i], out.sleeve[i] = row[r, c.R_COVERED], row[r, c.R_SLEEVE]
        out.acquired[i], out.holding[i] = _day(row[r, c.R_ACQUIRED]), _day(row[r, c.R_HOLDING])
        out.purchase_id[i], out.open_[i] = row[r, c.R_PURCHASE_ID], row[r, c.R_OPEN]


def _empty(n: int, kinds: Iterable[type]) -> Iterator[Any]:
    return (np.empty(n, kind) for kind in kinds)


def _first(n: int, columns: _LotColumns | _DisposalColumns) -> Iterator[Any]:
    return (column[:n] for column in columns)


def _lots(columns: _LotColumns, n: int) -> OpenLots:
    out = _LotColumns(*_first(n, columns))
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


def _disposals(columns: _DisposalColumns, n: int) -> FoldedDisposals:
    out = _DisposalColumns(*_first(n, columns))
    return FoldedDisposals(
        sale_row=out.sale,
        account_ix=out.account,
        sleeve_ix=out.sleeve,
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


def _links(link: Matrix) -> FoldedLinks:
    return FoldedLinks(
        disposal_ix=link[:, c.L_ROW],
        account_ix=link[:, c.L_ACCOUNT].astype(np.int32),
        security_ix=link[:, c.L_SECURITY].astype(np.int32),
        origin_row=link[:, c.L_ORIGIN],
        quantity_nano=link[:, c.L_QUANTITY],
        sold_nano=link[:, c.L_SOLD],
        amount_cents=link[:, c.L_AMOUNT],
        permanent=link[:, c.L_PERMANENT].astype(np.int8),
        matched=link[:, c.L_DAY].view("M8[D]"),
    )


def _stable_order(keys: Ints) -> Ints:
    """Positions that sort keys of a small range, equal ones in their order. Linear."""
    order = np.empty(keys.shape[0], np.int64)
    low = int(keys.min()) if len(keys) else 0
    place = np.zeros(int(keys.max(initial=low)) - low + 2, np.int64)
    _count_sort(np.ascontiguousarray(keys), low, place, order)
    return order


@kernel
def _count_sort(keys: Ints, low: int, place: Ints, order: Ints) -> None:
    for i in range(keys.shape[0]):
        place[keys[i] - low + 1] += 1
    for k in range(1, place.shape[0]):
        place[k] += place[k - 1]
    for i in range(keys.shape[0]):
        order[place[keys[i] - low]] = i
        place[keys[i] - low] += 1
