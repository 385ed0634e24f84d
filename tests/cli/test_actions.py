"""The commands of corporate actions, one after the other, as a desk would use them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer

from allotment.cli.app import app
from allotment.settings import Settings

CLOSES = "security,session,close,adjusted\nGE,2024-04-02,90,90\nGEV,2024-04-02,40,40\n"
FILES = {
    "securities.csv": "security,name\nGE,General Electric\nGEV,GE Vernova\n",
    "index_weights.csv": "index,session,kind,security,weight\nI,2024-03-28,close,GE,1\n",
    "corporate_actions.csv": (
        "security,ex_date,kind,ratio,amount,other,pay_date,option,default,deadline\n"
        "GE,2024-04-02,spin_off,0.25,,GEV,2024-04-02,,,\n"
        "GE,2024-05-02,tender,,100,,2024-05-06,tender,no,2024-04-26\n"
        "GE,2024-05-02,nothing,,,,,keep,yes,2024-04-26\n"
    ),
    "venues.csv": "venue,share_step\nv,1\n",
    "households.csv": "household\nH\n",
    "taxpayers.csv": "taxpayer,household\nT,H\n",
    "accounts.csv": "account,household,taxpayer,kind,venue,opened\nA,H,T,taxable,v,2020-01-02\n",
    "lots.csv": "account,security,quantity,basis,acquired\nA,GE,101,5050,2022-05-03\n",
    "cash.csv": "account,amount\nA,100\n",
}


@pytest.fixture(scope="module")
def run(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Any]:
    """Runs a command of the firm `acting`, whose book is imported; gives (exit code, stdout)."""
    folder = tmp_path_factory.mktemp("acting")
    for name, text in FILES.items():
        (folder / name).write_text(text)
    shared = ["--home", str(settings.home), "--firm", "acting"]

    def call(*words: str) -> tuple[int, str]:
        import contextlib
        import io

        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            try:
                code = app([*shared, *words], standalone_mode=False)
            except typer.Exit as leaving:
                code = leaving.exit_code
        return (code if isinstance(code, int) else 0), out.getvalue()

    from allotment.store.database import Store

    with Store.open(settings) as store:
        store.drop_firm("acting")
    assert call("init", "acting", "--json")[0] == 0
    code, told = call("import", str(folder), "--asof", "2024-03-28", "--json")
    assert code == 0, told
    (folder / "prices.csv").write_text(CLOSES)
    assert call("import", str(folder / "prices.csv"), "--asof", "2024-04-02", "--json")[0] == 0
    return call


def facts(answer: tuple[int, str]) -> Any:
    return json.loads(answer[1])


def test_a_spin_off_from_the_calendar_to_final_terms(run: Callable[..., Any], tmp_path: Path) -> None:
    day = ("--asof", "2024-04-01")
    code, told = run("actions", "calendar", *day, "--to", "2024-04-30", "--json")
    (one,) = json.loads(told)["actions"]
    assert (code, one["standing"], one["shares"], one["fraction"]) == (0, "expected", "25", "0.25")
    assert one["does"] == "101 GE: +25 GEV, $10.00 for 0.25 of a share; basis is provisional"
    assert "101 GE: +25 GEV" in run("actions", "calendar", *day)[1].replace("\n", " ")

    (seen,) = facts(run("actions", "preview", "A", "GE", "2024-04-02", *day, "--json"))["actions"]
    assert [(lot["security"], lot["after"]["basis"]) for lot in seen["lots"]] == [
        ("GE", "4545.00"),
        ("GEV", "500.00"),
    ]
    assert seen["recognised"][0]["gain"] == "5.00"
    assert "gain $5.00 (L)" in run("actions", "preview", "A", "GE", "2024-04-02", *day)[1]

    file = tmp_path / "got.csv"
    file.write_text("account,security,ex_date,kind,shares,lieu\nA,GE,2024-04-02,spin_off,25,10.20\n")
    code, told = run("actions", "post", str(file), "--asof", "2024-04-03", "--json")
    posted = json.loads(told)
    assert (code, posted["events_booked"], posted["differences"][0]["severity"]) == (0, 1, "note")
    assert "1 were booked already" in run("actions", "post", str(file), "--asof", "2024-04-03")[1]
    assert run("actions", "differences", "--json")[0] == 0

    final = tmp_path / "corporate_actions.csv"
    final.write_text(
        "security,ex_date,kind,ratio,other,price,other_price,final\n"
        "GE,2024-04-02,spin_off,0.25,GEV,80,80,yes\n"
    )
    assert run("import", str(final), "--asof", "2024-05-20", "--json")[0] == 0
    code, told = run("actions", "finalise", "GE", "2024-04-02", "--asof", "2024-05-20", "--json")
    (changed,) = json.loads(told)["sales_changed"]
    assert (code, changed["basis_before"], changed["basis_after"]) == (0, "5.00", "10.00")
    assert "Sales whose figures" not in run("actions", "finalise", "GE", "2024-04-02")[1]


def test_a_choice_and_what_indexes_do(run: Callable[..., Any]) -> None:
    window = ("--asof", "2024-04-20", "--json")
    (task,) = facts(run("actions", "elections", *window))["elections"]
    assert (task["state"], task["default"], task["options"]) == ("open", "keep", ["tender", "keep"])
    code, told = run(
        "actions", "elect", "A", "GE", "2024-05-02", "tender", "--shares", "40", "--by", "client", *window
    )
    assert (code, json.loads(told)["in_force"]) == (0, "tender")
    (one,) = facts(run("actions", "calendar", *window, "--from", "2024-05-01"))["actions"]
    assert (one["kind"], one["cash"]) == ("tender", "4000.00")
    assert "client" in run("actions", "elections", *window[:2])[1]
    (change,) = facts(run("actions", "index", "--from", "2024-04-01", *window))["changes"]
    assert (change["change"], change["other"]) == ("child_enters", "GEV")
    assert "child_enters" in run("actions", "index", "--from", "2024-04-01", *window[:2])[1]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("preview", "A", "GEX", "2024-04-02"), "GEV"),
        (("elect", "A", "GE", "2024-05-02", "tender", "--shares", "-1"), "above zero"),
        (("differences", "--settle", "3"), "--note"),
        (("calendar", "--from", "2024-05-01", "--to", "2024-04-01"), "after"),
    ],
)
def test_wrong_use_is_told(run: Callable[..., Any], words: tuple[str, ...], said: str) -> None:
    from allotment.errors import UsageError

    with pytest.raises(UsageError, match=said):
        run("actions", *words)
