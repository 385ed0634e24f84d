"""A stream's transactions, one after the other: which rule each calls.

Private to `tax`: the public face is `tax.fold`.
"""

from __future__ import annotations

from typing import NamedTuple

from allotment.compiled import inner, part
from allotment.tax import pieces as c
from allotment.tax.exercise import exercise_taken
from allotment.tax.merger import CENTS_DIVISOR, convert_list, pay_boot
from allotment.tax.pieces import Books, Facts, Matrix
from allotment.tax.problems import ProblemCode
from allotment.tax.purchase import bring, buy
from allotment.tax.relief import lot_quantity, take_by_method, take_lot
from allotment.tax.return_of_capital import return_capital
from allotment.tax.sale import give_away_taken, move_taken, relabel_taken, sell_taken
from allotment.tax.short_sale import cover, open_short
from allotment.tax.short_wash import short_list_of
from allotment.tax.sleeve_labels import take_for_sleeve
from allotment.tax.spin_off import distribute, rights_get_basis
from allotment.tax.split import fraction_held, scale_claims, scale_list
from allotment.tax.split_off import exchange_taken
from allotment.tax.taxable_exchange import receive
from allotment.tax.transactions import Kind, LotMethod
from allotment.units import Codes, Index, Ints, mul_div

_LIMIT = 2**62  # shares and cents of one list stay below, so that sums cannot wrap

_SOLD_MORE = int(ProblemCode.SOLD_MORE_THAN_HELD)
_NOT_HELD = int(ProblemCode.LOT_NOT_HELD)
_DIFFERS = int(ProblemCode.NAMED_QUANTITY_DIFFERS)
_NOT_POSITIVE = int(ProblemCode.NOT_POSITIVE)
_UNKNOWN_KIND = int(ProblemCode.UNKNOWN_KIND)
_TOO_LARGE = int(ProblemCode.TOO_LARGE)
_SHORT_IS_OPEN, _NOT_SHORT = int(ProblemCode.SHORT_IS_OPEN), int(ProblemCode.NOT_SHORT)
_SHORT_SELL, _COVER = int(Kind.SHORT_SELL), int(Kind.COVER)
_NO_TERMS, _INTO_ITSELF = int(ProblemCode.NO_TERMS), int(ProblemCode.INTO_ITSELF)

_FIFO = int(LotMethod.FIFO)
_OPEN_LOT, _BUY, _REINVEST, _SELL = int(Kind.OPEN_LOT), int(Kind.BUY), int(Kind.REINVEST), int(Kind.SELL)
_SPLIT, _SPIN_OFF, _RIGHTS = int(Kind.SPLIT), int(Kind.SPIN_OFF), int(Kind.RIGHTS)
_MIXED_MERGER, _CASH_MERGER = int(Kind.MIXED_MERGER), int(Kind.CASH_MERGER)
_RETURN_OF_CAPITAL, _SYMBOL_CHANGE = int(Kind.RETURN_OF_CAPITAL), int(Kind.SYMBOL_CHANGE)
_WORTHLESS, _FIRST_ACTION = int(Kind.WORTHLESS), int(Kind.SPLIT)
_TAXABLE_MERGER, _TAXABLE_SPIN_OFF = int(Kind.TAXABLE_MERGER), int(Kind.TAXABLE_SPIN_OFF)
_SPLIT_OFF, _IRA_DISTRIBUTION = int(Kind.SPLIT_OFF), int(Kind.IRA_DISTRIBUTION)
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


_LATER_ACTIONS = (_SYMBOL_CHANGE, _WORTHLESS, _TAXABLE_MERGER, _TAXABLE_SPIN_OFF)


class Rows(NamedTuple):
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


@inner
def _take(b: Books, f: Facts, t: Rows, r: int) -> bool:
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
def _pay_fraction(b: Books, f: Facts, t: Rows, r: int, account: int, security: int) -> None:
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
    ratio = new_parts / old_parts
    shares = max(there * ratio, 1.0 * there)
    return bool(
        shares > _LIMIT or price_nano * ratio > _LIMIT or shares / CENTS_DIVISOR * price_nano > _LIMIT
    )


@inner
def _cents_too_large(b: Books, f: Facts, account: int, amount: int) -> bool:
    """Would the sums of what was paid or received leave 64 bits?"""
    flow = b.flow[f.taxable[account]]
    return bool(amount > _LIMIT - max(flow[c.F_RECEIVED], flow[c.F_PROCEEDS], abs(flow[c.F_RECOGNISED])))


@inner
def _receive_taxed(b: Books, f: Facts, t: Rows, r: int, account: int, there: int) -> None:
    """Shares come at market value for the `there` shares held, which a merger sells."""
    terms = t.terms[t.detail[r]]
    received = mul_div(there, terms[_NEW], terms[_OLD])
    value = mul_div(received, terms[_NEW_PRICE], CENTS_DIVISOR)
    is_merger = t.kind[r] == _TAXABLE_MERGER
    if is_merger and _take_all(b, f, account, t.security[r]):
        cash = mul_div(there, terms[_CASH], CENTS_DIVISOR)
        sell_taken(b, f, r, t.day[r], cash + value, t.day[r])
    receive(b, f, account, t.sleeve[r], terms[_OTHER], received, value, r, t.order[r], t.day[r], is_merger)


@inner
def _act(b: Books, f: Facts, t: Rows, r: int, account: int) -> None:
    """A corporate action in one account."""
    terms = t.terms[t.detail[r]]
    kind, security, day, other = t.kind[r], t.security[r], t.day[r], terms[_OTHER]
    new_parts, old_parts, cash = terms[_NEW], terms[_OLD], terms[_CASH]
    there = b.held[c.list_of(f, account, security)]
    if _too_large(there, new_parts, old_parts, max(cash, terms[_LIEU], terms[_OLD_PRICE], terms[_NEW_PRICE])):
        c.report(b, r, _TOO_LARGE, there, 0)
        return
    if kind == _SPLIT:
        scale_list(b, c.list_of(f, account, security), new_parts, old_parts)
        scale_list(b, short_list_of(f, account, security), new_parts, old_parts)
        scale_claims(b, f, account, security, day, new_parts, old_parts)
        _pay_fraction(b, f, t, r, account, security)
    elif b.held[short_list_of(f, account, security)] > 0 and kind != _RETURN_OF_CAPITAL:
        c.report(b, r, _SHORT_IS_OPEN, there, 0)
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
    elif kind in (_TAXABLE_MERGER, _TAXABLE_SPIN_OFF):
        _receive_taxed(b, f, t, r, account, there)
    else:
        if kind == _MIXED_MERGER:
            pay_boot(b, f, account, security, new_parts, old_parts, cash, terms[_NEW_PRICE], r, day)
        convert_list(b, f, account, security, other, new_parts, old_parts, kind == _SYMBOL_CHANGE)
        _pay_fraction(b, f, t, r, account, other)


@inner
def _has_terms(b: Books, t: Rows, r: int) -> bool:
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
def _exercise(b: Books, f: Facts, t: Rows, r: int) -> None:
    """`security` is the right or the call that is given up, the terms name the stock."""
    if t.amount[r] < 0 or _cents_too_large(b, f, t.account[r], t.amount[r]):
        c.report(b, r, _TOO_LARGE, t.amount[r], 0)
    elif _has_terms(b, t, r) and _take(b, f, t, r):
        stock = t.terms[t.detail[r], _OTHER]
        is_right = t.kind[r] == _EXERCISE_RIGHTS
        exercise_taken(b, f, stock, t.amount[r], r, t.order[r], t.day[r], is_right)


@inner
def _fill_before(t: Rows, r: int) -> int:
    """The row before that is of the same order, account, security, kind and day; −1 for none."""
    at = r - 1 if t.order[r] > 0 else -1
    while at >= 0 and t.day[at] == t.day[r]:
        is_same = t.order[at] == t.order[r] and t.account[at] == t.account[r]
        if is_same and t.security[at] == t.security[r] and t.kind[at] == t.kind[r]:
            return int(at)
        at -= 1
    return -1


@part
def _enter(b: Books, f: Facts, t: Rows, r: int) -> None:
    """Shares come in, bought or with their history."""
    there = b.held[c.list_of(f, t.account[r], t.security[r])]
    if t.quantity[r] <= 0 or t.amount[r] < 0:
        c.report(b, r, _NOT_POSITIVE, t.quantity[r], there)
        return
    if t.quantity[r] > _LIMIT - there or _cents_too_large(b, f, t.account[r], t.amount[r]):
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
    before = _fill_before(t, r)
    if before >= 0:
        b.made[r, c.M_FILL] = b.made[before, c.M_FILL]
    bring(b, f, p, r, t.order[r], t.day[r])


@inner
def _go_short(b: Books, f: Facts, t: Rows, r: int) -> None:
    """Shares are sold short, or bought to close shorts."""
    there = b.held[short_list_of(f, t.account[r], t.security[r])]
    account, security, quantity, amount = t.account[r], t.security[r], t.quantity[r], t.amount[r]
    if quantity <= 0 or amount < 0:
        c.report(b, r, _NOT_POSITIVE, quantity, there)
    elif quantity > _LIMIT - there or _cents_too_large(b, f, account, amount):
        c.report(b, r, _TOO_LARGE, quantity, there)
    elif t.kind[r] == _SHORT_SELL:
        p = buy(b, account, t.sleeve[r], security, quantity, amount, t.day[r])
        b.piece[p, c.ORIGIN], b.piece[p, c.PURCHASE_ID] = r, t.order[r]
        earlier = 0
        before = _fill_before(t, r)
        while before >= 0:
            earlier += t.quantity[before]
            before = _fill_before(t, before)
        open_short(b, f, p, account, security, t.day[r], earlier)
    elif quantity > there:
        c.report(b, r, _NOT_SHORT, quantity, there)
    else:
        settles = t.settles[r] if t.settles[r] != c.NO_DAY else t.day[r]
        cover(b, f, account, security, quantity, amount, r, t.day[r], settles)


@part
def _leave(b: Books, f: Facts, t: Rows, r: int) -> None:
    """Shares are sold, moved or given away."""
    kind = t.kind[r]
    if t.amount[r] < 0:
        c.report(b, r, _NOT_POSITIVE, t.amount[r], 0)
    elif _cents_too_large(b, f, t.account[r], t.amount[r]):
        c.report(b, r, _TOO_LARGE, t.quantity[r], 0)
    elif _take(b, f, t, r):
        take_for_sleeve(b, f, t.sleeve[r], t.named_start[r] < t.named_start[r + 1])
        if kind == _SELL:
            sell_taken(b, f, r, t.day[r], t.amount[r], t.day[r])
        elif kind == _TRANSFER:
            move_taken(b, f, t.to[r])
        elif kind == _RELABEL:
            relabel_taken(b, f, t.to[r])
        else:
            give_away_taken(b, f)
            if kind == _IRA_DISTRIBUTION:
                to, sleeve = t.to[r], t.sleeve[r]
                shares, value = t.quantity[r], t.amount[r]
                receive(b, f, to, sleeve, t.security[r], shares, value, r, t.order[r], t.day[r], True)


@inner
def _split_off(b: Books, f: Facts, t: Rows, r: int) -> None:
    """Shares are given up for those of a subsidiary."""
    if not _has_terms(b, t, r):
        return
    terms = t.terms[t.detail[r]]
    there = b.held[c.list_of(f, t.account[r], t.security[r])]
    if _too_large(there, terms[_NEW], terms[_OLD], 0):
        c.report(b, r, _TOO_LARGE, there, 0)
    elif _take(b, f, t, r):
        exchange_taken(b, f, terms[_OTHER], terms[_NEW], terms[_OLD])


@part
def apply(b: Books, f: Facts, t: Rows, r: int) -> None:
    """One transaction."""
    kind = t.kind[r]
    b.made[r, c.M_FILL] = r
    if kind in (_BUY, _REINVEST, _OPEN_LOT, _GIFT_IN, _INHERIT, _OPTION_BUY):
        _enter(b, f, t, r)
    elif kind in (_SELL, _TRANSFER, _RELABEL, _DONATE, _TRANSFER_OUT, _IRA_DISTRIBUTION):
        _leave(b, f, t, r)
    elif kind == _SPLIT_OFF:
        _split_off(b, f, t, r)
    elif kind in (_EXERCISE_RIGHTS, _OPTION_EXERCISE):
        _exercise(b, f, t, r)
    elif kind in (_SHORT_SELL, _COVER):
        _go_short(b, f, t, r)
    elif _FIRST_ACTION <= kind <= _RIGHTS or kind in _LATER_ACTIONS:
        if not _has_terms(b, t, r):
            return
        if t.account[r] >= 0:
            _act(b, f, t, r, t.account[r])
        else:
            for i in range(f.here[c.N_ACCOUNTS]):
                _act(b, f, t, r, f.here[c.FIRST_ACCOUNT] + i)
    else:
        c.report(b, r, _UNKNOWN_KIND, kind, 0)
