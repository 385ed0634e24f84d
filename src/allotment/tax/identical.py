"""Which securities the wash-sale rule treats as one, and in what ratio.

Law: 26 U.S.C. §1091(a), "substantially identical stock or securities". There is no bright
line; the groups are data of the firm. Defaults and grey cases: docs/law/wash-sale.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Self

import numpy as np

from allotment.compiled import kernel
from allotment.market.security import Security
from allotment.units import Index, Ints, mul_div


@dataclass(frozen=True, slots=True, kw_only=True)
class IdenticalGroups:
    """Securities with their group, shape (n_securities,), ascending by id.

    One share is `unit_parts / unit_whole` units of its group (BRK.A: 1500/1, BRK.B: 1/1).
    A security without substantially identical ones is a group of its own.
    """

    security_ids: Ints
    group_ix: Index  # 0, 1, …
    unit_parts: Ints
    unit_whole: Ints

    def __post_init__(self) -> None:
        n = self.security_ids.shape
        assert self.group_ix.shape == self.unit_parts.shape == self.unit_whole.shape == n
        assert bool(np.all(self.security_ids[:-1] < self.security_ids[1:]))

    def __len__(self) -> int:
        return int(self.security_ids.shape[0])

    @classmethod
    def alone(cls, security_ids: Ints) -> Self:
        """Every security of the given ids (any order, repeats allowed) in a group of its own."""
        ids = np.unique(np.asarray(security_ids, np.int64))
        ones = np.ones(len(ids), np.int64)
        return cls(
            security_ids=ids,
            group_ix=np.arange(len(ids), dtype=np.int32),
            unit_parts=ones,
            unit_whole=ones,
        )

    @classmethod
    def of_securities(cls, securities: Sequence[Security]) -> Self:
        """Groups by the `group_code` of each security; an empty code stands alone."""
        ordered = sorted(securities, key=lambda security: security.security_id)
        group_of: dict[str, int] = {}
        group_ix, parts, whole = [], [], []
        for security in ordered:
            name = security.group_code or f"#{security.security_id}"
            group_ix.append(group_of.setdefault(name, len(group_of)))
            ratio = Fraction(security.group_units).limit_denominator(1_000_000)
            parts.append(ratio.numerator)
            whole.append(ratio.denominator)
        return cls(
            security_ids=np.array([security.security_id for security in ordered], np.int64),
            group_ix=np.array(group_ix, np.int32),
            unit_parts=np.array(parts, np.int64),
            unit_whole=np.array(whole, np.int64),
        )


def in_units(quantity_nano: Ints, groups: IdenticalGroups, at: Ints) -> Ints:
    """Shares of the securities in rows `at` as units of their groups, half-up. Shape (n,)."""
    return _scaled(quantity_nano, groups.unit_parts[at], groups.unit_whole[at])


def in_shares(unit_nano: Ints, groups: IdenticalGroups, at: Ints) -> Ints:
    """Units of their groups as shares of the securities in rows `at`, half-up. Shape (n,)."""
    return _scaled(unit_nano, groups.unit_whole[at], groups.unit_parts[at])


@kernel
def _scale(quantity: Ints, parts: Ints, whole: Ints, out: Ints) -> None:
    for i in range(quantity.shape[0]):
        out[i] = mul_div(quantity[i], parts[i], whole[i])


def _scaled(quantity: Ints, parts: Ints, whole: Ints) -> Ints:
    out = np.empty(len(quantity), np.int64)
    _scale(np.ascontiguousarray(quantity), np.ascontiguousarray(parts), np.ascontiguousarray(whole), out)
    return out
