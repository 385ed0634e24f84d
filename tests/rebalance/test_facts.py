"""From the books of households to the cases that are decided."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from allotment.book.expected import Coming, Expected, YearPage
from allotment.book.household import Account, AccountKind, Management, Taxpayer
from allotment.book.mandate import Mandate
from allotment.book.venue import Venue
from allotment.ledger.events import AccountTable, EventKind
from allotment.ledger.fold import fold
from allotment.ledger.write import EventWriter
from allotment.market.security import SecurityKind
from allotment.rebalance.case import AccountCase
from allotment.rebalance.facts import Clients, Facts, facts_of
from allotment.rebalance.snapshot import MarketSnapshot
from allotment.tax.identical import IdenticalGroups

MINE, OTHERS = (1, 10), (2, 20)
OLD, NEW, OTHER, GONE = 5, 6, 7, 999  # the snapshot does not know GONE


def account(household_id: int, account_id: int) -> Account:
    return Account(
        account_id=account_id,
        code=f"A{account_id}",
        household_id=household_id,
        taxpayer_id=household_id,
        kind=AccountKind.TAXABLE,
        venue_code="V",
        opened=date(2020, 1, 2),
    )


Pages = dict[int, tuple[YearPage, ...]]


def facts_from(
    book: EventWriter,
    market: MarketSnapshot,
    carried: dict[tuple[int, int], int] | None = None,
    pages: Pages | None = None,
) -> Facts:
    """The facts of the two households."""
    accounts = [account(*MINE), account(*OTHERS)]
    venue = Venue(code="V")
    clients = Clients(
        accounts={a.account_id: a for a in accounts},
        taxpayers={
            h: Taxpayer(taxpayer_id=h, code=f"T{h}", household_id=h, short_rate=0.4, long_rate=0.2)
            for h in (1, 2)
        },
        venues={"V": venue},
        mandates={
            a.account_id: Mandate(
                account_id=a.account_id, version=1, effective=date(2020, 1, 2), benchmark=(("IDX", 1.0),)
            )
            for a in accounts
        },
        carried_micros=carried or {},
        pages=pages or {},
    )
    events = book.events()
    state = fold(events, AccountTable.of_accounts(accounts, [venue]), market.groups)
    return facts_of(events, state, clients, {10, 20}, market)


def cases_of(book: EventWriter, market: MarketSnapshot, pages: Pages | None = None) -> dict[int, AccountCase]:
    """The cases of the two households, by account."""
    facts = facts_from(book, market, pages=pages)
    assert not facts.exceptions
    return {case.account.account_id: case for case in facts.cases}


def blocked(case: AccountCase, market: MarketSnapshot) -> tuple[list[int], list[int]]:
    """The securities whose purchase would wash a loss, and those whose sale at a loss would be washed."""
    washes = (case.washes.is_claimed, case.washes.young_nano > 0)
    buys, sales = (market.security_ids[blocked[market.group_ix]].tolist() for blocked in washes)
    return buys, sales


def test_a_loss_blocks_its_group_and_a_purchase_its_sales(market: MarketSnapshot) -> None:
    """§1091(a); names 1 and 2 are classes of one issuer. A loss of the other household is its own."""
    book = EventWriter()
    book.buy(MINE, date(2023, 1, 10), 1, 100, 5000)
    book.sell(MINE, date(2025, 6, 2), 1, 100, 4000)
    book.buy(MINE, date(2025, 6, 2), OTHER, 100, 5000)
    book.buy(OTHERS, date(2023, 1, 10), 1, 100, 5000)
    book.sell(OTHERS, date(2025, 5, 30), 1, 100, 4000)
    cases = cases_of(book, market)
    assert blocked(cases[10], market) == ([1, 2], [OTHER])
    assert blocked(cases[20], market) == ([], [])


@pytest.mark.parametrize(("old", "new"), [(OLD, NEW), (NEW, OLD), (GONE, NEW)])
def test_a_loss_under_the_old_symbol_blocks_the_new_one(market: MarketSnapshot, old: int, new: int) -> None:
    """The same stock under another name, known to the snapshot or not."""
    book = EventWriter()
    book.buy(MINE, date(2023, 1, 10), old, 100, 5000)
    book.sell(MINE, date(2025, 6, 10), old, 60, 2000)
    terms = {"new_parts": 1, "old_parts": 1, "other_security_id": new}
    for owner in (MINE, OTHERS):
        book.write(EventKind.SYMBOL_CHANGE, *owner, date(2025, 6, 20), security_id=old, terms=terms)
    cases = cases_of(book, market)
    assert blocked(cases[10], market) == (sorted({old, new} - {GONE}), [])
    group = market.group_ix[market.row_of(np.array([new]))[0]]
    found = cases[10].washes.claim_group == group
    assert cases[10].washes.claim_nano[found].tolist() == [60 * 10**9]
    assert cases[10].washes.claim_loss_cents[found].tolist() == [1_000_00]
    assert blocked(cases[20], market) == ([], [])


def test_units_are_those_of_the_snapshot(market: MarketSnapshot) -> None:
    """Name 3 is a class of ten units whose other class is unknown; renamed, it is still ten of the old
    group's, and one share of its new name."""
    securities = tuple(
        replace(s, group_code="G3", group_units=10.0) if s.security_id == 3 else s for s in market.securities
    )
    groups = IdenticalGroups.of_securities(securities)
    market = replace(market, securities=securities, groups=groups, group_ix=groups.group_ix)
    book = EventWriter()
    book.buy(MINE, date(2023, 1, 10), 3, 100, 5000)
    book.sell(MINE, date(2025, 6, 10), 3, 60, 2000)
    book.buy(MINE, date(2025, 6, 11), OTHER, 5, 100)
    terms = {"new_parts": 1, "old_parts": 1, "other_security_id": NEW}
    book.write(EventKind.SYMBOL_CHANGE, *MINE, date(2025, 6, 20), security_id=3, terms=terms)
    washes = cases_of(book, market)[10].washes
    at = market.row_of(np.array([3, NEW, OTHER]))
    claims = [washes.claim_nano[washes.claim_group == group].tolist() for group in groups.group_ix[at]]
    assert claims == [[600 * 10**9], [60 * 10**9], []]
    assert washes.young_nano[groups.group_ix[at]].tolist() == [0, 0, 5 * 10**9]


def test_what_the_snapshot_does_not_know_blocks_nothing(market: MarketSnapshot) -> None:
    """A stock without price or model cannot be traded; its lots are still no reason to stop."""
    book = EventWriter()
    book.buy(MINE, date(2023, 1, 10), GONE, 100, 5000)
    book.sell(MINE, date(2025, 6, 10), GONE, 60, 2000)
    book.buy(MINE, date(2025, 6, 20), GONE, 10, 300)
    case = cases_of(book, market)[10]
    assert blocked(case, market) == ([], [])
    assert set(case.lots.security_id.tolist()) == {GONE}


def test_what_is_carried_is_priced_by_the_custodian_or_the_account_is_not_decided(
    market: MarketSnapshot,
) -> None:
    bond = replace(market.securities[7], kind=SecurityKind.BOND)
    market = replace(market, securities=(*market.securities[:7], bond, *market.securities[8:]))
    book = EventWriter()
    book.buy(MINE, date(2023, 1, 10), 8, 1000, 950)
    book.buy(MINE, date(2023, 1, 11), 8, 500.5, 480)
    book.buy(MINE, date(2023, 1, 10), OLD, 10, 1000)
    book.buy(OTHERS, date(2023, 1, 10), 8, 1, 1)
    facts = facts_from(book, market, {(10, 8): 985_000})
    (case,) = facts.cases
    assert case.carried == ((8, 985_00 + 492_99),)
    assert case.lots.security_id.tolist() == [OLD]
    (unpriced,) = facts.exceptions
    assert (unpriced.account_id, unpriced.cause) == (20, "no_carried_price")
    assert "carries S08 without a custodian's price" in unpriced.message


VESTING = Expected(what=Coming.VESTING, security_id=OTHER, quantity_nano=25 * 10**9, start=date(2025, 7, 10))


def page(*lines: Expected) -> dict[int, tuple[YearPage, ...]]:
    return {1: (YearPage(household_id=1, year=2025, version=1, lines=lines),)}


def test_a_purchase_expected_elsewhere_blocks_loss_sales_as_one_made(market: MarketSnapshot) -> None:
    """§1091(a): ten days after today; not for the other household, and not beyond the thirtieth day."""
    book = EventWriter()
    book.buy(MINE, date(2023, 1, 10), OTHER, 100, 5000)
    book.buy(OTHERS, date(2023, 1, 10), OTHER, 100, 5000)
    cases = cases_of(book, market, page(VESTING))
    assert blocked(cases[10], market) == ([], [OTHER])
    assert blocked(cases[20], market) == ([], [])
    group = market.group_ix[market.row_of(np.array([OTHER]))[0]]
    washes = cases[10].washes
    assert washes.young_nano[group] == 25 * 10**9
    assert washes.sole_purchase[group] == -1
    assert not washes.young_in_ira[group]
    assert str(washes.no_loss_sale_until[group]) == "2025-08-09"
    late = cases_of(book, market, page(replace(VESTING, start=date(2025, 7, 31))))
    assert blocked(late[10], market) == ([], [])
    in_ira = cases_of(book, market, page(VESTING, replace(VESTING, kind=AccountKind.IRA)))[10].washes
    assert in_ira.young_in_ira[group]
    assert in_ira.young_nano[group] == 50 * 10**9


def test_the_year_of_the_page_is_that_of_the_decision(market: MarketSnapshot) -> None:
    book = EventWriter()
    book.buy(MINE, date(2023, 1, 10), OTHER, 100, 5000)
    carried = Expected(what=Coming.CARRYFORWARD, taxpayer_id=1, amount_cents=3_000_00)
    case = cases_of(book, market, page(carried))[10]
    assert case.taxpayer.carry_long_cents == 3_000_00
    assert cases_of(book, market)[10].taxpayer.carry_long_cents == 0


def test_an_outside_account_is_looked_at_and_not_decided(market: MarketSnapshot) -> None:
    book = EventWriter()
    book.buy(MINE, date(2023, 1, 10), OTHER, 100, 5000)
    outside = replace(account(*MINE), management=Management.FED)
    venue = Venue(code="V")
    clients = Clients(accounts={10: outside}, taxpayers={}, venues={"V": venue}, mandates={})
    state = fold(book.events(), AccountTable.of_accounts([outside], [venue]), market.groups)
    facts = facts_of(book.events(), state, clients, {10}, market)
    assert facts.cases == ()
    assert [one.cause for one in facts.exceptions] == ["outside"]


def test_an_account_that_is_not_linked_yet_blocks_nothing_of_the_others(market: MarketSnapshot) -> None:
    book = EventWriter()
    book.buy(MINE, date(2023, 1, 10), OTHER, 100, 5000)
    book.sell(MINE, date(2025, 6, 20), OTHER, 100, 4000)
    spouse = replace(account(*MINE), account_id=11, code="A11", taxpayer_id=2)
    accounts = [account(*MINE), spouse]
    venue = Venue(code="V")
    clients = Clients(
        accounts={a.account_id: a for a in accounts},
        taxpayers={n: Taxpayer(taxpayer_id=n, code=f"T{n}", household_id=1) for n in (1, 2)},
        venues={"V": venue},
        mandates={
            a.account_id: Mandate(
                account_id=a.account_id, version=1, effective=date(2020, 1, 2), benchmark=(("IDX", 1.0),)
            )
            for a in accounts
        },
    )
    table = AccountTable.of_accounts(accounts, [venue])
    for linked, exposed in ((None, [OTHER]), (date(2025, 6, 30), [OTHER])):
        if linked:
            book.write(EventKind.ACCOUNT_LINKED, 1, 11, linked)
        events = book.events()
        facts = facts_of(events, fold(events, table, market.groups), clients, {10, 11}, market)
        assert [blocked(case, market)[0] for case in facts.cases] == [exposed, exposed]
    book = EventWriter()
    book.buy(MINE, date(2023, 1, 10), OTHER, 100, 5000)
    book.sell(MINE, date(2025, 6, 20), OTHER, 100, 4000)
    book.write(EventKind.ACCOUNT_UNLINKED, 1, 11, date(2025, 6, 30))
    facts = facts_of(book.events(), fold(book.events(), table, market.groups), clients, {10, 11}, market)
    assert [blocked(case, market)[0] for case in facts.cases] == [[OTHER], []]
