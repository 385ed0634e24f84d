"""Random short sales through the program and through `statute.py`: the same to the cent."""

from __future__ import annotations

import importlib.util
import sys
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

NANO = 10**9
KINDS = ["short_sell", "short_sell", "short_sell", "cover", "cover", "cover", "buy", "sell", "split"]
Places = dict[tuple[str, str], int]


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
