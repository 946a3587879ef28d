"""Compression on a line: what is offered and agreed on, what goes over the wire, and how a line ends by it."""

from __future__ import annotations

import tracemalloc
import zlib
from collections.abc import Awaitable, Callable
from functools import partial

import msgspec
import pytest
import trio
import trio.testing
from trio.testing import MockClock

import trioquotes as tq
from tests.runtime.wire_peers import (
    CLOSE,
    CONNECTORS,
    PING,
    PONG,
    TEXT,
    Background,
    ClientFrame,
    ConnectorType,
    Hall,
    Peer,
    client_context,
    close,
    collect,
    frame,
    over_tls,
    target,
    text,
)
from tests.runtime.wire_streams import frame as marked
from trioquotes._protocol.effects import Failure, Handshake
from trioquotes._runtime.connector import Line, LineFailed, Network
from trioquotes._runtime.transport import PlainConnector, TapConnector
from trioquotes.errors import UsageError
from trioquotes.simulator.venues.coinbase import CoinbaseSimulator
from trioquotes.testing import open_world

RSV1 = 0x40
MIB = 1 << 20
ACCEPTED = "Sec-WebSocket-Extensions: permessage-deflate"

Script = Callable[[Peer], Awaitable[object]]


class Packer:
    """A server that compresses all its messages in one window."""

    def __init__(self) -> None:
        self._packer = zlib.compressobj(wbits=-15)

    def payload(self, message: bytes) -> bytes:
        return (self._packer.compress(message) + self._packer.flush(zlib.Z_SYNC_FLUSH))[:-4]

    def text(self, message: bytes) -> bytes:
        return marked(TEXT, self.payload(message), bits=RSV1)


async def play(
    script: Script,
    use: Callable[[Line], Awaitable[None]],
    *extra: str,
    connector_type: ConnectorType = TapConnector,
    **options: object,
) -> Hall:
    """A line that offers compression, to a peer that answers with these headers and goes on with the script."""

    async def serve(peer: Peer) -> object:
        await peer.accept(*extra)
        return await script(peer)

    with trio.fail_after(20):
        async with trio.open_nursery() as nursery:
            hall = Hall(nursery, serve)
            async with connector_type(hall).line(target(**{"compression": True, **options})) as line:
                await use(line)
            nursery.cancel_scope.deadline = trio.current_time() + 1
    assert hall.all_closed
    return hall


async def refusal(
    *extra: str, connector_type: ConnectorType = TapConnector, compression: bool = True
) -> Failure:
    """Why no line comes to be where the peer answers with these headers."""

    async def serve(peer: Peer) -> None:
        await peer.accept(*extra)

    with trio.fail_after(5), pytest.raises(LineFailed) as caught:
        async with connector_type(Hall(Background(), serve)).line(target(compression=compression)):
            pytest.fail("the line opened")
    return caught.value.failure


# What is offered and agreed on.


async def test_offer_is_made_once_and_only_where_it_is_wanted(autojump_clock: MockClock) -> None:
    requests: list[bytes] = []

    async def script(peer: Peer) -> None:
        requests.append(peer.request)
        await peer.answer_close()

    async def leave(line: Line) -> None:
        await trio.lowlevel.checkpoint()

    await play(script, leave)
    await play(script, leave, compression=False)
    wanted, unwanted = requests
    assert wanted.lower().count(b"sec-websocket-extensions") == 1
    assert b"\r\nSec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n" in wanted
    assert b"extensions" not in unwanted.lower()


async def test_peer_that_does_not_take_it_up_sends_as_without(autojump_clock: MockClock) -> None:
    async def script(peer: Peer) -> None:
        await peer.send(text("plain") + Packer().text(b"packed all the same"))
        await peer.read_all()

    async def read(line: Line) -> None:
        frames, _, failed = await collect(line)
        assert frames == [b"plain"]
        assert failed.failure.close_code == 1002
        assert "reserved bit" in failed.failure.reason

    await play(script, read)


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        (("Sec-WebSocket-Extensions: permessage-bzip2",), "permessage-bzip2, which was not offered"),
        ((ACCEPTED, "Sec-WebSocket-Extensions: x-more"), "x-more, which was not offered"),
        ((ACCEPTED, ACCEPTED), "2 times"),
        ((ACCEPTED + "; server_max_window_bits=16",), "server_max_window_bits must be 8 to 15"),
        ((ACCEPTED + "; level=9",), "no parameter level"),
        ((ACCEPTED + "; ;",), "cannot be read"),
        (("Sec-WebSocket-Extensions:",), "0 times"),
    ],
)
async def test_answer_that_cannot_be_meant_is_refused_at_once_with_its_reason(
    extra: tuple[str, ...], words: str, autojump_clock: MockClock
) -> None:
    failure = await refusal(*extra)
    assert (failure.stage, failure.status) == ("handshake", 101)
    assert "not valid" in failure.reason
    assert words in failure.reason
    assert trio.current_time() == 0


@pytest.mark.parametrize("connector_type", CONNECTORS)
async def test_answer_to_no_offer_is_refused_with_its_reason(
    connector_type: ConnectorType, autojump_clock: MockClock
) -> None:
    failure = await refusal(ACCEPTED, connector_type=connector_type, compression=False)
    assert "permessage-deflate, which was not offered" in failure.reason
    assert trio.current_time() == 0


async def test_switch_that_proves_nothing_is_refused_whatever_it_says_of_compression(
    autojump_clock: MockClock,
) -> None:
    async def serve(peer: Peer) -> None:
        await peer.read_request()
        lines = [
            "HTTP/1.1 101 x",
            "Upgrade: websocket",
            "Connection: Upgrade",
            "Sec-WebSocket-Accept: x",
            ACCEPTED,
        ]
        await peer.send("\r\n".join([*lines, "", ""]).encode())

    with trio.fail_after(5), pytest.raises(LineFailed, match="not valid: Bad accept token"):
        async with TapConnector(Hall(Background(), serve)).line(target(compression=True)):
            pytest.fail("the line opened")


async def test_every_other_header_of_the_answer_reaches_the_websocket_library(
    autojump_clock: MockClock,
) -> None:
    async def script(peer: Peer) -> None:
        await peer.send(Packer().text(b"a"))
        await peer.answer_close()

    async def read(line: Line) -> None:
        assert (await line.receive()).frames == [b"a"]

    handshake = Handshake("ws://127.0.0.1:1/", subprotocols=("v1",))
    extra = "X-Answer: 1", "sec-websocket-EXTENSIONS:  permessage-deflate ", "Sec-WebSocket-Protocol: v1"
    await play(script, read, *extra, handshake=handshake)


def test_plain_connector_refuses_before_any_io() -> None:
    with pytest.raises(UsageError, match="compression needs the default connector"):
        PlainConnector().line(target(compression=True))


# What goes over the wire.


@pytest.mark.parametrize(
    "parameters",
    ["", "; server_max_window_bits=15; client_max_window_bits=9", "; client_no_context_takeover"],
)
async def test_messages_are_inflated_and_what_we_send_is_not_compressed(
    parameters: str, autojump_clock: MockClock
) -> None:
    message = b'{"type":"ticker"}' * 10

    async def script(peer: Peer) -> list[ClientFrame | None]:
        packer = Packer()
        await peer.send(packer.text(message) + text("plain"))
        packed = packer.payload(message)
        await peer.send(
            marked(TEXT, packed[:3], fin=False, bits=RSV1) + frame(PING, b"p") + frame(0, packed[3:])
        )
        heard = [await peer.read_frame() for _ in range(2)]
        await peer.answer_close()
        return heard

    async def use(line: Line) -> None:
        frames: list[bytes] = []
        while len(frames) < 3:
            frames += (await line.receive()).frames
        assert frames == [message, b"plain", message]
        await line.send(message)

    hall = await play(script, use, ACCEPTED + parameters)
    assert hall.results == [[ClientFrame(PONG, b"p"), ClientFrame(TEXT, message)]]


async def test_frames_right_behind_the_answer_are_inflated_however_both_are_cut(
    autojump_clock: MockClock,
) -> None:
    async def at_once(peer: Peer, stride: int) -> None:
        await peer.read_request()
        packer = Packer()
        stream = peer.switch(ACCEPTED) + packer.text(b"one" * 9) + packer.text(b"one" * 9)
        for start in range(0, len(stream), stride):
            await peer.send(stream[start : start + stride])
            await trio.testing.wait_all_tasks_blocked()
        await peer.answer_close()

    for stride in (1000, 7, 1):
        with trio.fail_after(5):
            hall = Hall(Background(), partial(at_once, stride=stride))
            async with TapConnector(hall).line(target(compression=True)) as line:
                frames: list[bytes] = []
                while len(frames) < 2:
                    frames += (await line.receive()).frames
        assert frames == [b"one" * 9] * 2


async def test_line_over_tls_inflates_all_records_of_a_read(autojump_clock: MockClock) -> None:
    async def script(peer: Peer) -> None:
        await peer.accept(ACCEPTED)
        packer = Packer()
        for number in range(50):
            await peer.send(packer.text(b"%d" % number * 20))
        await peer.answer_close()

    with trio.fail_after(20):
        async with trio.open_nursery() as nursery:
            hall = Hall(nursery, over_tls(script))
            wanted = target(
                handshake=Handshake("wss://localhost:1/"), ssl_context=client_context(), compression=True
            )
            async with TapConnector(hall).line(wanted) as line:
                frames: list[bytes] = []
                while len(frames) < 50:
                    frames += (await line.receive()).frames
            nursery.cancel_scope.cancel()
    assert frames == [b"%d" % number * 20 for number in range(50)]


# How a line ends.


async def test_goodbye_finds_the_answer_behind_compressed_messages_that_nobody_reads(
    autojump_clock: MockClock,
) -> None:
    async def script(peer: Peer) -> list[ClientFrame]:
        packer = Packer()
        await peer.send(b"".join(packer.text(b"unread" * 500) for _ in range(50)))
        goodbye = await peer.read_frame()
        assert goodbye is not None
        await peer.send(packer.text(b"still unread") + frame(PING) + frame(CLOSE, goodbye.payload))
        return [goodbye, *await peer.read_all()]

    async def leave(line: Line) -> None:
        await trio.lowlevel.checkpoint()

    hall = await play(script, leave, ACCEPTED)
    assert hall.results == [[ClientFrame(CLOSE, b"\x03\xe8")]]
    assert trio.current_time() == 0


async def test_peer_that_closes_is_answered(autojump_clock: MockClock) -> None:
    async def script(peer: Peer) -> list[ClientFrame]:
        await peer.send(Packer().text(b"last") + close(1001, "restart"))
        return await peer.read_all()

    async def read(line: Line) -> None:
        frames, _, failed = await collect(line)
        assert frames == [b"last"]
        assert (failed.failure.close_code, failed.failure.close_reason) == (1001, "restart")

    hall = await play(script, read, ACCEPTED)
    assert [each.code for each in hall.results[0]] == [1001]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("bad", "code", "words"),
    [
        (marked(TEXT, b"\x07", bits=RSV1), 1007, "not compressed data"),
        (marked(TEXT, zlib.compress(b"a \xff", wbits=-15), bits=RSV1), 1007, "not UTF-8"),
        (marked(PING, b"", bits=RSV1), 1002, "cannot begin a message"),
    ],
)
async def test_what_breaks_the_rules_ends_the_line_with_its_code(
    bad: bytes, code: int, words: str, autojump_clock: MockClock
) -> None:
    async def script(peer: Peer) -> list[ClientFrame]:
        await peer.send(Packer().text(b"good") + bad + text("behind"))
        return await peer.read_all()

    async def read(line: Line) -> None:
        frames, _, failed = await collect(line)
        assert frames == [b"good"]
        assert (failed.failure.close_code, failed.failure.too_large) == (code, False)
        assert words in failed.failure.reason

    hall = await play(script, read, ACCEPTED)
    assert [each.code for each in hall.results[0]] == [code]  # type: ignore[attr-defined]


async def test_bomb_ends_the_line_with_1009_and_is_never_held(autojump_clock: MockClock) -> None:
    bomb = Packer().text(bytes(64 * MIB))
    assert len(bomb) < 80 * 1024

    async def script(peer: Peer) -> list[ClientFrame]:
        await peer.send(bomb)
        return await peer.read_all()

    async def read(line: Line) -> None:
        frames, _, failed = await collect(line)
        assert frames == []
        assert (failed.failure.close_code, failed.failure.too_large) == (1009, True)

    tracemalloc.start()
    try:
        hall = await play(script, read, ACCEPTED, max_message_bytes=MIB)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes < 4 * MIB
    assert [each.code for each in hall.results[0]] == [1009]  # type: ignore[attr-defined]


# In a session.


def test_session_with_compression_tells_what_it_tells_without() -> None:
    async def told(compression: bool) -> tuple[list[tq.Event], int]:
        events: list[tq.Event] = []
        with trio.fail_after(3600):
            async with open_world(5, tls=True) as world:
                simulator = CoinbaseSimulator(seed=3, rate=20.0, wall_ns=world.wall_ns, products=["BTC-USD"])
                network = Counting(world)
                topics = tq.Trades("BTC-USD"), tq.Books("BTC-USD")
                connector = TapConnector(network)
                session = world.session(
                    world.serve(simulator), *topics, connector=connector, compression=compression
                )
                async with session as stream:
                    async for event in stream:
                        events.append(msgspec.structs.replace(event, received_ns=0))
                        if len(events) == 500:
                            break
                    assert not stream.statistics().count.malformed
                return events, network.received_bytes

    without, size = trio.run(told, False, clock=MockClock(autojump_threshold=0))
    compressed, compressed_size = trio.run(told, True, clock=MockClock(autojump_threshold=0))
    assert compressed == without
    assert compressed_size < size / 2


class Counting:
    """A network that counts what its streams bring."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self.received_bytes = 0

    async def open(self, host: str, port: int) -> trio.abc.Stream:
        stream = await self._network.open(host, port)
        receive = stream.receive_some

        async def count(max_bytes: int | None = None) -> bytes | bytearray:
            data = await receive(max_bytes)
            self.received_bytes += len(data)
            return data

        stream.receive_some = count  # type: ignore[method-assign]
        return stream


async def test_session_on_a_connector_without_compression_refuses_it(autojump_clock: MockClock) -> None:
    async with open_world(5) as world:
        served = world.serve(CoinbaseSimulator(seed=3, wall_ns=world.wall_ns, products=["BTC-USD"]))
        session = world.session(
            served, tq.Trades("BTC-USD"), connector=PlainConnector(world), compression=True
        )
        with (
            trio.fail_after(60),
            pytest.raises(tq.UsageError, match="compression needs the default connector"),
        ):
            async with session:
                pytest.fail("the session opened")
