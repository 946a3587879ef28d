"""What broken rules, sizes and stalls do to a line; both connectors alike."""

from __future__ import annotations

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from tests.runtime.wire_peers import (
    CLOSE,
    CONNECTORS,
    TEXT,
    ClientFrame,
    ConnectorType,
    Peer,
    close,
    collect,
    connected,
    frame,
    text,
)
from trioquotes._runtime.transport import TapConnector

both = pytest.mark.parametrize("connector_type", CONNECTORS)


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
        await peer.send(text("x" * 2000))
        await trio.sleep(0.1)
        await peer.send(big)
        return await peer.read_all()

    with trio.fail_after(5):
        async with connected(connector_type, script, max_message_bytes=2000) as (line, hall):
            frames, _, failed = await collect(line)
        assert trio.current_time() == 0.1
    assert frames == [b"x" * 2000]
    assert (failed.failure.close_code, failed.failure.too_large) == (1009, True)
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
