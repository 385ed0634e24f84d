"""The documented files, in the order in which they depend on one another.

Declare a file in `market_schemas` or `book_schemas` and list it here, and its reader, its error
texts and its page exist (`python tools/file_pages.py` writes docs/reference/files).
"""

from __future__ import annotations

from allotment.feeds import book_schemas as book
from allotment.feeds import household_schemas as household
from allotment.feeds import market_schemas as market
from allotment.feeds.schema import Schema

SCHEMAS: dict[str, Schema] = {
    schema.kind: schema
    for schema in (
        market.SECURITIES,
        market.IDENTIFIERS,
        market.PRICES,
        market.INDEX_WEIGHTS,
        market.CORPORATE_ACTIONS,
        market.SCORES,
        book.VENUES,
        book.HOUSEHOLDS,
        book.TAXPAYERS,
        book.ACCOUNTS,
        book.SLEEVES,
        book.MANDATES,
        book.CASH,
        book.LOTS,
        book.TRANSFERS,
        book.LATE_BASIS,
        book.CARRIED_PRICES,
        household.LINKS,
        household.DISCRETION,
        household.OUTSIDE_TRANSACTIONS,
        household.EXPECTED,
    )
}
MARKET_KINDS = tuple(SCHEMAS)[:6]
BOOK_KINDS = tuple(SCHEMAS)[6:]
