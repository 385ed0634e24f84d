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
from allotment.tax.transactions import Kind

ACCOUNTS = {"A": {}, "B": {}, "S": {"owner": "spouse"}, "I": {"type": "ira"}}
STEPS = [0, 0, 1, 2, 15, 29, 30, 31, 340, 366]
Entry = dict[str, Any]
Sums = dict[Any, list[int]]


def read(entries: list[Entry], policy: Mapping[str, Any]) -> Ledger:
    """A sale whose id names an account (t1>B) is a transfer to it, of what a sale would close."""
    document = {"accounts": ACCOUNTS, "transactions": entries, "policy": policy}
    ledger = read_ledger(json.dumps(document), "ledger.json")
    t = ledger.transactions
    moved = [row for row, key in enumerate(ledger.ids) if ">" in key]
    kind, to, amount = t.kind.copy(), t.to_ix.copy(), t.amount_cents.copy()
    kind[moved], amount[moved] = Kind.TRANSFER, 0
    to[moved] = [ledger.account_names.index(ledger.ids[row].partition(">")[2][0]) for row in moved]
    return replace(ledger, transactions=replace(t, kind=kind, to_ix=to, amount_cents=amount))


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
        there = {"cover": short}.get(kind, held).get(at, 0)
        if kind in ("sell", "cover", "transfer") and not there:
            kind = "buy"
        qty = draw(st.integers(1, there if kind in ("sell", "cover", "transfer") else 30))
        held[at] += {"buy": qty, "sell": -qty, "transfer": -qty}.get(kind, 0)
        short[at] += {"short_sell": qty, "cover": -qty}.get(kind, 0)
        key, amount = f"t{i}", qty * draw(st.integers(5, 15))
        if kind == "transfer":
            to = draw(st.sampled_from([name for name in "ABS" if name != at[0]]))
            held[to, at[1]] += qty
            key, kind = f"t{i}>{to}", "sell"
        entries.append(
            {
                "id": key,
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
@given(traders(["buy", "buy", "buy", "sell", "sell", "sell", "transfer"]), PARTS, POLICIES)
def test_fills_of_purchases_and_sales_never_change_money(
    entries: list[Entry], parts: dict[int, list[int]], policy: Entry
) -> None:
    """Also where some shares of a purchase have replaced losses or were moved, and others not."""
    check(entries, parts, {"buy", "sell"}, policy)


@settings(max_examples=150, **COMMON)
@given(
    traders(["buy", "buy", "sell", "transfer", "short_sell", "short_sell", "cover", "cover"]), PARTS, POLICIES
)
def test_fills_of_shorts_and_closings_never_change_money(
    entries: list[Entry], parts: dict[int, list[int]], policy: Entry
) -> None:
    """Also of purchases, whose shares start anew when a short is closed (§1233(b)(2))."""
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


BOUGHT = {"one": "n A X 2 10", "two": "n-0 A X 1 5\nn-1 A X 1 5"}


def bought(fills: str, day: str) -> str:
    """Two shares for 10, in one fill or two."""
    rows = [line.split(" ", 1) for line in BOUGHT[fills].splitlines()]
    return "\n".join(f"{key} {day} buy {rest}" for key, rest in rows)


@pytest.mark.parametrize("fills", BOUGHT)
def test_shares_that_replaced_no_loss_leave_first_of_a_purchase_whatever_its_fills(fills: str) -> None:
    """The loss of a lot sold on the day it was bought adds no days, so all shares count from one day;
    last in, first out begins with those that replaced it."""
    text = f"""
        {bought(fills, "2024-05-01")}
        b   2024-05-01 buy  B X 1 6
        out 2024-05-01 sell B X 1 5
        s   2024-05-02 sell A X 1 9
    """
    first, last = (money(*fold(text, lot_method=method)) for method in ("fifo", "lifo"))
    assert first[0]["s", "n", False][2:] == [5_00, 0, 0, 4_00]
    assert last[0]["s", "n", False][2:] == [6_00, 0, 0, 3_00]
    assert [figures[1] for figures in first[1].values()] == [6_00]
    assert [figures[1] for figures in last[1].values()] == [5_00]


@pytest.mark.parametrize("fills", BOUGHT)
def test_shares_that_replaced_a_loss_leave_first_where_they_count_from_an_earlier_day(fills: str) -> None:
    """§1223(3): the share that replaced a loss after a hundred days is the older one."""
    text = f"""
        b   2024-01-22 buy  B X 1 7
        out 2024-05-01 sell B X 1 5
        {bought(fills, "2024-05-01")}
        s   2024-05-02 sell A X 1 9
    """
    assert money(*fold(text))[0]["s", "n", False][2:] == [7_00, 0, 0, 2_00]
    assert money(*fold(text, lot_method="lifo"))[0]["s", "n", False][2:] == [5_00, 0, 0, 4_00]


@pytest.mark.parametrize("fills", BOUGHT)
def test_of_shares_that_replaced_losses_the_first_to_do_so_leaves_first(fills: str) -> None:
    """Losses of 1 and 3 on shares sold on the day of their purchase, so that all count from one day."""
    text = f"""
        b-0 2024-05-01 buy  B X 1 6
        b-1 2024-05-01 buy  B X 1 8
        one 2024-05-01 sell B X 1 5 b-0*1
        two 2024-05-01 sell B X 1 5 b-1*1
        {bought(fills, "2024-05-20")}
        s   2024-05-21 sell A X 1 9
    """
    assert money(*fold(text))[0]["s", "n", False][2] == 6_00
    assert money(*fold(text, lot_method="lifo"))[0]["s", "n", False][2] == 8_00


@pytest.mark.parametrize("fills", BOUGHT)
def test_shares_that_start_anew_leave_after_the_others_of_their_purchase(fills: str) -> None:
    """§1233(b)(2): one of two young shares starts anew when a short of one is closed."""
    text = f"""
        {bought(fills, "2024-05-01")}
        h   2024-05-02 short_sell A X 1 9
        c   2024-05-10 cover      A X 1 8
        s   2025-05-02 sell       A X 1 9
    """
    first, last = (money(*fold(text, lot_method=method)) for method in ("fifo", "lifo"))
    assert ("s", "n", True) in first[0]
    assert ("s", "n", False) in last[0]
    assert {at[3] for at in first[1]} == {"2024-05-10"}
    assert {at[3] for at in last[1]} == {"2024-05-01"}


@pytest.mark.parametrize("fills", BOUGHT)
def test_shares_that_were_moved_replace_a_loss_after_those_that_stayed(fills: str) -> None:
    text = f"""
        old  2023-01-02 buy  S X 1 8
        {bought(fills, "2024-05-01")}
        m>B  2024-05-02 sell A X 1 1
        out  2024-05-03 sell S X 1 5
    """
    _, held = money(*fold(text))
    assert {at[1]: figures[1] for at, figures in held.items()} == {0: 5_00 + 3_00, 1: 5_00}


def test_fills_at_two_prices_leave_in_their_own_order() -> None:
    sold, held = money(
        *fold("""
        n-0 2024-05-01 buy  A X 1 5
        n-1 2024-05-01 buy  A X 1 6
        s   2024-05-02 sell A X 1 9
    """)
    )
    assert sold["s", "n", False][2] == 5_00
    assert [figures[1] for figures in held.values()] == [6_00]


def test_fills_around_another_purchase_of_the_day_are_one_lot() -> None:
    """The order stands where its first fill does."""
    text = """
        n-0 2024-05-01 buy  A X 1 5
        o   2024-05-01 buy  A X 1 7
        n-1 2024-05-01 buy  A X 1 5
        s   2024-05-02 sell A X {} 90
    """
    assert {at[1] for at in money(*fold(text.format(2)))[0]} == {"n"}
    assert {at[1] for at in money(*fold(text.format(1), lot_method="lifo"))[0]} == {"o"}


def test_fills_of_another_day_are_another_lot() -> None:
    """An order that stands for two days: what came on the second is younger than what else came then."""
    sold, _ = money(
        *fold("""
        n-0 2024-05-01 buy  A X 1 5
        o   2024-05-02 buy  A X 1 7
        n-1 2024-05-02 buy  A X 1 5
        s   2024-05-02 sell A X 2 90
    """)
    )
    assert {at[1] for at in sold} == {"n", "o"}


def test_old_stock_counts_once_for_a_short_whose_first_fill_is_closed_before_the_second() -> None:
    """§1233(d), (e)(1): 60 shares held long make 60 of the 100 sold short lose long-term."""
    text = """
        g   2022-01-10 buy        A X 60 600
        s-0 2024-05-10 short_sell A X 50 1000
        c   2024-05-10 cover      A X 50 1500
        {}  2024-05-10 short_sell A X 50 1000
        d   2024-06-30 cover      A X 50 1500
    """
    rows = fold(text.format("s-1"))[1].disposals
    assert int(rows.quantity_nano[rows.long_term == 1].sum()) == 60 * 10**9
    apart = fold(text.format("t"))[1].disposals
    assert int(apart.quantity_nano[apart.long_term == 1].sum()) == 100 * 10**9


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


@pytest.mark.parametrize("fills", [[100], [40, 60], [25, 15, 60]])
def test_shares_that_start_anew_replace_a_loss_after_others_of_their_purchase(fills: list[int]) -> None:
    """§1233(b)(2): closing a short of 40 starts 40 of 100 young shares anew. A loss of 20 then goes to those
    that count from their purchase, in whatever fills it was made."""
    text = "old 2023-01-10 buy A X 20 1000\n"
    for n, size in enumerate(fills):
        text += f"young-{n} 2024-05-10 buy A X {size} {50 * size}\n"
    ledger, folded = fold(
        text
        + """
        short 2024-05-13 short_sell A X 40 2000
        close 2024-05-14 cover      A X 40 1600
        out   2024-05-20 sell       A X 20 800 old*20
    """
    )
    sold, held = money(ledger, folded)
    assert sold["out", "old", True][3] == 200_00
    by_days = {at[3]: figures for at, figures in held.items()}
    assert by_days.pop("2024-05-14") == [40 * 10**9, 2000_00, 2000_00]
    assert by_days.pop("2024-05-10") == [40 * 10**9, 2000_00, 2000_00]
    assert [figures[:2] for figures in by_days.values()] == [[20 * 10**9, 1000_00 + 200_00]]


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


def test_a_fill_that_names_lots_and_one_that_does_not_are_disposals_of_their_own() -> None:
    _, folded = fold("""
        a   2023-01-10 buy  A X 10 100
        b   2023-01-11 buy  A X 10 200
        s-0 2024-05-10 sell A X 6 90 b*6
        s-1 2024-05-10 sell A X 6 60
    """)
    assert folded.disposals.sale_row.tolist() == [2, 3]
    assert folded.disposals.origin_row.tolist() == [1, 0]


def test_lots_named_by_orders_that_stand_between_one_another_stay_with_their_orders() -> None:
    """Two stocks that have nothing to do with one another, sold in turn; a lot named twice is closed once."""
    ledger, folded = fold("""
        a   2023-01-10 buy  A X 10 100
        b   2023-01-10 buy  A Y 10 200
        c   2023-01-11 buy  A X 10 300
        s-0 2024-05-10 sell A X 2 40 c*2
        u-0 2024-05-10 sell A Y 3 60 b*3
        s-1 2024-05-10 sell A X 4 80 a*1,c*3
        u-1 2024-05-10 sell A Y 5 100 b*5
    """)
    assert len(folded.disposals.sale_row) == 3
    sold, _ = money(ledger, folded)
    closed = {at[:2]: figures[0] // 10**9 for at, figures in sold.items()}
    assert closed == {("s", "a"): 1, ("s", "c"): 5, ("u", "b"): 8}


def test_the_first_rows_of_a_ledger_are_fills_too() -> None:
    entry = {"date": "2024-05-10", "type": "sell", "account": "A", "symbol": "X", "qty": "6", "amount": "1"}
    problems = folded_as(read([{**entry, "id": f"s-{i}"} for i in range(2)], {}), [1, 1]).problems
    assert problems.wanted_nano.tolist() == [12 * 10**9] * 2


@pytest.mark.parametrize("shares", [[5, -1], [4, 0], [0, 4]])
def test_a_quantity_that_cannot_be_is_refused_though_another_fill_names_the_lot(shares: list[int]) -> None:
    entries = [
        {"id": "a", "date": "2023-01-10", "type": "buy", "qty": "10", "amount": "100"},
        {"id": "s-0", "date": "2024-05-10", "type": "sell", "qty": "3", "amount": "60", "lots": [["a", "3"]]},
        {"id": "s-1", "date": "2024-05-10", "type": "sell", "qty": "1", "amount": "60", "lots": [["a", "1"]]},
    ]
    ledger = read([{**entry, "account": "A", "symbol": "X"} for entry in entries], {})
    t = ledger.transactions
    named = replace(t.named, quantity_nano=np.array(shares) * 10**9)
    problems = folded_as(replace(ledger, transactions=replace(t, named=named)), [1, 2, 2]).problems
    assert set(problems.code.tolist()) == {ProblemCode.NOT_POSITIVE}


def test_a_later_fill_of_a_sale_is_no_lot_to_name() -> None:
    ledger, _ = fold("""
        a   2023-01-10 buy  A X 10 100
        s-0 2024-05-10 sell A X 1 10
        s-1 2024-05-10 sell A X 1 10
        u   2024-05-11 sell A X 1 10 a*1
    """)
    t = ledger.transactions
    for row in (2, 4, -1):
        named = replace(t.named, row=np.array([row]))
        problems = folded_as(replace(ledger, transactions=replace(t, named=named)), [1, 2, 2, 3]).problems
        assert problems.row.tolist() == [3]
        assert set(problems.code.tolist()) == {ProblemCode.LOT_NOT_HELD}


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
    problems = folded_as(ledger, [2, 1, 1]).problems
    assert problems.row.tolist() == [1, 2]
    assert set(problems.code.tolist()) == {ProblemCode.SOLD_MORE_THAN_HELD}


@pytest.mark.parametrize(("n", "each"), [(4, 2**62), (5, 2**62), (2, 2**61)])
def test_fills_beyond_64_bits_are_refused_one_by_one(n: int, each: int) -> None:
    """Four of 2⁶² billionths each would wrap to nothing, five to one of 2⁶², which is too much itself."""
    entry = {"date": "2024-05-10", "type": "sell", "account": "A", "symbol": "X", "qty": "1", "amount": "1"}
    ledger = read([{**entry, "id": f"s-{i}"} for i in range(n)], {})
    large = replace(ledger.transactions, quantity_nano=np.full(n, each))
    problems = folded_as(replace(ledger, transactions=large), [7] * n).problems
    assert problems.row.tolist() == list(range(n))
    assert problems.wanted_nano.tolist() == [each] * n


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
