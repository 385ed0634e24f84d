"""Random ledgers through the program and through `statute.py`: the same to the cent."""

from __future__ import annotations

import importlib.util
import json
import sys
from datetime import date, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from allotment.feeds.ledger_json import Ledger, read_ledger, replay
from allotment.tax.folded import Folded

_spec = importlib.util.spec_from_file_location("statute", Path(__file__).with_name("statute.py"))
assert _spec
assert _spec.loader
statute_module = importlib.util.module_from_spec(_spec)
sys.modules["statute"] = statute_module
_spec.loader.exec_module(statute_module)

ACCOUNTS = {"A": {}, "B": {}, "S": {"owner": "spouse"}, "I": {"type": "ira"}}
NANO = 10**9


KINDS = ["buy"] * 6 + ["sell"] * 6 + ["split", "gift_in", "inherit", "transfer", "donate", "spinoff", "roc"]
KINDS += ["mixed_merger", "stock_merger", "option_buy", "cash_merger", "worthless"]
KINDS += [
    "taxable_stock_dividend",
    "taxable_merger",
    "taxable_spinoff",
    "liquidation",
    "split_off",
    "ira_distribution",
    "option_sell",
]
LEAVING = ("sell", "donate", "transfer", "split_off", "ira_distribution")
GROUPS = {"si_groups": [["X", "Y"]]}
Draw = st.DrawFn
Entry = dict[str, Any]


class Desk:
    """What the household holds so far, as the statute has it."""

    def __init__(self) -> None:
        self.transactions: list[Entry] = []
        self.held: dict[tuple[str, str], int] = {}
        self.lots: dict[str, dict[tuple[str, str], int]] = {}
        self.under: dict[str, str] = {}  # the stock of each call

    def add(self, entry: Entry) -> None:
        self.transactions.append(entry)
        document = {"accounts": ACCOUNTS, "transactions": self.transactions, "policy": GROUPS}
        home = statute_module.statute(document)[2]
        self.held, self.lots = {}, {}
        for lot in home.lots:
            at = (lot.account, lot.symbol)
            self.held[at] = self.held.get(at, 0) + lot.qty
            parts = self.lots.setdefault(self.transactions[lot.key]["id"], {})
            parts[at] = parts.get(at, 0) + lot.qty

    def can_name(self) -> bool:
        """Cash in lieu follows the standing method, so lots named after it would depend on it."""
        return not any("cil_price" in entry for entry in self.transactions)


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
    here = [(lot, parts[at]) for lot, parts in desk.lots.items() if parts.get(at)]
    if kind == "transfer" or (desk.can_name() and draw(st.booleans())):
        if not desk.can_name() or (kind == "transfer" and at[0] == "I"):
            return None
        lot, most = draw(st.sampled_from(here))
        qty = min(qty, most)
        entry["lots"] = [[lot, nano_text(qty)]]
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
    return {"cash": "21.5"} if kind == "cash_merger" else {}


@st.composite
def ledgers(draw: Draw) -> Entry:
    """A household that buys and sells three stocks, two of them alike, and what befalls them."""
    desk = Desk()
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
        if kind == "option_sell" and not any(what.startswith("O") for _, what in desk.held):
            kind = "option_buy"
        if kind in LEAVING and not desk.held.get((account, symbol)):
            kind = "buy"
        facts: Entry | None
        if kind in ("buy", "gift_in", "inherit", "taxable_stock_dividend"):
            facts = {"account": account, **coming(draw, kind, day, qty, amount)}
        elif kind in LEAVING:
            facts = leaving(draw, desk, kind, (account, symbol), qty, amount)
        elif kind == "option_sell":
            account, option = draw(st.sampled_from([at for at in desk.held if at[1].startswith("O")]))
            kind = draw(st.sampled_from(["option_sell", "option_expire"]))
            paid = {"amount": cents_text(amount)} if kind == "option_sell" else {}
            facts = {"option": option, "contracts": "1", "account": account, **paid}
            symbol = desk.under[option]
        elif kind == "option_buy":
            desk.under[f"O{i}"] = symbol
            facts = {"option": f"O{i}", "contracts": "1", "amount": cents_text(amount), "account": account}
        else:
            facts = befalling(draw, kind, i)
        if facts is not None:
            desk.add({"id": f"t{i}", "date": day.isoformat(), "type": kind, "symbol": symbol, **facts})
    policy = readings(draw)
    if any("lots" in entry for entry in desk.transactions):
        policy["lot_method"] = "fifo"  # what is held of a named lot was found under first-in first-out
    return {"accounts": ACCOUNTS, "transactions": desk.transactions, "policy": policy | GROUPS}


STEPS = [0, 0, 0, 1, 2, 5, 9, 14, 15, 16, 29, 30, 31, 60, 340]


@st.composite
def traders(draw: Draw) -> Entry:
    """A household that trades two like stocks to and fro, mostly at a loss: washes upon washes."""
    held: dict[tuple[str, str], int] = {}
    transactions: list[Entry] = []
    day = date(2023, 1, 2)
    unit = draw(st.sampled_from([NANO, NANO, NANO // 3]))
    for i in range(draw(st.integers(6, 30))):
        day += timedelta(days=draw(st.sampled_from(STEPS)))
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
    return {"accounts": ACCOUNTS, "transactions": transactions, "policy": readings(draw) | GROUPS}


def price(draw: Draw, qty: int, least: int, most: int) -> int:
    return max(1, qty * draw(st.integers(least * 100, most * 100)) // NANO)


def readings(draw: Draw) -> dict[str, str]:
    return {
        "hp_method": draw(st.sampled_from(["tack_days", "tack_no_overlap", "replace_date"])),
        "same_order_candidates": draw(st.sampled_from(["eligible", "excluded"])),
        "sold_earlier_candidates": draw(st.sampled_from(["excluded", "excluded", "included"])),
        "acquired_before_sold_lot": draw(st.sampled_from(["eligible", "eligible", "excluded"])),
        "spouse_effect": draw(st.sampled_from(["adjust_spouse_lot", "permanent"])),
        "scope": draw(st.sampled_from(["household", "household", "household", "account_cusip"])),
        "lot_method": draw(st.sampled_from(["fifo", "lifo", "hifo", "lofo", "hifo_long_first"])),
    }


def nano_text(value: int) -> str:
    return f"{value // NANO}.{value % NANO:09d}"


def cents_text(value: int) -> str:
    return f"{value // 100}.{value % 100:02d}"


def program(document: dict[str, Any]) -> tuple[Ledger, Folded]:
    ledger = read_ledger(json.dumps(document), "ledger.json")
    return ledger, replay(ledger)


def sums(ledger: Ledger, folded: Folded) -> tuple[dict[Any, list[int]], dict[Any, list[int]]]:
    sold: dict[Any, list[int]] = {}
    rows = folded.disposals
    for i in np.flatnonzero(rows.taxable == 1):
        at = (int(rows.sale_row[i]), int(rows.origin_row[i]), ledger.account_names[rows.account_ix[i]])
        figures = [
            int(column[i])
            for column in (
                rows.quantity_nano,
                rows.proceeds_cents,
                rows.basis_cents,
                rows.disallowed_cents,
                rows.permanent_cents,
            )
        ]
        key = (*at, bool(rows.long_term[i]))
        sold[key] = [a + b for a, b in zip(sold.get(key, [0] * 5), figures, strict=True)]
    held: dict[Any, list[int]] = {}
    lots = folded.lots
    for i in range(len(lots.origin_row)):
        key = (
            int(lots.origin_row[i]),
            ledger.symbols[lots.security_ix[i]],
            ledger.account_names[lots.account_ix[i]],
            lots.acquired[i].item(),
            lots.holding_from[i].item(),
        )
        before = held.get(key, [0, 0])
        held[key] = [before[0] + int(lots.quantity_nano[i]), before[1] + int(lots.basis_cents[i])]
    return sold, held


COMMON = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow, HealthCheck.data_too_large]}


def check_agreement(document: dict[str, Any]) -> None:
    sold, held = sums(*program(document))
    expected_sold, expected_held, _ = statute_module.statute(document)
    assert sold == expected_sold
    assert held == expected_held


@settings(max_examples=150, **COMMON)
@given(ledgers())
def test_both_implementations_agree_to_the_cent(document: dict[str, Any]) -> None:
    check_agreement(document)


@settings(max_examples=200, **COMMON)
@given(traders())
def test_both_implementations_agree_on_washes_upon_washes(document: dict[str, Any]) -> None:
    check_agreement(document)


@pytest.mark.slow
@settings(max_examples=3000, **COMMON)
@given(st.one_of(ledgers(), traders()))
def test_both_implementations_agree_on_many_ledgers(document: dict[str, Any]) -> None:
    check_agreement(document)


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
