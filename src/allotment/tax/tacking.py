"""How a replacement's holding period takes in that of the shares sold.

Law: 26 U.S.C. §1223(3): the period of the new stock includes the period for which the stock
sold was held. Three readings are in use (docs/law/tacking.md): `tack_days` adds the days,
`tack_no_overlap` adds only days before the replacement was bought, `replace_date` takes over
the date. Not here: §246(c)(3)(B), which does not tack for the dividend test.
"""

from __future__ import annotations

from allotment.compiled import inner
from allotment.tax.transactions import HoldingMethod

_NO_OVERLAP = int(HoldingMethod.TACK_NO_OVERLAP)
_REPLACE_DATE = int(HoldingMethod.REPLACE_DATE)


@inner
def tacked(method: int, holding_from: int, purchased: int, sold: int, sold_holding_from: int) -> int:
    """The replacement's new holding-period date. All days since 1970.

    holding_from, purchased: of the replacement; sold: day of the loss sale; sold_holding_from:
    from which the shares sold counted.

    Sold on day 100 after 40 days, replacement bought on day 110 or on day 90:

    >>> tacked(0, 110, 110, 100, 60), tacked(0, 90, 90, 100, 60), tacked(1, 90, 90, 100, 60)
    (70, 50, 60)
    """
    if method == _REPLACE_DATE:
        return min(holding_from, sold_holding_from)
    held_until = sold
    if method == _NO_OVERLAP and purchased < sold:
        held_until = purchased
    return holding_from - max(0, held_until - sold_holding_from)
