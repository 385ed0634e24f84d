from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date

import pytest

from allotment.book.household import Account, AccountKind, FilingStatus, Household, Sleeve, Taxpayer
from allotment.book.mandate import Restriction, RestrictionKind, Tilt
from allotment.book.venue import LotMode, Relief, Venue
from allotment.errors import BadFileError
from allotment.feeds import book_files
from allotment.feeds.references import Known, SecurityLookup
from allotment.feeds.table import Table
from allotment.market.security import Security

ASOF = date(2024, 6, 28)
Read = Callable[[str, str | bytes], Table]


@pytest.fixture
def known() -> Known:
    """Two households of one taxpayer, each with one account."""
    return Known(
        securities=SecurityLookup(
            [Security(security_id=at, code=code, name=code) for at, code in enumerate("ABC", 1)]
        ),
        venues={"acme": Venue(code="acme")},
        households={f"H{h}": Household(household_id=h, code=f"H{h}") for h in (1, 2)},
        taxpayers={f"T{h}": Taxpayer(taxpayer_id=h, code=f"T{h}", household_id=h) for h in (1, 2)},
        accounts={
            f"A{h}": Account(
                account_id=h,
                code=f"A{h}",
                household_id=h,
                taxpayer_id=h,
                kind=AccountKind.TAXABLE,
                venue_code="acme",
                opened=date(2020, 1, 2),
            )
            for h in (1, 2)
        },
        sleeves={"S1": Sleeve(sleeve_id=1, code="S1", account_id=1)},
    )


def told(make: Callable[[], object]) -> list[tuple[int, str, str]]:
    with pytest.raises(BadFileError) as caught:
        make()
    return [(bad.line, bad.column, bad.found) for bad in caught.value.rows]


def test_venues(read: Read) -> None:
    table = read("venues", "venue,share_step,lot_mode,relief,lots_per_order_max\nacme,1,method,hifo,99\n")
    assert book_files.venues(table) == [
        Venue(
            code="acme",
            share_step_nano=10**9,
            lot_mode=LotMode.METHOD,
            relief=Relief.HIFO,
            lots_per_order_max=99,
        )
    ]


def test_household_keep_their_numbers(read: Read, known: Known) -> None:
    made = book_files.households(read("households", "household,name\nH9,nine\nH2,two\n"), known)
    assert [(h.household_id, h.code, h.name) for h in made] == [(3, "H9", "nine"), (2, "H2", "two")]


def test_taxpayers(read: Read, known: Known) -> None:
    table = read(
        "taxpayers",
        "taxpayer,household,filing_status,state,short_rate,carry_short,outside_long\n"
        "T3,H2,joint,NY,0.408,12500.5,-300\n",
    )
    assert book_files.taxpayers(table, known) == [
        Taxpayer(
            taxpayer_id=3,
            code="T3",
            household_id=2,
            filing_status=FilingStatus.JOINT,
            state="NY",
            short_rate=0.408,
            carry_short_cents=1_250_050,
            outside_long_cents=-30_000,
        )
    ]


ACCOUNTS = "account,household,taxpayer,venue,opened\n"


def test_accounts(read: Read, known: Known) -> None:
    table = read("accounts", f"{ACCOUNTS}A3,H1,T1,acme,2024-01-02\n")
    (made,) = book_files.accounts(table, known)
    assert (made.account_id, made.household_id, made.taxpayer_id, made.kind, made.closed) == (
        3,
        1,
        1,
        AccountKind.TAXABLE,
        None,
    )


def test_accounts_of_strangers(read: Read, known: Known) -> None:
    text = f"{ACCOUNTS}A3,H1,T2,acme,2024-01-02\nA4,H7,T7,nowhere,2024-01-02\n"
    assert told(lambda: book_files.accounts(read("accounts", text), known)) == [
        (2, "taxpayer", "taxpayer 'T2' does not belong to household 'H1'"),
        (3, "household", "unknown household 'H7'"),
        (3, "taxpayer", "unknown taxpayer 'T7'"),
        (3, "venue", "unknown venue 'nowhere'"),
    ]


def test_an_account_with_a_record_stays_in_its_household(read: Read, known: Known) -> None:
    text = f"{ACCOUNTS}A1,H2,T2,acme,2020-01-02\n"
    assert book_files.accounts(read("accounts", text), known)[0].household_id == 2
    begun = replace(known, with_events=frozenset({1}))
    assert told(lambda: book_files.accounts(read("accounts", text), begun)) == [
        (2, "household", "the account has events in another household")
    ]


def test_sleeves(read: Read, known: Known) -> None:
    (made,) = book_files.sleeves(read("sleeves", "sleeve,account,manager\nS2,A2,index\n"), known)
    assert made == Sleeve(sleeve_id=2, code="S2", account_id=2, manager="index")
    assert told(lambda: book_files.sleeves(read("sleeves", "sleeve,account\nS1,A2\n"), known)) == [
        (2, "account", "the sleeve belongs to another account")
    ]


MANDATE = "account,effective,benchmark,excluded_sectors,tilts,exclude,no_buy,risk_price\n"


def test_mandates(read: Read, known: Known) -> None:
    text = f"{MANDATE}A1,2024-01-02,SP500=0.6;R2000=0.4,Energy;Utilities,value=0.002,A;B,C,80\n"
    (made,) = book_files.mandates(read("mandates", text), known, ASOF)
    assert made.account_id == 1
    assert made.benchmark == (("SP500", 0.6), ("R2000", 0.4))
    assert made.excluded_sectors == ("Energy", "Utilities")
    assert made.tilts == (Tilt("value", 0.002),)
    assert set(made.restrictions) == {
        Restriction(1, RestrictionKind.EXCLUDE),
        Restriction(2, RestrictionKind.EXCLUDE),
        Restriction(3, RestrictionKind.NO_BUY),
    }
    assert (made.risk_price, made.loss_value, made.version) == (80.0, 0.75, 1)


def test_mandates_with_names_that_nothing_bears(read: Read, known: Known) -> None:
    strict = replace(
        known,
        vocabulary={
            "benchmark": frozenset({"SP500"}),
            "excluded_sectors": frozenset({"Energy", "Utilities"}),
        },
    )
    text = f"{MANDATE}A1,2024-01-02,SP500,Enegry,,,,\nA2,2024-01-02,SP50,,,A,A,\nA9,2024-01-02,SP500,,,,,\n"
    assert told(lambda: book_files.mandates(read("mandates", text), strict, ASOF)) == [
        (2, "excluded_sectors", "'Enegry' is not known (did you mean Energy?)"),
        (3, "benchmark", "'SP50' is not known (did you mean SP500?)"),
        (3, "exclude", "a security is restricted twice"),
        (4, "account", "unknown account 'A9'"),
    ]
