"""The planner: one feed a topic, and to every lane its share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from tests.venues.bench import Outbox
from tests.venues.skeletons import coinbase, edgex, zonda
from trioquotes._protocol.contract import Venue
from trioquotes._protocol.effects import Lane, Options, Send, Stamp, WireChannel
from trioquotes._protocol.lane import LaneState
from trioquotes._protocol.planner import Planner
from trioquotes.errors import InvalidInstrument, SubscriptionRejected
from trioquotes.events import Event
from trioquotes.topics import Books, Quotes, Tickers, Topic, Trades

NOW = Stamp(5, 5.0)


def planner(venue: Venue) -> Planner:
    return Planner(venue, Options(next(iter(venue.endpoints.values()))))


def join(plan: Planner, topic: Topic[Event]) -> Outbox:
    box = Outbox(topic)
    plan.join(topic, box, 0)
    plan.replan()
    return box


def serve(state: LaneState) -> None:
    """The lane comes up, and everything wanted on it is asked and confirmed."""
    state.connected(NOW)
    wanted = frozenset(state.ledger.to_ask)
    state.sent(Send(b"{}", 1, asks=wanted), NOW)
    state.confirmed(wanted)


def test_equal_topics_share_a_feed() -> None:
    plan = planner(zonda.VENUE)
    join(plan, Trades("BTC-PLN"))
    join(plan, Trades("BTC-PLN"))
    assert len(plan.feeds) == 1
    assert len(plan.feeds[Trades("BTC-PLN")].outlets) == 2


def test_a_topic_that_cannot_be_served_changes_nothing() -> None:
    plan = planner(zonda.VENUE)
    with pytest.raises(InvalidInstrument):
        join(plan, Trades("no such thing"))
    assert plan.feeds == {}
    assert plan.lanes == {}


def test_a_topic_without_readers_is_withdrawn_and_its_lane_not_needed() -> None:
    plan = planner(zonda.VENUE)
    box = join(plan, Tickers("BTC-PLN"))
    (state,) = plan.lanes.values()
    serve(state)
    plan.feeds[box.topic].leave(box)
    plan.replan()
    assert plan.feeds == {}
    assert not state.ledger.wanted_any
    assert {channel.name for channel in state.ledger.to_withdraw} == {"ticker", "stats"}
    assert list(plan.lanes) == [Lane("public")]


def test_topics_of_one_channel_ask_for_it_once() -> None:
    plan = planner(edgex.VENUE)
    join(plan, Books("30000001"))
    join(plan, edgex.Depths("30000001"))
    (state,) = plan.lanes.values()
    assert list(state.ledger.to_ask) == [WireChannel("depth", "30000001", "200")]


def test_a_refused_topic_can_be_asked_for_again() -> None:
    plan = planner(zonda.VENUE)
    box = join(plan, Trades("BTC-PLN"))
    (state,) = plan.lanes.values()
    state.connected(NOW)
    state.rejected(WireChannel("transactions", "BTC-PLN"), "no")
    assert isinstance(box.error, SubscriptionRejected)
    again = join(plan, Trades("BTC-PLN"))
    assert again.error is None
    assert list(state.ledger.to_ask) == [WireChannel("transactions", "BTC-PLN")]


def test_an_ended_topic_is_gone_with_the_next_plan() -> None:
    plan = planner(zonda.VENUE)
    join(plan, Tickers("BTC-PLN"))
    (state,) = plan.lanes.values()
    serve(state)
    state.rejected(WireChannel("stats", "BTC-PLN"), "no")
    plan.replan()
    assert plan.feeds == {}
    assert list(state.ledger.to_withdraw) == [WireChannel("ticker", "BTC-PLN")]


def test_a_channel_implied_on_two_lanes_is_handed_over_by_its_home() -> None:
    plan = planner(coinbase.VENUE)
    join(plan, Books("BTC-USD"))
    box = join(plan, coinbase.Heartbeats("BTC-USD"))
    join(plan, Trades("BTC-USD"))
    beat = WireChannel("heartbeat", "BTC-USD")
    assert set(plan.lanes) == {Lane("public"), Lane("book")}
    message = coinbase.DATA["heartbeat"].read(b'{"product_id":"BTC-USD","last_trade_id":1}')
    for state in plan.lanes.values():
        assert beat in state.ledger.to_ask
        state.begin(b"{}", NOW)
        state.deliver(beat, message)
    assert box.kinds() == ["Heartbeat"]
    assert plan.lanes[Lane("book")].tally.ignored["heartbeat"] == 1


class Homeless(coinbase.Coinbase):
    """Carries a heartbeat only beside others, whatever it says when asked for it alone."""

    def plan(self, channels: Sequence[WireChannel], options: Options) -> Mapping[Lane, Sequence[WireChannel]]:
        if len(channels) == 1:
            return {Lane("elsewhere"): channels}
        return {Lane("one"): channels, Lane("two"): channels[:1]}


def test_a_channel_whose_home_does_not_carry_it_has_the_first_lane() -> None:
    plan = planner(Homeless())
    plan.join(coinbase.Heartbeats("BTC-USD"), Outbox(coinbase.Heartbeats("BTC-USD")), 0)
    join(plan, Trades("BTC-USD"))
    assert [len(state.feeds()) for state in plan.lanes.values()] == [2, 0]


def test_quotes_start_from_the_book_that_is_kept_and_a_fresh_book_from_nothing() -> None:
    plan = planner(coinbase.VENUE)
    join(plan, Books("BTC-USD"))
    assert join(plan, Quotes("BTC-USD")).events == []
    state = plan.lanes[Lane("book")]
    serve(state)
    frame = b'{"product_id":"BTC-USD","bids":[["10","1"]],"asks":[]}'
    state.begin(frame, NOW)
    state.deliver(WireChannel("level2_batch", "BTC-USD"), coinbase.DATA["snapshot"].read(frame))
    del plan.feeds[Quotes("BTC-USD")]
    assert join(plan, Quotes("BTC-USD")).kinds() == ["Quote"]
    assert not state.ledger.resyncing
    assert join(plan, Quotes("ETH-USD")).events == []
