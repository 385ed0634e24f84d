"""A household by its files: outside accounts, days of linking, pages of the year; the books stay sound."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from allotment.book.expected import Coming, Expected, YearPage
from allotment.book.household import Account, Management
from allotment.errors import UsageError
from allotment.jobs.book_run import RunRequest, rebalance_book
from allotment.jobs.household import HouseholdView, view_household
from allotment.jobs.importing import FileOutcome, FileState, ImportRequest, import_files
from allotment.jobs.posting import post
from allotment.jobs.verification import verify
from allotment.ledger.discretion import Period
from allotment.ledger.events import EventKind, Events
from allotment.ledger.write import UNBOOKED, EventWriter
from allotment.settings import Settings
from allotment.store import book_tables, event_tables, expected_tables, proposal_tables
from allotment.store.database import Store
from allotment.store.session import FirmStore

ASOF = date(2025, 6, 30)
FILES = {
    "securities": "security,name\nA,A Corp\nB,B Corp\n",
    "venues": "venue\nV\n",
    "households": "household,name\nH1,Fields\nH2,Brook\n",
    "taxpayers": "taxpayer,household,short_rate,long_rate\nT1,H1,0.4,0.2\nT2,H2,0.4,0.2\nT3,H1,0.4,0.2\n",
    "accounts": "account,household,taxpayer,kind,venue,opened,management\n"
    "own,H1,T1,taxable,V,2020-01-02,managed\n"
    "ira,H1,T3,ira,V,2020-01-02,fed\n"
    "plan,H1,T1,taxable,V,2020-01-02,attested\n"
    "other,H2,T2,taxable,V,2020-01-02,managed\n",
}
OUTSIDE = "account,id,date,kind,security,quantity,amount\n"


def quiet(_what: str, _done: int, _total: int) -> None:
    return None


class Office:
    """A firm, and files that are put on its desk."""

    def __init__(self, store: Store, folder: Path) -> None:
        self.store, self.folder = store, folder
        self._n = 0

    def bring(self, kind: str, text: str, ending: str = "csv") -> FileOutcome:
        self._n += 1
        path = self.folder / f"{kind}-{self._n}.{ending}"
        path.write_text(text)
        request = ImportRequest(paths=(path,), asof=ASOF, kind=kind)
        return import_files(self.store, request, quiet).files[0]

    def view(self, asof: date = ASOF) -> HouseholdView:
        with self.store.firm() as firm:
            return view_household(firm, "H1", asof)

    def firm(self) -> FirmStore:
        return self.store.firm()


@pytest.fixture
def office(settings: Settings, tmp_path: Path) -> Iterator[Office]:
    with Store.open(replace(settings, firm="households")) as store:
        store.drop_firm("households")
        store.create_firm("households", market="market_households")
        made = Office(store, tmp_path)
        for kind, text in FILES.items():
            assert made.bring(kind, text).state is FileState.LOADED
        with made.firm() as firm:
            ids = {one.code: one for one in book_tables.load_accounts(firm)}
            own = ids["own"]
            book = EventWriter()
            book.buy((own.household_id, own.account_id), date(2024, 1, 10), 1, 100, 3000)
            book.sell((own.household_id, own.account_id), date(2025, 6, 2), 1, 100, 2000)
            post(firm, book.events(), source="test", advance=quiet)
        yield made
        with made.firm() as firm:
            assert verify(firm, None, quiet).is_clean


def mistakes(outcome: FileOutcome) -> list[tuple[int, str, str]]:
    assert outcome.state is FileState.REFUSED
    return [(one.line, one.column, one.found) for one in outcome.mistakes]


def test_a_purchase_in_an_outside_ira_destroys_our_loss(office: Office) -> None:
    """Rev. Rul. 2008-5; the file that comes again, and the row that comes again, are booked once."""
    row = "ira,tx1,2025-06-09,buy,A,40,800\n"
    assert office.bring("outside_transactions", OUTSIDE + row).state is FileState.LOADED
    assert office.bring("outside_transactions", OUTSIDE + row).state is FileState.LOADED_BEFORE
    more = "ira,tx2,2025-06-10,reinvest,A,1.5,30\n"
    assert office.bring("outside_transactions", OUTSIDE + row + more).state is FileState.LOADED
    view = office.view()
    lost = view.permanent
    assert lost.amount_cents.tolist() == [400_00, 15_00]
    assert [view.account_code(int(one)) for one in lost.buyer_account_id] == ["ira", "ira"]
    with office.firm() as firm:
        assert len(event_tables.load_events(firm)) == 4


def test_before_the_link_nothing_matches_and_after_it_all_does(office: Office) -> None:
    row = "ira,tx1,2025-06-09,buy,A,40,800\n"
    assert office.bring("links", "account,linked\nira,2025-06-10\n").state is FileState.LOADED
    assert office.bring("outside_transactions", OUTSIDE + row).state is FileState.LOADED
    assert len(office.view().permanent) == 0
    assert office.bring("outside_transactions", OUTSIDE + row.replace("tx1,2025-06-09", "tx2,2025-06-10"))
    assert office.view().permanent.amount_cents.tolist() == [400_00]


def test_periods_of_discretion_come_from_a_file(office: Office) -> None:
    head = "account,begins,ends\n"
    assert office.bring("discretion", head + "own,2024-01-02,\nplan,2024-02-01,2024-03-01\n").state is (
        FileState.LOADED
    )
    more = "own,2024-01-02,2025-01-15\nown,2025-02-03,\nplan,2024-02-01,2024-03-01\n"
    assert office.bring("discretion", head + more).state is FileState.LOADED
    assert office.bring("discretion", head + "own,2025-02-03,\n").state is FileState.LOADED
    view = office.view()
    told = {view.account_code(account): found for account, found in view.discretion.items()}
    assert told == {
        "own": [Period(date(2024, 1, 2), date(2025, 1, 15)), Period(date(2025, 2, 3))],
        "plan": [Period(date(2024, 2, 1), date(2024, 3, 1))],
    }


@pytest.mark.parametrize(
    ("row", "column", "found"),
    [
        ("own,2025-03-03,2025-03-03", "ends", "2025-03-03 is not after `begins`, 2025-03-03"),
        (
            "own,2024-02-01,2024-06-01",
            "begins",
            "the period overlaps with that from 2024-01-02 to 2025-01-15",
        ),
        ("own,2023-02-01,", "begins", "the period overlaps with that from 2024-01-02 to 2025-01-15"),
        ("own,2024-01-02,2024-06-01", "ends", "the period ended on 2025-01-15, by its record"),
        ("nobody,2024-01-02,", "account", None),
    ],
)
def test_a_period_that_cannot_be_is_refused(office: Office, row: str, column: str, found: str | None) -> None:
    head = "account,begins,ends\n"
    assert office.bring("discretion", head + "own,2024-01-02,2025-01-15\n").state is FileState.LOADED
    (wrong,) = mistakes(office.bring("discretion", head + row + "\n"))
    assert wrong[:2] == (2, column)
    assert found is None or wrong[2] == found


def test_a_recorded_day_is_not_changed_by_a_file(office: Office) -> None:
    assert office.bring("links", "account,linked\nira,2025-06-10\n").state is FileState.LOADED
    again = office.bring("links", "account,linked,unlinked\nira,2025-06-10,2025-06-20\n")
    assert again.state is FileState.LOADED
    with office.firm() as firm:
        days = {EventKind(kind): day for (_, kind), day in event_tables.links(firm).items()}
    assert days == {
        EventKind.ACCOUNT_LINKED: date(2025, 6, 10),
        EventKind.ACCOUNT_UNLINKED: date(2025, 6, 20),
    }
    moved = mistakes(office.bring("links", "account,linked\nira,2025-06-11\n"))
    assert moved == [(2, "linked", "the account was linked on 2025-06-10, by its record")]
    wrong = mistakes(
        office.bring("links", "account,linked,unlinked\nira,2025-06-10,2025-06-10\nx,2025-01-01,\n")
    )
    assert [(line, column) for line, column, _ in wrong] == [(2, "unlinked"), (3, "account")]
    assert mistakes(office.bring("links", "account,linked\nown2,2025-06-11\n"))[0][:2] == (2, "account")


def test_outside_rows_that_cannot_be_are_told_by_line(office: Office) -> None:
    text = OUTSIDE + (
        "own,a,2025-06-09,buy,A,1,1\n"
        "ira,b,2019-06-09,buy,A,1,1\n"
        "ira,c,2025-06-09,buy,Z,1,1\n"
        "ira,d,2025-07-09,buy,A,1,1\n"
        "ira,e,2025-06-09,gift,A,1,1\n"
    )
    found = mistakes(office.bring("outside_transactions", text))
    assert [(line, column) for line, column, _ in found] == [
        (2, "account"), (3, "date"), (4, "security"), (5, "date"), (6, "kind"),
    ]  # fmt: skip
    unsettled = (
        "account,id,date,kind,security,quantity,amount,settles\nira,a,2025-06-09,buy,A,1,1,2025-06-08\n"
    )
    assert mistakes(office.bring("outside_transactions", unsettled))[0][:2] == (2, "settles")


def test_a_sale_outside_needs_shares_that_are_known(office: Office) -> None:
    text = (
        OUTSIDE
        + "ira,a,2025-06-09,buy,A,10,200\nira,b,2025-06-10,sell,A,4,90\nira,c,2025-06-11,sell,A,7,90\n"
    )
    (found,) = mistakes(office.bring("outside_transactions", text))
    assert found == (4, "quantity", "more shares leave than are held (asked 7, there 6)")
    assert (
        office.bring("outside_transactions", text.replace("sell,A,7", "sell,A,6")).state is FileState.LOADED
    )


def test_a_row_that_comes_again_with_other_content_is_refused(office: Office) -> None:
    office.bring("outside_transactions", OUTSIDE + "ira,a,2025-06-09,buy,A,10,200\n")
    (found,) = mistakes(office.bring("outside_transactions", OUTSIDE + "ira,a,2025-06-09,buy,A,11,200\n"))
    assert "ira a" in found[2]


PAGE = """schema_version = 1
household = "H1"
year = 2025

[[expected]]
what = "vesting"
security = "A"
start = 2025-07-14
shares = 25
confidence = "certain"

[[expected]]
what = "carryforward"
taxpayer = "T1"
amount = 3000

[[expected]]
what = "no_purchases"
account = "plan"
start = 2025-01-01
end = 2025-12-31
"""


def test_a_page_is_kept_in_versions_and_read_as_of_its_year(office: Office) -> None:
    silent = office.view()
    assert silent.silent.tolist() == [1]
    assert office.bring("expected", PAGE, "toml").state is FileState.LOADED
    view = office.view()
    assert view.silent.tolist() == [0]
    assert view.coming.quantity_nano.tolist() == [25 * 10**9]
    assert view.locks.sale_clean_from.astype(str).tolist() == ["2025-08-14"]
    assert view.taxpayers[0].carry_long_cents == 3_000_00
    assert (
        office.bring("expected", PAGE.replace("shares = 25", "shares = 30"), "toml").state is FileState.LOADED
    )
    assert [page.version for page in office.view().pages] == [2]
    assert office.view().coming.quantity_nano.tolist() == [30 * 10**9]
    assert (
        office.bring("expected", PAGE.replace("shares = 25", "shares = 30") + "\n", "toml").state
        is FileState.LOADED
    )
    assert [page.version for page in office.view().pages] == [2]  # it says the same
    with office.firm() as firm:
        home = office.view().household.household_id
        assert expected_tables.load_pages(firm, date(2027, 1, 5)) == {}
        assert list(expected_tables.load_pages(firm, date(2026, 1, 5), [home])) == [home]
        assert expected_tables.load_pages(firm, date(2026, 1, 5), [home + 1]) == {}


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('what = "vesting"\nstart = 2025-07-14\nshares = 1', [(4, "security")]),
        ('what = "vesting"\nsecurity = "A"\nshares = 1', [(4, "start")]),
        ('what = "vesting"\nsecurity = "A"\nstart = 2025-07-14', [(4, "shares")]),
        ('what = "vesting"\nsecurity = "A"\nstart = 2026-07-14\nshares = 1', [(4, "start")]),
        ('what = "payroll"\nsecurity = "A"\nstart = 2025-07-14\nshares = 1\nevery_days = 14', [(4, "end")]),
        ('what = "gain"\ntaxpayer = "T1"', [(4, "amount")]),
        ('what = "carryforward"\ntaxpayer = "T1"\namount = -5', [(4, "amount")]),
        ('what = "distribution"\namount = 5', [(4, "taxpayer")]),
        ('what = "no_purchases"', [(4, "account")]),
        ('what = "gain"\ntaxpayer = "T2"\namount = 5', [(4, "taxpayer")]),
        ('what = "no_purchases"\naccount = "other"', [(4, "account")]),
        ('what = "gain"\ntaxpayer = "T1"\namount = 5\nstart = 2025-02-02\nend = 2025-02-01', [(4, "end")]),
        ('what = "dream"', [(5, "what")]),
    ],
)
def test_a_line_without_what_it_needs_is_told(office: Office, line: str, told: list[tuple[int, str]]) -> None:
    text = f'household = "H1"\nyear = 2025\n\n[[expected]]\n{line}\n'
    found = mistakes(office.bring("expected", text, "toml"))
    assert [one[:2] for one in found] == told


def test_outside_accounts_get_no_orders(sample_firm: FirmStore) -> None:
    accounts = book_tables.load_accounts(sample_firm)
    outside = replace(accounts[0], management=Management.FED)
    book_tables.save_accounts(sample_firm, [outside])
    report = rebalance_book(sample_firm, RunRequest(threads=1), quiet)
    decided = {one.account_id for one in proposal_tables.load_proposals(sample_firm, report.run_id)}
    assert outside.account_id not in decided
    assert decided
    with pytest.raises(UsageError, match="managed here"):
        rebalance_book(sample_firm, RunRequest(account_codes=(outside.code,)), quiet)


def test_a_page_is_part_of_what_a_run_decides_from(sample_firm: FirmStore) -> None:
    first = rebalance_book(sample_firm, RunRequest(threads=1), quiet)
    home = book_tables.load_accounts(sample_firm)[0].household_id
    line = Expected(what=Coming.VESTING, security_id=1, quantity_nano=10**9, start=first.asof)
    page = YearPage(household_id=home, year=first.asof.year, version=0, lines=(line,))
    expected_tables.save_pages(sample_firm, [page])
    second = rebalance_book(sample_firm, RunRequest(threads=1), quiet)
    hashes = sample_firm.connection().execute(
        "SELECT count(DISTINCT inputs_hash) FROM run WHERE run_id = ANY(%s)", [[first.run_id, second.run_id]]
    )
    assert hashes.fetchone() == (2,)


HEAD = "account,household,taxpayer,kind,venue,opened,management\n"


def test_an_account_to_which_anything_happened_stays_in_its_household(office: Office) -> None:
    """By transactions alone, without an opening; its owner stays too."""
    office.bring("outside_transactions", OUTSIDE + "ira,tx1,2025-06-09,buy,A,40,800\n")
    (moved,) = mistakes(office.bring("accounts", HEAD + "ira,H2,T2,ira,V,2020-01-02,fed\n"))
    assert moved == (2, "household", "the account has events in another household")
    (owner,) = mistakes(office.bring("taxpayers", "taxpayer,household\nT1,H2\n"))
    assert owner == (2, "household", "the taxpayer has accounts in another household")
    free = office.bring("accounts", HEAD + "plan,H2,T2,taxable,V,2020-01-02,attested\n")
    assert free.state is FileState.LOADED  # nothing ever happened to it


def test_what_is_put_right_about_an_account_is_derived_anew(office: Office) -> None:
    """The fixture verifies the books at the end; here, after each file."""
    office.bring("outside_transactions", OUTSIDE + "ira,tx1,2025-06-09,buy,A,40,800\n")
    steps = [
        ("accounts", HEAD + "ira,H1,T1,taxable,V,2020-01-02,fed\n", ""),
        ("accounts", HEAD + "ira,H1,T1,ira,V,2020-01-02,fed\n", "gone for good on 2025-06-09: $400.00"),
        ("accounts", HEAD + "new,H1,T1,roth_ira,V,2025-01-02,fed\n", ""),
        ("venues", "venue,lot_mode,relief\nV,default,lifo\n", ""),
    ]
    with office.firm() as firm:
        own = book_tables.find_account(firm, "own")
        for shares, day in ((10, date(2024, 2, 1)), (10, date(2024, 3, 1))):
            post(firm, bought(own, day, shares), source=f"{day}", advance=quiet)
        sale = EventWriter(first_seq=UNBOOKED)
        sale.sell((own.household_id, own.account_id), date(2025, 6, 25), 1, 10, 150)
        post(firm, sale.events(), source="sale", advance=quiet)
        for kind, text, told in steps:
            came = office.bring(kind, text)
            assert came.state is FileState.LOADED, came.mistakes
            assert told in came.note
            assert verify(firm, None, quiet).is_clean, kind


def test_securities_that_become_one_wash_one_another_in_the_books_too(office: Office) -> None:
    office.bring("outside_transactions", OUTSIDE + "ira,tx1,2025-06-09,buy,B,40,800\n")
    assert len(office.view().permanent) == 0
    text = "security,name,group\nA,A Corp,AB\nB,B Corp,AB\n"
    note = office.bring("securities", text).note
    assert "1 sale(s) of 2025 changed" in note
    assert "gone for good on 2025-06-09: $400.00 of what own lost on A" in note
    assert office.view().permanent.amount_cents.tolist() == [400_00]  # and the fixture verifies
    assert office.bring("securities", text + "C,C Corp,\n").note == ""


def test_a_posting_announces_the_losses_that_it_destroys(office: Office) -> None:
    """Once, when it does so: by a purchase, by a link that comes late, by a reversal that frees a loss."""
    brought = office.bring("outside_transactions", OUTSIDE + "ira,tx1,2025-06-09,buy,A,40,800\n")
    summary, line = brought.note.split("\n")
    assert summary == "1 sale(s) of 2025 changed, gain +$400.00"
    assert line == (
        "gone for good on 2025-06-09: $400.00 of what own lost on A (sold 2025-06-02), by the 40 shares "
        "that ira bought; "
        "26 U.S.C. §1091(a); Rev. Rul. 2008-5: the purchase by an IRA adds to no basis"
    )
    with office.firm() as firm:
        own = book_tables.find_account(firm, "own")
        assert len(post(firm, bought(own, date(2025, 6, 20), 10), source="more", advance=quiet).lost) == 0
        ira = book_tables.find_account(firm, "ira")
        lost = post(firm, bought(ira, date(2025, 6, 10), 5), source="again", advance=quiet).lost
        assert (lost.amount_cents.tolist(), lost.quantity_nano.tolist()) == ([50_00], [5 * 10**9])
        assert [one.astype(str) for one in lost.day] == ["2025-06-10"]
        link = EventWriter()
        link.write(EventKind.ACCOUNT_LINKED, ira.household_id, ira.account_id, date(2025, 7, 1))
        freed = post(firm, link.events(), source="link", advance=quiet)
        assert len(freed.lost) == 0
        number = event_tables.last_sequence(firm)
        back = EventWriter(first_seq=number + 1)
        back.write(EventKind.REVERSAL, ira.household_id, ira.account_id, date(2025, 7, 1), reverses=number)
        lost = post(firm, back.events(), source="unlink", advance=quiet).lost
        assert lost.amount_cents.tolist() == [400_00, 50_00]
        assert post(firm, back.events(), source="unlink", advance=quiet).lost.amount_cents.tolist() == []


def bought(account: Account, day: date, shares: int) -> Events:
    book = EventWriter(first_seq=UNBOOKED)
    book.buy((account.household_id, account.account_id), day, 1, shares, shares * 20)
    return book.events()
