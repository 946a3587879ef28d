"""TLS that must be refused: at once, with a reason that names what is wrong, and with nothing left open."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Final, cast

import attrs
import pytest
import trio
import trustme
from trio.testing import MockClock

import trioquotes as tq
from tests.runtime.wire_peers import (
    CONNECTORS,
    Background,
    ConnectorType,
    Hall,
    Peer,
    Script,
    authority,
    client_context,
    collect,
    over_tls,
    server_context,
    silent,
    target,
    text,
)
from trioquotes._protocol.effects import Handshake
from trioquotes._runtime.connector import LineFailed
from trioquotes._runtime.tls import default_context

LIMIT_S: Final = 1.0
"""By when a refusal has to be known."""

HOST: Final = "venue.example"


def tls_server(make: Callable[[], ssl.SSLContext], then: Script = silent) -> Script:
    """A script behind a TLS handshake with a context of its own; a client that refuses it is no error."""

    async def serve(peer: Peer) -> object:
        stream = trio.SSLStream(peer.stream, make(), server_side=True)
        try:
            await stream.do_handshake()
        except trio.BrokenResourceError:
            return None
        peer.stream = stream
        return await then(peer)

    return serve


def certified(*names: str, ca: trustme.CA | None = None, until: datetime | None = None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    (ca or authority()).issue_cert(*names, not_after=until).configure_cert(context)
    return context


def expired() -> ssl.SSLContext:
    return certified(HOST, until=datetime.now(UTC) - timedelta(days=1))


def of_another_host() -> ssl.SSLContext:
    return certified("other.example")


@cache
def _stranger() -> trustme.CA:
    return trustme.CA()


def of_an_unknown_authority() -> ssl.SSLContext:
    return certified(HOST, ca=_stranger())


def self_signed() -> ssl.SSLContext:
    """A certificate that is its own authority: the root itself serves."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    root = trustme.CA()
    with root.private_key_pem.tempfile() as key, root.cert_pem.tempfile() as certificate:
        context.load_cert_chain(certificate, key)
    return context


async def tls_1_1(peer: Peer) -> None:
    """A hello in the words of 2006, and nothing else."""
    await peer.stream.receive_some(65536)
    hello = b"\x03\x02" + bytes(range(32)) + b"\x00" + b"\xc0\x13" + b"\x00"
    message = b"\x02" + len(hello).to_bytes(3) + hello
    await peer.send(b"\x16\x03\x02" + len(message).to_bytes(2) + message)
    await trio.sleep_forever()


async def too_old_a_hello(peer: Peer) -> None:
    """What a server that is newer than its client says: the alert ``protocol_version``."""
    await peer.stream.receive_some(65536)
    await peer.send(b"\x15\x03\x03\x00\x02\x02\x46")
    await trio.sleep_forever()


async def plain_http(peer: Peer) -> None:
    """What a web server without TLS makes of a TLS hello."""
    await peer.stream.receive_some(65536)
    await peer.send(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
    await trio.sleep_forever()


async def hangs_up(peer: Peer) -> None:
    await peer.stream.receive_some(65536)
    await peer.stream.aclose()


async def half_a_record(peer: Peer) -> None:
    await peer.stream.receive_some(65536)
    await peer.send(b"\x16\x03\x03\x3f\xff\x02\x00")
    await peer.stream.aclose()


async def a_tls_alert(peer: Peer) -> None:
    """What a TLS server makes of ``GET``: a fatal alert, ``protocol_version``."""
    await peer.read_request()
    await peer.send(b"\x15\x03\x01\x00\x02\x02\x46")
    await trio.sleep_forever()


async def says_that_it_wants_tls(peer: Peer) -> None:
    """What a polite one makes of it."""
    await peer.read_request()
    body = b"The plain HTTP request was sent to HTTPS port"
    await peer.send(b"HTTP/1.1 400 Bad Request\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    await trio.sleep_forever()


@attrs.frozen
class Refusal:
    """A bad server, and what has to be said of it."""

    name: str
    script: Script
    words: str
    stage: str = "tls"
    scheme: str = "wss"
    context: Callable[[], ssl.SSLContext] = client_context


REFUSALS: Final = (
    Refusal("expired", tls_server(expired), "certificate has expired"),
    Refusal("wrong host", tls_server(of_another_host), f"'{HOST}'"),
    Refusal(
        "unknown authority", tls_server(of_an_unknown_authority), "unable to get local issuer certificate"
    ),
    Refusal("self-signed", tls_server(self_signed), "self-signed certificate"),
    Refusal("nobody is trusted", tls_server(of_an_unknown_authority), "certificate", context=default_context),
    Refusal("TLS 1.1", tls_1_1, "unsupported protocol", context=default_context),
    Refusal("older than the server demands", too_old_a_hello, "protocol version"),
    Refusal("plain HTTP on the port", plain_http, "does not speak TLS"),
    Refusal("cut in the hello", hangs_up, "EOF", stage="connect"),
    Refusal("cut in a record", half_a_record, "EOF", stage="connect"),
    Refusal("TLS on a plain port", a_tls_alert, "speaks TLS, not HTTP", stage="handshake", scheme="ws"),
    Refusal("TLS wanted", says_that_it_wants_tls, "answered 400", stage="handshake", scheme="ws"),
)

both = pytest.mark.parametrize("connector_type", CONNECTORS)
each = pytest.mark.parametrize("refusal", REFUSALS, ids=lambda refusal: refusal.name)


@both
@each
async def test_bad_tls_is_refused_at_once_with_a_reason_that_names_it(
    connector_type: ConnectorType, refusal: Refusal, autojump_clock: MockClock
) -> None:
    hall = Hall(Background(), refusal.script)
    # Without headers: what may be a secret goes unencrypted to nobody, whoever answers.
    wanted = target(
        handshake=Handshake(f"{refusal.scheme}://{HOST}/"),
        ssl_context=refusal.context(),
        connect_timeout_s=10 * LIMIT_S,
    )
    with trio.fail_after(LIMIT_S), pytest.raises(LineFailed) as caught:
        async with connector_type(hall).line(wanted):
            pytest.fail("the line opened")
    failure = caught.value.failure
    assert failure.stage == refusal.stage
    assert refusal.words in failure.reason
    assert len(failure.reason) < 300
    assert trio.current_time() == 0
    assert hall.all_closed


@each
async def test_a_session_ends_with_that_reason(refusal: Refusal, autojump_clock: MockClock) -> None:
    hall = Hall(Background(), refusal.script)
    session = tq.Session(
        "coinbase",
        tq.Trades("BTC-USD"),
        endpoint=f"{refusal.scheme}://{HOST}",
        ssl_context=refusal.context(),
        connector=CONNECTORS[0](hall),
        connect_timeout_s=LIMIT_S * 0.9,
    )
    with trio.fail_after(LIMIT_S), pytest.raises(tq.ConnectFailed) as caught:
        async with session:
            pytest.fail("the session began")
    assert refusal.words in str(caught.value)
    assert hall.all_closed
    if refusal.stage == "tls":
        assert len(hall.opened) == 1, "what was never good is not tried again"
        assert trio.current_time() == 0


@both
@pytest.mark.parametrize("tell", [True, False], ids=["with close_notify", "cut without close_notify"])
@pytest.mark.parametrize("sent", [b"", text("cut off")[:4]], ids=["between frames", "in a frame"])
async def test_a_tls_line_that_ends_is_lost_at_once_and_what_came_is_there(
    connector_type: ConnectorType, tell: bool, sent: bytes, autojump_clock: MockClock
) -> None:
    async def script(peer: Peer) -> None:
        await peer.accept(then=text("a"))
        if sent:
            await peer.send(sent)
        stream = cast("trio.SSLStream[trio.abc.Stream]", peer.stream)
        await (stream.aclose() if tell else stream.transport_stream.aclose())

    hall = Hall(Background(), over_tls(script, HOST))
    wanted = target(handshake=Handshake(f"wss://{HOST}/"), ssl_context=client_context())
    with trio.fail_after(LIMIT_S):
        async with connector_type(hall).line(wanted) as line:
            frames, _, failed = await collect(line)
            assert trio.current_time() == 0
    assert frames == [b"a"]
    assert (failed.failure.stage, failed.failure.close_code) == ("stream", 1006)
    assert failed.failure.reason
    assert hall.all_closed


@both
async def test_a_record_that_was_tampered_with_ends_the_line_and_none_of_it_is_delivered(
    connector_type: ConnectorType, autojump_clock: MockClock
) -> None:
    async def script(peer: Peer) -> None:
        await peer.accept(then=text("a"))
        stream = cast("trio.SSLStream[trio.abc.Stream]", peer.stream)
        await stream.transport_stream.send_all(b"\x17\x03\x03\x00\x40" + b"\x5a" * 64)
        await trio.sleep_forever()

    hall = Hall(Background(), over_tls(script, HOST))
    wanted = target(handshake=Handshake(f"wss://{HOST}/"), ssl_context=client_context())
    with trio.fail_after(LIMIT_S):
        async with connector_type(hall).line(wanted) as line:
            frames, _, failed = await collect(line)
    assert frames == [b"a"]
    assert failed.failure.close_code == 1006
    assert "SSL" in failed.failure.reason


def test_the_context_made_for_users_refuses_what_is_old() -> None:
    context = default_context()
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname


@pytest.mark.tcp
@pytest.mark.parametrize("make", [expired, of_another_host, self_signed], ids=lambda make: make.__name__)
async def test_over_real_sockets_too(make: Callable[[], ssl.SSLContext]) -> None:
    async def serve(stream: trio.SocketStream) -> None:
        await tls_server(make)(Peer(stream))

    with trio.fail_after(20):
        async with trio.open_nursery() as nursery:
            listeners = await nursery.start(trio.serve_tcp, serve, 0)
            port = listeners[0].socket.getsockname()[1]
            url = f"wss://localhost:{port}"
            session = tq.Session("upbit", tq.Trades("KRW-BTC"), endpoint=url, ssl_context=client_context())
            with pytest.raises(tq.ConnectFailed, match=f"^upbit at {url}: certificate verify failed: "):
                async with session:
                    pytest.fail("the session began")
            nursery.cancel_scope.cancel()


async def test_the_same_server_with_a_good_certificate_is_taken(autojump_clock: MockClock) -> None:
    async def script(peer: Peer) -> None:
        await peer.accept(then=text("a"))
        await peer.answer_close()

    hall = Hall(Background(), tls_server(lambda: server_context(HOST), script))
    wanted = target(handshake=Handshake(f"wss://{HOST}/"), ssl_context=client_context())
    with trio.fail_after(LIMIT_S):
        async with CONNECTORS[0](hall).line(wanted) as line:
            assert (await line.receive()).frames == [b"a"]
