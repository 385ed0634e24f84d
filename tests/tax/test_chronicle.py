"""Every contradiction is told and left out; what is around it is folded all the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import pytest

from allotment.errors import InvariantError
from allotment.tax import fold as fold_module
from allotment.tax import pieces as c
from allotment.tax.fold import ProblemCode, fold_transactions
from allotment.tax.folded import Folded
from allotment.tax.identical import IdenticalGroups
from allotment.tax.transactions import (
    BroughtLots,
    FoldPolicy,
    Kind,
    LotMethod,
    NamedLots,
    TaxAccounts,
    Terms,
    Transactions,
)

SHARE = 10**9
X, Y = 0, 1
HUGE = 2**62
GROUPS = IdenticalGroups.alone(np.array([1, 2]))
ACCOUNTS = TaxAccounts(
    household_ix=np.zeros(2, np.int32),
    owner_ix=np.zeros(2, np.int32),
    taxable=np.ones(2, np.int8),
    method=np.zeros(2, np.int8),
    fifo_by_holding=np.zeros(2, np.int8),
    member_from=np.full(2, np.datetime64("NaT"), "M8[D]"),
    member_until=np.full(2, np.datetime64("NaT"), "M8[D]"),
)
BUY = {"kind": Kind.BUY, "quantity": 10 * SHARE, "amount": 1_000_00}


_KINDS = {"other_ix": "i4", "allocate": "i1"}


def terms(**columns: int) -> dict[str, int]:
    return {
        "other_ix": Y, "new_parts": 1, "old_parts": 1, "cash_nano": 0, "lieu_nano": 0,
        "old_price_nano": SHARE, "new_price_nano": SHARE, "allocate": 0,
    } | columns  # fmt: skip


def folded(*rows: dict[str, Any], method: LotMethod = LotMethod.FIFO) -> Folded:
    """One row a day in account 0, of security X unless it says otherwise. `unknown` rows bring lots:
    1 without a known basis."""
    n = len(rows)
    brought = [row["unknown"] for row in rows if "unknown" in row]
    detail = [row.get("terms") for row in rows]
    tables = [one for one in detail if one is not None]
    names = [row.get("named", []) for row in rows]

    def column(name: str, default: int, dtype: str) -> Any:
        return np.array([int(row.get(name, default)) for row in rows], dtype)

    detail_ix = np.cumsum([one is not None for one in detail]) - 1
    transactions = Transactions(
        household_ix=np.zeros(n, np.int32),
        account_ix=column("account", 0, "i4"),
        sleeve_ix=np.zeros(n, np.int32),
        security_ix=column("security", X, "i4"),
        day=np.datetime64("2024-01-02") + np.arange(n),
        settles=np.full(n, np.datetime64("NaT", "D")),
        sequence=np.arange(n),
        kind=column("kind", 0, "i1"),
        quantity_nano=column("quantity", 0, "i8"),
        amount_cents=column("amount", 0, "i8"),
        order_id=-1 - np.arange(n),
        method=np.full(n, -1, np.int8),
        to_ix=column("to", -1, "i4"),
        detail_ix=np.where(
            ["unknown" in row for row in rows],
            np.cumsum(["unknown" in row for row in rows]) - 1,
            np.where([one is not None for one in detail], detail_ix, -1),
        ).astype(np.int32),
        named=NamedLots(
            start=np.cumsum([0, *map(len, names)]),
            row=np.array([lot for one in names for lot, _ in one], np.int64),
            quantity_nano=np.array([q for one in names for _, q in one], np.int64),
        ),
        terms=Terms(
            **{
                name: np.array([one[name] for one in tables], dtype)
                for name, dtype in {
                    **dict.fromkeys(terms(), "i8"),
                    "other_ix": "i4",
                    "allocate": "i1",
                }.items()
            }
        ),
        brought=BroughtLots(
            loss_basis_cents=np.full(len(brought), 1_000_00),
            acquired=np.datetime64("2020-01-02") + np.arange(len(brought)),
            holding_from=np.datetime64("2020-01-02") - 100 + np.arange(len(brought)),
            purchased=np.full(len(brought), np.datetime64("NaT", "D")),
            absorbed=np.zeros(len(brought), np.int8),
            covered=np.zeros(len(brought), np.int8),
            basis_state=np.array(brought, np.int8),
        ),
    )
    accounts = replace(ACCOUNTS, method=np.full(2, method, np.int8))
    return fold_transactions(transactions, accounts, GROUPS, FoldPolicy())


SELL = {"kind": Kind.SELL, "quantity": SHARE, "amount": 100_00}
SPLIT = {"kind": Kind.SPLIT, "account": -1}
CASES: Sequence[tuple[dict[str, Any], ProblemCode]] = [
    ({**SELL, "quantity": 11 * SHARE}, ProblemCode.SOLD_MORE_THAN_HELD),
    ({**SELL, "quantity": 0}, ProblemCode.NOT_POSITIVE),
    ({**SELL, "amount": -1}, ProblemCode.NOT_POSITIVE),
    ({**SELL, "amount": HUGE}, ProblemCode.TOO_LARGE),
    ({**SELL, "named": [(0, 0)]}, ProblemCode.NOT_POSITIVE),
    ({**SELL, "named": [(1, SHARE)]}, ProblemCode.LOT_NOT_HELD),
    ({**SELL, "quantity": 12 * SHARE, "named": [(0, 6 * SHARE), (0, 6 * SHARE)]}, ProblemCode.LOT_NOT_HELD),
    ({**SELL, "named": [(0, 2 * SHARE)]}, ProblemCode.NAMED_QUANTITY_DIFFERS),
    ({**BUY, "quantity": 0}, ProblemCode.NOT_POSITIVE),
    ({**BUY, "amount": -1}, ProblemCode.NOT_POSITIVE),
    ({**BUY, "quantity": HUGE}, ProblemCode.TOO_LARGE),
    ({**BUY, "amount": HUGE}, ProblemCode.TOO_LARGE),
    ({"kind": 99}, ProblemCode.UNKNOWN_KIND),
    (SPLIT, ProblemCode.NO_TERMS),
    ({**SPLIT, "terms": terms(other_ix=-1, new_parts=0)}, ProblemCode.NOT_POSITIVE),
    ({**SPLIT, "terms": terms(other_ix=-1, lieu_nano=-1)}, ProblemCode.NOT_POSITIVE),
    ({**SPLIT, "account": 0, "terms": terms(other_ix=-1, new_parts=HUGE)}, ProblemCode.TOO_LARGE),
    ({"kind": Kind.STOCK_MERGER, "account": -1, "terms": terms(other_ix=-1)}, ProblemCode.NO_TERMS),
    ({"kind": Kind.STOCK_MERGER, "account": 0, "terms": terms(other_ix=X)}, ProblemCode.INTO_ITSELF),
    (
        {"kind": Kind.SPIN_OFF, "account": -1, "terms": terms(old_price_nano=0, new_price_nano=0)},
        ProblemCode.NOT_POSITIVE,
    ),
    (
        {"kind": Kind.OPTION_EXERCISE, "quantity": SHARE, "amount": -1, "terms": terms()},
        ProblemCode.TOO_LARGE,
    ),
    ({"kind": Kind.OPTION_EXERCISE, "quantity": SHARE}, ProblemCode.NO_TERMS),
    ({"kind": Kind.SHORT_SELL, "quantity": 0}, ProblemCode.NOT_POSITIVE),
    ({"kind": Kind.SHORT_SELL, "quantity": 2 * HUGE - 1}, ProblemCode.TOO_LARGE),
    ({"kind": Kind.COVER, "quantity": SHARE}, ProblemCode.NOT_SHORT),
    ({"kind": Kind.SPLIT_OFF, "quantity": SHARE}, ProblemCode.NO_TERMS),
    ({"kind": Kind.SPLIT_OFF, "quantity": SHARE, "terms": terms(new_parts=HUGE)}, ProblemCode.TOO_LARGE),
    ({"kind": Kind.SPLIT_OFF, "quantity": 11 * SHARE, "terms": terms()}, ProblemCode.SOLD_MORE_THAN_HELD),
]


@pytest.mark.parametrize(("row", "code"), CASES)
def test_a_contradiction_is_told_and_left_out(row: dict[str, Any], code: ProblemCode) -> None:
    made = folded(BUY, row, SELL)
    assert made.problems.row.tolist() == [1]
    assert made.problems.code.tolist() == [code]
    assert made.lots.quantity_nano.tolist() == [9 * SHARE]
    assert made.disposals.sale_row.tolist() == [2]


def test_an_action_on_nothing_is_nothing() -> None:
    """Nothing held in the account: neither a problem nor a row."""
    for kind in (Kind.CASH_MERGER, Kind.TAXABLE_MERGER, Kind.SPIN_OFF, Kind.WORTHLESS):
        made = folded({"kind": kind, "account": 1, "terms": terms()}, BUY)
        assert len(made.problems.row) == 0
        assert len(made.disposals.sale_row) == 0


def test_a_taxable_spin_off_of_less_than_a_billionth_brings_nothing() -> None:
    tiny = {"kind": Kind.TAXABLE_SPIN_OFF, "account": -1, "terms": terms(new_parts=1, old_parts=10**11)}
    made = folded(BUY, tiny)
    assert made.lots.security_ix.tolist() == [X]


def test_shares_leave_in_kind_and_change_their_sleeve() -> None:
    made = folded(
        BUY,
        {"kind": Kind.TRANSFER, "quantity": 4 * SHARE, "to": 1},
        {"kind": Kind.RELABEL, "quantity": 2 * SHARE, "to": 7},
        {"kind": Kind.TRANSFER_OUT, "quantity": SHARE},
    )
    assert made.lots.account_ix.tolist() == [0, 0, 1]
    assert sorted(made.lots.sleeve_ix.tolist()) == [0, 0, 7]
    assert made.lots.quantity_nano.sum() == 9 * SHARE
    assert made.conservation.given[1] == 400_00 + 100_00


def test_money_that_is_lost_stops_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    """The identity is checked for every household and family of groups; nothing is given back when it
    fails, and the error says where."""
    honest = fold_module.fold_streams

    def careless(t: Any, f: Any, b: Any, *rest: Any) -> Any:
        b.flow[1, c.F_GIVEN] += 1
        return honest(t, f, b, *rest)

    monkeypatch.setattr(fold_module, "fold_streams", careless)
    with pytest.raises(InvariantError, match=r"-1 cents in taxable accounts.*household 0 with security 0"):
        folded(BUY)


@pytest.mark.parametrize(
    ("method", "closed"),
    [
        (LotMethod.FIFO, [1, 0]),
        (LotMethod.LIFO, [2, 0]),
        (LotMethod.HIFO, [0, 2]),
        (LotMethod.LOFO, [0, 2]),
    ],
)
def test_lots_of_unknown_cost_go_first_under_fifo_and_last_otherwise(
    method: LotMethod, closed: list[int]
) -> None:
    """Two broker help pages [S]. Lots 0 and 2 are known, lot 1 is not; two lots' shares are sold."""
    lot = {"kind": Kind.OPEN_LOT, "quantity": 10 * SHARE, "amount": 1_000_00}
    rows = ({**lot, "unknown": 0}, {**lot, "unknown": 1}, {**lot, "unknown": 0})
    made = folded(*rows, {**SELL, "quantity": 20 * SHARE}, method=method)
    assert sorted(made.disposals.origin_row.tolist()) == sorted(closed)
    (left,) = set(range(3)) - set(closed)
    assert made.lots.origin_row.tolist() == [left]


def test_stock_counts_from_the_exercise_of_a_call_that_has_washed_nothing() -> None:
    """The hundred days that the call brought are its own; the stock counts from the day after."""
    call = {"kind": Kind.OPEN_LOT, "security": Y, "quantity": 10 * SHARE, "amount": 1_000_00, "unknown": 0}
    exercise = {"kind": Kind.OPTION_EXERCISE, "security": Y, "quantity": 10 * SHARE, "amount": 1}
    made = folded(call, {**exercise, "terms": terms(other_ix=X)})
    assert made.lots.holding_from.tolist() == [date(2024, 1, 3)]
