"""An order that is executed in several fills is one order: the money is the same.

Fills are rows of one account and day, one behind the other, that share an `order_id`; each has its shares'
part of the amount. Prices are whole cents a share throughout, so that no allocation has to round.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from allotment.feeds.ledger_json import Ledger, read_ledger
from allotment.tax.fold import fold_transactions
from allotment.tax.folded import Folded
from allotment.tax.problems import ProblemCode

ACCOUNTS = {"A": {}, "B": {}, "S": {"owner": "spouse"}, "I": {"type": "ira"}}
STEPS = [0, 0, 1, 2, 15, 29, 30, 31, 340, 366]
Entry = dict[str, Any]
Sums = dict[Any, list[int]]


def read(entries: list[Entry], policy: Mapping[str, Any]) -> Ledger:
    document = {"accounts": ACCOUNTS, "transactions": entries, "policy": policy}
    return read_ledger(json.dumps(document), "ledger.json")


def in_orders(ledger: Ledger) -> Folded:
    """Folded, with rows whose ids agree up to the dash as fills of one order."""
    order = [key.partition("-")[0] for key in ledger.ids]
    first = {name: i for i, name in reversed(list(enumerate(order)))}
    folded = folded_as(ledger, [1 + first[name] for name in order])
    assert not len(folded.problems.row)
    return folded


def folded_as(ledger: Ledger, orders: list[int]) -> Folded:
    t = replace(ledger.transactions, order_id=np.array(orders, np.int64))
    return fold_transactions(t, ledger.accounts, ledger.groups, ledger.policy.fold)


def money(ledger: Ledger, folded: Folded) -> tuple[Sums, Sums]:
    """By order and lot's order what was sold; by lot's order what is held. Fills of one are summed."""
    order = [key.partition("-")[0] for key in ledger.ids]
    sold, held = defaultdict(lambda: [0] * 6), defaultdict(lambda: [0] * 3)
    rows, lots = folded.disposals, folded.lots
    figures = (
        rows.quantity_nano,
        rows.proceeds_cents,
        rows.basis_cents,
        rows.disallowed_cents,
        rows.permanent_cents,
        rows.gain_cents,
    )
    for i in range(len(rows.sale_row)):
        at = (order[rows.sale_row[i]], order[rows.origin_row[i]], bool(rows.long_term[i]))
        sold[at] = [a + int(column[i]) for a, column in zip(sold[at], figures, strict=True)]
    figures = (lots.quantity_nano, lots.basis_cents, lots.loss_basis_cents)
    for i in range(len(lots.origin_row)):
        days = (str(lots.acquired[i]), str(lots.holding_from[i]), bool(lots.absorbed[i]))
        at = (order[lots.origin_row[i]], int(lots.account_ix[i]), *days)
        held[at] = [a + int(column[i]) for a, column in zip(held[at], figures, strict=True)]
    return dict(sold), dict(held)


@st.composite
def traders(draw: st.DrawFn, kinds: list[str]) -> list[Entry]:
    """Two like stocks bought and sold in whole shares at prices in whole cents."""
    held: dict[tuple[str, str], int] = defaultdict(int)
    short: dict[tuple[str, str], int] = defaultdict(int)
    day = date(2023, 1, 2)
    entries: list[Entry] = []
    for i in range(draw(st.integers(3, 16))):
        day += timedelta(days=draw(st.sampled_from(STEPS)))
        at = draw(st.sampled_from("AAABSI")), draw(st.sampled_from("XXY"))
        kind = draw(st.sampled_from(kinds))
        there = {"sell": held, "cover": short}.get(kind, {}).get(at, 0)
        if kind in ("sell", "cover") and not there:
            kind = "buy"
        qty = draw(st.integers(1, there or 30))
        held[at] += {"buy": qty, "sell": -qty}.get(kind, 0)
        short[at] += {"short_sell": qty, "cover": -qty}.get(kind, 0)
        amount = qty * draw(st.integers(5, 15))
        entries.append(
            {
                "id": f"t{i}",
                "date": day.isoformat(),
                "type": kind,
                "account": at[0],
                "symbol": at[1],
                "qty": str(qty),
                "amount": str(amount),
            }
        )
    return entries


def parted(entries: list[Entry], cuts: Mapping[str, list[int]]) -> list[Entry]:
    """The orders in fills of so many shares each, what is left last; in the same place."""
    out = []
    for entry in entries:
        left, amount = int(entry["qty"]), int(entry["amount"])
        fills = []
        price = amount // left
        for size in cuts.get(entry["id"], []):
            if 0 < size < left:
                fills.append(size)
                left -= size
        fills.append(left)
        for n, size in enumerate(fills):
            out.append({**entry, "id": f"{entry['id']}-{n}", "qty": str(size), "amount": str(size * price)})
    return out


POLICIES = st.fixed_dictionaries(
    {
        "lot_method": st.sampled_from(["fifo", "lifo", "hifo", "lofo", "max_loss", "min_tax_rank"]),
        "same_order_candidates": st.sampled_from(["eligible", "excluded"]),
        "sold_earlier_candidates": st.sampled_from(["excluded", "included"]),
        "acquired_before_sold_lot": st.sampled_from(["eligible", "excluded"]),
        "spouse_effect": st.sampled_from(["adjust_spouse_lot", "permanent"]),
        "hp_method": st.sampled_from(["tack_days", "tack_no_overlap", "replace_date"]),
        "si_groups": st.sampled_from([[], [["X", "Y"]]]),
    }
)
PARTS = st.dictionaries(st.integers(0, 15), st.lists(st.integers(1, 10), min_size=1, max_size=3))
COMMON = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow, HealthCheck.data_too_large]}


def check(entries: list[Entry], parts: Mapping[int, list[int]], kinds: set[str], policy: Entry) -> None:
    cuts = {f"t{i}": sizes for i, sizes in parts.items() if i < len(entries) and entries[i]["type"] in kinds}
    whole, fills = read(entries, policy), read(parted(entries, cuts), policy)
    assert money(fills, in_orders(fills)) == money(whole, in_orders(whole))


@settings(max_examples=150, **COMMON)
@given(traders(["buy", "buy", "sell", "sell", "sell"]), PARTS, POLICIES)
def test_fills_of_purchases_and_sales_never_change_money(
    entries: list[Entry], parts: dict[int, list[int]], policy: Entry
) -> None:
    """By order of purchase, fills close in their own order, and a lot's shares that replaced a loss in
    another: purchases stand whole under first in, first out and last in, first out."""
    check(entries, parts, {"buy", "sell"}, policy)


@settings(max_examples=150, **COMMON)
@given(traders(["buy", "buy", "sell", "short_sell", "short_sell", "cover", "cover"]), PARTS, POLICIES)
def test_fills_of_shorts_and_closings_never_change_money(
    entries: list[Entry], parts: dict[int, list[int]], policy: Entry
) -> None:
    """Purchases stand whole here: which of their shares start anew when a short is closed
    (§1233(b)(2)), and so which are sold first, is told by fill."""
    check(entries, parts, {"buy", "sell", "short_sell", "cover"}, policy)


def fold(text: str, **policy: Any) -> tuple[Ledger, Folded]:
    """One order or fill a line: id, date, type, account, symbol, qty, amount (or from, to, lots)."""
    entries = []
    for line in filter(None, map(str.strip, text.splitlines())):
        key, day, kind, account, symbol, *rest = line.split()
        entry: Entry = {"id": key, "date": day, "type": kind, "symbol": symbol}
        if kind == "transfer":
            entry |= {"from": account[0], "to": account[1], "lots": [rest[0].split("*")]}
        else:
            entry |= {"account": account, "qty": rest[0], "amount": rest[1]}
            entry |= {"lots": [lot.split("*") for lot in rest[2].split(",")]} if rest[2:] else {}
        entries.append(entry)
    ledger = read(entries, policy)
    return ledger, in_orders(ledger)


def test_shares_of_one_short_sale_do_not_replace_one_another() -> None:
    """Rev. Rul. 56-602 for a short: a later fill takes no loss on an earlier one; another order does."""
    text = """
        a-0 2024-05-01 short_sell A X 10 500
        b   2024-05-01 cover      A X 10 600
        {}  2024-05-01 short_sell A X 10 500
    """
    assert fold(text.format("a-1"))[1].disposals.disallowed_cents.tolist() == [0]
    assert fold(text.format("c"))[1].disposals.disallowed_cents.tolist() == [100_00]


def test_old_stock_makes_as_much_of_a_short_long_term_in_fills_as_in_one() -> None:
    """§1233(d), (e)(1): 60 shares held long, 100 sold short in three fills: 60 lose long-term."""
    _, folded = fold("""
        g   2022-01-10 buy        A X 60 600
        h   2022-01-10 buy        A X 60 600
        o   2024-05-09 sell       A X 60 600
        s-0 2024-05-10 short_sell A X 50 1000
        s-1 2024-05-10 short_sell A X 40 800
        s-2 2024-05-10 short_sell A X 10 200
        c   2024-06-03 cover      A X 100 3000
    """)
    rows = folded.disposals
    is_long = (rows.long_term == 1) & (rows.sale_row == 6)
    assert int(rows.quantity_nano[is_long].sum()) == 60 * 10**9
    assert int(rows.gain_cents[is_long].sum()) == -600_00


def test_what_is_kept_of_a_lot_in_another_account_replaces_before_what_is_sold() -> None:
    """Own rule of docs/law/policies.md: four of ten shares were moved, the six that stayed are sold with
    an older lot at a loss; the four take it."""
    ledger, folded = fold("""
        old   2023-01-10 buy      A  X 4 400
        young 2024-05-01 buy      A  X 10 500
        move  2024-05-02 transfer AB X young*4
        out   2024-05-10 sell     A  X 10 400
    """)
    sold, held = money(ledger, folded)
    assert sold["out", "old", True][3] == 240_00
    assert sold["out", "young", False][2] == 300_00
    assert [figures[1] for figures in held.values()] == [200_00 + 240_00]


@pytest.mark.parametrize("fills", [[20], [10, 10], [4, 9, 7]])
def test_what_the_order_keeps_replaces_its_losses_in_whatever_fills_it_is_sold(fills: list[int]) -> None:
    """The order sells an old lot at a loss of 100 and ten of thirty young shares; ten of the twenty that
    are kept take the loss, not the ten that a later fill sells."""
    text = """
        old   2023-01-10 buy A X 10 500
        young 2024-05-01 buy A X 30 1200
    """
    for n, size in enumerate(fills):
        text += f"out-{n} 2024-05-10 sell A X {size} {40 * size}\n"
    ledger, folded = fold(text)
    sold, held = money(ledger, folded)
    assert sold["out", "old", True][3:] == [100_00, 0, 0]
    assert sold["out", "young", False] == [10 * 10**9, 400_00, 400_00, 0, 0, 0]
    assert sum(figures[1] for figures in held.values()) == 900_00


def test_short_closings_in_fills_show_a_loss_where_one_closing_does() -> None:
    """§1091(e): ten of the thirty that stay short take the loss, not the ten that the order closes."""
    text = """
        first 2024-05-01 short_sell A X 10 500
        then  2024-05-02 short_sell A X 40 2000
    """
    fills = "c-0 2024-05-10 cover A X 10 600\nc-1 2024-05-10 cover A X 10 600"
    for closings in ("c 2024-05-10 cover A X 20 1200", fills):
        sold, _ = money(*fold(text + closings))
        assert sold["c", "first", False][3:] == [100_00, 0, 0]
        assert sold["c", "then", False][3:] == [0, 0, -100_00]


def test_a_fill_that_stays_short_takes_a_loss_before_one_that_is_closed() -> None:
    """The same, where the ten that are closed are a fill of their own, sold before the others."""
    sold, _ = money(
        *fold("""
        first  2024-05-01 short_sell A X 10 500
        then-0 2024-05-02 short_sell A X 10 500
        then-1 2024-05-02 short_sell A X 30 1500
        c      2024-05-10 cover      A X 20 1200
    """)
    )
    assert sold["c", "first", False][3:] == [100_00, 0, 0]
    assert sold["c", "then", False][3:] == [0, 0, -100_00]


def test_lots_named_fill_by_fill_are_named_for_the_order() -> None:
    """Twelve shares bring 200: two of lot a 33.33, ten of lot b the rest."""
    ledger, folded = fold("""
        a   2023-01-10 buy  A X 10 100
        b   2023-01-11 buy  A X 10 200
        s-0 2024-05-10 sell A X 6 90  b*6
        s-1 2024-05-10 sell A X 6 110 b*4,a*2
    """)
    sold, _ = money(ledger, folded)
    assert sold["s", "a", True][:3] == [2 * 10**9, 33_33, 20_00]
    assert sold["s", "b", True][:3] == [10 * 10**9, 166_67, 200_00]
    assert set(folded.disposals.sale_row.tolist()) == {2}


def test_a_fill_after_another_trade_of_the_stock_is_a_disposal_of_its_own() -> None:
    text = """
        a   2023-01-10 buy  A X 10 100
        s-0 2024-05-10 sell A X 2 30
        {}
        s-1 2024-05-10 sell A X 2 20
    """
    between = fold(text.format("b 2024-05-10 buy B X 1 1"))[1].disposals
    assert between.sale_row.tolist() == [1, 3]
    assert between.proceeds_cents.tolist() == [30_00, 20_00]
    elsewhere = fold(text.format("b 2024-05-10 buy B Y 1 1"))[1].disposals
    assert elsewhere.sale_row.tolist() == [1]
    assert elsewhere.proceeds_cents.tolist() == [50_00]


def test_an_order_that_cannot_be_is_a_problem_of_every_fill() -> None:
    entries = [
        {"id": "a", "date": "2023-01-10", "type": "buy", "qty": "10", "amount": "100"},
        {"id": "s-0", "date": "2024-05-10", "type": "sell", "qty": "6", "amount": "60"},
        {"id": "s-1", "date": "2024-05-10", "type": "sell", "qty": "6", "amount": "60"},
    ]
    ledger = read([{**entry, "account": "A", "symbol": "X"} for entry in entries], {})
    problems = folded_as(ledger, [1, 2, 2]).problems
    assert problems.row.tolist() == [1, 2]
    assert set(problems.code.tolist()) == {ProblemCode.SOLD_MORE_THAN_HELD}


def test_fills_beyond_64_bits_are_refused_one_by_one() -> None:
    """Five of 2⁶² billionths each would wrap to one of 2⁶²."""
    entry = {"date": "2024-05-10", "type": "sell", "account": "A", "symbol": "X", "qty": "1", "amount": "1"}
    ledger = read([{**entry, "id": f"s-{i}"} for i in range(5)], {})
    large = replace(ledger.transactions, quantity_nano=np.full(5, 2**62))
    problems = folded_as(replace(ledger, transactions=large), [7] * 5).problems
    assert problems.row.tolist() == [0, 1, 2, 3, 4]
    assert problems.wanted_nano.tolist() == [2**62] * 5


def test_a_fill_may_move_the_cent_that_rounding_leaves() -> None:
    """Where the parts are no whole cents each match rounds half-up and leaves the residue with the rest
    (docs/law/numbers.md): 60 of 100 shares at a loss of 100.01 are 60.01, 30 and 30 are 60.00."""
    text = """
        a 2023-01-10 buy  A X 100 1000.01
        s 2024-05-10 sell A X 100 900
    """
    whole = fold(text + "r 2024-05-20 buy A X 60 600")[1].disposals
    fills = fold(text + "r-0 2024-05-20 buy A X 30 300\nr-1 2024-05-20 buy A X 30 300")[1].disposals
    assert int(whole.disallowed_cents.sum()) == 60_01
    assert int(fills.disallowed_cents.sum()) == 60_00
    assert int(whole.gain_cents.sum() - whole.disallowed_cents.sum()) == -100_01
    assert int(fills.gain_cents.sum() - fills.disallowed_cents.sum()) == -100_01
