"""A sample book: households with accounts whose lots arose by trading through the years.

The rule that trades is plain on purpose (deposits, drift, simple harvesting): it makes lots of
believable age, size and basis. It is no advice and no part of the optimiser.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np

from allotment.book.household import Account, AccountKind, Household, Sleeve, Taxpayer
from allotment.book.lots import Lots
from allotment.book.mandate import Mandate
from allotment.book.venue import Venue
from allotment.errors import DataError, InvariantError, UsageError
from allotment.ledger.events import Events
from allotment.market.history import MarketHistory
from allotment.simulate.world.cutoff import cutoff_ix
from allotment.simulate.world.index_level import index_level
from allotment.simulate.world.journal import to_events, to_lots
from allotment.simulate.world.means import Means, draw_kept, draw_means
from allotment.simulate.world.people import VENUES, People, draw_people
from allotment.simulate.world.plans import ACCOUNT, Plans
from allotment.simulate.world.tape import Tape, make_tape
from allotment.simulate.world.trading import trade_book
from allotment.simulate.world.wishes import Wishes, WishPolicy, draw_wishes
from allotment.units import Bools, Floats, Index, Ints

_STYLES = 64
_NAMES_BY_SIZE = ((25e3, 100e3, 1e6, 5e6, 20e6), (50.0, 140.0, 320.0, 430.0, 480.0))


@dataclass(frozen=True, slots=True, kw_only=True)
class BookPolicy:
    """How many accounts of what sort; shares are fractions of the accounts."""

    accounts: int = 1000
    account_usd_min: float = 25_000.0
    account_usd_max: float = 20_000_000.0
    share_of_executives: float = 0.02  # accounts with one name of a large weight
    executive_weight: tuple[float, float] = (0.15, 0.60)  # of that name when the account opens
    share_with_legacy: float = 0.25  # accounts opened with securities in kind
    share_screened: float = 0.30
    share_tilted: float = 0.20
    share_restricted: float = 0.10
    share_fractional: float = 0.5  # households at the venue that trades fractions
    harvest_loss_min: float = 0.10  # the rule sells lots about this far below their basis


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


def make_book(
    market: MarketHistory,
    policy: BookPolicy,
    seed: int,
    asof: date | None = None,
    index_code: str | None = None,
    threads: int = 1,
) -> SampleBook:
    """A book of `policy.accounts` accounts on any price history, as of a session of it.

    asof: the market's last session if not given; index_code: the only index if not given. The
    book depends on the seed, not on the number of threads. Raises DataError when the market
    has no such index or no session in the November before the year of `asof`, UsageError for
    a policy that makes no sense.
    """
    if policy.accounts < 1 or not 0.0 < policy.account_usd_min <= policy.account_usd_max:
        raise UsageError("a book needs at least one account, and a positive range of account values.")
    days = market.prices.sessions
    asof = asof or date.fromisoformat(str(days[-1]))
    index_code = index_code or _only_index(market)
    cutoff = cutoff_ix(days, asof)
    tape = make_tape(market, index_code, asof, cutoff)
    sessions = days[: tape.price_micros.shape[0]]
    bench_row = tape.sessions["bench_row"][: sessions.shape[0]]
    first = int(np.argmax(bench_row >= 0))
    if bench_row[-1] < 0 or sessions.shape[0] - first < 60 or first > cutoff:
        raise DataError(
            f"{index_code} needs weights from November {asof.year - 1} and 60 sessions to {asof}."
        )

    rng = np.random.default_rng(np.random.SeedSequence([seed, 0x626F6F6B]))
    people = draw_people(
        policy.accounts,
        policy.share_fractional,
        policy.account_usd_min,
        policy.account_usd_max,
        sessions,
        first,
        rng,
    )
    members = np.flatnonzero((tape.bench[bench_row[-1]] > 0.0) & tape.trades[-1])
    taxable = np.array([a.kind is AccountKind.TAXABLE for a in people.accounts])
    kept = draw_kept(people, taxable, members, policy.share_of_executives, tape, rng)
    wish_policy = WishPolicy(
        screened=policy.share_screened, tilted=policy.share_tilted, restricted=policy.share_restricted
    )
    wishes = draw_wishes(market, index_code, people, kept, members, wish_policy, asof, rng)
    growth = _growth_to_end(market, index_code, sessions.shape[0])
    means = draw_means(
        market, tape, people, kept, growth, policy.share_with_legacy, policy.executive_weight, rng
    )
    plans = _plans(policy, tape, people, taxable, kept, wishes, means, rng)
    journals, cash_cents = trade_book(tape, plans, cutoff, threads)
    if cash_cents.min() < 0:
        raise InvariantError("an account of the sample book owes cash; the rule bought too much")
    ids = market.prices.security_ids
    events, seq_of_row = to_events(journals, tape, sessions, ids, people.accounts)
    return SampleBook(
        asof=asof,
        cutoff=date.fromisoformat(str(sessions[cutoff])),
        households=people.households,
        taxpayers=people.taxpayers,
        accounts=people.accounts,
        sleeves=people.sleeves,
        venues=VENUES,
        mandates=wishes.mandates,
        events=events,
        lots=to_lots(journals, seq_of_row, ids),
        cash_cents=cash_cents,
    )


def _only_index(market: MarketHistory) -> str:
    codes = sorted({weights.index_code for weights in market.index_weights})
    if len(codes) != 1:
        raise DataError(f"the market has the indexes {', '.join(codes) or 'none'}; name one of them.")
    return codes[0]


def _growth_to_end(market: MarketHistory, index_code: str, n_sessions: int) -> Floats:
    """Growth of the index from each session to the last; 1 before its first weights."""
    level = index_level(market, index_code)[:n_sessions]
    growth: Floats = np.where(np.isnan(level), 1.0, level[-1] / level)
    return growth


def _plans(
    policy: BookPolicy,
    tape: Tape,
    people: People,
    taxable: Bools,
    kept: Index,
    wishes: Wishes,
    means: Means,
    rng: np.random.Generator,
) -> Plans:
    """The habits of each account, drawn."""
    n, final = len(people.accounts), tape.price_micros.shape[0] - 1
    households = np.array([account.household_id for account in people.accounts])
    step_of = {venue.code: venue.share_step_nano for venue in VENUES}
    size = np.log(people.size_usd)
    names = np.interp(size, np.log(_NAMES_BY_SIZE[0]), _NAMES_BY_SIZE[1]) * rng.uniform(0.8, 1.25, n)
    patience = rng.random(n)
    gave_up = final - rng.integers(20, 200, n)
    has_waited = (people.opened_ix >= final - 5) & (rng.random(n) < 0.5)
    accounts = np.zeros(n, ACCOUNT)
    accounts["opened"] = people.opened_ix
    # Some of the newest accounts have not been invested yet.
    accounts["starts"] = np.where(has_waited, final + 1, people.opened_ix)
    accounts["taxable"] = taxable
    accounts["step"] = [step_of[account.venue_code] for account in people.accounts]
    accounts["every"] = rng.choice([21, 42, 63], n, p=[0.6, 0.2, 0.2])
    accounts["names"] = np.rint(names)
    accounts["buys_max"] = rng.integers(10, 36, n)
    accounts["lots_max"] = rng.integers(1_000, 1_900, n)
    accounts["harvest_below"] = policy.harvest_loss_min * rng.uniform(0.6, 1.8, n)
    accounts["harvest_last"] = np.select([patience < 0.55, patience < 0.85], [final, gave_up], -1)
    accounts["cash_weight"] = rng.uniform(0.0, 0.006, n)
    accounts["kept"] = kept
    accounts["trim_gain_max"] = rng.uniform(0.15, 0.5, n)
    accounts["style"] = rng.integers(0, _STYLES, n).astype(np.int8)
    return Plans(
        household_start=np.searchsorted(households, np.arange(1, len(people.households) + 2)),
        accounts=accounts,
        allowed=wishes.allowed,
        lottery=rng.random((_STYLES, tape.price_micros.shape[1])),
        flow_start=means.flow_start,
        flows=means.flows,
        legacy_start=means.legacy_start,
        legacy=means.legacy,
    )
