"""The proof of a row of Form 1099-B: every event that it follows from, each chained to the ledger."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from allotment.errors import UsageError
from allotment.jobs.posting import Books
from allotment.ledger import chain
from allotment.ledger.chain import Posting
from allotment.ledger.corrections import InForce, in_force
from allotment.ledger.events import Events
from allotment.ledger.fold import BookState, View
from allotment.store import book_tables, event_chain, event_tables, market_tables
from allotment.store.session import FirmStore
from allotment.units import Bools

SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True)
class Row:
    """A row of Form 1099-B: a sale, and the lot that it closed (0: all of its lots)."""

    sale: int
    lot: int = 0
    line: int = 0


def parse_row(text: str) -> Row:
    """SALE, SALE/LOT or SALE/LOT.LINE in ledger sequences. Raises UsageError for anything else."""
    sale, _, lot = text.partition("/")
    lot, _, line = lot.partition(".")
    try:
        return Row(int(sale), int(lot or 0), int(line or 0))
    except ValueError:
        raise UsageError(
            f"{text!r} names no row: give the sale's event, or sale and lot as 1234/567 or 1234/567.8; "
            "`allotment ledger show ACCOUNT --sales` lists them."
        ) from None


def prove(firm: FirmStore, row: Row) -> dict[str, Any]:
    """The proof as JSON can hold it; docs/how-to/prove-a-row.md explains its fields.

    Raises UsageError when there is no such sale or lot.
    """
    household = event_tables.household_of(firm, row.sale)
    if household is None:
        raise UsageError(f"there is no event {row.sale} in firm {firm.firm}.")
    recorded = event_tables.load_events(firm, [household])
    stands = in_force(recorded)
    books = Books(firm)
    state = books.fold_events(recorded, [household])
    # All lots of the sale, for the shares and the proceeds of one say nothing of the sale's.
    rows = _rows(firm, state, state.broker, row.sale, stands)
    lot = f"{row.lot}.{row.line}" if row.lot else ""
    if not rows or (lot and all(one["lot"] != lot for one in rows)):
        raise UsageError(
            f"event {row.sale} closed {'no such lot' if row.lot else 'no lot'}; "
            "`allotment ledger show ACCOUNT --sales` lists what was sold."
        )
    related = _related(recorded, state, {one["security_id"] for one in rows})
    postings = event_chain.load_postings(firm)
    return {
        "schema_version": SCHEMA_VERSION,
        "sale": row.sale,
        "lot": lot,
        "sale_recorded_as": _recorded_as(stands, row.sale),
        "rows": rows,
        "taxpayer_rows": _rows(firm, state, state.taxpayer, row.sale, stands),
        "events": _proven(firm, recorded.ledger_seq[related].tolist(), postings),
        "postings": [_posting(one) for one in postings],
        "last_link": postings[-1].link.hex() if postings else "",
    }


def _rows(firm: FirmStore, state: BookState, view: View, sale: int, stands: InForce) -> list[dict[str, Any]]:
    sold = view.disposals
    chosen = sold.event == sale
    accounts = {a.account_id: a.code for a in book_tables.load_accounts(firm)}
    codes = {s.security_id: s.code for s in market_tables.load_securities(firm)}
    found = []
    for i in np.flatnonzero(chosen).tolist():
        security, origin = int(sold.security_id[i]), int(sold.origin_event[i])
        found.append(
            {
                "account": accounts[int(state.accounts.account_ids[sold.account_ix[i]])],
                "security": codes.get(security, str(security)),
                "security_id": security,
                "lot": f"{origin}.{int(sold.origin_line[i])}",
                "lot_recorded_as": _recorded_as(stands, origin),
                "acquired": str(sold.acquired[i]),
                "sold": str(sold.day[i]),
                "quantity_nano": int(sold.quantity_nano[i]),
                "proceeds_cents": int(sold.proceeds_cents[i]),
                "basis_cents": int(sold.basis_cents[i]),
                "disallowed_cents": int(sold.disallowed_cents[i]),
                "gain_cents": int(sold.gain_cents[i]),
                "term": "long" if sold.long_term[i] else "short",
                "covered": bool(sold.covered[i]),
            }
        )
    return found


def _recorded_as(stands: InForce, event: int) -> int:
    at = np.flatnonzero(stands.events.ledger_seq == event)
    return int(stands.recorded_as[at[0]]) if len(at) else event


def _related(events: Events, state: BookState, securities: set[int]) -> Bools:
    """Events of securities that become, replace or bring one another: what the figures follow from."""
    groups = state.groups
    owner = np.repeat(np.arange(len(events)), np.diff(events.lots_start))
    named = events.security_id
    other = np.where(events.terms_ix >= 0, np.append(events.terms.other_security_id, 0)[events.terms_ix], 0)
    while True:
        known = np.array(sorted(securities), np.int64)
        same = np.isin(groups.group_ix, groups.group_ix[np.isin(groups.security_ids, known)])
        known = np.union1d(known, groups.security_ids[same])
        touched = np.isin(named, known) | (np.isin(other, known) & (other > 0))
        touched[owner[np.isin(events.lots.security_id, known)]] = True
        more = (set(named[touched].tolist()) | set(other[touched].tolist()) | set(known.tolist())) - {0}
        if more == securities:
            break
        securities = more
    by_reversal = np.isin(events.reverses, events.ledger_seq[touched])
    return touched | by_reversal


def _proven(firm: FirmStore, sequences: list[int], postings: list[Posting]) -> list[dict[str, Any]]:
    """Each event's bytes and its path to the root of its posting."""
    wanted, found = sorted(sequences), []
    for posting in postings:
        own = [seq for seq in wanted if posting.first_seq <= seq <= posting.last_seq]
        if not own:
            continue
        data = list(event_chain.canonical(firm, posting.first_seq, posting.last_seq))
        leaves = chain.leaves(data)
        for seq in own:
            at = seq - posting.first_seq
            steps = [[side, sibling.hex()] for side, sibling in chain.path(leaves, at)]
            found.append({"seq": seq, "bytes": data[at].hex(), "path": steps})
    return found


def _posting(posting: Posting) -> dict[str, Any]:
    return {
        "first_seq": posting.first_seq,
        "last_seq": posting.last_seq,
        "known_at_micros": posting.known_at_micros,
        "actor_id": posting.actor_id,
        "source": posting.source,
        "root": posting.root.hex(),
        "link": posting.link.hex(),
    }
