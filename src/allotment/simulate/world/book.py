"""A sample book: households with accounts whose lots arose by trading through the years.

The rule that trades is plain on purpose (deposits, drift, simple harvesting): it makes lots of
believable age, size and basis. It is no advice and no part of the optimiser.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from allotment.book.household import Account, Household, Sleeve, Taxpayer
from allotment.book.lots import Lots
from allotment.book.mandate import Mandate
from allotment.book.venue import Venue
from allotment.ledger.events import Events
from allotment.market.history import MarketHistory
from allotment.units import Ints


@dataclass(frozen=True, slots=True, kw_only=True)
class BookPolicy:
    """How many accounts of what sort."""

    accounts: int = 1000
    account_usd_min: float = 25_000.0
    account_usd_max: float = 20_000_000.0
    share_of_executives: float = 0.02  # accounts with one name of a large weight
    share_with_legacy: float = 0.25  # accounts opened with securities in kind
    share_screened: float = 0.30
    share_tilted: float = 0.20
    share_restricted: float = 0.10
    share_fractional: float = 0.5  # accounts at the venue that trades fractions
    harvest_loss_min: float = 0.10  # the rule sells a lot below its basis by this fraction


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleBook:
    """Everything of a firm's clients. Ids of every table run from 1 in the order of the table.

    `events` begin with one opening event per account as of `cutoff` (its lots as a payload),
    or with the account's own first day if it opened later, and go on to `asof` one by one.
    `lots` and `cash_cents` are the generator's own books at `asof`: what folding must give.
    """

    asof: date
    cutoff: date
    households: tuple[Household, ...]
    taxpayers: tuple[Taxpayer, ...]
    accounts: tuple[Account, ...]
    sleeves: tuple[Sleeve, ...]
    venues: tuple[Venue, ...]
    mandates: tuple[Mandate, ...]
    events: Events
    lots: Lots  # account_ix is the position in `accounts`
    cash_cents: Ints  # (n_accounts,)


def make_book(market: MarketHistory, policy: BookPolicy, seed: int, asof: date | None = None) -> SampleBook:
    """A book of `policy.accounts` accounts on any price history, as of a session of it.

    asof: the market's last session if not given. Raises DataError when the market has no
    index weights, or fewer than three months of sessions up to `asof`.
    """
    raise NotImplementedError
