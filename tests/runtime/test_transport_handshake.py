"""How lines come to be, and what is told where none does; both connectors alike."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from tests.runtime.wire_peers import (
    BINARY,
    CONNECTORS,
    ConnectorType,
    Hall,
    Peer,
    close,
    collect,
    frame,
    silent,
    target,
    text,
)
from trioquotes._protocol.effects import Handshake
from trioquotes._runtime.connector import LineFailed
from trioquotes.errors import UsageError

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


@both
async def test_silent_peer_ends_the_attempt_at_the_connect_timeout(
    connector_type: ConnectorType, autojump_clock: MockClock
) -> None:
    failed, took = await refused(connector_type, silent)
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
    *,
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
        hall = Hall(nursery, silent)
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
    reason = caught.value.failure.reason
    assert reason.endswith(": nothing listens there")
    assert "OSError: host is down" in reason


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
@pytest.mark.parametrize("host", ["localhost:1", "127.0.0.1:1", "127.8.9.1:1", "[::1]:1"])
def test_headers_may_go_unencrypted_to_this_machine(connector_type: ConnectorType, host: str) -> None:
    connector_type().line(target(handshake=Handshake(f"ws://{host}/", (("X-Key", "k"),))))


@both
def test_no_headers_may_go_unencrypted_anywhere(connector_type: ConnectorType) -> None:
    connector_type().line(target(handshake=Handshake("ws://example.com/")))
