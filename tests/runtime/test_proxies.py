"""Lines and fetches through proxies: what is asked of them, whose certificate is checked, and how each one fails."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Sequence
from typing import Any, Final

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from tests.runtime.proxy_peers import Asked, behind_http, behind_socks, listen_http, listen_socks
from tests.runtime.test_transport_cancel import CancelAt, sweep
from tests.runtime.wire_peers import (
    CONNECTORS,
    Background,
    ConnectorType,
    Hall,
    Peer,
    Script,
    breaking_pair,
    client_context,
    over_tls,
    silent,
    target,
    text,
)
from trioquotes._protocol.effects import Handshake, HttpRequest, Reply
from trioquotes._protocol.proxying import parse_proxy
from trioquotes._runtime.connector import LineFailed, ProxyFailed, Route
from trioquotes._runtime.transport import TapConnector
from trioquotes.errors import UsageError

both = pytest.mark.parametrize("connector_type", CONNECTORS)

VENUE: Final = "localhost"
OK: Final = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


async def echo(peer: Peer) -> None:
    """A venue that takes a line and says one thing."""
    await peer.accept(then=text("a"))
    await peer.answer_close()


async def page(peer: Peer) -> None:
    """A venue's REST."""
    await peer.read_request()
    await peer.send(OK)


class Kind:
    """One kind of proxy: its URL, and how it stands before a script."""

    def __init__(self, url: str, before: Callable[..., Script], *, tls: str = "") -> None:
        self.url = url
        self._before = before
        self._tls = tls

    def wrap(self, script: Script, asked: list[Asked] | None = None) -> Script:
        tunnelled = self._before(script, asked)
        return over_tls(tunnelled, self._tls) if self._tls else tunnelled

    def __str__(self) -> str:
        return self.url.partition("@")[0].partition("://")[0] + ("-login" if "@" in self.url else "")


KINDS: Final = (
    Kind("http://proxy.example:3128", behind_http),
    Kind("http://user:s3cret-word@proxy.example:3128", behind_http),
    Kind("https://user:s3cret-word@proxy.example:3128", behind_http, tls="proxy.example"),
    Kind("socks5h://proxy.example:3128", behind_socks),
    Kind("socks5h://user:s3cret-word@proxy.example:3128", behind_socks),
    Kind("socks5://proxy.example:3128", behind_socks),
)
each_kind = pytest.mark.parametrize("kind", KINDS, ids=str)


class Names(trio.abc.HostnameResolver):
    """Knows the addresses of all names."""

    def __init__(self, *addresses: str) -> None:
        self.addresses = addresses
        self.asked: list[str] = []

    async def getaddrinfo(self, host: bytes | None, port: object, *kind: int, **more: int) -> Any:
        await trio.lowlevel.checkpoint()
        assert host is not None
        self.asked.append(host.decode())
        if not self.addresses:
            await trio.sleep_forever()
        kinds = {False: trio.socket.AF_INET, True: trio.socket.AF_INET6}
        return [
            (
                kinds[":" in each],
                trio.socket.SOCK_STREAM,
                6,
                "",
                (each, port, *((0, 0) if ":" in each else ())),
            )
            for each in self.addresses
        ]

    async def getnameinfo(self, sockaddr: object, flags: int) -> tuple[str, str]:
        raise NotImplementedError


def through(url: str, hall: Hall, connector_type: ConnectorType = TapConnector) -> TapConnector:
    return connector_type(hall).through(Route(proxy=parse_proxy(url)))


def wss(**options: Any) -> Any:
    return target(handshake=Handshake(f"wss://{VENUE}/feed"), ssl_context=client_context(), **options)


async def refusal(
    url: str, script: Script, *, seconds: float = 0.0, lines: Any = None, **options: Any
) -> LineFailed:
    """How a line through that proxy fails; nothing is left open behind it."""
    hall = Hall(Background(), script, **options)
    with trio.fail_after(20), pytest.raises(LineFailed) as caught:
        async with through(url, hall).line(lines or wss()):
            pytest.fail("the line opened")
    assert hall.all_closed
    assert trio.current_time() == seconds
    assert "s3cret" not in f"{caught.value} {caught.value.failure} {caught.value.__cause__!r}"
    assert caught.value.failure.status is None  # a proxy's status is not the venue's
    return caught.value


# --- what goes well


@each_kind
@both
@pytest.mark.parametrize("tls", [False, True])
async def test_line_goes_through_and_the_proxy_is_told_where_to(
    kind: Kind, connector_type: ConnectorType, tls: bool, autojump_clock: MockClock
) -> None:
    trio.socket.set_custom_hostname_resolver(Names("192.0.2.7"))
    asked: list[Asked] = []
    script = kind.wrap(over_tls(echo) if tls else echo, asked)
    hall = Hall(Background(), script)
    handshake = Handshake("wss://localhost/feed" if tls else "ws://venue.example/feed")
    with trio.fail_after(10):
        async with through(kind.url, hall, connector_type).line(
            target(handshake=handshake, ssl_context=client_context())
        ) as line:
            assert (await line.receive()).frames == [b"a"]
    assert hall.opened == [("proxy.example", 3128)]
    host = "192.0.2.7" if kind.url.startswith("socks5:") else "localhost" if tls else "venue.example"
    assert asked == [Asked(host, 443 if tls else 80, "user:s3cret-word" if "@" in kind.url else "")]
    assert hall.all_closed


@each_kind
@pytest.mark.parametrize("tls", [False, True])
async def test_fetch_goes_through_a_tunnel_too(kind: Kind, tls: bool, autojump_clock: MockClock) -> None:
    trio.socket.set_custom_hostname_resolver(Names("192.0.2.7"))
    asked: list[Asked] = []
    hall = Hall(Background(), kind.wrap(over_tls(page) if tls else page, asked))
    url = "https://localhost/x?y" if tls else "http://venue.example/x?y"
    with trio.fail_after(10):
        reply = await through(kind.url, hall).fetch(
            HttpRequest(url), timeout_s=5, ssl_context=client_context()
        )
    assert reply == Reply(200, {"content-length": "2"}, b"{}")
    assert hall.opened == [("proxy.example", 3128)]
    assert len(asked) == 1
    assert hall.all_closed


async def test_without_a_proxy_the_network_is_asked_for_the_venue_itself(autojump_clock: MockClock) -> None:
    hall = Hall(Background(), echo)
    for route in (Route(), Route(proxy=False)):
        with trio.fail_after(10):
            async with TapConnector(hall).through(route).line(target()):
                pass
    assert hall.opened == [("127.0.0.1", 8765)] * 2


async def test_choosing_a_way_leaves_the_connector_as_it_was(autojump_clock: MockClock) -> None:
    hall = Hall(Background(), echo)
    connector = TapConnector(hall)
    proxied = connector.through(Route(proxy=parse_proxy("http://proxy.example:1")))
    assert type(proxied) is TapConnector
    with trio.fail_after(10):
        async with connector.line(target()):
            pass
        async with proxied.through(Route(proxy=False)).line(target()):
            pass
    assert hall.opened == [("127.0.0.1", 8765)] * 2


# --- whose certificate


@pytest.mark.parametrize("url", ["http://proxy.example:1", "socks5h://proxy.example:1"])
async def test_certificate_behind_the_tunnel_is_the_venues(url: str, autojump_clock: MockClock) -> None:
    before = behind_http if url.startswith("http") else behind_socks
    failed = await refusal(url, before(over_tls(echo, "proxy.example")))
    assert not isinstance(failed, ProxyFailed)
    assert failed.failure.stage == "tls"
    assert "Hostname mismatch" in failed.failure.reason
    assert f"through the proxy {url}" in failed.failure.reason


async def test_certificate_of_a_proxy_is_the_proxys(autojump_clock: MockClock) -> None:
    failed = await refusal(
        "https://user:s3cret@proxy.example:1", over_tls(behind_http(over_tls(echo)), VENUE)
    )
    assert not isinstance(
        failed, ProxyFailed
    )  # final before the first connection, as a venue's certificate is
    assert failed.failure.stage == "tls"
    assert "the proxy https://proxy.example:1: certificate verify failed: Hostname mismatch" in str(failed)


async def test_proxy_without_tls_is_told_from_one_with_it(autojump_clock: MockClock) -> None:
    async def plain(peer: Peer) -> None:
        await peer.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await trio.sleep_forever()

    failed = await refusal("https://proxy.example:1", plain)
    assert failed.failure.stage == "tls"
    assert "the proxy https://proxy.example:1: the peer does not speak TLS" in str(failed)


# --- how it fails


async def hangs_up(peer: Peer) -> None:
    await peer.stream.aclose()


async def reads_and_hangs_up(peer: Peer) -> None:
    await peer.read_request()
    await peer.stream.aclose()


async def wants_a_password(peer: Peer) -> None:
    await peer.send(b"\x05\xff")


async def refuses_the_password(peer: Peer) -> None:
    await peer.send(b"\x05\x02\x01\x01")


async def garbage(peer: Peer) -> None:
    await peer.send(b"220 mail.example ESMTP\r\n")


HTTP, SOCKS = "http://user:s3cret@proxy.example:1", "socks5h://user:s3cret@proxy.example:1"


@pytest.mark.parametrize(
    ("url", "script", "words", "lasting"),
    [
        (HTTP, behind_http(silent, answer=b"HTTP/1.1 407 No\r\n\r\n"), "refuses the user and password", True),
        (HTTP, behind_http(silent, answer=b"HTTP/1.1 403 No\r\n\r\n"), "does not permit a tunnel", True),
        (HTTP, behind_http(silent, answer=b"HTTP/1.1 502 No\r\n\r\n"), "cannot reach localhost:443", False),
        (HTTP, behind_http(silent, answer=b"HTTP/1.1 429 No\r\n\r\n"), "made no tunnel", False),
        (HTTP, hangs_up, "hung up without an answer", False),
        (HTTP, reads_and_hangs_up, "hung up without an answer", False),
        (HTTP, garbage, "does not speak HTTP", False),
        (SOCKS, behind_socks(silent, None, 2), "does not permit a tunnel", True),
        (SOCKS, behind_socks(silent, None, 1), "a general failure", False),
        (SOCKS, behind_socks(silent, None, 4), "no route to the host", False),
        (SOCKS, wants_a_password, "takes neither", True),
        (SOCKS, refuses_the_password, "refuses the user and password", True),
        (SOCKS, hangs_up, "hung up without an answer", False),
        (SOCKS, garbage, "does not speak SOCKS5", False),
    ],
)
async def test_refusal_is_told_at_once_and_names_the_proxy(
    url: str, script: Script, words: str, lasting: bool, autojump_clock: MockClock
) -> None:
    failed = await refusal(url, script)
    assert isinstance(failed, ProxyFailed)
    assert failed.lasting == lasting
    assert failed.failure.stage == "connect"
    assert words in failed.failure.reason
    assert f"the proxy {parse_proxy(url)}" in failed.failure.reason


async def test_time_that_a_proxy_asks_for_is_kept(autojump_clock: MockClock) -> None:
    busy = behind_http(silent, answer=b"HTTP/1.1 503 No\r\nRetry-After: 7\r\n\r\n")
    assert (await refusal(HTTP, busy)).failure.headers == {"retry-after": "7"}


async def test_proxy_that_resets_is_named(autojump_clock: MockClock) -> None:
    async def script(peer: Peer) -> None:
        await peer.read_request()
        stream = hall.clients[0]._stream
        stream.broken.set()  # type: ignore[attr-defined]

    hall = Hall(Background(), script, pair=breaking_pair)
    with trio.fail_after(20), pytest.raises(ProxyFailed, match=r"proxy\.example:1: .*connection reset"):
        async with through(HTTP, hall).line(wss()):
            pytest.fail("the line opened")
    assert hall.all_closed


@pytest.mark.parametrize(
    ("url", "script", "words"),
    [
        (HTTP, silent, "made no tunnel to localhost in time"),
        (SOCKS, silent, "made no tunnel to localhost in time"),
        ("https://proxy.example:1", silent, "did not finish the TLS handshake in time"),
        ("https://proxy.example:1", over_tls(silent, "proxy.example"), "made no tunnel to localhost in time"),
        (HTTP, behind_http(silent), "no answer in time (through the proxy http://proxy.example:1)"),
    ],
)
async def test_silence_is_ended_at_the_connect_timeout(
    url: str, script: Script, words: str, autojump_clock: MockClock
) -> None:
    failed = await refusal(url, script, seconds=1.0)
    assert words in failed.failure.reason
    assert "proxy.example:1" in failed.failure.reason


@pytest.mark.parametrize("how", ["hangs", "refuses"])
async def test_proxy_that_is_not_reached_is_named(how: str, autojump_clock: MockClock) -> None:
    class Nowhere:
        async def open(self, host: str, port: int) -> trio.abc.Stream:
            if how == "hangs":
                await trio.sleep_forever()
            raise ConnectionRefusedError("no")

    connector = TapConnector(Nowhere()).through(Route(proxy=parse_proxy(HTTP)))
    words = "was not reached in time" if how == "hangs" else "cannot be reached: nothing listens there"
    with trio.fail_after(20):
        with pytest.raises(ProxyFailed, match=f"the proxy http://proxy.example:1 {words}") as caught:
            async with connector.line(wss()):
                pytest.fail("the line opened")
        assert not caught.value.lasting
        with pytest.raises(ProxyFailed, match=f"the proxy http://proxy.example:1 {words}"):
            await connector.fetch(HttpRequest("https://localhost/"), timeout_s=1, ssl_context=None)


@pytest.mark.parametrize(
    ("url", "script", "words"),
    [
        (HTTP, behind_http(silent, answer=b"HTTP/1.1 407 No\r\n\r\n"), "refuses the user and password"),
        (SOCKS, behind_socks(silent, None, 5), "nothing listens there"),
        (HTTP, silent, r"made no tunnel to localhost in time \(3 s\)"),
        (HTTP, hangs_up, "hung up"),
    ],
)
async def test_fetch_fails_with_the_same_words(
    url: str, script: Script, words: str, autojump_clock: MockClock
) -> None:
    hall = Hall(Background(), script)
    with trio.fail_after(20), pytest.raises(ProxyFailed, match=words) as caught:
        await through(url, hall).fetch(HttpRequest("https://localhost/"), timeout_s=3, ssl_context=None)
    assert caught.value.failure.status is None
    assert "s3cret" not in str(caught.value)
    assert hall.all_closed


# --- names looked up here


async def run_socks5(addresses: Sequence[str], *replies: int) -> tuple[list[str], LineFailed | None, Hall]:
    """What a SOCKS5 proxy is asked for where names are looked up here, and how it failed."""
    names = Names(*addresses)
    trio.socket.set_custom_hostname_resolver(names)
    asked: list[Asked] = []
    hall = Hall(Background(), behind_socks(over_tls(echo), asked, *replies))
    failed: LineFailed | None = None
    with trio.fail_after(20):
        try:
            async with through("socks5://proxy.example:1", hall).line(wss()):
                pass
        except LineFailed as error:
            failed = error
    assert names.asked == [VENUE]
    assert hall.all_closed
    return [each.host for each in asked], failed, hall


async def test_next_address_is_tried_where_the_proxy_does_not_reach_one(autojump_clock: MockClock) -> None:
    addresses = ["2001:db8::1", "2001:db8::2", "192.0.2.1"]
    asked, failed, hall = await run_socks5(addresses, 3, 8)
    assert (asked, failed) == (addresses, None)
    assert len(hall.opened) == 3  # each on a connection of its own


async def test_addresses_that_are_tried_are_bounded(autojump_clock: MockClock) -> None:
    addresses = [f"192.0.2.{number}" for number in range(1, 9)]
    asked, failed, _ = await run_socks5([*addresses[:1], *addresses], *([4] * 9))
    assert asked == addresses[:4]
    assert failed is not None
    assert "cannot reach 192.0.2.4:443: no route to the host" in failed.failure.reason


async def test_refusal_for_good_is_not_asked_for_twice(autojump_clock: MockClock) -> None:
    asked, failed, _ = await run_socks5(["192.0.2.1", "192.0.2.2"], 2)
    assert asked == ["192.0.2.1"]
    assert isinstance(failed, ProxyFailed)
    assert failed.lasting


async def test_lookup_that_hangs_is_ended_at_the_connect_timeout(autojump_clock: MockClock) -> None:
    asked, failed, hall = await run_socks5([])
    assert (asked, hall.opened, trio.current_time()) == ([], [], 1.0)
    assert failed is not None
    assert failed.failure.reason == "the name localhost was not looked up in time"


async def test_name_that_is_not_found_here_is_no_matter_of_the_proxy(autojump_clock: MockClock) -> None:
    class Nobody(Names):
        async def getaddrinfo(self, *args: Any, **more: Any) -> Any:
            raise trio.socket.gaierror(trio.socket.EAI_NONAME, "Name or service not known")

    trio.socket.set_custom_hostname_resolver(Nobody())
    hall = Hall(Background(), silent)
    with trio.fail_after(20), pytest.raises(LineFailed) as caught:
        async with through("socks5://proxy.example:1", hall).line(wss()):
            pytest.fail("the line opened")
    assert caught.value.failure.reason == "localhost: no such host"
    assert hall.opened == []


# --- secrets


@pytest.mark.parametrize("url", ["http://proxy.example:1", "https://proxy.example:1", "socks5h://10.0.0.1:1"])
async def test_no_secret_goes_in_the_clear_to_this_machine_behind_a_proxy_elsewhere(url: str) -> None:
    hall = Hall(Background(), silent)
    handshake = Handshake("ws://127.0.0.1/", (("X-Key", "s3cret"),))
    with pytest.raises(UsageError, match="unencrypted"):
        through(url, hall).line(target(handshake=handshake))
    with pytest.raises(UsageError, match="unencrypted"):
        await through(url, hall).fetch(
            HttpRequest("http://127.0.0.1/", headers=(("X-Key", "s3cret"),)), timeout_s=1, ssl_context=None
        )
    assert hall.opened == []
    through(url, hall).line(target(handshake=Handshake("wss://venue.example/", (("X-Key", "s3cret"),))))
    through("http://127.0.0.1:1", hall).line(target(handshake=handshake))


async def test_no_secret_goes_in_the_clear_elsewhere_through_a_proxy_on_this_machine() -> None:
    handshake = Handshake("ws://venue.example/", (("X-Key", "s3cret"),))
    with pytest.raises(UsageError, match="unencrypted"):
        through("http://127.0.0.1:1", Hall(Background(), silent)).line(target(handshake=handshake))


# --- cancellation


@each_kind
def test_line_cancelled_at_any_step_leaves_nothing_open(kind: Kind) -> None:
    async def play(canceller: CancelAt) -> None:
        trio.socket.set_custom_hostname_resolver(Names("192.0.2.7"))
        async with trio.open_nursery() as nursery:
            hall = Hall(nursery, kind.wrap(over_tls(echo)))
            before = trio.lowlevel.current_statistics().tasks_living
            with trio.fail_after(5), trio.CancelScope() as canceller.scope:
                async with through(kind.url, hall).line(wss()) as line:
                    await line.receive()
            canceller.scope = None
            assert hall.all_closed
            assert trio.lowlevel.current_statistics().tasks_living <= before + len(hall.clients)
            nursery.cancel_scope.cancel()

    sweep(play, at_least=20)


@pytest.mark.parametrize("kind", KINDS[2:5], ids=str)
def test_fetch_cancelled_at_any_step_leaves_nothing_open(kind: Kind) -> None:
    async def play(canceller: CancelAt) -> None:
        hall = Hall(Background(), kind.wrap(over_tls(page)))
        with trio.fail_after(5), trio.CancelScope() as canceller.scope:
            await through(kind.url, hall).fetch(
                HttpRequest("https://localhost/"), timeout_s=5, ssl_context=client_context()
            )
        canceller.scope = None
        assert hall.all_closed

    sweep(play, at_least=20)


@pytest.mark.parametrize("url", ["http://proxy.example:1", "socks5h://proxy.example:1"])
def test_a_proxy_cut_off_at_any_byte_leaves_nothing_open(url: str) -> None:
    """After so many bytes of its answer the proxy hangs up."""
    whole = b"HTTP/1.1 200 OK\r\n\r\n" if url.startswith("http") else b"\x05\x00\x05\x00\x00\x01" + bytes(6)

    async def play(size: int) -> None:
        async def script(peer: Peer) -> None:
            await peer.send(whole[:size])
            await (listen_http if url.startswith("http") else listen_socks)(peer)
            await peer.stream.aclose()

        async def socks(peer: Peer) -> None:
            await peer.send(whole[:size])
            await peer.stream.aclose()

        await refusal(url, script if url.startswith("http") else socks)

    for size in range(len(whole)):
        trio.run(play, size, clock=MockClock(autojump_threshold=0))


def test_a_context_given_is_for_the_proxy_as_well() -> None:
    """Its authority is the only one that knows the proxy's certificate: the default one would refuse it."""
    assert isinstance(client_context(), ssl.SSLContext)
    with pytest.raises(LineFailed, match="unable to get local issuer certificate"):
        trio.run(untrusted, clock=MockClock(autojump_threshold=0))


async def untrusted() -> None:
    hall = Hall(Background(), over_tls(behind_http(over_tls(echo)), "proxy.example"))
    with trio.fail_after(10):
        async with through("https://proxy.example:1", hall).line(
            target(handshake=Handshake("wss://localhost/"))
        ):
            pytest.fail("the line opened")
