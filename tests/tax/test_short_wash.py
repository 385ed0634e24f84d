"""Another short within thirty days of a closing at a loss: §1091(e)(2).

Cases, and random short sales through the program and through `statute.py`.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

_spec = importlib.util.spec_from_file_location(
    "against_statute", Path(__file__).with_name("test_against_statute.py")
)
assert _spec
assert _spec.loader
against = importlib.util.module_from_spec(_spec)
sys.modules["against_statute"] = against
_spec.loader.exec_module(against)

Replay = Callable[..., Any]
NANO = 10**9
KINDS = ["short_sell", "short_sell", "short_sell", "cover", "cover", "cover", "buy", "sell", "split"]
Places = dict[tuple[str, str], int]


def test_a_loss_is_deferred_onto_the_next_short(replayed: Replay) -> None:
    """The short opened on day 30 takes the loss of the shares that it matches; its closing shows it."""
    done = replayed("""
        2024-05-01 short_sell X qty=100 amount=5000
        2024-05-10 cover      X qty=100 amount=6000
        2024-06-09 short_sell X qty=60 amount=3600
        2024-08-01 cover      X qty=60 amount=3000
    """)
    assert done.sold("t2")["disallowed"] == 600
    assert done.sold("t2")["gain"] == -400
    assert done.sold("t4")["proceeds"] == 3000
    assert done.sold("t4")["gain"] == 0
    late = replayed("""
        2024-05-01 short_sell X qty=100 amount=5000
        2024-05-10 cover      X qty=100 amount=6000
        2024-06-10 short_sell X qty=60 amount=3600
    """)
    assert late.sold("t2")["gain"] == -1000
    assert late.lots[0]["basis"] == "-3600.00"


def test_a_short_of_the_thirty_days_before_takes_it_too(replayed: Replay) -> None:
    """The window begins thirty days before the closing; the oldest short inside it comes first."""
    done = replayed("""
        2024-03-01 short_sell X qty=30 amount=1500
        2024-04-09 short_sell X qty=30 amount=1500
        2024-04-10 short_sell X qty=10 amount=500
        2024-04-11 short_sell X qty=30 amount=1500
        2024-05-10 cover      X qty=30 amount=1800
    """)
    assert done.sold("t5")["disallowed"] == 300
    assert [(row["origin"], row["qty"], row["basis"]) for row in done.lots] == [
        ("t2", "-30", "-1500.00"),
        ("t3", "-10", "-400.00"),
        ("t4", "-20", "-800.00"),
        ("t4", "-10", "-500.00"),
    ]
    assert done.folded.conservation.held.tolist() == [0, 30000]


def test_a_short_share_takes_one_loss(replayed: Replay) -> None:
    """Twenty shares lose, fifteen are sold short again: the earlier loss first."""
    done = replayed(
        """
        2024-01-02 short_sell X qty=10 amount=500
        2024-01-02 short_sell Y qty=10 amount=500
        2024-05-02 cover      X qty=10 amount=600
        2024-05-03 cover      Y qty=10 amount=700
        2024-05-06 short_sell Y qty=15 amount=750
        2024-05-07 short_sell X qty=2 amount=100
    """,
        si_groups=[["X", "Y"]],
    )
    assert done.sold("t3")["disallowed"] == 100
    assert done.sold("t4")["disallowed"] == 100 + 40
    assert [(row["qty"], row["basis"]) for row in done.lots] == [
        ("-2", "-60.00"),
        ("-10", "-400.00"),
        ("-5", "-150.00"),
    ]


def test_a_short_of_another_account_takes_it_though_it_was_opened_first(replayed: Replay) -> None:
    done = replayed(
        """
        2024-05-01 short_sell X account=B qty=10 amount=500
        2024-05-02 short_sell X account=A qty=10 amount=500
        2024-05-10 cover      X account=A qty=10 amount=600
    """,
        accounts={"A": {}, "B": {}},
    )
    assert done.sold("t3")["disallowed"] == 100
    assert [(row["origin"], row["basis"]) for row in done.lots] == [("t1", "-400.00")]


def test_a_purchase_is_no_short_and_a_short_no_purchase(replayed: Replay) -> None:
    done = replayed("""
        2024-05-01 short_sell X qty=10 amount=500
        2024-05-02 cover      X qty=10 amount=600
        2024-05-03 buy        X qty=10 amount=600
        2024-05-06 sell       X qty=10 amount=500
        2024-05-07 short_sell Y qty=10 amount=500
    """)
    assert done.sold("t2")["gain"] == -100
    assert done.sold("t4")["gain"] == -100
    assert done.folded.disposals.open_nano.tolist() == [0, 10 * 10**9]


def test_the_child_of_a_spin_off_is_another_stock(replayed: Replay) -> None:
    """One family, two groups: a short of the child takes no loss on the parent."""
    done = replayed("""
        2024-01-02 buy        X qty=10 amount=500
        2024-01-10 spinoff    X child=C ratio=1 parent_fmv=30 child_fmv=20
        2024-05-01 short_sell C qty=10 amount=500
        2024-05-02 short_sell X qty=10 amount=500
        2024-05-10 cover      X qty=10 amount=600
        2024-05-13 short_sell C qty=10 amount=500
    """)
    assert done.sold("t5")["disallowed"] == 0


def test_part_of_the_oldest_short_left_takes_a_loss(replayed: Replay) -> None:
    """The older short is closed whole; ten of the other's thirty take its loss, and all thirty stay open."""
    done = replayed("""
        2024-05-01 short_sell X qty=10 amount=500
        2024-05-02 short_sell X qty=30 amount=1500
        2024-05-10 cover      X qty=10 amount=600
        2024-08-01 cover      X qty=30 amount=1500
    """)
    assert done.sold("t3")["disallowed"] == 100
    assert done.sold("t4")["proceeds"] == 1400
    assert done.lots == []


def test_a_short_of_what_becomes_a_child_later_is_another_stock_too(replayed: Replay) -> None:
    """The same when the other stock's short stands first of all in the books."""
    done = replayed("""
        2024-05-01 short_sell C qty=10 amount=500
        2024-05-02 short_sell X qty=10 amount=500
        2024-05-10 cover      X qty=10 amount=600
        2024-08-01 spinoff    X child=C ratio=1 parent_fmv=30 child_fmv=20
    """)
    assert done.sold("t3")["disallowed"] == 0


def test_a_short_in_the_place_of_a_closed_one_takes_a_loss_of_its_order(replayed: Replay) -> None:
    """One order closes two shorts; the younger one, sold when another had been closed, takes the loss of
    the older one and shows it."""
    done = replayed("""
        2024-05-01 short_sell X qty=10 amount=500
        2024-05-02 short_sell X qty=10 amount=500
        2024-05-03 cover      X qty=10 amount=400
        2024-05-06 short_sell X qty=10 amount=500
        2024-05-10 cover      X qty=20 amount=1400
    """)
    assert done.sold("t5", "t2")["disallowed"] == 200
    assert done.sold("t5", "t4")["proceeds"] == 300
    assert done.sold("t5")["gain"] == -400


def test_a_ratio_of_classes_leaves_no_billionth_over(replayed: Replay) -> None:
    """One share of K is 1,500 of L; what comes to one share, to the billionth, is one share, whether the
    short of the loss or the other short is rounded."""
    groups = [{"K": "1500", "L": "1"}]
    held = replayed(
        """
        2024-05-01 short_sell K qty=1 amount=1500
        2024-05-02 short_sell L qty=1500.000000001 amount=1500
        2024-05-10 cover      K qty=1 amount=1800
    """,
        si_groups=groups,
    )
    assert [(row["qty"], row["basis"]) for row in held.lots] == [("-1500.000000001", "-1200.00")]
    later = replayed(
        """
        2024-05-01 short_sell L qty=1500.000000001 amount=1500
        2024-05-10 cover      L qty=1500.000000001 amount=1800
        2024-05-13 short_sell K qty=1 amount=1500
    """,
        si_groups=groups,
    )
    assert later.folded.disposals.disallowed_cents.tolist() == [30_000]


def test_the_broker_matches_inside_an_account(replayed: Replay) -> None:
    """A loss elsewhere waits before the one that is matched."""
    done = replayed(
        """
        2024-01-02 short_sell X account=B qty=10 amount=500
        2024-01-02 short_sell X account=A qty=10 amount=500
        2024-05-09 cover      X account=B qty=10 amount=600
        2024-05-10 cover      X account=A qty=10 amount=700
        2024-05-13 short_sell X account=A qty=10 amount=700
        2024-05-14 short_sell X account=B qty=5 amount=350
    """,
        {"A": {}, "B": {}},
        scope="account_cusip",
    )
    assert (done.sold("t4")["disallowed"], done.sold("t3")["disallowed"]) == (200, 50)


def test_a_split_in_between_multiplies_what_waits(replayed: Replay) -> None:
    done = replayed("""
        2024-05-01 short_sell X qty=10 amount=500
        2024-05-02 cover      X qty=10 amount=600
        2024-05-03 split      X ratio=2:1
        2024-05-06 short_sell X qty=10 amount=300
    """)
    assert done.sold("t2")["disallowed"] == 50


def test_readings_of_the_window_hold_for_shorts(replayed: Replay) -> None:
    """Pieces that the same order closes, and shorts older than the one closed, are switches."""
    both = """
        2024-05-01 short_sell X qty=10 amount=500
        2024-05-02 short_sell X qty=10 amount=500
        2024-05-10 cover      X qty=20 amount=1400
    """
    assert replayed(both).sold("t3", "t1")["disallowed"] == 200
    assert replayed(both).sold("t3")["gain"] == -400
    assert replayed(both, same_order_candidates="excluded").sold("t3")["disallowed"] == 0
    older = """
        2024-05-01 short_sell X account=B qty=10 amount=500
        2024-05-02 short_sell X account=A qty=10 amount=500
        2024-05-10 cover      X account=A qty=10 amount=700
    """
    accounts = {"A": {}, "B": {}}
    assert replayed(older, accounts).sold("t3")["disallowed"] == 200
    assert replayed(older, accounts, acquired_before_sold_lot="excluded").sold("t3")["disallowed"] == 0
    assert replayed(older, accounts, scope="account_cusip").sold("t3")["disallowed"] == 0


def test_inside_an_ira_nothing_is_deferred(replayed: Replay) -> None:
    """Nothing is recognised there; and a short there would end a loss, as a purchase does."""
    accounts = {"A": {}, "I": {"type": "ira"}}
    text = """
        2024-05-01 short_sell X account={0} qty=10 amount=500
        2024-05-10 cover      X account={0} qty=10 amount=700
        2024-05-13 short_sell X account={1} qty=10 amount=700
    """
    inside = replayed(text.format("I", "A"), accounts)
    assert inside.lots[0]["basis"] == "-700.00"
    assert inside.folded.disposals.disallowed_cents.tolist() == [0]
    before = text.replace("2024-05-13 short_sell", "2024-05-10 short_sell")
    assert replayed(before.format("I", "A"), accounts).lots[0]["basis"] == "-700.00"
    open_before = """
        2024-05-01 short_sell X account=I qty=10 amount=500
        2024-05-02 short_sell X account=A qty=10 amount=500
        2024-05-10 cover      X account=I qty=10 amount=700
    """
    assert replayed(open_before, accounts).lots[0]["basis"] == "-500.00"
    lost = replayed(text.format("A", "I"), accounts)
    assert (lost.sold("t2")["permanent"], lost.lots[0]["basis"]) == (200, "-700.00")


def test_what_the_window_counts_is_the_trade_day(replayed: Replay) -> None:
    """The loss itself belongs to the delivery (Reg. §1.1233-1(a)(1)), here a year later."""
    done = replayed("""
        2024-11-01 short_sell X qty=10 amount=500
        2024-12-31 cover      X qty=10 amount=700 settle=2025-01-02
        2025-01-30 short_sell X qty=4 amount=280
        2025-01-31 short_sell X qty=4 amount=280
    """)
    assert done.sold("t2")["disallowed"] == 80
    assert {str(day) for day in done.folded.disposals.day} == {"2025-01-02"}
    gain = replayed("""
        2024-11-01 short_sell X qty=10 amount=500
        2024-12-31 cover      X qty=10 amount=400 settle=2025-01-02
    """)
    assert {str(day) for day in gain.folded.disposals.day} == {"2024-12-31"}


def test_a_spouses_short_takes_the_loss_or_ends_it(replayed: Replay) -> None:
    text = """
        2024-05-01 short_sell X account=A qty=10 amount=500
        2024-05-10 cover      X account=A qty=10 amount=700
        2024-05-13 short_sell X account=S qty=10 amount=700
    """
    accounts = {"A": {}, "S": {"owner": "spouse"}}
    assert replayed(text, accounts).lots[0]["basis"] == "-500.00"
    lost = replayed(text, accounts, spouse_effect="permanent")
    assert (lost.sold("t2")["permanent"], lost.lots[0]["basis"]) == (200, "-700.00")


class Desk:
    """What is held and what is short, by account and symbol."""

    def __init__(self) -> None:
        self.transactions: list[dict[str, Any]] = []
        self.held: Places = {}
        self.short: Places = {}

    def add(self, entry: dict[str, Any]) -> None:
        self.transactions.append(entry)
        home = against.statute_module.fold({"accounts": against.ACCOUNTS, "transactions": self.transactions})
        for places, lots in ((self.held, home.lots), (self.short, home.shorts)):
            places.clear()
            for lot in lots:
                places[lot.account, lot.symbol] = places.get((lot.account, lot.symbol), 0) + lot.qty


@st.composite
def short_sellers(draw: st.DrawFn) -> dict[str, Any]:
    """A household that sells two like stocks short again and again, beside holding them."""
    desk = Desk()
    day = date(2023, 1, 2)
    unit = draw(st.sampled_from([NANO, NANO, NANO // 3]))
    for i in range(draw(st.integers(4, 24))):
        day += timedelta(days=draw(st.sampled_from(against.STEPS)))
        kind = draw(st.sampled_from(KINDS))
        at = draw(st.sampled_from("AAABS")), draw(st.sampled_from("XXY"))
        there = {"cover": desk.short, "sell": desk.held}.get(kind)
        facts: dict[str, Any] = {}
        if there:
            at = draw(st.sampled_from(sorted(there)))
            qty = draw(st.sampled_from([there[at], max(1, there[at] // 2), min(there[at], 3 * unit)]))
        elif kind == "split":
            facts = {"ratio": draw(st.sampled_from(["2:1", "3:2", "1:2"]))}
        else:
            kind = {"cover": "short_sell", "sell": "buy"}.get(kind, kind)
            qty = draw(st.integers(1, 12)) * unit
        if not facts:
            amount = against.price(draw, qty, 60, 140)
            facts = {
                "account": at[0],
                "qty": against.nano_text(qty),
                "amount": against.cents_text(amount),
            }
        desk.add({"id": f"t{i}", "date": day.isoformat(), "type": kind, "symbol": at[1], **facts})
    policy = against.readings(draw)
    return {"accounts": against.ACCOUNTS, "transactions": desk.transactions, "policy": policy}


@settings(max_examples=200, **against.COMMON)
@given(short_sellers())
def test_both_implementations_agree_on_short_sales(document: dict[str, Any]) -> None:
    against.check_agreement(document)


@pytest.mark.slow
@settings(max_examples=3000, **against.COMMON)
@given(short_sellers())
def test_both_implementations_agree_on_many_short_sales(document: dict[str, Any]) -> None:
    against.check_agreement(document)


@settings(max_examples=60, **against.COMMON)
@given(short_sellers())
def test_no_short_share_takes_two_losses_and_no_loss_is_lost(document: dict[str, Any]) -> None:
    """What every short brought, less what every closing cost, is recognised or still deferred."""
    document = document | {"policy": {}}
    ledger, folded = against.program(document)
    assert not folded.conservation.difference().any()
    rows, lots = folded.disposals, folded.lots
    shorts = lots.side == -1
    deferred = lots.loss_basis_cents[shorts] - lots.basis_cents[shorts]
    assert (deferred >= 0).all()
    amount = {
        entry["id"]: round(100 * float(entry["amount"]))
        for entry in document["transactions"]
        if "qty" in entry
    }
    kinds = {entry["id"]: entry["type"] for entry in document["transactions"]}
    brought = sum(amount[key] for key, kind in kinds.items() if kind == "short_sell")
    cost = sum(amount[key] for key, kind in kinds.items() if kind == "cover")
    closings = np.array([kinds[ledger.ids[sale]] == "cover" for sale in rows.sale_row], np.bool_)
    recognised = int(rows.gain_cents[closings].sum())
    still_open = int(lots.loss_basis_cents[shorts].sum())
    assert recognised == brought - still_open - cost + int(deferred.sum())
    assert (
        rows.disallowed_cents[closings] <= np.maximum(0, -rows.proceeds_cents + rows.basis_cents)[closings]
    ).all()
