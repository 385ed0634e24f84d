"""Random ledgers through the program and through `statute.py`: the same to the cent."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from datetime import date, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from allotment.feeds.ledger_json import Ledger, read_ledger, replay
from allotment.tax import fold as fold_module
from allotment.tax.folded import Folded
from allotment.tax.pieces import Books
from allotment.tax.transactions import LotMethod

_spec = importlib.util.spec_from_file_location("statute", Path(__file__).with_name("statute.py"))
assert _spec
assert _spec.loader
statute_module = importlib.util.module_from_spec(_spec)
sys.modules["statute"] = statute_module
_spec.loader.exec_module(statute_module)

ACCOUNTS = {"A": {}, "B": {}, "S": {"owner": "spouse"}, "I": {"type": "ira"}}
NANO = 10**9
METHODS = [method.name.lower() for method in LotMethod if method is not LotMethod.DONATION]


KINDS = ["buy"] * 6 + ["sell"] * 6 + ["split", "gift_in", "inherit", "transfer", "donate", "spinoff", "roc"]
KINDS += ["mixed_merger", "stock_merger", "cash_merger", "worthless", "symbol_change", "rights"]
KINDS += ["taxable_stock_dividend", "taxable_merger", "taxable_spinoff", "liquidation"]
KINDS += ["split_off", "ira_distribution", "contract", "contract", "contract"]
LEAVING = ("sell", "donate", "transfer", "split_off", "ira_distribution")
GROUPS: list[Any] = [[["X", "Y"]], [{"X": 1, "Y": 2}], [{"X": 3, "Y": "0.7"}]]
Draw = st.DrawFn
Entry = dict[str, Any]


class Desk:
    """What the household holds so far, as the statute has it."""

    def __init__(self, policy: Entry) -> None:
        self.policy = policy
        self.transactions: list[Entry] = []
        self.held: dict[tuple[str, str], int] = {}
        self.lots: dict[str, dict[tuple[str, str], int]] = {}
        self.under: dict[str, str] = {}  # the stock of each call or right

    def add(self, entry: Entry) -> None:
        self.transactions.append(entry)
        document = {"accounts": ACCOUNTS, "transactions": self.transactions, "policy": self.policy}
        home = statute_module.fold(document)
        self.held, self.lots = {}, {}
        for lot in home.lots:
            at = (lot.account, lot.symbol)
            self.held[at] = self.held.get(at, 0) + lot.qty
            parts = self.lots.setdefault(self.transactions[lot.key]["id"], {})
            parts[at] = parts.get(at, 0) + lot.qty

    def given(self) -> list[tuple[str, str]]:
        """Where calls and rights are held, of which a millionth of a contract can be named."""
        return sorted(at for at, qty in self.held.items() if at[1] in self.under and qty >= 10**6)


def coming(draw: Draw, kind: str, day: date, qty: int, amount: int) -> Entry:
    if kind == "buy":
        return {"qty": nano_text(qty), "amount": cents_text(amount)}
    if kind in ("inherit", "taxable_stock_dividend"):
        return {"qty": nano_text(qty), "fmv": cents_text(amount)}
    born = day - timedelta(days=draw(st.sampled_from([10, 365, 800])))
    value = cents_text(draw(st.integers(1, 500_000)))
    facts = {"qty": nano_text(qty), "donor_basis": cents_text(amount), "fmv": value}
    return {**facts, "donor_acq": born.isoformat()}


def leaving(draw: Draw, desk: Desk, kind: str, at: tuple[str, str], qty: int, amount: int) -> Entry | None:
    there = desk.held[at]
    qty = min(there, draw(st.sampled_from([qty, there, max(1, there // 3)])))
    entry: Entry = {}
    here = sorted((lot, parts[at]) for lot, parts in desk.lots.items() if parts.get(at))
    if kind == "transfer" and at[0] == "I":
        return None
    if kind == "transfer" or draw(st.booleans()):
        named = draw(st.lists(st.sampled_from(here), min_size=1, max_size=2, unique=True))
        parts = [min(qty, most) for _, most in named]
        entry["lots"] = [[lot, nano_text(part)] for (lot, _), part in zip(named, parts, strict=True)]
        qty = sum(parts)
    if kind == "ira_distribution":
        return entry | {"from": "I", "to": "A", "qty": nano_text(qty), "fmv": cents_text(amount)}
    if kind == "transfer":
        to = draw(st.sampled_from([name for name in ("A", "B", "S") if name != at[0]]))
        return entry | {"from": at[0], "to": to}
    entry |= {"account": at[0], "qty": nano_text(qty)}
    if kind == "split_off":
        return entry | {"to": draw(st.sampled_from(["W", "Z" if at[1] != "Z" else "W"])), "ratio": "3:7"}
    return entry | {"amount": cents_text(amount)} if kind == "sell" else entry


def befalling(draw: Draw, kind: str, i: int) -> Entry:
    lieu = {"cil_price": "12.345"} if draw(st.booleans()) else {}
    if kind == "split":
        return {"ratio": draw(st.sampled_from(["2:1", "3:2", "1:3", "1:10"])), **lieu}
    if kind == "spinoff":
        return {"child": f"C{i}", "ratio": "0.3", "parent_fmv": "31.07", "child_fmv": "9.99", **lieu}
    if kind == "roc":
        return {"per_share": draw(st.sampled_from(["0.37", "25", "4000"]))}
    if kind == "mixed_merger":
        value = draw(st.sampled_from(["1.11", "90", "2000"]))
        return {"to": f"M{i}", "ratio": "3:7", "to_fmv": value, "cash": "11.13"}
    if kind in ("taxable_merger", "taxable_spinoff"):
        cash = {"cash": "3.33"} if kind == "taxable_merger" and draw(st.booleans()) else {}
        name, fmv = ("to", "to_fmv") if kind == "taxable_merger" else ("child", "child_fmv")
        to = draw(st.sampled_from([f"T{i}", "W"]))
        return {name: to, "ratio": draw(st.sampled_from(["0.3", "3:7", "2:1"])), fmv: "17.77", **cash}
    if kind == "liquidation":
        return {"per_share": "11.11", **({"final": True} if draw(st.booleans()) else {})}
    if kind == "stock_merger":
        return {"to": f"M{i}", "ratio": "3:7"}
    if kind == "symbol_change":
        return {"to": f"N{i}"}
    if kind == "rights":
        worth = draw(st.sampled_from(["0.99", "15", "15.01"]))
        elected = {"allocate": True} if draw(st.booleans()) else {}
        return {"rights": f"R{i}", "per_share": "0.3", "stock_fmv": "30", "right_fmv": worth, **elected}
    return {"cash": "21.5"} if kind == "cash_merger" else {}


def contract(draw: Draw, desk: Desk, symbol: str, account: str, amount: int) -> Entry:
    """Calls bought, some of them in more than one lot, or calls and rights sold, let go or exercised."""
    paid = {"amount": cents_text(amount)}
    if draw(st.booleans()) or not desk.given():
        option = f"O{symbol}{draw(st.integers(1, 2))}"
        desk.under[option] = symbol
        contracts = draw(st.sampled_from(["1", "0.3", "0.05"]))
        facts = {"option": option, "contracts": contracts, **paid}
        return {"type": "option_buy", "symbol": symbol, "account": account, **facts}
    account, given = draw(st.sampled_from(desk.given()))
    there = desk.held[account, given]
    qty = draw(st.sampled_from([there, there // 2])) // 100 * 100
    symbol = desk.under[given]
    if given.startswith("R"):
        facts = {"type": "exercise_rights", "rights": given, "qty": nano_text(qty), **paid}
    else:
        kind = draw(st.sampled_from(["option_sell", "option_expire", "option_exercise", "option_exercise"]))
        facts = {"type": kind, "option": given, "contracts": nano_text(qty // 100)}
        facts |= paid if kind != "option_expire" else {}
    return {"symbol": symbol, "account": account, **facts}


@st.composite
def ledgers(draw: Draw) -> Entry:
    """A household that buys and sells three stocks, two of them alike, and what befalls them."""
    policy = readings(draw)
    desk = Desk(policy)
    day = date(2023, 1, 2)
    whole = draw(st.booleans())
    for i in range(draw(st.integers(3, 26))):
        day += timedelta(days=draw(st.sampled_from([0, 0, 1, 3, 9, 15, 16, 30, 31, 200])))
        account = draw(st.sampled_from(["A", "A", "A", "B", "S", "I"]))
        symbol = draw(st.sampled_from(["X", "X", "X", "Y", "Z"]))
        kind = draw(st.sampled_from(KINDS))
        unit = NANO if whole else draw(st.sampled_from([10**6, NANO // 3, NANO]))
        qty, amount = draw(st.integers(1, 40)) * unit, draw(st.integers(1, 500_000))
        if kind == "ira_distribution":
            account = "I"
        if kind in LEAVING and not desk.held.get((account, symbol)):
            kind = "buy"
        facts: Entry | None
        if kind in ("buy", "gift_in", "inherit", "taxable_stock_dividend"):
            facts = {"account": account, **coming(draw, kind, day, qty, amount)}
        elif kind in LEAVING:
            facts = leaving(draw, desk, kind, (account, symbol), qty, amount)
        elif kind == "contract":
            facts = contract(draw, desk, symbol, account, amount)
        else:
            facts = befalling(draw, kind, i)
            if kind == "rights":
                desk.under[f"R{i}"] = symbol
        if facts is not None:
            entry = {"id": f"t{i}", "date": day.isoformat(), "type": kind, "symbol": symbol}
            desk.add(entry | facts)
    return {"accounts": ACCOUNTS, "transactions": desk.transactions, "policy": policy}


HURRIED = [0, 0, 1, 1, 2, 5, 9, 20]
STEPS = [0, 0, 0, 1, 2, 5, 9, 14, 15, 16, 29, 30, 31, 60, 340]


@st.composite
def traders(draw: Draw, steps: list[int], **policy: str) -> Entry:
    """A household that trades two like stocks to and fro, mostly at a loss: washes upon washes. `steps`:
    days between trades."""
    held: dict[tuple[str, str], int] = {}
    transactions: list[Entry] = []
    day = date(2023, 1, 2)
    unit = draw(st.sampled_from([NANO, NANO, NANO // 3]))
    for i in range(draw(st.integers(6, 30))):
        day += timedelta(days=draw(st.sampled_from(steps)))
        kind = draw(
            st.sampled_from(["buy", "buy", "buy", "sell", "sell", "sell", "split", "option_buy", "roc"])
        )
        at = draw(st.sampled_from(["A", "A", "B", "S", "I"])), draw(st.sampled_from("XXY"))
        facts: Entry
        if kind == "sell" and held:
            at = draw(st.sampled_from(sorted(held)))
            qty = draw(st.sampled_from([held[at], max(1, held[at] // 2), min(held[at], 3 * unit)]))
            held[at] -= qty
            facts = {"account": at[0], "qty": nano_text(qty), "amount": cents_text(price(draw, qty, 60, 110))}
            facts |= {"method": draw(st.sampled_from(["lifo", "hifo"]))} if draw(st.booleans()) else {}
        elif kind == "split" and held:
            new, old = draw(st.sampled_from([(2, 1), (3, 2), (1, 2)]))
            for place, there in held.items():
                if place[1] == at[1]:
                    held[place] = statute_module.half_up(Fraction(there * new, old))
            facts = {"ratio": f"{new}:{old}"}
        elif kind == "roc":
            facts = {"per_share": "0.37"}
        elif kind == "option_buy":
            amount = cents_text(draw(st.integers(1, 50_000)))
            facts = {"account": at[0], "option": f"O{i}", "contracts": "0.05", "amount": amount}
        else:
            kind, qty = "buy", draw(st.integers(1, 12)) * unit
            held[at] = held.get(at, 0) + qty
            facts = {"account": at[0], "qty": nano_text(qty), "amount": cents_text(price(draw, qty, 80, 120))}
        held = {place: there for place, there in held.items() if there}
        transactions.append({"id": f"t{i}", "date": day.isoformat(), "type": kind, "symbol": at[1], **facts})
    return {"accounts": ACCOUNTS, "transactions": transactions, "policy": readings(draw) | policy}


@st.composite
def holders(draw: Draw) -> Entry:
    """One account with lots of all ages, bought, given and inherited, many at the same cost; parts of
    them are sold or donated by every method around the day on which they turn long-term."""
    transactions: list[Entry] = []
    day, held = date(2023, 1, 2), 0
    dollars = st.sampled_from([10, 20, 20.01, 25, 30])

    def note(kind: str, qty: int, **facts: str) -> None:
        facts |= {"symbol": "X", "qty": f"{qty}"}
        transactions.append({"id": f"t{len(transactions)}", "date": day.isoformat(), "type": kind, **facts})

    for _ in range(draw(st.integers(2, 8))):
        day += timedelta(days=draw(st.sampled_from([0, 0, 1, 31, 100])))
        qty = draw(st.integers(1, 3))
        worth, cost = (f"{draw(dollars) * qty:.2f}" for _ in range(2))
        born = day - timedelta(days=draw(st.sampled_from([10, 365, 800])))
        kind = draw(st.sampled_from(["buy", "buy", "buy", "gift_in", "gift_in", "inherit"]))
        given = {"donor_basis": cost, "fmv": worth, "donor_acq": born.isoformat()}
        note(kind, qty, **{"buy": {"amount": cost}, "gift_in": given, "inherit": {"fmv": worth}}[kind])
        held += qty
    day += timedelta(days=draw(st.sampled_from([1, 31, 200, 300])))
    while held and len(transactions) < 12:
        day += timedelta(days=draw(st.sampled_from([0, 1, 31, 65, 66])))
        qty, price_each = draw(st.integers(1, held)), draw(dollars)
        held -= qty
        if draw(st.integers(0, 5)) == 0:
            note("donate", qty, price=f"{price_each}", method="donation")
        else:
            method = {"method": draw(st.sampled_from(METHODS))} if draw(st.booleans()) else {}
            note("sell", qty, amount=f"{price_each * qty:.2f}", **method)
    return {"accounts": ACCOUNTS, "transactions": transactions, "policy": readings(draw)}


def price(draw: Draw, qty: int, least: int, most: int) -> int:
    return max(1, qty * draw(st.integers(least * 100, most * 100)) // NANO)


def readings(draw: Draw) -> Entry:
    return {
        "si_groups": draw(st.sampled_from(GROUPS)),
        "hp_method": draw(st.sampled_from(["tack_days", "tack_no_overlap", "replace_date"])),
        "same_order_candidates": draw(st.sampled_from(["eligible", "excluded"])),
        "sold_earlier_candidates": draw(st.sampled_from(["excluded", "excluded", "included"])),
        "acquired_before_sold_lot": draw(st.sampled_from(["eligible", "eligible", "excluded"])),
        "spouse_effect": draw(st.sampled_from(["adjust_spouse_lot", "permanent"])),
        "scope": draw(st.sampled_from(["household", "household", "household", "account_cusip"])),
        "fifo_key": draw(st.sampled_from(["acquired", "holding_from"])),
        "lot_method": draw(st.sampled_from(METHODS)),
    }


def nano_text(value: int) -> str:
    return f"{value // NANO}.{value % NANO:09d}"


def cents_text(value: int) -> str:
    return f"{value // 100}.{value % 100:02d}"


@pytest.fixture(autouse=True, scope="module")
def room_full_of_rubbish() -> Iterator[None]:
    """The fold takes its room as it comes; whatever stood there must not show."""
    taken = fold_module._books

    def soiled(*size: Any) -> Books:
        books = taken(*size)
        for matrix in (books.row, books.link, books.problem):
            matrix[:] = 1
        books.piece[:] = 2**40  # later than any day, and no row
        return books

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fold_module, "_books", soiled)
        yield


def program(document: dict[str, Any]) -> tuple[Ledger, Folded]:
    ledger = read_ledger(json.dumps(document), "ledger.json")
    return ledger, replay(ledger)


def sums(ledger: Ledger, folded: Folded) -> dict[str, dict[Any, list[int]]]:
    """What the program gives, summed as `statute.Outcome` is."""
    return {
        "sold": statute_module.summed(disposals(ledger, folded)),
        "held": statute_module.summed(holdings(ledger, folded)),
        "linked": statute_module.summed(matches(ledger, folded)),
    }


def disposals(ledger: Ledger, folded: Folded) -> Iterator[tuple[Any, list[int]]]:
    rows = folded.disposals
    waits = ledger.transactions.day.max() - rows.day <= np.timedelta64(30, "D")
    figures = np.stack(
        [
            rows.quantity_nano,
            rows.proceeds_cents,
            rows.basis_cents,
            rows.disallowed_cents,
            rows.permanent_cents,
            np.where(waits, rows.open_nano, 0),
        ],
        axis=1,
    ).tolist()
    for i in np.flatnonzero(rows.taxable == 1):
        at = (int(rows.sale_row[i]), int(rows.origin_row[i]), ledger.account_names[rows.account_ix[i]])
        days = (rows.acquired[i].item(), rows.holding_from[i].item())
        yield (*at, bool(rows.long_term[i]), *days), figures[i]


def holdings(ledger: Ledger, folded: Folded) -> Iterator[tuple[Any, list[int]]]:
    lots = folded.lots
    figures = np.stack([lots.quantity_nano, lots.basis_cents, lots.loss_basis_cents], axis=1).tolist()
    for i in range(len(lots.origin_row)):
        at = (ledger.symbols[lots.security_ix[i]], ledger.account_names[lots.account_ix[i]])
        days = (lots.acquired[i].item(), lots.holding_from[i].item(), lots.purchased[i].item())
        purchase = -1 - int(lots.purchase_id[i])  # no order has two fills in these files
        yield (int(lots.origin_row[i]), *at, *days, purchase, bool(lots.absorbed[i])), figures[i]


def matches(ledger: Ledger, folded: Folded) -> Iterator[tuple[Any, list[int]]]:
    links, rows = folded.links, folded.disposals
    figures = np.stack([links.quantity_nano, links.sold_nano, links.amount_cents], axis=1).tolist()
    for i, row in enumerate(links.disposal_ix):
        sold = (int(rows.sale_row[row]), int(rows.origin_row[row]))
        bought = (int(links.origin_row[i]), ledger.account_names[links.account_ix[i]])
        at = (*sold, ledger.account_names[rows.account_ix[row]], *bought)
        symbol = ledger.symbols[links.security_ix[i]]
        yield (*at, symbol, links.matched[i].item(), bool(links.permanent[i])), figures[i]


COMMON = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow, HealthCheck.data_too_large]}


def check_agreement(document: dict[str, Any]) -> None:
    assert sums(*program(document)) == asdict(statute_module.statute(document))


@settings(max_examples=150, **COMMON)
@given(ledgers())
def test_both_implementations_agree_to_the_cent(document: dict[str, Any]) -> None:
    check_agreement(document)


@settings(max_examples=200, **COMMON)
@given(traders(STEPS))
def test_both_implementations_agree_on_washes_upon_washes(document: dict[str, Any]) -> None:
    check_agreement(document)


@st.composite
def linked(draw: Draw, steps: list[int]) -> Entry:
    """The same household, whose accounts come to it and leave it on days around its trades."""
    document = draw(traders(steps, scope="household"))
    days = sorted({entry["date"] for entry in document["transactions"]})

    def dated(facts: Entry) -> Entry:
        came, left = draw(st.sampled_from([None, *days])), draw(st.sampled_from([None, None, *days]))
        facts = facts | ({"linked": came} if came else {})
        return facts | ({"unlinked": left} if left and (not came or left > came) else {})

    return document | {"accounts": {name: dated(facts) for name, facts in ACCOUNTS.items()}}


@settings(max_examples=200, **COMMON)
@given(linked(HURRIED))
def test_both_implementations_agree_on_accounts_that_come_and_leave(document: dict[str, Any]) -> None:
    check_agreement(document)


@settings(max_examples=200, **COMMON)
@given(traders(HURRIED, sold_earlier_candidates="included", scope="household"))
def test_both_implementations_agree_on_shares_that_replace_when_they_are_sold(
    document: dict[str, Any],
) -> None:
    check_agreement(document)


@settings(max_examples=400, **COMMON)
@given(holders())
def test_both_implementations_close_the_same_lots(document: dict[str, Any]) -> None:
    check_agreement(document)


@pytest.mark.slow
@settings(max_examples=3000, **COMMON)
@given(st.one_of(ledgers(), traders(STEPS), traders(HURRIED), holders()))
def test_both_implementations_agree_on_many_ledgers(document: dict[str, Any]) -> None:
    check_agreement(document)


class Trades:
    """Trades in one stock and account, written one after the other."""

    def __init__(self, **policy: str) -> None:
        self.policy = policy
        self.transactions: list[Entry] = []

    def note(self, kind: str, day: int, qty: int, price: int, **more: Any) -> str:
        on = (date(2023, 1, 2) + timedelta(days=day)).isoformat()
        facts = {"date": on, "type": kind, "symbol": "X", "qty": f"{qty}", "amount": f"{qty * price}"}
        key = f"t{len(self.transactions)}"
        self.transactions.append({"id": key, **facts, **more})
        return key

    def check(self) -> None:
        check_agreement({"accounts": ACCOUNTS, "transactions": self.transactions, "policy": self.policy})


def test_one_transaction_may_cut_every_lot_and_every_claim() -> None:
    """More pieces, rows and links than transactions: room grows as they come."""
    trades = Trades()
    for _ in range(60):
        trades.note("buy", 0, 2, 100)
    for turn in range(8):  # every lot waits for a replacement, and one purchase replaces them all
        trades.note("sell", 40 * turn + 40, 120, 90 - turn)
        trades.note("buy", 40 * turn + 50, 120, 90 - turn)
    for turn in range(12):  # every purchase cuts what is sold after it, piece by piece
        for _ in range(3):
            trades.note("buy", 400 + turn, 37, 80 - turn)
        trades.note("sell", 400 + turn, 111, 70 - turn)
    trades.check()


def test_one_transaction_may_part_a_claim_for_every_lot() -> None:
    """One sale waits as a whole; the pieces of another part it, and one purchase replaces all of them."""
    trades = Trades(sold_earlier_candidates="included")
    for _ in range(60):
        trades.note("buy", 0, 2, 100)
    trades.note("sell", 40, 120, 90)
    lot = trades.note("buy", 50, 120, 90)
    for turn in range(8):
        day = 100 + 60 * turn
        young = trades.note("buy", day, 120, 85 - turn)
        trades.note("sell", day + 1, 120, 80 - turn, lots=[[young, "120"]])
        trades.note("sell", day + 2, 120, 70 - turn, lots=[[lot, "120"]])
        lot = trades.note("buy", day + 3, 120, 75 - turn)
    trades.check()


@settings(max_examples=40, **COMMON)
@given(ledgers(), st.permutations(list(ACCOUNTS)))
def test_the_order_of_accounts_does_not_matter(document: dict[str, Any], names: list[str]) -> None:
    shuffled = {**document, "accounts": {name: ACCOUNTS[name] for name in names}}
    assert sums(*program(document)) == sums(*program(shuffled))


@settings(max_examples=40, **COMMON)
@given(ledgers())
def test_shares_are_conserved_and_each_absorbs_one_loss_at_most(document: dict[str, Any]) -> None:
    _, folded = program(document)
    assert not folded.conservation.difference().any()
    assert (folded.lots.quantity_nano > 0).all()
    assert (folded.lots.basis_cents >= 0).all()
    links, rows = folded.links, folded.disposals
    disallowed = np.zeros(len(rows.sale_row), np.int64)
    np.add.at(disallowed, links.disposal_ix, links.amount_cents)
    assert disallowed.tolist() == rows.disallowed_cents.tolist()
    assert (rows.permanent_cents <= rows.disallowed_cents).all()
