"""Losses that are gone for good: those of a state, and those that a change of it destroyed."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta

import numpy as np
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from allotment.book.household import Account, AccountKind
from allotment.ledger.events import AccountTable
from allotment.ledger.fold import BookState, fold
from allotment.ledger.permanent import LossRule, PermanentLosses, newly_lost, permanent_losses
from allotment.ledger.sold import LostSales, lost_sales, sold_by_year
from allotment.ledger.write import EventWriter
from allotment.tax.identical import IdenticalGroups
from allotment.tax.transactions import FoldPolicy, SpouseEffect

OWN, IRA, SPOUSE = 10, 11, 12
DAY = date(2024, 12, 20)
FACTS = {"household_id": 1, "venue_code": "", "opened": date(2020, 1, 2)}
ACCOUNTS = AccountTable.of_accounts(
    [
        Account(account_id=OWN, code="own", taxpayer_id=1, kind=AccountKind.TAXABLE, **FACTS),
        Account(account_id=IRA, code="ira", taxpayer_id=1, kind=AccountKind.IRA, **FACTS),
        Account(account_id=SPOUSE, code="spouse", taxpayer_id=2, kind=AccountKind.TAXABLE, **FACTS),
    ]
)
IRAS = np.array([IRA])
# (bought and sold by, or a purchase; days after DAY; shares)
Deal = tuple[int, bool, int, int]


def folded(deals: list[Deal], policy: FoldPolicy | None = None) -> BookState:
    book = EventWriter()
    book.buy((1, OWN), date(2023, 1, 3), 5, 1000, 10_000)
    book.buy((1, SPOUSE), date(2023, 1, 3), 5, 1000, 10_000)
    for account, sells, after, shares in deals:
        trade = book.sell if sells else book.buy
        trade((1, account), DAY + timedelta(days=after), 5, shares, shares * 6)
    state = fold(book.events(), ACCOUNTS, IdenticalGroups.alone(np.array([5])), policy)
    assert state.problems == ()
    return state


def stored(state: BookState) -> LostSales:
    """As the state's bytes give it."""
    found = sold_by_year(state.taxpayer, ACCOUNTS.account_ids, ACCOUNTS.household_ids)
    return lost_sales(found.rows, found.starts, found.links, found.link_starts)


def by_match(lost: PermanentLosses) -> Counter[tuple[int, int, int, int]]:
    """Dollars by sale, purchase, buyer and rule."""
    sums: Counter[tuple[int, int, int, int]] = Counter()
    for row in zip(
        lost.sale_event.tolist(), lost.purchase_event.tolist(), lost.buyer_account_id.tolist(),
        lost.rule.tolist(), lost.amount_cents.tolist(), strict=True,
    ):  # fmt: skip
        sums[row[:4]] += row[4]
    return sums


def test_what_is_new_is_told_and_what_was_known_is_not() -> None:
    one = folded([(OWN, True, 0, 100), (IRA, False, 3, 40)])
    two = folded([(OWN, True, 0, 100), (IRA, False, 3, 40), (IRA, False, 20, 10)])
    lost = newly_lost(stored(one), stored(two), IRAS)
    assert lost.amount_cents.tolist() == [40_00]
    assert lost.quantity_nano.tolist() == [10 * 10**9]
    assert (lost.day.astype(str).tolist(), lost.sold.astype(str).tolist()) == (["2025-01-09"], ["2024-12-20"])
    assert (lost.account_id.tolist(), lost.buyer_account_id.tolist()) == ([OWN], [IRA])
    assert lost.rule.tolist() == [LossRule.IRA_BOUGHT]
    assert len(newly_lost(stored(two), stored(two), IRAS)) == 0
    assert len(newly_lost(stored(two), stored(one), IRAS)) == 0


def test_a_spouses_purchase_is_named_by_its_rule_where_the_policy_says_so() -> None:
    policy = FoldPolicy(spouse_effect=SpouseEffect.PERMANENT)
    deals = [(OWN, True, 0, 100), (SPOUSE, False, 3, 30)]
    lost = newly_lost(stored(folded([])), stored(folded(deals, policy)), IRAS)
    assert (lost.amount_cents.tolist(), lost.rule.tolist()) == ([120_00], [LossRule.SPOUSE_BOUGHT])
    assert len(stored(folded(deals))) == 0


deal = st.one_of(
    st.tuples(st.sampled_from([OWN, SPOUSE]), st.booleans(), st.integers(0, 40), st.integers(1, 90)),
    st.tuples(st.just(IRA), st.just(False), st.integers(0, 40), st.integers(1, 90)),
)


@given(st.lists(deal, max_size=10), st.integers(0, 10), st.sampled_from(list(SpouseEffect)))
@hypothesis_settings(max_examples=80, deadline=None)
def test_it_is_the_difference_of_all_that_is_lost(
    deals: list[Deal], known: int, effect: SpouseEffect
) -> None:
    """Against `permanent_losses` of both states, match by match; sales over two years among them."""
    policy = FoldPolicy(spouse_effect=effect)
    before, after = folded(deals[:known], policy), folded(deals, policy)
    was, now = by_match(permanent_losses(before)), by_match(permanent_losses(after))
    told = by_match(newly_lost(stored(before), stored(after), IRAS))
    assert told == now - was  # a Counter's difference keeps what is above zero
