"""Proposals come back bit for bit, and a later run supersedes them."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import date

import numpy as np
import pytest

from allotment.rebalance.proposal import Proposal, ProposalState, Trades, no_trades
from allotment.store import proposal_tables, run_tables

ASOF = date(2025, 6, 30)


def trades(n: int, seed: int) -> Trades:
    rng = np.random.default_rng(seed)
    made = {}
    for f in fields(Trades):
        kind = {"Ints": np.int64, "Index": np.int32, "Codes": np.int8, "Floats": np.float64}[str(f.type)]
        column = rng.normal(scale=1e3, size=n)
        made[f.name] = column.astype(kind)
    made["weight_after"][:1] = np.inf
    made["risk_price_before"][:1] = np.nan
    made["risk_price_after"][:2] = [5e-324, -0.0][: len(made["risk_price_after"][:2])]
    return Trades(**made)


def proposal(account_id: int, n_trades: int) -> Proposal:
    rng = np.random.default_rng(account_id)
    made: dict[str, object] = {}
    for f in fields(Proposal):
        made[f.name] = {
            "int": lambda: int(rng.integers(-1000, 1000)),
            "float": lambda: float(rng.normal()),
            "str": lambda: f"text {account_id}",
            "date": lambda: ASOF,
            "ProposalState": lambda: ProposalState.PROPOSED if n_trades else ProposalState.NOTHING_TO_DO,
            "Trades": lambda: trades(n_trades, account_id) if n_trades else no_trades(),
        }[str(f.type)]()
    return replace(Proposal(**made), account_id=account_id, hold_objective=float("inf"))


def run(firm, accounts) -> int:
    return run_tables.create_run(
        firm, kind="rebalance", asof=ASOF, inputs_hash="", parameters={}, engine_version="", rules_version="",
        steps=[accounts],
    )  # fmt: skip


def finish(firm, run_id: int) -> None:
    with firm.transaction():
        step = run_tables.claim_step(firm, run_id)
        run_tables.finish_step(firm, step, n_done=len(step.account_ids), seconds=0.0)
    assert run_tables.finish_run(firm, run_id)


def same(a: Proposal, b: Proposal) -> None:
    assert replace(a, trades=no_trades()).__repr__() == replace(b, trades=no_trades()).__repr__()
    for f in fields(Trades):
        one, other = getattr(a.trades, f.name), getattr(b.trades, f.name)
        assert one.dtype == other.dtype
        assert one.tobytes() == other.tobytes(), f.name


def test_proposals_come_back_bit_for_bit(firm, book) -> None:
    run_id = run(firm, [1, 2, 3])
    sent = [proposal(3, 4), proposal(1, 0), proposal(2, 1)]
    proposal_tables.save_proposals(firm, run_id, sent)
    found = proposal_tables.load_proposals(firm, run_id)
    assert [one.account_id for one in found] == [1, 2, 3]
    for one, other in zip(sorted(sent, key=lambda p: p.account_id), found, strict=True):
        same(one, other)
    assert [one.account_id for one in proposal_tables.load_proposals(firm, run_id, [2])] == [2]
    assert proposal_tables.load_proposals(firm, run_id + 1) == ()


def test_the_view_shows_trades_as_rows(firm, book) -> None:
    run_id = run(firm, [1])
    sent = proposal(1, 5)
    proposal_tables.save_proposals(firm, run_id, [sent])
    names = [f.name for f in fields(Trades)]
    rows = (
        firm.connection().execute(f"SELECT {', '.join(names)} FROM proposal_trade ORDER BY row_ix").fetchall()
    )
    for name, column in zip(names, zip(*rows, strict=True), strict=True):
        np.testing.assert_array_equal(getattr(sent.trades, name), np.array(column), err_msg=name)


def test_a_later_run_supersedes(firm, book) -> None:
    first, second = run(firm, [1, 2]), run(firm, [1])
    proposal_tables.save_proposals(firm, first, [proposal(1, 2), proposal(2, 2)])
    finish(firm, first)
    same(proposal_tables.latest_proposal(firm, 1), proposal(1, 2))
    proposal_tables.save_proposals(firm, second, [replace(proposal(1, 1), status="second")])
    assert proposal_tables.latest_proposal(firm, 1).status == "text 1"  # the run is not finished
    finish(firm, second)
    assert proposal_tables.latest_proposal(firm, 1).status == "second"
    states = [one.state for one in proposal_tables.load_proposals(firm, first)]
    assert states == [ProposalState.SUPERSEDED, ProposalState.PROPOSED]
    assert proposal_tables.latest_proposal(firm, 5) is None


def test_a_run_decides_an_account_once(firm, book) -> None:
    import psycopg

    run_id = run(firm, [1])
    proposal_tables.save_proposals(firm, run_id, [proposal(1, 1)])
    with pytest.raises(psycopg.errors.UniqueViolation):
        proposal_tables.save_proposals(firm, run_id, [proposal(1, 1)])
