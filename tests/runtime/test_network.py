"""URLs taken apart, secrets kept from the clear, reasons in one line, and real sockets as they should be."""

from __future__ import annotations

import errno
import socket
import ssl
from functools import partial

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from trioquotes._runtime.network import (
    Address,
    TcpNetwork,
    check_headers,
    check_secrecy,
    close_now,
    describe,
    origin_of,
    parse_url,
)
from trioquotes.errors import UsageError


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("ws://example.com", Address(False, "example.com", 80, "example.com", "/")),
        ("wss://example.com", Address(True, "example.com", 443, "example.com", "/")),
        ("WSS://Example.com:443/A?b=C", Address(True, "example.com", 443, "example.com", "/A?b=C")),
        ("wss://example.com:80/", Address(True, "example.com", 80, "example.com:80", "/")),
        ("ws://[::1]:8765/x", Address(False, "::1", 8765, "[::1]:8765", "/x")),
        ("wss://example.com?q=%20'[]", Address(True, "example.com", 443, "example.com", "/?q=%20'[]")),
    ],
)
def test_url_is_taken_apart_byte_for_byte(url: str, address: Address) -> None:
    assert parse_url(url, ("wss", "ws")) == address


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("wss://venue.example/path?signature=s3cret", "wss://venue.example"),
        ("ws://user:s3cret@[::1]:8765/", "ws://[::1]:8765"),
    ],
)
def test_the_origin_of_a_url_holds_no_secret(url: str, origin: str) -> None:
    assert origin_of(url) == origin


@given(st.text())
def test_any_text_is_an_address_or_refused(url: str) -> None:
    for prefix in ("", "wss://", "wss://h/"):
        try:
            address = parse_url(prefix + url, ("wss", "ws"))
        except UsageError:
            continue
        assert address.resource.isascii()
        assert address.host


@pytest.mark.parametrize(
    "url", ["ws://example.com/", "example.com", "", "wss:/example.com", "wss://example.com:0x1/"]
)
def test_only_the_schemes_asked_for_will_do(url: str) -> None:
    with pytest.raises(UsageError):
        parse_url(url, ("https",))


@pytest.mark.parametrize("url", ["https://example.com:99999/?s3cret", "https://u:s3cret@[/"])
def test_refusal_of_a_url_shows_neither_query_nor_password(url: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_url(url, ("https",))
    assert "s3cret" not in str(caught.value)


def test_headers_http_can_carry_pass() -> None:
    check_headers([("X-Key", ""), ("a!#$%&'*+-.^_`|~9", "x"), ("B", "a b\tc=\x7e")])


@pytest.mark.parametrize("value", [" a", "a ", "a\nb", "a\x00", "ü", "a\x7f"])
def test_header_http_cannot_carry_is_named_but_not_shown(value: str) -> None:
    with pytest.raises(UsageError, match="X-Key") as caught:
        check_headers([("X-Key", value)])
    assert (
        repr(value)[1:-1] not in str(caught.value).replace("a header", "").replace("X-Key", "")
        or len(value) == 2
    )


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.1.2.3", "::1"])
def test_this_machine_may_be_told_secrets_in_the_clear(host: str) -> None:
    check_secrecy(Address(False, host, 80, host, "/"), carries=True)


@pytest.mark.parametrize("host", ["localhost.example.com", "192.168.0.1", "0.0.0.0", "::", "example.com"])  # noqa: S104  # not bound
def test_no_other_may(host: str) -> None:
    with pytest.raises(UsageError, match="unencrypted"):
        check_secrecy(Address(False, host, 80, host, "/"), carries=True)
    check_secrecy(Address(False, host, 80, host, "/"), carries=False)
    check_secrecy(Address(True, host, 443, host, "/"), carries=True)


def test_reason_is_the_one_at_the_bottom() -> None:
    bottom = ConnectionResetError(104, "Connection reset by peer")
    middle = trio.BrokenResourceError("socket connection broken")
    middle.__cause__ = bottom
    assert describe(middle) == "connection reset by the peer"
    assert describe(trio.BrokenResourceError()) == "BrokenResourceError"
    assert len(describe(OSError("x" * 10_000))) < 300
    assert describe(ssl.SSLError("record layer failure")) == "SSLError: ('record layer failure',)"


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused"), "nothing listens there"),
        (ConnectionRefusedError("made up"), "nothing listens there"),
        (ConnectionResetError(errno.ECONNRESET, "Connection reset by peer"), "connection reset by the peer"),
        (
            BrokenPipeError(errno.EPIPE, "Broken pipe"),
            "the peer closed the connection while it was written to",
        ),
        (TimeoutError(errno.ETIMEDOUT, "Connection timed out"), "the peer stopped answering"),
        (OSError(errno.ENETUNREACH, "Network is unreachable"), "no network leads there"),
        (OSError(errno.EHOSTUNREACH, "No route to host"), "no route to the host"),
        (OSError(errno.EMFILE, "Too many open files"), "this program has too many files and sockets open"),
        (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), "no such host"),
        (
            socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution"),
            "the host's name cannot be looked up now: the name server does not answer",
        ),
        (socket.gaierror(-99, "odd"), "the host's name cannot be looked up: odd"),
        (OSError(errno.EIO, "Input/output error"), "OSError: Input/output error"),
        (OSError(), "OSError"),
    ],
)
def test_errors_of_the_network_are_said_in_words(error: OSError, words: str) -> None:
    assert describe(error) == words


def test_errors_of_several_addresses_are_said_once_each() -> None:
    refused = [ConnectionRefusedError(errno.ECONNREFUSED, f"Connection refused {n}") for n in range(2)]
    unreachable = OSError(errno.ENETUNREACH, "Network is unreachable")
    failed = OSError("all attempts to connect failed")
    failed.__cause__ = ExceptionGroup("attempts", [*refused, unreachable])
    assert describe(failed) == "no network leads there; nothing listens there"
    there = Address(True, "example.com", 443, "example.com", "/?signature=secret")
    assert describe(refused[0], there) == "example.com:443: nothing listens there"
    assert describe(socket.gaierror(socket.EAI_NONAME, "unknown"), there) == "example.com: no such host"
    assert describe(ssl.SSLError("odd"), there) == "SSLError: ('odd',)"


async def test_closing_now_hides_no_error_behind_a_cancellation() -> None:
    client, _ = trio.testing.memory_stream_pair()
    with pytest.raises(ValueError, match="mine"), trio.CancelScope() as scope:
        scope.cancel()
        try:
            raise ValueError("mine")
        finally:
            await close_now(client)


@pytest.mark.tcp
async def test_tcp_sends_small_frames_without_delay() -> None:
    with trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            listeners = await nursery.start(
                partial(trio.serve_tcp, trio.abc.Stream.aclose, 0, host="127.0.0.1")
            )
            port = listeners[0].socket.getsockname()[1]
            stream = await TcpNetwork().open("localhost", port)
            assert isinstance(stream, trio.SocketStream)
            assert stream.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0
            await stream.aclose()
            nursery.cancel_scope.cancel()
