"""Shares received as a gift.

Law: 26 U.S.C. §1015(a): the donor's basis, but for a loss the market value at the gift when that
is lower; sold in between there is neither gain nor loss (`tax.disposal`). §1223(2): the donor's
holding period counts where the donor's basis does; a loss on market value counts from the gift.
Not a purchase (§1091(a)). Left out: gift tax paid (§1015(d)), gifts within marriage (§1041:
bring the lots with `TRANSFER` or as an opening).
"""

from __future__ import annotations


def gift_loss_basis(donor_basis_cents: int, market_value_cents: int) -> int:
    """The basis that counts for a loss, both for the whole gift.

    >>> gift_loss_basis(1_000_000, 800_000), gift_loss_basis(800_000, 1_000_000)
    (800000, 800000)
    """
    return min(donor_basis_cents, market_value_cents)
