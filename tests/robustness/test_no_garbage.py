"""What is over is gone at once: the garbage collector comes late, and what OpenSSL holds of a line weighs nothing for it."""

from __future__ import annotations

import gc
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from decimal import Decimal

import pytest
import trio
from trio.testing import MockClock

import trioquotes as tq
from tests.runtime.fakes import ToyVenue, ack, tick
from tests.runtime.wire_peers import Hall, Peer, text
from tests.simulation.places import PLACES
from trioquotes._protocol.feeds import Feed
from trioquotes._runtime.channel import MailboxReader
from trioquotes._runtime.connection import Connection
from trioquotes._runtime.mailbox import Mailbox
from trioquotes._runtime.subscription import Subscription
from trioquotes._runtime.transport import TapConnector
from trioquotes._runtime.wire import Wire
from trioquotes.books import OrderBook, OrderBookL3
from trioquotes.simulator.faults import DropLine, Fault, RefuseHandshake
from trioquotes.simulator.tls import local_tls
from trioquotes.testing import World, run_world
from trioquotes.venues import coinbase

pytestmark = pytest.mark.tcp

PLACE = PLACES["coinbase"]
VISITS = 2


@contextmanager
def without_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def of_lines() -> list[object]:
    """What there is of lines of ours: the server is in this process too."""
    found: list[object] = []
    for one in gc.get_objects():
        if isinstance(one, Wire | Connection) or (isinstance(one, ssl.SSLObject) and not one.server_side):
            found.append(one)
    return found


class _Bored(Exception):
    """The user's own."""


async def visit(url: str, trust: ssl.SSLContext, way: str) -> None:
    session = tq.Session(
        PLACE.name, tq.Trades("BTC-USD"), endpoint=url, ssl_context=trust, budgets=tq.Budgets()
    )
    with suppress(_Bored), trio.CancelScope() as scope:
        async with session as stream:
            if way == "lost":
                async for event in stream:
                    if isinstance(event, tq.Disconnected):
                        return
            await stream.receive()
            if way == "cancelled":
                scope.cancel()
                await trio.sleep_forever()
            if way == "raised":
                raise _Bored


@pytest.mark.parametrize("way", ["left", "cancelled", "raised", "lost"])
async def test_a_line_that_is_over_leaves_nothing_for_the_garbage_collector(way: str) -> None:
    tls = local_tls(("127.0.0.1",))
    trust = ssl.create_default_context(cadata=tls.authority_pem.decode())
    faults: list[Fault] = [DropLine(connection=None, after_s=0.1, how="eof")] if way == "lost" else []
    with trio.fail_after(60):
        async with PLACE.simulator(seed=1, faults=faults).open_server(ssl_context=tls.server) as url:
            await visit(url, trust, way)
            with without_collector():
                before = len(of_lines())
                for _ in range(VISITS):
                    await visit(url, trust, way)
                await trio.sleep(0.1)
                assert len(of_lines()) <= before


def of_feeds() -> list[object]:
    """What there is of feeds and the books that they keep."""
    return [one for one in gc.get_objects() if isinstance(one, Feed | OrderBook | OrderBookL3)]


@pytest.mark.parametrize("way", ["left", "cancelled", "raised", "unread"])
def test_a_session_that_is_over_leaves_no_book_for_the_garbage_collector(way: str) -> None:
    async def main(world: World) -> None:
        served = world.serve(PLACE.simulator(seed=1, wall_ns=world.wall_ns))

        async def stay() -> None:
            topics = tq.Books("BTC-USD"), tq.OrderBooks("BTC-USD"), coinbase.Matches("BTC-USD")
            with suppress(_Bored), trio.CancelScope() as scope:
                async with world.session(served, *topics, credentials=PLACE.key) as stream:
                    book = stream.book("BTC-USD")
                    await book.wait_ready()
                    if way == "unread":
                        await trio.sleep(5)
                        return
                    with trio.move_on_after(5):
                        async for _ in stream:
                            pass
                    if way == "cancelled":
                        scope.cancel()
                        await trio.sleep_forever()
                    if way == "raised":
                        raise _Bored

        await stay()
        with without_collector():
            before = len(of_feeds())
            for _ in range(VISITS):
                await stay()
            await trio.sleep(1)
            assert len(of_feeds()) <= before

    run_world(main, seed=1, deadline_s=600)


async def test_a_handshake_that_is_refused_leaves_nothing_for_the_garbage_collector() -> None:
    tls = local_tls(("127.0.0.1",))
    trust = ssl.create_default_context(cadata=tls.authority_pem.decode())
    simulator = PLACE.simulator(seed=1, faults=[RefuseHandshake(connection=None, status=503)])
    with trio.fail_after(60):
        async with simulator.open_server(ssl_context=tls.server) as url:
            with without_collector():
                before = len(of_lines())
                with pytest.raises(tq.ConnectFailed):
                    async with tq.Session(
                        PLACE.name,
                        tq.Trades("BTC-USD"),
                        endpoint=url,
                        ssl_context=trust,
                        connect_timeout_s=1.0,
                    ):
                        pass
                assert simulator.records.connects
                await trio.sleep(0.1)
                assert len(of_lines()) <= before


async def serve(peer: Peer) -> None:
    """Trades of one instrument, and then silence."""
    await peer.accept(then=text(ack("A")) + b"".join(text(tick(number)) for number in range(50)))
    await trio.sleep_forever()


@pytest.mark.parametrize("way", ["read", "unread", "lagging", "iterated"])
def test_a_channel_that_was_closed_leaves_nothing_for_the_garbage_collector(way: str) -> None:
    async def play() -> None:
        with trio.fail_after(600):
            async with trio.open_nursery() as nursery:
                session = tq.Session(ToyVenue(), tq.Trades("A"), connector=TapConnector(Hall(nursery, serve)))
                async with session as stream:
                    with without_collector():
                        before = len(of_channels())
                        for _ in range(20):
                            channel = await stream.subscribe(
                                tq.Trades("A"), buffer=2 if way == "lagging" else 99
                            )
                            for number in range(5):
                                stream._engine._subscriptions[-1].push(trade(number), 100)
                            if way == "read":
                                await channel.receive()
                            if way == "iterated":
                                with trio.move_on_after(1):
                                    async for _ in channel:
                                        pass
                            await channel.aclose()
                            del channel
                        assert len(of_channels()) <= before
                nursery.cancel_scope.cancel()

    trio.run(play, clock=MockClock(autojump_threshold=0))


def trade(number: int) -> tq.Trade:
    return tq.Trade(venue="toy", instrument="A", received_ns=number, price=Decimal(number), size=Decimal(1))


def of_channels() -> list[object]:
    return [one for one in gc.get_objects() if isinstance(one, Mailbox | Subscription)]


def test_an_end_that_is_told_again_and_again_remembers_only_the_last_time() -> None:
    mailbox = Mailbox("toy", lambda: 0)
    subscription = mailbox.subscribe(
        tq.Trades("A"), overflow="fail", buffer=1, buffer_bytes=1_000, kept=False
    )
    reader: MailboxReader[tq.Event] = MailboxReader(mailbox)
    for number in range(3):
        subscription.push(trade(number), 100)
    reader.receive_nowait()
    depths = []
    for _ in range(5):
        with pytest.raises(tq.SlowConsumer) as caught:
            reader.receive_nowait()
        depths.append(len(caught.traceback))
    assert len(set(depths)) == 1


@pytest.mark.parametrize("overflow", ["latest", "drop_oldest"])
def test_a_topic_that_was_closed_with_events_and_notices_waiting_holds_nothing(overflow: tq.Overflow) -> None:
    with without_collector():
        before = len(of_channels())
        mailbox = Mailbox("toy", lambda: 0)
        subscription = mailbox.subscribe(
            tq.Quotes("A"), overflow=overflow, buffer=4, buffer_bytes=1_000, kept=False
        )
        for number in range(9):
            subscription.notify(tq.Gap(venue="toy", topic=subscription.topic, received_ns=0, reason="lost"))
            subscription.push(trade(number), 100)
        mailbox.remove(subscription)
        mailbox.abandon()
        del mailbox, subscription
        assert len(of_channels()) <= before
