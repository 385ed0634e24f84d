"""A ledger's year as forms: CSV, TXF, and the custodian's own form read back."""

from __future__ import annotations

import csv
import io
import json
from datetime import date

import pytest

from allotment.errors import BadFileError
from allotment.feeds.form_1099b_file import read_form_1099b
from allotment.feeds.ledger_json import Ledger, read_ledger
from allotment.feeds.ledger_year import ledger_year
from allotment.feeds.tax_forms import FormsRequest, TaxForms, tax_forms

ACCOUNTS = {"A": {}, "B": {}, "IRA": {"type": "ira"}, "S": {"owner": "spouse"}}


def ledger(*rows: tuple[str, str, str, str, str, str], **policy: object) -> Ledger:
    """Rows of (date, buy or sell, symbol, account, quantity, dollars)."""
    names = ("date", "type", "symbol", "account", "qty", "amount")
    entries = [{"id": f"t{i}"} | dict(zip(names, row, strict=True)) for i, row in enumerate(rows)]
    return read_ledger(
        json.dumps({"accounts": ACCOUNTS, "policy": policy, "transactions": entries}), "l.json"
    )


WASHES = (
    ("2024-01-10", "buy", "XYZ", "A", "100", "5000"),
    ("2024-01-10", "buy", "GOOG", "A", "10", "2000"),
    ("2024-01-10", "buy", "OK", "A", "10", "2000"),
    ("2025-03-01", "sell", "XYZ", "A", "100", "4000"),
    ("2025-03-01", "sell", "GOOG", "A", "10", "1500"),
    ("2025-03-01", "sell", "OK", "A", "10", "2500.50"),
    ("2025-03-08", "buy", "XYZ", "B", "50", "2000"),
    ("2025-03-09", "buy", "XYZ", "IRA", "20", "800"),
    ("2025-03-10", "buy", "XYZ", "S", "10", "400"),
    ("2025-03-08", "buy", "GOOGL", "A", "10", "1600"),
    ("2025-06-08", "sell", "XYZ", "B", "50", "2700"),
)
GROUPS = [["GOOG", "GOOGL"]]


def forms(known: Ledger, year: int = 2025, **request: object) -> TaxForms:
    return tax_forms(ledger_year(known, year), FormsRequest(exported=date(2026, 2, 1), **request))


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def washes() -> Ledger:
    return ledger(*sorted(WASHES), si_groups=GROUPS)


def test_only_what_is_wrong_or_washed_is_listed() -> None:
    made = forms(washes())
    listed = rows(made.files["form_8949.csv"])
    assert [(r["description"], r["codes"], r["reason"]) for r in listed] == [
        ("10 GOOG", "W", "SI group"),
        ("100 XYZ", "W", "IRA"),
        ("50 XYZ", "BT", "cross-account"),
    ]
    assert (made.n_sales, made.n_listed) == (4, 3)
    nets = {r["line"]: r["gain"] for r in rows(made.files["schedule_d.csv"])}
    # XYZ lost 1,000, of which 80 shares' worth is washed; the replacement of 50 gains 200 after it.
    assert nets["16"] == "500.50"
    assert nets["8a"] == "500.50"


def test_a_statement_carries_what_exception_2_sums_up() -> None:
    made = forms(washes(), exception_2=True)
    form = rows(made.files["form_8949.csv"])
    statement = rows(made.files["statement.csv"])
    assert [(r["description"], r["codes"]) for r in form] == [
        ("A, see attached statement", "MW"),
        ("B, see attached statement", "BMT"),
    ]
    assert sum(float(r["gain"]) for r in form) == sum(float(r["gain"]) for r in statement)
    assert len(statement) == 3


def test_whole_dollars_everywhere() -> None:
    made = forms(washes(), whole_dollars=True)
    assert all("." not in r["gain"] for r in rows(made.files["form_8949.csv"]))
    assert {r["gain"][-3:] for r in rows(made.files["schedule_d.csv"])} == {".00"}


def test_each_owner_has_a_return_of_their_own() -> None:
    known = ledger(
        ("2024-01-10", "buy", "X", "S", "10", "100"),
        ("2024-01-11", "buy", "X", "A", "10", "100"),
        ("2025-03-01", "sell", "X", "S", "10", "150"),
        ("2025-03-02", "sell", "X", "A", "10", "170"),
    )
    gains = {
        owner: ledger_year(known, 2025, owner).sales.sales.gain_cents.tolist()
        for owner in ("", "taxpayer", "spouse")
    }
    assert sorted(gains[""]) == [5000, 7000]
    assert gains["taxpayer"] == [7000]
    assert gains["spouse"] == [5000]


def test_a_renamed_security_is_a_cusip_change() -> None:
    """§6045(g)(2)(B)(ii): the broker matches the identical security only."""
    entries = [
        {"id": "b", "date": "2024-01-10", "type": "buy", "symbol": "OLD", "qty": "10", "amount": "900"},
        {"id": "s", "date": "2025-03-01", "type": "sell", "symbol": "OLD", "qty": "10", "amount": "500"},
        {"id": "n", "date": "2025-03-03", "type": "symbol_change", "symbol": "OLD", "to": "NEW"},
        {"id": "r", "date": "2025-03-08", "type": "buy", "symbol": "NEW", "qty": "10", "amount": "500"},
    ]
    known = read_ledger(json.dumps({"transactions": entries}), "l.json")
    (listed,) = rows(forms(known).files["form_8949.csv"])
    assert (listed["reason"], listed["codes"]) == ("CUSIP change", "W")


def test_worthless_shares_have_no_1099_b() -> None:
    entries = [
        {"id": "b", "date": "2024-01-10", "type": "buy", "symbol": "X", "qty": "10", "amount": "900"},
        {"id": "w", "date": "2025-03-01", "type": "worthless", "symbol": "X"},
    ]
    made = forms(read_ledger(json.dumps({"transactions": entries}), "l.json"))
    (listed,) = rows(made.files["form_8949.csv"])
    assert (listed["box"], listed["gain"], listed["sold"]) == ("F", "-900.00", "2025-12-31")
    assert rows(made.files["1099b.csv"]) == []


def read_txf(text: str) -> list[dict[str, str]]:
    """A reader of its own for V042: records end with ^."""
    header, *records = text.strip().split("\n^\n")
    assert header.startswith("V042\nA")
    found = []
    for record in records:
        lines = record.removesuffix("\n^").split("\n")
        assert lines[:1] + lines[2:4] == ["TD", "C1", "L1"]
        money = [line[1:] for line in lines if line.startswith("$")]
        found.append(
            {"ref": lines[1], "bought": lines[5], "cost": money[0], "proceeds": money[1], "wash": "0"}
            | ({"wash": money[2]} if len(money) > 2 else {})
        )
    return found


def test_txf_adds_up_to_the_gain_of_the_year() -> None:
    known = washes()
    made = forms(known)
    records = read_txf(made.files["transactions.txf"])
    assert [r["ref"] for r in records] == ["N323", "N323", "N323", "N713"]  # the corrected one as box E
    assert {r["bought"] for r in records} == {"D01/10/2024", "D03/08/2025"}
    gain = sum(float(r["proceeds"]) - float(r["cost"]) + float(r["wash"]) for r in records)
    assert gain == pytest.approx(sum(ledger_year(known, 2025).sales.sales.gain_cents) / 100)
    assert made.n_corrected_in_txf == 1


def test_the_form_we_write_ties_out_when_read_back() -> None:
    known = washes()
    text = forms(known).files["1099b.csv"]
    printed = read_form_1099b(text.encode(), "1099b.csv", known.account_names, known.symbols)
    made = forms(known, printed=printed)
    assert made.verdicts == {"equal": 4}
    assert made.files["form_8949.csv"] == forms(known).files["form_8949.csv"]


def test_a_custodian_who_replaces_the_date_is_explained() -> None:
    """Sold between the two readings' first long-term days, 11 and 18 January: ours is S, theirs L."""
    known = ledger(
        ("2024-01-10", "buy", "X", "A", "10", "1000"),
        ("2024-12-02", "sell", "X", "A", "10", "700"),
        ("2024-12-09", "buy", "X", "A", "10", "700"),
        ("2025-01-15", "sell", "X", "A", "10", "1200"),
    )
    text = forms(known).files["1099b.csv"]
    assert text.splitlines()[1].split(",")[8] == "S"
    theirs = text.replace(",S,Y", ",L,Y").encode()
    printed = read_form_1099b(theirs, "1099b.csv", known.account_names, known.symbols)
    made = forms(known, printed=printed)
    (tied,) = rows(made.files["tie_out.csv"])
    assert (tied["verdict"], tied["reason"]) == ("different", "hp method")
    (listed,) = rows(made.files["form_8949.csv"])
    assert (listed["box"], listed["codes"]) == ("A", "T")


def test_every_mistake_of_a_custodians_file_is_told() -> None:
    text = (
        "account,symbol,quantity,acquired,sold,proceeds,basis,wash,term,covered\n"
        "Z,XYZ,1,2024-01-10,2025-03-01,1,1,0,L,Y\n"
        "A,NOPE,x,VARIOUS,2025-03-1,1,,,Q,\n"
        "A,XYZ,1,,2025-03-01,one,1,0,S,maybe\n"
    )
    with pytest.raises(BadFileError) as refused:
        read_form_1099b(text.encode(), "f.csv", ("A",), ("XYZ",))
    places = [(row.line, row.column) for row in refused.value.rows]
    assert places == [
        (2, "account"), (3, "symbol"), (3, "quantity"), (3, "sold"), (3, "term"), (4, "proceeds"),
        (4, "covered"),
    ]  # fmt: skip
    with pytest.raises(BadFileError, match="proceeds"):
        read_form_1099b(b"account,symbol,quantity,sold,colour\n", "f.csv", ("A",), ("XYZ",))
