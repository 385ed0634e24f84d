"""The lots of one household while it trades, and the two things done to them: buy and sell.

Compiled, in exact integers, with the residue rule of docs/law/numbers.md: a part of a lot takes
basis × part ÷ lot, rounded; the rest keeps what is left. Everything after the book's cutoff is
written to the journal as it happens.
"""

from __future__ import annotations

from typing import NamedTuple, cast

import numpy as np

from allotment.compiled import kernel
from allotment.simulate.world.plans import Plans
from allotment.simulate.world.tape import Records, Tape
from allotment.units import Ints, mul_div

ACCOUNTS_MAX = 4  # of a household
LOTS_MAX = 4_000  # of an account; the rule stops opening lots long before
VALUE_DIVISOR = 10_000_000_000_000  # billionths of a share × millionths of a dollar → cents
NANO = 1_000_000_000
WASH_DAYS = 30


def _typed(value: int) -> int:
    """A constant that Numba takes for any integer: a plain literal would make a version of a
    function for every value that it is called with."""
    return cast("int", np.int64(value))


# Kinds in the journal; `world.journal` gives them their names in the ledger.
BUY, SELL, SPLIT_EVENT, OPENING, TRANSFER_IN = map(_typed, range(5))
DEPOSIT, WITHDRAWAL, DIVIDEND, OPENING_CASH = map(_typed, range(5, 9))
NONE, ZERO = _typed(-1), _typed(0)

# Places in Journal.used.
EVENTS, NAMED, BROUGHT, OPEN, OVERFLOW = 0, 1, 2, 3, 4


LOT = np.dtype(
    [
        ("sec", np.int64),
        ("quantity", np.int64),
        ("basis", np.int64),
        ("acquired", np.int64),  # days since 1970
        ("event", np.int64),  # journal row that made the lot, -1 before the cutoff
        ("line", np.int64),
    ],
    align=True,
)
PURSE = np.dtype(
    [
        ("n_lots", np.int64),
        ("cash", np.int64),
        ("accrued", np.int64),  # dividends until the end of the month
    ],
    align=True,
)
GROUP = np.dtype(
    [
        ("blocked_until", np.int64),  # last day on which nobody in the household may buy
        ("bought_on", np.int64),  # last purchase by anybody in the household
    ],
    align=True,
)
FOUND = np.dtype([("row", np.int64), ("part", np.int64)], align=True)  # a lot, and how much of it is sold
EVENT = np.dtype(
    [
        ("account", np.int64),
        ("session", np.int64),
        ("kind", np.int64),
        ("sec", np.int64),
        ("quantity", np.int64),
        ("amount", np.int64),
        ("action", np.int64),  # row of the tape's actions, -1 none
        ("named_stop", np.int64),  # end of the event's rows in `named`
        ("brought_stop", np.int64),  # end of the event's rows in `brought`
    ],
    align=True,
)
NAMED_LOT = np.dtype([("event", np.int64), ("line", np.int64), ("quantity", np.int64)], align=True)
OPEN_LOT = np.dtype([("account", np.int64), *((name, LOT[name]) for name in LOT.names or ())], align=True)


class Shelf(NamedTuple):
    """State of one household: a row per account of it, emptied for the next household."""

    lots: Records  # (accounts, lots) of LOT
    purses: Records  # (accounts,) of PURSE
    position: Ints  # (accounts, N)
    groups: Records  # (groups,) of GROUP
    found: Records  # (lots,) of FOUND, scratch: the lots of one name


class Journal(NamedTuple):
    """What happened after the cutoff, in order by household and session; grown by the caller."""

    used: Ints  # (5,)
    events: Records  # of EVENT
    named: Records  # of NAMED_LOT: lots that sales name
    brought: Records  # of LOT: payloads of openings
    still_open: Records  # of OPEN_LOT: lots at the end


class Day(NamedTuple):
    """One session of one account: all that the compiled rule sees, and where it writes."""

    tape: Tape
    plans: Plans
    shelf: Shelf
    journal: Journal
    desk: Records  # (N,) of plans.DESK
    account: int
    slot: int  # row of the account on the shelf
    session: int
    record: bool  # after the cutoff: what happens goes to the journal


@kernel
def write(day: Day, kind: int, sec: int, quantity: int, amount: int, action: int) -> int:
    """Append one event and return its row; the caller has appended named and brought lots."""
    out = day.journal
    row = out.used[EVENTS]
    if row >= out.events.shape[0]:
        out.used[OVERFLOW] = 1
        return 0
    event = out.events[row]
    event["account"] = day.account
    event["session"] = day.session
    event["kind"] = kind
    event["sec"] = sec
    event["quantity"] = quantity
    event["amount"] = amount
    event["action"] = action
    event["named_stop"] = out.used[NAMED]
    event["brought_stop"] = out.used[BROUGHT]
    out.used[EVENTS] = row + 1
    return int(row)


@kernel
def put_lot(
    shelf: Shelf, slot: int, sec: int, quantity: int, basis: int, acquired: int, event: int, line: int
) -> None:
    """Put a lot on the shelf and count it in the position."""
    at = shelf.purses[slot]["n_lots"]
    lot = shelf.lots[slot, at]
    lot["sec"] = sec
    lot["quantity"] = quantity
    lot["basis"] = basis
    lot["acquired"] = acquired
    lot["event"] = event
    lot["line"] = line
    shelf.purses[slot]["n_lots"] = at + 1
    shelf.position[slot, sec] += quantity


@kernel
def find_lots(shelf: Shelf, slot: int, sec: int) -> int:
    """Fill `rows` with the lots of one name, `part` with zeros; returns how many."""
    n = 0
    for i in range(shelf.purses[slot]["n_lots"]):
        if shelf.lots[slot, i]["sec"] == sec:
            shelf.found[n]["row"] = i
            shelf.found[n]["part"] = 0
            n += 1
    return n


@kernel
def drop_empty(shelf: Shelf, slot: int, n: int) -> None:
    """Remove those of the `n` found lots that have no shares left."""
    for k in range(n - 1, -1, -1):  # from the back, so that the last lot may fill the gap
        i = shelf.found[k]["row"]
        if shelf.lots[slot, i]["quantity"] == 0:
            last = shelf.purses[slot]["n_lots"] - 1
            shelf.lots[slot, i] = shelf.lots[slot, last]
            shelf.purses[slot]["n_lots"] = last


@kernel
def sell_parts(day: Day, sec: int, micros: int, n: int) -> int:
    """Sell `part` of each of the `n` found lots at one price; returns the proceeds in cents."""
    tape, shelf, out, slot, record = day.tape, day.shelf, day.journal, day.slot, day.record
    purse, session = day.shelf.purses[day.slot], day.tape.sessions[day.session]
    total = 0
    for k in range(n):
        total += shelf.found[k]["part"]
    if total == 0:
        return 0
    proceeds = mul_div(total, micros, VALUE_DIVISOR)
    if record:
        if out.used[NAMED] + n > out.named.shape[0]:
            out.used[OVERFLOW] = 1
            return 0
        for k in range(n):
            if shelf.found[k]["part"] > 0:
                at = out.used[NAMED]
                lot = shelf.lots[slot, shelf.found[k]["row"]]
                out.named[at]["event"] = lot["event"]
                out.named[at]["line"] = lot["line"]
                out.named[at]["quantity"] = shelf.found[k]["part"]
                out.used[NAMED] = at + 1
        write(day, SELL, sec, total, proceeds, NONE)
    for k in range(n):
        if shelf.found[k]["part"] == 0:
            continue
        lot = shelf.lots[slot, shelf.found[k]["row"]]
        relieved = mul_div(lot["basis"], shelf.found[k]["part"], lot["quantity"])
        if mul_div(shelf.found[k]["part"], micros, VALUE_DIVISOR) < relieved:
            shelf.groups[tape.names[sec]["group"]]["blocked_until"] = session["day"] + WASH_DAYS
        lot["basis"] -= relieved
        lot["quantity"] -= shelf.found[k]["part"]
    shelf.position[slot, sec] -= total
    purse["cash"] += proceeds
    drop_empty(shelf, slot, n)
    return proceeds


@kernel
def buy(day: Day, sec: int, quantity: int) -> int:
    """Buy at the close if the cash suffices; returns the cost in cents, 0 for no purchase."""
    tape, shelf, slot, t, record = day.tape, day.shelf, day.slot, day.session, day.record
    purse, session = day.shelf.purses[day.slot], day.tape.sessions[day.session]
    cost = mul_div(quantity, tape.price_micros[t, sec], VALUE_DIVISOR)
    if quantity <= 0 or cost <= 0 or cost > purse["cash"] or purse["n_lots"] >= LOTS_MAX:
        return 0
    event = write(day, BUY, sec, quantity, cost, NONE) if record else NONE
    put_lot(shelf, slot, sec, quantity, cost, session["day"], event, ZERO)
    purse["cash"] -= cost
    shelf.groups[tape.names[sec]["group"]]["bought_on"] = session["day"]
    return cost


def empty_shelf(n_names: int, n_groups: int) -> Shelf:
    """A shelf for one household after another."""
    return Shelf(
        lots=np.zeros((ACCOUNTS_MAX, LOTS_MAX), LOT),
        purses=np.zeros(ACCOUNTS_MAX, PURSE),
        position=np.zeros((ACCOUNTS_MAX, n_names), np.int64),
        groups=np.zeros(n_groups, GROUP),
        found=np.zeros(LOTS_MAX, FOUND),
    )


def empty_journal(n_events: int, n_named: int, n_lots: int) -> Journal:
    """A journal with room for so many events, named lots, and brought (and open) lots."""
    return Journal(
        used=np.zeros(5, np.int64),
        events=np.empty(n_events, EVENT),
        named=np.empty(n_named, NAMED_LOT),
        brought=np.empty(n_lots, LOT),
        still_open=np.empty(n_lots, OPEN_LOT),
    )


def cut(journal: Journal) -> Journal:
    """The journal without its unused room."""
    n_events, n_named, n_brought, n_open = journal.used[:4].tolist()
    return Journal(
        used=journal.used,
        events=journal.events[:n_events].copy(),
        named=journal.named[:n_named].copy(),
        brought=journal.brought[:n_brought].copy(),
        still_open=journal.still_open[:n_open].copy(),
    )
