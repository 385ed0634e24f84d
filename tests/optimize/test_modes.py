"""Each mode does what its name says, and the judge finds its rules, cost and bound kept."""

from __future__ import annotations

import numpy as np
import pytest

from allotment.errors import UsageError
from allotment.optimize import Problems, Solutions, SolveOptions, Status, solve_batch
from allotment.optimize.claims import without_claims
from allotment.optimize.judge import judge
from allotment.optimize.modes import WITH_AMOUNT, Mode, Purpose, with_purpose, with_row
from allotment.optimize.problem import RowKind
from allotment.optimize.synthetic import PROFILE_B, World, synthetic_problems, synthetic_world
from allotment.optimize.variants import turned_over

N_ACCOUNTS = 5
PROFILE = PROFILE_B._replace(n_names=60, n_lots=150, n_factors=4, cash_band=(0.0, 0.01))


@pytest.fixture(scope="module")
def world() -> World:
    return synthetic_world(60, 4, np.random.default_rng(11))


@pytest.fixture(scope="module")
def problems(world: World) -> Problems:
    return synthetic_problems(world, PROFILE, N_ACCOUNTS, np.random.default_rng(12))


def solved(world: World, problems: Problems, purpose: Purpose) -> tuple[Problems, Solutions]:
    """The accounts traded for the purpose; each answer has passed the judge."""
    asked = with_purpose(problems, purpose)
    answers = solve_batch(world.market, asked)
    assert set(answers.status.tolist()) <= {Status.SOLVED, Status.RELAXED}
    for a in range(asked.n_accounts):
        verdict = judge(world.market, asked, answers, a, SolveOptions())
        assert verdict.broken == ()
        assert verdict.objective == pytest.approx(answers.objective[a], abs=1e-8)
        assert verdict.lower_bound >= answers.lower_bound[a] - 1e-12
    return asked, answers


def gains_usd(problems: Problems, answers: Solutions) -> np.ndarray:
    account = np.repeat(np.arange(problems.n_accounts), np.diff(problems.names_from))
    of_lot = np.repeat(account, np.diff(problems.lots_from))
    gain = np.bincount(of_lot, problems.lot_gain * answers.sold, minlength=problems.n_accounts)
    return gain * problems.value_usd


def of_account(problems: Problems, column: np.ndarray) -> np.ndarray:
    return np.add.reduceat(column, problems.names_from[:-1])


def test_track_sells_no_lot_for_its_loss_alone(world: World, problems: Problems) -> None:
    """At index weights, losses and all, there is nothing to do; harvesting the same accounts sells."""
    grown = problems.held > 0
    scale = np.where(grown, problems.benchmark / problems.held, 0.0)
    name_of_lot = np.repeat(np.arange(len(problems.held)), np.diff(problems.lots_from))
    at_index = problems._replace(
        held=problems.benchmark.copy(),
        lot_weight=problems.lot_weight * scale[name_of_lot],
        cash=np.zeros(N_ACCOUNTS),
    )
    _, track = solved(world, at_index, Purpose(mode=Mode.TRACK))
    assert (track.sold == 0.0).all()
    assert (track.bought == 0.0).all()
    _, harvest = solved(world, at_index, Purpose(mode=Mode.HARVEST, amount_usd=0.0))
    assert (harvest.tax < 0.0).all()


def test_harvest_realises_the_losses_asked_for(world: World, problems: Problems) -> None:
    plain = gains_usd(problems, solve_batch(world.market, problems))
    wanted = float(-plain.max()) + 2_000.0
    asked, answers = solved(world, problems, Purpose(mode=Mode.HARVEST, amount_usd=wanted))
    met = answers.status == Status.SOLVED
    assert met.any()
    assert (gains_usd(asked, answers)[met] <= -wanted + 1.0).all()
    assert plain.max() > -wanted  # the mandate alone would not have


def test_tax_neutral_and_budget_keep_net_gains_below(world: World, problems: Problems) -> None:
    """A portfolio of gains alone, far from its index, would sell; its budget says how much."""
    gain = np.abs(problems.lot_gain) + 0.2
    legacy = problems._replace(
        lot_gain=gain,
        lot_tax=0.01 * gain,
        lot_is_loss=np.zeros(len(gain), np.bool_),
        **_without_rows(problems),
    )
    free = gains_usd(legacy, solve_batch(world.market, legacy))
    assert (free > 5_000.0).all()
    asked, answers = solved(world, legacy, Purpose(mode=Mode.TAX_NEUTRAL))
    assert (gains_usd(asked, answers) <= 1e-6 * asked.value_usd).all()
    asked, answers = solved(world, legacy, Purpose(mode=Mode.GAIN_BUDGET, amount_usd=3_000.0))
    gains = gains_usd(asked, answers)
    assert (gains <= 3_000.0 + 1e-6 * asked.value_usd).all()
    assert (gains > 2_900.0).all()


def test_gains_are_realised_up_to_the_amount(world: World, problems: Problems) -> None:
    without = gains_usd(problems, solve_batch(world.market, problems))
    assert (without < 1_000.0).all()
    asked, answers = solved(world, problems, Purpose(mode=Mode.REALISE_GAINS, amount_usd=1_000.0))
    met = answers.status == Status.SOLVED
    assert met.any()
    assert (gains_usd(asked, answers)[met] >= 1_000.0 - 1e-6 * asked.value_usd[met]).all()


def test_a_holding_that_is_sold_for_its_gain_stays(world: World, problems: Problems) -> None:
    """An account that stands at its index realises gains and ends where it stood."""
    rebought = problems._replace(
        **without_claims(problems, np.ones(len(problems.held), np.bool_)),
        young=np.zeros(len(problems.held)),
        step=0.0 * problems.step,
    )
    gain = np.abs(problems.lot_gain) + 0.2
    at_index = rebought._replace(
        benchmark=rebought.held,
        lot_gain=gain,
        lot_tax=0.001 * gain,
        lot_is_loss=np.zeros(len(gain), np.bool_),
        **_without_rows(problems),
    )
    asked, answers = solved(world, at_index, Purpose(mode=Mode.REALISE_GAINS, amount_usd=20_000.0))
    assert (answers.status == Status.SOLVED).all()
    assert (gains_usd(asked, answers) >= 20_000.0 - 1e-6 * asked.value_usd).all()
    assert answers.weight == pytest.approx(at_index.held, abs=2e-3)
    assert (of_account(asked, answers.bought) > 0.0).all()


def test_a_transition_comes_nearer_each_year_within_its_budget(world: World, problems: Problems) -> None:
    """Three years: as the same account, each year's budget is kept and tracking error falls."""
    rng = np.random.default_rng(13)
    account = problems.account(0)
    held = np.where(rng.random(60) < 0.2, account.held, 0.0)
    held *= (1.0 - account.cash[0]) / held.sum()
    name_of_lot = np.repeat(np.arange(60), np.diff(account.lots_from))
    lot_weight = (
        account.lot_weight
        * np.divide(held, account.held, out=np.zeros(60), where=account.held > 0)[name_of_lot]
    )
    gain = np.full(len(lot_weight), 0.6)
    account = account._replace(
        held=held,
        lot_weight=lot_weight,
        lot_gain=gain,
        lot_tax=0.238 * gain,
        lot_is_loss=np.zeros(len(gain), np.bool_),
        **without_claims(account, np.ones(60, np.bool_)),
        young=np.zeros(60),
        **_without_rows(account),
    )
    budget = 0.06 * float(account.value_usd[0])
    errors = []
    for years_left in (3, 2, 1):
        purpose = Purpose(mode=Mode.TRANSITION, amount_usd=budget, years_left=years_left)
        asked, answers = solved(world, account, purpose)
        assert asked.risk_price[0] == account.risk_price[0] / years_left
        assert gains_usd(asked, answers)[0] <= budget * (1 + 1e-6)
        errors.append(float(answers.tracking_error[0]))
        # Next year's account; what was bought cannot be sold again here.
        account = account._replace(
            held=answers.weight, lot_weight=account.lot_weight - answers.sold, cash=answers.cash_after
        )
    assert errors[0] > errors[1] > errors[2]


def test_cash_is_raised_by_sales_alone_at_the_least_tax(world: World, problems: Problems) -> None:
    asked, answers = solved(world, problems, Purpose(mode=Mode.RAISE_CASH, amount_usd=50_000.0))
    assert (answers.cash_after * asked.value_usd >= 50_000.0 - 1e-6).all()
    assert (answers.bought == 0.0).all()
    # Selling every name in proportion raises the same cash at a higher tax.
    part = 50_000.0 / problems.value_usd / (1.0 - problems.cash)
    tax = of_account(
        problems, np.add.reduceat(problems.lot_tax * problems.lot_weight, problems.lots_from[:-1])
    )
    assert (answers.tax < part * tax).all()


def test_sector_bounds_follow_the_cash_that_leaves(world: World, problems: Problems) -> None:
    asked = with_purpose(problems, Purpose(mode=Mode.RAISE_CASH, amount_usd=50_000.0))
    left = 1.0 - 50_000.0 / problems.value_usd
    for a in range(N_ACCOUNTS):
        before, after = problems.account(a), asked.account(a)
        middle = (after.row_lower + after.row_upper) / 2
        assert middle == pytest.approx(left[a] * (before.row_lower + before.row_upper) / 2)
        assert after.row_upper - after.row_lower == pytest.approx(before.row_upper - before.row_lower)


def test_more_cash_than_the_account_has_is_told(world: World, problems: Problems) -> None:
    asked, answers = solved(world, problems, Purpose(mode=Mode.RAISE_CASH, amount_usd=1e8))
    assert (answers.status == Status.RELAXED).all()
    assert (answers.cash_relaxation <= 0.0).all()
    assert (answers.cash_after > 0.5).all()
    assert (asked.benchmark == 0.0).all()


def test_cash_is_invested_by_purchases_alone(world: World, problems: Problems) -> None:
    scale = 0.9 / (1.0 - problems.cash[0])
    rich = problems._replace(
        cash=np.full(N_ACCOUNTS, 0.1), held=problems.held * scale, lot_weight=problems.lot_weight * scale
    )
    _, answers = solved(world, rich, Purpose(mode=Mode.INVEST_CASH))
    assert (answers.sold == 0.0).all()
    assert (answers.cash_after <= 0.01 + 1e-9).all()


def test_an_excluded_holding_is_kept_while_cash_is_invested(world: World, problems: Problems) -> None:
    barred = problems._replace(weight_max=np.where(np.arange(len(problems.held)) % 60 == 3, 0.0, 1.0))
    _, answers = solved(world, barred, Purpose(mode=Mode.INVEST_CASH))
    assert (answers.sold == 0.0).all()
    assert (answers.limit_relaxation == 0.0).all()


def test_liquidation_sells_all_that_may_be_sold(world: World, problems: Problems) -> None:
    kept = np.zeros(len(problems.lot_weight), np.bool_)
    kept[:3] = True
    asked, answers = solved(world, problems._replace(lot_sellable=~kept), Purpose(mode=Mode.LIQUIDATE))
    barred = (asked.young > 0.0) & np.isinf(asked.young_cost)
    sellable = ~kept & ~(asked.lot_is_loss & np.repeat(barred, np.diff(asked.lots_from)))
    sellable[3] = False  # the fourth lot of the name that keeps three: below the smallest trade
    assert 0.0 < asked.lot_weight[3] < asked.trade_min[0]
    assert (answers.status == Status.SOLVED).all()
    assert answers.sold[sellable] == pytest.approx(asked.lot_weight[sellable], abs=float(asked.step.max()))
    assert (answers.sold[~sellable] == 0.0).all()
    assert (answers.bought == 0.0).all()


def test_a_row_stands_behind_those_of_its_account(world: World, problems: Problems) -> None:
    """Sector rows and turnover stay with their accounts, entries and all."""
    two = turned_over(0.3)(problems._replace(**_without_rows(problems)))
    more = with_row(two, RowKind.GAIN, -np.inf, 100.0, 1.0)
    assert more.row_kind.tolist() == [RowKind.TURNOVER, RowKind.GAIN] * N_ACCOUNTS
    assert more.row_upper[1::2] == pytest.approx(100.0 / problems.value_usd)
    sectors = with_row(problems, RowKind.GAIN, -np.inf, 100.0, 1.0)
    for a in range(N_ACCOUNTS):
        mine, before = sectors.account(a), problems.account(a)
        assert mine.row_kind.tolist() == [*before.row_kind.tolist(), RowKind.GAIN]
        assert np.array_equal(mine.entries_from[:-1], before.entries_from)
        assert np.array_equal(mine.entry_name, before.entry_name)


def _without_rows(problems: Problems) -> dict[str, np.ndarray]:
    columns = ("row_kind", "row_joint", "row_lower", "row_upper", "row_price")
    columns += ("entry_name", "entry_coefficient")
    empty = {column: getattr(problems, column)[:0] for column in columns}
    return empty | {
        "rows_from": np.zeros(problems.n_accounts + 1, np.int64),
        "entries_from": np.zeros(1, np.int64),
    }


@pytest.mark.parametrize("mode", sorted(Mode))
def test_an_amount_is_asked_for_exactly_where_it_means_something(mode: Mode) -> None:
    assert with_purpose_or_none(mode, 1.0) == (mode in WITH_AMOUNT)
    assert with_purpose_or_none(mode, float("nan")) == (mode not in WITH_AMOUNT)
    with pytest.raises(UsageError):
        Purpose(mode=mode, amount_usd=-1.0)


def with_purpose_or_none(mode: Mode, amount_usd: float) -> bool:
    try:
        Purpose(mode=mode, amount_usd=amount_usd)
    except UsageError:
        return False
    return True


def test_years_are_those_of_a_transition() -> None:
    with pytest.raises(UsageError, match="transition"):
        Purpose(mode=Mode.TRACK, years_left=2)
    with pytest.raises(UsageError, match="one or more"):
        Purpose(mode=Mode.TRANSITION, amount_usd=1.0, years_left=0)
