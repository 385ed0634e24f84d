"""The main job end to end: a world is built, decided, explained, killed and taken up again."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from allotment.jobs.market_day import read_snapshot
from allotment.settings import load
from allotment.store import proposal_tables, run_tables
from allotment.store.database import Store

_spec = importlib.util.spec_from_file_location(
    "proposal_check", Path(__file__).with_name("proposal_check.py")
)
proposal_check = importlib.util.module_from_spec(_spec)
sys.modules["proposal_check"] = proposal_check
_spec.loader.exec_module(proposal_check)

DATA = Path(os.environ.get("ALLOTMENT_TEST_DATA", Path(__file__).resolve().parents[2] / "../shared/data"))
KEYS = {
    "accounts", "lots", "proposals", "seconds", "accounts_per_second_per_core", "tracking_error_before",
    "tracking_error_after", "tax_this_year_saved_usd", "loss_banked_usd", "exceptions",
}  # fmt: skip


def firm_store(home: Path):
    return Store.open(load({"home": home}, {}))


def check_all(home: Path) -> int:
    with firm_store(home) as store, store.firm("demo") as firm:
        run = run_tables.latest_run(firm, kind="rebalance")
        return proposal_check.check_run(firm, run.run_id, read_snapshot(firm, run.asof))


def test_the_demo_says_what_it_did(demo) -> None:
    assert set(demo) >= KEYS
    assert demo["accounts"] == 150
    assert demo["proposals"] >= 145
    assert demo["loss_banked_usd"] > 0
    assert demo["tax_this_year_saved_usd"] > 0
    assert demo["tracking_error_after"] < demo["tracking_error_before"]


def test_every_proposal_stands_an_independent_look(demo, journey_home) -> None:
    assert check_all(journey_home) == demo["proposals"]


def test_an_account_is_explained(demo, allotment) -> None:
    code = "A000001"
    told = json.loads(allotment("explain", code, "--json").stdout)
    assert told["headline"]
    assert {"security", "why", "tax_usd", "weight_after"} <= set(told["trades"][0])
    shown = allotment("explain", code).stdout
    assert told["headline"] in shown
    assert "no tax advice" in shown


def test_an_unknown_account_names_near_ones(demo, allotment) -> None:
    done = allotment("explain", "A00000", "--json")
    assert done.returncode == 2
    assert "error" in json.loads(done.stdout)


_KILLED_RUN = """
import os, signal, sys
from pathlib import Path
from allotment.jobs import book_run
from allotment.settings import load
from allotment.store.database import Store

where, home = sys.argv[1], Path(sys.argv[2])
steps = 0
def advance(what, done, total):
    global steps
    steps += what == "deciding accounts"
    if where == "between" and steps == 1:
        os.kill(os.getpid(), signal.SIGKILL)
solve = book_run.solve_batch
def killing(market, problems):
    if where == "inside" and steps == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return solve(market, problems)
book_run.solve_batch = killing
with Store.open(load({"home": home}, {})) as store, store.firm("demo") as firm:
    book_run.rebalance_book(firm, book_run.RunRequest(threads=1), advance)
"""


@pytest.mark.parametrize("where", ["between", "inside"])
def test_a_killed_run_is_taken_up_bit_for_bit(demo, allotment, journey_home, where: str) -> None:
    killed = subprocess.run(
        [sys.executable, "-c", _KILLED_RUN, where, str(journey_home)], capture_output=True, timeout=300
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    with firm_store(journey_home) as store, store.firm("demo") as firm:
        broken = run_tables.latest_run(firm, kind="rebalance", finished=False)
        assert broken.state == "running"
        assert 0 < broken.n_steps_done < broken.n_steps
    resumed = json.loads(allotment("rebalance", "--json").stdout)
    assert resumed["resumed"] is True
    assert resumed["run_id"] == broken.run_id
    undisturbed = json.loads(allotment("rebalance", "--json", threads=1).stdout)
    assert undisturbed["resumed"] is False
    with firm_store(journey_home) as store, store.firm("demo") as firm:
        first, second = (proposal_tables.load_proposals(firm, s["run_id"]) for s in (resumed, undisturbed))
    assert [p.account_id for p in first] == [p.account_id for p in second]
    assert [p.decision_hash for p in first] == [p.decision_hash for p in second]
    for one, other in zip(first, second, strict=True):
        assert np.array_equal(one.trades.quantity_nano, other.trades.quantity_nano)
        assert one.objective == other.objective
    assert resumed["tax_this_year_saved_usd"] == undisturbed["tax_this_year_saved_usd"]


def test_a_selection_decides_only_what_was_named(demo, allotment, journey_home) -> None:
    done = allotment("rebalance", "A000002", "A000003", "--json")
    assert json.loads(done.stdout)["accounts"] == 2
    assert allotment("rebalance", "NOPE", "--json").returncode == 2


def test_every_year_netted_stands_the_same_look(demo, allotment, journey_home) -> None:
    done = json.loads(allotment("rebalance", "--year-bps", "0", "--json").stdout)
    assert check_all(journey_home) == done["proposals"] == demo["proposals"]


def test_washes_may_be_priced(demo, allotment) -> None:
    barred = json.loads(allotment("rebalance", "--json").stdout)
    priced = json.loads(allotment("rebalance", "--price-washes", "--json").stdout)
    assert priced["proposals"] == barred["proposals"]
    assert priced["trades"] != barred["trades"]


@pytest.mark.real_data
def test_real_history_stands_the_same_look(allotment, journey_home) -> None:
    if not DATA.exists():
        pytest.skip(f"no market history at {DATA}; name it with ALLOTMENT_TEST_DATA")
    done = allotment("demo", "--accounts", "60", "--prices", str(DATA), "--json")
    assert done.returncode in (0, 3), done.stderr
    assert check_all(journey_home) == json.loads(done.stdout)["proposals"]
