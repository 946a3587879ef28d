"""Every client case of the Autobahn suite on both connectors, case by case; compression; and what the suite found.

``nox -s conformance`` runs the suite itself. Here its cases are played over memory streams in virtual time.
"""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from functools import partial
from typing import Any, NamedTuple, cast

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from tests.conformance.client import TRANSPORTS
from tests.runtime.conformance_cases import CASES, COUNTS, Case
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
    close,
    connected,
    frame,
    target,
    text,
)
from trioquotes._protocol.effects import Failure
from trioquotes._protocol.frames import FrameSplitter, Split
from trioquotes._runtime import transport
from trioquotes._runtime.connector import Line, LineFailed
from trioquotes._runtime.transport import TapConnector
from trioquotes._runtime.wire import TapWire

both = pytest.mark.parametrize("connector_type", CONNECTORS)


class Outcome(NamedTuple):
    """What the client made of a case, beside what the server heard."""

    messages: list[bytes]
    failure: Failure
    ended_s: float


async def say(case: Case, peer: Peer) -> None:
    """Play the server, as long as the client is there."""
    with suppress(trio.BrokenResourceError):
        for step in case.steps:
            if isinstance(step, float):
                await trio.sleep(step)
            else:
                await peer.send(step)
            await trio.testing.wait_all_tasks_blocked()  # the client read it, and answered
        if not case.closes and not case.found_wrong:
            await peer.send(close(1000))


async def serve(case: Case, peer: Peer) -> list[ClientFrame]:
    """Play the server, and listen: all that the client sent until it hung up."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(say, case, peer)
        heard = await peer.read_all()
        nursery.cancel_scope.cancel()
    return heard


async def echo(line: Line, *, binary: bool) -> Outcome:
    """Send every message back until the line ends."""
    messages: list[bytes] = []
    while True:
        try:
            batch = await line.receive()
        except LineFailed as failed:
            return Outcome(messages, failed.failure, trio.current_time())
        messages += batch.frames
        with suppress(LineFailed):
            for payload in batch.frames:
                await (cast("Any", line)._write(payload) if binary else line.send(payload))


@both
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_autobahn_case(connector_type: ConnectorType, case: Case, autojump_clock: MockClock) -> None:
    data = [answer for answer in case.answers if answer.opcode != PONG]
    with trio.fail_after(10):
        async with connected(connector_type, partial(serve, case)) as (line, hall):
            outcome = await echo(line, binary=any(answer.opcode == BINARY for answer in data))
    assert outcome.messages == [answer.payload for answer in data]
    assert (outcome.failure.close_code, outcome.failure.close_reason) == (case.code, case.reason)
    assert outcome.ended_s in (case.ends_s, case.late_s)
    heard = cast("list[ClientFrame]", hall.results[0])
    answers = [each for each in heard if each.opcode != CLOSE]
    assert answers == list(case.answers)[: len(answers) if case.lenient else None]
    goodbyes = [each for each in heard if each.opcode == CLOSE]
    if not case.found_wrong:
        code = b"" if case.code == 1005 else case.code.to_bytes(2)
        assert goodbyes in ([ClientFrame(CLOSE, code)], [ClientFrame(CLOSE, code + case.reason.encode())])
    elif connector_type is TapConnector:
        assert [goodbye.code for goodbye in goodbyes] == [case.code]
    else:  # trio-websocket alone says nothing to the peer
        assert goodbyes == []
    assert heard == answers + goodbyes, "nothing follows a close frame"


def test_every_case_of_the_suite_is_here_once() -> None:
    names = [case.name for case in CASES]
    assert len(set(names)) == len(names) == 517 - 216
    assert Counter(name.partition(".")[0] for name in names) == COUNTS


def test_every_transport_that_is_shipped_is_put_to_the_suite() -> None:
    shipped = {getattr(transport, name) for name in transport.__all__ if name.endswith("Connector")}
    assert shipped == set(CONNECTORS) == {each.make for each in TRANSPORTS.values()}


# --- 12 and 13: compression


@both
@pytest.mark.parametrize("bits", [0x40, 0x20, 0x10])
async def test_no_extension_is_offered_and_none_of_its_bits_taken(
    connector_type: ConnectorType, bits: int, autojump_clock: MockClock
) -> None:
    requests = []

    async def script(peer: Peer) -> None:
        requests.append(peer.request)
        await peer.send(bytes([0x81 | bits, 1]) + b"a")
        await peer.read_all()

    with trio.fail_after(5):
        async with connected(connector_type, script) as (line, _):
            outcome = await echo(line, binary=False)
    assert b"extensions" not in requests[0].lower()
    assert (outcome.messages, outcome.failure.close_code) == ([], 1002)


# --- what the suite found: a message must not overtake the answer to a ping that was read before it


async def test_flood_of_pings_delays_a_message_but_does_not_keep_it_back(autojump_clock: MockClock) -> None:
    async def script(peer: Peer) -> int:
        await peer.send(text("go") + frame(PING) * 50)
        for pongs in range(2000):
            answer = await peer.read_frame()
            assert answer is not None
            if answer.opcode == TEXT:
                await peer.send(close(1000))
                await peer.read_all()
                return pongs
            await peer.send(frame(PING) * 2)  # so that one always waits
        pytest.fail("the message never came")

    with trio.fail_after(5):
        async with connected(TapConnector, script) as (line, hall), trio.open_nursery() as nursery:
            assert (await line.receive()).frames == [b"go"]
            nursery.start_soon(line.send, b"hello")
            await echo(line, binary=False)
    (pongs,) = hall.results
    assert pongs in range(50, 65)


class Exhausted(Breaking):
    """A stream for whose writes no memory is left when it is broken."""

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        if self.broken.is_set():
            raise MemoryError
        await super().send_all(data)


@pytest.mark.parametrize(("kind", "error"), [(Breaking, LineFailed), (Exhausted, MemoryError)])
async def test_message_behind_an_answer_that_cannot_be_written_fails_with_the_line(
    kind: type[Breaking], error: type[Exception], autojump_clock: MockClock
) -> None:
    async def script(peer: Peer) -> None:
        await peer.accept()
        await peer.send(text("a") + frame(PING))

    def pair() -> tuple[trio.abc.Stream, trio.abc.Stream]:
        client, server = trio.testing.memory_stream_pair()
        return kind(client), server

    hall = Hall(Background(), script, pair=pair)
    with trio.fail_after(5), pytest.raises(error):
        async with TapConnector(hall).line(target()) as line:
            assert (await line.receive()).frames == [b"a"]
            stream = hall.clients[0]._stream
            assert isinstance(stream, kind)
            stream.broken.set()
            await line.send(b"x")
    assert trio.current_time() == 0


async def test_each_message_waits_for_the_pings_read_before_it_and_for_no_others() -> None:
    wire = TapWire(trio.testing.memory_stream_pair()[0], FrameSplitter(100), 1.0)
    wire.answer.complete = True
    assert wire.answered.is_set()
    wire.hand_over(Split([], [], [b"1"], None))
    early = wire.answered
    wire.hand_over(Split([], [], [b"2", b"3"], None))
    assert await wire.receive_some() == b"1"
    assert not early.is_set(), "its answer is not written before the reader comes back"
    assert await wire.receive_some() == b"2"
    late = wire.answered
    assert early.is_set()
    assert not late.is_set()
    assert await wire.receive_some() == b"3"
    assert not late.is_set()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(wire.receive_some)
        with trio.fail_after(5):
            await late.wait()
        assert wire.answered.is_set()
        nursery.cancel_scope.cancel()


async def test_message_given_up_behind_an_answer_leaves_the_line_whole(autojump_clock: MockClock) -> None:
    async def script(peer: Peer) -> list[ClientFrame]:
        await peer.accept()
        await peer.send(text("a") + frame(PING, b"p"))
        await trio.sleep(2)  # until then no write of the client's comes to its end
        return await peer.answer_close()

    with trio.fail_after(5):
        async with trio.open_nursery() as nursery:
            hall = Hall(nursery, script, pair=trio.testing.lockstep_stream_pair)
            async with TapConnector(hall).line(target()) as line:
                assert (await line.receive()).frames == [b"a"]
                with trio.move_on_after(1) as given_up:
                    await line.send(b"never")
                assert given_up.cancelled_caught
                await line.send(b"hello")
    assert hall.results == [
        [ClientFrame(PONG, b"p"), ClientFrame(TEXT, b"hello"), ClientFrame(CLOSE, b"\x03\xe8")]
    ]
