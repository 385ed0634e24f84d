"""Files of what comes in kind after an account's opening: transfers, late basis, carried prices."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np

from allotment.book.carried import CarriedPrice
from allotment.book.lots import BasisState, LotName
from allotment.feeds.opening_files import payload_of, per_account, purchased_of, sleeves_of
from allotment.feeds.references import Known, rows_of
from allotment.feeds.table import Table
from allotment.ledger.events import PROVISIONAL, EventKind, Events
from allotment.ledger.late_basis import LateBasis
from allotment.market.security import CARRIED_KINDS
from allotment.units import NANO_PER_SHARE, Ints, format_scaled


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedArrival:
    """A named lot as it came: where it is, and what is known of it."""

    event_seq: int  # by the name that it goes by
    line: int
    came: date
    quantity_nano: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrivals:
    """Transfers as events, with what names them. `names`: event_seq counts the events, from 1."""

    events: Events
    source_ids: tuple[str, ...]
    names: tuple[LotName, ...]


def transfer_id(account_id: int, transfer: str) -> str:
    """Under what a transfer is booked: twice is once."""
    return f"{account_id} {transfer}"


def transfers(table: Table, known: Known, booked: frozenset[str], asof: date) -> Arrivals:
    """One event per account and transfer, its lots in the order of the file.

    booked: ids of transfers that are booked already (`transfer_id`).
    """
    account = _open_on(table, known)
    security = known.securities.ids(table, "security", asof)
    sleeve = sleeves_of(table, known, account)
    names = table.words("transfer").each()
    ids = np.array([transfer_id(*pair) for pair in zip(account.tolist(), names, strict=True)], object)
    again = [row for row in range(len(table)) if ids[row] in booked]
    found = [f"transfer {names[row]!r} of the account is booked already" for row in again]
    table.refuse(
        again, "transfer", found, "leave it out; a basis that came later goes into a file late_basis"
    )
    table.check()
    came = table.days("day")
    _, first, at = np.unique(ids, return_index=True, return_inverse=True)
    # Events in the order in which the file first names their transfers.
    place = np.argsort(np.argsort(first))[at]
    order = np.argsort(place, kind="stable")
    start = np.searchsorted(place[order], np.arange(len(first) + 1)).astype(np.int64)
    acquired = np.where(table.empty["acquired"], came, table.days("acquired"))
    payload = payload_of(table, order, account=account, security=security, sleeve=sleeve, acquired=acquired)
    open_basis = np.concatenate([[0], np.cumsum(payload.basis_state != BasisState.KNOWN)])
    head = order[start[:-1]]
    events = per_account(
        EventKind.TRANSFER_IN,
        account[head],
        known,
        came[head],
        lots_start=start,
        payload=payload,
        detail=np.where(open_basis[start[1:]] > open_basis[start[:-1]], PROVISIONAL, 0).astype(np.int8),
    )
    lots = table.words("lot").each()
    listed = tuple(
        LotName(
            event_seq=int(place[row]) + 1,
            line=at - int(start[place[row]]),
            account_id=int(account[row]),
            transfer=names[row],
            name=lots[row],
        )
        for at, row in enumerate(order.tolist())
    )
    return Arrivals(events=events, source_ids=tuple(ids[head].tolist()), names=listed)


def opening_names(table: Table, known: Known) -> tuple[LotName, ...]:
    """Names of the opening's lots whose basis is pending or missing; event_seq counts the accounts,
    ascending by id, from 1."""
    states = table.words("basis_state")
    waits = states.mapped([int(word != "known") for word in states.values]) == 1
    words = table.words("account")
    account = words.mapped([known.accounts[word].account_id for word in words.values])
    order = np.argsort(account, kind="stable")
    _, first, event = np.unique(account[order], return_index=True, return_inverse=True)
    lots = table.words("lot").each()
    return tuple(
        LotName(
            event_seq=int(event[at]) + 1,
            line=at - int(first[event[at]]),
            account_id=int(account[row]),
            transfer="",
            name=lots[row],
        )
        for at, row in enumerate(order.tolist())
        if waits[row] and lots[row]
    )


def late_basis(table: Table, known: Known, arrived: dict[tuple[int, str, str], NamedArrival]) -> LateBasis:
    """What the rows tell of lots that came. arrived: by (account, transfer, lot)."""
    account = _account_ids(table, known)
    transfers, lots = table.words("transfer").each(), table.words("lot").each()
    keys = list(zip(account.tolist(), transfers, lots, strict=True))
    acquired, quantity = table.days("acquired"), table.ints("quantity")
    for row in np.flatnonzero(table.sound("account", "transfer", "lot")).tolist():
        came = arrived.get(keys[row])
        if came is None:
            of = f"transfer {transfers[row]!r}" if transfers[row] else "the opening"
            remedy = "correct account, transfer or lot; the lot is named as the file that brought it did"
            table.refuse([row], "lot", f"no lot {lots[row]!r} came with {of} of the account", remedy)
            continue
        if (
            not table.empty["quantity"][row]
            and quantity[row] != came.quantity_nano
            and table.sound("quantity")[row]
        ):
            shares = format_scaled(came.quantity_nano, NANO_PER_SHARE)
            table.refuse(
                [row],
                "quantity",
                f"the lot came with {shares} shares",
                "give the basis of the lot as it came",
            )
        if acquired[row] > np.datetime64(came.came) and table.sound("acquired")[row]:
            found = f"{acquired[row]} is after {came.came}, the day on which the lot came"
            table.refuse([row], "acquired", found, "correct the day")
    table.check()
    chosen = [arrived[key] for key in keys]
    basis = table.ints("basis")
    return LateBasis(
        event=np.array([one.event_seq for one in chosen], np.int64),
        line=np.array([one.line for one in chosen], np.int64),
        basis_cents=basis,
        loss_basis_cents=np.where(table.empty["loss_basis"], basis, table.ints("loss_basis")),
        acquired=acquired,
        holding_from=np.where(table.empty["holding_from"], acquired, table.days("holding_from")),
        purchased=purchased_of(table, acquired),
        covered=table.yes("covered").astype(np.int8),
    )


def carried_prices(table: Table, known: Known, asof: date) -> list[CarriedPrice]:
    """The custodian's prices of what is held and not traded."""
    account = _account_ids(table, known)
    security = known.securities.ids(table, "security", asof)
    kinds = known.securities.kinds
    traded = [
        row
        for row in np.flatnonzero(table.sound("security") & (security > 0)).tolist()
        if kinds[int(security[row])] not in CARRIED_KINDS
    ]
    found = [f"the security is a {kinds[int(security[row])].value}, which is traded" for row in traded]
    table.refuse(traded, "security", found, "give its close in a file prices, or correct its kind")
    table.check()
    return [
        CarriedPrice(account_id=owner, security_id=number, day=day, price_micros=micros)
        for owner, number, day, micros in zip(
            account.tolist(),
            security.tolist(),
            table.days("day").tolist(),
            table.ints("price").tolist(),
            strict=True,
        )
    ]


def _account_ids(table: Table, known: Known) -> Ints:
    """Account id per row, 0 where it is not known; unknown accounts are refused."""
    rows_of(table, "account", known.accounts, "account")
    words = table.words("account")
    return words.mapped([known.accounts[w].account_id if w in known.accounts else 0 for w in words.values])


def _open_on(table: Table, known: Known) -> Ints:
    """Account id per row; rows that come to an account which is closed by then are refused."""
    account = _account_ids(table, known)
    words, came = table.words("account"), table.days("day")
    for row in np.flatnonzero(table.sound("account", "day")).tolist():
        owner = known.accounts.get(words.values[words.codes[row]])
        if owner is not None and owner.closed is not None and np.datetime64(owner.closed) <= came[row]:
            found = f"account {owner.code!r} was closed on {owner.closed}"
            table.refuse([row], "account", found, "correct the account or the day")
    return account
