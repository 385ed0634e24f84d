"""A proposal in words: every figure in a sentence is a recorded one."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np

from allotment.rebalance.explain import explain
from allotment.rebalance.proposal import Proposal, ProposalState, Reason, Trades, no_trades


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


def proposal(made: Trades, **changes: object) -> Proposal:
    facts = {
        "account_id": 1, "asof": date(2025, 6, 30), "state": ProposalState.PROPOSED, "status": "solved",
        "mandate_version": 1, "model_version": "m", "engine_version": "e", "rules_version": "r",
        "inputs_hash": "i", "decision_hash": "d", "value_cents": 1_000_00, "cash_before_cents": 10_00,
        "cash_after_cents": 210_00, "n_names_before": 2, "n_names_after": 2, "n_lots": 3,
        "drift_before": 0.25, "drift_after": 0.1, "tracking_error_before": 0.02, "tracking_error_after": 0.01,
        "gain_short_cents": -100_00, "gain_long_cents": 10_00, "loss_banked_cents": 100_00,
        "tax_cents": -28_00,
        "tax_this_year_saved_cents": 0, "cost_cents": 6, "turnover": 0.2, "objective": 0.01,
        "hold_objective": 0.03, "lower_bound": 0.00999, "gap_bps": 0.1,
    } | changes  # fmt: skip
    return Proposal(trades=made, **facts)


def test_lots_of_a_name_are_one_line() -> None:
    sale, purchase = explain(proposal(trades())).trades
    assert (sale.side, sale.n_lots, sale.shares, sale.value_usd) == ("sell", 2, 3.0, 300.0)
    assert (sale.gain_short_usd, sale.gain_long_usd, sale.tax_usd) == (-100.0, 10.0, -28.0)
    assert sale.reason == Reason.HARVEST_LOSS  # the larger lot speaks for the name
    assert (purchase.side, purchase.n_lots, purchase.value_usd) == ("buy", 0, 100.0)


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


def test_doing_nothing_is_told_too() -> None:
    told = explain(proposal(no_trades(), state=ProposalState.NOTHING_TO_DO))
    assert told.headline.startswith("Nothing is traded")
    assert told.trades == ()


def test_a_holding_that_is_not_allowed_is_said() -> None:
    told = explain(proposal(trades(), hold_objective=float("inf")))
    assert any("no choice" in fact for fact in told.facts)
