"""A writer to be killed: posts the same numbered facts again and again until all of them are booked.

    python posting_writer.py HOME FIRM FIRST LAST ACCOUNT

Prints the number of each fact once it is committed.
"""

from __future__ import annotations

import sys
from datetime import date, timedelta
from pathlib import Path

from allotment.jobs.posting import post
from allotment.ledger.events import EventKind
from allotment.ledger.write import EventWriter
from allotment.settings import Settings
from allotment.store import book_tables
from allotment.store.database import Store

SHARE = 10**9


def main(home: str, firm_name: str, first: str, last: str, code: str) -> None:
    """Fact i: a purchase, every third one a sale at a loss of half of what the one before bought."""
    with Store.open(Settings(home=Path(home))) as store, store.firm(firm_name) as firm:
        account = book_tables.find_account(firm, code)
        for i in range(int(first), int(last)):
            writer = EventWriter()
            writer.write(
                EventKind.SELL if i % 3 == 2 else EventKind.BUY,
                account.household_id,
                account.account_id,
                date(2024, 1, 2) + timedelta(days=i % 300),
                security_id=1,
                quantity_nano=(1 if i % 3 == 2 else 2) * SHARE,
                amount_cents=900 if i % 3 == 2 else 2000 + i,
                day_seq=i,
            )
            post(firm, writer.events(), source=f"fills {code}", source_ids=[str(i)], advance=lambda *_: None)
            sys.stdout.write(f"{i}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
