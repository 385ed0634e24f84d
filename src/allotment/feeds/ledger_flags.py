"""What a replay books but a person should look at, with the rule.

Law: 26 U.S.C. §1259 [M]: a short sale against appreciated shares held is a constructive sale, on which
gain is recognised as if sold at market value. The engine books the short under §1233 and flags it
here. §1091(e)(1) [P]: a loss on closing a short is disallowed when the stock itself is sold within 30
days; nothing is acquired then that could take it, so it is flagged and not booked (another short can:
`tax.short_wash`). §263(h) [M]: what
is paid in lieu of a dividend on shares short. §1(h)(11)(D)(ii) [P]: a short-term loss on shares that paid
an extraordinary dividend (§1059(c) [M]: a tenth of their basis, a twentieth for preferred stock).
§170(e)(1)(A) [P]: a lot given to charity before it is long-term is deducted at no more than its basis; of
one that is worth less than its basis the loss is lost. Puts are booked as cash alone: §1233(b), (c) [P] a
put bought is a short sale to shares held a year or less, unless bought with them and named as their
cover; §1092 [M] a straddle; Rev. Rul. 85-87 [S] a put written deep in the money is a contract to acquire.
Left out: offsetting forwards; dividends added together (§1059(c)(3)).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from allotment.feeds.ledger_dividends import PAID_IN_LIEU, DividendPart, amount_cents
from allotment.feeds.ledger_json import Ledger
from allotment.feeds.ledger_reader import Fact
from allotment.tax.dividend import Bucket, Payment, long_term_part_of_loss
from allotment.tax.fold import fold_transactions
from allotment.tax.folded import Folded
from allotment.tax.holding_period import is_long_term
from allotment.tax.pretrade import WINDOW_DAYS
from allotment.tax.recompute import first_rows
from allotment.tax.transactions import Kind
from allotment.units import CENTS_PER_USD, NANO_PER_SHARE, as_day, format_scaled

_JANUARY = 1
_YEAR_DAYS = 365
_Closed = tuple[int, int]  # the sale, and the lot it closed
_EXTRAORDINARY_PARTS, _PREFERRED_PARTS = 10, 20  # of the basis of a share


@dataclass(frozen=True, slots=True)
class Flag:
    """One transaction to look at."""

    transaction: str
    rule: str
    found: str


def flags(ledger: Ledger, folded: Folded, parts: Sequence[DividendPart] = ()) -> tuple[Flag, ...]:
    """Every flag, by rule, then in book order. Each short sale and donation costs a fold or two.

    folded, parts: the replay of the ledger and its dividends.
    """
    return (
        *_constructive_sales(ledger),
        *_short_washes(ledger, folded),
        *_donations(ledger),
        *_puts(ledger, folded),
        *_dividends(ledger, parts),
        *_extraordinary(ledger, folded, parts),
    )


def _constructive_sales(ledger: Ledger) -> Iterator[Flag]:
    t = ledger.transactions
    for row in np.flatnonzero(t.kind == Kind.SHORT_SELL).tolist():
        before = first_rows(t, row)
        lots = fold_transactions(before, ledger.accounts, ledger.groups, ledger.policy.fold).lots
        mine = (
            (lots.security_ix == t.security_ix[row])
            & (ledger.accounts.taxable[lots.account_ix] == 1)
            & (lots.side == 1)
        )
        price = t.amount_cents[row] / t.quantity_nano[row]
        gains = mine & (lots.basis_cents < price * lots.quantity_nano)
        if gains.any():
            text = "sold short while appreciated shares are held; gain may have to be recognised at once"
            yield Flag(ledger.ids[row], "§1259", text)


def _short_washes(ledger: Ledger, folded: Folded) -> Iterator[Flag]:
    """Losses on closed shorts with a sale of the stock around them, §1091(e)(1)."""
    t, sold = ledger.transactions, folded.disposals
    group = ledger.groups.group_ix[t.security_ix]
    lost = (t.kind[sold.sale_row] == Kind.COVER) & (sold.gain_cents < 0) & (sold.taxable == 1)
    for row in np.unique(sold.sale_row[lost]).tolist():
        near = abs((t.day - t.day[row]).astype(np.int64)) <= WINDOW_DAYS
        if (near & (t.kind == Kind.SELL) & (group == group[row])).any():
            text = (
                "a short was closed at a loss with a sale of the stock within 30 days; it may be disallowed"
            )
            yield Flag(ledger.ids[row], "§1091(e)(1)", text)


def _donations(ledger: Ledger) -> Iterator[Flag]:
    """Lots that somebody else than a charity should have had."""
    t = ledger.transactions
    for row in np.flatnonzero(t.kind == Kind.DONATE).tolist():
        if not ledger.accounts.taxable[t.account_ix[row]]:
            continue
        entry = ledger.entries[ledger.ids[row]]
        price = Fraction(str(entry["price"])) if "price" in entry else None
        for (lot, holding_from), (quantity, basis) in _given(ledger, row).items():
            name = ledger.ids[lot]
            value = price * quantity * CENTS_PER_USD / NANO_PER_SHARE if price is not None else None
            if value is not None and value < basis:
                text = (
                    f"lot {name} is worth less than its basis of ${_usd(basis)}; sell it and give the money"
                )
                yield Flag(ledger.ids[row], "§170(e)", text)
            elif (
                not is_long_term(np.array([holding_from], "M8[D]"), t.day[row : row + 1])[0]
                and value != basis
            ):
                text = f"lot {name} is short-term; its deduction is cut to the basis of ${_usd(basis)}"
                yield Flag(ledger.ids[row], "§170(e)(1)(A)", text)


def _given(ledger: Ledger, row: int) -> dict[tuple[int, int], tuple[int, int]]:
    """What row `row` took out of its account: (lot, holding from) → shares and basis."""
    t = ledger.transactions
    parts: dict[tuple[int, int], tuple[int, int]] = {}
    for until, sign in ((row, 1), (row + 1, -1)):
        rows = first_rows(t, until)
        lots = fold_transactions(rows, ledger.accounts, ledger.groups, ledger.policy.fold).lots
        here = (lots.account_ix == t.account_ix[row]) & (lots.security_ix == t.security_ix[row])
        for i in np.flatnonzero(here & (lots.side == 1)):
            key = int(lots.origin_row[i]), int(lots.holding_from[i].astype(np.int64))
            quantity, basis = parts.get(key, (0, 0))
            more, money = sign * int(lots.quantity_nano[i]), sign * int(lots.basis_cents[i])
            parts[key] = quantity + more, basis + money
    return {key: part for key, part in parts.items() if part[0]}


def _puts(ledger: Ledger, folded: Folded) -> Iterator[Flag]:
    """What each put asks of a person: nothing of it is booked."""
    for fact in ledger.facts:
        if fact.type not in ("put_buy", "put_write"):
            continue
        usd, option = _usd(fact.values["amount"]), fact.values["option"]
        is_bought = fact.type == "put_buy"
        way = "bought" if is_bought else "written"
        text = f"put {option} {way} for ${usd} is cash alone here; enter its own gain or loss on the return"
        yield Flag(fact.key, "§1234(a)" if is_bought else "§1234(b)", text)
        if is_bought and ledger.accounts.taxable[fact.account]:
            yield from _hedge(ledger, fact)
        if not is_bought and fact.values.get("deep_in_the_money"):
            for sale in _losses_around(ledger, folded, fact):
                text = f"written deep in the money within 30 days of the loss in {sale}; if its exercise is "
                text += "all but certain it is a contract to acquire, and the loss is washed"
                yield Flag(fact.key, "Rev. Rul. 85-87", text)


def _hedge(ledger: Ledger, fact: Fact) -> Iterator[Flag]:
    """Shares that a put bought protects: held on its day, or bought within a year."""
    t, day = ledger.transactions, as_day(fact.day)
    group = ledger.groups.group_ix
    own = group[ledger.symbols.index(fact.symbol)]
    before = first_rows(t, int(np.searchsorted(t.day, day, side="right")))
    lots = fold_transactions(before, ledger.accounts, ledger.groups, ledger.policy.fold).lots
    mine = (group[lots.security_ix] == own) & (ledger.accounts.taxable[lots.account_ix] == 1)
    mine &= (lots.side == 1) & ~np.isin(t.kind[lots.origin_row], (Kind.OPTION_BUY, Kind.RIGHTS))
    young = mine & ~is_long_term(lots.holding_from, np.full(len(mine), day))
    same_day = young & (lots.purchased == day)
    later = (t.day > day) & (t.day <= day + _YEAR_DAYS) & np.isin(t.kind, (Kind.BUY, Kind.REINVEST))
    later &= (group[t.security_ix] == own) & (ledger.accounts.taxable[t.account_ix] == 1)
    if (young & ~same_day).any() or later.any():
        text = (
            "counts as a short sale to shares held a year or less, or bought before it ends: their holding "
        )
        yield Flag(fact.key, "§1233(b)", text + "period starts anew when it is sold, exercised or lapses")
    if same_day.any():
        text = "bought with shares of the same day: no short sale if the records name them as its cover"
        yield Flag(fact.key, "§1233(c)", text)
    if mine.any() or later.any():
        text = "offsets shares held: losses may be deferred, holding periods suspended, and its days do not "
        yield Flag(fact.key, "§1092", text + "count for dividends (hedged_days, §246(c)(4))")


def _losses_around(ledger: Ledger, folded: Folded, fact: Fact) -> list[str]:
    """Sales of the put's stock at a loss within the window, in book order."""
    t, sold, group = ledger.transactions, folded.disposals, ledger.groups.group_ix
    near = abs((t.day[sold.sale_row] - as_day(fact.day)).astype(np.int64)) <= WINDOW_DAYS
    lost = (sold.proceeds_cents < sold.basis_cents) & (t.kind[sold.sale_row] != Kind.COVER)
    own = group[sold.security_ix] == group[ledger.symbols.index(fact.symbol)]
    rows = np.unique(sold.sale_row[near & lost & own & (sold.taxable == 1)])
    return [ledger.ids[row] for row in rows.tolist()]


def _dividends(ledger: Ledger, parts: Sequence[DividendPart]) -> Iterator[Flag]:
    """Dividends that nobody held, whose days are missing, or that shares short pay in lieu."""
    held = {part.fact.key for part in parts}
    in_lieu: dict[str, int] = defaultdict(int)
    for part in parts:
        in_lieu[part.fact.key] -= part.amount_cents if part.bucket == PAID_IN_LIEU else 0
    for fact in ledger.facts:
        if fact.type != "dividend":
            continue
        values = fact.values
        if fact.key not in held:
            text = "no taxable account held shares on the ex-date; nothing is booked"
            yield Flag(fact.key, "§61(a)(7)", text)
        elif "ex_date" not in values:
            yield Flag(fact.key, "§246(c)", "no ex_date is given; the day of payment was taken for it")
        is_fund = values.get("is_fund") or values.get("kind") is Payment.REIT
        if is_fund and fact.day.month == _JANUARY and not {"declared", "record"} <= values.keys():
            text = "paid by a fund in January; give declared and record, it may belong to the year before"
            yield Flag(fact.key, "§852(b)(7)", text)
        if in_lieu[fact.key]:
            text = (
                f"${_usd(in_lieu[fact.key])} is paid in lieu of the dividend on shares short; if they are "
                "closed within 45 days it joins the basis of what closes them, else it is interest"
            )
            yield Flag(fact.key, "§263(h)", text)


def _extraordinary(ledger: Ledger, folded: Folded, parts: Sequence[DividendPart]) -> Iterator[Flag]:
    """Short-term losses that are long-term as far as extraordinary qualified dividends went."""
    sold, basis, loss = folded.disposals, defaultdict[_Closed, int](int), defaultdict[_Closed, int](int)
    lost = (sold.gain_cents < 0) & (sold.long_term == 0)
    for i in np.flatnonzero(sold.taxable == 1) if parts else ():
        closed = int(sold.sale_row[i]), int(sold.origin_row[i])
        basis[closed] += int(sold.basis_cents[i])
        loss[closed] -= int(sold.gain_cents[i]) if lost[i] else 0
    received = defaultdict[_Closed, int](int)
    for part in parts:
        times = _PREFERRED_PARTS if part.fact.values.get("preferred") else _EXTRAORDINARY_PARTS
        for sale, quantity in part.gone if part.bucket == Bucket.QUALIFIED else ():
            amount = amount_cents(part.fact, quantity)
            if amount * times >= basis[sale, part.lot_row] > 0:
                received[sale, part.lot_row] += amount
    for (sale, lot), amount in sorted(received.items()):
        if loss[sale, lot]:
            usd = _usd(long_term_part_of_loss(loss[sale, lot], amount))
            text = (
                f"${usd} of the short-term loss on lot {ledger.ids[lot]} is long-term: extraordinary dividend"
            )
            yield Flag(ledger.ids[sale], "§1(h)(11)(D)(ii)", text)


def _usd(cents: int) -> str:
    return format_scaled(cents, CENTS_PER_USD)
