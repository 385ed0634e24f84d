"""Households traded through the years, one after the other, by a compiled loop."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from allotment.compiled import kernel
from allotment.errors import InvariantError
from allotment.simulate.world.happenings import apply_actions, dividends
from allotment.simulate.world.plans import Desk, Plans, empty_desk
from allotment.simulate.world.rule import raise_cash, trade
from allotment.simulate.world.shelf import (
    BROUGHT,
    DEPOSIT,
    DIVIDEND,
    OPEN,
    OPENING,
    OPENING_CASH,
    OVERFLOW,
    TRANSFER_IN,
    WITHDRAWAL,
    Day,
    Journal,
    Shelf,
    empty_journal,
    empty_shelf,
    put_lot,
    write,
)
from allotment.simulate.world.tape import Tape
from allotment.units import Ints

_CHUNK = 32  # households
_EVENTS_AN_ACCOUNT, _NAMED_AN_ACCOUNT, _LOTS_AN_ACCOUNT = 500, 700, 1_000


def trade_book(tape: Tape, plans: Plans, cutoff: int, threads: int) -> tuple[list[Journal], Ints]:
    """Journals of all households in order, and every account's cash in cents at the end.

    cutoff: session up to which nothing is written; at its end each open account's lots are.
    """
    n_households = plans.household_start.shape[0] - 1
    cash = np.zeros(plans.opened.shape[0], np.int64)
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
    shelf = empty_shelf(n_names, int(tape.group.max()) + 1)
    desk = empty_desk(n_names)
    n_accounts = int(plans.household_start[stop] - plans.household_start[first])
    for room in (1, 2, 4, 8, 16, 32):
        n = n_accounts * room
        out = empty_journal(n * _EVENTS_AN_ACCOUNT, n * _NAMED_AN_ACCOUNT, n * _LOTS_AN_ACCOUNT)
        _trade_households(tape, plans, shelf, out, desk, cash, first, stop, cutoff)
        if not out.used[OVERFLOW]:
            return _cut(out)
    raise InvariantError("the sample book writes more events than any account can have")


def _cut(out: Journal) -> Journal:
    """The journal without its unused room."""
    events, named, brought, still_open = (int(n) for n in out.used[:4])
    rooms = {"named": named, "brought": brought, "open": still_open}
    parts = {}
    for name in Journal._fields:
        owner = name.split("_")[0]
        n = events if name.endswith("_stop") else rooms.get(owner, events)
        if name != "count":
            parts[name] = getattr(out, name)[:n].copy()
    return out._replace(**parts)


@kernel
def _trade_households(
    tape: Tape,
    plans: Plans,
    shelf: Shelf,
    out: Journal,
    desk: Desk,
    cash: Ints,
    first: int,
    stop: int,
    cutoff: int,
) -> None:
    for household in range(first, stop):
        start, end = plans.household_start[household], plans.household_start[household + 1]
        shelf.n_lots[:] = 0
        shelf.position[:] = 0
        shelf.cash[:] = 0
        shelf.accrued[:] = 0
        shelf.blocked_until[:] = -1_000_000
        shelf.bought_on[:] = -1_000_000
        flows = plans.flow_start[start : end + 1].copy()
        begins = plans.opened[start]
        for a in range(start, end):
            begins = min(begins, plans.opened[a])
        for t in range(begins, tape.day.shape[0]):
            for a in range(start, end):
                slot, age = a - start, t - plans.starts[a]
                if t < plans.opened[a]:
                    continue
                shelf.accrued[slot] += dividends(
                    tape.dividend_start[t],
                    tape.dividend_start[t + 1],
                    tape.dividend_sec,
                    tape.dividend_micros,
                    shelf.position[slot],
                )
                is_flow_due = flows[slot] < plans.flow_start[a + 1] and plans.flow_session[flows[slot]] <= t
                # Most sessions ask nothing of an account, and a call with all records is dear.
                if (
                    tape.action_start[t] < tape.action_start[t + 1]
                    or tape.month_ends[t]
                    or t == plans.opened[a]
                    or (age >= 0 and age % plans.every[a] == 0)
                    or is_flow_due
                    or t == cutoff
                ):
                    day = Day(tape, plans, shelf, out, desk, a, slot, t, t > cutoff)
                    _live(day, flows)
                    if t == cutoff:
                        _write_opening(day, OPENING)
                        if shelf.cash[slot] > 0:
                            write(day, OPENING_CASH, -1, 0, shelf.cash[slot], -1)
            if out.used[OVERFLOW]:
                return
        for a in range(start, end):
            cash[a] = shelf.cash[a - start]
            _write_open_lots(out, shelf, a, a - start)


@kernel
def _live(day: Day, flows: Ints) -> None:
    """One session of one account: actions, dividends, what comes and goes, and trading."""
    tape, plans, shelf = day.tape, day.plans, day.shelf
    a, slot, t, record = day.account, day.slot, day.session, day.record
    apply_actions(day)
    if t == plans.opened[a]:
        for k in range(plans.legacy_start[a], plans.legacy_start[a + 1]):
            put_lot(
                shelf,
                slot,
                plans.legacy_sec[k],
                plans.legacy_quantity[k],
                plans.legacy_basis[k],
                plans.legacy_acquired[k],
                -1,
                0,
            )
        if record:
            _write_opening(day, TRANSFER_IN)
    if tape.month_ends[t] and shelf.accrued[slot] > 0:
        if record:
            write(day, DIVIDEND, -1, 0, shelf.accrued[slot], -1)
        shelf.cash[slot] += shelf.accrued[slot]
        shelf.accrued[slot] = 0
    while flows[slot] < plans.flow_start[a + 1] and plans.flow_session[flows[slot]] <= t:
        cents = plans.flow_cents[flows[slot]]
        flows[slot] += 1
        if cents < 0:
            raise_cash(day, -cents)
            cents = -min(-cents, shelf.cash[slot])
        shelf.cash[slot] += cents
        if record and cents != 0:
            write(day, DEPOSIT if cents > 0 else WITHDRAWAL, -1, 0, abs(cents), -1)
    if t >= plans.starts[a] and (t - plans.starts[a]) % plans.every[a] == 0:
        trade(day)


@kernel
def _write_opening(day: Day, kind: int) -> None:
    """All lots of the account as the payload of one event, which names them from now on."""
    shelf, out, slot = day.shelf, day.journal, day.slot
    n = shelf.n_lots[slot]
    if n == 0:
        return
    at = out.used[BROUGHT]
    if at + n > out.brought_sec.shape[0]:
        out.used[OVERFLOW] = 1
        return
    for k in range(n):
        out.brought_sec[at + k] = shelf.sec[slot, k]
        out.brought_quantity[at + k] = shelf.quantity[slot, k]
        out.brought_basis[at + k] = shelf.basis[slot, k]
        out.brought_acquired[at + k] = shelf.acquired[slot, k]
        shelf.line[slot, k] = k
    out.used[BROUGHT] = at + n
    row = write(day, kind, -1, 0, 0, -1)
    for k in range(n):
        shelf.event[slot, k] = row


@kernel
def _write_open_lots(out: Journal, shelf: Shelf, a: int, slot: int) -> None:
    n = shelf.n_lots[slot]
    at = out.used[OPEN]
    if at + n > out.open_sec.shape[0]:
        out.used[OVERFLOW] = 1
        return
    for k in range(n):
        out.open_account[at + k] = a
        out.open_sec[at + k] = shelf.sec[slot, k]
        out.open_quantity[at + k] = shelf.quantity[slot, k]
        out.open_basis[at + k] = shelf.basis[slot, k]
        out.open_acquired[at + k] = shelf.acquired[slot, k]
        out.open_event[at + k] = shelf.event[slot, k]
        out.open_line[at + k] = shelf.line[slot, k]
    out.used[OPEN] = at + n
