"""What we rely on inside trio-websocket: a release that changes it fails here, loudly."""

from __future__ import annotations

import inspect
import subprocess
import sys

import pytest
import trio
import trio.testing
import trio_websocket
from trio.testing import MockClock
from wsproto.events import Ping

from tests.runtime.wire_peers import (
    CONNECTORS,
    ConnectorType,
    Peer,
    connected,
    connected_bare,
    frame,
    text,
)
from trioquotes._protocol.frames import FrameSplitter
from trioquotes._runtime.transport import TapConnector
from trioquotes._runtime.wire import TapWire
from trioquotes.errors import InternalError

both = pytest.mark.parametrize("connector_type", CONNECTORS)


def test_private_send_takes_one_event() -> None:
    assert list(inspect.signature(trio_websocket.WebSocketConnection._send).parameters) == ["self", "event"]
    assert inspect.iscoroutinefunction(trio_websocket.WebSocketConnection._send)
    assert Ping(payload=b"1").payload == b"1"


async def test_wrap_client_stream_asks_only_start_soon_of_its_nursery(autojump_clock: MockClock) -> None:
    started: list[object] = []

    class OnlyStartSoon:
        __slots__ = ()

        def start_soon(self, run: object) -> None:
            started.append(run)

    client, _ = trio.testing.memory_stream_pair()
    with trio.move_on_after(1):
        await trio_websocket.wrap_client_stream(OnlyStartSoon(), client, "localhost", "/")  # type: ignore[arg-type]
    assert len(started) == 1


async def test_each_frame_is_one_write(autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch) -> None:
    # The wire knows a close frame by the first byte of a write.
    writes: list[bytes] = []
    send_all = TapWire.send_all

    async def watch(self: TapWire, data: bytes | bytearray | memoryview) -> None:
        writes.append(bytes(data[:1]))
        await send_all(self, data)

    monkeypatch.setattr(TapWire, "send_all", watch)
    with trio.fail_after(5):
        async with connected(TapConnector, Peer.answer_close) as (line, _):
            await line.send(b"x" * 70_000)
            await line.ping()
    assert writes == [b"G", b"\x81", b"\x89", b"\x88"]


@both
async def test_bug_in_the_reader_is_no_network_failure(
    connector_type: ConnectorType, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(self: object) -> None:
        await trio.lowlevel.checkpoint()
        raise RuntimeError("a bug")

    monkeypatch.setattr(trio_websocket.WebSocketConnection, "_reader_task", broken)
    with trio.fail_after(5), pytest.raises(InternalError, match="RuntimeError"):
        async with connected_bare(connector_type, Peer.answer_close):
            pytest.fail("the line opened")


@both
async def test_bug_while_answering_ends_the_line_as_a_bug(
    connector_type: ConnectorType, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(self: object, event: object) -> None:
        await trio.lowlevel.checkpoint()
        raise RuntimeError("a bug")

    async def script(peer: Peer) -> None:
        await peer.send(text("a") + frame(9))
        await trio.sleep(0.1)
        await peer.send(text("b"))
        await trio.sleep_forever()

    monkeypatch.setattr(trio_websocket.WebSocketConnection, "_handle_ping_event", broken)
    with trio.fail_after(5), pytest.raises(InternalError, match="RuntimeError"):
        async with connected_bare(connector_type, script) as line:
            while True:
                await line.receive()
    assert trio.current_time() <= 0.1


async def test_reader_that_breaks_wsprotos_rules_for_its_peer_is_no_bug(autojump_clock: MockClock) -> None:
    # trio-websocket alone answers a ping behind its own close frame, which wsproto forbids.
    async def script(peer: Peer) -> None:
        await peer.read_frame()
        await peer.send(frame(9))
        await trio.sleep_forever()

    with trio.fail_after(5):
        for connector_type in CONNECTORS:
            async with connected_bare(connector_type, script):
                pass


async def test_wire_passes_on_what_a_stream_must() -> None:
    client, server = trio.testing.memory_stream_pair()
    wire = TapWire(client, FrameSplitter(10), 1.0)
    await wire.wait_send_all_might_not_block()
    await wire.send_all(b"x")
    assert await server.receive_some() == b"x"
    await wire.aclose()


def test_neither_transport_nor_a_line_loads_the_http_client() -> None:
    question = (
        "import sys, trioquotes._runtime.transport as t, trioquotes._runtime.connector;"
        "t.TapConnector(); print(*{'httpx2', 'httpcore2'} & sys.modules.keys())"
    )
    answer = subprocess.run(
        [sys.executable, "-c", question], capture_output=True, text=True, check=True, timeout=60
    )
    assert answer.stdout.strip() == ""
