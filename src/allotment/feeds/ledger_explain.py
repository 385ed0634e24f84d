"""The life of one lot of a ledger file, told step by step with the rule behind each."""

from __future__ import annotations

import numpy as np

from allotment.feeds.ledger_dividends import OPEN, DividendPart, dividend_parts, ex_date, payment_of
from allotment.feeds.ledger_json import Ledger
from allotment.tax.dividend import DAYS_MORE_THAN, PREFERRED_DAYS_MORE_THAN, Payment
from allotment.tax.folded import Folded
from allotment.tax.transactions import Kind
from allotment.units import CENTS_PER_USD, NANO_PER_SHARE, as_day, format_scaled

_MADE_BY = {
    Kind.BUY: "bought on the trade date (Rev. Rul. 66-97); basis is cost with fees (26 U.S.C. §1012(a))",
    Kind.REINVEST: "bought by reinvestment, a purchase like any other (§1012(a))",
    Kind.GIFT_IN: "received as a gift; donor's basis and holding period (§§1015(a), 1223(2))",
    Kind.INHERIT: "inherited; basis is market value at death (§1014(a)), long-term at once (§1223(9))",
    Kind.OPTION_BUY: "call bought, a contract to acquire the underlying (§1091(a))",
    Kind.OPTION_EXERCISE: "acquired by exercising calls; basis is strike plus premium",
    Kind.EXERCISE_RIGHTS: "acquired by exercising rights; counts from the exercise day (§1223(5))",
    Kind.TAXABLE_MERGER: "received in a taxable merger at market value (§1001), an acquisition (§1091(a))",
    Kind.TAXABLE_SPIN_OFF: "received in a taxable distribution at market value (§301(d)); no purchase",
    Kind.OPEN_LOT: "received as a taxable stock dividend at market value (§§305(b)(1), 301(d)); no purchase",
    Kind.IRA_DISTRIBUTION: "distributed by an IRA at market value; counts from that day",
}
_GONE_BY = {
    Kind.SELL: "sold (§1001(a))",
    Kind.SPLIT: "fraction paid in cash (Rev. Rul. 66-365)",
    Kind.SPIN_OFF: "fraction of the child paid in cash (Rev. Rul. 66-365)",
    Kind.STOCK_MERGER: "fraction paid in cash (Rev. Rul. 66-365)",
    Kind.MIXED_MERGER: "cash of the merger; gain up to the cash, no loss (§356(a)(1), (c))",
    Kind.CASH_MERGER: "cashed out in a merger (§1001)",
    Kind.RETURN_OF_CAPITAL: "distribution beyond basis (§301(c)(3))",
    Kind.WORTHLESS: "worthless, deemed sold on 31 December (§165(g)(1))",
    Kind.TAXABLE_MERGER: "given up in a taxable merger for stock and cash at market value (§1001)",
}
_NOT_QUALIFIED = {
    Payment.IN_LIEU: "a payment in lieu of one (Q-5: §1(h)(11)(B)(iii)(II))",
    Payment.REIT: "a REIT's (Q-8: §199A)",
}
_CHANGED_BY = {
    Kind.SPLIT: "split: shares change, basis and dates do not (§§305(a), 307(a), 1223(4))",
    Kind.SPIN_OFF: "spin-off: basis shared by market value, dates go over (§§355, 358(c), 1223(1))",
    Kind.STOCK_MERGER: "merger: basis and dates go over lot by lot (§§354, 358(a)(1), 1223(1))",
    Kind.MIXED_MERGER: "merger with cash: basis less cash plus gain (§358(a)(1))",
    Kind.RETURN_OF_CAPITAL: "distribution lowers the basis (§301(c)(2))",
    Kind.RIGHTS: "rights received (§§307(b), 1223(4))",
    Kind.SYMBOL_CHANGE: "new symbol, nothing changes (§368(a)(1)(F))",
    Kind.SPLIT_OFF: "split-off: shares given up take basis and dates along (§§355, 358(a)(1), 1223(1))",
}


def explain_lot(ledger: Ledger, folded: Folded, lot: str) -> list[str]:
    """Steps in order of day: made, changed, washed, paid dividends, disposed of, and what is left."""
    origin = ledger.ids.index(lot)
    rows = ledger.transactions
    steps: list[tuple[np.datetime64, int, str]] = []
    kind = Kind(int(rows.kind[origin]))
    made = _MADE_BY.get(kind)
    if made is None:
        return [f"{lot} is a {kind.name.lower()}; it made no lot."]
    steps.append((rows.day[origin], origin, f"{_what(ledger, origin)}: {made}"))
    symbols = {int(rows.security_ix[origin])} | set(folded.lots.security_ix[folded.lots.origin_row == origin])
    symbols |= set(folded.disposals.security_ix[folded.disposals.origin_row == origin])
    for r in range(origin + 1, len(rows)):
        changed = _CHANGED_BY.get(Kind(int(rows.kind[r])))
        if changed and int(rows.security_ix[r]) in symbols:
            steps.append((rows.day[r], r, f"{ledger.ids[r]}: {changed}"))
    steps += _washes(ledger, folded, origin) + _disposals(ledger, folded, origin)
    steps += _dividends(ledger, folded, origin)
    steps.sort(key=lambda step: (step[0], step[1]))
    told = [f"{np.datetime_as_string(day)}  {text}" for day, _, text in steps]
    return told + _left(ledger, folded, origin)


def _what(ledger: Ledger, row: int) -> str:
    rows = ledger.transactions
    if rows.account_ix[row] < 0 or rows.kind[row] == Kind.IRA_DISTRIBUTION:
        return f"by {ledger.ids[row]}"  # what each account got stands with what is left of it
    return (
        f"{_shares(rows.quantity_nano[row])} {ledger.symbols[rows.security_ix[row]]} in account "
        f"{ledger.account_names[rows.account_ix[row]]} for {_usd(rows.amount_cents[row])}"
    )


def _washes(ledger: Ledger, folded: Folded, origin: int) -> list[tuple[np.datetime64, int, str]]:
    links, sold = folded.links, folded.disposals
    steps = []
    for i in np.flatnonzero(links.origin_row == origin):
        sale = int(sold.sale_row[links.disposal_ix[i]])
        effect = (
            "the loss is gone for good (Rev. Rul. 2008-5)"
            if links.permanent[i]
            else f"{_usd(links.amount_cents[i])} joins the basis (§1091(d)), the days held too (§1223(3))"
        )
        text = (
            f"{_shares(links.quantity_nano[i])} replace shares sold at a loss in {ledger.ids[sale]}: {effect}"
        )
        steps.append((links.matched[i], max(sale, origin), text))
    return steps


def _disposals(ledger: Ledger, folded: Folded, origin: int) -> list[tuple[np.datetime64, int, str]]:
    sold = folded.disposals
    steps = []
    for i in np.flatnonzero(sold.origin_row == origin):
        row = int(sold.sale_row[i])
        how = _GONE_BY.get(Kind(int(ledger.transactions.kind[row])), "disposed of")
        term = "long" if sold.long_term[i] else "short"
        text = (
            f"{ledger.ids[row]}: {_shares(sold.quantity_nano[i])} {how}: proceeds "
            f"{_usd(sold.proceeds_cents[i])}, basis {_usd(sold.basis_cents[i])}, "
            f"{term}-term gain {_usd(sold.gain_cents[i])} (§1222)"
        )
        if sold.disallowed_cents[i]:
            text += f", {_usd(sold.disallowed_cents[i])} of loss disallowed (§1091(a))"
        steps.append((sold.day[i], row, text))
    return steps


def _dividends(ledger: Ledger, folded: Folded, origin: int) -> list[tuple[np.datetime64, int, str]]:
    """What each dividend paid on the lot, on its ex-date, before the trades of that day."""
    links = folded.links
    is_tacked = bool(((links.origin_row == origin) & (links.permanent == 0)).any())
    steps = []
    for part in dividend_parts(ledger, folded):
        if part.lot_row == origin:
            fact = part.fact
            text = (
                f"{fact.key}: dividend of {_usd(part.amount_cents)} on {_shares(part.quantity_nano)} in "
                f"account {ledger.account_names[part.account_ix]}, {_taken_as(part, is_tacked)}"
            )
            if part.year != fact.day.year:
                text += f"; of {part.year}, though paid on {fact.day} (D-7: §852(b)(7), §857(b)(9))"
            steps.append((as_day(ex_date(fact)), -1, text))
    return steps


def _taken_as(part: DividendPart, is_tacked: bool) -> str:
    """The bucket, with its rule."""
    payment = payment_of(part.fact)
    if payment is not Payment.DIVIDEND:
        return f"{part.bucket}: {_NOT_QUALIFIED[payment]}"
    days = PREFERRED_DAYS_MORE_THAN if part.fact.values.get("preferred") else DAYS_MORE_THAN
    rules = "Q-1: §1(h)(11)(B)(iii), §246(c)(1)"
    if part.fact.values.get("hedged_days"):
        rules += "; Q-3, days of diminished risk taken off: §246(c)(4)"
    if is_tacked:
        rules += "; Q-2, the days of shares that it replaced do not count: §246(c)(3)(B)"
    if part.qualified == OPEN:
        return f"open: held {part.counted_days} days so far, the days to come decide ({rules})"
    needs = "more" if part.qualified == "yes" else "not more"
    return f"{part.bucket}: held {part.counted_days} days around the ex-date, {needs} than {days} ({rules})"


def _left(ledger: Ledger, folded: Folded, origin: int) -> list[str]:
    lots = folded.lots
    told = [
        f"held now  {_shares(lots.quantity_nano[i])} {ledger.symbols[lots.security_ix[i]]} in account "
        f"{ledger.account_names[lots.account_ix[i]]}, basis {_usd(lots.basis_cents[i])}, "
        f"holding period from {np.datetime_as_string(lots.holding_from[i])}"
        for i in np.flatnonzero(lots.origin_row == origin)
    ]
    return told or ["held now  nothing"]


def _usd(cents: int) -> str:
    return "$" + format_scaled(int(cents), CENTS_PER_USD)


def _shares(quantity_nano: int) -> str:
    return format_scaled(int(quantity_nano), NANO_PER_SHARE)
