"""The lots of one household while it trades, and the two things done to them: buy and sell.

Compiled, in exact integers, with the residue rule of docs/law/numbers.md: a part of a lot takes
basis × part ÷ lot, rounded; the rest keeps what is left. Everything after the book's cutoff is
written to the journal as it happens.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from allotment.compiled import kernel
from allotment.simulate.world.plans import Desk, Plans
from allotment.simulate.world.tape import Tape
from allotment.units import Index, Ints, mul_div

ACCOUNTS_MAX = 4  # of a household
LOTS_MAX = 4_000  # of an account; the rule stops opening lots long before
VALUE_DIVISOR = 10_000_000_000_000  # billionths of a share × millionths of a dollar → cents
NANO = 1_000_000_000
WASH_DAYS = 30

# Kinds in the journal; `world.journal` gives them their names in the ledger.
BUY, SELL, SPLIT_EVENT, OPENING, TRANSFER_IN = 0, 1, 2, 3, 4
DEPOSIT, WITHDRAWAL, DIVIDEND, OPENING_CASH = 5, 6, 7, 8

# Places in Journal.used.
EVENTS, NAMED, BROUGHT, OPEN, OVERFLOW = 0, 1, 2, 3, 4


class Shelf(NamedTuple):
    """State of one household: a row per account of it, emptied for the next household."""

    sec: Index  # (accounts, lots)
    quantity: Ints
    basis: Ints
    acquired: Ints  # days since 1970
    event: Ints  # journal row that made the lot, -1 before the cutoff
    line: Index
    n_lots: Ints  # (accounts,)
    position: Ints  # (accounts, N)
    cash: Ints  # (accounts,)
    accrued: Ints  # (accounts,) dividends until the end of the month
    blocked_until: Ints  # (groups,) last day on which nobody in the household may buy
    bought_on: Ints  # (groups,) last purchase by anybody in the household
    rows: Ints  # (lots,) scratch: lots of one name
    part: Ints  # (lots,) scratch: how much of each of them is sold


class Journal(NamedTuple):
    """What happened after the cutoff, in order by household and session; grown by the caller."""

    used: Ints  # (5,)
    account: Index
    session: Index
    kind: Index
    sec: Index
    quantity: Ints
    amount: Ints
    action: Index  # row of the tape's actions, -1 none
    named_stop: Ints  # (events,) end of the event's rows below
    named_event: Ints
    named_line: Index
    named_quantity: Ints
    brought_stop: Ints  # (events,) end of the event's rows below
    brought_sec: Index
    brought_quantity: Ints
    brought_basis: Ints
    brought_acquired: Ints
    open_account: Index  # lots open at the end
    open_sec: Index
    open_quantity: Ints
    open_basis: Ints
    open_acquired: Ints
    open_event: Ints
    open_line: Index


class Day(NamedTuple):
    """One session of one account: all that the compiled rule sees, and where it writes."""

    tape: Tape
    plans: Plans
    shelf: Shelf
    journal: Journal
    desk: Desk
    account: int
    slot: int  # row of the account on the shelf
    session: int
    record: bool  # after the cutoff: what happens goes to the journal


@kernel
def write(day: Day, kind: int, sec: int, quantity: int, amount: int, action: int) -> int:
    """Append one event and return its row; the caller has appended named and brought lots."""
    out = day.journal
    row = int(out.used[EVENTS])
    if row >= out.account.shape[0]:
        out.used[OVERFLOW] = 1
        return 0
    out.account[row] = day.account
    out.session[row] = day.session
    out.kind[row] = kind
    out.sec[row] = sec
    out.quantity[row] = quantity
    out.amount[row] = amount
    out.action[row] = action
    out.named_stop[row] = out.used[NAMED]
    out.brought_stop[row] = out.used[BROUGHT]
    out.used[EVENTS] = row + 1
    return row


@kernel
def put_lot(
    shelf: Shelf, slot: int, sec: int, quantity: int, basis: int, acquired: int, event: int, line: int
) -> None:
    """Put a lot on the shelf and count it in the position."""
    at = shelf.n_lots[slot]
    shelf.sec[slot, at] = sec
    shelf.quantity[slot, at] = quantity
    shelf.basis[slot, at] = basis
    shelf.acquired[slot, at] = acquired
    shelf.event[slot, at] = event
    shelf.line[slot, at] = line
    shelf.n_lots[slot] = at + 1
    shelf.position[slot, sec] += quantity


@kernel
def find_lots(shelf: Shelf, slot: int, sec: int) -> int:
    """Fill `rows` with the lots of one name, `part` with zeros; returns how many."""
    n = 0
    for i in range(shelf.n_lots[slot]):
        if shelf.sec[slot, i] == sec:
            shelf.rows[n] = i
            shelf.part[n] = 0
            n += 1
    return n


@kernel
def drop_empty(shelf: Shelf, slot: int, n: int) -> None:
    """Remove those of the `n` found lots that have no shares left."""
    for k in range(n - 1, -1, -1):  # from the back, so that the last lot may fill the gap
        i = shelf.rows[k]
        if shelf.quantity[slot, i] == 0:
            last = shelf.n_lots[slot] - 1
            shelf.sec[slot, i] = shelf.sec[slot, last]
            shelf.quantity[slot, i] = shelf.quantity[slot, last]
            shelf.basis[slot, i] = shelf.basis[slot, last]
            shelf.acquired[slot, i] = shelf.acquired[slot, last]
            shelf.event[slot, i] = shelf.event[slot, last]
            shelf.line[slot, i] = shelf.line[slot, last]
            shelf.n_lots[slot] = last


@kernel
def sell_parts(day: Day, sec: int, micros: int, n: int) -> int:
    """Sell `part` of each of the `n` found lots at one price; returns the proceeds in cents."""
    tape, shelf, out = day.tape, day.shelf, day.journal
    slot, t, record = day.slot, day.session, day.record
    total = 0
    for k in range(n):
        total += shelf.part[k]
    if total == 0:
        return 0
    proceeds = mul_div(total, micros, VALUE_DIVISOR)
    if record:
        if out.used[NAMED] + n > out.named_event.shape[0]:
            out.used[OVERFLOW] = 1
            return 0
        for k in range(n):
            if shelf.part[k] > 0:
                at = out.used[NAMED]
                out.named_event[at] = shelf.event[slot, shelf.rows[k]]
                out.named_line[at] = shelf.line[slot, shelf.rows[k]]
                out.named_quantity[at] = shelf.part[k]
                out.used[NAMED] = at + 1
        write(day, SELL, sec, total, proceeds, -1)
    for k in range(n):
        if shelf.part[k] == 0:
            continue
        i = shelf.rows[k]
        relieved = mul_div(shelf.basis[slot, i], shelf.part[k], shelf.quantity[slot, i])
        if mul_div(shelf.part[k], micros, VALUE_DIVISOR) < relieved:
            shelf.blocked_until[tape.group[sec]] = tape.day[t] + WASH_DAYS
        shelf.basis[slot, i] -= relieved
        shelf.quantity[slot, i] -= shelf.part[k]
    shelf.position[slot, sec] -= total
    shelf.cash[slot] += proceeds
    drop_empty(shelf, slot, n)
    return proceeds


@kernel
def buy(day: Day, sec: int, quantity: int) -> int:
    """Buy at the close if the cash suffices; returns the cost in cents, 0 for no purchase."""
    tape, shelf, slot, t, record = day.tape, day.shelf, day.slot, day.session, day.record
    cost = mul_div(quantity, tape.price_micros[t, sec], VALUE_DIVISOR)
    if quantity <= 0 or cost <= 0 or cost > shelf.cash[slot] or shelf.n_lots[slot] >= LOTS_MAX:
        return 0
    event = write(day, BUY, sec, quantity, cost, -1) if record else -1
    put_lot(shelf, slot, sec, quantity, cost, tape.day[t], event, 0)
    shelf.cash[slot] -= cost
    shelf.bought_on[tape.group[sec]] = tape.day[t]
    return cost


def empty_shelf(n_names: int, n_groups: int) -> Shelf:
    """A shelf for one household after another."""
    lots = (ACCOUNTS_MAX, LOTS_MAX)
    return Shelf(
        sec=np.zeros(lots, np.int32),
        quantity=np.zeros(lots, np.int64),
        basis=np.zeros(lots, np.int64),
        acquired=np.zeros(lots, np.int64),
        event=np.zeros(lots, np.int64),
        line=np.zeros(lots, np.int32),
        n_lots=np.zeros(ACCOUNTS_MAX, np.int64),
        position=np.zeros((ACCOUNTS_MAX, n_names), np.int64),
        cash=np.zeros(ACCOUNTS_MAX, np.int64),
        accrued=np.zeros(ACCOUNTS_MAX, np.int64),
        blocked_until=np.zeros(n_groups, np.int64),
        bought_on=np.zeros(n_groups, np.int64),
        rows=np.zeros(LOTS_MAX, np.int64),
        part=np.zeros(LOTS_MAX, np.int64),
    )


def empty_journal(n_events: int, n_named: int, n_lots: int) -> Journal:
    """A journal with room for so many events, named lots, and brought (and open) lots."""
    columns: dict[str, Any] = {"used": np.zeros(5, np.int64)}
    for name, kind in Journal.__annotations__.items():
        if name == "used":
            continue
        is_lot = name.startswith(("brought_", "open_")) and name != "brought_stop"
        is_named = name.startswith("named_") and name != "named_stop"
        room = n_lots if is_lot else n_named if is_named else n_events
        columns[name] = np.empty(room, np.int32 if kind == "Index" else np.int64)
    return Journal(**columns)
