"""Proposals come back bit for bit, and a later run supersedes them."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import date

import numpy as np
import pytest

from allotment.rebalance.proposal import Proposal, ProposalState, Trades, no_trades
from allotment.rebalance.reasons import TradeReasons, Untraded, nothing
from allotment.store import proposal_tables, run_tables

ASOF = date(2025, 6, 30)


def columns(record: type, n: int, seed: int):
    """Any record of columns, with the floats that are hard to keep."""
    rng = np.random.default_rng(seed)
    made = {}
    for f in fields(record):
        column = rng.normal(scale=1e3, size=n)
        if str(f.type) == "Dates":
            made[f.name] = np.where(column > 0, np.datetime64("2025-06-30"), np.datetime64("NaT"))
            continue
        kind = {"Ints": np.int64, "Index": np.int32, "Codes": np.int8, "Floats": np.float64}[str(f.type)]
        made[f.name] = column.astype(kind)
    hard = [name for name, column in made.items() if column.dtype == np.float64][:3]
    made[hard[0]][:1] = np.inf
    made[hard[1]][:1] = np.nan
    made[hard[2]][:2] = [5e-324, -0.0][: min(n, 2)]
    return record(**made)


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
            "Trades": lambda: columns(Trades, n_trades, account_id) if n_trades else no_trades(),
            "TradeReasons": lambda: columns(TradeReasons, n_trades, account_id),
            "Untraded": lambda: columns(Untraded, n_trades + 2, account_id),
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
    bare = {"trades": no_trades(), "reasons": nothing(TradeReasons), "untraded": nothing(Untraded)}
    assert replace(a, **bare).__repr__() == replace(b, **bare).__repr__()
    for part, record in bare.items():
        for f in fields(record):
            one, other = getattr(getattr(a, part), f.name), getattr(getattr(b, part), f.name)
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


@pytest.mark.parametrize(
    ("part", "view"),
    [("trades", "proposal_trade"), ("reasons", "proposal_reason"), ("untraded", "proposal_untraded")],
)
def test_the_views_show_columns_as_rows(firm, book, part, view) -> None:
    run_id = run(firm, [1])
    sent = proposal(1, 5)
    proposal_tables.save_proposals(firm, run_id, [sent])
    record = getattr(sent, part)
    names = [f.name for f in fields(record)]
    rows = firm.connection().execute(f"SELECT {', '.join(names)} FROM {view} ORDER BY row_ix").fetchall()
    for name, column in zip(names, zip(*rows, strict=True), strict=True):
        found = np.array(column, getattr(record, name).dtype)
        np.testing.assert_array_equal(getattr(record, name), found, err_msg=name)


def test_a_proposal_of_before_has_no_reasons(firm, book) -> None:
    """The columns' defaults are sound blobs: what an older program stored can be read."""
    run_id = run(firm, [1])
    proposal_tables.save_proposals(firm, run_id, [proposal(1, 2)])
    with firm.transaction() as connection:
        figures = [f.name for f in fields(Proposal) if f.name not in {"trades", "reasons", "untraded"}]
        rest = ", ".join(name for name in figures if name != "account_id")
        connection.execute(
            f"INSERT INTO proposal (run_id, account_id, n_trades, trades, {rest}) "
            f"SELECT run_id, 2, n_trades, trades, {rest} FROM proposal"
        )
    old = proposal_tables.load_proposals(firm, run_id, [2])[0]
    assert len(old.trades) == 2
    assert len(old.reasons.security_id) == len(old.untraded.security_id) == 0


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
