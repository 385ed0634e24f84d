"""Why a name that a person would ask about was not traded, and what the trade would have brought.

At the answer's prices a name's trade is weighed again without each of the rules that concern it. The
binding rule is the one whose absence alone makes the trade worth most. Where not even all of
them together do, the trade is not worth it: what stands most against it is told, with its size.
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

import numpy as np

from allotment.optimize.alternatives import closed_sides, row_pushes
from allotment.optimize.claims import is_claimed
from allotment.optimize.decision import Decision
from allotment.optimize.excerpt import excerpt
from allotment.optimize.moves import EITHER_WAY, best_moves
from allotment.optimize.problem import Problems, RowKind, SolveOptions
from allotment.units import Bools, Codes, Floats, Index

_WORTH_MIN = 1e-8  # of account value; a trade that brings less is not missed


class Question(IntEnum):
    """What a person would ask about a name that was not traded."""

    HARVEST = 1  # why is this loss not taken?
    REDUCE = 2  # why is so much more held than the index has?
    INCREASE = 3  # why is so much less held than the index has?


class Rule(IntEnum):
    """What keeps a name from being traded. First what forbids, then what makes it not worth it."""

    NO_SALE = 1  # the name may not be sold
    LOCKED_LOTS = 2  # its lots may not be sold
    NO_PURCHASE = 3  # the name may not be bought
    YOUNG_SHARES = 4  # shares bought lately would wash the loss
    OPEN_CLAIM = 5  # the purchase would wash a loss taken lately
    GROUP = 6  # a substantially identical name is traded the other way
    WEIGHT_LIMIT = 7
    LOT_ORDER = 8  # the venue sells other lots first
    TRADE_MIN = 9
    HOLDING_MIN = 10
    SHARE_STEP = 11
    CHARGES = 12  # ticket and closed lots cost more than the trade brings
    BALANCE = 13  # alone it would pay; with the other trades it was left out, within the gap
    TAX = 14
    RISK = 15
    TRADING_COST = 16  # spread and impact
    CASH = 17  # cash is dearer: what would have to be sold, or stay unbought, for it
    ROW = 18  # a limit on a sum of names makes it dear
    TILT = 19


class WhyNot(NamedTuple):
    """One row per question (m,): losses, then distances, account by account, the largest first.

    Fractions of the account's value.
    """

    name: Index
    question: Codes  # Question
    rule: Codes  # Rule
    size: Floats  # weight of what was asked for: the losses held, or the distance from the index
    brings: Floats  # what the trade would bring: net without the rule that forbids it, else gross
    against: Floats  # what it would cost in all, NaN where a rule forbids it
    row: Index  # the row, where the rule is ROW, else −1

    def take(self, chosen: Bools) -> WhyNot:
        """The questions chosen by a mask."""
        name, question, rule = self.name[chosen], self.question[chosen], self.rule[chosen]
        numbers = (self.size[chosen], self.brings[chosen], self.against[chosen])
        return WhyNot(name, question, rule, *numbers, self.row[chosen])


_FORBIDS = tuple(rule for rule in Rule if rule <= Rule.CHARGES and rule != Rule.GROUP)


def why_not(decision: Decision, options: SolveOptions, most: int = 10) -> WhyNot:
    """Answers about at most `most` losses not taken, and as many distances from the index, per account."""
    name, question, size = _asked(decision, most)
    sells = question != Question.INCREASE
    if not len(name):
        return WhyNot(name, question, question, size, size, size, name)
    in_force = _in_force(decision, name, sells)
    worth = _worth(decision, options, name, sells, in_force)
    # Alone it would pay as things are: the others decided.
    rule = np.full(len(name), Rule.BALANCE)
    brings = worth.as_is.copy()
    against, row = np.full(len(name), np.nan), np.full(len(name), -1, np.int32)
    left = worth.as_is <= _WORTH_MIN
    by_group = left & (worth.without_group > _WORTH_MIN)
    rule[by_group], brings[by_group] = Rule.GROUP, worth.without_group[by_group]
    ruled = left & ~by_group & (worth.free > _WORTH_MIN)
    # The binding rule; where none alone is, the first in force, and what the trade brings without any.
    most = worth.without.max(axis=0)
    alone = most > _WORTH_MIN
    binding = np.where(alone, np.argmax(worth.without, axis=0), np.argmax(in_force, axis=0))
    rule[ruled] = np.array(_FORBIDS)[binding[ruled]]
    brings[ruled] = np.where(alone, most, worth.free)[ruled]
    taxes = _lot_taxes(decision)
    for x in np.flatnonzero(left & ~by_group & ~ruled):
        told = _not_worth(decision, taxes, int(name[x]), Question(question[x]))
        rule[x], brings[x], against[x], row[x] = told
    return WhyNot(name, question, rule.astype(np.int8), size, brings, against, row)


def _asked(d: Decision, most: int) -> tuple[Index, Codes, Floats]:
    """Names not traded with the largest losses by what they would save, and those farthest from the index."""
    p = d.problem
    loss = np.where(p.lot_is_loss, np.maximum(-_lot_taxes(d), 0.0) * p.lot_weight, 0.0)
    saving = d.by_name(loss)
    losses = d.by_name(np.where(p.lot_is_loss, p.lot_weight, 0.0))
    untraded = d.traded == 0.0
    harvest = _largest(d, np.where(untraded, saving, 0.0), most)
    active = np.where(untraded, p.held - p.benchmark, 0.0)
    active[harvest] = 0.0
    far = _largest(d, np.abs(active), most)
    name = np.concatenate([harvest, far]).astype(np.int32)
    distance = np.where(active[far] > 0.0, Question.REDUCE, Question.INCREASE)
    question = np.concatenate([np.full(len(harvest), Question.HARVEST), distance]).astype(np.int8)
    return name, question, np.concatenate([losses[harvest], np.abs(active[far])])


def _largest(d: Decision, size: Floats, most: int) -> Index:
    """The names of the largest sizes, so many of each account."""
    found = []
    for member in range(d.problem.n_accounts):
        mine = d.names_of(member)
        order = np.argsort(-size[mine], kind="stable")[:most] + mine.start
        found.append(order[size[order] > _WORTH_MIN])
    return np.asarray(np.concatenate(found), np.int32)


def _lot_taxes(d: Decision) -> Floats:
    """Tax per unit of weight sold of each lot (L,), the year's rates included."""
    p = d.problem
    if d.regime < 0:
        return p.lot_tax
    rate = np.where(p.lot_is_long, p.regime_long_rate[d.regime], p.regime_short_rate[d.regime])
    return np.asarray(p.lot_tax + rate * p.lot_gain)


class _Worth(NamedTuple):
    """What the trade asked for of each name (m,) brings at the answer's prices, −inf where it has none."""

    as_is: Floats
    without_group: Floats  # with no heed to what the rest of its group does
    free: Floats  # without the group and all of `_FORBIDS`
    without: Floats  # (rules, m) without each of these alone; −inf where it is not in force


def _worth(d: Decision, options: SolveOptions, name: Index, sells: Bools, in_force: Bools) -> _Worth:
    every = np.ones(len(name), np.bool_)
    # Names that are weighed, the rules that they are weighed without, and whether they hear their group.
    versions = [(every, (), True), (every, (), False), (every, _FORBIDS, False)]
    versions += [(in_force[x], (rule,), True) for x, rule in enumerate(_FORBIDS) if in_force[x].any()]
    order = np.argsort(d.account[name], kind="stable")
    asked = [order[names[order]] for names, _, _ in versions]
    problem, prices = excerpt(d, [(d.prices, name[places]) for places in asked])
    closed = closed_sides(d)[name]
    barred, first = [], 0
    for (_, rules, hears), places in zip(versions, asked, strict=True):
        barred.append(closed[places] if hears else np.full(len(places), EITHER_WAY, np.int8))
        last = first + len(np.unique(d.account[name[places]]))
        for rule in rules:
            _lift(problem, rule, slice(first, last))
        first = last
    moves = best_moves(d.market, problem, prices, options, barred=np.concatenate(barred))
    place = np.concatenate(asked)
    side = np.where(sells[place], moves.sell, moves.buy)
    usable = np.isfinite(side) & np.isfinite(moves.hold)
    brings = np.where(usable, np.where(usable, moves.hold, 0.0) - np.where(usable, side, 0.0), -np.inf)
    found = np.full((len(versions), len(name)), -np.inf)
    found[np.repeat(np.arange(len(versions)), [len(places) for places in asked]), place] = brings
    without = np.full((len(_FORBIDS), len(name)), -np.inf)
    without[in_force.any(axis=1)] = found[3:]
    return _Worth(found[0], found[1], found[2], without)


def _lift(problem: Problems, rule: Rule, accounts: slice) -> None:
    """Take a rule away from all names of these accounts."""
    names = slice(int(problem.names_from[accounts.start]), int(problem.names_from[accounts.stop]))
    lots = slice(int(problem.lots_from[names.start]), int(problem.lots_from[names.stop]))
    match rule:
        case Rule.NO_SALE:
            problem.may_sell[names] = True
        case Rule.LOCKED_LOTS:
            problem.lot_sellable[lots] = True
        case Rule.NO_PURCHASE:
            problem.may_buy[names] = True
        case Rule.YOUNG_SHARES:
            problem.young[names] = 0.0
        case Rule.OPEN_CLAIM:
            claims = slice(int(problem.claims_from[names.start]), int(problem.claims_from[names.stop]))
            problem.claim_cost[claims] = 0.0
        case Rule.WEIGHT_LIMIT:
            problem.weight_min[names] = 0.0
            problem.weight_max[names] = 1.0
        case Rule.LOT_ORDER:
            problem.in_order[accounts] = False
        case Rule.TRADE_MIN:
            problem.trade_min[accounts] = 0.0
        case Rule.HOLDING_MIN:
            problem.holding_min[accounts] = 0.0
        case Rule.SHARE_STEP:
            problem.step[names] = 0.0
        case Rule.CHARGES:
            problem.ticket_charge[accounts] = 0.0
            problem.lot_charge[accounts] = 0.0


def _in_force(d: Decision, name: Index, sells: Bools) -> Bools:
    """Which of `_FORBIDS` are in force for each name's side (rules, m); charges are always counted so."""
    p, a = d.problem, d.account[name]
    locked = d.by_name(~p.lot_sellable)[name] > 0
    lost = d.by_name(p.lot_is_loss)[name] > 0
    in_force = {
        Rule.NO_SALE: sells & ~p.may_sell[name],
        Rule.LOCKED_LOTS: sells & locked,
        Rule.NO_PURCHASE: ~sells & ~p.may_buy[name],
        Rule.YOUNG_SHARES: sells & lost & (p.young[name] > 0.0),
        Rule.OPEN_CLAIM: ~sells & is_claimed(p)[name],
        Rule.WEIGHT_LIMIT: np.where(sells, p.weight_min[name] > 0.0, p.weight_max[name] < 1.0),
        Rule.LOT_ORDER: sells & p.in_order[a],
        Rule.TRADE_MIN: p.trade_min[a] > 0.0,
        Rule.HOLDING_MIN: p.holding_min[a] > 0.0,
        Rule.SHARE_STEP: p.step[name] > 0.0,
        Rule.CHARGES: np.ones(len(name), np.bool_),
    }
    return np.array([in_force[rule] for rule in _FORBIDS])


def _not_worth(d: Decision, taxes: Floats, i: int, question: Question) -> tuple[int, float, float, int]:
    """What stands most against a trade, what speaks for it and against it in all; the row if it is one.

    The trade is that which was asked for: all losses, or the whole distance from the index. Rules,
    charges and washes are left out: without them it is not worth it either.
    """
    p, a, prices = d.problem, int(d.account[i]), d.prices
    size, taxed, per_kind = _wanted(d, taxes, i, question)
    move = size if question == Question.INCREASE else -size
    specific = float(d.market.specific_variance[p.asset_ix[i]])
    middle = float(p.held[i] - p.benchmark[i]) + move / 2
    factors = float((prices.factor[a] * d.market.loadings[p.asset_ix[i]]).sum())
    by_row = row_pushes(d, i, move, per_kind)
    terms = {
        Rule.TAX: taxed,
        Rule.RISK: factors * move + float(prices.risk[a]) * specific * move * middle,
        Rule.TRADING_COST: float(p.half_spread[i]) * size + float(p.impact[i]) * size**2,
        Rule.CASH: float(prices.cash[a]) * move,
        Rule.ROW: float(by_row.sum()),
        Rule.TILT: -float(p.utility[i]) * move,
    }
    rule = max(terms, key=lambda one: terms[one])
    brings = -sum(term for term in terms.values() if term < 0.0)
    row = int(np.argmax(by_row)) if rule == Rule.ROW else -1
    return int(rule), brings, sum(term for term in terms.values() if term > 0.0), row


def _wanted(d: Decision, taxes: Floats, i: int, question: Question) -> tuple[float, float, Floats]:
    """Weight, tax, and what rows count by kind, of the trade that was asked for."""
    p = d.problem
    counted = np.zeros(len(RowKind))
    counted[RowKind.TRADES] = 1.0
    if question == Question.INCREASE:
        size = float(p.benchmark[i] - p.held[i])
        counted[RowKind.TURNOVER] = size / 2
        counted[RowKind.HOLDINGS] = float(p.held[i] == 0.0)
        return size, 0.0, counted
    lots = np.arange(p.lots_from[i], p.lots_from[i + 1])
    if question == Question.HARVEST:
        lots = lots[p.lot_is_loss[lots]]
        left = float(p.lot_weight[lots].sum())
    else:
        lots = lots[np.argsort(taxes[lots], kind="stable")]
        left = float(p.held[i] - p.benchmark[i])
    size = tax = 0.0
    for lot in lots.tolist():
        sold = min(float(p.lot_weight[lot]), left - size)
        size, tax = size + sold, tax + sold * float(taxes[lot])
        gain = sold * float(p.lot_gain[lot])
        counted[RowKind.GAIN_LONG if p.lot_is_long[lot] else RowKind.GAIN_SHORT] += gain
        counted[RowKind.GAIN] += gain
        counted[RowKind.TAX] += sold * float(p.lot_tax[lot])
    counted[RowKind.TURNOVER] = size / 2
    return size, tax, counted
