"""Spreading a lane's channels over connections: no line too full, none moved, none lost."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from tests.venues.bench import Outbox
from tests.venues.skeletons import coinbase, edgex, zonda
from trioquotes._protocol.contract import Venue
from trioquotes._protocol.effects import Lane, Options, WireChannel
from trioquotes._protocol.planner import Planner
from trioquotes._protocol.shards import Shards
from trioquotes.topics import Books, Tickers, Trades

INSTRUMENTS = [f"{name}-USD" for name in "ABCDEFGH"]
NAMES = ["matches", "ticker", "level2_batch"]


def shards(venue: Venue, room: int | None) -> Shards:
    return Shards(venue, Options(next(iter(venue.endpoints.values()))), room)


def channel(name: str, instrument: str) -> WireChannel:
    return WireChannel(name, instrument)


wishes = st.lists(
    st.sets(st.builds(channel, st.sampled_from(NAMES), st.sampled_from(INSTRUMENTS))), max_size=8
)


@given(wishes, st.integers(1, 4))
def test_no_line_is_too_full_and_no_channel_moves_or_is_lost(
    history: list[set[WireChannel]], room: int
) -> None:
    spread = shards(coinbase.VENUE, room)
    before: dict[WireChannel, Lane] = {}
    for wished in history:
        plan = spread.plan((c,) for c in sorted(wished))
        carriers = {c: [lane for lane, carried in plan.items() if c in carried] for c in wished}
        assert all(len(lanes) == 1 for lanes in carriers.values())
        now = {c: lanes[0] for c, lanes in carriers.items()}
        assert max(Counter(now.values()).values(), default=0) <= room
        assert all(now[c] == before[c] for c in wished & before.keys())
        before = now


@given(wishes, st.integers(1, 4))
def test_what_a_channel_implies_goes_with_it(history: list[set[WireChannel]], room: int) -> None:
    spread = shards(coinbase.VENUE, room)
    for wished in history:
        for carried in spread.plan((c,) for c in sorted(wished)).values():
            instruments = {c.instrument for c in carried if c.name != "heartbeat"}
            assert {c.instrument for c in carried if c.name == "heartbeat"} == instruments


def test_an_instrument_stays_together_while_there_is_room() -> None:
    spread = shards(zonda.VENUE, 3)
    one = [channel("trading/transactions", "A-B"), channel("trading/transactions", "C-D")]
    spread.plan((c,) for c in one)
    wished = [*one, channel("trading/transactions", "E-F"), channel("trading/transactions", "G-H")]
    spread.plan((c,) for c in wished)
    late = [*wished, channel("ticker", "G-H"), channel("ticker", "A-B")]
    plan = {lane.shard: set(carried) for lane, carried in spread.plan((c,) for c in late).items()}
    assert plan[0] == set(wished[:3])
    assert plan[1] == {wished[3], *late[4:]}


def test_room_that_was_left_is_taken_before_a_line_is_opened() -> None:
    spread = shards(zonda.VENUE, 2)
    wished = [channel("trading/transactions", name) for name in ("A-B", "C-D", "E-F")]
    assert len(spread.plan((c,) for c in wished)) == 2
    spread.plan((c,) for c in wished[1:])
    (first, second) = spread.plan((c,) for c in [*wished[1:], channel("ticker", "X-Y")]).items()
    assert first == (Lane("public"), [wished[1], channel("ticker", "X-Y")])
    assert second == (Lane("public", 1), [wished[2]])


def test_a_venue_without_a_limit_has_one_line() -> None:
    spread = shards(edgex.VENUE, None)
    wished = [channel("depth", f"{number}") for number in range(500)]
    assert [lane.shard for lane in spread.plan((c,) for c in wished)] == [0]
    assert spread.plan([]) == {}


def test_each_shard_serves_the_topics_of_its_own_channels() -> None:
    venue = coinbase.VENUE
    plan = Planner(venue, Options(next(iter(venue.endpoints.values()))), channels_per_line=1)
    boxes = {}
    for topic in (Trades("BTC-USD"), Trades("ETH-USD"), coinbase.Heartbeats("BTC-USD")):
        boxes[topic] = Outbox(topic)
        plan.join(topic, boxes[topic], 0)
    plan.replan()
    assert {str(lane): [str(feed.topic) for feed in state.feeds()] for lane, state in plan.lanes.items()} == {
        "public": [str(Trades("BTC-USD"))],
        "public-1": [str(Trades("ETH-USD"))],
        "public-2": [str(coinbase.Heartbeats("BTC-USD"))],
    }


@given(wishes, st.integers(1, 4), st.data())
def test_what_belongs_together_shares_a_line_however_full_it_is(
    history: list[set[WireChannel]], room: int, data: st.DataObject
) -> None:
    spread = shards(zonda.VENUE, room)
    kept: list[tuple[WireChannel, ...]] = []
    for wished in history:
        kept = [group for group in kept if data.draw(st.booleans())]
        kept += [
            (channel("trading/book", c.instrument), channel("trading/book", f"{c}")) for c in sorted(wished)
        ]
        lines = list(spread.plan(kept).values())
        assert all(any(set(group) <= set(carried) for carried in lines) for group in kept)


def test_the_two_channels_of_a_topic_share_a_line() -> None:
    venue = zonda.VENUE
    plan = Planner(venue, Options(next(iter(venue.endpoints.values()))), channels_per_line=1)
    plan.join(Tickers("BTC-PLN"), Outbox(Tickers("BTC-PLN")), 0)
    plan.join(Books("BTC-PLN"), Outbox(Books("BTC-PLN")), 0)
    plan.replan()
    feeds = [[str(feed.topic) for feed in state.feeds()] for state in plan.lanes.values()]
    assert feeds == [[str(Tickers("BTC-PLN"))], [str(Books("BTC-PLN"))]]
