"""How each way of leaving a line ends it; both connectors alike."""

from __future__ import annotations

import pytest
import trio
import trio.testing
import trio_websocket
from trio.testing import MockClock

from tests.runtime.wire_peers import (
    CLOSE,
    CONNECTORS,
    PING,
    TEXT,
    Background,
    ClientFrame,
    ConnectorType,
    Hall,
    Peer,
    close,
    connected,
    connected_bare,
    frame,
    target,
    text,
)
from trioquotes._runtime.connector import LineFailed
from trioquotes._runtime.transport import TapConnector

both = pytest.mark.parametrize("connector_type", CONNECTORS)


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


async def test_ping_not_answered_yet_does_not_spoil_the_goodbye(autojump_clock: MockClock) -> None:
    async def script(peer: Peer) -> None:
        await peer.send(text("a") + frame(PING))
        said = await peer.read_frame()
        await trio.sleep(0.2)
        await peer.send(frame(CLOSE, said.payload if said else b""))

    with trio.fail_after(5):
        async with connected_bare(TapConnector, script) as line:
            await line.receive()
        assert trio.current_time() == pytest.approx(0.2)  # it waited for the answer


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
        async with connected_bare(connector_type, script):
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
                raise error  # noqa: TRY301  # where it is raised is what is tested
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
            if busy:
                await line.receive()
            await trio.sleep_forever()
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
async def test_cancellation_cuts_a_goodbye_short(
    connector_type: ConnectorType, autojump_clock: MockClock
) -> None:
    async def script(peer: Peer) -> None:
        await peer.read_all()

    with trio.move_on_after(0.2) as scope:
        async with connected_bare(connector_type, script):
            pass
    assert scope.cancelled_caught
    assert trio.current_time() == pytest.approx(0.2)


@both
async def test_an_error_is_not_replaced_by_a_cancellation_during_the_goodbye(
    connector_type: ConnectorType, autojump_clock: MockClock
) -> None:
    async def script(peer: Peer) -> None:
        await peer.read_all()

    with trio.move_on_after(0.2), pytest.raises(ZeroDivisionError):
        async with connected_bare(connector_type, script):
            raise ZeroDivisionError
    assert trio.current_time() == pytest.approx(0.5)


@both
async def test_ctrl_c_during_the_goodbye_leaves_bare_and_closed(
    connector_type: ConnectorType, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def interrupted(self: object, code: int = 1000, reason: str | None = None) -> None:
        await trio.sleep(0.1)
        raise KeyboardInterrupt

    monkeypatch.setattr(trio_websocket.WebSocketConnection, "aclose", interrupted)
    hall = Hall(Background(), Peer.accept)
    with trio.fail_after(5), pytest.raises(KeyboardInterrupt):
        async with connector_type(hall).line(target()):
            pass
    assert hall.all_closed
