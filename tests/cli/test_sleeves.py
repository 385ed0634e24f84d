"""`allotment sleeves` as a user runs it."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from allotment.cli.app import app
from allotment.jobs.importing import ImportRequest, import_files
from allotment.store.database import Store

FILES = {
    "securities": "security,name\nA,A Corp\n",
    "prices": "security,session,close,adjusted\nA,2024-06-28,50,50\n",
    "venues": "venue\nacme\n",
    "households": "household\nH1\n",
    "taxpayers": "taxpayer,household\nT1,H1\n",
    "accounts": "account,household,taxpayer,venue,opened\nUMA,H1,T1,acme,2020-01-02\n",
    "sleeves": "sleeve,account,manager\nindex,UMA,Direct Index\nvalue,UMA,Fields Value\n",
    "cash": "account,amount\nUMA,30\n",
    "lots": (
        "account,sleeve,security,lot,quantity,basis,acquired\n"
        "UMA,index,A,1,10,100,2015-05-04\nUMA,value,A,2,10,800,2023-09-01\n"
    ),
}


@pytest.fixture
def run(settings, tmp_path: Path):
    with Store.open(settings) as store:
        store.drop_firm("cli_sleeves")
        store.create_firm("cli_sleeves", market="market_cli_sleeves")
        store.firm("cli_sleeves").close()
        for name, text in FILES.items():
            (tmp_path / f"{name}.csv").write_text(text)
        request = ImportRequest(paths=(tmp_path,), asof=date(2024, 6, 28))
        assert import_files(store, request, lambda *_: None).is_complete

    def of(*words: str) -> Result:
        shared = ["--home", str(settings.home), "--firm", "cli_sleeves", "sleeves"]
        return CliRunner().invoke(app, [*shared, *words])

    return of


SUBSTITUTE = ("substitute", "UMA", "--seller", "index", "--security", "A", "--shares", "10")


def test_sleeves_with_their_lots(run) -> None:
    done = run("show", "UMA", "--lots")
    assert done.exit_code == 0, done.stderr
    for word in ("Direct Index", "Fields Value", "500.00", "1030.00", "2023-09-01"):
        assert word in done.stdout


def test_a_swap_is_shown_first_and_booked_when_asked(run) -> None:
    shown = run(*SUBSTITUTE)
    assert shown.exit_code == 0, shown.stderr
    assert "Nothing was booked" in shown.stdout
    assert "The sale then names 2/1: 10." in shown.stdout
    told = json.loads(run(*SUBSTITUTE, "--post", "--json").stdout)
    assert told["booked"]
    assert [(leg["seller"], leg["amount"], leg["lots"]) for leg in told["legs"]] == [
        ("value", "500.00", [[2, 1, "10"]]),
        ("index", "500.00", [[2, 0, "10"]]),
    ]
    assert told["to_sell"] == [[2, 1, "10"]]
    assert "best lots already" in run(*SUBSTITUTE).stdout
    sleeves = json.loads(run("show", "UMA", "--json").stdout)["sleeves"]
    assert [[lot["acquired"] for lot in one["lots"]] for one in sleeves] == [["2023-09-01"], ["2015-05-04"]]


def test_a_crossing(run) -> None:
    words = ("cross", "UMA", "--seller", "value", "--buyer", "index", "--security", "A", "--shares", "0.5")
    assert "cross at most 0.6 shares" in str(run(*words[:-1], "0.7", "--post").exception)
    paid = run("cash", "UMA", "--from", "index", "--to", "value", "--amount", "4.37")
    assert "4.37 went from index to value" in paid.stdout
    told = json.loads(run(*words, "--price", "51.25", "--post", "--json").stdout)
    (leg,) = told["legs"]
    assert (leg["amount"], leg["price_source"], leg["seller_manager"]) == (
        "25.63",
        "block average",
        "Fields Value",
    )


@pytest.mark.parametrize("shares", ["ten", "0", "-1", "0.0000000001"])
def test_shares_that_are_none(run, shares: str) -> None:
    done = run(*SUBSTITUTE[:-1], shares)
    assert done.exit_code == 2
