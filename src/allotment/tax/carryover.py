"""What of a net capital loss is carried to next year when taxable income is small.

Law: 26 U.S.C. §1212(b); lines of the Capital Loss Carryover Worksheet: the deduction is used up
only as far as taxable income before it is positive, so that none of it is wasted.
Left out: a decedent's carryover, which dies with them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from allotment.units import Ints


@dataclass(frozen=True, slots=True, kw_only=True)
class Carryover:
    """Losses carried on, positive, cents, shape (n_taxpayers,)."""

    short_cents: Ints
    long_cents: Ints


def carryover(taxable_cents: Ints, deducted_cents: Ints, short_cents: Ints, long_cents: Ints) -> Carryover:
    """The worksheet. taxable_cents: taxable income of the year after the deduction, may be
    negative; deducted_cents: the loss deducted (§1211(b)), positive; short_cents, long_cents:
    the year's net short and long gain with carry-ins, signed.

    >>> one = lambda dollars: np.array([dollars * 100])
    >>> carryover(one(-1_000), one(3_000), one(-5_000), one(0)).short_cents // 100
    array([3000])
    """
    used = np.minimum(deducted_cents, np.maximum(0, taxable_cents + deducted_cents))
    short_loss, long_loss = np.maximum(-short_cents, 0), np.maximum(-long_cents, 0)
    short_gain, long_gain = np.maximum(short_cents, 0), np.maximum(long_cents, 0)
    return Carryover(
        short_cents=np.maximum(0, short_loss - (used + long_gain)),
        long_cents=np.maximum(0, long_loss - (short_gain + np.maximum(0, used - short_loss))),
    )
