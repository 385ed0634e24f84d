"""allotment optimize: a folder of files in, a folder of files out, judged from the files alone."""

from __future__ import annotations

import importlib.util
import json
import random
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from allotment.cli import optimize
from allotment.errors import BadFileError, UsageError


def beside(name: str) -> ModuleType:
    """A module of this folder that is no test."""
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


check, folders = beside("optimize_check"), beside("optimize_folders")

EXAMPLE = Path(__file__).parents[2] / "docs" / "reference" / "files" / "optimize-example"
FILES = {"trades.csv", "weights.csv", "multipliers.csv", "reasons.json", "summary.json"}
App = typer.Typer()
App.command()(optimize.optimize)
Changed = Callable[..., Path]


def run(*words: object) -> tuple[int, str]:
    result = CliRunner().invoke(App, [str(word) for word in words])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout


@pytest.fixture
def changed(tmp_path: Path) -> Changed:
    """A copy of the example with texts of its files replaced."""

    def copy(*edits: tuple[str, str, str], name: str = "problem") -> Path:
        folder = tmp_path / name
        shutil.copytree(EXAMPLE, folder)
        for file, old, new in edits:
            text = (folder / file).read_text()
            assert old in text
            (folder / file).write_text(text.replace(old, new, 1))
        return folder

    return copy


def test_the_answer_is_what_its_files_say(tmp_path: Path) -> None:
    code, told = run(EXAMPLE, "--out", tmp_path / "out", "--json")
    assert code == 0
    assert {file.name for file in (tmp_path / "out").iterdir()} == FILES
    summary = check.judge(EXAMPLE, tmp_path / "out")
    assert summary["status"] == "solved"
    assert 0 <= summary["gap_bps"] < 0.1
    assert summary["relaxed"] == []
    assert summary["conflict"] == []
    only = json.loads(told)["problems"]
    assert len(only) == 1
    assert only[0]["objective"] == summary["objective"]
    assert only[0]["out"] == str(tmp_path / "out")


@pytest.mark.parametrize("seed", range(60))
def test_small_accounts_with_everything_in_them_at_once(tmp_path: Path, seed: int) -> None:
    folder = folders.write_folder(tmp_path / "problem", seed, folders.HARDER if seed % 3 else ())
    code, _ = run(folder, "--out", tmp_path / "out")
    summary = check.judge(folder, tmp_path / "out")
    assert (code, summary["status"]) in {(0, "solved"), (3, "relaxed")}
    assert summary["gap_bps"] >= 0


def test_no_other_plan_costs_less_than_the_bound(tmp_path: Path) -> None:
    run(EXAMPLE, "--out", tmp_path / "out")
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    problem, best = check.Problem.of(EXAMPLE), check.Plan.of(tmp_path / "out" / "trades.csv")
    chance, seen = random.Random(4), 0
    for _ in range(600):
        # The answer with some of its trades left out, or of other sizes.
        plan = check.Plan({}, {})
        for trades, found in ((plan.sold, best.sold), (plan.bought, best.bought)):
            kept = {key: shares * chance.choice([0, 1, 1, 1, 1.01, 0.98]) for key, shares in found.items()}
            trades |= {key: round(shares, 3) for key, shares in kept.items() if shares}
        if check.broken(problem, plan):
            continue
        seen += 1
        cost = sum(check.terms_of(problem, plan).values())
        cost += check.relaxations(problem, plan, summary["relaxation_prices"])
        assert cost >= summary["lower_bound"]
    assert seen > 50


def test_what_the_answer_is_for(tmp_path: Path) -> None:
    """The washed Merck is left alone, the restricted names are, and the loss in Schlumberger is taken."""
    run(EXAMPLE, "--out", tmp_path / "out")
    trades = {(row["symbol"], row["side"]): row for row in check.rows(tmp_path / "out" / "trades.csv")}
    assert ("GS", "buy") not in trades
    assert ("JPM", "sell") not in trades
    assert trades["SLB", "sell"]["reason"] == "harvest loss"
    assert trades["NVDA", "sell"]["reason"] == "reduce overweight"
    names = [row["name"] for row in check.rows(tmp_path / "out" / "multipliers.csv")]
    assert names[:4] == ["factor.f0", "factor.f1", "factor.f2", "cash"]
    assert "row.groups.sector.Technology" in names


def test_a_limit_that_cannot_be_met_is_relaxed_and_ends_with_three(changed: Changed, tmp_path: Path) -> None:
    folder = changed(
        ("lots.csv", "2025-10-29,,\n", "2025-10-29,,0\n"),
        ("lots.csv", "2021-03-08,,\n", "2021-03-08,,0\n"),
        ("assets.csv", "0.20\n", "0.15\n"),
    )
    code, told = run(folder, "--out", tmp_path / "out")
    assert code == 3
    assert "relaxed" in told
    summary = check.judge(folder, tmp_path / "out")
    assert summary["status"] == "relaxed"
    amounts = {entry["constraint"]: entry["amount"] for entry in summary["relaxed"]}
    assert amounts["weight_max NVDA"] == pytest.approx(365 * 138.10 / 264286.35 - 0.15, abs=1e-9)
    (conflict,) = summary["conflict"]
    assert [one["constraint"] for one in conflict["constraints"]] == ["lots.sell NVDA", "weight_max NVDA"]
    assert conflict["smallest"]
    assert conflict["proven"]
    for one in conflict["constraints"]:
        assert one["needed"] == pytest.approx(amounts["weight_max NVDA"], abs=1e-4)  # a whole lot at least
    assert "No trades can keep all of these together: the lots of NVDA that are never sold" in told


def test_cash_that_must_leave_and_cannot(changed: Changed, tmp_path: Path) -> None:
    folder = changed(
        ("problem.toml", "cash_min = 0.002", "cash_min = 0.9"),
        ("problem.toml", "cash_max = 0.010", "cash_max = 0.95"),
        ("assets.csv", "Technology,1,1,1", "Technology,1,1,0"),
    )
    code, _ = run(folder, "--out", tmp_path / "out")
    assert code == 3
    summary = check.judge(folder, tmp_path / "out")
    assert "account.cash_min" in {entry["constraint"] for entry in summary["relaxed"]}
    for conflict in summary["conflict"]:
        assert conflict["smallest"]
        assert all(one["needed"] is None or one["needed"] > 0.0 for one in conflict["constraints"])
    assert "account.cash_min" in {
        one["constraint"] for conflict in summary["conflict"] for one in conflict["constraints"]
    }


def test_whole_shares_and_odd_lots(changed: Changed, tmp_path: Path) -> None:
    """Names trade in whole shares though lots hold fractions; a lot sold whole leaves whole."""
    folder = changed(
        ("problem.toml", "share_step = 0.001", "share_step = 1"),
        ("lots.csv", "nvda-2,NVDA,55,", "nvda-2,NVDA,55.123456789,"),
    )
    run(folder, "--out", tmp_path / "out")
    check.judge(folder, tmp_path / "out")
    sold = {row["lot_id"]: row["quantity"] for row in check.rows(tmp_path / "out" / "trades.csv")}
    assert sold["nvda-2"] == "55.123456789"
    assert sold["nvda-1"].endswith(".876543211")


def test_any_fraction_where_the_step_is_nought(changed: Changed, tmp_path: Path) -> None:
    folder = changed(("problem.toml", "share_step = 0.001", "share_step = 0"))
    run(folder, "--out", tmp_path / "out")
    assert check.judge(folder, tmp_path / "out")["status"] == "solved"


def test_cash_alone_is_invested_and_nothing_at_all_is_empty(changed: Changed, tmp_path: Path) -> None:
    header = "lot_id,symbol,quantity,basis,acquired\n"
    folder = changed(name="cash")
    (folder / "lots.csv").write_text(header)
    (folder / "washes.csv").unlink()
    run(folder, "--out", tmp_path / "out")
    summary = check.judge(folder, tmp_path / "out")
    assert summary["cash_after"] < 0.01 + 1e-9
    empty = changed(("problem.toml", "cash = 4200.00", "cash = 0"), name="empty")
    (empty / "lots.csv").write_text(header)
    code, _ = run(empty, "--out", tmp_path / "none", "--json")
    summary = json.loads((tmp_path / "none" / "summary.json").read_text())
    assert (code, summary["status"], summary["objective"]) == (3, "empty", None)
    assert check.rows(tmp_path / "none" / "trades.csv") == []


def test_several_problems_get_a_folder_each_and_a_bad_one_writes_nothing(
    changed: Changed, tmp_path: Path
) -> None:
    good, bad = changed(name="good"), changed(("lots.csv", "aapl-1,AAPL", "aapl-1,APPL"), name="bad")
    with pytest.raises(BadFileError, match=re.escape("bad/lots.csv:2 [symbol]: 'APPL' is no symbol")):
        run(good, bad, "--out", tmp_path / "out")
    assert {file.name for file in (tmp_path / "out" / "good").iterdir()} == FILES
    assert [file.name for file in (tmp_path / "out").iterdir()] == ["good"]


def test_two_folders_of_one_name_are_refused(changed: Changed, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="share a folder"):
        run(changed(name="a/x"), changed(name="b/x"), "--out", tmp_path / "out")


def test_an_answer_takes_the_place_of_an_older_one(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "notes.txt").write_text("mine")
    (tmp_path / "out" / "summary.json").write_text("old")
    run(EXAMPLE, "--out", tmp_path / "out")
    check.judge(EXAMPLE, tmp_path / "out")
    assert {file.name for file in (tmp_path / "out").iterdir()} == FILES | {"notes.txt"}
    assert [file.name for file in tmp_path.iterdir()] == ["out"]


def test_an_answer_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot be written"):
        run(EXAMPLE, "--out", tmp_path / "file" / "out")
    with pytest.raises(UsageError, match="cannot be written"):
        run(EXAMPLE, "--out", tmp_path / "file")
    assert [file.name for file in tmp_path.iterdir()] == ["file"]


def test_the_same_bytes_again_but_for_the_seconds(tmp_path: Path) -> None:
    for name in ("a", "b"):
        run(EXAMPLE, "--out", tmp_path / name)
    for file in FILES - {"summary.json"}:
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_our_own_trades_file_is_certified_at_the_same_cost(tmp_path: Path) -> None:
    run(EXAMPLE, "--out", tmp_path / "own")
    code, _ = run(EXAMPLE, "--out", tmp_path / "door", "--trades", tmp_path / "own" / "trades.csv")
    assert code == 0
    own, door = check.judge(EXAMPLE, tmp_path / "own"), check.judge(EXAMPLE, tmp_path / "door")
    assert own["objective"] == door["objective"] == pytest.approx(door["door"]["own_objective"], abs=1e-9)
    assert door["gap_bps"] == pytest.approx(own["gap_bps"], abs=1e-6)
    assert door["door"]["broken"] == []
    for name in FILES - {"summary.json", "reasons.json"}:
        assert (tmp_path / "own" / name).read_text() == (tmp_path / "door" / name).read_text()


@pytest.mark.parametrize("seed", range(0, 60, 5))
def test_trades_of_random_folders_come_back_through_the_door(tmp_path: Path, seed: int) -> None:
    folder = folders.write_folder(tmp_path / "problem", seed, folders.HARDER if seed % 3 else ())
    run(folder, "--out", tmp_path / "own")
    run(folder, "--out", tmp_path / "door", "--trades", tmp_path / "own" / "trades.csv")
    own, door = (json.loads((tmp_path / name / "summary.json").read_text()) for name in ("own", "door"))
    assert door["door"]["broken"] == []
    assert door["status"] == own["status"]
    assert door["objective"] == own["objective"]
    assert door["gap_bps"] == pytest.approx(own["gap_bps"], abs=1e-3)


def trades_file(tmp_path: Path, *rows: str) -> Path:
    file = tmp_path / "given.csv"
    file.write_text("\n".join(["symbol,side,quantity,lot_id", *rows]) + "\n")
    return file


def first_lot() -> dict[str, str]:
    return check.rows(EXAMPLE / "lots.csv")[0]


def test_trades_that_sell_more_than_there_is_are_broken_and_have_no_gap(tmp_path: Path) -> None:
    lot = first_lot()
    row = f"{lot['symbol']},sell,{float(lot['quantity']) * 2},{lot['lot_id']}"
    code, told = run(EXAMPLE, "--out", tmp_path / "out", "--trades", trades_file(tmp_path, row), "--json")
    (summary,) = json.loads(told)["problems"]
    assert code == 3
    assert summary["status"] == "broken"
    assert "sells more than a lot holds" in summary["door"]["broken"]
    assert summary["gap_bps"] is None
    assert summary["lower_bound"] is None
    code, told = run(EXAMPLE, "--out", tmp_path / "out", "--trades", trades_file(tmp_path, row))
    assert "it sells more than a lot holds" in told


def test_an_empty_trades_file_is_to_hold(tmp_path: Path) -> None:
    run(EXAMPLE, "--out", tmp_path / "out", "--trades", trades_file(tmp_path))
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert summary["n_trades"] == 0
    assert summary["objective"] == pytest.approx(summary["hold_objective"], abs=1e-9)


def test_mistakes_of_a_trades_file_are_told_at_their_lines(tmp_path: Path) -> None:
    lot = first_lot()
    other = next(
        row["symbol"] for row in check.rows(EXAMPLE / "assets.csv") if row["symbol"] != lot["symbol"]
    )
    file = trades_file(
        tmp_path,
        f"{lot['symbol']},sell,1,",
        f"{lot['symbol']},sell,1,nothing",
        f"{other},sell,1,{lot['lot_id']}",
        f"{lot['symbol']},buy,1,{lot['lot_id']}",
        "NONE,buy,1,",
        f"{lot['symbol']},hold,1,",
        f"{lot['symbol']},buy,-1,",
    )
    with pytest.raises(BadFileError) as caught:
        run(EXAMPLE, "--out", tmp_path / "out", "--trades", file)
    assert {row.line for row in caught.value.rows} == set(range(2, 9))
    assert not (tmp_path / "out").exists()


def test_the_backend_of_the_page_decides_and_is_certified(tmp_path: Path) -> None:
    program = EXAMPLE.parents[1] / "backend-example" / "nearer.py"
    command = f"{sys.executable} {program}"
    code, _ = run(EXAMPLE, "--out", tmp_path / "out", "--backend-command", command)
    assert code == 0
    summary = check.judge(EXAMPLE, tmp_path / "out")
    assert summary["door"]["reply"] == "taken"
    assert summary["objective"] > summary["door"]["own_objective"]


def test_our_own_answer_stands_when_a_backend_fails(tmp_path: Path) -> None:
    run(EXAMPLE, "--out", tmp_path / "own")
    code, told = run(EXAMPLE, "--out", tmp_path / "out", "--backend-command", "false")
    assert code == 3
    assert "does not stand: ours does" in told
    assert (tmp_path / "own" / "trades.csv").read_text() == (tmp_path / "out" / "trades.csv").read_text()
    summary = check.judge(EXAMPLE, tmp_path / "out")
    assert summary["status"] == "solved"
    assert summary["door"]["reply"] == "failed"
    assert summary["door"]["found"] == "it ended with 1: and said nothing"


def test_ways_that_exclude_one_another_are_refused(tmp_path: Path) -> None:
    file = trades_file(tmp_path)
    with pytest.raises(UsageError, match="give one of"):
        run(EXAMPLE, "--out", tmp_path / "out", "--trades", file, "--backend-command", "true")
    with pytest.raises(UsageError, match="belong to one problem"):
        run(EXAMPLE, tmp_path, "--out", tmp_path / "out", "--trades", file)
    with pytest.raises(UsageError, match="no backend 'nobody'"):
        run(EXAMPLE, "--out", tmp_path / "out", "--backend", "nobody")


def test_the_audit_runs_without_us_and_agrees(tmp_path: Path) -> None:
    """A Python that cannot import Allotment solves it; a cost that was tampered with is found."""
    pytest.importorskip("cvxpy")
    run(EXAMPLE, "--out", tmp_path / "out", "--audit")
    audit = [sys.executable, "-c", f"{NO_ALLOTMENT}runpy.run_path('audit.py', run_name='__main__')"]
    done = subprocess.run(audit, cwd=tmp_path / "out", capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "they agree" in done.stdout
    with np.load(tmp_path / "out" / "audit.npz") as arrays:
        changed = dict(arrays) | {"our_objective": arrays["our_objective"] - 1e-5}
    np.savez(tmp_path / "out" / "audit.npz", **changed)
    done = subprocess.run(audit, cwd=tmp_path / "out", capture_output=True, text=True)
    assert done.returncode == 1
    assert "they do not agree" in done.stdout


NO_ALLOTMENT = """
import runpy, sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split('.')[0] == 'allotment':
            raise ImportError('not here')
sys.meta_path.insert(0, Refuse())
"""


def test_a_mode_changes_what_the_trades_are_for(tmp_path: Path, changed: Changed) -> None:
    wide = changed(("problem.toml", "Technology = [-0.005, 0.005]", "Technology = [-0.05, 0.05]"))
    code, _ = run(wide, "--out", tmp_path / "out", "--mode", "raise_cash", "--amount", 20_000)
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert (code, summary["status"]) == (0, "solved")
    assert summary["cash_after_usd"] >= 20_000
    trades = (tmp_path / "out" / "trades.csv").read_text().splitlines()[1:]
    assert {line.split(",")[1] for line in trades} == {"sell"}
    run(EXAMPLE, "--out", tmp_path / "neutral", "--mode", "tax_neutral")
    summary = json.loads((tmp_path / "neutral" / "summary.json").read_text())
    assert summary["gain_short_usd"] + summary["gain_long_usd"] <= 0.01
    assert "row.mode," in (tmp_path / "neutral" / "multipliers.csv").read_text()


def test_what_a_mode_cannot_reach_is_told(tmp_path: Path) -> None:
    code, told = run(EXAMPLE, "--out", tmp_path / "out", "--mode", "harvest", "--amount", 1e9, "--json")
    assert code == 3
    (only,) = json.loads(told)["problems"]
    assert [one["constraint"] for one in only["relaxed"]] == ["mode"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--mode", "profit"), "harvest"),
        (("--mode", "harvest"), "amount"),
        (("--amount", 5), "belong"),
        (("--mode", "track", "--years-left", 2), "transition"),
    ],
)
def test_a_mode_that_makes_no_sense_is_refused(tmp_path: Path, words: tuple[object, ...], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        run(EXAMPLE, "--out", tmp_path / "out", *words)
