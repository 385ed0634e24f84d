"""A proposal in words: every figure in a sentence is a recorded one."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import date

import numpy as np
import pytest

from allotment.optimize.alternatives import Other
from allotment.optimize.reasons import Reason
from allotment.optimize.why_not import Question, Rule
from allotment.rebalance.explain import explain
from allotment.rebalance.proposal import Proposal, ProposalState, Trades, no_trades
from allotment.rebalance.reasons import TradeReasons, Untraded


def trades() -> Trades:
    """Two lots of name 1 sold (one at a loss), name 2 bought."""
    return replace(
        no_trades(),
        **{
            name: np.array(values, kind)
            for name, values, kind in (
                ("security_id", [1, 1, 2], np.int64),
                ("side", [-1, -1, 1], np.int8),
                ("quantity_nano", [10**9, 2 * 10**9, 10**9], np.int64),
                ("price_micros", [10**8] * 3, np.int64),
                ("value_cents", [100_00, 200_00, 100_00], np.int64),
                ("origin_event", [5, 6, -1], np.int64),
                ("origin_line", [0, 0, -1], np.int32),
                ("basis_cents", [90_00, 300_00, 0], np.int64),
                ("gain_cents", [10_00, -100_00, 0], np.int64),
                ("is_long_term", [1, 0, 0], np.int8),
                ("tax_cents", [2_00, -30_00, 0], np.int64),
                ("cost_cents", [1, 2, 3], np.int64),
                ("reason", [Reason.REDUCE_OVERWEIGHT, Reason.HARVEST_LOSS, Reason.INVEST_CASH], np.int8),
                ("weight_before", [0.5, 0.5, 0.1], np.float64),
                ("weight_after", [0.2, 0.2, 0.2], np.float64),
                ("weight_index", [0.3, 0.3, 0.2], np.float64),
                ("risk_price_before", [0.0] * 3, np.float64),
                ("risk_price_after", [0.0] * 3, np.float64),
            )
        },
    )


def reasons() -> TradeReasons:
    """Name 1 was sold for its loss; name 2 has no reasons."""
    made = {f.name: np.zeros(1) for f in fields(TradeReasons)} | {
        "security_id": np.array([1]),
        "factor": np.array([1], np.int32),
        "other": np.array([Other.FEWER_LOTS], np.int8),
        "tax_usd": np.array([-28.0]),
        "risk_usd": np.array([-3.25]),
        "cost_usd": np.array([0.06]),
        "worth_usd": np.array([30.0]),
        "other_usd": np.array([12.0]),
        "at_least_usd": np.array([25.0]),
    }
    return TradeReasons(**made)


def untraded() -> Untraded:
    """A loss that is barred for some days, and a gain that tax keeps."""
    return Untraded(
        security_id=np.array([3, 4]),
        question=np.array([Question.HARVEST, Question.REDUCE], np.int8),
        rule=np.array([Rule.YOUNG_SHARES, Rule.TAX], np.int8),
        weight=np.array([0.0123, 0.02]),
        brings_usd=np.array([400.0, 20.0]),
        against_usd=np.array([np.nan, 150.0]),
        until=np.array(["2025-07-12", "NaT"], "M8[D]"),
    )


def proposal(made: Trades, **changes: object) -> Proposal:
    facts = {
        "account_id": 1, "asof": date(2025, 6, 30), "state": ProposalState.PROPOSED, "status": "solved",
        "mandate_version": 1, "model_version": "m", "engine_version": "e", "rules_version": "r",
        "inputs_hash": "i", "decision_hash": "d", "value_cents": 1_000_00, "cash_before_cents": 10_00,
        "cash_after_cents": 210_00, "cash_weight_min": 0.0, "cash_weight_max": 0.01,
        "cash_band_added": 0.0, "n_names_before": 2, "n_names_after": 2, "n_lots": 3,
        "drift_before": 0.25, "drift_after": 0.1, "tracking_error_before": 0.02, "tracking_error_after": 0.01,
        "gain_short_cents": -100_00, "gain_long_cents": 10_00, "loss_banked_cents": 100_00,
        "tax_cents": -28_00,
        "tax_this_year_saved_cents": 0, "cost_cents": 6, "turnover": 0.2, "objective": 0.01,
        "hold_objective": 0.03, "lower_bound": 0.00999, "gap_bps": 0.1,
    } | changes  # fmt: skip
    parts = {"trades": made, "reasons": reasons(), "untraded": untraded()}
    return Proposal(**(parts | facts))


def test_lots_of_a_name_are_one_line() -> None:
    sale, purchase = explain(proposal(trades())).trades
    assert (sale.side, sale.n_lots, sale.shares, sale.value_usd) == ("sell", 2, 3.0, 300.0)
    assert (sale.gain_short_usd, sale.gain_long_usd, sale.tax_usd) == (-100.0, 10.0, -28.0)
    assert sale.reason == Reason.HARVEST_LOSS  # the larger lot speaks for the name
    assert (purchase.side, purchase.n_lots, purchase.value_usd) == ("buy", 0, 100.0)


def test_a_line_looked_at_alone_is_that_of_all_of_them() -> None:
    """Lines are put together when somebody looks: by number, from behind, in part or one after another."""
    lines = explain(proposal(trades())).trades
    sale, purchase = lines
    assert (lines[0], lines[1], lines[-1]) == (sale, purchase, purchase)
    assert (lines[:1], lines[1:], lines[:10], lines[5:]) == ((sale,), (purchase,), (sale, purchase), ())
    assert lines == (sale, purchase) == tuple(explain(proposal(trades())).trades)
    assert lines != (purchase, sale)
    assert list(reversed(lines)) == [purchase, sale]
    with pytest.raises(IndexError):
        _ = lines[2]
    assert len(explain(proposal(no_trades())).trades) == 0


def test_the_sentences_carry_the_figures() -> None:
    told = explain(proposal(trades()))
    assert told.headline == "Sell $300 of one name and buy $100 of one name."
    text = " ".join(told.facts)
    for figure in (
        "2.00% to 1.00%",
        "25.0%",
        "$10 to $210",
        "Losses of $100",
        "saves $28",
        "$20 better",
        "0.10 basis",
    ):
        assert figure in text, figure


def test_what_is_proven_is_never_rounded_away() -> None:
    (told,) = (fact for fact in explain(proposal(trades(), gap_bps=0.0012)).facts if "basis points" in fact)
    assert "more than 0.01 basis points" in told


def test_one_side_alone_is_told_alone() -> None:
    sold = Trades(**{f.name: getattr(trades(), f.name)[:2] for f in fields(Trades)})
    assert explain(proposal(sold)).headline == "Sell $300 of one name."


def test_doing_nothing_is_told_too() -> None:
    told = explain(proposal(no_trades(), state=ProposalState.NOTHING_TO_DO))
    assert told.headline.startswith("Nothing is traded")
    assert told.trades == ()


def test_a_holding_that_is_not_allowed_is_said() -> None:
    told = explain(proposal(trades(), hold_objective=float("inf")))
    assert any("no choice" in fact for fact in told.facts)


def test_a_cash_band_widened_for_whole_shares_is_said() -> None:
    told = explain(proposal(trades(), cash_weight_min=0.0, cash_weight_max=0.15, cash_band_added=0.14))
    (said,) = [fact for fact in told.facts if "cheapest share" in fact]
    assert said.endswith("cash from $0 to $150 counts as inside.")
    assert not any("cheapest share" in fact for fact in explain(proposal(trades())).facts)


def test_a_trade_says_what_it_changes_and_what_doing_without_it_costs() -> None:
    sale, purchase = explain(proposal(trades()), ("market", "energy")).trades
    assert sale.because == "Tax falls by $28, risk falls by $3.25 (mostly energy), trading costs $0.06."
    assert sale.instead == (
        "Without it the account would be $30 worse off, at least $25 whatever is traded instead; "
        "keeping its dearest lot would cost $12."
    )
    assert purchase.because == purchase.instead == ""


def test_a_factor_without_a_name_is_numbered() -> None:
    assert "(mostly factor 1)" in explain(proposal(trades())).trades[0].because


def test_what_was_left_says_which_rule_until_when_and_what_it_would_bring() -> None:
    barred, taxed = explain(proposal(trades())).left
    assert barred.why_not == (
        "Its lots at a loss (1.23% of the account) are kept: shares bought in the last 30 days would "
        "wash the loss (until 2025-07-12); but for that it would bring $400."
    )
    assert (barred.until, barred.against_usd) == (date(2025, 7, 12), None)
    assert taxed.why_not == (
        "It stays 2.00% of the account above the index: "
        "the trade would bring $20, but cost $150, most of it for tax."
    )
    assert (taxed.until, taxed.against_usd) == (None, 150.0)
