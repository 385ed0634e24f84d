"""What an announced action will do, worked by hand, and the plan against the fold."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from allotment.book.household import Account, AccountKind
from allotment.ledger.action_plan import ActionPlan, Held, holdings, nano_of, plan, planned_events
from allotment.ledger.events import PROVISIONAL, AccountTable, EventKind
from allotment.ledger.fold import BookState, fold
from allotment.ledger.write import EventWriter, concatenate
from allotment.market.corporate_action import ActionKind, CorporateAction
from allotment.tax.identical import IdenticalGroups

SHARE = 10**9
PARENT, CHILD = 1, 2
CHILDS: dict[str, Any] = {"other_security_id": CHILD}
EX, PAID = date(2024, 4, 2), date(2024, 4, 5)
GROUPS = IdenticalGroups.alone(np.array([PARENT, CHILD]))
ACCOUNTS = AccountTable.of_accounts(
    [
        Account(
            account_id=10,
            code="A",
            household_id=1,
            taxpayer_id=1,
            kind=AccountKind.TAXABLE,
            venue_code="",
            opened=date(2020, 1, 1),
        )
    ]
)


def action(kind: ActionKind, **terms: Any) -> CorporateAction:
    return CorporateAction(security_id=PARENT, ex_date=EX, kind=kind, pay_date=PAID, **terms)


def held(shares: float, whole: bool = False, **facts: Any) -> Held:
    quantity = round(shares * SHARE)
    return Held(
        household_id=1,
        account_id=10,
        security_id=PARENT,
        quantity_nano=quantity,
        by_sleeve=((0, quantity),),
        whole_shares=whole,
        **facts,
    )


def booked(made: ActionPlan, *lots: tuple[float, float]) -> BookState:
    """The books after purchases of (shares, dollars) and the plan."""
    writer = EventWriter()
    for at, (shares, usd) in enumerate(lots):
        writer.buy((1, 10), date(2023, 1, 3 + at), PARENT, shares, usd)
    events = writer.events()
    return fold(concatenate([events, planned_events([made], len(events) + 1)]), ACCOUNTS, GROUPS)


def test_a_dividend_pays_every_sleeve_and_no_cent_is_lost() -> None:
    """1/3 cent a share on 100 shares is 33 cents, however they are spread."""
    made = plan(
        action(ActionKind.CASH_DIVIDEND, amount_usd=0.0033),
        Held(
            household_id=1,
            account_id=10,
            security_id=PARENT,
            quantity_nano=100 * SHARE,
            by_sleeve=((7, 50 * SHARE), (8, 30 * SHARE), (9, 20 * SHARE)),
        ),
    )
    assert made.cash_cents == 33
    assert [(event.sleeve_id, event.amount_cents) for event in made.events] == [(7, 17), (8, 10), (9, 6)]
    assert {event.settles for event in made.events} == {PAID}


@pytest.mark.parametrize(
    ("made", "shares", "fraction", "cash", "lieu"),
    [
        (plan(action(ActionKind.SPLIT, ratio=2.0), held(50)), 50, 0, 0, 0),
        (plan(action(ActionKind.SPLIT, ratio=0.333333, lieu_usd=60), held(227, whole=True)),
         -152, 0.666666667, 0, 4000),
        (plan(action(ActionKind.SPLIT, ratio=0.333333, lieu_usd=60), held(227)), -151.333333333, 0, 0, 0),
        (plan(action(ActionKind.CASH_MERGER, amount_usd=12.5), held(10)), 0, 0, 12_500, 0),
        (plan(action(ActionKind.CANCELLATION), held(10)), 0, 0, 0, 0),
        (plan(action(ActionKind.RETURN_OF_CAPITAL, amount_usd=0.8), held(10)), 0, 0, 800, 0),
        (
            plan(action(ActionKind.SPIN_OFF, ratio=0.25, price_usd=90, other_price_usd=40, **CHILDS),
                 held(50, whole=True)),
            12, 0.5, 0, 2000,
        ),
        (
            plan(action(ActionKind.MIXED_MERGER, ratio=0.5, other_price_usd=40, amount_usd=3, **CHILDS),
                 held(50)),
            25, 0, 15_000, 0,
        ),
        (plan(action(ActionKind.TENDER, amount_usd=30), held(50), chosen_nano=20 * SHARE), 0, 0, 60_000, 0),
        (plan(action(ActionKind.DELISTING, amount_usd=3), held(50)), 0, 0, 0, 0),
        (plan(action(ActionKind.NOTHING), held(50)), 0, 0, 0, 0),
    ],
)  # fmt: skip
def test_what_comes(made: ActionPlan, shares: float, fraction: float, cash: int, lieu: int) -> None:
    assert made.shares_nano == round(shares * SHARE)
    assert made.fraction_nano == round(fraction * SHARE)
    assert (made.cash_cents, made.lieu_cents, made.obstacle) == (cash, lieu, "")


def test_a_final_liquidation_payment_takes_what_is_left_of_basis() -> None:
    """§331: basis first; the last payment shows the loss. 100 of basis, 30 came before, 50 come now."""
    before = plan(action(ActionKind.LIQUIDATION, amount_usd=3), held(10))
    last = plan(action(ActionKind.FINAL_LIQUIDATION, amount_usd=5), held(10))
    writer = EventWriter()
    writer.buy((1, 10), date(2023, 1, 3), PARENT, 10, 100)
    state = fold(concatenate([writer.events(), planned_events([before, last], 2)]), ACCOUNTS, GROUPS)
    assert state.taxpayer.disposals.gain_cents.tolist() == [-2_000]
    assert state.cash_cents.tolist() == [-10_000 + 3_000 + 5_000]
    assert len(state.taxpayer.lots) == 0


def test_a_stock_dividend_with_a_cash_option_is_income_that_buys_shares() -> None:
    made = plan(action(ActionKind.STOCK_DIVIDEND, ratio=0.05, other_price_usd=20), held(100))
    state = booked(made, (100, 1000))
    assert made.shares_nano == 5 * SHARE
    assert state.taxpayer.lots.basis_cents.tolist() == [100_000, 10_000]
    assert state.taxpayer.lots.acquired.tolist() == [date(2023, 1, 3), PAID]
    assert state.cash_cents.tolist() == [-100_000]


def test_rights_are_issued_and_exercised() -> None:
    """§307(b), §1223(5): rights worth 20 % of the stock take basis; stock counts from the exercise."""
    issued = plan(action(ActionKind.RIGHTS, ratio=0.1, price_usd=10, other_price_usd=20, **CHILDS), held(100))
    right = CorporateAction(
        security_id=CHILD,
        ex_date=date(2024, 5, 2),
        kind=ActionKind.EXERCISE,
        amount_usd=8.0,
        other_security_id=PARENT,
    )
    rights = replace(held(10), security_id=CHILD)
    used = plan(right, rights, chosen_nano=4 * SHARE)
    assert (issued.shares_nano, used.shares_nano, used.cash_cents) == (10 * SHARE, 4 * SHARE, -3_200)
    writer = EventWriter()
    writer.buy((1, 10), date(2023, 1, 3), PARENT, 100, 1200)
    state = fold(concatenate([writer.events(), planned_events([issued, used], 2)]), ACCOUNTS, GROUPS)
    assert state.problems == ()
    lots = state.taxpayer.lots
    by_lot = sorted(
        zip(lots.security_id.tolist(), lots.quantity_nano.tolist(), lots.basis_cents.tolist(), strict=True)
    )
    assert by_lot == [
        (PARENT, 4 * SHARE, 8_000 + 3_200),  # 200 of basis went to ten rights
        (PARENT, 100 * SHARE, 100_000),
        (CHILD, 6 * SHARE, 12_000),
    ]
    assert date(2024, 5, 2) in lots.acquired.tolist()
    nothing = plan(action(ActionKind.RIGHTS, ratio=0.1, price_usd=10, other_price_usd=5, **CHILDS), held(100))
    elected = plan(replace(nothing.action, option="allocate"), held(100))
    bases = [booked(one, (100, 1200)).taxpayer.lots.basis_cents.min() for one in (nothing, elected)]
    assert bases == [0, 5_714]  # 0.5 of 10.5 dollars, by election


def test_a_split_off_gives_up_the_shares_chosen() -> None:
    made = plan(action(ActionKind.SPLIT_OFF, ratio=1.5, **CHILDS), held(100), chosen_nano=40 * SHARE)
    state = booked(made, (60, 600), (40, 800))
    lots = state.taxpayer.lots
    assert made.shares_nano == 60 * SHARE
    assert dict(zip(lots.security_id.tolist(), lots.basis_cents.tolist(), strict=False)).keys() == {
        PARENT,
        CHILD,
    }
    assert int(lots.basis_cents[lots.security_id == CHILD].sum()) == 40_000  # the oldest forty
    assert int(lots.basis_cents.sum()) == 140_000


@pytest.mark.parametrize(
    ("kind", "sold"), [(ActionKind.WORTHLESS, date(2024, 12, 31)), (ActionKind.CANCELLATION, EX)]
)
def test_stock_that_is_lost(kind: ActionKind, sold: date) -> None:
    """§165(g)(1): worthless stock is sold on 31 December; a cancellation is a loss of its own day."""
    state = booked(plan(action(kind), held(10)), (10, 100))
    assert state.taxpayer.disposals.gain_cents.tolist() == [-10_000]
    assert state.taxpayer.disposals.day.tolist() == [sold]


def test_fractions_are_provisional_until_the_form_is_there() -> None:
    terms = {"ratio": 1.0, "other_security_id": CHILD, "price_usd": 90, "other_price_usd": 10}
    for is_final, detail in ((False, PROVISIONAL), (True, 0)):
        made = plan(action(ActionKind.SPIN_OFF, is_final=is_final, **terms), held(10))
        assert [event.detail for event in made.events] == [detail]
        assert made.is_provisional is not is_final
    assert not plan(action(ActionKind.SPLIT, ratio=2.0), held(10)).is_provisional


@pytest.mark.parametrize(
    ("what", "shares", "said"),
    [
        (action(ActionKind.SPIN_OFF, price_usd=1, other_price_usd=1), held(1), "not named"),
        (action(ActionKind.SPIN_OFF, other_security_id=2, other_price_usd=1), held(1), "share held"),
        (action(ActionKind.MIXED_MERGER, other_security_id=2, amount_usd=1), held(1), "share received"),
        (action(ActionKind.SPLIT, ratio=2.0), held(1, is_short=True), "short"),
    ],
)
def test_what_cannot_be_booked_says_why(what: CorporateAction, shares: Held, said: str) -> None:
    made = plan(what, shares)
    assert said in made.obstacle
    assert made.events == ()


def test_holdings_are_by_account_and_sleeve_and_shorts_apart() -> None:
    writer = EventWriter()
    day = date(2024, 1, 3)
    for sleeve, shares in ((70, 10), (71, 30)):
        facts = {"security_id": PARENT, "quantity_nano": shares * SHARE, "amount_cents": 1}
        writer.write(EventKind.BUY, 1, 10, day, sleeve_id=sleeve, **facts)
    writer.write(EventKind.SHORT_SELL, 1, 10, day, security_id=CHILD, quantity_nano=SHARE, amount_cents=1)
    table = AccountTable.of_accounts(
        [
            Account(
                account_id=10,
                code="A",
                household_id=1,
                taxpayer_id=1,
                kind=AccountKind.TAXABLE,
                venue_code="",
                opened=day,
            )
        ],
        sleeves=[(70, 10), (71, 10)],
    )
    found = holdings(
        fold(writer.events(), table, GROUPS), [PARENT, CHILD], [(70, 10), (71, 10)], frozenset({10})
    )
    assert [(one.security_id, one.is_short, one.by_sleeve) for one in found] == [
        (PARENT, False, ((71, 30 * SHARE), (70, 10 * SHARE))),
        (CHILD, True, ((70, SHARE),)),
    ]
    assert found[0].whole_shares


def test_dollars_are_read_as_they_are_written() -> None:
    assert nano_of(0.1) == 100_000_000
    assert nano_of(1 / 3) == 333_333_333


@settings(max_examples=60, deadline=None)
@given(
    lots=st.lists(st.tuples(st.integers(1, 10**6), st.integers(1, 10**7)), min_size=1, max_size=5),
    kind=st.sampled_from(
        [
            ActionKind.CASH_DIVIDEND,
            ActionKind.SPLIT,
            ActionKind.SPIN_OFF,
            ActionKind.STOCK_MERGER,
            ActionKind.MIXED_MERGER,
            ActionKind.TAXABLE_MERGER,
            ActionKind.TAXABLE_SPIN_OFF,
            ActionKind.CASH_MERGER,
            ActionKind.RETURN_OF_CAPITAL,
            ActionKind.SYMBOL_CHANGE,
            ActionKind.STOCK_DIVIDEND,
            ActionKind.RIGHTS,
        ]
    ),
    ratio=st.sampled_from([0.1, 0.333333, 0.5704, 1.0, 1.05, 2.0, 1.5]),
    whole=st.booleans(),
    amount=st.integers(0, 3000),
)
def test_the_plan_foresees_what_the_fold_does(
    lots: list[tuple[int, int]], kind: ActionKind, ratio: float, whole: bool, amount: int
) -> None:
    """Shares and cash of the plan are those of the books; basis is conserved."""
    bought = [(thousandths / 1000, cents / 100) for thousandths, cents in lots]
    quantity = sum(round(shares * SHARE) for shares, _ in bought)
    paid = sum(round(usd * 100) for _, usd in bought)
    other = None if kind in (ActionKind.SPLIT, ActionKind.CASH_MERGER) else CHILD
    terms = action(
        kind,
        ratio=1.0 if kind is ActionKind.SYMBOL_CHANGE else ratio,
        amount_usd=0.0 if kind is ActionKind.SYMBOL_CHANGE else amount / 100,
        other_security_id=other,
        price_usd=21.5,
        other_price_usd=13.25,
    )
    made = plan(terms, held(quantity / SHARE, whole))
    assert made.held_nano == quantity
    state = booked(made, *bought)
    assert state.problems == ()
    lots_of = {PARENT: 0, CHILD: 0}
    for security, shares in zip(
        state.broker.lots.security_id.tolist(), state.broker.lots.quantity_nano.tolist(), strict=True
    ):
        lots_of[security] += shares
    replaced = kind in (
        ActionKind.STOCK_MERGER,
        ActionKind.MIXED_MERGER,
        ActionKind.TAXABLE_MERGER,
        ActionKind.SYMBOL_CHANGE,
        ActionKind.CASH_MERGER,
    )
    stays = kind in (ActionKind.SPLIT, ActionKind.STOCK_DIVIDEND)
    # A lot never vanishes, be it a billionth of a share; each may add one to the total.
    slack = len(lots)
    assert abs(lots_of[PARENT] - (0 if replaced else quantity) - (made.shares_nano if stays else 0)) <= slack
    assert abs(lots_of[CHILD] - (0 if stays else made.shares_nano)) <= slack
    assert state.cash_cents.tolist() == [-paid + made.cash_cents + made.lieu_cents]
    sold = state.taxpayer.disposals
    income = 0
    if kind in (ActionKind.TAXABLE_SPIN_OFF, ActionKind.TAXABLE_MERGER, ActionKind.STOCK_DIVIDEND):
        return  # their basis is new, from market value
    if kind is ActionKind.RETURN_OF_CAPITAL:
        income = made.cash_cents - int(sold.proceeds_cents.sum())
    assert int(state.taxpayer.lots.basis_cents.sum()) == paid - int(sold.basis_cents.sum()) - income
