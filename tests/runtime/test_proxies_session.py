"""Sessions behind proxies: the options, the environment, what ends a session and what it goes on after."""

from __future__ import annotations

import logging
from typing import Any

import pytest
import trio
from trio.testing import MockClock

import trioquotes as tq
from tests.runtime.fakes import FakeConnector, ToyVenue
from tests.runtime.proxy_peers import Asked, ProxyServer, behind_http, behind_socks, open_proxy
from tests.runtime.wire_peers import (
    Background,
    Hall,
    Peer,
    Script,
    client_context,
    over_tls,
    server_context,
    silent,
    target,
    text,
)
from trioquotes._protocol.effects import Failure, Fatal, Handshake, Verdict
from trioquotes._runtime.connector import ProxyFailed
from trioquotes._runtime.transport import PlainConnector, TapConnector
from trioquotes.simulator.venues.zonda import ZondaSimulator

VARIABLES = ("http", "https", "ws", "wss", "all", "no")
SECRET = "hush-hush-password"
PROXY = f"http://somebody:{SECRET}@proxy.example:3128"


@pytest.fixture(autouse=True)
def no_proxies_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(f"{name}_proxy", raising=False)
        monkeypatch.delenv(f"{name}_proxy".upper(), raising=False)


async def toy(peer: Peer) -> None:
    """The toy venue's server: confirms, and sends a trade."""
    await peer.accept()
    asked = await peer.read_frame()
    assert asked is not None
    await peer.send(text(b'{"t":"note","what":"ack","i":"A"}') + text(b'{"t":"tick","i":"A","p":"1.5"}'))
    await peer.answer_close()


def answering(*answers: bytes) -> Script:
    """A proxy that answers one connection after the other so, and then lets them through to the toy venue."""
    left = list(answers)

    async def serve(peer: Peer) -> object:
        if not left:
            return await behind_http(toy)(peer)
        return await behind_http(silent, answer=b"HTTP/1.1 " + left.pop(0) + b"\r\n\r\n")(peer)

    return serve


class Judging(ToyVenue):
    """A toy venue that remembers what it was asked to judge."""

    def __init__(self) -> None:
        super().__init__()
        self.judged: list[Failure] = []

    def protocol(self, *args: Any) -> Any:
        made = super().protocol(*args)
        whole = made.classify

        def classify(failure: Failure) -> Verdict:
            self.judged.append(failure)
            return Fatal(tq.AuthenticationFailed("the venue's word")) if failure.status else whole(failure)

        made.classify = classify  # type: ignore[method-assign]
        return made


async def play(script: Script, *, venue: ToyVenue | None = None, **options: Any) -> tuple[list[Any], Hall]:
    """The first two events of a session with the toy venue behind that script."""
    hall = Hall(Background(), script)
    given = {"connector": TapConnector(hall), "proxy": PROXY, **options}
    events: list[Any] = []
    with trio.fail_after(600):
        async with tq.Session(venue or ToyVenue(), tq.Trades("A"), **given) as stream:
            while len(events) < 2:
                events.append(await stream.receive())
    assert hall.all_closed
    return events, hall


# --- lines


async def test_session_goes_through_its_proxy(autojump_clock: MockClock) -> None:
    asked: list[Asked] = []
    events, hall = await play(behind_http(toy, asked))
    assert [type(event) for event in events] == [tq.Connected, tq.Trade]
    assert hall.opened == [("proxy.example", 3128)]
    assert asked == [Asked("127.0.0.1", 80, f"somebody:{SECRET}")]


@pytest.mark.parametrize("answer", [b"502 Bad Gateway", b"503 Busy", b"400 What", b"gar\x00bage"])
async def test_what_may_pass_is_tried_again_and_no_matter_for_the_venue(
    answer: bytes, autojump_clock: MockClock
) -> None:
    venue = Judging()
    events, hall = await play(answering(answer, answer), venue=venue)
    assert [type(event) for event in events] == [tq.Connected, tq.Trade]
    assert len(hall.opened) == 3
    assert venue.judged == []
    assert 0 < trio.current_time() < 10


async def test_time_that_a_proxy_asks_for_is_waited_for(autojump_clock: MockClock) -> None:
    _, hall = await play(answering(b"503 Busy\r\nRetry-After: 7"), connect_timeout_s=30)
    assert len(hall.opened) == 2
    assert 7 <= trio.current_time() < 10


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"407 Proxy Authentication Required", "refuses the user and password in its URL"),
        (b"403 Forbidden", r"does not permit a tunnel to 127\.0"),
    ],
)
async def test_what_trying_again_cannot_mend_ends_the_session_and_blames_no_credentials(
    answer: bytes, words: str, autojump_clock: MockClock
) -> None:
    venue = Judging()
    with pytest.raises(tq.ConnectFailed, match=words) as caught:
        await play(answering(answer), venue=venue)
    assert venue.judged == []
    assert "the proxy http://proxy.example:3128" in str(caught.value)
    assert SECRET not in str(caught.value) + repr(caught.value.__context__)
    assert trio.current_time() == 0


async def test_a_socks_proxy_that_refuses_us_ends_the_session(autojump_clock: MockClock) -> None:
    with pytest.raises(tq.ConnectFailed, match=r"proxy\.example:1080 does not permit a tunnel"):
        await play(behind_socks(toy, None, 2), proxy="socks5h://proxy.example")


async def test_certificate_of_a_proxy_that_was_never_good_ends_the_session(autojump_clock: MockClock) -> None:
    class Strict(ToyVenue):
        def protocol(self, *args: Any) -> Any:
            from trioquotes._protocol.verdict import default_verdict  # noqa: PLC0415  # what venues do

            made = super().protocol(*args)
            made.classify = lambda failure: default_verdict(failure, authenticated=False)  # type: ignore[method-assign]
            return made

    with pytest.raises(
        tq.ConnectFailed, match=r"the proxy https://proxy\.example:443: certificate verify failed"
    ):
        await play(
            over_tls(behind_http(toy), "other.example"),
            venue=Strict(),
            proxy="https://proxy.example",
            ssl_context=client_context(),
        )


async def test_entering_behind_a_proxy_that_hangs_is_bounded_and_says_so(autojump_clock: MockClock) -> None:
    with pytest.raises(tq.ConnectFailed, match="not confirmed within 3 s") as caught:
        await play(silent, connect_timeout_s=3)
    assert trio.current_time() == 3
    assert SECRET not in str(caught.value)


async def test_statistics_tell_what_the_proxy_did(autojump_clock: MockClock) -> None:
    hall = Hall(Background(), answering(b"502 Bad Gateway"))
    session = tq.Session(ToyVenue(), connector=TapConnector(hall), proxy=PROXY)
    with trio.fail_after(60):
        async with session as stream:
            await stream.subscribe(tq.Trades("A"))
            (lane,) = stream.statistics().lanes
    assert (lane.attempts, lane.connections) == (2, 1)
    assert "cannot reach 127.0.0.1:80 (502 Bad Gateway)" in lane.failure
    assert SECRET not in lane.failure


# --- secrets


@pytest.mark.parametrize(
    "script", [behind_http(toy), answering(*[b"502 X"] * 5), silent, answering(b"407 No")]
)
async def test_user_and_password_of_a_proxy_show_nowhere(
    script: Script, autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    shown: list[object] = []
    with caplog.at_level(logging.DEBUG):
        try:
            events, _ = await play(script, connect_timeout_s=2)
            shown += events
        except tq.ConnectFailed as failed:
            shown += [failed, failed.__cause__, failed.__context__, failed.headers]
    session = tq.Session(ToyVenue(), proxy=PROXY)
    shown += [session, session._route, vars(session), session._engine().connector]
    for thing in shown:
        for secret in (SECRET, "somebody"):
            assert secret not in repr(thing) + str(thing)
    assert SECRET not in caplog.text


async def test_a_proxy_that_repeats_its_password_is_not_quoted(autojump_clock: MockClock) -> None:
    with pytest.raises(tq.ConnectFailed) as caught:
        await play(answering(b"403 no " + SECRET.encode()))
    assert SECRET not in str(caught.value)
    assert "403 no ***" in str(caught.value)


@pytest.mark.parametrize(
    ("endpoint", "proxy", "refused"),
    [
        ("ws://venue.example", None, True),
        ("ws://venue.example", "http://127.0.0.1:1", True),
        ("ws://127.0.0.1:1", "http://proxy.example:1", True),
        ("ws://127.0.0.1:1", "http://127.0.0.1:1", False),
        ("ws://127.0.0.1:1", False, False),
        ("ws://127.0.0.1:1", None, False),
        ("wss://venue.example", "http://proxy.example:1", False),
    ],
)
def test_credentials_leave_this_machine_encrypted_or_not_at_all(
    endpoint: str, proxy: Any, refused: bool
) -> None:
    key = tq.ApiKey("key", "c2VjcmV0", "passphrase")
    for credentials in (key, None):
        options: dict[str, Any] = {"endpoint": endpoint, "proxy": proxy, "credentials": credentials}
        if refused and credentials is not None:
            with pytest.raises(tq.UsageError, match="unencrypted"):
                tq.Session("coinbase", tq.Trades("BTC-USD"), **options)
        else:
            tq.Session("coinbase", tq.Trades("BTC-USD"), **options)


# --- options


@pytest.mark.parametrize("proxy", ["", "socks4://x:1", "http://", True, 7, b"http://x:1"])
def test_what_is_no_proxy_is_refused_before_any_io(proxy: Any) -> None:
    with pytest.raises(tq.UsageError, match="proxy"):
        tq.Session(ToyVenue(), proxy=proxy)


@pytest.mark.parametrize(
    "options", [{"proxy": PROXY}, {"proxy": False}, {"local_address": "127.0.0.1"}, {"happy_eyeballs_delay_s": 1.0}]
)  # fmt: skip
def test_a_connector_that_offers_no_choice_refuses_rather_than_ignores(options: dict[str, Any]) -> None:
    with pytest.raises(tq.UsageError, match="FakeConnector takes no proxy"):
        tq.Session(ToyVenue(), connector=FakeConnector(), **options)
    tq.Session(ToyVenue(), connector=FakeConnector())


@pytest.mark.parametrize("options", [{"local_address": "127.0.0.1"}, {"happy_eyeballs_delay_s": 1.0}])
def test_sockets_options_are_refused_where_there_are_no_sockets(options: dict[str, Any]) -> None:
    hall = Hall(Background(), silent)
    with pytest.raises(tq.UsageError, match="another network"):
        tq.Session(ToyVenue(), connector=TapConnector(hall), **options)
    tq.Session(ToyVenue(), connector=TapConnector(), **options)


def test_a_connector_keeps_its_kind() -> None:
    session = tq.Session(ToyVenue(), connector=PlainConnector(), local_address="127.0.0.1", proxy=PROXY)
    assert type(session._engine().connector) is PlainConnector


# --- the environment


def test_a_bad_variable_is_named_before_any_io(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", f"socks4://u:{SECRET}@x:1")
    with pytest.raises(tq.UsageError, match="HTTPS_PROXY") as caught:
        tq.Session("coinbase", tq.Trades("BTC-USD"))
    assert SECRET not in str(caught.value)
    tq.Session("coinbase", tq.Trades("BTC-USD"), proxy=False)
    tq.Session("coinbase", tq.Trades("BTC-USD"), proxy="http://x:1")
    tq.Session("coinbase", tq.Trades("BTC-USD"), endpoint="wss://127.0.0.1:1")
    tq.Session("coinbase", tq.Trades("BTC-USD"), connector=TapConnector(Hall(Background(), silent)))
    monkeypatch.setenv("NO_PROXY", "coinbase.com")
    tq.Session("coinbase", tq.Trades("BTC-USD"))


async def test_a_network_of_the_users_own_knows_nothing_of_the_environment(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALL_PROXY", "http://proxy.example:1")
    hall = Hall(Background(), toy)
    with trio.fail_after(10):
        async with TapConnector(hall).line(target(handshake=Handshake("ws://venue.example/"))):
            pass
    assert hall.opened == [("venue.example", 80)]


# --- for real: a simulated venue whose name only the proxy knows

SHAPES = [
    ("http", "", False),
    ("http", "user:word", False),
    ("https", "user:word", True),
    ("socks5h", "", False),
    ("socks5h", "user:word", True),
]


async def real(url: str, tls: bool, **options: Any) -> tuple[set[type], Any]:
    """Trades, which come over the socket, and the instruments, which come over REST."""
    session = tq.Session(
        "zonda",
        tq.Instruments(),
        tq.Trades("BTC-PLN"),
        endpoint=url,
        ssl_context=client_context() if tls else None,
        **options,
    )
    seen: set[type] = set()
    async with session as stream:
        while not seen >= {tq.Trade, tq.Instrument}:
            seen.add(type(await stream.receive()))
        return seen, stream.statistics()


@pytest.mark.tcp
@pytest.mark.parametrize(("scheme", "login", "tls"), SHAPES)
async def test_session_and_its_rest_go_through_a_real_proxy(scheme: str, login: str, tls: bool) -> None:
    simulator = ZondaSimulator(seed=1, rate=200.0)
    context = server_context("venue.example") if tls else None
    with trio.fail_after(30):
        async with simulator.open_server("127.0.0.1", 0, context) as url:
            port = int(url.rpartition(":")[2])
            host = (
                "venue.example" if tls else "localhost"
            )  # REST carries headers, which go nowhere else in the clear
            server = ProxyServer({host: ("127.0.0.1", port)}, login=login)
            proxy_context = server_context("127.0.0.1") if scheme == "https" else None
            async with open_proxy(server, proxy_context) as proxy_port:
                given = f"{scheme}://{login + '@' if login else ''}127.0.0.1:{proxy_port}"
                await real(
                    f"{'wss' if tls else 'ws'}://{host}",
                    tls,
                    proxy=given,
                    local_address="127.0.0.1",
                )
    assert set(server.asked) == {Asked(host, 443 if tls else 80, login)}
    assert len(server.asked) >= 2  # the line, and REST


@pytest.mark.tcp
@pytest.mark.parametrize(
    ("name", "scheme"), [("ALL_PROXY", "socks5h"), ("HTTPS_PROXY", "http"), ("wss_proxy", "http")]
)
async def test_the_environments_proxy_is_used(
    name: str, scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    simulator = ZondaSimulator(seed=1, rate=200.0)
    with trio.fail_after(30):
        async with simulator.open_server("127.0.0.1", 0, server_context("venue.example")) as url:
            place = ("127.0.0.1", int(url.rpartition(":")[2]))
            server = ProxyServer({"venue.example": place})
            async with open_proxy(server) as proxy_port:
                monkeypatch.setenv(name, f"{scheme}://127.0.0.1:{proxy_port}")
                if name == "wss_proxy":  # says nothing of REST
                    monkeypatch.setenv("https_proxy", f"{scheme}://127.0.0.1:{proxy_port}")
                await real("wss://venue.example", tls=True)
    assert len(server.asked) >= 2


@pytest.mark.tcp
async def test_a_real_proxy_that_refuses_is_named() -> None:
    server = ProxyServer({}, login="user:word")
    with trio.fail_after(30):
        async with open_proxy(server) as port:
            with pytest.raises(tq.ConnectFailed, match="wants a user and a password"):
                await real("wss://venue.example", tls=True, proxy=f"http://127.0.0.1:{port}")
            with pytest.raises(tq.ConnectFailed, match=r"cannot reach venue\.example:443 \(502 Unknown\)"):
                await real(
                    "wss://venue.example",
                    tls=True,
                    proxy=f"http://user:word@127.0.0.1:{port}",
                    connect_timeout_s=0.5,
                )


def test_a_failure_of_the_way_is_one_of_a_line() -> None:
    failure = Failure("connect", "why")
    assert ProxyFailed(failure).failure is failure
    assert not ProxyFailed(failure).lasting
