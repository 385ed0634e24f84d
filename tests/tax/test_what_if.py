"""What `tax.pretrade` forecasts is what posting does, for any ledger."""

from __future__ import annotations

import importlib.util
import json
import sys
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from allotment.book.lots import Lots
from allotment.errors import BadFileError
from allotment.feeds.ledger_json import Ledger, read_ledger, replay
from allotment.tax.pretrade import OpenClaims, WashState, by_name, clean_quantity, wash_state
from allotment.tax.recompute import Book, some_rows
from allotment.tax.streams import with_successors
from allotment.tax.what_if import Effect, what_if

_spec = importlib.util.spec_from_file_location(
    "ledger_strategy", Path(__file__).with_name("test_against_statute.py")
)
ledger_strategy = importlib.util.module_from_spec(_spec)
sys.modules["ledger_strategy"] = ledger_strategy
_spec.loader.exec_module(ledger_strategy)

WINDOW = 30


def read(document: dict) -> Ledger:
    """A ledger whose groups know what its stocks are called later, which the forecast cannot see."""
    ledger = read_ledger(json.dumps(document), "l")
    return replace(ledger, groups=with_successors(ledger.groups, ledger.transactions))


def state_of(ledger: Ledger, asof: np.datetime64) -> tuple[WashState, Lots]:
    """The ledger's open lots and claims as the forecast takes them."""
    folded = replay(ledger)
    open_ = folded.lots
    lots = Lots(
        account_ix=open_.account_ix, sleeve_ix=open_.sleeve_ix,
        security_id=open_.security_ix.astype(np.int64), side=open_.side,
        quantity_nano=open_.quantity_nano, basis_cents=open_.basis_cents,
        loss_basis_cents=open_.loss_basis_cents, acquired=open_.acquired,
        holding_from=open_.holding_from, purchased=open_.purchased, acquisition_id=open_.purchase_id,
        origin_event=open_.origin_row, origin_line=np.zeros(len(open_.origin_row), np.int32),
        absorbed=open_.absorbed, covered=open_.covered, basis_state=open_.basis_state,
    )  # fmt: skip
    sold = folded.disposals
    rows = np.flatnonzero((sold.open_nano > 0) & (sold.taxable == 1))
    rows = rows[np.lexsort((sold.sale_row[rows], sold.day[rows]))]
    order = rows[np.argsort(ledger.groups.group_ix[sold.security_ix[rows]], kind="stable")]
    claims = OpenClaims(
        household_ix=np.zeros(len(order), np.int32),
        group_ix=ledger.groups.group_ix[sold.security_ix[order]],
        account_ix=sold.account_ix[order], security_id=sold.security_ix[order].astype(np.int64),
        unit_nano=sold.open_nano[order],
        loss_cents=(sold.basis_cents - sold.proceeds_cents - sold.disallowed_cents)[order],
        sold=sold.day[order], no_buy_until=sold.day[order] + WINDOW,
        acquisition_id=sold.purchase_id[order],
    )  # fmt: skip
    household = np.zeros(len(ledger.accounts), np.int32)
    return wash_state(lots, household, claims, ledger.groups, np.asarray(asof)), lots


def thought_of(document: dict, entry: dict) -> tuple[Ledger, Effect, Ledger]:
    """The ledger with and without one more transaction, and what that would do."""
    whole = read({**document, "transactions": [*document["transactions"], entry]})
    ids = np.arange(len(whole.ids))
    part = some_rows(whole.transactions, ids[:-1])
    before = Book(transactions=part, ids=ids[:-1], folded=replay(read(document)))
    arguments = (whole.accounts, whole.groups, whole.policy.fold)
    # Symbols are numbered alike: the entry names one that is there.
    known = read(document)
    assert known.symbols == whole.symbols
    return known, what_if(before, whole.transactions, ids, *arguments), whole


FAIR = settings(
    deadline=None,
    max_examples=80,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
POLICY = {"si_groups": [["X", "Y"]]}


def plain(document: dict) -> dict:
    """Default readings: the forecast is made for them. Calls wait in the same window and are left out,
    for an option is bought, not forecast."""
    kept = [e for e in document["transactions"] if "option" not in e]
    return {**document, "transactions": kept, "policy": POLICY}


@FAIR
@given(ledger_strategy.ledgers(), st.sampled_from(["A", "B", "I"]), st.integers(1, 60), st.integers(0, 40))
def test_a_purchase_washes_what_is_exposed_and_no_more(document, account, shares, wait) -> None:
    document = plain(document)
    assume(any(e["symbol"] == "X" for e in document["transactions"]))
    day = date.fromisoformat(document["transactions"][-1]["date"]) + timedelta(days=wait)
    entry = {
        "id": "new", "date": day.isoformat(), "type": "buy", "symbol": "X", "account": account,
        "qty": str(shares), "amount": "100",
    }  # fmt: skip
    try:
        ledger, effect, _ = thought_of(document, entry)
    except BadFileError:
        assume(False)
    state, _ = state_of(ledger, np.datetime64(day))
    at = ledger.symbols.index("X")
    exposed = int(by_name(state, 0, np.array([at]), ledger.groups).exposed_nano[0])
    assert effect.washed_nano == min(exposed, shares * 10**9)
    if account == "I":
        assert effect.deferred_cents == 0
    else:
        assert effect.permanent_cents == 0
    if shares * 10**9 >= exposed:
        lost = state.claims.loss_cents[state.claims.group_ix == ledger.groups.group_ix[at]].sum()
        assert effect.deferred_cents + effect.permanent_cents == lost


@FAIR
@given(ledger_strategy.ledgers(), st.integers(0, 40), st.integers(0, 50))
def test_a_loss_sale_of_a_lot_washes_what_is_not_clean(document, wait, which) -> None:
    document = plain(document)
    assume(document["transactions"])
    day = date.fromisoformat(document["transactions"][-1]["date"]) + timedelta(days=wait)
    try:
        ledger = read(document)
        state, lots = state_of(ledger, np.datetime64(day))
    except BadFileError:
        assume(False)
    # A lot in one piece, of a taxable account, that a sale for one cent makes a loss.
    whole = [
        i
        for i in range(len(lots))
        if ledger.accounts.taxable[lots.account_ix[i]]
        and int(
            ((lots.origin_event == lots.origin_event[i]) & (lots.account_ix == lots.account_ix[i])).sum()
        ) == 1
        and lots.loss_basis_cents[i] > 1
    ]  # fmt: skip
    assume(whole)
    i = whole[which % len(whole)]
    clean = int(clean_quantity(lots, np.zeros(len(ledger.accounts), np.int32), state, ledger.groups)[i])
    quantity = int(lots.quantity_nano[i])
    text = f"{quantity // 10**9}.{quantity % 10**9:09d}"
    entry = {
        "id": "new", "date": day.isoformat(), "type": "sell", "qty": text, "amount": "0.01",
        "symbol": ledger.symbols[lots.security_id[i]],
        "account": ledger.account_names[lots.account_ix[i]],
        "lots": [[ledger.ids[lots.origin_event[i]], text]],
    }  # fmt: skip
    _, effect, _ = thought_of(document, entry)
    allowed = int(lots.loss_basis_cents[i]) - 1 - effect.deferred_cents - effect.permanent_cents
    # Of a loss of a few cents, rounding may give all of it to the first shares that are replaced.
    assert effect.washed_nano == quantity - clean or (effect.washed_nano < quantity - clean and allowed == 0)
