"""A custodian's entitlements, with every mistake at its line."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from allotment.book.household import Account, AccountKind
from allotment.errors import BadFileError
from allotment.feeds.entitlement_file import read_entitlements
from allotment.feeds.references import Known, SecurityLookup
from allotment.ledger.entitlement import Entitlement
from allotment.market.corporate_action import ActionKind
from allotment.market.security import Identifier, IdentifierKind, Security

EX = date(2024, 4, 2)
KNOWN = Known(
    securities=SecurityLookup(
        [Security(security_id=1, code="GE", name="GE"), Security(security_id=2, code="GEV", name="GEV")],
        [Identifier(security_id=1, kind=IdentifierKind.TICKER, value="GE", start=date(2000, 1, 1))],
    ),
    accounts={
        "A": Account(
            account_id=7,
            code="A",
            household_id=1,
            taxpayer_id=1,
            kind=AccountKind.TAXABLE,
            venue_code="",
            opened=EX,
        )
    },
)


def read(tmp_path: Path, text: str) -> list[Entitlement]:
    path = tmp_path / "entitlements.csv"
    path.write_text(text)
    return read_entitlements(path, KNOWN, date(2024, 4, 10))


def test_a_row_with_everything_and_one_with_little(tmp_path: Path) -> None:
    full, short = read(
        tmp_path,
        "account,security,ex_date,kind,option,other,shares,cash,lieu,pay_date\n"
        "A,ticker:GE,2024-04-02,spin_off,x,GEV,25.5,1.10,48.11,2024-04-04\n"
        "A,GE,2024-04-02,split,,,-90,,,\n",
    )
    assert full == Entitlement(
        account_id=7,
        security_id=1,
        ex_date=EX,
        kind=ActionKind.SPIN_OFF,
        option="x",
        other_security_id=2,
        shares_nano=25_500_000_000,
        cash_cents=110,
        lieu_cents=4_811,
        pay_date=date(2024, 4, 4),
        line=2,
    )
    assert (short.shares_nano, short.cash_cents, short.pay_date, short.line) == (-90 * 10**9, 0, None, 3)


def test_mistakes_are_told_at_their_lines(tmp_path: Path) -> None:
    with pytest.raises(BadFileError) as caught:
        read(
            tmp_path,
            "account,security,ex_date,kind,cash,pay_date\n"
            "B,GE,2024-04-02,split,1,\n"
            "A,GE,2024-04-02,cash_dividend,1,2024-04-01\n"
            "A,GE,2024-04-02,cash_dividend,2,\n",
        )
    assert {(row.line, row.column.split(",")[0]) for row in caught.value.rows} >= {
        (2, "account"),
        (4, "account"),
    }


def test_a_day_of_payment_before_the_ex_date(tmp_path: Path) -> None:
    with pytest.raises(BadFileError, match="before `ex_date`"):
        read(
            tmp_path,
            "account,security,ex_date,kind,cash,pay_date\nA,GE,2024-04-02,cash_dividend,1,2024-04-01\n",
        )
