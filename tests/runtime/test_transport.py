"""What open lines carry, and how the peer ends them; both connectors alike."""

from __future__ import annotations

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from tests.runtime.wire_peers import (
    BINARY,
    CLOSE,
    CONNECTORS,
    PING,
    PONG,
    TEXT,
    Background,
    Breaking,
    ClientFrame,
    ConnectorType,
    Hall,
    Peer,
    breaking_pair,
    close,
    collect,
    connected,
    frame,
    silent,
    target,
    text,
)
from trioquotes._protocol.effects import Failure
from trioquotes._runtime.connector import Batch, LineFailed
from trioquotes._runtime.transport import TapConnector

both = pytest.mark.parametrize("connector_type", CONNECTORS)


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


@both
async def test_a_line_that_its_user_found_dead_is_closed_at_once(
    connector_type: ConnectorType, autojump_clock: MockClock
) -> None:
    async def script(peer: Peer) -> None:
        await peer.send(text("one"))
        await trio.sleep(100)  # and never answers a close

    with trio.fail_after(5):
        start_s = trio.current_time()
        with pytest.RaisesGroup(pytest.RaisesExc(LineFailed, match="no pong")):
            async with connected(connector_type, script) as (line, _):
                await line.receive()
                raise LineFailed(Failure("stream", "no pong"))
        assert trio.current_time() == start_s


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
            assert await line.receive() == Batch([], 1, 1.0)
            assert await line.receive() == Batch([], 1, 2.0)
            frames: list[bytes] = []
            pongs = 0
            while len(frames) < 2:
                batch = await line.receive()
                assert batch.round_trip_s is None, "nobody asked for that pong"
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
    assert not failed.failure.too_large
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
                _, _, receiving = await collect(line)
                with pytest.raises(LineFailed) as sending:
                    await line.send(b"x")
                with pytest.raises(LineFailed):
                    await line.ping()
        nursery.cancel_scope.cancel()
    assert receiving.failure.close_code == sending.value.failure.close_code == 1006
    assert "connection reset" in receiving.failure.reason


@both
async def test_write_into_a_broken_connection_is_1006(
    connector_type: ConnectorType, autojump_clock: MockClock
) -> None:
    hall = Hall(Background(), Peer.accept, pair=breaking_pair)
    with trio.fail_after(5):
        async with connector_type(hall).line(target()) as line:
            stream = hall.clients[0]._stream
            assert isinstance(stream, Breaking)
            stream.broken.set()
            for write in (line.ping(), line.send(b"x")):
                with pytest.raises(LineFailed) as caught:
                    await write
                failure = caught.value.failure
                assert (failure.stage, failure.close_code) == ("stream", 1006)
    assert hall.all_closed


@both
async def test_reset_during_the_handshake_is_noticed_at_once(
    connector_type: ConnectorType, autojump_clock: MockClock
) -> None:
    async with trio.open_nursery() as nursery:
        hall = Hall(nursery, silent, pair=breaking_pair)

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
