"""The household to which everything happens."""

from __future__ import annotations

from allotment.ledger.events import AccountTable, EventKind
from allotment.ledger.fold import fold
from allotment.simulate.world.every_kind import FirstIds, every_kind
from allotment.tax.identical import IdenticalGroups


def test_it_has_an_event_of_every_kind_and_no_contradiction() -> None:
    made = every_kind(FirstIds(security=1, household=1, taxpayer=1, account=1, sleeve=1), "V")
    assert set(made.events.kind.tolist()) == {int(kind) for kind in EventKind}
    table = AccountTable.of_accounts(
        made.accounts, sleeves=[(sleeve.sleeve_id, sleeve.account_id) for sleeve in made.sleeves]
    )
    state = fold(made.events, table, IdenticalGroups.of_securities(made.securities))
    assert state.problems == ()
    assert (state.taxpayer.lots.quantity_nano > 0).all()
    assert {0, 1} <= set(state.cash.sleeve_ix.tolist())
