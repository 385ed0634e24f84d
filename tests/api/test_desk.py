"""The Python face: plain words in, frames and figures out, nothing stored."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import allotment
from allotment.api.desk import FIGURES, change
from allotment.book.mandate import Tilt
from allotment.errors import UsageError
from allotment.jobs.demo import DemoRequest, build
from allotment.optimize.modes import Mode, Purpose
from allotment.rebalance.what_if import Change
from allotment.settings import Settings

EXAMPLE = Path(__file__).parents[2] / "docs" / "reference" / "files" / "optimize-example"


@pytest.fixture(scope="module")
def desk(settings: Settings) -> Iterator[allotment.Desk]:
    build(settings, DemoRequest(accounts=6, seed=3), lambda *_: None)
    with allotment.Desk("demo", home=settings.home) as opened:
        yield opened


def test_an_answer_is_a_frame_of_figures_and_one_of_trades(desk) -> None:
    answer = desk.what_if("A000002", risk_price=200.0, exclude=["Energy"])
    table = answer.table
    assert table.columns == ["name", "unit", "before", "after", "change"]
    by_name = {row["name"]: row for row in table.iter_rows(named=True)}
    assert by_name["tracking_error"]["after"] == answer.after.tracking_error_after
    assert by_name["tax"]["change"] == pytest.approx((answer.after.tax_cents - answer.before.tax_cents) / 100)
    trades = answer.trades
    assert len(trades) == len(answer.explanation.trades)
    assert trades["value_usd"].is_sorted(descending=True)
    assert set(trades["side"]) <= {"buy", "sell"}
    assert answer.explanation.headline in repr(answer)
    assert answer.after.asof == desk.asof


def test_accounts_that_a_desk_is_opened_with_must_be_there(desk, settings) -> None:
    desk.open("A000003")
    with allotment.Desk("demo", home=settings.home, accounts=["A000002"]) as opened:
        assert opened.what_if("A000002").after.status == desk.what_if("A000002").after.status
    with pytest.raises(UsageError, match="no account"):
        allotment.Desk("demo", home=settings.home, accounts=["NOPE"])


def test_nothing_to_trade_is_an_empty_frame(desk) -> None:
    answer = desk.what_if("A000002", trade_usd_min=1e9, cash_weight_min=0.0, mode="invest_cash")
    assert len(answer.trades) == 0
    assert answer.remarks == answer.found.after.remarks


def test_a_frontier_is_a_frame_and_a_figure(desk) -> None:
    answer = desk.frontier("A000002", points=5, loss_value=0.5)
    table = answer.table
    assert len(table) == 5
    assert table["tracking_error"].is_sorted(descending=True)
    assert table["tax_and_cost_bps"].is_sorted()
    assert (table["floor_bps"] <= table["tax_and_cost_bps"] + 1e-8).all()
    assert table["is_chosen"].sum() == 1
    assert answer.figure.layout.title.text.startswith("A000002 on ")
    assert "A000002" in repr(answer)


def test_a_folder_needs_no_database() -> None:
    answer = allotment.frontier(EXAMPLE, points=3)
    assert len(answer.table) == 3
    free = allotment.frontier(EXAMPLE, points=3, mode="gain_budget", amount=500.0)
    assert answer.table["tax_usd"][2] > free.table["tax_usd"][2]


def test_words_become_a_change() -> None:
    made = change(
        exclude=["Energy"], allow=["Tech"], without=["ABC"], tilts={"value": 0.1}, cash_usd=-5.0,
        mode="harvest", amount=1_000.0,
    )  # fmt: skip
    assert made == Change(
        exclude=("Energy",), allow=("Tech",), without=("ABC",), tilts=(Tilt("value", 0.1),), cash_usd=-5.0,
        purpose=Purpose(mode=Mode.HARVEST, amount_usd=1_000.0),
    )  # fmt: skip
    assert all(hasattr(made, name) for name in FIGURES)
    for words, told in (
        ({"risk": 1.0}, "risk_price"),
        ({"mode": "profit"}, "harvest"),
        ({"amount": 1.0}, "belong to a mode"),
    ):
        with pytest.raises(UsageError, match=told):
            change(**words)


def test_importing_the_face_is_light() -> None:
    """Commands that compile nothing do not wait for Numba; the names are there all the same."""
    code = "import sys, allotment; assert 'frontier' in dir(allotment); assert 'numba' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", code], env={**os.environ}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    with pytest.raises(AttributeError, match="nothing"):
        _ = allotment.nothing
