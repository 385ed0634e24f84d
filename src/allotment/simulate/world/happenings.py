"""What a company's actions do to the lots on a shelf.

Splits multiply lots; a spin-off moves basis to the child in proportion to value and tacks its
holding period; a stock merger exchanges lots; an exit pays cash. A custodian without fractions
sells the fraction of each lot at the close.
"""

from __future__ import annotations

from allotment.compiled import kernel
from allotment.simulate.world.shelf import (
    LOTS_MAX,
    NANO,
    SPLIT_EVENT,
    VALUE_DIVISOR,
    Day,
    Shelf,
    drop_empty,
    find_lots,
    put_lot,
    sell_parts,
    write,
)
from allotment.simulate.world.tape import EXIT, MERGER, SPIN_OFF, SPLIT
from allotment.units import Index, Ints, mul_div


@kernel
def dividends(first: int, stop: int, sec: Index, micros: Ints, position: Ints) -> int:
    """Cents that rows `first` to `stop` of the tape's dividends pay on a position, shape (N,)."""
    cents = 0
    for d in range(first, stop):
        held = position[sec[d]]
        if held > 0:
            cents += mul_div(held, micros[d], VALUE_DIVISOR)
    return cents


@kernel
def apply_actions(day: Day) -> None:
    """All actions of session t, in the tape's order."""
    tape, shelf, slot, t, record = day.tape, day.shelf, day.slot, day.session, day.record
    for action in range(tape.action_start[t], tape.action_start[t + 1]):
        sec = tape.action_sec[action]
        if shelf.position[slot, sec] == 0:
            continue
        kind = tape.action_kind[action]
        if kind == SPLIT:
            if record:
                write(day, SPLIT_EVENT, sec, 0, 0, action)
            _multiply(shelf, slot, sec, tape.action_new[action], tape.action_old[action])
            _sell_fractions(day, sec)
        elif kind == EXIT:
            n = find_lots(shelf, slot, sec)
            for k in range(n):
                shelf.part[k] = shelf.quantity[slot, shelf.rows[k]]
            sell_parts(day, sec, tape.action_micros[action], n)
        elif kind == MERGER:
            _exchange(day, action)
            _sell_fractions(day, tape.action_other[action])
        elif kind == SPIN_OFF:
            _spin_off(day, action)
            if tape.action_other[action] >= 0:
                _sell_fractions(day, tape.action_other[action])


@kernel
def _multiply(shelf: Shelf, slot: int, sec: int, new: int, old: int) -> None:
    n = find_lots(shelf, slot, sec)
    total = 0
    for k in range(n):
        i = shelf.rows[k]
        shelf.quantity[slot, i] = mul_div(shelf.quantity[slot, i], new, old)
        total += shelf.quantity[slot, i]
    shelf.position[slot, sec] = total
    drop_empty(shelf, slot, n)


@kernel
def _exchange(day: Day, action: int) -> None:
    tape, shelf, slot = day.tape, day.shelf, day.slot
    sec, other = tape.action_sec[action], tape.action_other[action]
    n = find_lots(shelf, slot, sec)
    for k in range(n):
        i = shelf.rows[k]
        shelf.sec[slot, i] = other
        shelf.quantity[slot, i] = mul_div(
            shelf.quantity[slot, i], tape.action_new[action], tape.action_old[action]
        )
        shelf.position[slot, other] += shelf.quantity[slot, i]
    shelf.position[slot, sec] = 0
    drop_empty(shelf, slot, n)


@kernel
def _spin_off(day: Day, action: int) -> None:
    """Child lots beside the parent's; a child without a price, or without room, comes as cash."""
    tape, shelf, slot, t = day.tape, day.shelf, day.slot, day.session
    sec, child = tape.action_sec[action], tape.action_other[action]
    n = find_lots(shelf, slot, sec)
    for k in range(n):
        i = shelf.rows[k]
        held = shelf.quantity[slot, i]
        stays = mul_div(held, tape.price_micros[t, sec], VALUE_DIVISOR)
        leaves = mul_div(held, tape.action_micros[action], VALUE_DIVISOR)
        received = mul_div(held, tape.action_new[action], tape.action_old[action])
        if leaves == 0 or (child >= 0 and received == 0):
            continue
        basis = mul_div(shelf.basis[slot, i], leaves, leaves + stays)
        shelf.basis[slot, i] -= basis
        if child < 0 or shelf.n_lots[slot] >= LOTS_MAX:
            shelf.cash[slot] += leaves
            continue
        put_lot(shelf, slot, child, received, basis, shelf.acquired[slot, i], -1, 0)


@kernel
def _sell_fractions(day: Day, sec: int) -> None:
    """Where only whole shares can be held, the fraction of each lot is paid out."""
    tape, shelf, slot, t = day.tape, day.shelf, day.slot, day.session
    if day.plans.step[day.account] < NANO:
        return
    n = find_lots(shelf, slot, sec)
    for k in range(n):
        shelf.part[k] = shelf.quantity[slot, shelf.rows[k]] % NANO
    sell_parts(day, sec, tape.price_micros[t, sec], n)
