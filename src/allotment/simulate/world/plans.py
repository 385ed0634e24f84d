"""What the accounts of the sample book do through the years, as columns for compiled code."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from allotment.simulate.world.tape import Records
from allotment.units import Bools, Floats, Ints

ACCOUNT = np.dtype(
    [
        ("opened", np.int64),  # session
        ("starts", np.int64),  # first trading day, `opened` or later
        ("taxable", np.bool_),
        ("step", np.int64),  # billionths of a share
        ("every", np.int64),  # sessions between trading days
        ("names", np.int64),  # how many the account samples the index with
        ("buys_max", np.int64),  # names a purchase of cash is spread over
        ("lots_max", np.int64),
        ("harvest_below", np.float64),  # loss as a fraction of basis
        ("harvest_last", np.int64),  # session after which losses are left alone
        ("cash_weight", np.float64),
        ("kept", np.int64),  # column that is never traded, -1 none
        ("trim_gain_max", np.float64),  # lots with more gain (of value) are not sold to trim
        ("style", np.int64),  # row of `lottery`
    ],
    align=True,
)
FLOW = np.dtype([("session", np.int64), ("cents", np.int64)], align=True)  # withdrawals are negative
LEGACY = np.dtype(
    [
        ("sec", np.int64),
        ("quantity", np.int64),
        ("basis", np.int64),
        ("acquired", np.int64),  # days since 1970
    ],
    align=True,
)
# Scratch of one trading day, a row per name; dollars are floats here, for choosing only.
DESK = np.dtype(
    [
        ("value", np.float64),
        ("target", np.float64),  # weight
        ("bound", np.float64),  # weight: what the index has, for names outside the sample
        ("loss", np.float64),
        ("order", np.float64),
        ("may_buy", np.bool_),
    ],
    align=True,
)


class Plans(NamedTuple):
    """A accounts of H households; rows as in the book's account table."""

    household_start: Ints  # (H + 1,) offsets into accounts
    accounts: Records  # (A,) of ACCOUNT
    allowed: Bools  # (A, N)
    lottery: Floats  # (styles, N) decides which of the smaller names an account samples
    flow_start: Ints  # (A + 1,) offsets
    flows: Records  # of FLOW
    legacy_start: Ints  # (A + 1,) offsets
    legacy: Records  # of LEGACY: lots brought in kind
