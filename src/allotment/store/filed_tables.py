"""Tax years whose returns are filed: a change of their figures may call for an amended return."""

from __future__ import annotations

from datetime import date

from allotment.ledger.changes import ChangedSales
from allotment.store.session import FirmStore


def mark_filed(firm: FirmStore, taxpayer_id: int, year: int, filed_on: date, note: str = "") -> None:
    """Record that a taxpayer's return of a year was filed; again replaces the day and the note."""
    firm.connection().execute(
        "INSERT INTO filed_year (taxpayer_id, year, filed_on, note) VALUES (%s, %s, %s, %s) "
        "ON CONFLICT (taxpayer_id, year) DO UPDATE SET filed_on = EXCLUDED.filed_on, note = EXCLUDED.note, "
        "written_by = EXCLUDED.written_by",
        [taxpayer_id, year, filed_on, note],
    )


def filed_among(firm: FirmStore, changes: ChangedSales) -> tuple[tuple[int, int], ...]:
    """The (taxpayer, year) of the changes whose return is filed, ascending."""
    if not len(changes):
        return ()
    found = firm.connection().execute(
        "SELECT DISTINCT taxpayer_id, f.year "
        "FROM unnest(%s::bigint[], %s::smallint[]) AS c (account_id, year) "
        "JOIN account USING (account_id) JOIN filed_year f USING (taxpayer_id) WHERE f.year = c.year "
        "ORDER BY taxpayer_id, f.year",
        [changes.account_id.tolist(), changes.year.tolist()],
    )
    return tuple((taxpayer, year) for taxpayer, year in found)
