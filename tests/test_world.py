"""Real sessions against the simulated venue in a small deterministic world."""

from __future__ import annotations

import base64
import gc
import warnings
from collections.abc import Sequence

import pytest
import trio
import trio.testing

import trioquotes as tq
from tests.runtime.test_cancel_sweep import CancelAtStep
from trioquotes.simulator.faults import (
    CorruptFrame,
    DelayAck,
    DropLine,
    Fault,
    MuteLine,
    PartialAck,
    RefuseHandshake,
    SkipFrame,
    WithholdAck,
)
from trioquotes.simulator.venues.coinbase import CoinbaseSimulator
from trioquotes.simulator.venues.coinbase.listings import Profile
from trioquotes.testing import Served, World, open_world
from trioquotes.venues import coinbase

HOUR_S = 3600.0
SECRET = base64.b64encode(b"a secret of the test").decode()


def served(world: World, *faults: Fault, **options: object) -> Served:
    simulator = CoinbaseSimulator(
        seed=3,
        rate=5.0,
        wall_ns=world.wall_ns,
        faults=faults,
        products=["BTC-USD", "ETH-USD"],
        **options,  # type: ignore[arg-type]
    )
    return world.serve(simulator)


def profile() -> Profile:
    return Profile(name="me", key="k", secret=SECRET, passphrase="p")


async def read(stream: tq.Stream, seconds: float) -> list[tq.Event]:
    events: list[tq.Event] = []
    with trio.move_on_after(seconds):
        async for event in stream:
            events.append(event)
    return events


def kinds(events: Sequence[tq.Event], *wanted: type[tq.Event]) -> list[str]:
    return [type(event).__name__ for event in events if isinstance(event, wanted)]


async def test_trades_books_quotes_and_tickers_flow_together(autojump_clock: trio.testing.MockClock) -> None:
    with trio.fail_after(HOUR_S):
        async with open_world(1) as world:
            topics = [kind("BTC-USD") for kind in (tq.Trades, tq.Books, tq.Quotes, tq.Tickers)]
            async with world.session(served(world), *topics) as stream:
                events = await read(stream, 60)
                count = stream.statistics().count
    for kind in (tq.Trade, tq.BookSnapshot, tq.BookChange, tq.Quote, tq.Ticker):
        assert kinds(events, kind), f"no {kind.__name__}"
    assert kinds(events, tq.Notice) == ["Connected"]
    assert not count.malformed
    assert not count.gaps
    assert count.elements == count.delivered + count.folded + sum(count.ignored.values())


async def test_the_book_equals_the_servers_at_the_end(autojump_clock: trio.testing.MockClock) -> None:
    book = tq.OrderBook("BTC-USD")
    with trio.fail_after(HOUR_S):
        async with open_world(2) as world:
            place = served(world)
            async with world.session(place, tq.Books("BTC-USD")) as stream:
                for event in await read(stream, 120.02):
                    if isinstance(event, tq.BookSnapshot | tq.BookChange):
                        book.apply(event)
                floor = place.simulator.market.floors["BTC-USD"]  # type: ignore[attr-defined]
                bids, asks = floor.book.levels("buy"), floor.book.levels("sell")
    assert [tuple(level[:2]) for level in bids] == list(book.levels("bid"))
    assert [tuple(level[:2]) for level in asks] == list(book.levels("ask"))


async def test_a_dropped_line_is_said_and_mended(autojump_clock: trio.testing.MockClock) -> None:
    with trio.fail_after(HOUR_S):
        async with open_world(3) as world:
            place = served(world, DropLine(connection=1, after_s=10.0))
            async with world.session(place, tq.Books("BTC-USD")) as stream:
                events = await read(stream, 60)
    said = kinds(events, tq.Notice)
    assert said == ["Connected", "Disconnected", "Gap", "Connected", "Resynced"]
    at = [type(event).__name__ for event in events].index("Gap")
    assert kinds(events[at:], tq.BookSnapshot, tq.BookChange, tq.Resynced)[:2] == ["BookSnapshot", "Resynced"]


async def test_a_skipped_match_is_counted_as_missed(autojump_clock: trio.testing.MockClock) -> None:
    with trio.fail_after(HOUR_S):
        async with open_world(4) as world:
            place = served(world, SkipFrame(kind="match", nth=5, count=3))
            async with world.session(place, tq.Trades("BTC-USD")) as stream:
                events = await read(stream, 120)
    gaps = [event for event in events if isinstance(event, tq.Gap)]
    assert sum(gap.missed or 0 for gap in gaps) == 3
    ids = [int(event.trade_id or 0) for event in events if isinstance(event, tq.Trade)]
    assert ids == sorted(set(ids))


async def test_a_mute_line_is_found_dead_and_replaced(autojump_clock: trio.testing.MockClock) -> None:
    with trio.fail_after(HOUR_S):
        async with open_world(5) as world:
            place = served(world, MuteLine(connection=1, after_s=20.0))
            async with world.session(place, tq.Trades("BTC-USD")) as stream:
                events = await read(stream, 120)
    assert kinds(events, tq.Connected, tq.Disconnected) == ["Connected", "Disconnected", "Connected"]
    lost = next(event for event in events if isinstance(event, tq.Disconnected))
    first = next(event for event in events if isinstance(event, tq.Connected))
    assert lost.received_ns - first.received_ns < 45e9


async def test_late_partial_and_withheld_acknowledgements(autojump_clock: trio.testing.MockClock) -> None:
    faults: list[Fault] = [
        DelayAck(delay_s=3.0, nth=1),
        WithholdAck(connection=1, nth=1, serve=False),
        PartialAck(leave_out=("ETH-USD",), nth=1),
    ]
    for number, fault in enumerate(faults):
        with trio.fail_after(HOUR_S):
            async with open_world(number) as world:
                place = served(world, fault)
                topics = [tq.Trades("BTC-USD"), tq.Trades("ETH-USD")]
                async with world.session(place, *topics, connect_timeout_s=30.0) as stream:
                    events = await read(stream, 60)
        instruments = {event.instrument for event in events if isinstance(event, tq.Trade)}
        assert instruments == {"BTC-USD", "ETH-USD"}, fault


async def test_a_corrupt_frame_is_malformed_and_the_stream_goes_on(
    autojump_clock: trio.testing.MockClock,
) -> None:
    with trio.fail_after(HOUR_S):
        async with open_world(6) as world:
            place = served(world, CorruptFrame(kind="match", nth=3))
            async with world.session(place, tq.Trades("BTC-USD")) as stream:
                events = await read(stream, 60)
                assert stream.statistics().count.malformed == 1
    malformed = next(event for event in events if isinstance(event, tq.Malformed))
    assert malformed.frame
    assert malformed.reason
    assert isinstance(events[-1], tq.Trade)


async def test_a_refused_handshake_waits_as_long_as_the_venue_says(
    autojump_clock: trio.testing.MockClock,
) -> None:
    with trio.fail_after(HOUR_S):
        async with open_world(7) as world:
            fault = RefuseHandshake(connection=1, status=429, headers=(("Retry-After", "7"),))
            async with world.session(
                served(world, fault), tq.Trades("BTC-USD"), connect_timeout_s=20.0
            ) as stream:
                assert 7.0 <= trio.current_time() < 20.0
                assert stream.statistics().lanes[0].attempts == 2


async def test_an_unknown_product_is_rejected_with_the_venues_words(
    autojump_clock: trio.testing.MockClock,
) -> None:
    with trio.fail_after(HOUR_S):
        async with open_world(8) as world:
            place = served(world)
            with pytest.raises(tq.SubscriptionRejected, match="not a valid product"):
                async with world.session(place, tq.Trades("BTC-USD"), tq.Trades("NOPE-USD")):
                    raise AssertionError("entered")
            async with world.session(place, tq.Trades("BTC-USD")) as stream:
                with pytest.raises(tq.SubscriptionRejected, match="not a valid product"):
                    await stream.subscribe(tq.Trades("NOPE-USD"))
                assert kinds(await read(stream, 30), tq.Trade)


async def test_private_orders_and_fills_with_right_and_wrong_keys(
    autojump_clock: trio.testing.MockClock,
) -> None:
    with trio.fail_after(HOUR_S):
        async with open_world(9) as world:
            place = served(world, keys=[profile()])
            good = tq.ApiKey("k", SECRET, "p")
            topics = tq.Orders("BTC-USD"), tq.Fills("BTC-USD")
            async with world.session(place, *topics, credentials=good) as stream:
                events = await read(stream, 600)
            assert {"OrderUpdate", "Fill"} <= set(kinds(events, tq.MarketEvent))
            bad = tq.ApiKey("k", base64.b64encode(b"wrong").decode(), "p")
            with pytest.raises(tq.AuthenticationFailed) as caught:
                async with world.session(place, *topics, credentials=bad):
                    raise AssertionError("entered")
            assert base64.b64encode(b"wrong").decode() not in repr(caught.value) + str(caught.value)


async def test_every_channel_of_the_venue_delivers_its_messages(
    autojump_clock: trio.testing.MockClock,
) -> None:
    silent = []
    with trio.fail_after(HOUR_S * 20):
        async with open_world(10) as world:
            place = served(world, keys=[profile()], auctions={"ETH-USD": 30.0})
            key = tq.ApiKey("k", SECRET, "p")
            accounts = list(place.simulator.rules.accounts)  # type: ignore[attr-defined]
            async with world.session(place, credentials=key) as stream:
                for name in coinbase.VENUE.topics:
                    instrument = "" if name == "status" else accounts[0] if name == "balance" else "ETH-USD"
                    topic = coinbase.VENUE.topic(name, instrument, native=True)
                    async with await stream.subscribe(topic) as channel:
                        with trio.move_on_after(300):
                            while isinstance(await channel.receive(), tq.Notice):
                                pass
                            continue
                        silent.append(name)
    assert silent == []


async def test_one_seed_gives_one_trace(autojump_clock: trio.testing.MockClock) -> None:
    async def trace() -> list[str]:
        async with open_world(11) as world:
            place = served(world, DropLine(after_s=5.0))
            start_ns = world.wall_ns()
            async with world.session(place, tq.Trades("BTC-USD"), tq.Books("BTC-USD")) as stream:
                events = await read(stream, 30)
        return [f"{type(e).__name__} {_told(e)} {round((e.received_ns - start_ns) / 1e6)}" for e in events]  # type: ignore[attr-defined]

    with trio.fail_after(HOUR_S):
        first, second = await trace(), await trace()
    assert first == second
    assert len(first) > 100


def _told(event: tq.Event) -> object:
    match event:
        case tq.Trade():
            return event.price, event.size, event.taker_side
        case tq.BookSnapshot() | tq.BookChange():
            return event.bids, event.asks
        case _:
            return ""


async def _scenario(world: World, place: Served) -> None:
    async with world.session(place, tq.Books("BTC-USD")) as stream:
        await read(stream, 4)
        async with await stream.subscribe(tq.Trades("ETH-USD")) as channel:
            await channel.receive()
        await read(stream, 2)


async def _cancelled_at(world: World, place: Served, step: int) -> bool:
    lines = len(place.simulator.connections)
    with trio.CancelScope() as scope:
        instrument = CancelAtStep(scope, step)
        trio.lowlevel.add_instrument(instrument)
        try:
            await _scenario(world, place)
        finally:
            trio.lowlevel.remove_instrument(instrument)
    await trio.sleep(5)
    assert len(place.simulator.connections) == lines, f"a line left open after a cancel at step {step}"
    return scope.cancel_called


@pytest.mark.parametrize("part", range(16))
async def test_a_cancel_at_any_step_of_the_whole_stack_leaves_nothing(
    autojump_clock: trio.testing.MockClock, part: int
) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ResourceWarning)
        with trio.fail_after(HOUR_S * 1000):
            async with open_world(12) as world:
                place = served(world, DropLine(after_s=2.0), limits=False)
                tasks = trio.lowlevel.current_statistics().tasks_living
                step = part + 1
                while await _cancelled_at(world, place, step):
                    assert trio.lowlevel.current_statistics().tasks_living == tasks, f"step {step}"
                    step += 16
                assert step > 300
        gc.collect()
    assert [] == [str(w.message) for w in caught if issubclass(w.category, ResourceWarning)]
