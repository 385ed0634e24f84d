"""`allotment in-kind` as a user runs it."""

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
    "securities": "security,name\nA,A Corp\nB,B Corp\n",
    "prices": "security,session,close,adjusted\nA,2024-06-28,50,50\n",
    "venues": "venue\nacme\n",
    "households": "household\nH1\n",
    "taxpayers": "taxpayer,household\nT1,H1\n",
    "accounts": "account,household,taxpayer,venue,opened\nown,H1,T1,acme,2020-01-02\n",
    "lots": (
        "account,security,lot,quantity,basis,acquired,basis_state\n"
        "own,A,1,10.25,100,2015-05-04,\nown,A,2,10,200,2016-05-04,\nown,B,3,2,,2016-05-04,missing\n"
    ),
}


@pytest.fixture
def run(settings, tmp_path: Path):
    with Store.open(settings) as store:
        store.drop_firm("cli_in_kind")
        store.create_firm("cli_in_kind", market="market_cli_in_kind")
        store.firm("cli_in_kind").close()
        for name, text in FILES.items():
            (tmp_path / f"{name}.csv").write_text(text)
        request = ImportRequest(paths=(tmp_path,), asof=date(2024, 6, 28))
        assert import_files(store, request, lambda *_: None).is_complete

    def of(*words: str) -> Result:
        shared = ["--home", str(settings.home), "--firm", "cli_in_kind", "in-kind"]
        return CliRunner().invoke(app, [*shared, *words])

    return of


def text(done: Result) -> str:
    """What was printed, in one line: sentences break where the terminal ends."""
    return " ".join(done.stdout.split())


def test_a_transfer_is_shown_first_and_booked_when_it_has_left(run) -> None:
    shown = run("transfer", "own")
    assert shown.exit_code == 0, shown.stderr
    for words in (
        "to be sold",
        "0.25",
        "not known",
        "Without a price: B",
        "--sold A=…",
        "Nothing was booked",
    ):
        assert words in text(shown)
    done = run("transfer", "own", "--post")
    assert "2 event(s) booked" in text(done)
    assert "The fractions of A stay" in text(done)
    last = run("transfer", "own", "--sold", "A=12.40", "--post", "--json")
    told = json.loads(last.stdout)
    assert [(lot["how"], lot["shares"]) for lot in told["lots"]] == [("sale", "0.25")]
    assert (told["posted"]["new_events"], told["sales_not_told"]) == (1, [])
    assert "Nothing to transfer" in text(run("transfer", "own"))


def test_a_donation_says_what_why_and_which_gain_is_never_taxed(run) -> None:
    told = json.loads(run("donate", "own", "--amount", "700", "--json").stdout)
    assert [(lot["lot"], lot["shares"], lot["term"], lot["gain"], lot["why"]) for lot in told["lots"]] == [
        ("1.0", "10", "long", "402.44", "long-term, gain 80% of its value"),
        ("1.1", "4", "long", "120.00", "long-term, gain 60% of its value"),
    ]
    assert (told["value"], told["basis"], told["gain"]) == ("700.00", "177.56", "522.44")
    assert told["posted"] is None
    done = run("donate", "own", "--amount", "700", "--reason", "library", "--post")
    assert "the gain of 522.44 is never taxed" in text(done)
    assert "1 event(s) booked" in text(done)


def test_a_gift(run) -> None:
    done = run("give", "own", "--amount", "100", "--post")
    assert "the recipient takes over basis and holding period" in text(done)
    assert "Nothing to give" in text(run("give", "own", "--amount", "1"))


@pytest.mark.parametrize(
    "words",
    [
        ("donate", "own", "--amount", "0"),
        ("give", "own", "--amount", "ten"),
        ("transfer", "own", "--sold", "12.40"),
        ("transfer", "own", "--sold", "A=-1"),
    ],
)
def test_what_makes_no_sense_is_refused(run, words: tuple[str, ...]) -> None:
    assert run(*words).exit_code == 2


def test_what_the_books_contradict_is_told_with_a_remedy(run) -> None:
    done = run("transfer", "own", "--sold", "B=1")
    assert str(done.exception) == "no fraction of B is sold by this plan; leave its proceeds out."
