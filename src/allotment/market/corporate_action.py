"""Corporate actions as facts of the market; what they do to lots is law (`tax`).

An action that leaves a choice is one row per option: rows of one security and ex-date that bear
an `option` belong together, and a holder gets what the option that he chose says.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from fractions import Fraction

_SMALL_PARTS_MAX = 50
_ROUNDED_DECIMALS_MIN = 6


class ActionKind(StrEnum):
    """What a company did to its holders."""

    SPLIT = "split"  # ratio = new shares per old, below one for a reverse split
    CASH_DIVIDEND = "cash_dividend"
    SPECIAL_DIVIDEND = "special_cash_dividend"
    SPIN_OFF = "spin_off"  # tax-free; also another class of stock handed out (§307(a))
    STOCK_MERGER = "stock_merger"
    CASH_MERGER = "cash_merger"
    MIXED_MERGER = "mixed_merger"
    SYMBOL_CHANGE = "symbol_change"  # also a new name, CUSIP or holding company
    DELISTING = "delisting"  # says nothing of the shares: they may be worth something
    RETURN_OF_CAPITAL = "return_of_capital"
    STOCK_DIVIDEND = "taxable_stock_dividend"  # shares that could have been cash (§305(b)(1))
    RIGHTS = "rights"
    EXERCISE = "exercise_rights"  # an option on the right: pay `amount_usd`, receive the stock
    TAXABLE_SPIN_OFF = "taxable_spin_off"
    TAXABLE_MERGER = "taxable_merger"  # fails §368
    SPLIT_OFF = "split_off"  # chosen shares are given up for those of a subsidiary
    TENDER = "tender"  # chosen shares are sold for cash
    LIQUIDATION = "liquidation"  # a payment that others follow
    FINAL_LIQUIDATION = "final_liquidation"
    WORTHLESS = "worthless"
    CANCELLATION = "cancellation"  # in bankruptcy, without payment
    NOTHING = "nothing"  # an option that leaves the holder as he was


@dataclass(frozen=True, slots=True, kw_only=True)
class CorporateAction:
    """One action of one security on its ex-date, or one option of it."""

    security_id: int
    ex_date: date
    kind: ActionKind
    ratio: float = 1.0  # new shares per old (split, merger), child shares per parent share (spin-off)
    amount_usd: float = 0.0  # cash per share held before the action
    other_security_id: int | None = None  # the child, the acquirer, the successor
    value_usd: float = 0.0  # market value distributed per share held (spin-off)
    note: str = ""
    pay_date: date | None = None
    price_usd: float = 0.0  # market value of a share held, just after; 0 unknown
    other_price_usd: float = 0.0  # market value of a share received; 0: from `value_usd`
    lieu_usd: float = 0.0  # cash per whole share for fractions; 0: not stated
    is_final: bool = False  # the issuer's Form 8937, or the year's reclassification, is in these terms
    option: str = ""  # "" where there is nothing to choose
    is_default: bool = False  # the option of who does not choose
    deadline: date | None = None  # last day to choose

    @property
    def received_price_usd(self) -> float:
        """Market value of a share received, 0 where it is not known."""
        return self.other_price_usd or self.value_usd / float(exact_ratio(self.ratio))


def exact_ratio(ratio: float) -> Fraction:
    """The ratio that a decimal number means.

    A number of six decimals or more that is a fraction of small parts rounded is that fraction:
    nobody means 333,333 new shares for a million.

    >>> exact_ratio(1.05), exact_ratio(0.333333), exact_ratio(0.5704)
    (Fraction(21, 20), Fraction(1, 3), Fraction(713, 1250))
    """
    stated = Fraction(repr(float(ratio)))
    decimals = len(repr(float(ratio)).partition(".")[2])
    small = stated.limit_denominator(_SMALL_PARTS_MAX)
    is_rounded = decimals >= _ROUNDED_DECIMALS_MIN and abs(small - stated) <= Fraction(1, 10**decimals)
    return small if is_rounded else stated.limit_denominator(10**9)
