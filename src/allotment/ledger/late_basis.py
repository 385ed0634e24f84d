"""Basis that arrives after its lots: the correction of the event that brought them.

Custodians send the basis of transferred shares up to fifteen days after the shares (Reg. §1.6045A-1(b)),
often later. What was booked with the basis pending or missing is put right by an event with the whole
payload that `reverses` it (`ledger.corrections`); lots keep their names, so what was sold of them
meanwhile is taxed anew, and reported by whoever posts it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from allotment.book.lots import BasisState
from allotment.errors import DataError
from allotment.ledger.corrections import InForce
from allotment.ledger.events import PAYLOAD_KINDS, PROVISIONAL, Events
from allotment.ledger.write import UNBOOKED, take
from allotment.units import Codes, Dates, Ints


@dataclass(frozen=True, slots=True, kw_only=True)
class LateBasis:
    """What became known of lots, one row a lot. Shape (n,)."""

    event: Ints  # that brought the lot, by the name it goes by
    line: Ints  # of its payload
    basis_cents: Ints
    loss_basis_cents: Ints
    acquired: Dates
    holding_from: Dates
    purchased: Dates  # NaT when the owner did not acquire the lot by purchase
    covered: Codes

    def __len__(self) -> int:
        return int(self.event.shape[0])


def correct_basis(known: InForce, late: LateBasis) -> Events:
    """The correcting events, one for each event that brought some of the lots, numbered from
    `ledger.write.UNBOOKED`.

    known: every event in force of the households concerned. Raises DataError for a lot that no event
    brought, that is named twice, or that was acquired after it came; nothing is corrected then.
    """
    _check(known, late)
    wanted = np.unique(late.event)
    rows = np.searchsorted(known.events.ledger_seq, wanted, sorter=_by_name(known))
    rows = _by_name(known)[rows]
    chosen = take(known.events, rows)
    place = np.searchsorted(wanted, late.event)
    at = chosen.lots_start[place] + late.line
    changed = {
        "basis_cents": late.basis_cents,
        "loss_basis_cents": late.loss_basis_cents,
        "acquired": late.acquired,
        "holding_from": late.holding_from,
        "purchased": late.purchased,
        "covered": late.covered,
        "basis_state": np.full(len(late), BasisState.KNOWN, np.int8),
    }
    columns = {name: getattr(chosen.lots, name).copy() for name in changed}
    for name, values in changed.items():
        columns[name][at] = values
    lots = replace(chosen.lots, **columns)
    unknown = np.concatenate([[0], np.cumsum(lots.basis_state != BasisState.KNOWN)])
    still_open = unknown[chosen.lots_start[1:]] > unknown[chosen.lots_start[:-1]]
    return replace(
        chosen,
        ledger_seq=np.arange(UNBOOKED, UNBOOKED + len(wanted)),
        reverses=known.recorded_as[rows],
        detail=np.where(still_open, PROVISIONAL, 0).astype(np.int8),
        lots=lots,
    )


def _by_name(known: InForce) -> Ints:
    return np.argsort(known.events.ledger_seq, kind="stable")


def _check(known: InForce, late: LateBasis) -> None:
    events = known.events
    brings = np.isin(events.kind, PAYLOAD_KINDS)
    size = dict(
        zip(events.ledger_seq[brings].tolist(), np.diff(events.lots_start)[brings].tolist(), strict=True)
    )
    came = dict(zip(events.ledger_seq.tolist(), events.effective.tolist(), strict=True))
    seen: set[tuple[int, int]] = set()
    for event, line, acquired in zip(
        late.event.tolist(), late.line.tolist(), late.acquired.tolist(), strict=True
    ):
        if not 0 <= line < size.get(event, 0):
            raise DataError(
                f"no event in force brought lot ({event}, {line}); its basis cannot be corrected."
            )
        if (event, line) in seen:
            raise DataError(f"lot ({event}, {line}) is given its basis twice.")
        if acquired > came[event]:
            raise DataError(
                f"lot ({event}, {line}) came on {came[event]}, before it was acquired: {acquired}."
            )
        seen.add((event, line))
