"""From the books of households to the cases that are decided."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from allotment.book.expected import YearPage
from allotment.book.household import Account, Taxpayer
from allotment.book.lots import Lots
from allotment.book.mandate import Mandate
from allotment.book.venue import Venue
from allotment.ledger.events import Events
from allotment.ledger.expected import ComingPurchases, coming_purchases, in_year
from allotment.ledger.fold import BookState, open_claims, taxpayer_year
from allotment.ledger.linking import circles
from allotment.rebalance.case import AccountCase
from allotment.rebalance.household import Undecided
from allotment.rebalance.snapshot import MarketSnapshot
from allotment.rebalance.washes import GroupWashes
from allotment.rebalance.year_so_far import YearSoFar
from allotment.tax.pretrade import wash_state
from allotment.units import Ints, as_day, value_cents


@dataclass(frozen=True, slots=True, kw_only=True)
class Clients:
    """Who is decided for; the records of whole households, by id."""

    accounts: Mapping[int, Account]
    taxpayers: Mapping[int, Taxpayer]
    venues: Mapping[str, Venue]
    mandates: Mapping[int, Mandate]  # in force, by account
    # The custodians' prices of what is carried, millionths of a dollar, by (account, security).
    carried_micros: Mapping[tuple[int, int], int] = field(default_factory=dict)
    pages: Mapping[int, tuple[YearPage, ...]] = field(
        default_factory=dict
    )  # by household; years around today


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Cases of households, their year so far, and the accounts that cannot be decided."""

    cases: tuple[AccountCase, ...]
    year: YearSoFar
    exceptions: tuple[Undecided, ...]


def facts_of(
    events: Events, state: BookState, clients: Clients, chosen: Collection[int], market: MarketSnapshot
) -> Facts:
    """The cases of the `chosen` accounts.

    events, and state, what they fold to: the books of *all* accounts of their households, for the
    wash-sale rule looks at all of them.
    """
    asof = np.asarray(as_day(market.asof))
    lots = state.taxpayer.lots
    circle = circles(state.accounts, state.members, asof)
    claims = open_claims(state, asof)
    wash = wash_state(lots, circle, claims, state.groups, asof)
    n_groups = int(state.groups.group_ix.max()) + 1
    is_ira = state.accounts.taxable == 0
    coming = _coming(events, state, clients, market)
    home = np.searchsorted(np.unique(state.accounts.household_ids), coming.household_id)
    washes = [
        GroupWashes.of_household(wash, number, n_groups, is_ira)
        .with_coming(coming, home == number, state.groups)
        .by_snapshot(state.groups, market)
        for number in range(int(circle.max(initial=-1)) + 1)
    ]
    starts = np.searchsorted(lots.account_ix, np.arange(len(state.accounts) + 1))
    broken = _broken_accounts(events, state, clients)
    never_traded = market.security_ids[market.is_carried]
    cases, exceptions = [], []
    for row, account_id in enumerate(state.accounts.account_ids.tolist()):
        if account_id not in chosen:
            continue
        account = clients.accounts[account_id]
        held = lots.take(slice(int(starts[row]), int(starts[row + 1])))
        is_carried = np.isin(held.security_id, never_traded)
        carried, unpriced = _carried(account_id, held.take(is_carried), clients)
        reason = broken.get(account_id) or _missing(account, clients) or _unpriced(account, unpriced, market)
        if reason:
            exceptions.append(reason)
            continue
        cases.append(
            AccountCase(
                account=account,
                taxpayer=in_year(
                    clients.taxpayers[account.taxpayer_id],
                    clients.pages.get(account.household_id, ()),
                    market.asof.year,
                ),
                venue=clients.venues[account.venue_code],
                mandate=clients.mandates[account_id],
                lots=held.take(~is_carried),
                cash_cents=int(state.cash_cents[row]),
                washes=washes[circle[row]],
                carried=carried,
            )
        )
    return Facts(cases=tuple(cases), year=_year(state, market), exceptions=tuple(exceptions))


def _carried(
    account_id: int, lots: Lots, clients: Clients
) -> tuple[tuple[tuple[int, int], ...], tuple[int, ...]]:
    """What is carried with its value in cents; and the securities whose price nobody gave."""
    value: dict[int, int] = {}
    unpriced = set()
    for security, quantity in zip(lots.security_id.tolist(), lots.quantity_nano.tolist(), strict=True):
        price = clients.carried_micros.get((account_id, security))
        if price is None:
            unpriced.add(security)
        else:
            cents = int(value_cents(np.array([quantity]), np.array([price]))[0])
            value[security] = value.get(security, 0) + cents
    return tuple(sorted(value.items())), tuple(sorted(unpriced))


def _unpriced(account: Account, securities: Sequence[int], market: MarketSnapshot) -> Undecided | None:
    if not securities:
        return None
    codes = {one.security_id: one.code for one in market.securities}
    shown = ", ".join(codes[security] for security in securities[:5])
    message = (
        f"Account {account.code} carries {shown} without a custodian's price on or before {market.asof}. "
        "Import a file carried_prices."
    )
    return Undecided(account_id=account.account_id, cause="no_carried_price", message=message)


def _coming(events: Events, state: BookState, clients: Clients, market: MarketSnapshot) -> ComingPurchases:
    """What the households will buy outside, of securities that the books know."""
    households = np.unique(state.accounts.household_ids).tolist()
    pages = [page for household in households for page in clients.pages.get(household, ())]
    prices = (
        dict(zip(market.security_ids.tolist(), market.price_micros.tolist(), strict=True)) if pages else {}
    )
    return coming_purchases(pages, clients.accounts, prices, events, market.asof)


def _year(state: BookState, market: MarketSnapshot) -> YearSoFar:
    year = taxpayer_year(state, market.asof.year)
    rows: Sequence[Ints] = (year.taxpayer_ids, year.short_cents, year.long_cents)
    return YearSoFar({t: (s, g) for t, s, g in zip(*(column.tolist() for column in rows), strict=True)})


def _broken_accounts(events: Events, state: BookState, clients: Clients) -> dict[int, Undecided]:
    """Accounts whose events contradict each other; their lots cannot be trusted."""
    broken: dict[int, Undecided] = {}
    account_of = dict(zip(events.ledger_seq.tolist(), events.account_id.tolist(), strict=True))
    for problem in state.problems:
        account_id = account_of[problem.event]
        if account_id in clients.accounts and account_id not in broken:
            message = f"The books do not add up: {problem}. Repair the events before trading."
            broken[account_id] = Undecided(account_id=account_id, cause="books", message=message)
    return broken


def _missing(account: Account, clients: Clients) -> Undecided | None:
    if not account.is_managed:
        message = f"Account {account.code} is an outside account: it is looked at, not traded."
        return Undecided(account_id=account.account_id, cause="outside", message=message)
    if account.account_id not in clients.mandates:
        message = f"Account {account.code} has no mandate in force. Import one: `allotment import`."
        return Undecided(account_id=account.account_id, cause="no_mandate", message=message)
    if account.venue_code not in clients.venues:
        message = (
            f"Account {account.code} is held at {account.venue_code}, which is no known venue. Import it."
        )
        return Undecided(account_id=account.account_id, cause="no_venue", message=message)
    return None
