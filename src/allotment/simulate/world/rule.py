"""The plain rule by which a sample account trades.

On its trading days an account sells lots that stand far below their basis and puts the proceeds
into other names of the same sector, trims what has grown far above its share, and invests cash
into what it holds too little of. Nothing that the household sold at a loss is bought for 30
days, nothing bought within 30 days is sold at a loss. It is no optimiser: a few hundred
names stand for the index, and each purchase is large enough to be worth its lot.
"""

from __future__ import annotations

import numpy as np

from allotment.compiled import kernel
from allotment.simulate.world.shelf import NANO, WASH_DAYS, Day, buy, find_lots, sell_parts

_TOP_SHARE = 0.6  # of an account's names are the largest of the index; the rest is a sample
_TRIM_ABOVE = 2.0  # times the target …
_TRIM_SLACK = 0.004  # … and so much of the account on top
_TRIMS_MAX = 12
_HARVESTS_MAX = 20
_IDLE_CASH = 0.006  # of the account: less is not worth a purchase
_PARTS_OF_PROCEEDS = 3  # names that share the proceeds of one harvested name
_ROOM_LEFT = 400  # lots: an account this near its limit buys a few names only
CENTS = 100.0


@kernel
def appraise(day: Day) -> float:
    """Fill all but `loss` and `order`; returns the account's value with its cash, in dollars."""
    tape, plans, shelf, desk = day.tape, day.plans, day.shelf, day.desk
    a, slot, t = day.account, day.slot, day.session
    file, today, kept = tape.bench_row[t], tape.day[t], plans.kept[a]
    top = np.int64(_TOP_SHARE * plans.names[a])
    rest = max(tape.members[file] - top, 1)
    chance = min(1.0, (plans.names[a] - top) / rest)
    account_usd = shelf.cash[slot] / CENTS
    total = 0.0
    for i in range(desk.value.shape[0]):
        held = shelf.position[slot, i]
        desk.value[i] = held * 1e-15 * tape.price_micros[t, i] if held > 0 else 0.0
        account_usd += desk.value[i]
        weight = tape.bench[file, i] if plans.allowed[a, i] else 0.0
        desk.bound[i] = weight
        is_open = shelf.blocked_until[tape.group[i]] < today
        desk.may_buy[i] = weight > 0.0 and tape.trades[t, i] and i != kept and is_open
        if tape.rank[file, i] >= top:
            weight = weight / chance if plans.lottery[plans.style[a], i] < chance else 0.0
        desk.target[i] = weight
        total += weight
    if total > 0.0:
        for i in range(desk.target.shape[0]):
            desk.target[i] *= (1.0 - plans.cash_weight[a]) / total
    return float(account_usd)


@kernel
def trade(day: Day) -> None:
    """One trading day of one account: harvest, trim, invest."""
    tape, plans, shelf, a, slot, t = day.tape, day.plans, day.shelf, day.account, day.slot, day.session
    if tape.bench_row[t] < 0:
        return
    account_usd = appraise(day)
    if plans.taxable[a] and t <= plans.harvest_last[a]:
        _harvest(day, account_usd)
    _trim(day, account_usd)
    spare_usd = shelf.cash[slot] / CENTS - plans.cash_weight[a] * account_usd
    if spare_usd > _IDLE_CASH * account_usd:
        _invest(day, account_usd, spare_usd)


@kernel
def raise_cash(day: Day, cents: int) -> None:
    """Sell what stands highest above its target until the account has `cents` of cash, if it can."""
    tape, plans, shelf, desk = day.tape, day.plans, day.shelf, day.desk
    a, slot, t = day.account, day.slot, day.session
    if tape.bench_row[t] < 0:
        return
    account_usd = appraise(day)
    for _ in range(60):
        missing_usd = (cents - shelf.cash[slot]) / CENTS
        if missing_usd <= 0.0:
            return
        best, excess = -1, 0.0
        for i in range(desk.value.shape[0]):
            above = desk.value[i] - 0.8 * desk.target[i] * account_usd
            if above > excess and tape.trades[t, i] and i != plans.kept[a]:
                best, excess = i, above
        if best < 0:
            return
        amount_usd = min(desk.value[best], max(missing_usd / 8.0, min(missing_usd, excess)) + 1.0)
        before = shelf.cash[slot]
        _sell_amount(day, best, amount_usd, 1.0)
        sold_usd = (shelf.cash[slot] - before) / CENTS
        desk.value[best] = desk.value[best] - sold_usd if sold_usd > 0.0 else 0.0


@kernel
def _harvest(day: Day, account_usd: float) -> None:
    """Sell the lots far below their basis, name by name, the largest loss first."""
    tape, plans, shelf, desk = day.tape, day.plans, day.shelf, day.desk
    a, slot, t = day.account, day.slot, day.session
    desk.loss[:] = 0.0
    floor = 1.0 - plans.harvest_below[a]
    for k in range(shelf.n_lots[slot]):
        i = shelf.sec[slot, k]
        value_usd = shelf.quantity[slot, k] * 1e-15 * tape.price_micros[t, i]
        basis_usd = shelf.basis[slot, k] / CENTS
        if value_usd < floor * basis_usd and tape.trades[t, i]:
            desk.loss[i] += basis_usd - value_usd
    worth_usd = max(40.0, 1e-4 * account_usd)
    for _ in range(_HARVESTS_MAX):
        i = int(np.argmax(desk.loss))
        if desk.loss[i] < worth_usd:
            return
        desk.loss[i] = 0.0
        if tape.day[t] - shelf.bought_on[tape.group[i]] <= WASH_DAYS or i == plans.kept[a]:
            continue
        n = find_lots(shelf, slot, i)
        for k in range(n):
            row = shelf.rows[k]
            value_usd = shelf.quantity[slot, row] * 1e-15 * tape.price_micros[t, i]
            if value_usd < floor * shelf.basis[slot, row] / CENTS:
                shelf.part[k] = shelf.quantity[slot, row]
        cents = sell_parts(day, i, tape.price_micros[t, i], n)
        desk.value[i] -= cents / CENTS
        for j in range(desk.may_buy.shape[0]):
            if tape.group[j] == tape.group[i]:
                desk.may_buy[j] = False
        _replace(day, i, cents / CENTS, account_usd)


@kernel
def _replace(day: Day, sold: int, proceeds_usd: float, account_usd: float) -> None:
    """Spend the proceeds on the least held names of the same sector."""
    tape, desk = day.tape, day.desk
    left_usd = proceeds_usd
    for _ in range(_PARTS_OF_PROCEEDS):
        best, room_usd = -1, 0.0
        for i in range(desk.value.shape[0]):
            if tape.sector[i] == tape.sector[sold] and desk.may_buy[i]:
                wanted_usd = 1.5 * max(desk.bound[i], desk.target[i]) * account_usd - desk.value[i]
                if wanted_usd > room_usd:
                    best, room_usd = i, wanted_usd
        if best < 0:
            return
        spend_usd = min(left_usd, max(room_usd, proceeds_usd / _PARTS_OF_PROCEEDS))
        spent = _buy_amount(day, best, spend_usd)
        if spent <= 0.0:
            return
        desk.value[best] += spent
        left_usd -= spent
        if left_usd < 0.1 * proceeds_usd:
            return


@kernel
def _trim(day: Day, account_usd: float) -> None:
    """Sell the excess of the names furthest above their share, highest basis first."""
    tape, plans, shelf, desk = day.tape, day.plans, day.shelf, day.desk
    a, slot, t = day.account, day.slot, day.session
    for i in range(desk.value.shape[0]):
        desk.order[i] = 0.0
        if desk.value[i] > 0.0 and tape.trades[t, i] and i != plans.kept[a]:
            goal = max(desk.target[i], desk.bound[i])
            if desk.value[i] > (_TRIM_ABOVE * goal + (_TRIM_SLACK if goal > 0.0 else 0.0)) * account_usd:
                desk.order[i] = desk.value[i] - goal * account_usd
    gain_max = plans.legacy_gain_max[a] if plans.taxable[a] else 1.0
    for _ in range(_TRIMS_MAX):
        i = int(np.argmax(desk.order))
        if desk.order[i] < max(100.0, 2e-4 * account_usd):
            return
        before = shelf.cash[slot]
        _sell_amount(day, i, desk.order[i], gain_max)
        desk.value[i] -= (shelf.cash[slot] - before) / CENTS
        desk.order[i] = 0.0


@kernel
def _invest(day: Day, account_usd: float, spare_usd: float) -> None:
    """Spread spare cash over the names that the account holds too little of."""
    tape, plans, shelf, desk = day.tape, day.plans, day.shelf, day.desk
    a, slot, t = day.account, day.slot, day.session
    ticket_usd = max(50.0, 2e-4 * account_usd)
    is_first = spare_usd > 0.5 * account_usd
    names_max = plans.names[a] if is_first else plans.buys_max[a]
    if shelf.n_lots[slot] > plans.lots_max[a] - _ROOM_LEFT and not is_first:
        names_max = 5
    names_max = min(
        names_max, plans.lots_max[a] - shelf.n_lots[slot], np.int64(spare_usd / (0.2 * ticket_usd))
    )
    today = tape.day[t]
    for i in range(desk.value.shape[0]):
        short_usd = desk.target[i] * account_usd - desk.value[i]
        wanted = short_usd > 0.2 * ticket_usd and desk.may_buy[i]
        is_open = shelf.blocked_until[tape.group[i]] < today  # a trim may have taken a loss
        desk.order[i] = -short_usd if wanted and is_open else 0.0
    if names_max <= 0:
        return
    places = np.argsort(desk.order)[:names_max]
    total_usd = 0.0
    for i in places:
        total_usd -= desk.order[i]
    if total_usd <= 0.0:
        return
    scale = min(spare_usd / total_usd, 1.5)
    carried_usd = 0.0  # what whole shares leave over goes to the next name
    for i in places:
        if desk.order[i] >= 0.0:
            return
        share_usd = -desk.order[i] * scale
        price_usd = tape.price_micros[t, i] / 1e6
        budget_usd = min(share_usd + carried_usd, max(2.0 * share_usd, price_usd))
        spent = _buy_amount(day, i, budget_usd)
        carried_usd += share_usd - spent


@kernel
def _buy_amount(day: Day, i: int, amount_usd: float) -> float:
    """Buy at most so many dollars of a name, in steps of its venue; returns dollars spent."""
    tape, plans, shelf, a, slot, t = day.tape, day.plans, day.shelf, day.account, day.slot, day.session
    amount_usd = min(amount_usd, shelf.cash[slot] / CENTS - 0.01)
    if amount_usd <= 0.0:
        return 0.0
    steps = np.int64(amount_usd * 1e6 / tape.price_micros[t, i] * (NANO / plans.step[a]))
    return buy(day, i, steps * plans.step[a]) / CENTS


@kernel
def _sell_amount(day: Day, i: int, amount_usd: float, gain_max: float) -> None:
    """Sell about so many dollars of a name, lots of the highest basis first; no lot with more
    gain than `gain_max` of its value, and no loss within 30 days of a purchase."""
    tape, plans, shelf, a, slot, t = day.tape, day.plans, day.shelf, day.account, day.slot, day.session
    micros = tape.price_micros[t, i]
    steps = np.int64(np.ceil(amount_usd * 1e6 / micros * (NANO / plans.step[a])))
    left = steps * plans.step[a]
    is_young = tape.day[t] - shelf.bought_on[tape.group[i]] <= WASH_DAYS
    n = find_lots(shelf, slot, i)
    for _ in range(n):
        if left <= 0:
            break
        best, highest = -1, -1.0
        for k in range(n):
            row = shelf.rows[k]
            if shelf.part[k] > 0:
                continue
            basis_usd = shelf.basis[slot, row] / CENTS
            value_usd = shelf.quantity[slot, row] * 1e-15 * micros
            unit = basis_usd / shelf.quantity[slot, row]
            if value_usd - basis_usd > gain_max * value_usd or (is_young and value_usd < basis_usd):
                continue
            if unit > highest:
                best, highest = k, unit
        if best < 0:
            break
        shelf.part[best] = min(left, shelf.quantity[slot, shelf.rows[best]])
        left -= shelf.part[best]
    sell_parts(day, i, micros, n)
