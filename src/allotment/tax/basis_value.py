"""What a dollar of basis is worth today.

A loss taken now leaves a replacement with a lower basis, so part of the tax saved comes back: at
a sale, discounted; with a taxable heir or charity, never. Law: 26 U.S.C. §1014(a) basis at death
is market value; §1015(a) a gift keeps it, so the donee's rate counts; §170(e) a donation of
long-term lots recognises nothing.
"""

from __future__ import annotations

from enum import StrEnum


class Exit(StrEnum):
    """How the position ends."""

    SALE = "sale"
    STEP_UP = "step_up"  # held until death
    GIFT = "gift"
    DONATION = "donation"


def basis_value(exit_by: Exit, years: float, rate: float, discount: float) -> float:
    """Present value of the tax that one more dollar of basis saves at the end.

    years: until the exit; rate: tax rate then, of the owner (sale) or the donee (gift); discount:
    a year, as a fraction.

    >>> round(basis_value(Exit.SALE, 10, 0.238, 0.06), 4), basis_value(Exit.STEP_UP, 10, 0.238, 0.06)
    (0.1329, 0.0)
    """
    assert years >= 0
    assert discount > -1
    if exit_by in (Exit.STEP_UP, Exit.DONATION):
        return 0.0
    return float(rate * (1.0 + discount) ** -years)
