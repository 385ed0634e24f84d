"""Has anything changed that an account is decided from? One statement tells.

Whoever keeps what they have read of an account asks for its standing with every question and reads
again when it is another. It counts what every program has committed.
"""

from __future__ import annotations

from datetime import date
from typing import NamedTuple

from allotment.store.session import FirmStore

# Writes get their numbers when they begin: one that began so many writes ago may end after later ones.
_WRITES_AT_ONCE = 100


class MarketStanding(NamedTuple):
    """The newest write of the market, and how many of the last ones have ended."""

    newest: int
    ended: int


class Standing(NamedTuple):
    """Rows behind an account as text, for rows may be replaced; of what only grows, the newest."""

    venues: str | None
    members: str | None  # accounts of the household, the account itself among them
    taxpayers: str | None
    sleeves: str | None
    mandates: str | None  # (account, version) in force
    pages: str | None  # (year, version) of what is expected, of the year and its neighbours
    carried: str | None  # prices of what is carried and not traded
    newest_event: int  # of the household, 0 when there is none
    market: MarketStanding


_MARKET = """
SELECT coalesce(max(write_id), 0), count(*) FROM write
WHERE write_id > (SELECT coalesce(max(write_id), 0) FROM write) - %(at_once)s
"""
# What only grows: `mandate`, `expected_page` and `event` refuse changes of their rows.
_STANDING = f"""
WITH home AS MATERIALIZED (SELECT household_id FROM account WHERE code = %(code)s),
member AS MATERIALIZED (SELECT a.* FROM account a JOIN home USING (household_id))
SELECT
    (SELECT string_agg(v::text, E'\\n' ORDER BY code) FROM venue v),
    (SELECT string_agg(m::text, E'\\n' ORDER BY account_id) FROM member m),
    (SELECT string_agg(t::text, E'\\n' ORDER BY taxpayer_id) FROM taxpayer t JOIN home USING (household_id)),
    (SELECT string_agg(s::text, E'\\n' ORDER BY sleeve_id) FROM sleeve s
        WHERE account_id IN (SELECT account_id FROM member)),
    (SELECT string_agg(o::text, ' ' ORDER BY account_id) FROM (
        SELECT m.account_id, (SELECT max(version) FROM mandate
            WHERE account_id = m.account_id AND effective <= %(asof)s) FROM member m) o),
    (SELECT string_agg(p::text, ' ' ORDER BY year) FROM (
        SELECT year, max(version) FROM expected_page JOIN home USING (household_id)
        WHERE year BETWEEN %(year)s - 1 AND %(year)s + 1 GROUP BY year) p),
    (SELECT string_agg(c::text, E'\\n' ORDER BY account_id, security_id, day) FROM carried_price c
        WHERE account_id IN (SELECT account_id FROM member) AND day <= %(asof)s),
    (SELECT coalesce(max(ledger_seq), 0) FROM event
        WHERE household_id = (SELECT household_id FROM home)),
    written.*
FROM ({_MARKET}) written
"""


def standing_of(firm: FirmStore, code: str, asof: date) -> Standing:
    """Of the account of a code, on a day; with no members where there is none."""
    asked = {"code": code, "asof": asof, "year": asof.year, "at_once": _WRITES_AT_ONCE}
    row = firm.connection().execute(_STANDING, asked, prepare=True).fetchone()
    assert row is not None
    return Standing._make([*row[:-2], MarketStanding(*row[-2:])])


def market_standing(firm: FirmStore) -> MarketStanding:
    """Of the firm's market."""
    row = firm.connection().execute(_MARKET, {"at_once": _WRITES_AT_ONCE}).fetchone()
    assert row is not None
    return MarketStanding(*row)
