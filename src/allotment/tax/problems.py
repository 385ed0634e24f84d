"""What can be wrong with a transaction, given the others."""

from __future__ import annotations

from enum import IntEnum


class ProblemCode(IntEnum):
    """Why a transaction was left out; the rest is still folded."""

    SOLD_MORE_THAN_HELD = 1  # `wanted_nano` was asked, `held_nano` is there
    LOT_NOT_HELD = 2  # a named lot is not there in that quantity
    NAMED_QUANTITY_DIFFERS = 3  # named lots do not add up to the quantity
    UNKNOWN_ACCOUNT = 4
    WRONG_HOUSEHOLD = 5
    NOT_POSITIVE = 6  # a quantity, ratio or price that must be positive
    UNKNOWN_KIND = 7
    TOO_LARGE = 8  # amounts beyond 64 bits
    NO_TERMS = 9  # a corporate action without terms, or without the security it needs
    INTO_ITSELF = 10  # a security that becomes, or brings, itself
    SHORT_IS_OPEN = 11  # a corporate action that is not worked out for open shorts
    NOT_SHORT = 12  # more shares are covered than are short
    LINKED_TWICE = 13  # an account comes to its household once, and leaves it once
