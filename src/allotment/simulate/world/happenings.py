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
    NONE,
    SPLIT_EVENT,
    VALUE_DIVISOR,
    ZERO,
    Day,
    Shelf,
    drop_empty,
    find_lots,
    put_lot,
    sell_parts,
    write,
)
from allotment.simulate.world.tape import EXIT, MERGER, SPIN_OFF, SPLIT, Records
from allotment.units import Ints, mul_div


@kernel
def dividends(rows: Records, position: Ints) -> int:
    """Cents that some of the tape's dividends pay on a position, shape (N,)."""
    cents = 0
    for row in rows:
        held = position[row["sec"]]
        if held > 0:
            cents += mul_div(held, row["micros"], VALUE_DIVISOR)
    return cents


@kernel
def apply_actions(day: Day) -> None:
    """All actions of session t, in the tape's order."""
    tape, shelf, slot, t, record = day.tape, day.shelf, day.slot, day.session, day.record
    session = day.tape.sessions[day.session]
    for action in range(session["first_action"], tape.sessions[t + 1]["first_action"]):
        sec = tape.actions[action]["sec"]
        if shelf.position[slot, sec] == 0:
            continue
        kind = tape.actions[action]["kind"]
        if kind == SPLIT:
            if record:
                write(day, SPLIT_EVENT, sec, ZERO, ZERO, action)
            _multiply(shelf, slot, sec, tape.actions[action]["new"], tape.actions[action]["old"])
            _sell_fractions(day, sec)
        elif kind == EXIT:
            n = find_lots(shelf, slot, sec)
            for k in range(n):
                shelf.found[k]["part"] = shelf.lots[slot, shelf.found[k]["row"]]["quantity"]
            sell_parts(day, sec, tape.actions[action]["micros"], n)
        elif kind == MERGER:
            _exchange(day, action)
            _sell_fractions(day, tape.actions[action]["other"])
        elif kind == SPIN_OFF:
            _spin_off(day, action)
            if tape.actions[action]["other"] >= 0:
                _sell_fractions(day, tape.actions[action]["other"])


@kernel
def _multiply(shelf: Shelf, slot: int, sec: int, new: int, old: int) -> None:
    n = find_lots(shelf, slot, sec)
    total = 0
    for k in range(n):
        i = shelf.found[k]["row"]
        shelf.lots[slot, i]["quantity"] = mul_div(shelf.lots[slot, i]["quantity"], new, old)
        total += shelf.lots[slot, i]["quantity"]
    shelf.position[slot, sec] = total
    drop_empty(shelf, slot, n)


@kernel
def _exchange(day: Day, action: int) -> None:
    tape, shelf, slot = day.tape, day.shelf, day.slot
    sec, other = tape.actions[action]["sec"], tape.actions[action]["other"]
    n = find_lots(shelf, slot, sec)
    for k in range(n):
        i = shelf.found[k]["row"]
        shelf.lots[slot, i]["sec"] = other
        shelf.lots[slot, i]["quantity"] = mul_div(
            shelf.lots[slot, i]["quantity"], tape.actions[action]["new"], tape.actions[action]["old"]
        )
        shelf.position[slot, other] += shelf.lots[slot, i]["quantity"]
    shelf.position[slot, sec] = 0
    drop_empty(shelf, slot, n)


@kernel
def _spin_off(day: Day, action: int) -> None:
    """Child lots beside the parent's; a child without a price, or without room, comes as cash."""
    tape, shelf, slot, t = day.tape, day.shelf, day.slot, day.session
    purse = day.shelf.purses[day.slot]
    sec, child = tape.actions[action]["sec"], tape.actions[action]["other"]
    n = find_lots(shelf, slot, sec)
    for k in range(n):
        i = shelf.found[k]["row"]
        held = shelf.lots[slot, i]["quantity"]
        stays = mul_div(held, tape.price_micros[t, sec], VALUE_DIVISOR)
        leaves = mul_div(held, tape.actions[action]["micros"], VALUE_DIVISOR)
        received = mul_div(held, tape.actions[action]["new"], tape.actions[action]["old"])
        if leaves == 0 or (child >= 0 and received == 0):
            continue
        basis = mul_div(shelf.lots[slot, i]["basis"], leaves, leaves + stays)
        shelf.lots[slot, i]["basis"] -= basis
        if child < 0 or purse["n_lots"] >= LOTS_MAX:
            purse["cash"] += leaves
            continue
        put_lot(shelf, slot, child, received, basis, shelf.lots[slot, i]["acquired"], NONE, ZERO)


@kernel
def _sell_fractions(day: Day, sec: int) -> None:
    """Where only whole shares can be held, the fraction of each lot is paid out."""
    tape, shelf, slot, t = day.tape, day.shelf, day.slot, day.session
    account = day.plans.accounts[day.account]
    if account["step"] < NANO:
        return
    n = find_lots(shelf, slot, sec)
    for k in range(n):
        shelf.found[k]["part"] = shelf.lots[slot, shelf.found[k]["row"]]["quantity"] % NANO
    sell_parts(day, sec, tape.price_micros[t, sec], n)
