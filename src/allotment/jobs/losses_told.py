"""Losses that are gone for good, in words: which sale, whose purchase, how much, by which rule."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from allotment.ledger.permanent import LossRule, PermanentLosses
from allotment.units import CENTS_PER_USD, NANO_PER_SHARE, format_scaled


def loss_facts(
    lost: PermanentLosses, accounts: Mapping[int, str], securities: Mapping[int, str]
) -> list[dict[str, Any]]:
    """A loss a row, with codes in place of numbers. accounts, securities: codes by id."""
    return [
        {
            "day": str(lost.day[i]),
            "account": accounts.get(int(lost.account_id[i]), ""),
            "security": securities.get(int(lost.security_id[i]), str(lost.security_id[i])),
            "sold": str(lost.sold[i]),
            "sale_event": int(lost.sale_event[i]),
            "buyer": accounts.get(int(lost.buyer_account_id[i]), ""),
            "purchase_event": int(lost.purchase_event[i]),
            "shares": format_scaled(int(lost.quantity_nano[i]), NANO_PER_SHARE),
            "lost_usd": format_scaled(int(lost.amount_cents[i]), CENTS_PER_USD),
            "rule": LossRule(int(lost.rule[i])).citation,
        }
        for i in range(len(lost))
    ]


def loss_line(loss: Mapping[str, Any]) -> str:
    """One of `loss_facts` as a line."""
    return (
        f"gone for good on {loss['day']}: ${loss['lost_usd']} of what {loss['account']} lost on "
        f"{loss['security']} (sold {loss['sold']}), by the {loss['shares']} shares that {loss['buyer']} "
        f"bought; {loss['rule']}"
    )
