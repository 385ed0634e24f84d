"""allotment optimize: a folder of files in, a folder of files out, judged from the files alone."""

from __future__ import annotations

import importlib.util
import json
import random
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

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
FILES = {"trades.csv", "weights.csv", "multipliers.csv", "summary.json"}
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
