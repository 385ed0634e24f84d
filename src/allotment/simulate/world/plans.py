"""What the accounts of the sample book do through the years, as plain arrays."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from allotment.units import Bools, Codes, Floats, Index, Ints


class Plans(NamedTuple):
    """What A accounts do through the years; rows as in the book's account table."""

    household_start: Index  # (H + 1,) offsets into accounts
    opened: Index  # (A,) session
    starts: Index  # first trading day, `opened` or later
    taxable: Bools
    step: Ints  # billionths of a share
    every: Index  # sessions between trading days
    names: Index  # how many the account samples the index with
    buys_max: Index  # names a purchase of cash is spread over
    lots_max: Index
    harvest_below: Floats  # loss as a fraction of basis
    harvest_last: Index  # session after which losses are left alone
    cash_weight: Floats
    kept: Index  # column that is never traded, -1 none
    legacy_gain_max: Floats  # lots with more gain (of value) are not sold to trim
    style: Codes  # row of `lottery`, 0 to 63
    lottery: Floats  # (64, N) decides which of the smaller names an account samples
    allowed: Bools  # (A, N)
    flow_start: Ints  # (A + 1,)
    flow_session: Index
    flow_cents: Ints  # deposits, withdrawals negative
    legacy_start: Ints  # (A + 1,)
    legacy_sec: Index
    legacy_quantity: Ints
    legacy_basis: Ints
    legacy_acquired: Ints


class Desk(NamedTuple):
    """Scratch of one trading day, shape (N,) each; dollars are floats here, for choosing only.

    Loops over names or lots read these and take no records: passing one costs more than a step.
    """

    value: Floats
    target: Floats  # weights
    bound: Floats  # weights: what the index has, for names outside the sample
    loss: Floats
    order: Floats
    may_buy: Bools


def empty_desk(n_names: int) -> Desk:
    """Scratch for one thread."""
    columns = {name: np.zeros(n_names) for name in Desk._fields if name != "may_buy"}
    return Desk(**columns, may_buy=np.zeros(n_names, np.bool_))
