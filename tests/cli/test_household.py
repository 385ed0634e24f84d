"""`allotment household` as a person or a program calls it."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from allotment.cli.app import app
from allotment.jobs.posting import post
from allotment.ledger.write import EventWriter
from allotment.settings import Settings
from allotment.store import book_tables
from allotment.store.database import Store

FILES = {
    "securities.csv": "security,name\nOAK,Oak Corp\nELM,Elm Corp\n",
    "venues.csv": "venue\nV\n",
    "households.csv": "household,name\nH1,Fields\n",
    "taxpayers.csv": "taxpayer,household,short_rate,long_rate\nT1,H1,0.4,0.2\n",
    "accounts.csv": "account,household,taxpayer,kind,venue,opened,management\n"
    "own,H1,T1,taxable,V,2020-01-02,managed\n"
    "ira,H1,T1,ira,V,2020-01-02,fed\n"
    "plan,H1,T1,taxable,V,2020-01-02,attested\n",
    "links.csv": "account,linked,unlinked\nplan,2025-01-01,2025-06-20\n",
    "outside_transactions.csv": "account,id,date,kind,security,quantity,amount\n"
    "ira,tx1,2025-06-09,buy,OAK,40,240\n",
}
PAGE = """household = "H1"
year = 2025

[[expected]]
what = "vesting"
security = "ELM"
start = 2025-06-01
shares = 25
note = "not booked"

[[expected]]
what = "purchase"
confidence = "possible"
security = "ELM"
start = 2025-07-01
shares = 1

[[expected]]
what = "gain"
taxpayer = "T1"
amount = -1250.50
"""
Run = Callable[..., Result]


@pytest.fixture(scope="module")
def run(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder: Path = tmp_path_factory.mktemp("household")
    for name, text in FILES.items():
        (folder / name).write_text(text)
    (folder / "page.toml").write_text(PAGE)
    with Store.open(settings) as store:
        store.drop_firm("cli_household")
        store.create_firm("cli_household", market="market_cli_household")

    def of(*words: str) -> Result:
        shared = ["--home", str(settings.home), "--firm", "cli_household"]
        return CliRunner().invoke(app, [*shared, *(str(word).format(folder=folder) for word in words)])

    files = [f"{{folder}}/{name}" for name in FILES]
    assert of("import", *files[:5], "--asof", "2025-06-30").exit_code == 0
    with Store.open(settings) as store, store.firm("cli_household") as firm:
        own = next(one for one in book_tables.load_accounts(firm) if one.code == "own")
        book = EventWriter()
        book.buy((own.household_id, own.account_id), date(2024, 1, 10), 1, 100, 1000)
        book.sell((own.household_id, own.account_id), date(2025, 6, 2), 1, 100, 600)
        post(firm, book.events(), source="test", advance=lambda *_: None)
    assert of("import", *files[5:], "--asof", "2025-06-30").exit_code == 0
    assert of("household", "expect", "{folder}/page.toml").exit_code == 0
    return of


def asked(run: Run, *words: str) -> dict[str, object]:
    done = run("household", *words, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_the_household_is_shown_with_what_is_lost(run: Run) -> None:
    facts = asked(run, "show", "own", "--on", "2025-06-16")
    assert facts["household"] == "H1"
    assert [(one["account"], one["management"], one["belongs"]) for one in facts["accounts"]] == [
        ("own", "managed", True), ("ira", "fed", True), ("plan", "attested", True),
    ]  # fmt: skip
    assert facts["taxpayers"][0]["outside_long_usd"] == "-1250.50"
    (lost,) = facts["permanent_losses"]
    assert (lost["buyer"], lost["lost_usd"], lost["shares"]) == ("ira", "160.00", "40")
    assert "2008-5" in lost["rule"]
    assert [(one["first"], one["counted"], one["to_confirm"]) for one in facts["due"]] == [
        ("2025-06-01", True, True), ("2025-07-01", False, False),
    ]  # fmt: skip
    left = asked(run, "show", "H1", "--on", "2025-06-20")["accounts"][2]
    assert (left["linked"], left["unlinked"], left["belongs"]) == ("2025-01-01", "2025-06-20", False)
    told = run("household", "show", "H1", "--on", "2025-06-16").stdout
    assert "Losses gone for good" in told
    assert "Rev. Rul. 2008-5" in told.replace("\n", " ")


def test_the_calendar_tells_what_is_locked_until_when(run: Run) -> None:
    facts = asked(run, "washes", "H1", "--on", "2025-06-16")
    assert facts["next_unlock"] == "2025-07-02"
    by_name = {one["security"]: one for one in facts["locks"]}
    oak = by_name["OAK"]
    assert (oak["exposed_shares"], oak["loss_usd"], oak["buy_clean_from"]) == ("60", "240.00", "2025-07-03")
    assert oak["permanent_usd"] == "96.00"
    elm = by_name["ELM"]
    assert (elm["coming_shares"], elm["sale_clean_from"], elm["silent_accounts"]) == ("25", "2025-07-02", 1)
    told = run("household", "washes", "H1", "--on", "2025-06-16").stdout
    assert "Purchases that would wash a loss" in told
    assert "nothing is known" in told
    assert "Nothing is locked" in run("household", "washes", "H1", "--on", "2026-06-16").stdout


def test_a_page_with_a_mistake_is_refused_whole(run: Run, tmp_path: Path) -> None:
    (tmp_path / "page.toml").write_text('household = "H1"\nyear = 2025\n[[expected]]\nwhat = "gain"\n')
    done = run("household", "expect", str(tmp_path / "page.toml"), "--json")
    assert done.exit_code == 2
    (file,) = json.loads(done.stdout)["files"]
    assert [one["column"] for one in file["mistakes"]] == ["taxpayer", "amount"]


def test_a_household_that_is_not_there(run: Run) -> None:
    done = run("household", "show", "H7")
    assert "there is no household or account 'H7'" in str(done.exception)
    assert "H1" in str(done.exception)


def test_what_destroys_a_loss_says_so(run: Run, tmp_path: Path) -> None:
    """The purchase is put right: fewer shares, then more. Only what is lost anew is announced."""
    facts = asked(run, "show", "own", "--on", "2025-06-16")
    (lost,) = facts["permanent_losses"]
    event = str(lost["purchase_event"])
    fewer = run("ledger", "correct", event, "--quantity", "10", "--amount", "60", "--reason", "typing error")
    assert "1 sale(s) changed" in fewer.stdout
    assert "gone for good" not in fewer.stdout
    again = str(json.loads(run("ledger", "events", "ira", "--json").stdout)["events"][-1]["event"])
    words = ("ledger", "correct", again, "--quantity", "40", "--amount", "240", "--reason", "none")
    told = [line for line in run(*words).stdout.splitlines() if "gone for good" in line]
    wanted = (
        "gone for good on 2025-06-09: $120.00 of what own lost on OAK (sold 2025-06-02), "
        "by the 30 shares that ira bought"
    )
    assert [line.partition(";")[0] for line in told] == [wanted]
    more = tmp_path / "outside_transactions.csv"
    more.write_text("account,id,date,kind,security,quantity,amount\nira,late,2025-06-12,buy,OAK,5,30\n")
    done = run("import", str(more), "--asof", "2025-06-30")
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("gone for good")]
    assert line.startswith("gone for good on 2025-06-12: $20.00 of what own lost on OAK")
