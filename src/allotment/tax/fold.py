"""The pure fold: transactions in, open lots, disposals and wash links out.

Everything the law says about lots happens here, event by event, in compiled loops over the
streams of `tax.streams`; each rule has its own module. What the fold gives back is checked
against the identity of docs/law/numbers.md, to the cent, every time.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

import numpy as np

from allotment.compiled import inner, kernel
from allotment.errors import InvariantError
from allotment.tax import pieces as c
from allotment.tax.exercise import exercise_taken
from allotment.tax.identical import IdenticalGroups
from allotment.tax.merger import CENTS_DIVISOR, convert_list, pay_boot
from allotment.tax.pieces import Books, Facts, Matrix
from allotment.tax.purchase import bring, buy
from allotment.tax.relief import lot_quantity, take_by_method, take_lot
from allotment.tax.return_of_capital import return_capital
from allotment.tax.sale import give_away_taken, move_taken, relabel_taken, sell_taken
from allotment.tax.spin_off import distribute, rights_get_basis
from allotment.tax.split import fraction_held, scale_claims, scale_list
from allotment.tax.streams import Families, families, streams, with_successors
from allotment.tax.transactions import FoldPolicy, Kind, LotMethod, SpouseEffect, TaxAccounts, Transactions
from allotment.units import Codes, Dates, Index, Ints, mul_div

_LIMIT = 2**62  # shares and cents of one list stay below, so that sums cannot wrap


class ProblemCode(IntEnum):
    """Why a transaction was left out; the rest is still folded."""

    SOLD_MORE_THAN_HELD = 1  # `wanted_nano` was asked, `held_nano` is there
    LOT_NOT_HELD = 2  # a named lot is not there in that quantity
    NAMED_QUANTITY_DIFFERS = 3  # named lots do not add up to the quantity
    UNKNOWN_ACCOUNT = 4
    WRONG_HOUSEHOLD = 5
    NOT_POSITIVE = 6  # a quantity, ratio or price that must be positive
    UNKNOWN_KIND = 7
    TOO_LARGE = 8  # amounts beyond 64 bits
    NO_TERMS = 9  # a corporate action without terms, or without the security it needs
    INTO_ITSELF = 10  # a security that becomes, or brings, itself


_SOLD_MORE = int(ProblemCode.SOLD_MORE_THAN_HELD)
_NOT_HELD = int(ProblemCode.LOT_NOT_HELD)
_DIFFERS = int(ProblemCode.NAMED_QUANTITY_DIFFERS)
_NOT_POSITIVE = int(ProblemCode.NOT_POSITIVE)
_UNKNOWN_KIND = int(ProblemCode.UNKNOWN_KIND)
_TOO_LARGE = int(ProblemCode.TOO_LARGE)
_NO_TERMS, _INTO_ITSELF = int(ProblemCode.NO_TERMS), int(ProblemCode.INTO_ITSELF)

_FIFO = int(LotMethod.FIFO)
_OPEN_LOT, _BUY, _REINVEST, _SELL = int(Kind.OPEN_LOT), int(Kind.BUY), int(Kind.REINVEST), int(Kind.SELL)
_SPLIT, _SPIN_OFF, _RIGHTS = int(Kind.SPLIT), int(Kind.SPIN_OFF), int(Kind.RIGHTS)
_MIXED_MERGER, _CASH_MERGER = int(Kind.MIXED_MERGER), int(Kind.CASH_MERGER)
_RETURN_OF_CAPITAL, _SYMBOL_CHANGE = int(Kind.RETURN_OF_CAPITAL), int(Kind.SYMBOL_CHANGE)
_WORTHLESS, _FIRST_ACTION = int(Kind.WORTHLESS), int(Kind.SPLIT)
_EXERCISE_RIGHTS, _OPTION_BUY = int(Kind.EXERCISE_RIGHTS), int(Kind.OPTION_BUY)
_OPTION_EXERCISE, _TRANSFER, _TRANSFER_OUT = (
    int(Kind.OPTION_EXERCISE),
    int(Kind.TRANSFER),
    int(Kind.TRANSFER_OUT),
)
_GIFT_IN, _INHERIT, _DONATE, _RELABEL = (
    int(Kind.GIFT_IN),
    int(Kind.INHERIT),
    int(Kind.DONATE),
    int(Kind.RELABEL),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenLots:
    """Pieces still held, ascending by account, family of securities (its first
    member), security, acquisition. Shape (n_lots,)."""

    account_ix: Index
    sleeve_ix: Index
    security_ix: Index
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


class _Rows(NamedTuple):
    """Transactions as plain arrays."""

    account: Index
    sleeve: Index
    security: Index
    day: Ints
    settles: Ints
    kind: Codes
    quantity: Ints
    amount: Ints
    order: Ints
    method: Codes
    to: Index
    detail: Index
    named_start: Ints
    named_row: Ints
    named_quantity: Ints
    terms: Matrix  # (n_terms, 8)
    brought: Matrix  # (n_brought, 7)


# Columns of _Rows.terms
_OTHER, _NEW, _OLD, _CASH, _LIEU, _OLD_PRICE, _NEW_PRICE, _ALLOCATE = 0, 1, 2, 3, 4, 5, 6, 7


@kernel
def _room(matrix: Matrix, used: int, margin: int) -> Matrix:
    if used + margin <= matrix.shape[0]:
        return matrix
    larger = np.empty((2 * (used + margin), matrix.shape[1]), np.int64)
    larger[:used] = matrix[:used]
    return larger


@inner
def _margin(b: Books) -> int:
    """Rows that the worst transaction can need: it cuts every piece and every claim."""
    return int(4 * (b.counts[c.LIVE] + b.counts[c.N_CLAIMS]) + 16)


@inner
def _has_room(b: Books) -> bool:
    margin = _margin(b)
    return bool(
        b.counts[c.N_PIECES] + margin <= b.piece.shape[0]
        and b.counts[c.N_ROWS] + margin <= b.row.shape[0]
        and b.counts[c.N_LINKS] + margin <= b.link.shape[0]
        and b.counts[c.N_PROBLEMS] + margin <= b.problem.shape[0]
    )


@kernel
def _with_room(b: Books) -> Books:
    margin = _margin(b)
    return Books(
        _room(b.piece, b.counts[c.N_PIECES], margin),
        _room(b.row, b.counts[c.N_ROWS], margin),
        _room(b.link, b.counts[c.N_LINKS], margin),
        _room(b.problem, b.counts[c.N_PROBLEMS], margin),
        b.counts,
        b.head,
        b.tail,
        b.held,
        b.group,
        b.scaled,
        b.first_piece,
        b.flow,
    )


@inner
def _begin(b: Books, f: Facts) -> None:
    n_lists = f.here[c.N_ACCOUNTS] * f.here[c.N_SECURITIES]
    b.head[:n_lists] = c.NONE
    b.tail[:n_lists] = c.NONE
    b.held[:n_lists] = 0
    b.group[: f.here[c.N_GROUPS]] = c.NONE
    b.scaled[: f.here[c.N_SECURITIES]] = c.NO_DAY
    b.counts[c.N_PIECES], b.counts[c.FREE], b.counts[c.LIVE], b.counts[c.BIRTHS] = 0, c.NONE, 0, 0
    b.counts[c.N_CLAIMS], b.counts[c.TAKEN_HEAD], b.counts[c.TAKEN_TAIL] = 0, c.NONE, c.NONE


@inner
def _take(b: Books, f: Facts, t: _Rows, r: int) -> bool:
    """Fill the taken list with what row r closes; False, with a problem noted, if it cannot."""
    account, security, quantity = t.account[r], t.security[r], t.quantity[r]
    first, last = t.named_start[r], t.named_start[r + 1]
    named = 0
    for i in range(first, last):
        wanted = t.named_quantity[i]
        if wanted <= 0:
            c.report(b, r, _NOT_POSITIVE, wanted, 0)
            return False
        for j in range(first, i):
            if t.named_row[j] == t.named_row[i]:
                wanted += t.named_quantity[j]
        there = lot_quantity(b, t.named_row[i], account, security)
        if there < wanted:
            c.report(b, r, _NOT_HELD, wanted, there)
            return False
        named += t.named_quantity[i]
    if first < last:
        if named != quantity and quantity != 0:
            c.report(b, r, _DIFFERS, quantity, named)
            return False
        for i in range(first, last):
            take_lot(b, f, t.named_row[i], account, security, t.named_quantity[i])
        return True
    there = b.held[c.list_of(f, account, security)]
    if quantity > there:
        c.report(b, r, _SOLD_MORE, quantity, there)
        return False
    if quantity <= 0:
        c.report(b, r, _NOT_POSITIVE, quantity, there)
        return False
    method = t.method[r] if t.method[r] >= 0 else f.method[account]
    take_by_method(b, f, account, security, quantity, method, t.amount[r], t.day[r])
    return True


@inner
def _pay_fraction(b: Books, f: Facts, t: _Rows, r: int, account: int, security: int) -> None:
    """Cash in lieu: the account's fraction of a share is sold, out of the lots that its standing
    method picks (Rev. Rul. 66-365, Rev. Proc. 77-41)."""
    lieu = t.terms[t.detail[r], _LIEU]
    fraction = fraction_held(b, f, account, security) if lieu > 0 else 0
    if fraction > 0:
        amount = mul_div(fraction, lieu, CENTS_DIVISOR)
        take_by_method(b, f, account, security, fraction, f.method[account], amount, t.day[r])
        sell_taken(b, f, r, t.day[r], amount, t.day[r])


@inner
def _take_all(b: Books, f: Facts, account: int, security: int) -> bool:
    there = b.held[c.list_of(f, account, security)]
    if there > 0:
        take_by_method(b, f, account, security, there, _FIFO, 0, 0)
    return bool(there > 0)


@inner
def _too_large(there: int, new_parts: int, old_parts: int, price_nano: int) -> bool:
    shares = there / old_parts * new_parts
    return bool(shares > _LIMIT or max(shares, there) / CENTS_DIVISOR * price_nano > _LIMIT)


@inner
def _act(b: Books, f: Facts, t: _Rows, r: int, account: int) -> None:
    """A corporate action in one account."""
    terms = t.terms[t.detail[r]]
    kind, security, day, other = t.kind[r], t.security[r], t.day[r], terms[_OTHER]
    new_parts, old_parts, cash = terms[_NEW], terms[_OLD], terms[_CASH]
    there = b.held[c.list_of(f, account, security)]
    if _too_large(there, new_parts, old_parts, max(cash, terms[_LIEU], terms[_OLD_PRICE], terms[_NEW_PRICE])):
        c.report(b, r, _TOO_LARGE, there, 0)
        return
    if kind == _SPLIT:
        scale_list(b, f, account, security, new_parts, old_parts)
        scale_claims(b, f, security, day, new_parts, old_parts)
        _pay_fraction(b, f, t, r, account, security)
    elif there == 0:
        return
    elif kind in (_SPIN_OFF, _RIGHTS):
        child_value = mul_div(terms[_NEW_PRICE], new_parts, old_parts)
        if kind == _RIGHTS and not rights_get_basis(terms[_ALLOCATE], child_value, terms[_OLD_PRICE]):
            child_value = 0
        distribute(b, f, account, security, other, new_parts, old_parts, child_value, terms[_OLD_PRICE])
        _pay_fraction(b, f, t, r, account, other)
    elif kind == _RETURN_OF_CAPITAL:
        return_capital(b, f, account, security, cash, r, day)
    elif kind == _CASH_MERGER:
        if _take_all(b, f, account, security):
            sell_taken(b, f, r, day, mul_div(there, cash, CENTS_DIVISOR), day)
    elif kind == _WORTHLESS:
        if _take_all(b, f, account, security):
            sell_taken(b, f, r, t.settles[r], 0, day)
    else:
        if kind == _MIXED_MERGER:
            pay_boot(b, f, account, security, new_parts, old_parts, cash, terms[_NEW_PRICE], r, day)
        convert_list(b, f, account, security, other, new_parts, old_parts, kind == _SYMBOL_CHANGE)
        _pay_fraction(b, f, t, r, account, other)


@inner
def _has_terms(b: Books, t: _Rows, r: int) -> bool:
    """Are the terms of row r there and usable? Notes the problem if not."""
    at, kind = t.detail[r], t.kind[r]
    if at < 0 or at >= t.terms.shape[0]:
        c.report(b, r, _NO_TERMS, 0, 0)
        return False
    terms = t.terms[at]
    if terms[_OTHER] < 0 and kind not in (_SPLIT, _CASH_MERGER, _RETURN_OF_CAPITAL, _WORTHLESS):
        c.report(b, r, _NO_TERMS, 0, 0)
        return False
    if terms[_OTHER] == t.security[r]:
        c.report(b, r, _INTO_ITSELF, 0, 0)
        return False
    least = min(terms[_CASH], terms[_LIEU], terms[_OLD_PRICE], terms[_NEW_PRICE])
    needs_price = kind in (_SPIN_OFF, _RIGHTS)
    if (
        terms[_NEW] <= 0
        or terms[_OLD] <= 0
        or least < 0
        or (needs_price and terms[_OLD_PRICE] + terms[_NEW_PRICE] == 0)
    ):
        c.report(b, r, _NOT_POSITIVE, terms[_NEW], terms[_OLD])
        return False
    return True


@inner
def _exercise(b: Books, f: Facts, t: _Rows, r: int) -> None:
    """`security` is the right or the call that is given up, the terms name the stock."""
    if t.amount[r] < 0 or t.amount[r] > _LIMIT - abs(b.flow[1, c.F_RECEIVED]):
        c.report(b, r, _TOO_LARGE, t.amount[r], 0)
    elif _has_terms(b, t, r) and _take(b, f, t, r):
        stock = t.terms[t.detail[r], _OTHER]
        is_right = t.kind[r] == _EXERCISE_RIGHTS
        exercise_taken(b, f, stock, t.amount[r], r, t.order[r], t.day[r], is_right)


@inner
def _enter(b: Books, f: Facts, t: _Rows, r: int) -> None:
    """Shares come in, bought or with their history."""
    there = b.held[c.list_of(f, t.account[r], t.security[r])]
    if t.quantity[r] <= 0 or t.amount[r] < 0:
        c.report(b, r, _NOT_POSITIVE, t.quantity[r], there)
        return
    if t.quantity[r] > _LIMIT - there or t.amount[r] > _LIMIT - abs(b.flow[1, c.F_RECEIVED]):
        c.report(b, r, _TOO_LARGE, t.quantity[r], there)
        return
    p = buy(b, t.account[r], t.sleeve[r], t.security[r], t.quantity[r], t.amount[r], t.day[r])
    if t.kind[r] not in (_BUY, _REINVEST, _OPTION_BUY):
        history = t.brought[t.detail[r]]
        b.piece[p, c.LOSS_BASIS] = history[0]
        b.piece[p, c.ACQUIRED], b.piece[p, c.HOLDING], b.piece[p, c.PURCHASED] = (
            history[1],
            history[2],
            history[3],
        )
        b.piece[p, c.ABSORBED], b.piece[p, c.COVERED], b.piece[p, c.BASIS_STATE] = (
            history[4],
            history[5],
            history[6],
        )
    bring(b, f, p, r, t.order[r], t.day[r])


@inner
def _leave(b: Books, f: Facts, t: _Rows, r: int) -> None:
    """Shares are sold, moved or given away."""
    kind = t.kind[r]
    if t.amount[r] < 0:
        c.report(b, r, _NOT_POSITIVE, t.amount[r], 0)
    elif _take(b, f, t, r):
        if kind == _SELL:
            sell_taken(b, f, r, t.day[r], t.amount[r], t.day[r])
        elif kind == _TRANSFER:
            move_taken(b, f, t.to[r])
        elif kind == _RELABEL:
            relabel_taken(b, f, t.to[r])
        else:
            give_away_taken(b, f)


@inner
def _apply(b: Books, f: Facts, t: _Rows, r: int) -> None:
    """One transaction."""
    kind = t.kind[r]
    if kind in (_BUY, _REINVEST, _OPEN_LOT, _GIFT_IN, _INHERIT, _OPTION_BUY):
        _enter(b, f, t, r)
    elif kind in (_SELL, _TRANSFER, _RELABEL, _DONATE, _TRANSFER_OUT):
        _leave(b, f, t, r)
    elif kind in (_EXERCISE_RIGHTS, _OPTION_EXERCISE):
        _exercise(b, f, t, r)
    elif _FIRST_ACTION <= kind <= _RIGHTS or kind in (_SYMBOL_CHANGE, _WORTHLESS):
        if not _has_terms(b, t, r):
            return
        if t.account[r] >= 0:
            _act(b, f, t, r, t.account[r])
        else:
            for i in range(f.here[c.N_ACCOUNTS]):
                _act(b, f, t, r, f.here[c.FIRST_ACCOUNT] + i)
    else:
        c.report(b, r, _UNKNOWN_KIND, kind, 0)


@inner
def _end(b: Books, f: Facts, rows: Ints, lot: Matrix, n_lots: int) -> int:
    """Write the open pieces of the stream behind the `n_lots` there; returns the new count."""
    n = n_lots
    for r in rows:
        b.first_piece[r] = c.NONE  # a sale that names a lot of another stream finds nothing
    for x in range(f.here[c.N_ACCOUNTS] * f.here[c.N_SECURITIES]):
        p = b.head[x]
        while p >= 0:
            for column in range(c.STATUS):
                lot[n, column] = b.piece[p, column]
            b.flow[f.taxable[b.piece[p, c.ACCOUNT]], c.F_HELD] += b.piece[p, c.BASIS]
            n += 1
            p = b.piece[p, c.NEXT]
    return n


@kernel
def _fold(
    t: _Rows,
    f: Facts,
    b: Books,
    rows: Ints,
    start: Ints,
    household: Index,
    family: Index,
    account_start: Ints,
    family_size: Index,
    family_groups: Index,
) -> tuple[Books, Matrix]:
    lot = np.empty((1024, c.STATUS), np.int64)
    n_lots = 0
    for s in range(household.shape[0]):
        f.here[c.FIRST_ACCOUNT] = account_start[household[s]]
        f.here[c.N_ACCOUNTS] = account_start[household[s] + 1] - account_start[household[s]]
        f.here[c.N_SECURITIES] = family_size[family[s]]
        f.here[c.N_GROUPS] = family_groups[family[s]]
        _begin(b, f)
        for i in range(start[s], start[s + 1]):
            if not _has_room(b):
                b = _with_room(b)
            _apply(b, f, t, rows[i])
        lot = _room(lot, n_lots, b.counts[c.LIVE])
        n_lots = _end(b, f, rows[start[s] : start[s + 1]], lot, n_lots)
    return b, lot[:n_lots]


def fold_transactions(
    transactions: Transactions, accounts: TaxAccounts, groups: IdenticalGroups, policy: FoldPolicy
) -> Folded:
    """Fold. Raises InvariantError when the identity of docs/law/numbers.md does not hold."""
    groups = with_successors(groups, transactions)
    of = families(groups, transactions)
    plan = streams(transactions, of)
    facts = _facts(accounts, groups, of, policy)
    account_start = np.searchsorted(
        accounts.household_ix, np.arange(_n_households(transactions, accounts) + 1)
    )
    widest = int(np.diff(account_start).max(initial=1))
    books = _books(len(transactions), widest, of)
    books, lot = _fold(
        _rows(transactions),
        facts,
        books,
        plan.rows,
        plan.start,
        plan.household_ix,
        plan.family_ix,
        account_start.astype(np.int64),
        of.size,
        of.n_groups,
    )
    folded = _result(books, lot, len(transactions), len(accounts))
    wrong = folded.conservation.difference()
    if wrong.any():
        raise InvariantError(
            f"the fold lost or made money: {int(wrong[1])} cents in taxable accounts, "
            f"{int(wrong[0])} in IRAs; nothing was written"
        )
    return folded


def _n_households(transactions: Transactions, accounts: TaxAccounts) -> int:
    last = transactions.household_ix[-1] if len(transactions) else -1
    return max(int(last), int(accounts.household_ix[-1]) if len(accounts) else -1) + 1


def _facts(accounts: TaxAccounts, groups: IdenticalGroups, of: Families, policy: FoldPolicy) -> Facts:
    switches = np.zeros(6, np.int64)
    switches[c.SCOPE] = policy.scope
    switches[c.HP_METHOD] = policy.hp_method
    switches[c.SAME_ORDER] = policy.same_order_candidates
    switches[c.SOLD_EARLIER] = policy.sold_earlier_candidates
    switches[c.BEFORE_LOT] = policy.acquired_before_sold_lot
    switches[c.SPOUSE_PERMANENT] = policy.spouse_effect == SpouseEffect.PERMANENT
    return Facts(
        taxable=accounts.taxable,
        owner=accounts.owner_ix,
        method=accounts.method,
        fifo_by_holding=accounts.fifo_by_holding,
        security_local=of.security_local,
        group_local=of.group_local,
        unit_parts=groups.unit_parts,
        unit_whole=groups.unit_whole,
        policy=switches,
        rates=np.array([policy.short_rate, policy.long_rate]),
        here=np.zeros(4, np.int64),
    )


def _books(n_rows: int, widest: int, of: Families) -> Books:
    n_securities = int(of.size.max(initial=1))
    n_lists = widest * n_securities
    return Books(
        piece=np.empty((4096, c.N_PIECE_COLUMNS), np.int64),
        row=np.empty((n_rows // 2 + 64, c.N_ROW_COLUMNS), np.int64),
        link=np.empty((n_rows // 16 + 64, c.N_LINK_COLUMNS), np.int64),
        problem=np.empty((64, c.N_PROBLEM_COLUMNS), np.int64),
        counts=np.zeros(c.N_COUNTS, np.int64),
        head=np.empty(n_lists, np.int64),
        tail=np.empty(n_lists, np.int64),
        held=np.empty(n_lists, np.int64),
        group=np.empty((int(of.n_groups.max(initial=1)), c.N_GROUP_COLUMNS), np.int64),
        scaled=np.empty(n_securities, np.int64),
        first_piece=np.full(n_rows, c.NONE, np.int64),
        flow=np.zeros((2, c.N_FLOWS), np.int64),
    )


def _rows(t: Transactions) -> _Rows:
    terms = t.terms
    brought = t.brought
    return _Rows(
        account=t.account_ix,
        sleeve=t.sleeve_ix,
        security=t.security_ix,
        day=_days(t.day),
        settles=_days(t.settles),
        kind=t.kind,
        quantity=t.quantity_nano,
        amount=t.amount_cents,
        order=t.order_id,
        method=t.method,
        to=t.to_ix,
        detail=t.detail_ix,
        named_start=t.named.start,
        named_row=t.named.row,
        named_quantity=t.named.quantity_nano,
        terms=_matrix(
            terms.other_ix,
            terms.new_parts,
            terms.old_parts,
            terms.cash_nano,
            terms.lieu_nano,
            terms.old_price_nano,
            terms.new_price_nano,
            terms.allocate,
        ),
        brought=_matrix(
            brought.loss_basis_cents,
            _days(brought.acquired),
            _days(brought.holding_from),
            _days(brought.purchased),
            brought.absorbed,
            brought.covered,
            brought.basis_state,
        ),
    )


def _matrix(*columns: Ints | Index | Codes) -> Matrix:
    out = np.empty((columns[0].shape[0], len(columns)), np.int64)
    for i, column in enumerate(columns):
        out[:, i] = column
    return out


def _days(dates: Dates) -> Ints:
    days = dates.astype("M8[D]").view(np.int64)
    missing = np.isnat(dates)
    return np.where(missing, c.NO_DAY, days) if missing.any() else days


def _dates(days: Ints) -> Dates:
    return np.where(days == c.NO_DAY, np.datetime64("NaT", "D"), days.astype("M8[D]"))


def _result(b: Books, lot: Matrix, n_transactions: int, n_accounts: int) -> Folded:
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
    def column(i: int) -> Ints:
        taken: Ints = lot[order, i]
        return taken

    return OpenLots(
        account_ix=column(c.ACCOUNT).astype(np.int32),
        sleeve_ix=column(c.SLEEVE).astype(np.int32),
        security_ix=column(c.SECURITY).astype(np.int32),
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
    def column(i: int) -> Ints:
        taken: Ints = row[order, i]
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
