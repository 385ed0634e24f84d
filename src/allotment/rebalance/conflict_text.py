"""A conflict between wishes told to a person: sentences made from its record, never composed afterwards."""

from __future__ import annotations

import math
from collections.abc import Sequence

from allotment.optimize.conflict import Conflict, Member
from allotment.optimize.problem import Problems, RowKind
from allotment.optimize.wish import OF_NAMES, Wish, WishKind

_COUNTS = frozenset({RowKind.TRADES, RowKind.HOLDINGS})
_NAMES_TOLD = 3  # of many that wish the same
_MEMBERS_TOLD = 6  # whose amounts fit on a page
_WISHES = {
    WishKind.NO_BUY: "the ban on buying {what}",
    WishKind.NO_SELL: "the ban on selling {what}",
    WishKind.KEPT_LOTS: "the lots of {what} that are never sold",
    WishKind.WEIGHT_MIN: "the least weight of {what}",
    WishKind.WEIGHT_MAX: "the most weight of {what}",
    WishKind.TRADE_MIN: "the smallest trade",
    WishKind.HOLDING_MIN: "the smallest holding",
    WishKind.CASH_MIN: "cash of at least {end}",
    WishKind.CASH_MAX: "cash of at most {end}",
    WishKind.ROW_MIN: "{what} of at least {end}",
    WishKind.ROW_MAX: "{what} of at most {end}",
    WishKind.TE_MAX: "a tracking error of at most {end}",
}


def tell_conflict(
    problem: Problems, conflict: Conflict, names: Sequence[str], rows: Sequence[str]
) -> tuple[str, ...]:
    """Which wishes of one account contradict each other, and what each alone would have to give.

    names, rows: what to call the names and rows of the problem, in their order.
    """
    wishes = _enumerated(_told(problem, [member.wish for member in conflict.members], names, rows))
    if conflict.can_be_kept:
        return (f"Not kept, because keeping costs more than the price of breaking: {wishes}.",)
    found = "No trades can keep" if conflict.is_proven else "No trades were found that keep"
    alone = len(conflict.members) == 1
    sentences = [f"{found} {wishes}." if alone else f"{found} all of these together: {wishes}."]
    if not conflict.is_smallest:
        sentences.append("The search was cut short: fewer of them may be enough.")
    if len(conflict.members) <= _MEMBERS_TOLD:
        for member in conflict.members:
            sentences += _given_way(problem, member, names, rows)
    return tuple(sentences)


def _given_way(problem: Problems, member: Member, names: Sequence[str], rows: Sequence[str]) -> list[str]:
    if math.isnan(member.needed) or member.needed == 0.0:
        return []
    (wish,) = _told(problem, [member.wish], names, rows)
    return [f"The others can be kept if {wish} gives way by {_amount(problem, member)}."]


def _told(problem: Problems, wishes: Sequence[Wish], names: Sequence[str], rows: Sequence[str]) -> list[str]:
    """One phrase per wish; names that wish the same share one."""
    phrases = []
    for kind in WishKind:
        of_kind = [wish for wish in wishes if wish.kind == kind]
        if kind in OF_NAMES and of_kind:
            called = [names[wish.at] for wish in of_kind]
            more = len(called) - _NAMES_TOLD
            what = _enumerated([*called[:_NAMES_TOLD], f"{more} more"] if more > 0 else called)
            phrases.append(_WISHES[kind].format(what=what))
        elif kind not in OF_NAMES:
            phrases += [
                _WISHES[kind].format(
                    what=rows[wish.at] if kind in {WishKind.ROW_MIN, WishKind.ROW_MAX} else "",
                    end=_end(problem, wish),
                )
                for wish in of_kind
            ]
    return phrases


def _end(problem: Problems, wish: Wish) -> str:
    columns = {
        WishKind.CASH_MIN: problem.cash_min,
        WishKind.CASH_MAX: problem.cash_max,
        WishKind.ROW_MIN: problem.row_lower,
        WishKind.ROW_MAX: problem.row_upper,
        WishKind.TE_MAX: problem.te_max,
    }
    if wish.kind not in columns:
        return ""
    return _number(problem, wish, float(columns[wish.kind][wish.at]))


def _amount(problem: Problems, member: Member) -> str:
    """What a wish must give, in its unit; of tracking error, to which it would have to rise."""
    if member.wish.kind == WishKind.TE_MAX:
        most = float(problem.te_max[member.wish.at])
        return f"{math.sqrt(most**2 + 2.0 * member.needed) - most:.2%}"
    return _number(problem, member.wish, member.needed)


def _number(problem: Problems, wish: Wish, value: float) -> str:
    if wish.kind in {WishKind.ROW_MIN, WishKind.ROW_MAX} and int(problem.row_kind[wish.at]) in _COUNTS:
        return f"{value:g}"
    return f"{value:.2%}"


def _enumerated(phrases: Sequence[str]) -> str:
    return phrases[0] if len(phrases) == 1 else f"{', '.join(phrases[:-1])} and {phrases[-1]}"
