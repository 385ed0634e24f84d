"""What a dollar of basis is worth today, by the way out."""

from __future__ import annotations

import pytest

from allotment.tax.basis_value import Exit, basis_value


@pytest.mark.parametrize(
    ("exit_by", "years", "worth"),
    [
        (Exit.SALE, 0, 0.238),
        (Exit.SALE, 10, 0.238 * 1.06**-10),
        (Exit.GIFT, 10, 0.238 * 1.06**-10),  # carry-over basis, §1015(a): the donee pays
        (Exit.STEP_UP, 10, 0.0),  # §1014(a)
        (Exit.DONATION, 10, 0.0),  # nobody pays
    ],
)
def test_the_tax_saved_at_the_end_discounted(exit_by: Exit, years: float, worth: float) -> None:
    assert basis_value(exit_by, years, 0.238, 0.06) == pytest.approx(worth)
