"""Lines: what a server may do to them, and how each way of leaving ends them; both connectors alike."""

from __future__ import annotations

import importlib.metadata
import inspect
import subprocess
import sys
from collections.abc import Awaitable, Callable

import pytest
import trio
import trio.testing
import trio_websocket
from trio.testing import MockClock
from wire_peers import (
    BINARY,
    CLOSE,
    CONNECTORS,
    PING,
    PONG,
    TEXT,
    URL,
    ClientFrame,
    ConnectorType,
    Hall,
    Peer,
    close,
    connected,
    frame,
    target,
    text,
)

from trioquotes._protocol.effects import Handshake
from trioquotes._runtime.connector import Batch, Line, LineFailed
from trioquotes._runtime.transport import PlainConnector, TapConnector
from trioquotes.errors import InternalError, UsageError

both = pytest.mark.parametrize("connector_type", CONNECTORS)


async def refused(
    connector_type: ConnectorType, script: Callable[[Peer], Awaitable[object]]
) -> tuple[LineFailed, float]:
    """How an attempt fails, and after how many virtual seconds."""
    started = trio.current_time()
    async with trio.open_nursery() as nursery:
        hall = Hall(nursery, script)
        with trio.fail_after(20), pytest.raises(LineFailed) as caught:
            async with connector_type(hall).line(target()):
                pytest.fail("the line opened")
        took = trio.current_time() - started
        nursery.cancel_scope.cancel()
    assert hall.all_closed
    return caught.value, took


async def collect(line: Line) -> tuple[list[bytes], int, LineFailed]:
    """Everything a line brings until it fails."""
    frames: list[bytes] = []
    pongs = 0
    while True:
        try:
            batch = await line.receive()
        except LineFailed as failed:
            return frames, pongs, failed
        frames += batch.frames
        pongs += batch.pongs


# --- the handshake


@both
async def test_silent_peer_ends_the_attempt_at_the_connect_timeout(
    connector_type: ConnectorType, autojump_clock: MockClock
) -> None:
    failed, took = await refused(connector_type, lambda peer: trio.sleep_forever())
    assert failed.failure.stage == "handshake"
    assert failed.failure.close_code is None
    assert 1.0 <= took <= 1.2


@both
@pytest.mark.parametrize(
    "garbage",
    [
        b"\x16\x03\x01\x02\x00",
        b"SSH-2.0-OpenSSH\r\n",
        b"HTTP/1.1 \xff\xff\r\n\r\n",
        b"x",
        b"HTTP/1.9000 200 OK\r\n\r\n",
    ],
)
async def test_garbage_instead_of_http_ends_the_attempt_at_once(
    connector_type: ConnectorType, garbage: bytes, autojump_clock: MockClock
) -> None:
    async def script(peer: Peer) -> None:
        await peer.send(garbage)
        await trio.sleep_forever()

    failed, took = await refused(connector_type, script)
    assert (failed.failure.stage, failed.failure.status) == ("handshake", None)
    assert "HTTP" in failed.failure.reason
    assert took == 0


@both
async def test_endless_head_is_refused(connector_type: ConnectorType, autojump_clock: MockClock) -> None:
    async def script(peer: Peer) -> None:
        await peer.send(b"HTTP/1.1 101 Switching Protocols\r\n")
        for number in range(2000):
            await peer.send(b"X-%d: %s\r\n" % (number, b"y" * 100))
        await trio.sleep_forever()

    failed, took = await refused(connector_type, script)
    assert (failed.failure.stage, took) == ("handshake", 0)


@both
@pytest.mark.parametrize("begun", [b"", b"HTTP/1.1 101 Swi"])
async def test_hanging_up_during_the_handshake_is_noticed_at_once(
    connector_type: ConnectorType, begun: bytes, autojump_clock: MockClock
) -> None:
    async def script(peer: Peer) -> None:
        await peer.read_request()
        if begun:
            await peer.send(begun)
        await peer.stream.aclose()

    failed, took = await refused(connector_type, script)
    assert (failed.failure.stage, failed.failure.reason) == ("handshake", "the peer hung up")
    assert took == 0


@both
@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nX-A: b\r\n\r\n",
    ],
)
async def test_switch_that_proves_nothing_is_refused_at_once(
    connector_type: ConnectorType, answer: bytes, autojump_clock: MockClock
) -> None:
    async def script(peer: Peer) -> None:
        await peer.read_request()
        await peer.send(answer)
        await trio.sleep_forever()

    failed, took = await refused(connector_type, script)
    assert (failed.failure.stage, failed.failure.status) == ("handshake", 101)
    assert "not valid" in failed.failure.reason
    assert took == 0


@both
@pytest.mark.parametrize(
    "extra", ["Sec-WebSocket-Extensions: permessage-deflate", "Sec-WebSocket-Protocol: other"]
)
async def test_switch_to_what_was_not_offered_is_refused_at_once(
    connector_type: ConnectorType, extra: str, autojump_clock: MockClock
) -> None:
    async def script(peer: Peer) -> None:
        await peer.accept(extra)
        await trio.sleep_forever()

    failed, took = await refused(connector_type, script)
    assert (failed.failure.stage, failed.failure.status, took) == ("handshake", 101, 0)


REFUSALS = [
    (b"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Bearer\r\n\r\n", 401, {"www-authenticate": "Bearer"}, b""),
    (b"HTTP/1.1 401 Unauthorized\r\nX: 1\r\nX: 2\r\n\r\nno key", 401, {"x": "1, 2"}, b"no key"),
    (
        b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 30\r\nContent-Length: 4\r\n\r\nslow",
        429,
        {"retry-after": "30", "content-length": "4"},
        b"slow",
    ),
    (
        b"HTTP/1.1 403 Forbidden\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nno\r\n1\r\n!\r\n0\r\n\r\n",
        403,
        {"transfer-encoding": "chunked"},
        b"no!",
    ),
    (
        b"HTTP/1.1 301 Moved Permanently\r\nLocation: wss://elsewhere.example/\r\nContent-Length: 0\r\n\r\n",
        301,
        {"location": "wss://elsewhere.example/", "content-length": "0"},
        b"",
    ),
    (b"HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n", 204, {}, b""),
    (b"HTTP/1.0 502 Bad Gateway\r\nContent-Length: 9000\r\n\r\n" + b"x" * 9000, 502, {"content-length": "9000"}, b"x" * 4096),
]  # fmt: skip


@both
@pytest.mark.parametrize("hang_up", [False, True])
@pytest.mark.parametrize(("answer", "status", "headers", "body"), REFUSALS)
async def test_refusal_keeps_status_headers_and_body(
    connector_type: ConnectorType,
    answer: bytes,
    status: int,
    headers: dict[str, str],
    body: bytes,
    hang_up: bool,
    autojump_clock: MockClock,
) -> None:
    async def script(peer: Peer) -> None:
        await peer.read_request()
        await peer.send(answer)
        if hang_up:
            await peer.stream.aclose()
        await trio.sleep_forever()

    failed, took = await refused(connector_type, script)
    failure = failed.failure
    assert (failure.stage, failure.status, failure.headers, failure.body) == (
        "handshake",
        status,
        headers,
        body,
    )
    assert took <= 0.1


@both
@pytest.mark.parametrize(
    ("head", "longest_s"),
    [(b"Content-Length: 100\r\n", 1.0), (b"Transfer-Encoding: chunked\r\n", 1.0), (b"", 0.1)],
)
async def test_refusal_is_not_held_up_by_a_body_that_does_not_come(
    connector_type: ConnectorType, head: bytes, longest_s: float, autojump_clock: MockClock
) -> None:
    async def script(peer: Peer) -> None:
        await peer.read_request()
        await peer.send(b"HTTP/1.1 401 Unauthorized\r\n" + head + b"\r\n")
        await trio.sleep_forever()

    failed, took = await refused(connector_type, script)
    assert failed.failure.status == 401
    assert took == longest_s


@both
async def test_refusal_with_a_body_that_breaks_off_keeps_what_came(
    connector_type: ConnectorType, autojump_clock: MockClock
) -> None:
    async def script(peer: Peer) -> None:
        await peer.read_request()
        await peer.send(b"HTTP/1.1 500 Oops\r\nContent-Length: 100\r\n\r\nhalf")
        await peer.stream.aclose()

    failed, took = await refused(connector_type, script)
    assert (failed.failure.status, failed.failure.body, took) == (500, b"half", 0)


@both
async def test_answer_may_come_byte_by_byte_with_frames_behind_it(
    connector_type: ConnectorType, autojump_clock: MockClock
) -> None:
    async def script(peer: Peer) -> None:
        await peer.read_request()
        for byte in b"HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n" + peer.switch():
            await peer.send(bytes([byte]))
        await peer.send(text("first") + text("second")[:3])
        await trio.sleep(0.1)
        await peer.send(text("second")[3:])
        await peer.answer_close()

    async with trio.open_nursery() as nursery:
        hall = Hall(nursery, script)
        with trio.fail_after(5):
            async with connector_type(hall).line(target()) as line:
                assert (await line.receive()).frames == [b"first"]
                assert (await line.receive()).frames == [b"second"]
        nursery.cancel_scope.cancel()


@both
async def test_frames_in_one_piece_with_the_answer_are_not_lost(
    connector_type: ConnectorType, autojump_clock: MockClock
) -> None:
    async def script(peer: Peer) -> None:
        await peer.accept(then=text("a") + frame(BINARY, b"\xff") + close(1001, "later"))
        await trio.sleep_forever()

    async with trio.open_nursery() as nursery:
        hall = Hall(nursery, script)
        with trio.fail_after(5):
            async with connector_type(hall).line(target()) as line:
                frames, _, failed = await collect(line)
        nursery.cancel_scope.cancel()
    assert frames == [b"a", b"\xff"]
    assert (failed.failure.close_code, failed.failure.close_reason) == (1001, "later")


@both
async def test_request_says_what_the_handshake_says(
    connector_type: ConnectorType, autojump_clock: MockClock
) -> None:
    async def script(peer: Peer) -> bytes:
        await peer.accept("Sec-WebSocket-Protocol: v2")
        await peer.answer_close()
        return peer.request

    handshake = Handshake("ws://localhost:8765/feed/x?b=%20c", (("X-Key", "secret value"),), ("v1", "v2"))
    async with trio.open_nursery() as nursery:
        hall = Hall(nursery, script)
        with trio.fail_after(5):
            async with connector_type(hall).line(target(handshake=handshake)):
                pass
    request = hall.results[0]
    assert isinstance(request, bytes)
    lines = request.decode().split("\r\n")
    assert lines[0] == "GET /feed/x?b=%20c HTTP/1.1"
    assert {"Host: localhost:8765", "X-Key: secret value", "Sec-WebSocket-Protocol: v1, v2"} <= set(lines)
    assert hall.opened == [("localhost", 8765)]


@both
async def test_cancelled_handshake_closes_the_socket_at_once(
    connector_type: ConnectorType, autojump_clock: MockClock
) -> None:
    async with trio.open_nursery() as nursery:
        hall = Hall(nursery, lambda peer: trio.sleep_forever())
        with trio.move_on_after(0.3) as scope:
            async with connector_type(hall).line(target()):
                pytest.fail("the line opened")
        assert scope.cancelled_caught
        assert trio.current_time() == pytest.approx(scope.deadline)
        assert hall.all_closed
        nursery.cancel_scope.cancel()


@both
async def test_network_that_does_not_answer_is_a_connect_failure(
    connector_type: ConnectorType, autojump_clock: MockClock
) -> None:
    class Nowhere:
        async def open(self, host: str, port: int) -> trio.abc.Stream:
            await trio.sleep_forever()
            raise AssertionError

    started = trio.current_time()
    with pytest.raises(LineFailed) as caught:
        async with connector_type(Nowhere()).line(target()):
            pytest.fail("the line opened")
    assert (caught.value.failure.stage, trio.current_time() - started) == ("connect", 1.0)


@both
async def test_error_of_the_network_is_a_connect_failure_with_its_reason(
    connector_type: ConnectorType, autojump_clock: MockClock
) -> None:
    class Down:
        async def open(self, host: str, port: int) -> trio.abc.Stream:
            errors = [OSError("host is down"), ConnectionRefusedError("refused")]
            raise OSError("all attempts failed") from ExceptionGroup("attempts", errors)

    with pytest.raises(LineFailed) as caught:
        async with connector_type(Down()).line(target()):
            pytest.fail("the line opened")
    assert caught.value.failure.stage == "connect"
    assert caught.value.failure.reason == "ConnectionRefusedError: refused; OSError: host is down"


# --- refused before any I/O


@both
@pytest.mark.parametrize(
    "handshake",
    [
        Handshake("ws://example.com/feed", (("Authorization", "s3cret"),)),
        Handshake("ws://192.0.2.1/feed", (("X-Anything", "s3cret"),)),
        Handshake("ws://example.com/feed", (), ("s3cret",)),
        Handshake("http://localhost/?s3cret"),
        Handshake("wss:///feed?s3cret"),
        Handshake("wss://example.com:port/?s3cret"),
        Handshake("wss://user:s3cret@example.com/"),
        Handshake("wss://example.com/?s3cret#fragment"),
        Handshake("wss://example.com/a b?s3cret"),
        Handshake("wss://example.com/ä?s3cret"),
        Handshake("wss://.example.com/?s3cret"),
        Handshake("wss://example.com/", (("X-Key", "s3cret\r\nX-Other: a"),)),
        Handshake("wss://example.com/", (("X-Key", "s3crét"),)),
        Handshake("wss://example.com/", (("X Key", "s3cret"),)),
        Handshake("wss://example.com/", (), ("s3cret\n",)),
    ],
)
def test_target_that_cannot_be_meant_is_refused_at_the_call(
    connector_type: ConnectorType, handshake: Handshake
) -> None:
    with pytest.raises(UsageError) as caught:
        connector_type().line(target(handshake=handshake))
    assert "s3cr" not in str(caught.value)


@both
def test_proxy_is_refused_and_not_shown(connector_type: ConnectorType) -> None:
    with pytest.raises(UsageError) as caught:
        connector_type().line(target(proxy="http://user:s3cret@proxy"))
    assert "s3cret" not in str(caught.value)
    assert "s3cret" not in repr(target(proxy="http://user:s3cret@proxy"))


@both
@pytest.mark.parametrize("host", ["localhost:1", "127.0.0.1:1", "127.8.9.1:1", "[::1]:1"])
def test_headers_may_go_unencrypted_to_this_machine(connector_type: ConnectorType, host: str) -> None:
    connector_type().line(target(handshake=Handshake(f"ws://{host}/", (("X-Key", "k"),))))


@both
def test_no_headers_may_go_unencrypted_anywhere(connector_type: ConnectorType) -> None:
    connector_type().line(target(handshake=Handshake("ws://example.com/")))


# --- data


@both
async def test_messages_come_whole_and_in_order(
    connector_type: ConnectorType, autojump_clock: MockClock
) -> None:
    async def script(peer: Peer) -> None:
        parts = (
            frame(TEXT, b"fr", fin=False) + frame(PING, b"p") + frame(0, b"ag", fin=False) + frame(0, b"s")
        )
        stream = text("one") + parts + frame(BINARY, b"\x00\xff") + text("ü" * 100) + text("x" * 70_000)
        for start in range(0, len(stream), 1000):
            await peer.send(stream[start : start + 1000])
        await peer.send(close(1000))
        await peer.read_all()

    with trio.fail_after(5):
        async with connected(connector_type, script) as (line, _):
            frames, pongs, failed = await collect(line)
    assert frames == [b"one", b"frags", b"\x00\xff", ("ü" * 100).encode(), b"x" * 70_000]
    assert pongs == 0
    assert failed.failure.close_code == 1000


async def test_tap_hands_over_all_frames_of_a_read_at_once(autojump_clock: MockClock) -> None:
    async def script(peer: Peer) -> None:
        await peer.send(b"".join(text(str(number)) for number in range(500)) + frame(PONG))
        await peer.answer_close()

    with trio.fail_after(5):
        async with connected(TapConnector, script) as (line, _):
            assert await line.receive() == Batch([str(number).encode() for number in range(500)], 1)


@both
async def test_sent_text_arrives_as_one_text_frame(
    connector_type: ConnectorType, autojump_clock: MockClock
) -> None:
    with trio.fail_after(5):
        async with connected(connector_type, Peer.answer_close) as (line, hall):
            await line.send(b'{"a":1}')
            await line.send("ü".encode() * 40_000)
    assert hall.results == [
        [
            ClientFrame(TEXT, b'{"a":1}'),
            ClientFrame(TEXT, "ü".encode() * 40_000),
            ClientFrame(CLOSE, b"\x03\xe8"),
        ]
    ]


@both
async def test_pongs_are_counted_and_wake_the_receiver(
    connector_type: ConnectorType, autojump_clock: MockClock
) -> None:
    async def script(peer: Peer) -> None:
        for _ in range(2):
            ping = await peer.read_frame()
            assert ping is not None
            assert ping.opcode == PING
            await trio.sleep(1)
            await peer.send(frame(PONG, ping.payload))
        await peer.send(text("a") + frame(PONG, b"unasked") + text("b"))
        await peer.answer_close()

    with trio.fail_after(5):
        async with connected(connector_type, script) as (line, _):
            await line.ping()
            await line.ping()
            assert await line.receive() == Batch([], 1)
            assert await line.receive() == Batch([], 1)
            frames, pongs = [], 0
            while len(frames) < 2:
                batch = await line.receive()
                frames += batch.frames
                pongs += batch.pongs
            assert (frames, pongs) == ([b"a", b"b"], 1)


@both
async def test_ping_in_flight_does_not_outlive_the_line(
    connector_type: ConnectorType, autojump_clock: MockClock
) -> None:
    async def script(peer: Peer) -> None:
        await peer.read_frame()
        await peer.send(close(1001))
        await trio.sleep_forever()

    with trio.fail_after(5):
        async with connected(connector_type, script) as (line, _):
            await line.ping()
            _, pongs, failed = await collect(line)
            assert (pongs, failed.failure.close_code) == (0, 1001)
            with pytest.raises(LineFailed):
                await line.ping()


# --- pongs of ours


@both
async def test_pings_are_answered_in_order_while_the_caller_receives(
    connector_type: ConnectorType, autojump_clock: MockClock
) -> None:
    async def script(peer: Peer) -> list[ClientFrame | None]:
        await peer.send(frame(PING, b"1") + frame(PING, b"2") + text("a") + frame(PING, b"3"))
        answers = [await peer.read_frame() for _ in range(3)]
        await peer.send(close(1000))
        return answers

    with trio.fail_after(5):
        async with connected(connector_type, script) as (line, hall):
            await collect(line)
            assert hall.results == [
                [ClientFrame(PONG, b"1"), ClientFrame(PONG, b"2"), ClientFrame(PONG, b"3")]
            ]


async def test_tap_answers_a_ping_read_with_data_though_nobody_comes_back_to_receive(
    autojump_clock: MockClock,
) -> None:
    answered = trio.Event()

    async def script(peer: Peer) -> None:
        await peer.send(text("a") + text("b") + frame(PING, b"hi") + text("c"))
        assert await peer.read_frame() == ClientFrame(PONG, b"hi")
        answered.set()
        await peer.answer_close()

    with trio.fail_after(5):
        async with connected(TapConnector, script) as (line, _):
            assert (await line.receive()).frames == [b"a", b"b", b"c"]
            await answered.wait()  # a consumer that does not come back


async def test_flood_of_pings_takes_no_memory_and_keeps_the_newest(autojump_clock: MockClock) -> None:
    async def script(peer: Peer) -> list[ClientFrame]:
        await peer.send(b"".join(frame(PING, b"%d" % number) for number in range(1000)) + text("a"))
        return await peer.answer_close()

    with trio.fail_after(5):
        async with connected(TapConnector, script) as (line, hall):
            assert (await line.receive()).frames == [b"a"]
            await trio.sleep(1)
    answers = hall.results[0]
    assert isinstance(answers, list)
    assert [answer.payload for answer in answers[:-1]] == [b"%d" % number for number in range(936, 1000)]


# --- how the peer ends a line


@both
@pytest.mark.parametrize(
    ("sent", "code", "reason"),
    [
        (close(1000), 1000, ""),
        (close(1008, "go ü"), 1008, "go ü"),
        (close(4321), 4321, ""),
        (frame(CLOSE), 1005, ""),
    ],
)
async def test_peers_close_is_told_at_once_and_answered_though_it_keeps_tcp_open(
    connector_type: ConnectorType, sent: bytes, code: int, reason: str, autojump_clock: MockClock
) -> None:
    async def script(peer: Peer) -> ClientFrame | None:
        await peer.send(text("last") + sent)
        return await peer.read_frame()

    with trio.fail_after(5):
        async with connected(connector_type, script) as (line, hall):
            frames, _, failed = await collect(line)
            with pytest.raises(LineFailed) as again:
                await line.receive()
            with pytest.raises(LineFailed):
                await line.send(b"late")
        assert trio.current_time() == 0
    assert frames == [b"last"]
    assert failed.failure == again.value.failure
    assert (failed.failure.stage, failed.failure.close_code, failed.failure.close_reason) == (
        "stream",
        code,
        reason,
    )
    assert not failed.too_large
    assert hall.results == [ClientFrame(CLOSE, sent[2:4])] or hall.results == [ClientFrame(CLOSE, sent[2:])]


@both
@pytest.mark.parametrize("cut", [0, 1, 5])
async def test_hanging_up_is_1006_at_once(
    connector_type: ConnectorType, cut: int, autojump_clock: MockClock
) -> None:
    async def script(peer: Peer) -> None:
        await peer.send(text("a") + text("broken off")[:cut])
        await peer.stream.aclose()

    with trio.fail_after(5):
        async with connected(connector_type, script) as (line, _):
            frames, _, failed = await collect(line)
        assert trio.current_time() == 0
    assert frames == [b"a"]
    assert (failed.failure.stage, failed.failure.close_code) == ("stream", 1006)


class Breaking(trio.abc.Stream):
    """A stream that breaks when told to."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self._stream = stream
        self.broken = trio.Event()

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        if self.broken.is_set():
            raise trio.BrokenResourceError("broken pipe")
        await self._stream.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        await self._stream.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        data = b""
        async with trio.open_nursery() as nursery:

            async def stop() -> None:
                await self.broken.wait()
                nursery.cancel_scope.cancel()

            nursery.start_soon(stop)
            data = bytes(await self._stream.receive_some(max_bytes))
            nursery.cancel_scope.cancel()
        if data:
            return data
        raise trio.BrokenResourceError("connection reset")

    async def aclose(self) -> None:
        await self._stream.aclose()


def breaking_pair() -> tuple[trio.abc.Stream, trio.abc.Stream]:
    client, server = trio.testing.memory_stream_pair()
    return Breaking(client), server


@both
async def test_reset_is_told_with_its_reason_by_receive_send_and_ping(
    connector_type: ConnectorType, autojump_clock: MockClock
) -> None:
    async def script(peer: Peer) -> None:
        await peer.accept()
        await peer.send(text("a"))
        await trio.sleep_forever()

    async with trio.open_nursery() as nursery:
        hall = Hall(nursery, script, pair=breaking_pair)
        with trio.fail_after(5):
            async with connector_type(hall).line(target()) as line:
                assert (await line.receive()).frames == [b"a"]
                stream = hall.clients[0]._stream
                assert isinstance(stream, Breaking)
                stream.broken.set()
                with pytest.raises(LineFailed) as sending:
                    await line.send(b"x")
                _, _, receiving = await collect(line)
                with pytest.raises(LineFailed):
                    await line.ping()
        nursery.cancel_scope.cancel()
    assert receiving.failure.close_code == sending.value.failure.close_code == 1006
    assert "connection reset" in receiving.failure.reason


@both
async def test_reset_during_the_handshake_is_noticed_at_once(
    connector_type: ConnectorType, autojump_clock: MockClock
) -> None:
    async with trio.open_nursery() as nursery:
        hall = Hall(nursery, lambda peer: trio.sleep_forever(), pair=breaking_pair)

        async def reset() -> None:
            await trio.sleep(0.1)
            stream = hall.clients[0]._stream
            assert isinstance(stream, Breaking)
            stream.broken.set()

        nursery.start_soon(reset)
        with pytest.raises(LineFailed) as caught:
            async with connector_type(hall).line(target()):
                pytest.fail("the line opened")
        assert trio.current_time() == pytest.approx(0.1)
        nursery.cancel_scope.cancel()
    assert (caught.value.failure.stage, "connection reset" in caught.value.failure.reason) == (
        "handshake",
        True,
    )


# --- broken rules, sizes, stalls: the peer keeps TCP open


@both
@pytest.mark.parametrize(
    ("bad", "code"),
    [
        (b"\x81\x81abcd\x00", 1002),
        (b"\xc1\x01a", 1002),
        (b"\x83\x01a", 1002),
        (b"\x09\x00", 1002),
        (frame(CLOSE, b"\x03"), 1002),
        (close(1006), 1002),
        (frame(TEXT, b"\xff"), 1007),
        (frame(TEXT, b"\xc3", fin=False) + frame(0, b"("), 1007),
        (frame(0, b"a"), 1002),
    ],
)
async def test_broken_rule_ends_the_line_at_once(
    connector_type: ConnectorType, bad: bytes, code: int, autojump_clock: MockClock
) -> None:
    async def script(peer: Peer) -> list[ClientFrame]:
        await peer.send(text("good") + bad + text("never"))
        return await peer.read_all()

    with trio.fail_after(5):
        async with connected(connector_type, script) as (line, hall):
            frames, _, failed = await collect(line)
        assert trio.current_time() == 0
    assert frames == [b"good"]
    assert (failed.failure.stage, failed.failure.close_code, failed.failure.close_reason) == (
        "stream",
        code,
        "",
    )
    if connector_type is TapConnector:  # trio-websocket alone says nothing to the peer
        sent = hall.results[0]
        assert isinstance(sent, list)
        assert [(each.opcode, each.code) for each in sent] == [(CLOSE, code)]


@both
@pytest.mark.parametrize(
    "big",
    [
        b"\x81\x7f" + (1 << 62).to_bytes(8),
        text("x" * 2001),
        frame(TEXT, b"x" * 1500, fin=False) + frame(0, b"x" * 501),
        frame(TEXT, b"x" * 1500, fin=False) + frame(0, b"x" * 1000)[:4],
    ],
)
async def test_message_over_the_limit_closes_with_1009_at_its_header(
    connector_type: ConnectorType, big: bytes, autojump_clock: MockClock
) -> None:
    async def script(peer: Peer) -> list[ClientFrame]:
        await peer.send(text("x" * 2000) + big)
        return await peer.read_all()

    with trio.fail_after(5):
        async with connected(connector_type, script, max_message_bytes=2000) as (line, hall):
            frames, _, failed = await collect(line)
        assert trio.current_time() == 0
    assert frames == [b"x" * 2000]
    assert (failed.failure.close_code, failed.too_large) == (1009, True)
    sent = hall.results[0]
    assert isinstance(sent, list)
    assert [(each.opcode, each.code) for each in sent] == [(CLOSE, 1009)]


@both
async def test_slow_loris_frame_fails_the_line(
    connector_type: ConnectorType, autojump_clock: MockClock
) -> None:
    async def script(peer: Peer) -> None:
        for byte in text("x" * 120):
            await peer.send(bytes([byte]))
            await trio.sleep(0.9)

    with trio.fail_after(60):
        async with connected(connector_type, script, stall_timeout_s=5.0) as (line, _):
            started = trio.current_time()
            frames, _, failed = await collect(line)
            assert trio.current_time() - started == pytest.approx(5.0)
        assert trio.current_time() - started == pytest.approx(5.0)
    assert frames == []
    assert (failed.failure.stage, failed.failure.close_code) == ("stream", 1006)
    assert "5 s" in failed.failure.reason


@both
async def test_quiet_line_and_slow_but_whole_frames_are_no_stall(
    connector_type: ConnectorType, autojump_clock: MockClock
) -> None:
    async def script(peer: Peer) -> None:
        await trio.sleep(100)
        for _ in range(5):
            await peer.send(frame(TEXT, b"ab")[:3])
            await trio.sleep(4)
            await peer.send(frame(TEXT, b"ab")[3:] + text("x") + text("y")[:1])
            await trio.sleep(4)
            await peer.send(text("y")[1:])
            await trio.sleep(50)
        await peer.send(frame(TEXT, b"a", fin=False))
        await trio.sleep(50)
        await peer.send(frame(0, b"b"))
        await peer.answer_close()

    with trio.fail_after(1000):
        async with connected(connector_type, script) as (line, _):
            frames: list[bytes] = []
            while len(frames) < 16:
                frames += (await line.receive()).frames
    assert frames == [b"ab", b"x", b"y"] * 5 + [b"ab"]


async def test_time_in_which_nobody_receives_is_no_stall(autojump_clock: MockClock) -> None:
    async def script(peer: Peer) -> None:
        await peer.send(text("a") + text("b")[:1])
        await trio.sleep(1)
        await peer.send(text("b")[1:])
        await peer.answer_close()

    with trio.fail_after(1000):
        async with connected(TapConnector, script) as (line, _):
            assert (await line.receive()).frames == [b"a"]
            await trio.sleep(500)
            assert (await line.receive()).frames == [b"b"]


# --- leaving


@both
async def test_leaving_says_goodbye_and_waits_for_the_answer(
    connector_type: ConnectorType, autojump_clock: MockClock
) -> None:
    async def script(peer: Peer) -> ClientFrame | None:
        said = await peer.read_frame()
        await trio.sleep(0.2)
        await peer.send(text("crossing") + frame(PING) + frame(CLOSE, said.payload if said else b""))
        return said

    with trio.fail_after(5):
        async with connected(connector_type, script) as (_, hall):
            pass
    assert hall.results == [ClientFrame(CLOSE, b"\x03\xe8")]


@both
@pytest.mark.parametrize("answers", [True, False])
async def test_leaving_with_500_unread_frames_is_clean_and_bounded(
    connector_type: ConnectorType, answers: bool, autojump_clock: MockClock
) -> None:
    async def script(peer: Peer) -> None:
        for number in range(500):
            await peer.send(text("x" * number))
        if answers:
            await peer.answer_close()

    with trio.fail_after(5):
        async with connected(connector_type, script) as (line, _):
            await line.receive()
            await trio.sleep(0.1)
            left = trio.current_time()
        assert trio.current_time() - left == (0 if answers else 0.5)


@both
@pytest.mark.parametrize(
    "behind",
    [frame(PING), b"\xff\xff", b"\x82\x7f" + (1 << 62).to_bytes(8), text("x")[:1], frame(TEXT, b"\xff")],
)
async def test_leaving_is_bounded_whatever_the_peer_answers(
    connector_type: ConnectorType, behind: bytes, autojump_clock: MockClock
) -> None:
    async def script(peer: Peer) -> None:
        await peer.read_frame()
        while True:
            await peer.send(behind)
            await trio.sleep(0.1)

    with trio.fail_after(5):
        async with connected(connector_type, script) as (_, _hall):
            left = trio.current_time()
        assert trio.current_time() - left <= 0.5


@both
async def test_leaving_when_the_peer_hung_up_or_closed_unseen_is_immediate(
    connector_type: ConnectorType, autojump_clock: MockClock
) -> None:
    async def hangs_up(peer: Peer) -> None:
        await peer.stream.aclose()

    async def closes(peer: Peer) -> None:
        await peer.send(close(1001))

    with trio.fail_after(5):
        for script in (hangs_up, closes):
            async with connected(connector_type, script):
                await trio.sleep(0.1)
                left = trio.current_time()
            assert trio.current_time() == left


@both
@pytest.mark.parametrize(
    "error", [ValueError("mine"), ExceptionGroup("mine", [KeyError("a")]), KeyboardInterrupt(), SystemExit(3)]
)
async def test_error_of_the_block_leaves_bare_behind_a_goodbye(
    connector_type: ConnectorType, error: BaseException, autojump_clock: MockClock
) -> None:
    error.__context__ = context = RuntimeError("earlier")
    results: list[object] = []

    async def script(peer: Peer) -> None:
        await peer.accept()
        results.append(await peer.answer_close())

    caught: BaseException | None = None
    async with trio.open_nursery() as nursery:
        hall = Hall(nursery, script)
        try:
            async with connector_type(hall).line(target()):
                raise error
        except BaseException as left:  # noqa: BLE001  # whatever it is, it must be the same
            caught = left
    assert caught is error
    assert caught.__context__ is context
    assert caught.__cause__ is None
    assert results == [[ClientFrame(CLOSE, b"\x03\xe8")]]


@both
async def test_failure_of_the_line_may_leave_the_block(
    connector_type: ConnectorType, autojump_clock: MockClock
) -> None:
    async def script(peer: Peer) -> None:
        await peer.send(close(1012, "restart"))
        await peer.read_all()

    with trio.fail_after(5), pytest.raises(LineFailed) as caught:
        async with connected_bare(connector_type, script) as line:
            await line.receive()
    assert caught.value.failure.close_code == 1012


@both
@pytest.mark.parametrize("busy", [False, True])
async def test_cancelled_block_closes_at_once_and_says_nothing(
    connector_type: ConnectorType, busy: bool, autojump_clock: MockClock
) -> None:
    async def script(peer: Peer) -> list[ClientFrame]:
        return await peer.read_all()

    with trio.move_on_after(1) as scope:
        async with connected(connector_type, script) as (line, hall):
            await (line.receive() if busy else trio.sleep_forever())
    assert scope.cancelled_caught
    assert trio.current_time() == 1
    assert hall.all_closed
    with trio.CancelScope(shield=True):
        await trio.testing.wait_all_tasks_blocked()
    assert hall.results in ([[]], [])


@both
async def test_leaving_with_a_cancellation_pending_says_nothing_and_takes_no_time(
    connector_type: ConnectorType, autojump_clock: MockClock
) -> None:
    async with trio.open_nursery() as nursery:
        frames: list[ClientFrame] = []

        async def script(peer: Peer) -> None:
            await peer.accept()
            frames.extend(await peer.read_all())

        hall = Hall(nursery, script)
        with trio.CancelScope() as scope:
            async with connector_type(hall).line(target()):
                scope.cancel()
        with pytest.raises(ValueError, match="mine"), trio.CancelScope() as scope:
            async with connector_type(hall).line(target()):
                scope.cancel()
                raise ValueError("mine")
        assert hall.all_closed
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    assert frames == []
    assert trio.current_time() == 0


@both
async def test_cancellation_during_the_goodbye_waits_for_no_more_than_its_bound(
    connector_type: ConnectorType, autojump_clock: MockClock
) -> None:
    async def script(peer: Peer) -> None:
        await peer.read_all()

    with trio.move_on_after(0.2) as scope:
        async with connected_bare(connector_type, script):
            pass
        await trio.lowlevel.checkpoint()
    assert scope.cancelled_caught
    assert trio.current_time() == pytest.approx(0.5)


def connected_bare(connector_type: ConnectorType, script: Callable[[Peer], Awaitable[object]]):  # type: ignore[no-untyped-def]  # noqa: ANN201
    """A line without a nursery around it that could make groups: the server is a system task."""

    async def serve(peer: Peer) -> None:
        await peer.accept()
        await script(peer)

    class Background:
        def start_soon(self, run: Callable[..., Awaitable[object]], *args: object) -> None:
            async def quiet() -> None:
                with trio.move_on_after(30):
                    await run(*args)

            trio.lowlevel.spawn_system_task(quiet)

    hall = Hall(Background(), serve)  # type: ignore[arg-type]
    return connector_type(hall).line(target())
