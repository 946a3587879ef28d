"""A cancellation at any step leaves a line whole or closed, never corrupt, and nothing behind."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from tests.runtime.wire_peers import (
    CLOSE,
    CONNECTORS,
    PING,
    TEXT,
    URL,
    ClientFrame,
    ConnectorType,
    Hall,
    Peer,
    client_context,
    frame,
    over_tls,
    target,
    text,
)
from trioquotes._protocol.effects import Handshake
from trioquotes._runtime.connector import LineFailed
from trioquotes._runtime.transport import TapConnector

both = pytest.mark.parametrize("connector_type", CONNECTORS)


class CancelAt(trio.abc.Instrument):
    """Cancels a scope just before the given step that any task takes while it is armed."""

    def __init__(self, step: int) -> None:
        self.scope: trio.CancelScope | None = None
        self.fired = False
        self._left = step

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        if self.scope is None or self.fired:
            return
        self._left -= 1
        if self._left == 0:
            self.fired = True
            self.scope.cancel()


def sweep(play: Callable[[CancelAt], Awaitable[None]], *, at_least: int) -> None:
    """Play again and again, cancelled one step later each time, until it ends before the cancellation."""
    for step in range(1, 2000):
        canceller = CancelAt(step)
        trio.run(play, canceller, clock=MockClock(autojump_threshold=0), instruments=[canceller])
        if not canceller.fired:
            assert step > at_least
            return
    raise AssertionError("endless")


@both
@pytest.mark.parametrize("tls", [False, True])
def test_session_cancelled_at_any_step_leaves_no_task_and_no_open_stream(
    connector_type: ConnectorType, tls: bool
) -> None:
    async def script(peer: Peer) -> None:
        await peer.accept(then=text("a") + frame(PING))
        await peer.read_frame()
        await peer.send(text("b") * 3)
        await peer.answer_close()

    async def play(canceller: CancelAt) -> None:
        async with trio.open_nursery() as nursery:
            hall = Hall(nursery, over_tls(script) if tls else script)
            before = trio.lowlevel.current_statistics().tasks_living
            handshake = Handshake("wss://localhost/" if tls else URL)
            with trio.fail_after(5), trio.CancelScope() as canceller.scope:
                async with connector_type(hall).line(
                    target(handshake=handshake, ssl_context=client_context())
                ) as line:
                    frames: list[bytes] = []
                    await line.send(b"hello")
                    while len(frames) < 4:
                        frames += (await line.receive()).frames
                    await line.ping()
            canceller.scope = None
            assert hall.all_closed
            assert trio.lowlevel.current_statistics().tasks_living <= before + len(hall.clients)
            nursery.cancel_scope.cancel()

    sweep(play, at_least=25)


@both
@pytest.mark.parametrize("tls", [False, True])
def test_receive_cancelled_at_any_step_loses_nothing(connector_type: ConnectorType, tls: bool) -> None:
    sent = [str(number).encode() * 40 for number in range(12)]

    async def script(peer: Peer) -> None:
        await peer.accept()
        stream = b"".join(text(each) for each in sent)
        for start in range(0, len(stream), 50):
            await peer.send(stream[start : start + 50])
            await trio.sleep(0.01)
        await peer.answer_close()

    async def play(canceller: CancelAt) -> None:
        async with trio.open_nursery() as nursery:
            hall = Hall(nursery, over_tls(script) if tls else script)
            handshake = Handshake("wss://localhost/" if tls else URL)
            frames: list[bytes] = []
            with trio.fail_after(5):
                async with connector_type(hall).line(
                    target(handshake=handshake, ssl_context=client_context())
                ) as line:
                    while len(frames) < len(sent):
                        with trio.CancelScope() as canceller.scope:
                            frames += (await line.receive()).frames
                    canceller.scope = None
            assert frames == sent
            nursery.cancel_scope.cancel()

    sweep(play, at_least=25)


async def outcome_of(call: Awaitable[object]) -> LineFailed | None:
    """How the line failed in this call, if it did."""
    try:
        await call
    except LineFailed as failed:
        return failed
    return None


class Drip(trio.abc.Stream):
    """Writes three bytes at a time, so that a write can be cancelled in its middle."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self._stream = stream

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        for start in range(0, len(data), 3):
            await self._stream.send_all(bytes(data[start : start + 3]))

    async def wait_send_all_might_not_block(self) -> None:
        await self._stream.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        return await self._stream.receive_some(max_bytes)

    async def aclose(self) -> None:
        await self._stream.aclose()


def drip_pair() -> tuple[trio.abc.Stream, trio.abc.Stream]:
    client, server = trio.testing.memory_stream_pair()
    return Drip(client), server


@both
@pytest.mark.parametrize("tls", [False, True])
def test_send_cancelled_at_any_step_is_sent_whole_or_ends_the_line(
    connector_type: ConnectorType, tls: bool
) -> None:
    seen: set[tuple[int, bool]] = set()

    async def script(peer: Peer) -> None:
        await peer.accept()
        arrived.append(await peer.answer_close())

    arrived: list[list[ClientFrame]] = []

    async def play(canceller: CancelAt) -> None:
        arrived.clear()
        poisoned = False
        async with trio.open_nursery() as nursery:
            hall = Hall(nursery, over_tls(script) if tls else script, pair=drip_pair)
            handshake = Handshake("wss://localhost/" if tls else URL)
            with trio.fail_after(5):
                async with connector_type(hall).line(
                    target(handshake=handshake, ssl_context=client_context())
                ) as line:
                    with trio.CancelScope() as canceller.scope:
                        await line.send(b"first")
                    cancelled = canceller.scope.cancelled_caught
                    canceller.scope = None
                    second = await outcome_of(line.send(b"second"))
                    poisoned = second is not None
                    if poisoned:
                        assert "cancelled in mid-frame" in str(second)
                        assert "cancelled in mid-frame" in str(await outcome_of(line.receive()))
            assert hall.all_closed
            await trio.testing.wait_all_tasks_blocked()
            nursery.cancel_scope.cancel()
        frames = arrived[0] if arrived else []
        if poisoned:
            assert frames == []  # half a frame at most, and then nothing
        else:
            first = [] if cancelled else [ClientFrame(TEXT, b"first")]
            assert frames == [*first, ClientFrame(TEXT, b"second"), ClientFrame(CLOSE, b"\x03\xe8")]
        seen.add((len(frames), poisoned))

    sweep(play, at_least=5)
    assert seen >= {(2, False), (3, False), (0, True)}


@both
async def test_send_cancelled_while_it_waits_for_its_turn_leaves_the_line_whole(
    connector_type: ConnectorType, autojump_clock: MockClock
) -> None:
    async def script(peer: Peer) -> list[ClientFrame]:
        await peer.accept()
        await trio.sleep(1)
        return await peer.answer_close()

    async with trio.open_nursery() as nursery:
        hall = Hall(nursery, script, pair=trio.testing.lockstep_stream_pair)
        with trio.fail_after(10):
            async with connector_type(hall).line(target(close_timeout_s=5)) as line:
                async with trio.open_nursery() as senders:
                    senders.start_soon(line.send, b"first")
                    await trio.testing.wait_all_tasks_blocked(0.01)
                    with trio.move_on_after(0.1) as scope:
                        await line.send(b"never")
                    assert scope.cancelled_caught
                await line.send(b"second")
    assert hall.results == [
        [ClientFrame(TEXT, b"first"), ClientFrame(TEXT, b"second"), ClientFrame(CLOSE, b"\x03\xe8")]
    ]


@both
async def test_cancelled_send_wakes_the_receiver(
    connector_type: ConnectorType, autojump_clock: MockClock
) -> None:
    async def script(peer: Peer) -> None:
        await peer.accept()
        await trio.sleep_forever()  # reads nothing

    async with trio.open_nursery() as nursery:
        hall = Hall(nursery, script, pair=trio.testing.lockstep_stream_pair)
        with trio.fail_after(10):
            async with connector_type(hall).line(target()) as line:
                async with trio.open_nursery() as receivers:

                    async def receive() -> None:
                        with pytest.raises(LineFailed, match="cancelled in mid-frame"):
                            await line.receive()

                    receivers.start_soon(receive)
                    with trio.move_on_after(1):
                        await line.send(b"x" * 100)
                assert trio.current_time() == 1
            assert trio.current_time() == 1
        nursery.cancel_scope.cancel()


async def test_no_pong_follows_half_a_frame(autojump_clock: MockClock) -> None:
    async def script(peer: Peer) -> None:
        await peer.accept(then=frame(PING) + text("a"))
        await trio.sleep_forever()

    async with trio.open_nursery() as nursery:
        hall = Hall(nursery, script, pair=trio.testing.lockstep_stream_pair)
        with trio.fail_after(10):
            async with TapConnector(hall).line(target()) as line:
                with trio.move_on_after(1):
                    async with trio.open_nursery() as tasks:
                        tasks.start_soon(line.send, b"x" * 100)
                        await trio.testing.wait_all_tasks_blocked(0.01)
                        await line.receive()  # its pong waits for its turn
                with pytest.raises(LineFailed, match="cancelled in mid-frame"):
                    await line.receive()
                await trio.testing.wait_all_tasks_blocked(0.01)
        nursery.cancel_scope.cancel()
    assert hall.all_closed


@both
async def test_goodbye_to_a_peer_that_reads_nothing_is_bounded(
    connector_type: ConnectorType, autojump_clock: MockClock
) -> None:
    async def script(peer: Peer) -> None:
        await peer.accept()
        await trio.sleep_forever()

    async with trio.open_nursery() as nursery:
        hall = Hall(nursery, script, pair=trio.testing.lockstep_stream_pair)
        with trio.fail_after(10):
            async with connector_type(hall).line(target(close_timeout_s=0.5)):
                pass
        assert trio.current_time() == 0.5
        nursery.cancel_scope.cancel()
