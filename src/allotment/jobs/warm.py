"""``python -m allotment.jobs.warm``: compile every kernel once, by walking the main job in memory.

The machine code is kept on disk, so that the first command of a user does not wait for it.
"""

from __future__ import annotations

import sys
from time import perf_counter

from allotment.jobs.market_day import snapshot_of
from allotment.ledger.events import AccountTable
from allotment.ledger.fold import fold
from allotment.optimize.solve import solve_batch
from allotment.rebalance.case import CostPolicy
from allotment.rebalance.decide import Versions
from allotment.rebalance.facts import Clients, facts_of
from allotment.rebalance.household import decide
from allotment.simulate.world.book import BookPolicy, make_book
from allotment.simulate.world.market import MarketPolicy, make_market


def warm() -> int:
    """Decide a few invented accounts; returns how many got a proposal."""
    market = make_market(MarketPolicy(), 1)
    book = make_book(market, BookPolicy(accounts=6), 1)
    snapshot = snapshot_of(market, book.asof)
    table = AccountTable.of_accounts(
        book.accounts, book.venues, [(s.sleeve_id, s.account_id) for s in book.sleeves]
    )
    state = fold(book.events, table, snapshot.groups)
    clients = Clients(
        accounts={a.account_id: a for a in book.accounts},
        taxpayers={t.taxpayer_id: t for t in book.taxpayers},
        venues={v.code: v for v in book.venues},
        mandates={m.account_id: m for m in book.mandates},
    )
    facts = facts_of(book.events, state, clients, set(clients.accounts), snapshot)
    versions = Versions(engine="warm", rules="warm")
    return len(decide(facts.cases, snapshot, CostPolicy(), versions, facts.year, solve_batch).proposals)


if __name__ == "__main__":
    started = perf_counter()
    sys.stderr.write("Compiling the kernels, once for this version (a minute or two) …\n")
    warm()
    sys.stderr.write(f"Compiled in {perf_counter() - started:.0f} s.\n")
