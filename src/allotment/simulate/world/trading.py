"""Households traded through the years, one after the other, by a compiled loop."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from allotment.compiled import kernel
from allotment.errors import InvariantError
from allotment.simulate.world.happenings import apply_actions, dividends
from allotment.simulate.world.plans import DESK, Plans
from allotment.simulate.world.rule import raise_cash, trade
from allotment.simulate.world.shelf import (
    BROUGHT,
    DEPOSIT,
    DIVIDEND,
    NONE,
    OPEN,
    OPENING,
    OPENING_CASH,
    OVERFLOW,
    TRANSFER_IN,
    WITHDRAWAL,
    ZERO,
    Day,
    Journal,
    Shelf,
    cut,
    empty_journal,
    empty_shelf,
    put_lot,
    write,
)
from allotment.simulate.world.tape import Records, Tape
from allotment.units import Ints

_CHUNK = 32  # households
LONG_AGO = -1_000_000  # days
_EVENTS_AN_ACCOUNT, _NAMED_AN_ACCOUNT, _LOTS_AN_ACCOUNT = 500, 700, 1_000


def trade_book(tape: Tape, plans: Plans, cutoff: int, threads: int) -> tuple[list[Journal], Ints]:
    """Journals of all households in order, and every account's cash in cents at the end.

    cutoff: session up to which nothing is written; at its end each open account's lots are.
    """
    n_households = plans.household_start.shape[0] - 1
    cash = np.zeros(plans.accounts.shape[0], np.int64)
    starts = range(0, n_households, _CHUNK)

    def work(first: int) -> Journal:
        return _trade_chunk(tape, plans, cash, first, min(first + _CHUNK, n_households), cutoff)

    if threads == 1:
        return [work(first) for first in starts], cash
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(work, starts)), cash


def _trade_chunk(tape: Tape, plans: Plans, cash: Ints, first: int, stop: int, cutoff: int) -> Journal:
    """Some households; again with twice the room as long as the journal overflows."""
    n_names = tape.price_micros.shape[1]
    shelf = empty_shelf(n_names, int(tape.names["group"].max()) + 1)
    desk = np.zeros(n_names, DESK)
    n_accounts = int(plans.household_start[stop] - plans.household_start[first])
    for room in (1, 2, 4, 8, 16, 32):
        n = n_accounts * room
        out = empty_journal(n * _EVENTS_AN_ACCOUNT, n * _NAMED_AN_ACCOUNT, n * _LOTS_AN_ACCOUNT)
        _trade_households(tape, plans, shelf, out, desk, cash, first, stop, cutoff)
        if not out.used[OVERFLOW]:
            return cut(out)
    raise InvariantError("the sample book writes more events than any account can have")


@kernel
def _trade_households(
    tape: Tape,
    plans: Plans,
    shelf: Shelf,
    out: Journal,
    desk: Records,
    cash: Ints,
    first: int,
    stop: int,
    cutoff: int,
) -> None:
    for household in range(first, stop):
        start, end = plans.household_start[household], plans.household_start[household + 1]
        _clear(shelf)
        flows = plans.flow_start[start : end + 1].copy()
        begins = plans.accounts[start]["opened"]
        for a in range(start, end):
            begins = min(begins, plans.accounts[a]["opened"])
        for t in range(begins, tape.price_micros.shape[0]):
            paid = tape.dividends[tape.sessions[t]["first_dividend"] : tape.sessions[t + 1]["first_dividend"]]
            for a in range(start, end):
                slot, age = a - start, t - plans.accounts[a]["starts"]
                if t < plans.accounts[a]["opened"]:
                    continue
                shelf.purses[slot]["accrued"] += dividends(paid, shelf.position[slot])
                coming = flows[slot]
                is_flow_due = coming < plans.flow_start[a + 1] and plans.flows[coming]["session"] <= t
                # Most sessions ask nothing of an account, and a call with all records is dear.
                if (
                    tape.sessions[t]["first_action"] < tape.sessions[t + 1]["first_action"]
                    or tape.sessions[t]["is_month_end"]
                    or t == plans.accounts[a]["opened"]
                    or (age >= 0 and age % plans.accounts[a]["every"] == 0)
                    or is_flow_due
                    or t == cutoff
                ):
                    day = Day(tape, plans, shelf, out, desk, a, slot, t, t > cutoff)
                    _live(day, flows)
                    if t == cutoff:
                        _write_opening(day, OPENING)
                        if shelf.purses[slot]["cash"] > 0:
                            write(day, OPENING_CASH, NONE, ZERO, shelf.purses[slot]["cash"], NONE)
            if out.used[OVERFLOW]:
                return
        for a in range(start, end):
            cash[a] = shelf.purses[a - start]["cash"]
            _write_open_lots(out, shelf, a, a - start)


@kernel
def _clear(shelf: Shelf) -> None:
    """Make room for the next household."""
    shelf.position[:] = 0
    for slot in range(shelf.purses.shape[0]):
        shelf.purses[slot]["n_lots"] = 0
        shelf.purses[slot]["cash"] = 0
        shelf.purses[slot]["accrued"] = 0
    for group in range(shelf.groups.shape[0]):
        shelf.groups[group]["blocked_until"] = LONG_AGO
        shelf.groups[group]["bought_on"] = LONG_AGO


@kernel
def _live(day: Day, flows: Ints) -> None:
    """One session of one account: actions, dividends, what comes and goes, and trading."""
    plans, shelf = day.plans, day.shelf
    a, slot, t, record = day.account, day.slot, day.session, day.record
    account = day.plans.accounts[day.account]
    purse = day.shelf.purses[day.slot]
    session = day.tape.sessions[day.session]
    apply_actions(day)
    if t == account["opened"]:
        for k in range(plans.legacy_start[a], plans.legacy_start[a + 1]):
            lot = plans.legacy[k]
            put_lot(shelf, slot, lot["sec"], lot["quantity"], lot["basis"], lot["acquired"], NONE, ZERO)
        if record:
            _write_opening(day, TRANSFER_IN)
    if session["is_month_end"] and purse["accrued"] > 0:
        if record:
            write(day, DIVIDEND, NONE, ZERO, purse["accrued"], NONE)
        purse["cash"] += purse["accrued"]
        purse["accrued"] = 0
    while flows[slot] < plans.flow_start[a + 1] and plans.flows[flows[slot]]["session"] <= t:
        cents = plans.flows[flows[slot]]["cents"]
        flows[slot] += 1
        if cents < 0:
            raise_cash(day, -cents)
            cents = -min(-cents, purse["cash"])
        purse["cash"] += cents
        if record and cents != 0:
            write(day, DEPOSIT if cents > 0 else WITHDRAWAL, NONE, ZERO, abs(cents), NONE)
    if t >= account["starts"] and (t - account["starts"]) % account["every"] == 0:
        trade(day)


@kernel
def _write_opening(day: Day, kind: int) -> None:
    """All lots of the account as the payload of one event, which names them from now on."""
    shelf, out, slot = day.shelf, day.journal, day.slot
    purse = day.shelf.purses[day.slot]
    n = purse["n_lots"]
    if n == 0:
        return
    at = out.used[BROUGHT]
    if at + n > out.brought.shape[0]:
        out.used[OVERFLOW] = 1
        return
    for k in range(n):
        out.brought[at + k] = shelf.lots[slot, k]
        shelf.lots[slot, k]["line"] = k
    out.used[BROUGHT] = at + n
    row = write(day, kind, NONE, ZERO, ZERO, NONE)
    for k in range(n):
        shelf.lots[slot, k]["event"] = row


@kernel
def _write_open_lots(out: Journal, shelf: Shelf, a: int, slot: int) -> None:
    n = shelf.purses[slot]["n_lots"]
    at = out.used[OPEN]
    if at + n > out.still_open.shape[0]:
        out.used[OVERFLOW] = 1
        return
    for k in range(n):
        lot = shelf.lots[slot, k]
        row = out.still_open[at + k]
        row["account"] = a
        row["sec"] = lot["sec"]
        row["quantity"] = lot["quantity"]
        row["basis"] = lot["basis"]
        row["acquired"] = lot["acquired"]
        row["event"] = lot["event"]
        row["line"] = lot["line"]
    out.used[OPEN] = at + n
