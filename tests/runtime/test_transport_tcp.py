"""Lines over real sockets and real TLS: reasons of failures, records drained, nothing left open."""

from __future__ import annotations

import gc
import socket
import struct
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import cast

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from tests.runtime.test_transport_cancel import CancelAt
from tests.runtime.wire_peers import (
    CLOSE,
    CONNECTORS,
    URL,
    ClientFrame,
    ConnectorType,
    Hall,
    Peer,
    Script,
    client_context,
    collect,
    connected_bare,
    frame,
    over_tls,
    silent,
    target,
    text,
)
from trioquotes._protocol.effects import Handshake
from trioquotes._runtime import intake
from trioquotes._runtime.connector import LineFailed
from trioquotes._runtime.tls import default_context, shared_context
from trioquotes._runtime.transport import TapConnector

both = pytest.mark.parametrize("connector_type", CONNECTORS)


@asynccontextmanager
async def served(script: Script) -> AsyncIterator[int]:
    """A port on which the script answers."""

    async def serve(stream: trio.SocketStream) -> None:
        try:
            await script(Peer(stream))
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass
        finally:
            with trio.CancelScope(shield=True):
                await trio.aclose_forcefully(stream)

    with trio.fail_after(20):
        async with trio.open_nursery() as nursery:
            listeners = await nursery.start(partial(trio.serve_tcp, serve, 0, host="127.0.0.1"))
            yield listeners[0].socket.getsockname()[1]
            nursery.cancel_scope.cancel()


def reset(peer: Peer) -> None:
    """Let the close that follows send a reset."""
    stream = cast("trio.SocketStream", peer.stream)
    stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


# --- TLS without sockets: the same code, on virtual time


async def tls_refusal(connector_type: ConnectorType, script: Script, **options: object) -> LineFailed:
    async with trio.open_nursery() as nursery:
        hall = Hall(nursery, script)
        with trio.fail_after(5), pytest.raises(LineFailed) as caught:
            async with connector_type(hall).line(target(handshake=Handshake("wss://localhost/"), **options)):
                pytest.fail("the line opened")
        nursery.cancel_scope.cancel()
    assert hall.all_closed
    return caught.value


@both
async def test_untrusted_certificate_is_told_at_once_with_its_reason(
    connector_type: ConnectorType, autojump_clock: MockClock
) -> None:
    failed = await tls_refusal(connector_type, over_tls(silent))
    assert failed.failure.stage == "tls"
    assert failed.failure.reason == "certificate verify failed: unable to get local issuer certificate"
    assert trio.current_time() == 0


@both
async def test_certificate_of_another_host_is_told_at_once_with_its_reason(
    connector_type: ConnectorType, autojump_clock: MockClock
) -> None:
    failed = await tls_refusal(
        connector_type, over_tls(silent, "other.example"), ssl_context=client_context()
    )
    assert failed.failure.stage == "tls"
    assert "Hostname mismatch" in failed.failure.reason
    assert trio.current_time() == 0


@both
async def test_peer_without_tls_is_a_tls_failure_and_one_without_words_is_none(
    connector_type: ConnectorType, autojump_clock: MockClock
) -> None:
    async def plain(peer: Peer) -> None:
        await peer.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await trio.sleep_forever()

    async def gone(peer: Peer) -> None:
        await peer.stream.aclose()

    for script, stage in ((plain, "tls"), (gone, "connect")):
        failed = await tls_refusal(connector_type, script, ssl_context=client_context())
        assert failed.failure.stage == stage
    assert trio.current_time() == 0
    failed = await tls_refusal(connector_type, silent, ssl_context=client_context())
    assert (failed.failure.stage, failed.failure.reason) == ("connect", "no answer in time")
    assert trio.current_time() == 1


@both
async def test_tls_ended_without_a_word_is_1006(
    connector_type: ConnectorType, autojump_clock: MockClock
) -> None:
    async def script(peer: Peer) -> None:
        await peer.accept(then=text("a"))
        await cast("trio.SSLStream[trio.abc.Stream]", peer.stream).transport_stream.aclose()

    async with trio.open_nursery() as nursery:
        hall = Hall(nursery, over_tls(script))
        handshake = Handshake("wss://localhost/")
        with trio.fail_after(5):
            async with connector_type(hall).line(
                target(handshake=handshake, ssl_context=client_context())
            ) as line:
                frames, _, failed = await collect(line)
    assert (frames, failed.failure.close_code) == ([b"a"], 1006)


@both
async def test_tls_closed_by_the_book_behind_the_last_message_loses_nothing(
    connector_type: ConnectorType, autojump_clock: MockClock
) -> None:
    async def script(peer: Peer) -> None:
        await peer.accept(then=text("a"))
        await peer.send(text("b"))
        await peer.stream.aclose()

    async with trio.open_nursery() as nursery:
        hall = Hall(nursery, over_tls(script))
        handshake = Handshake("wss://localhost/")
        with trio.fail_after(5):
            async with connector_type(hall).line(
                target(handshake=handshake, ssl_context=client_context())
            ) as line:
                await trio.testing.wait_all_tasks_blocked()
                frames, _, failed = await collect(line)
    assert (frames, failed.failure.close_code) == ([b"a", b"b"], 1006)


MESSAGES = [b"message %d" % number for number in range(200)]


async def records(peer: Peer) -> list[ClientFrame]:
    """One message a record, as venues send them, all before the client looks."""
    await peer.accept()
    for message in MESSAGES:
        await peer.send(text(message))
    return await peer.answer_close()


async def batches(connector_type: ConnectorType) -> list[list[bytes]]:
    found: list[list[bytes]] = []
    async with trio.open_nursery() as nursery:
        hall = Hall(nursery, over_tls(records))
        handshake = Handshake("wss://localhost/", (("X-Key", "secret"),))
        with trio.fail_after(5):
            async with connector_type(hall).line(
                target(handshake=handshake, ssl_context=client_context())
            ) as line:
                await trio.testing.wait_all_tasks_blocked()
                while sum(map(len, found)) < len(MESSAGES):
                    found.append((await line.receive()).frames)
    assert hall.results == [[ClientFrame(CLOSE, b"\x03\xe8")]]
    return found


async def test_all_tls_records_that_came_are_one_batch(autojump_clock: MockClock) -> None:
    assert await batches(TapConnector) == [MESSAGES]


async def test_where_trio_hides_its_decrypter_records_come_one_by_one(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake, "tls_parts", lambda stream: None)
    assert await batches(TapConnector) == [[message] for message in MESSAGES]


@both
async def test_messages_over_tls_come_whole_and_in_order(
    connector_type: ConnectorType, autojump_clock: MockClock
) -> None:
    found = await batches(connector_type)
    assert [frame for batch in found for frame in batch] == MESSAGES


async def test_this_trio_lets_its_decrypter_be_reached() -> None:
    client, _ = trio.testing.memory_stream_pair()
    assert intake.tls_parts(trio.SSLStream(client, client_context(), server_hostname="a")) is not None
    assert intake.tls_parts(client) is None


# --- real sockets


@pytest.mark.tcp
@both
@pytest.mark.parametrize("tls", [False, True])
async def test_line_over_a_real_socket(connector_type: ConnectorType, tls: bool) -> None:
    async def script(peer: Peer) -> None:
        await peer.accept()
        for _ in range(3):
            found = await peer.read_frame()
            assert found is not None
            await peer.send(text(found.payload))
        await peer.answer_close()

    async with served(over_tls(script) if tls else script) as port:
        handshake = Handshake(f"{'wss' if tls else 'ws'}://127.0.0.1:{port}/")
        async with connector_type().line(target(handshake=handshake, ssl_context=client_context())) as line:
            for size in (1, 1000, 1_000_000):
                await line.send(b"x" * size)
                assert (await line.receive()).frames == [b"x" * size]


@pytest.mark.tcp
@both
async def test_untrusted_certificate_over_a_real_socket_keeps_its_reason(
    connector_type: ConnectorType,
) -> None:
    async with served(over_tls(silent)) as port:
        with pytest.raises(LineFailed, match="certificate verify failed"):
            async with connector_type().line(target(handshake=Handshake(f"wss://127.0.0.1:{port}/"))):
                pytest.fail("the line opened")


@pytest.mark.tcp
@both
async def test_nobody_at_the_port_is_a_connect_failure(connector_type: ConnectorType) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port = bound.getsockname()[1]
        with trio.fail_after(10), pytest.raises(LineFailed, match="nothing listens there") as caught:
            async with connector_type().line(target(handshake=Handshake(f"ws://127.0.0.1:{port}/"))):
                pytest.fail("the line opened")
    assert caught.value.failure.stage == "connect"


@pytest.mark.tcp
@both
async def test_reset_over_a_real_socket_in_the_handshake_and_after_it(connector_type: ConnectorType) -> None:
    async def early(peer: Peer) -> None:
        await peer.read_request()
        reset(peer)

    async def late(peer: Peer) -> None:
        await peer.accept(then=text("a") + text("cut off")[:4])
        await trio.sleep(0.05)
        reset(peer)

    async with served(early) as port:
        with pytest.raises(LineFailed) as caught:
            async with connector_type().line(target(handshake=Handshake(f"ws://127.0.0.1:{port}/"))):
                pytest.fail("the line opened")
    assert caught.value.failure.stage == "handshake"
    async with (
        served(late) as port,
        connector_type().line(target(handshake=Handshake(f"ws://127.0.0.1:{port}/"))) as line,
    ):
        frames, _, failed = await collect(line)
    assert (frames, failed.failure.stage, failed.failure.close_code) == ([b"a"], "stream", 1006)


@pytest.mark.tcp
@both
async def test_peer_sees_no_second_frame_behind_half_a_frame(connector_type: ConnectorType) -> None:
    size = 20_000_000
    cut = trio.Event()
    arrived = b""

    async def script(peer: Peer) -> None:
        nonlocal arrived
        await peer.accept()
        await cut.wait()
        async for data in peer.stream:
            arrived += data

    async with served(script) as port:
        handshake = Handshake(f"ws://127.0.0.1:{port}/")
        async with connector_type().line(target(handshake=handshake)) as line:
            async with trio.open_nursery() as sender:
                sender.start_soon(line.send, b"x" * size)
                await trio.testing.wait_all_tasks_blocked(0.05)
                sender.cancel_scope.cancel()
            with pytest.raises(LineFailed):
                await line.send(b"second")
            cut.set()
            await trio.testing.wait_all_tasks_blocked(0.05)
    assert 0 < len(arrived) < size


@pytest.mark.tcp
@both
@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize("answers", [True, False])
async def test_leaving_with_500_unread_frames_over_a_real_socket(
    *, connector_type: ConnectorType, tls: bool, answers: bool
) -> None:
    async def script(peer: Peer) -> None:
        await peer.accept()
        for number in range(500):
            await peer.send(text(b"x" * number))
        await (peer.answer_close() if answers else peer.read_all())

    async with served(over_tls(script) if tls else script) as port:
        handshake = Handshake(f"{'wss' if tls else 'ws'}://127.0.0.1:{port}/")
        async with connector_type().line(
            target(handshake=handshake, ssl_context=client_context(), close_timeout_s=0.3)
        ) as line:
            await line.receive()


@pytest.mark.tcp
@both
def test_no_socket_is_left_to_the_garbage_collector(
    connector_type: ConnectorType, monkeypatch: pytest.MonkeyPatch
) -> None:
    left: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", left.append)

    async def script(peer: Peer) -> None:
        await peer.accept(then=text("a") + frame(9))
        await peer.answer_close()

    async def play(canceller: CancelAt) -> None:
        async with served(over_tls(script)) as port:
            handshake = Handshake(f"wss://127.0.0.1:{port}/")
            with trio.CancelScope() as canceller.scope:
                async with connector_type().line(
                    target(handshake=handshake, ssl_context=client_context())
                ) as line:
                    await line.receive()
            canceller.scope = None

    for step in range(1, 60, 3):
        canceller = CancelAt(step)
        trio.run(play, canceller, instruments=[canceller])
        gc.collect()
    assert left == []


def test_default_context_checks_names_and_certificates(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    monkeypatch.delenv("SSL_CERT_DIR", raising=False)
    context = default_context()
    assert context.check_hostname
    assert context.verify_mode.name == "CERT_REQUIRED"
    assert len(context.get_ca_certs()) > 50


def test_environment_says_alone_whom_to_trust(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", f"{tmp_path}/none.pem")
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    assert default_context().get_ca_certs() == []


def test_sessions_share_the_default_context_and_a_given_one_goes_before_it() -> None:
    connector = TapConnector()
    assert connector._context(None) is TapConnector()._context(None) is shared_context()
    assert default_context() is not shared_context()  # whoever changes it gets one of its own
    given = client_context()
    assert connector._context(given) is given


def test_the_shared_context_follows_the_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    before = shared_context()
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    assert shared_context() is not before


@both
async def test_plain_lines_make_no_context(connector_type: ConnectorType, autojump_clock: MockClock) -> None:
    async def script(peer: Peer) -> None:
        await peer.answer_close()

    async with connected_bare(connector_type, script, handshake=Handshake(URL)) as line:
        assert line is not None
