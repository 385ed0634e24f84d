"""What the main job looks like: every figure that is shown is a recorded one."""

from __future__ import annotations

import math
from dataclasses import fields
from datetime import date
from io import StringIO

import pytest
from rich.console import Console

from allotment.book.household import Account, AccountKind
from allotment.cli import show
from allotment.jobs.summary import RunSummary
from allotment.optimize.alternatives import Other
from allotment.optimize.reasons import Reason
from allotment.optimize.why_not import Question, Rule
from allotment.rebalance.explain import Explanation, NameLeft
from allotment.rebalance.trade_lines import NameTrade, Weighed
from allotment.rebalance.what_if import Line


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> StringIO:
    text = StringIO()
    monkeypatch.setattr(show, "console", Console(file=text, width=120))
    return text


def summary(**changes: object) -> RunSummary:
    figures: dict[str, object] = {
        field.name: at + 1000 for at, field in enumerate(fields(RunSummary)) if field.name != "exceptions"
    }
    base = {"asof": "2025-06-30", "resumed": False, "exceptions": {}, "turnover": 0.123}
    rates = {"tracking_error_before": 0.0234, "tracking_error_after": 0.0123}
    return RunSummary(**(figures | base | rates | changes))


def test_a_summary_names_what_matters(shown: StringIO) -> None:
    figures = summary(accounts=412, loss_banked_usd=98_765.4, tax_this_year_saved_usd=-4_321.0)
    show.summary(figures)
    text = shown.getvalue()
    for piece in ("412", "$98,765", "-$4,321", "1.23%", "before: 2.34%", "12.3%", "no tax advice"):
        assert piece in text, piece
    assert "To look at" not in text
    assert "taken up" not in text


def test_exceptions_and_a_run_taken_up_are_told(shown: StringIO) -> None:
    show.summary(summary(exceptions={"no_price": 3, "books": 1}, resumed=True))
    assert "3 no_price, 1 books" in shown.getvalue()
    assert "taken up where it stopped" in shown.getvalue()


def test_an_account_shows_its_exceptions_as_they_are(shown: StringIO) -> None:
    found = Account(
        account_id=1, code="A1", household_id=1, taxpayer_id=1, kind=AccountKind.ROTH_IRA,
        venue_code="acme", opened=date(2020, 1, 2),
    )  # fmt: skip
    show.account(found, ["no price for [S03]"])
    assert "roth_ira account, held at acme" in shown.getvalue()
    assert "[S03]" in shown.getvalue()  # not taken for markup


def trade(**changes: object) -> NameTrade:
    values: dict[str, object] = {
        "security_id": 1, "side": "sell", "shares": 1.0, "value_usd": 300.0, "n_lots": 2,
        "gain_short_usd": -100.0, "gain_long_usd": 10.0, "tax_usd": -28.0, "cost_usd": 0.1,
        "weight_before": 0.5, "weight_after": 0.2, "weight_index": 0.3,
        "reason": Reason.HARVEST_LOSS, "why": "banks a loss",
        "weighed": Weighed(
            tax_usd=-28.0, cost_usd=0.0, wash_usd=0.0, tilt_usd=0.0, risk_usd=0.0, factor="",
            worth_usd=30.0, other=Other.HOLD, other_usd=30.0, at_least_usd=math.nan, limit_usd=0.0,
        ),
    }  # fmt: skip
    return NameTrade(**(values | changes))


def left() -> NameLeft:
    return NameLeft(
        security_id=4, question=Question.HARVEST, rule=Rule.NO_SALE, weight=0.01, brings_usd=10.0,
        against_usd=None, until=None, why_not="Its loss is not taken: it may not be sold.",
    )  # fmt: skip


def test_trades_are_rows_and_the_rest_is_counted(shown: StringIO, proposal_facts) -> None:
    told = Explanation(
        headline="Sell and buy.",
        facts=("a fact",),
        trades=(trade(), trade(security_id=2, side="buy", n_lots=0, weighed=None), trade(security_id=3)),
        left=(left(),),
    )
    show.explanation(proposal_facts, told, {1: "ABC", 2: "DEF", 3: "GHI", 4: "JKL"}, rows=2)
    text = shown.getvalue()
    for piece in (
        "Sell and buy.",
        "a fact",
        "ABC",
        "2 lots",
        "-$90",
        "-$28",
        "50.00%",
        "banks a loss",
        "DEF",
        "sell ABC  Tax falls by $28. Without it",
        "JKL  Its loss is not taken: it may not be sold.",
    ):
        assert piece in text, piece
    assert "GHI" not in text
    assert "1 smaller trade (" in text


@pytest.fixture
def proposal_facts() -> object:
    class Facts:
        asof = date(2025, 6, 30)
        value_cents = 1_000_000_00

    return Facts()


def test_a_comparison_shows_both_and_the_difference(shown: StringIO) -> None:
    show.comparison(
        "A-1, exclude Energy",
        [
            Line(name="tracking_error", unit="fraction", before=0.0123, after=0.0100),
            Line(name="tax", unit="usd", before=-1_000.0, after=2_500.0),
            Line(name="trades", unit="count", before=10, after=1_234),
            Line(name="cash", unit="usd", before=0.2, after=-0.2),
            Line(name="gap", unit="bps", before=0.1, after=0.0012),
        ],
    )
    text = shown.getvalue()
    for piece in ("1.23%", "1.00%", "-0.23%", "-$1,000", "$2,500", "+$3,500", "1,234", "+1,224", "0.01 bp"):
        assert piece in text, piece
    assert text.startswith("A-1, exclude Energy")
    assert "-$0" not in text


def test_a_frontier_marks_the_accounts_own_point(shown: StringIO) -> None:
    point = {
        "risk_price": 50.0, "tracking_error": 0.0123, "tax_and_cost_bps": -4.56, "tax_usd": -789.0,
        "trading_cost_usd": 12.0, "turnover": 0.034, "gap_bps": 0.12, "is_chosen": True, "is_relaxed": True,
    }  # fmt: skip
    show.frontier("A-1 today", [point, point | {"is_chosen": False, "is_relaxed": False}], 0.02)
    text = shown.getvalue()
    assert text.count("← own") == text.count("limit broken") == 1
    for piece in ("A-1 today", "1.23%", "-4.6 bp", "-$789", "3.4%", "0.12 bp", "2.00%"):
        assert piece in text, piece
