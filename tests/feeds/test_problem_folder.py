"""The files of one problem: read exactly, refused whole with every mistake, never a traceback."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from allotment.errors import BadFileError, BadRow
from allotment.feeds.problem_answer import answer
from allotment.feeds.problem_columns import ProblemColumns, closing_order, problem_columns
from allotment.feeds.problem_folder import read_problem
from allotment.feeds.problem_summary import files
from allotment.optimize.claims import name_of_claim
from allotment.optimize.problem import RowKind, check_shapes
from allotment.optimize.solution import Status
from allotment.optimize.solve import solve_one

EXAMPLE = Path(__file__).parents[2] / "docs" / "reference" / "files" / "optimize-example"
TOML, ASSETS, LOTS, WASHES = "problem.toml", "assets.csv", "lots.csv", "washes.csv"
Edit = tuple[str, str, str]
Changed = Callable[..., Path]


@pytest.fixture
def changed(tmp_path: Path) -> Changed:
    """A copy of the example with texts of its files replaced, each once."""

    def copy(*edits: Edit) -> Path:
        folder = tmp_path / "problem"
        shutil.copytree(EXAMPLE, folder)
        for file, old, new in edits:
            text = (folder / file).read_text()
            assert old in text
            (folder / file).write_text(text.replace(old, new, 1))
        return folder

    return copy


def mistakes(folder: Path) -> list[tuple[str, int, str, str]]:
    with pytest.raises(BadFileError) as refused:
        read_problem(folder)
    assert all(row.remedy for row in refused.value.rows)
    return [(Path(row.file).name, row.line, row.column, row.found) for row in refused.value.rows]


def columns(folder: Path) -> ProblemColumns:
    made = problem_columns(read_problem(folder))
    check_shapes(made.market, made.problem)
    return made


def test_the_example_is_read_exactly() -> None:
    found = read_problem(EXAMPLE)
    assert found.terms.as_of == date(2026, 3, 16)
    assert found.terms.cash == Decimal("4200.00")
    assert found.assets.symbols[:2] == ("AAPL", "MSFT")
    assert found.assets.price[0] == Decimal("226.40")
    assert found.assets.groups["sector"][4] == "Health"
    assert found.lots.quantity[1] == Decimal("45.5")
    assert str(found.lots.holding_from[3]) == "2025-02-11"  # tacked
    assert str(found.lots.holding_from[2]) == "2022-01-24"  # as acquired
    assert found.assets.may_buy.tolist().count(False) == 1
    assert found.lots.may_sell.tolist().count(False) == 1


def test_the_optimisers_units() -> None:
    """One lot, one name, one wash and one row worked by hand; the account is worth $264,286.35."""
    found = columns(EXAMPLE)
    p, value = found.problem, 264286.35
    assert p.value_usd[0] == pytest.approx(value)
    assert p.held.sum() + p.cash[0] == pytest.approx(1.0, abs=1e-14)
    lot = found.lot_rows.tolist().index(1)  # aapl-2: $11,102 paid for 45.5 shares at 226.40, short-term
    worth = 45.5 * 226.40
    gain = (worth - 11102.0) / worth
    assert p.lot_weight[lot] == pytest.approx(worth / value)
    assert p.lot_gain[lot] == pytest.approx(gain)
    assert p.lot_tax[lot] == pytest.approx(gain * (0.408 * 0.9 - 0.05))
    assert (bool(p.lot_is_long[lot]), bool(p.lot_is_loss[lot])) == (False, True)
    lot = found.lot_rows.tolist().index(3)  # msft-2: long by its tacked date, at a loss
    assert p.lot_is_long[lot]
    assert p.lot_tax[lot] == pytest.approx((22 * 431.25 - 10164) / (22 * 431.25) * (0.238 * 0.9 - 0.05))
    assert p.trade_min[0] == pytest.approx(100 / value)
    assert p.half_spread[[0, 3]].tolist() == [1e-4, 2e-4]  # its own, and the account's
    assert p.step[0] == pytest.approx(0.001 * 226.40 / value)
    mrk, bac, csco = 6, 8, 3
    assert p.young[mrk] == pytest.approx(25 * 96.20 / value)
    assert p.young_cost[mrk] == pytest.approx(21.80 * (0.408 * 0.9 - 0.05) / 96.20)
    (of_bac,), (of_csco,) = (np.flatnonzero(name_of_claim(p) == name) for name in (bac, csco))
    assert p.claim_weight[of_bac] == pytest.approx(40 * 45.35 / value)
    assert p.claim_cost[of_bac] == pytest.approx(3.15 * (0.408 * 0.9 - 0.05) / 45.35)
    assert p.claim_cost[of_csco] == pytest.approx(2.40 * 0.408 * 0.9 / 58.90)  # for good: all of it
    assert found.row_names[0] == "groups.sector.Technology"
    assert (p.row_lower[0], p.row_upper[0]) == (pytest.approx(0.485), pytest.approx(0.495))
    assert p.entry_name[: p.entries_from[1]].tolist() == [0, 1, 2, 3]
    market = found.market.loadings[0] / np.array([1.15, 0.55, -0.40])
    assert market == pytest.approx([0.16, 0.09, 0.08])


def test_budgets_and_limits_become_rows(changed: Changed) -> None:
    budgets = "gain_budget = 1000\ngain_budget_short = -500\ngain_budget_long = 0\n"
    folder = changed(
        (TOML, "loss_value", f"{budgets}loss_value"),
        (TOML, "ticket_usd", "turnover_max = 0.05\nticket_usd"),
        (TOML, "price = 100", "te_max = 0.01"),
    )
    found = columns(folder)
    p = found.problem
    assert found.row_names[4:] == (
        "trading.turnover_max",
        "tax.gain_budget",
        "tax.gain_budget_short",
        "tax.gain_budget_long",
    )
    kinds = [RowKind.TURNOVER, RowKind.GAIN, RowKind.GAIN_SHORT, RowKind.GAIN_LONG]
    assert p.row_kind[4:].tolist() == kinds
    assert p.row_upper[4:].tolist() == pytest.approx([0.05, 1000 / 264286.35, -500 / 264286.35, 0.0])
    assert (p.row_lower[4:] == -math.inf).all()
    assert (p.risk_price[0], p.te_max[0]) == (0.0, 0.01)


def test_the_order_of_each_relief_method(changed: Changed) -> None:
    folder = changed(
        (LOTS, "jpm-1,JPM,70,8050.00,2022-10-13,,0\n", ""),
        (LOTS, "aapl-1,AAPL,120,14160.00,2021-05-12,,\n", "b,AAPL,10,100,2024-01-02,,\n"),
        (LOTS, "msft-1", "a,AAPL,10,300,2024-01-02,,\nc,AAPL,10,200,2023-01-02,,\nmsft-1"),
    )
    lots = read_problem(folder).lots
    orders = {
        relief: [lots.lot_ids[row] for row in closing_order(lots, relief) if lots.name[row] == 0]
        for relief in ("lots", "fifo", "lifo", "hifo")
    }
    assert orders == {
        "lots": ["c", "a", "b", "aapl-2"],
        "fifo": ["c", "a", "b", "aapl-2"],
        "lifo": ["aapl-2", "b", "a", "c"],
        "hifo": ["aapl-2", "a", "c", "b"],
    }


def test_in_order_but_for_named_lots(changed: Changed) -> None:
    assert not columns(EXAMPLE).problem.in_order[0]
    assert columns(changed((TOML, '"lots"', '"hifo"'))).problem.in_order[0]


# The file, what stands in it, what is written instead; the line, the column or key, what is told first.
BAD = """
    assets.csv | AAPL,226.40 | AAPL,cheap | 2 | price | found 'cheap'
    assets.csv | AAPL,226.40 | AAPL,0 | 2 | price | '0' is out of range
    assets.csv | AAPL,226.40 | AAPL, | 2 | price | found nothing
    assets.csv | 431.25,0.1500 | 431.25,15 | 3 | benchmark_weight | '15' is above 1.0
    assets.csv | 0.0420 | 0 | 2 | specific_variance | '0' is not above zero
    assets.csv | 1.15 | nan | 2 | f0 | found 'nan'
    assets.csv | 1.15 | 1e7 | 2 | f0 | the loading is out of range
    assets.csv | Technology,1,1,1 | Technology,1,2,1 | 2 | buy | found '2'
    assets.csv | 1,1,,0.20 | 1,1,0.3,0.20 | 4 | weight_min | is above weight_max
    assets.csv | half_spread_bps | halfspread | 1 | halfspread | unknown column 'halfspread'
    assets.csv | ,f2, | ,f3, | 1 | f2 | the column is missing
    assets.csv | MSFT,431.25 | AAPL,431.25 | 3 | symbol | repeats line 2 (the same symbol)
    assets.csv | XOM,112.60, | XOM, | 12 | | found 12 field(s) where the header has 13
    lots.csv | aapl-1,AAPL | aapl-1,APPL | 2 | symbol | 'APPL' is no symbol of assets.csv
    lots.csv | AAPL,120, | AAPL,-120, | 2 | quantity | '-120' is out of range
    lots.csv | 14160.00 | 1e9999 | 2 | basis | found '1e9999'
    lots.csv | 2021-05-12 | 2026-03-17 | 2 | acquired | '2026-03-17' is after 2026-03-16
    lots.csv | aapl-2 | aapl-1 | 3 | lot_id | repeats line 2 (the same lot_id)
    washes.csv | MRK,25 | MRX,25 | 2 | symbol | 'MRX' is no symbol of assets.csv
    washes.csv | 21.80,0 | 21.80, | 2 | permanent | found nothing
    problem.toml | cash_min | cash_mim | 7 | account.cash_mim | unknown key 'cash_mim'
    problem.toml | [trading] | [trade] | 20 | trade | unknown key 'trade'
    problem.toml | cash = 4200.00 | cash = '4200.00' | 6 | account.cash | found '4200.00'
    problem.toml | long_rate = 0.238 | | 14 | tax.long_rate | the key is missing
    problem.toml | 0.408 | 40.8 | 15 | tax.short_rate | 40.8 is out of range
    problem.toml | cash_min = 0.002 | cash_min = 0.02 | 7 | account.cash_min | cash_min 0.02 is above
    problem.toml | [tax] | te_max = 0.01 | 14 | risk.te_max | price and te_max are both given
    problem.toml | price = 100 | # | 10 | risk.te_max | neither price nor te_max is given
    problem.toml | , 0.0064] | ] | 12 | risk.factor_variance | 2 variance(s) for 3 factor
    problem.toml | "lots" | "lofo" | 26 | trading.relief | found 'lofo'
    problem.toml | share_step = 0.001 | share_step = 1e-13 | 25 | trading.share_step | 1E-13 is too small
    problem.toml | 2026-03-16 | '16 March' | 5 | account.as_of | found '16 March'
    problem.toml | 2026-03-16 | 2026-03-16T10:00:00 | 5 | account.as_of | found 2026-03-16 10
    problem.toml | [-0.01, 0.01] | [0.01, -0.01] | 32 | groups.sector.Energy | 0.01 is above -0.01
    problem.toml | Energy = | Utilities = | 32 | groups.sector.Utilities | no asset has 'Utilities'
    problem.toml | [groups.sector] | [groups.style] | 28 | groups.style | assets.csv has no column group:style
    problem.toml | schema_version = 1 | schema_version = 2 | 2 | schema_version | version 2 is not known
"""


@pytest.mark.parametrize("case", BAD.strip().splitlines())
def test_a_mistake_is_told_at_its_place(changed: Changed, case: str) -> None:
    file, old, new, line, column, found = (part.strip() for part in case.split(" |"))
    told = mistakes(changed((file, old, new)))
    assert [row for row in told if row[:3] == (file, int(line), column) and row[3].startswith(found)], told


def test_one_mistake_hides_no_other(changed: Changed) -> None:
    found = mistakes(changed(
        (TOML, "cash = 4200.00", "cash = true"), (ASSETS, "226.40", "x"), (ASSETS, "431.25", "y"),
        (LOTS, "2021-05-12", "then"), (WASHES, "MRK", "MRX"),
    ))  # fmt: skip
    assert [(file, line) for file, line, _, _ in found] == [
        (TOML, 6), (ASSETS, 2), (ASSETS, 3), (LOTS, 2), (WASHES, 2)
    ]  # fmt: skip


def test_what_is_missing_is_told_with_the_folder(tmp_path: Path) -> None:
    with pytest.raises(BadFileError) as refused:
        read_problem(tmp_path / "nowhere")
    assert {row.file for row in refused.value.rows} == {
        str(tmp_path / "nowhere" / file) for file in (TOML, ASSETS, LOTS)
    }
    assert "the file is missing" in str(refused.value)


def test_a_benchmark_in_parts_of_a_hundred_is_told(changed: Changed) -> None:
    found = mistakes(changed((ASSETS, "0.1600", "0.9")))
    assert (ASSETS, 0, "benchmark_weight", "the benchmark weights sum to 1.74") in found


NASTY = st.sampled_from(
    [
        *("", "0", "-1", "1e308", "1e-300", "nan", "inf", "9" * 39, "9" * 60, "٣", "0x10", "1_000"),
        *("2026-03-16", "1979-05-27T07:32:00Z", "AAPL", "é", '"', "1,1", "yes", "true", "#", "="),
        *("[]", "{}", "[1, 2]", "'x'", "[account]", "\x00", "\n", "\r", "\udc80"),
    ]
) | st.text(max_size=6)
PLACES = st.tuples(st.sampled_from([TOML, ASSETS, LOTS, WASHES]), st.integers(0, 60), st.integers(0, 14))


def whole(folder: Path) -> tuple[BadRow, ...]:
    """What is refused; nothing when the problem is solved and its answer written out."""
    try:
        found = read_problem(folder)
    except BadFileError as refused:
        return refused.rows
    made = problem_columns(found)
    solution = solve_one(made.market, made.problem)
    assert Status(int(solution.status[0])) != Status.INVALID
    assert len(files(answer(found, made, solution, 0.0))) == 5
    return ()


@settings(
    deadline=None,
    max_examples=150,
    suppress_health_check=[HealthCheck.too_slow],
)
@given(st.lists(st.tuples(PLACES, NASTY), min_size=1, max_size=3))
def test_no_garbage_ends_in_a_traceback(
    tmp_path_factory: pytest.TempPathFactory, edits: list[tuple[tuple[str, int, int], str]]
) -> None:
    folder = tmp_path_factory.mktemp("garbage", numbered=True)
    texts = {file: (EXAMPLE / file).read_text() for file in (TOML, ASSETS, LOTS, WASHES)}
    for (file, line, part), text in edits:
        lines = texts[file].split("\n")
        at = line % len(lines)
        mark = "=" if file == TOML else ","
        parts = lines[at].split(mark)
        parts[part % len(parts)] = text
        lines[at] = mark.join(parts)
        texts[file] = "\n".join(lines)
    for file, text in texts.items():
        (folder / file).write_bytes(text.encode(errors="surrogatepass"))
    for row in whole(folder):
        assert row.found
        assert row.remedy


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from([TOML, ASSETS, LOTS, WASHES]), st.binary(max_size=80))
def test_no_bytes_end_in_a_traceback(
    tmp_path_factory: pytest.TempPathFactory, file: str, data: bytes
) -> None:
    folder = tmp_path_factory.mktemp("bytes", numbered=True)
    for name in (TOML, ASSETS, LOTS, WASHES):
        (folder / name).write_bytes(data if name == file else (EXAMPLE / name).read_bytes())
    assert all(row.remedy for row in whole(folder))


def test_a_file_made_to_exhaust_the_reader_is_refused(changed: Changed) -> None:
    for text in ("a = " + "[" * 100_000, "a = " + "9" * 5_000, "a = 1e" + "9" * 30):
        folder = changed()
        (folder / TOML).write_text(text)
        assert mistakes(folder)[0][0] == TOML
        shutil.rmtree(folder)
