"""HTTP requests: any status is an answer, everything else is told with its stage; nothing secret is said."""

from __future__ import annotations

import logging
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from tests.runtime.test_transport_cancel import CancelAt
from tests.runtime.test_transport_tcp import served
from tests.runtime.wire_peers import (
    Background,
    Breaking,
    Hall,
    Peer,
    Script,
    breaking_pair,
    client_context,
    over_tls,
    silent,
)
from trioquotes._protocol.effects import HttpRequest, Reply
from trioquotes._runtime import rest
from trioquotes._runtime.connector import LineFailed
from trioquotes._runtime.transport import PlainConnector, TapConnector
from trioquotes.errors import UsageError

URL = "http://127.0.0.1:8080/products?level=3&x='[]"
OK = b"HTTP/1.1 200 OK\r\nContent-Type: a\r\nSet-Cookie: a\r\nSet-Cookie: b\r\nContent-Length: 2\r\n\r\n{}"


def answer(*parts: bytes, hang_up: bool = False) -> Script:
    """A server that reads one request, sends these parts, and waits or hangs up."""

    async def script(peer: Peer) -> None:
        await peer.read_request()
        for part in parts:
            await peer.send(part)
        if hang_up:
            await peer.stream.aclose()
        await trio.sleep_forever()

    return script


async def fetch(
    script: Script, request: HttpRequest | None = None, *, timeout_s: float = 5.0, **options: Any
) -> Reply:
    """One request to the script; nothing may be left open behind it."""
    hall = Hall(Background(), script, **options)
    try:
        with trio.fail_after(20):
            return await TapConnector(hall).fetch(
                request or HttpRequest(URL), timeout_s=timeout_s, ssl_context=client_context()
            )
    finally:
        assert hall.all_closed


async def test_answer_is_handed_over_as_it_came(autojump_clock: MockClock) -> None:
    reply = await fetch(answer(OK[:20], OK[20:-1], OK[-1:]))
    assert reply == Reply(200, {"content-type": "a", "set-cookie": "a, b", "content-length": "2"}, b"{}")


async def test_request_goes_out_byte_for_byte(autojump_clock: MockClock) -> None:
    seen: list[bytes] = []

    async def script(peer: Peer) -> None:
        seen.append(await peer.read_request())
        await peer._fill(3)
        seen.append(bytes(peer._unread))
        await peer.send(OK)

    headers = (("X-Key", "k"), ("User-Agent", "mine"))
    await fetch(script, HttpRequest(URL, "POST", headers, b"a=b"))
    lines = seen[0].decode().split("\r\n")
    assert lines[0] == "POST /products?level=3&x='[] HTTP/1.1"
    assert {"Host: 127.0.0.1:8080", "X-Key: k", "User-Agent: mine", "Content-Length: 3"} <= set(lines)
    assert [line for line in lines if line.lower().startswith("user-agent")] == ["User-Agent: mine"]
    assert seen[1] == b"a=b"


async def test_request_without_a_body_has_none(autojump_clock: MockClock) -> None:
    seen: list[bytes] = []

    async def script(peer: Peer) -> None:
        seen.append(await peer.read_request())
        await peer.send(OK)

    await fetch(script)
    assert b"GET /products?level=3&x='[] HTTP/1.1\r\n" in seen[0]
    assert b"User-Agent: trioquotes\r\n" in seen[0]
    assert b"Accept-Encoding: identity\r\n" in seen[0]
    assert b"content-length" not in seen[0].lower()


@pytest.mark.parametrize("status", [204, 301, 400, 401, 429, 503])
async def test_any_status_is_an_answer_and_no_redirect_is_followed(
    status: int, autojump_clock: MockClock
) -> None:
    head = (
        b"HTTP/1.1 %d X\r\nLocation: http://elsewhere.example/\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n"
    )
    reply = await fetch(answer(head % status))
    assert (reply.status, reply.headers["retry-after"], reply.body) == (status, "7", b"")


async def test_chunked_and_unbounded_bodies_come_whole(autojump_clock: MockClock) -> None:
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    assert (await fetch(answer(chunked))).body == b"abcde"
    assert (await fetch(answer(b"HTTP/1.1 200 OK\r\n\r\nabc", hang_up=True))).body == b"abc"


async def test_answer_over_tls(autojump_clock: MockClock) -> None:
    reply = await fetch(over_tls(answer(OK)), HttpRequest("https://localhost/x", headers=(("X-Key", "k"),)))
    assert reply.body == b"{}"


async def test_untrusted_host_is_a_tls_failure_with_its_reason(autojump_clock: MockClock) -> None:
    with pytest.raises(LineFailed, match="Hostname mismatch") as caught:
        await fetch(over_tls(answer(OK), "other.example"), HttpRequest("https://localhost/"))
    assert caught.value.failure.stage == "tls"


@pytest.mark.parametrize(
    ("script", "url", "stage"),
    [
        (silent, URL, "stream"),
        (silent, "https://localhost/", "tls"),
        (answer(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"), URL, "stream"),
    ],
)
async def test_time_limit_covers_everything(
    script: Script, url: str, stage: str, autojump_clock: MockClock
) -> None:
    with pytest.raises(LineFailed, match="within 3 s") as caught:
        await fetch(script, HttpRequest(url), timeout_s=3)
    assert (caught.value.failure.stage, trio.current_time()) == (stage, 3)


async def test_network_that_does_not_answer_is_a_connect_failure(autojump_clock: MockClock) -> None:
    class Nowhere:
        async def open(self, host: str, port: int) -> trio.abc.Stream:
            await trio.sleep_forever()
            raise AssertionError

    class Down:
        async def open(self, host: str, port: int) -> trio.abc.Stream:
            raise ConnectionRefusedError("refused")

    for network, reason in ((Nowhere(), "within 2 s"), (Down(), "nothing listens")):
        with pytest.raises(LineFailed, match=reason) as caught:
            await PlainConnector(network).fetch(HttpRequest(URL), timeout_s=2, ssl_context=None)
        assert caught.value.failure.stage == "connect"


@pytest.mark.parametrize(
    ("sent", "reason", "status"),
    [
        (b"garbage\r\n\r\n", "not HTTP", None),
        (b"", "not HTTP", None),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", "not HTTP", 200),
        (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nabcd", "gzip", 200),
        (b"HTTP/1.1 200 OK\r\nContent-Length: abc\r\n\r\n", "not HTTP", None),
    ],
)
async def test_answer_that_cannot_be_trusted_is_a_failure(
    sent: bytes, reason: str, status: int | None, autojump_clock: MockClock
) -> None:
    with pytest.raises(LineFailed, match=reason) as caught:
        await fetch(answer(sent, hang_up=True))
    failure = caught.value.failure
    assert (failure.stage, failure.status) == ("stream", status)
    assert trio.current_time() == 0


async def test_reset_is_a_failure_with_its_reason(autojump_clock: MockClock) -> None:
    async def script(peer: Peer) -> None:
        await peer.read_request()
        await trio.sleep_forever()

    hall = Hall(Background(), script, pair=breaking_pair)
    async with trio.open_nursery() as nursery:

        async def cut() -> None:
            await trio.sleep(1)
            stream = hall.clients[0]._stream
            assert isinstance(stream, Breaking)
            stream.broken.set()

        nursery.start_soon(cut)
        with pytest.raises(LineFailed, match="connection reset"):
            await TapConnector(hall).fetch(HttpRequest(URL), timeout_s=5, ssl_context=None)
    assert hall.all_closed
    assert trio.current_time() == 1


@pytest.mark.parametrize(
    "sent",
    [
        b"HTTP/1.1 200 OK\r\nX-A: b\r\nContent-Length: 1001\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX-A: b\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n" + b"x" * 1001 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nX-A: b\r\n\r\n" + b"x" * 1001,
    ],
)
async def test_answer_over_the_size_limit_is_refused_at_once(
    sent: bytes, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rest, "MAX_BODY_BYTES", 1000)
    with pytest.raises(LineFailed, match="1000 bytes") as caught:
        await fetch(answer(sent))
    assert caught.value.failure.too_large
    assert (caught.value.failure.status, caught.value.failure.headers["x-a"]) == (200, "b")
    assert len(caught.value.failure.body) <= 4096
    assert trio.current_time() == 0


@pytest.mark.parametrize(
    "request_",
    [
        HttpRequest("http://example.com/?s3cret", headers=(("X-Key", "s3cret"),)),
        HttpRequest("http://example.com/?s3cret", "POST", body=b"s3cret"),
        HttpRequest("ftp://example.com/?s3cret"),
        HttpRequest("https://example.com/a b?s3cret"),
        HttpRequest("https://example.com/", headers=(("X-Key", "s3cret\n"),)),
    ],
)
async def test_request_that_cannot_be_meant_is_refused_before_any_io(request_: HttpRequest) -> None:
    hall = Hall(Background(), silent)
    with pytest.raises(UsageError) as caught:
        await TapConnector(hall).fetch(request_, timeout_s=1, ssl_context=None)
    assert "s3cret" not in str(caught.value)
    assert hall.opened == []


@pytest.mark.parametrize("script", [answer(OK), answer(b"garbage\r\n\r\n"), silent])
async def test_nothing_secret_is_logged_or_said(
    script: Script, autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    request = HttpRequest("http://127.0.0.1/x?sig=s3cret", "POST", (("X-Key", "s3cret"),), b"s3cret")
    said = ""
    with caplog.at_level(logging.DEBUG):
        try:
            await fetch(script, request)
        except LineFailed as failed:
            said = f"{failed}{failed.failure}{failed.__cause__}{failed.__context__}"
    assert "s3cret" not in caplog.text + said


def test_fetch_cancelled_at_any_step_leaves_nothing_open() -> None:
    async def play(canceller: CancelAt) -> None:
        hall = Hall(Background(), over_tls(answer(OK)))
        with trio.CancelScope() as canceller.scope:
            await TapConnector(hall).fetch(
                HttpRequest("https://localhost/"), timeout_s=5, ssl_context=client_context()
            )
        canceller.scope = None
        assert hall.all_closed

    for step in range(1, 200):
        canceller = CancelAt(step)
        trio.run(play, canceller, clock=MockClock(autojump_threshold=0), instruments=[canceller])
        if not canceller.fired:
            break
    assert 10 < step < 199


@pytest.mark.tcp
async def test_fetch_over_a_real_socket() -> None:
    async with served(over_tls(answer(OK))) as port:
        reply = await TapConnector().fetch(
            HttpRequest(f"https://127.0.0.1:{port}/"), timeout_s=5, ssl_context=client_context()
        )
    assert reply.body == b"{}"
