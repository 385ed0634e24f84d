"""What comes in kind into the books: openings, transfers, and the basis that comes later.

Custodians' names of lots are kept beside the events, so that a basis finds its lot by the name under
which the lot came.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import date

import numpy as np

from allotment.feeds import arrival_files, opening_files
from allotment.feeds.arrival_files import NamedArrival
from allotment.feeds.references import Known
from allotment.feeds.table import Table
from allotment.jobs.losses_told import loss_facts, loss_line
from allotment.jobs.posting import Posted, post
from allotment.ledger.changes import ChangedSales
from allotment.ledger.corrections import InForce, in_force
from allotment.ledger.late_basis import correct_basis
from allotment.store import arrival_tables, book_tables, event_tables, market_tables
from allotment.store.session import FirmStore
from allotment.units import CENTS_PER_USD, format_scaled

Advance = Callable[[str, int, int], None]
TRANSFERS = "transfer"  # the source of transfers: each is booked once, whatever file it comes in
_GAIN = 5  # column of `ChangedSales`


def book_opening(
    firm: FirmStore, table: Table, known: Known, asof: date, sha256: str, advance: Advance
) -> None:
    """One opening event per account of a file `lots`."""
    source = f"lots {sha256}"
    events = opening_files.lots(table, known, asof)
    post(firm, events, source=source, advance=advance)
    names = arrival_files.opening_names(table, known)
    if names:
        booked = sorted(event_tables.sequences_of(firm, source).values())  # in the order of the events
        named = [replace(one, event_seq=booked[one.event_seq - 1]) for one in names]
        arrival_tables.save_lot_names(firm, named)


def book_transfers(firm: FirmStore, table: Table, known: Known, asof: date, advance: Advance) -> str:
    """One event per transfer of a file `transfers`; what came of it."""
    booked = frozenset(event_tables.sequences_of(firm, TRANSFERS))
    arrived = arrival_files.transfers(table, known, booked, asof)
    posted = post(firm, arrived.events, source=TRANSFERS, source_ids=arrived.source_ids, advance=advance)
    sequence = event_tables.sequences_of(firm, TRANSFERS, arrived.source_ids)
    named = [replace(one, event_seq=sequence[arrived.source_ids[one.event_seq - 1]]) for one in arrived.names]
    arrival_tables.save_lot_names(firm, named)
    waits = int(np.count_nonzero(arrived.events.lots.basis_state))
    parts = [f"{posted.n_new} transfer(s)"]
    if waits:
        parts.append(f"{waits} lot(s) wait for their basis")
    return told(firm, posted, *parts)


def book_late_basis(firm: FirmStore, table: Table, known: Known, sha256: str, advance: Advance) -> str:
    """Correct the events that brought the lots of a file `late_basis`; what changed by it."""
    named = {known.accounts[word] for word in table.words("account").values if word in known.accounts}
    households = sorted({account.household_id for account in named})
    book_tables.lock_households(firm, households)  # what is corrected may not move on meanwhile
    standing = in_force(event_tables.load_events(firm, households))
    late = arrival_files.late_basis(table, known, _arrived(firm, standing))
    corrections = correct_basis(standing, late)
    posted = post(firm, corrections, source=f"late basis {sha256}", advance=advance)
    text = f"{posted.n_new} event(s) corrected, {len(late)} lot(s)"
    return told(firm, posted, text)


def _arrived(firm: FirmStore, standing: InForce) -> dict[tuple[int, str, str], NamedArrival]:
    """Named lots of the events in force, by (account, transfer, name)."""
    events = standing.events
    row_of = {name: row for row, name in enumerate(events.ledger_seq.tolist())}
    found = {}
    for name in arrival_tables.load_lot_names(firm, np.unique(events.account_id)):
        row = row_of.get(name.event_seq)
        if row is not None:  # None: the transfer was withdrawn
            found[name.account_id, name.transfer, name.name] = NamedArrival(
                event_seq=name.event_seq,
                line=name.line,
                came=events.effective[row].item(),
                quantity_nano=int(events.lots.quantity_nano[events.lots_start[row] + name.line]),
            )
    return found


def told(firm: FirmStore, posted: Posted, *parts: str) -> str:
    """What came of a file, on one line: its own parts, sales whose figures changed, by year, and years whose
    returns are filed; then a line for each loss that is gone for good."""
    listed = [
        *parts,
        *(
            f"{count} sale(s) of {year} changed, gain {_signed(gain)}"
            for year, count, gain in _by_year(posted.changes)
        ),
    ]
    codes = (
        {taxpayer.taxpayer_id: taxpayer.code for taxpayer in book_tables.load_taxpayers(firm)}
        if posted.filed
        else {}
    )
    listed += [
        f"the return of {codes[taxpayer]} for {year} is filed: it may have to be amended"
        for taxpayer, year in posted.filed
    ]
    return "\n".join(["; ".join(listed), *_losses(firm, posted)])


def _losses(firm: FirmStore, posted: Posted) -> list[str]:
    if not len(posted.lost):
        return []
    accounts = {one.account_id: one.code for one in book_tables.load_accounts(firm)}
    codes = {one.security_id: one.code for one in market_tables.load_securities(firm)}
    return [loss_line(one) for one in loss_facts(posted.lost, accounts, codes)]


def _by_year(changes: ChangedSales) -> list[tuple[int, int, int]]:
    """(year, sales, difference of their gain in cents)."""
    gains: Counter[int] = Counter()
    sales: dict[int, set[int]] = {}
    difference = (changes.after - changes.before)[:, _GAIN]
    for year, event, cents in zip(
        changes.year.tolist(), changes.event.tolist(), difference.tolist(), strict=True
    ):
        gains[year] += cents
        sales.setdefault(year, set()).add(event)
    return [(year, len(sales[year]), gains[year]) for year in sorted(sales)]


def _signed(cents: int) -> str:
    return f"{'+' if cents >= 0 else '-'}${format_scaled(abs(cents), CENTS_PER_USD)}"
