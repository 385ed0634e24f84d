"""The `policy` of a ledger file: which readings of the law a replay follows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from allotment.tax.transactions import FoldPolicy, HoldingMethod, LotMethod, Scope, SpouseEffect

# The first value of each is the default; `average` is for fund shares.
_CHOICES: dict[str, tuple[str, ...]] = {
    "scope": ("household", "account_cusip"),
    "hp_method": ("tack_days", "tack_no_overlap", "replace_date"),
    "same_order_candidates": ("eligible", "excluded"),
    "sold_earlier_candidates": ("excluded", "included"),
    "acquired_before_sold_lot": ("eligible", "excluded"),
    "spouse_effect": ("adjust_spouse_lot", "permanent"),
    "ira_effect": ("permanent_loss",),
    "lot_method": tuple(method.name.lower() for method in LotMethod if method is not LotMethod.DONATION),
    "fifo_key": ("acquired", "holding_from"),
}

_MOST_PARTS = 10**9
_LONGEST_NUMBER = 24  # characters


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayPolicy:
    """A policy as read: for the fold, for every account, and the identical groups."""

    fold: FoldPolicy
    lot_method: LotMethod
    fifo_by_holding: bool
    groups: tuple[Mapping[str, Fraction], ...]  # symbol → units of the group in one share


def read_policy(given: Any) -> tuple[ReplayPolicy, list[tuple[str, str]]]:
    """The policy, and its mistakes as (found, remedy)."""
    mistakes: list[tuple[str, str]] = []
    if given is None:
        given = {}
    if not isinstance(given, dict):
        mistakes.append((f"found {given!r}", "give an object, or leave it out"))
        given = {}
    chosen = {name: values[0] for name, values in _CHOICES.items()}
    for name, value in given.items():
        if name == "si_groups":
            continue
        if name not in _CHOICES:
            mistakes.append((f"unknown key {name!r}", f"known are {', '.join((*_CHOICES, 'si_groups'))}"))
        elif value not in _CHOICES[name]:
            mistakes.append((f"{name} is {value!r}", f"give one of {', '.join(_CHOICES[name])}"))
        else:
            chosen[name] = value
    groups = _read_groups(given.get("si_groups", []), mistakes)
    policy = ReplayPolicy(
        fold=FoldPolicy(
            scope=Scope[chosen["scope"].upper()],
            hp_method=HoldingMethod[chosen["hp_method"].upper()],
            same_order_candidates=chosen["same_order_candidates"] == "eligible",
            sold_earlier_candidates=chosen["sold_earlier_candidates"] == "included",
            acquired_before_sold_lot=chosen["acquired_before_sold_lot"] == "eligible",
            spouse_effect=SpouseEffect[chosen["spouse_effect"].upper()],
        ),
        lot_method=LotMethod[chosen["lot_method"].upper()],
        fifo_by_holding=chosen["fifo_key"] == "holding_from",
        groups=groups,
    )
    return policy, mistakes


def _read_groups(given: Any, mistakes: list[tuple[str, str]]) -> tuple[Mapping[str, Fraction], ...]:
    groups: list[Mapping[str, Fraction]] = []
    seen: set[str] = set()
    if not isinstance(given, list):
        mistakes.append((f"si_groups is {given!r}", "give a list of groups"))
        given = []
    for group in given:
        units = {}
        for symbol, unit in _members(group).items():
            found = _units(unit)
            if found is None:
                mistakes.append((f"si_groups: {unit!r} units of {symbol}", "give a number such as 1 or 1500"))
                continue
            units[symbol] = found
            if symbol in seen:
                mistakes.append((f"si_groups: {symbol} stands in two groups", "give every symbol one group"))
            seen.add(symbol)
        if units:
            groups.append(units)
        else:
            mistakes.append((f"si_groups has {group!r}", "give a list of symbols or {symbol: units}"))
    return tuple(groups)


def _members(group: Any) -> dict[str, Any]:
    """Symbols of a group, with their units; nothing when it is no group."""
    if isinstance(group, dict):
        return group
    if isinstance(group, list) and all(isinstance(symbol, str) and symbol for symbol in group):
        return dict.fromkeys(group, 1)
    return {}


def _units(given: Any) -> Fraction | None:
    """A positive number, its parts up to a thousand million; None for anything else."""
    text = str(given)
    if len(text) > _LONGEST_NUMBER or "e" in text.lower():
        return None
    try:
        units = Fraction(text)
    except (ValueError, ZeroDivisionError):
        return None
    within = 0 < units.numerator <= _MOST_PARTS and units.denominator <= _MOST_PARTS
    return units if within else None
