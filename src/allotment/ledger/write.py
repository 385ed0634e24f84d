"""Building events: row by row for people, and joining columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import date
from typing import Any

import numpy as np

from allotment.ledger.events import EventKind, Events, EventTerms, LotsPayload
from allotment.units import NANO_PER_SHARE

_DTYPE = {"Ints": "i8", "Index": "i4", "Codes": "i1", "Dates": "M8[D]"}
_MISSING = np.datetime64("NaT", "D")
# Events that are planned on a booked ledger are numbered from here: a number below names a booked event.
UNBOOKED = 1 << 40
_ONE_TO_ONE = {"new_parts": 1, "old_parts": 1}


@dataclass(frozen=True, slots=True, kw_only=True)
class BroughtLot:
    """One line of a payload, for people; `LotsPayload` explains the fields."""

    security_id: int
    quantity_nano: int
    basis_cents: int
    acquired: date
    loss_basis_cents: int | None = None  # None: as basis
    holding_from: date | None = None  # None: as acquired
    purchased: bool = True  # on the day of acquisition
    order_id: int = 0
    sleeve_id: int = 0
    absorbed: bool = False
    covered: bool = True
    basis_state: int = 0

    def as_row(self) -> dict[str, Any]:
        """The line's columns."""
        loss_basis = self.basis_cents if self.loss_basis_cents is None else self.loss_basis_cents
        return {
            "security_id": self.security_id,
            "sleeve_id": self.sleeve_id,
            "side": 1,
            "quantity_nano": self.quantity_nano,
            "basis_cents": self.basis_cents,
            "loss_basis_cents": loss_basis,
            "acquired": self.acquired,
            "holding_from": self.holding_from or self.acquired,
            "purchased": self.acquired if self.purchased else _MISSING,
            "order_id": self.order_id,
            "absorbed": self.absorbed,
            "covered": self.covered,
            "basis_state": self.basis_state,
        }


Named = tuple[int, int, int]  # event that made the lot, line of its payload, billionths of a share


@dataclass(slots=True)
class EventWriter:
    """Builds `Events` row by row, for files, tests and tools; not for a whole book.

    Ids (`ledger_seq`) count from `first_seq`; every method returns the new event's id.
    `day_seq` is the order of writing. Quantities in billionths of a share, amounts in cents;
    `terms` are fields of `EventTerms`.
    """

    first_seq: int = 1
    _rows: list[dict[str, Any]] = field(default_factory=list)
    _lots: list[dict[str, Any]] = field(default_factory=list)
    _named: list[Named] = field(default_factory=list)
    _terms: list[dict[str, Any]] = field(default_factory=list)

    def write(
        self,
        kind: EventKind,
        household_id: int,
        account_id: int,
        effective: date,
        *,
        security_id: int = 0,
        quantity_nano: int = 0,
        amount_cents: int = 0,
        sleeve_id: int = 0,
        settles: date | None = None,
        order_id: int = 0,
        other_account_id: int = 0,
        detail: int = 0,
        reverses: int = 0,
        day_seq: int | None = None,
        terms: dict[str, int] | None = None,
        lots: Sequence[BroughtLot] = (),
        named: Sequence[Named] = (),
    ) -> int:
        """One event; returns its id."""
        seq = self.first_seq + len(self._rows)
        self._rows.append(
            {
                "ledger_seq": seq,
                "household_id": household_id,
                "account_id": account_id,
                "sleeve_id": sleeve_id,
                "effective": effective,
                "day_seq": len(self._rows) if day_seq is None else day_seq,
                "kind": kind,
                "security_id": security_id,
                "quantity_nano": quantity_nano,
                "amount_cents": amount_cents,
                "settles": settles or _MISSING,
                "order_id": order_id,
                "other_account_id": other_account_id,
                "detail": detail,
                "reverses": reverses,
                "terms_ix": -1 if terms is None else len(self._terms),
                "n_lots": len(lots),
                "n_named": len(named),
            }
        )
        self._lots += [lot.as_row() for lot in lots]
        self._named += named
        if terms is not None:
            self._terms.append({part.name: 0 for part in fields(EventTerms)} | _ONE_TO_ONE | terms)
        return seq

    def buy(self, account: tuple[int, int], day: date, security_id: int, shares: float, usd: float) -> int:
        """A purchase by (household_id, account_id), in shares and dollars, for tests and pages."""
        return self._trade(EventKind.BUY, account, day, security_id, shares, usd, ())

    def sell(
        self,
        account: tuple[int, int],
        day: date,
        security_id: int,
        shares: float,
        usd: float,
        named: Sequence[Named] = (),
    ) -> int:
        """A sale by (household_id, account_id), in shares and dollars, for tests and pages."""
        return self._trade(EventKind.SELL, account, day, security_id, shares, usd, named)

    def _trade(
        self,
        kind: EventKind,
        account: tuple[int, int],
        day: date,
        security_id: int,
        shares: float,
        usd: float,
        named: Sequence[Named],
    ) -> int:
        return self.write(
            kind,
            *account,
            day,
            security_id=security_id,
            quantity_nano=round(shares * NANO_PER_SHARE),
            amount_cents=round(usd * 100),
            named=named,
        )

    def events(self) -> Events:
        """What was written so far."""
        columns = {
            part.name: _column([row[part.name] for row in self._rows], str(part.type))
            for part in fields(Events)
            if part.metadata.get("column", True)
        }
        return Events(
            **columns,
            lots_start=_offsets([row["n_lots"] for row in self._rows]),
            lots=LotsPayload(**_columns(LotsPayload, self._lots)),
            named_start=_offsets([row["n_named"] for row in self._rows]),
            named_event=np.array([event for event, _, _ in self._named], np.int64),
            named_line=np.array([line for _, line, _ in self._named], np.int32),
            named_quantity_nano=np.array([quantity for _, _, quantity in self._named], np.int64),
            terms=EventTerms(**_columns(EventTerms, self._terms)),
        )


def concatenate(parts: Sequence[Events]) -> Events:
    """All events of the parts, one after the other; offsets and terms follow."""
    assert parts
    joined: dict[str, Any] = {}
    terms_before = np.cumsum([0, *(len(part.terms) for part in parts)])
    for column in fields(Events):
        if column.name in {"lots_start", "named_start"}:
            joined[column.name] = _offsets(
                np.concatenate([np.diff(getattr(part, column.name)) for part in parts])
            )
        elif column.name == "terms_ix":
            moved = [
                np.where(part.terms_ix >= 0, part.terms_ix + before, -1)
                for part, before in zip(parts, terms_before, strict=False)
            ]
            joined[column.name] = np.concatenate(moved).astype(np.int32)
        elif column.name == "lots":
            joined[column.name] = LotsPayload(**_stacked(LotsPayload, [part.lots for part in parts]))
        elif column.name == "terms":
            joined[column.name] = EventTerms(**_stacked(EventTerms, [part.terms for part in parts]))
        else:
            joined[column.name] = np.concatenate([getattr(part, column.name) for part in parts])
    return Events(**joined)


def take(events: Events, rows: np.ndarray[Any, Any]) -> Events:
    """The events at the given rows (positions or mask), in that order, with what hangs on them."""
    at = np.flatnonzero(rows) if rows.dtype == np.bool_ else rows
    if np.array_equal(at, np.arange(len(events))):
        return events
    columns = {
        part.name: getattr(events, part.name)[at]
        for part in fields(Events)
        if part.metadata.get("column", True)
    }
    lines = ranges(events.lots_start, at)
    named = ranges(events.named_start, at)
    return replace(
        events,
        **columns,
        lots_start=_offsets(np.diff(events.lots_start)[at]),
        lots=LotsPayload(
            **{part.name: getattr(events.lots, part.name)[lines] for part in fields(LotsPayload)}
        ),
        named_start=_offsets(np.diff(events.named_start)[at]),
        named_event=events.named_event[named],
        named_line=events.named_line[named],
        named_quantity_nano=events.named_quantity_nano[named],
    )


def ranges(start: np.ndarray[Any, Any], at: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Positions start[i] … start[i + 1] - 1 for each i of `at`, one after the other."""
    length = np.diff(start)[at]
    ends = np.cumsum(length)
    n = int(ends[-1]) if len(ends) else 0
    found: np.ndarray[Any, Any] = np.arange(n) + np.repeat(start[:-1][at] - (ends - length), length)
    return found


def _offsets(lengths: Sequence[int] | np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return np.concatenate([[0], np.cumsum(np.asarray(lengths, np.int64))]).astype(np.int64)


def _column(values: list[Any], kind: str) -> np.ndarray[Any, Any]:
    return np.array(values, _DTYPE[kind])


def _columns(record: type[LotsPayload] | type[EventTerms], rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {part.name: _column([row[part.name] for row in rows], str(part.type)) for part in fields(record)}


def _stacked(record: type[LotsPayload] | type[EventTerms], parts: Sequence[Any]) -> dict[str, Any]:
    return {part.name: np.concatenate([getattr(p, part.name) for p in parts]) for part in fields(record)}
