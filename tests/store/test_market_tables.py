"""Facts of the market come back as they went in, for the firm that reads them too."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from allotment.errors import DataError
from allotment.market.corporate_action import ActionKind, CorporateAction
from allotment.market.history import MarketHistory
from allotment.market.index import IndexWeights, WeightKind
from allotment.market.prices import PriceHistory
from allotment.market.security import Identifier, IdentifierKind, Security, SecurityKind
from allotment.store import index_tables, market_tables

DAYS = np.array(["2024-01-02", "2024-01-03", "2024-01-04", "2024-01-05"], "M8[D]")
FIRST, LAST = date(2024, 1, 2), date(2024, 1, 5)


def prices(seed: int = 0) -> PriceHistory:
    rng = np.random.default_rng(seed)
    shape = (4, 8)
    history = PriceHistory(
        sessions=DAYS,
        security_ids=np.arange(1, 9),
        close_micros=rng.integers(1, 10**12, shape),
        adjusted_usd=rng.random(shape),
        volume=rng.random(shape) * 1e6,
    )
    history.close_micros[0, 2], history.adjusted_usd[0, 2] = 0, np.nan  # not listed yet
    history.volume[0, 2] = np.nan
    return history


def weights(session: date, version: int = 1, kind: WeightKind = WeightKind.CLOSE) -> IndexWeights:
    rng = np.random.default_rng(version)
    weight = rng.random(8)
    return IndexWeights(
        index_code="IDX", session=session, kind=kind, version=version,
        security_ids=np.arange(1, 9), weight=weight / weight.sum(),
    )  # fmt: skip


def same(a: object, b: object) -> None:
    for name in type(a).__dataclass_fields__:
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name), err_msg=name)


def test_securities_are_replaced_by_id(market, firm, securities) -> None:
    changed = replace(securities[0], kind=SecurityKind.ETF, group_code="G", group_units=1500.0)
    market_tables.save_securities(market, [changed])
    found = market_tables.load_securities(firm)
    assert found == (changed, *securities[1:])
    assert found[0].kind is SecurityKind.ETF


def test_identifiers_change_over_time(market, firm, securities) -> None:
    listed = (
        Identifier(security_id=1, kind=IdentifierKind.TICKER, value="OLD", start=FIRST, end=date(2024, 6, 1)),
        Identifier(security_id=1, kind=IdentifierKind.TICKER, value="NEW", start=date(2024, 6, 2)),
        Identifier(security_id=2, kind=IdentifierKind.CUSIP, value="123456789", start=FIRST),
    )
    market_tables.save_identifiers(market, listed)
    assert market_tables.load_identifiers(firm) == listed


def test_prices_come_back_as_a_matrix(market, firm, securities) -> None:
    sent = prices()
    caps = np.where(sent.close_micros > 0, 1e9, np.nan)
    assert market_tables.save_prices(market, sent, caps) == 31
    found = market_tables.load_prices(firm, FIRST, LAST)
    same(sent, found)
    np.testing.assert_array_equal(market_tables.load_market_caps(firm, found), caps)
    assert market_tables.sessions(firm) == tuple(DAYS.tolist())


def test_a_window_of_some_securities(market, firm, securities) -> None:
    sent = prices()
    market_tables.save_prices(market, sent)
    found = market_tables.load_prices(firm, date(2024, 1, 3), date(2024, 1, 4), np.array([7, 2]))
    assert found.security_ids.tolist() == [2, 7]
    np.testing.assert_array_equal(found.close_micros, sent.close_micros[1:3][:, [1, 6]])
    nothing = market_tables.load_prices(firm, date(2020, 1, 1), date(2020, 2, 1))
    assert nothing.close_micros.shape == (0, 0)


def test_prices_sent_again_replace_the_window(market, firm, securities) -> None:
    market_tables.save_prices(market, prices())
    again = prices(1)
    market_tables.save_prices(market, again)
    same(again, market_tables.load_prices(firm, FIRST, LAST))


def test_nothing_is_written_about_an_unknown_security(market, firm, securities) -> None:
    with pytest.raises(DataError, match="unknown security 99"):
        market_tables.save_prices(market, replace(prices(), security_ids=np.array([*range(1, 8), 99])))
    assert market_tables.sessions(firm) == ()


def test_weights_of_the_highest_version_win(market, firm, securities) -> None:
    sets = [weights(FIRST), weights(FIRST, 2), weights(LAST), weights(LAST, 3, WeightKind.PRO_FORMA)]
    index_tables.save_index_weights(market, sets)
    found = index_tables.load_index_weights(firm, "IDX", WeightKind.CLOSE, FIRST, LAST)
    assert [(one.session, one.version) for one in found] == [(FIRST, 2), (LAST, 1)]
    same(found[0], sets[1])
    same(index_tables.latest_index_weights(firm, "IDX", date(2024, 1, 4)), sets[1])
    assert index_tables.index_codes(firm) == ("IDX",)
    with pytest.raises(DataError, match="no close weights of index IDX on or before 2023-01-01"):
        index_tables.latest_index_weights(firm, "IDX", date(2023, 1, 1))


def test_a_weight_set_is_replaced_whole(market, firm, securities) -> None:
    index_tables.save_index_weights(market, [weights(FIRST)])
    half = IndexWeights(
        index_code="IDX", session=FIRST, kind=WeightKind.CLOSE, version=1,
        security_ids=np.array([3, 4]), weight=np.array([0.25, 0.75]),
    )  # fmt: skip
    index_tables.save_index_weights(market, [half])
    same(index_tables.load_index_weights(firm, "IDX", WeightKind.CLOSE, FIRST, FIRST)[0], half)


def test_actions_of_a_day_are_replaced(market, firm, securities) -> None:
    split = CorporateAction(security_id=1, ex_date=FIRST, kind=ActionKind.SPLIT, ratio=2.0)
    spin = CorporateAction(
        security_id=2, ex_date=LAST, kind=ActionKind.SPIN_OFF, ratio=0.25, other_security_id=3, value_usd=1.5
    )
    market_tables.save_actions(market, [split, spin])
    corrected = replace(split, ratio=3.0, note="corrected")
    market_tables.save_actions(market, [corrected])
    assert market_tables.load_actions(firm, FIRST, LAST) == (corrected, spin)
    assert market_tables.load_actions(firm, date(2024, 1, 3), date(2024, 1, 4)) == ()


def test_a_score_holds_until_the_next(market, firm, securities) -> None:
    ids = np.array([1, 2, 3])
    index_tables.save_scores(market, "esg", FIRST, ids, np.array([1.0, 2.0, np.nan]))
    index_tables.save_scores(market, "esg", LAST, ids, np.array([5.0, np.nan, 7.0]))
    early = index_tables.load_scores(firm, date(2024, 1, 4), ids)["esg"]
    late = index_tables.load_scores(firm, LAST, ids)["esg"]
    np.testing.assert_array_equal(early, [1.0, 2.0, np.nan])
    np.testing.assert_array_equal(late, [5.0, 2.0, 7.0])
    assert index_tables.load_scores(firm, date(2023, 1, 1), ids) == {}


def test_a_whole_market_comes_back(market, firm) -> None:
    listed = tuple(Security(security_id=i, code=f"S{i}", name=f"N{i}") for i in range(1, 9))
    history = MarketHistory(
        securities=listed,
        identifiers=(Identifier(security_id=1, kind=IdentifierKind.TICKER, value="A", start=FIRST),),
        prices=prices(),
        market_cap_usd=np.full((4, 8), np.nan),
        actions=(
            CorporateAction(security_id=1, ex_date=LAST, kind=ActionKind.CASH_DIVIDEND, amount_usd=0.5),
        ),
        index_weights=(weights(FIRST), weights(LAST)),
        scores={"flag": np.array([0.0, 1, 0, 0, 0, 0, 0, 1])},
    )
    market_tables.save_history(market, history)
    found = market_tables.load_history(firm, FIRST, LAST)
    assert (found.securities, found.identifiers, found.actions) == (
        history.securities, history.identifiers, history.actions,
    )  # fmt: skip
    same(history.prices, found.prices)
    for sent, got in zip(history.index_weights, found.index_weights, strict=True):
        same(sent, got)
    np.testing.assert_array_equal(found.scores["flag"], history.scores["flag"])


def test_every_row_names_its_write(market, securities) -> None:
    market_tables.save_prices(market, prices())
    found = (
        market.connection()
        .execute("SELECT DISTINCT what, actor FROM price JOIN write USING (write_id)")
        .fetchall()
    )
    assert found == [("prices", "local")]
