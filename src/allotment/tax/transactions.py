"""What the fold of the law takes: transactions of accounts as columns, and the policy.

One row is one tax-relevant fact about one account. Rows stand in fold order: by household,
then day, then sequence inside the day (the order of execution). A lot's name is the row of the
transaction that made it, so a sale names lots by row; whoever keeps ids (the ledger, the reader
of `tax replay` files) translates. Docs: docs/law/numbers.md, docs/internals/ledger.md.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from enum import IntEnum
from typing import Any

import numpy as np

from allotment.units import Codes, Dates, Index, Ints

NEVER = np.datetime64("NaT", "D")


class Kind(IntEnum):
    """What happened. `docs/law` has a page for each; cash alone is not the law's business."""

    OPEN_LOT = 1  # a lot that comes with its history (details: BroughtLots)
    BUY = 2
    REINVEST = 3
    SELL = 4
    SPLIT = 5  # also stock dividends and reverse splits (details: Terms)
    SPIN_OFF = 6
    STOCK_MERGER = 7
    MIXED_MERGER = 8
    CASH_MERGER = 9
    RETURN_OF_CAPITAL = 10
    RIGHTS = 11
    EXERCISE_RIGHTS = 12
    SYMBOL_CHANGE = 13
    WORTHLESS = 14
    OPTION_BUY = 15
    OPTION_EXERCISE = 16
    GIFT_IN = 17  # details: BroughtLots, see tax.gift
    INHERIT = 18  # details: BroughtLots, see tax.estate
    DONATE = 19
    TRANSFER = 20  # in kind between accounts of one household
    TRANSFER_OUT = 21  # leaves our books with its basis
    SHORT_SELL = 22
    COVER = 23
    RELABEL = 24  # from one sleeve of an account to another: no tax event
    TAXABLE_MERGER = 25
    TAXABLE_SPIN_OFF = 26
    SPLIT_OFF = 27  # shares given up for those of a subsidiary (details: Terms)
    IRA_DISTRIBUTION = 28  # in kind, at market value, to a taxable account


class LotMethod(IntEnum):
    """The order in which a sale without named lots closes them (`tax.relief`)."""

    FIFO = 0
    LIFO = 1
    HIFO = 2
    LOFO = 3
    HIFO_LONG_FIRST = 4
    HIFO_SHORT_FIRST = 5
    MAX_LOSS = 6
    MAX_GAIN = 7
    MIN_TAX_RANK = 8
    MIN_TAX_DOLLARS = 9
    AVERAGE = 10
    DONATION = 11  # of a gift to charity, never of a sale


class Scope(IntEnum):
    """Whose purchases replace a loss."""

    HOUSEHOLD = 0  # the law: substantially identical securities in every account
    ACCOUNT_CUSIP = 1  # the broker's 1099-B: same account, same security (§6045(g)(2)(B)(ii))


class HoldingMethod(IntEnum):
    """How a replacement's holding period takes in that of the shares sold (§1223(3))."""

    TACK_DAYS = 0
    TACK_NO_OVERLAP = 1
    REPLACE_DATE = 2


class SpouseEffect(IntEnum):
    """What becomes of a loss that the spouse's purchase disallows."""

    ADJUST_SPOUSE_LOT = 0
    PERMANENT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class FoldPolicy:
    """The readings of the law that a fold follows; the first value of each is the default.

    Every switch is explained, with its sources, in docs/law/policies.md. `lot_method` and
    `fifo_by_holding` apply to accounts that have none of their own.
    """

    scope: Scope = Scope.HOUSEHOLD
    hp_method: HoldingMethod = HoldingMethod.TACK_DAYS
    same_order_candidates: bool = True  # later lots of the same order may replace earlier ones
    sold_earlier_candidates: bool = False  # shares bought in the window but already sold may replace
    acquired_before_sold_lot: bool = True  # shares bought before the shares sold may replace
    spouse_effect: SpouseEffect = SpouseEffect.ADJUST_SPOUSE_LOT
    short_rate: float = 0.408  # only to rank lots for MIN_TAX_DOLLARS
    long_rate: float = 0.238


@dataclass(frozen=True, slots=True, kw_only=True)
class TaxAccounts:
    """Accounts as the fold sees them, shape (n_accounts,); each household's stand together,
    households ascending."""

    household_ix: Index
    owner_ix: Index  # the taxpayer; a replacement bought by another owner is a spouse's
    taxable: Codes  # 1 taxable; 0 IRA, Roth IRA and what is treated like them
    method: Codes  # LotMethod: standing instruction
    fifo_by_holding: Codes  # 1: this custodian's FIFO goes by holding-period date
    member_from: Dates  # first day on which wash sales look at it together with the others; NaT: always
    member_until: Dates  # first day on which they do not any more; NaT: for ever

    def __post_init__(self) -> None:
        _same_length(self)
        assert bool(np.all(self.household_ix[:-1] <= self.household_ix[1:]))

    def __len__(self) -> int:
        return int(self.household_ix.shape[0])


@dataclass(frozen=True, slots=True, kw_only=True)
class BroughtLots:
    """Facts of lots that were not bought here: openings, gifts, inheritances. Shape (n,).

    Quantity and basis stand in the transaction.
    """

    loss_basis_cents: Ints  # differs from basis only for gifts below the donor's basis
    acquired: Dates
    holding_from: Dates
    purchased: Dates  # NEVER (NaT) when not acquired by purchase
    absorbed: Codes
    covered: Codes
    basis_state: Codes  # book.lots.BasisState

    def __post_init__(self) -> None:
        _same_length(self)

    def __len__(self) -> int:
        return int(self.acquired.shape[0])

    @classmethod
    def none(cls) -> BroughtLots:
        """No such lots."""
        return cls(**_empty(cls))


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """Terms of corporate actions, shape (n,). Ratios are new_parts : old_parts; amounts per
    share are billionths of a dollar; unused fields are 0."""

    other_ix: Index  # child, acquirer, successor, right; -1 none
    new_parts: Ints
    old_parts: Ints
    cash_nano: Ints  # cash per share held (boot, non-dividend distribution)
    lieu_nano: Ints  # cash per whole new share for an account's fraction; 0: fractions are kept
    old_price_nano: Ints  # market value of a share held, just after
    new_price_nano: Ints  # market value of a share received
    allocate: Codes  # rights: 1 when basis is allocated by election

    def __post_init__(self) -> None:
        _same_length(self)

    def __len__(self) -> int:
        return int(self.other_ix.shape[0])

    @classmethod
    def none(cls) -> Terms:
        """No terms."""
        return cls(**_empty(cls))


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedLots:
    """Which lots a row closes or moves. Row r names entries start[r] to start[r + 1]."""

    start: Ints  # (n_rows + 1,)
    row: Ints  # (n_named,) the row that made the lot
    quantity_nano: Ints  # (n_named,)

    def __post_init__(self) -> None:
        assert self.row.shape == self.quantity_nano.shape
        assert int(self.start[-1]) == self.row.shape[0]

    @classmethod
    def none(cls, n_rows: int) -> NamedLots:
        """No row names lots."""
        nothing = np.zeros(0, np.int64)
        return cls(start=np.zeros(n_rows + 1, np.int64), row=nothing, quantity_nano=nothing)


@dataclass(frozen=True, slots=True, kw_only=True)
class Transactions:
    """Tax-relevant facts in fold order: household, day, sequence. Columns of shape (n_rows,).

    Quantities and amounts are never negative; `kind` gives the direction. `amount_cents` is
    the whole cost of a purchase with its fees, or the net proceeds of the whole order.
    `order_id` is the order: rows of one parent order share a positive one, all others have a
    negative one of their own. New shares of one order are one purchase; what one order sells or
    closes is one disposal, of its first row (`tax.fills`). `security_ix` is a row of `IdenticalGroups`.
    """

    household_ix: Index  # 0, 1, … ascending
    account_ix: Index  # row of TaxAccounts; -1: every account of the household (corporate actions)
    sleeve_ix: Index  # inside the account; the sleeve that new lots belong to
    security_ix: Index
    day: Dates
    settles: Dates  # delivery; WORTHLESS: 31 December, the day of the deemed sale (§165(g)(1))
    sequence: Ints
    kind: Codes
    quantity_nano: Ints
    amount_cents: Ints
    order_id: Ints
    method: Codes  # LotMethod for this sale; -1: the account's
    to_ix: Index  # TRANSFER: account that receives; RELABEL: sleeve; else -1
    detail_ix: Index  # row of `terms` or `brought`, by kind; -1 none
    named: NamedLots = field(metadata={"column": False})
    terms: Terms = field(metadata={"column": False})
    brought: BroughtLots = field(metadata={"column": False})

    def __post_init__(self) -> None:
        n = self.household_ix.shape
        for part in fields(self):
            if part.metadata.get("column", True):
                assert getattr(self, part.name).shape == n, part.name
        assert self.named.start.shape == (n[0] + 1,)

    def __len__(self) -> int:
        return int(self.household_ix.shape[0])


def _same_length(columns: TaxAccounts | BroughtLots | Terms) -> None:
    names = [part.name for part in fields(columns)]
    n = getattr(columns, names[0]).shape
    for name in names:
        assert getattr(columns, name).shape == n, name


def _empty(columns: type[BroughtLots] | type[Terms]) -> dict[str, Any]:
    dtypes = {"Ints": "i8", "Index": "i4", "Codes": "i1", "Dates": "M8[D]"}
    return {part.name: np.zeros(0, np.dtype(dtypes[str(part.type)])) for part in fields(columns)}
