"""Which of a name's addresses is connected, from where, and how long each may take; on virtual time and for real."""

from __future__ import annotations

import errno
import os
import socket
import sys
from collections.abc import Iterator
from functools import partial
from typing import Any, Self

import pytest
import trio
from trio.testing import MockClock

from tests.runtime.test_transport_cancel import CancelAt, sweep
from trioquotes._runtime.connector import LineFailed
from trioquotes._runtime.dialling import connect
from trioquotes._runtime.network import Address, TcpNetwork, check_local_address
from trioquotes._runtime.proxies import Ways, make_route
from trioquotes.errors import UsageError

SIX, SIX_B, FOUR, FOUR_B = "2001:db8::1", "2001:db8::2", "192.0.2.1", "192.0.2.2"
VENUE = Address(False, "venue.example", 443, "venue.example", "/")


class Wires:
    """The network as fake sockets see it.

    Args:
        delays_s: after how long an address answers; infinity for one that never does, an error for one that refuses.
        own: addresses that this machine has.
    """

    def __init__(
        self, delays_s: dict[str, float | OSError], own: tuple[str, ...] = (), *, lookup_s: float = 0.0
    ) -> None:
        self.delays_s = delays_s
        self.own = own
        self.lookup_s = lookup_s
        self.tried: list[tuple[str, float]] = []
        self.sockets: list[FakeSocket] = []
        trio.socket.set_custom_hostname_resolver(FakeResolver(self))
        trio.socket.set_custom_socket_factory(FakeFactory(self))

    @property
    def open_sockets(self) -> list[FakeSocket]:
        return [each for each in self.sockets if not each.closed]


class FakeSocket(trio.socket.SocketType):
    """A TCP socket that connects as the wires say."""

    type = trio.socket.SOCK_STREAM
    family = trio.socket.AF_INET

    def __init__(self, wires: Wires, family: int) -> None:
        self._wires = wires
        self._sixth = family == trio.socket.AF_INET6
        self.bound = ""
        self.connected = ""
        self.closed = False
        self.options: dict[tuple[int, int], Any] = {}
        wires.sockets.append(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def setsockopt(self, level: int, option: int, value: Any, optlen: int | None = None) -> None:
        self.options[level, option] = value

    async def bind(self, address: Any) -> None:
        await trio.lowlevel.checkpoint()
        host = address[0]
        if (":" in host) != self._sixth:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        if host not in self._wires.own and host not in {"::", "0.0.0.0"}:  # noqa: S104  # only the family
            raise OSError(errno.EADDRNOTAVAIL, os.strerror(errno.EADDRNOTAVAIL))
        self.bound = host

    async def connect(self, address: Any) -> None:
        host = address[0]
        self._wires.tried.append((host, trio.current_time()))
        found = self._wires.delays_s[host]
        await trio.sleep(0 if isinstance(found, OSError) else found)
        if isinstance(found, OSError):
            raise found
        self.connected = host

    def close(self) -> None:
        self.closed = True


class FakeFactory(trio.abc.SocketFactory):
    def __init__(self, wires: Wires) -> None:
        self._wires = wires

    def socket(self, family: int = 0, type: int = 0, proto: int = 0) -> FakeSocket:  # noqa: A002  # trio's name
        return FakeSocket(self._wires, family)


class FakeResolver(trio.abc.HostnameResolver):
    def __init__(self, wires: Wires) -> None:
        self._wires = wires

    async def getaddrinfo(self, host: bytes | None, port: Any, *kind: int, **more: int) -> Any:
        await trio.sleep(self._wires.lookup_s)
        return [
            (trio.socket.AF_INET6, trio.socket.SOCK_STREAM, 6, "", (each, port, 0, 0))
            if ":" in each
            else (trio.socket.AF_INET, trio.socket.SOCK_STREAM, 6, "", (each, port))
            for each in self._wires.delays_s
        ]

    async def getnameinfo(self, sockaddr: object, flags: int) -> tuple[str, str]:
        raise NotImplementedError


def connected(stream: trio.abc.Stream) -> FakeSocket:
    assert isinstance(stream, trio.SocketStream)
    assert isinstance(stream.socket, FakeSocket)
    return stream.socket


NEVER = float("inf")
REFUSED = ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused")
UNREACHABLE = OSError(errno.ENETUNREACH, "Network is unreachable")


@pytest.mark.parametrize(
    ("delays_s", "tried", "won", "at_s"),
    [
        # One that answers within the delay is alone.
        ({SIX: 0.2, FOUR: 0.01}, [(SIX, 0.0)], SIX, 0.2),
        # A family that leads nowhere costs one delay, whichever it is, and however many addresses it has.
        ({SIX: NEVER, SIX_B: NEVER, FOUR: 0.1}, [(SIX, 0.0), (FOUR, 0.25)], FOUR, 0.35),
        ({FOUR: NEVER, FOUR_B: NEVER, SIX: 0.1}, [(FOUR, 0.0), (SIX, 0.25)], SIX, 0.35),
        # The slow one goes on, and may still be first.
        ({SIX: 0.3, FOUR: 0.2}, [(SIX, 0.0), (FOUR, 0.25)], SIX, 0.3),
        # Refused is known at once: no delay.
        ({SIX: REFUSED, FOUR: 0.1}, [(SIX, 0.0), (FOUR, 0.0)], FOUR, 0.1),
        ({SIX: UNREACHABLE, SIX_B: UNREACHABLE, FOUR: 0.0}, [(SIX, 0.0), (FOUR, 0.0)], FOUR, 0.0),
        # All but the last.
        ({SIX: NEVER, FOUR: NEVER, SIX_B: 0.1}, [(SIX, 0.0), (FOUR, 0.25), (SIX_B, 0.5)], SIX_B, 0.6),
    ],
)
async def test_first_address_that_answers_wins_and_no_socket_is_left(
    delays_s: dict[str, float | OSError],
    tried: list[tuple[str, float]],
    won: str,
    at_s: float,
    autojump_clock: MockClock,
) -> None:
    wires = Wires(delays_s)
    with trio.fail_after(20):
        stream = await connect(TcpNetwork(), VENUE, None, deadline=10.0)
    winner = connected(stream)
    assert wires.tried == tried
    assert winner.connected == won
    assert trio.current_time() == pytest.approx(at_s)
    assert wires.open_sockets == [winner]
    assert winner.options[trio.socket.IPPROTO_TCP, trio.socket.TCP_NODELAY]


@pytest.mark.parametrize(("delay_s", "at_s"), [(0.05, 0.15), (2.0, 2.1)])
async def test_delay_is_an_option(delay_s: float, at_s: float, autojump_clock: MockClock) -> None:
    wires = Wires({SIX: NEVER, FOUR: 0.1})
    network = Ways().through(make_route(False, None, delay_s)).to(VENUE, ("wss", "ws"), carries=False)
    with trio.fail_after(20):
        winner = connected(await connect(network, VENUE, None, deadline=10.0))
    assert (winner.connected, wires.open_sockets) == (FOUR, [winner])
    assert trio.current_time() == pytest.approx(at_s)


@pytest.mark.parametrize(("delays_s", "lookup_s"), [({SIX: NEVER, FOUR: NEVER}, 0.0), ({SIX: 0.0}, NEVER)])
async def test_connect_timeout_covers_lookup_and_every_address(
    delays_s: dict[str, float | OSError], lookup_s: float, autojump_clock: MockClock
) -> None:
    wires = Wires(delays_s, lookup_s=lookup_s)
    with trio.fail_after(20), pytest.raises(LineFailed, match="no answer in time") as caught:
        await connect(TcpNetwork(), VENUE, None, deadline=3.0)
    assert caught.value.failure.stage == "connect"
    assert (trio.current_time(), wires.open_sockets) == (3.0, [])


async def test_reasons_of_all_addresses_are_said(autojump_clock: MockClock) -> None:
    wires = Wires({SIX: UNREACHABLE, FOUR: REFUSED})
    with trio.fail_after(20), pytest.raises(LineFailed) as caught:
        await connect(TcpNetwork(), VENUE, None, deadline=3.0)
    where = "venue.example:443"
    assert caught.value.failure.reason == f"{where}: no network leads there; {where}: nothing listens there"
    assert wires.open_sockets == []


# --- from which address


@pytest.mark.parametrize(
    ("local", "won"),
    [("198.51.100.7", FOUR), ("2001:db8:7::7", SIX), ("0.0.0.0", FOUR), ("::", SIX)],  # noqa: S104  # only the family
)
async def test_local_address_is_bound_and_chooses_the_family(
    local: str, won: str, autojump_clock: MockClock
) -> None:
    wires = Wires({SIX: 0.1, FOUR: 0.1}, own=("198.51.100.7", "2001:db8:7::7"))
    with trio.fail_after(20):
        winner = connected(await connect(TcpNetwork(local_address=local), VENUE, None, deadline=3.0))
    assert (winner.bound, winner.connected) == (local, won)
    assert wires.tried == [(won, 0.0)]  # the other family cannot be tried, and costs no delay
    assert wires.open_sockets == [winner]


@pytest.mark.parametrize(
    ("local", "delays_s", "words"),
    [
        ("203.0.113.9", {SIX: 0.1, FOUR: 0.1},
         "local_address 203.0.113.9 cannot be used: this machine has no address to connect from"),
        ("198.51.100.7", {SIX: 0.1}, "it has no IPv4 address, and local_address is 198.51.100.7"),
        ("2001:db8:7::7", {FOUR: 0.1}, "it has no IPv6 address, and local_address is 2001:db8:7::7"),
        ("198.51.100.7", {SIX: 0.1, FOUR: REFUSED}, "nothing listens there"),
    ],
)  # fmt: skip
async def test_local_address_that_cannot_be_used_is_told_at_once(
    local: str, delays_s: dict[str, float | OSError], words: str, autojump_clock: MockClock
) -> None:
    wires = Wires(delays_s, own=("198.51.100.7", "2001:db8:7::7"))
    with trio.fail_after(20), pytest.raises(LineFailed) as caught:
        await connect(TcpNetwork(local_address=local), VENUE, None, deadline=3.0)
    assert caught.value.failure.stage == "connect"
    assert caught.value.failure.reason.startswith("venue.example:443: ")
    assert caught.value.failure.reason.endswith(words)
    assert "incompatible" not in caught.value.failure.reason
    assert (wires.open_sockets, trio.current_time()) == ([], 0.0)


@pytest.mark.parametrize("text", ["", "localhost", "eth0", "10.0.0", "10.0.0.1:80", "10.0.0.0/8", "[::1]"])
def test_what_is_no_address_is_a_usage_error(text: str) -> None:
    with pytest.raises(UsageError, match="local_address is an IPv4 or IPv6 address"):
        make_route(None, text, None)


@pytest.mark.parametrize("text", ["127.0.0.1", "::1", "fe80::1%eth0", "0.0.0.0"])  # noqa: S104  # not bound
def test_addresses_of_both_families_will_do(text: str) -> None:
    check_local_address(text)


@pytest.mark.parametrize("delay_s", [0.0, -1.0, NEVER, float("nan")])
def test_delay_that_is_none_is_a_usage_error(delay_s: float) -> None:
    with pytest.raises(UsageError, match="happy_eyeballs_delay_s"):
        make_route(None, None, delay_s)


def test_dialling_cancelled_at_any_step_leaves_no_socket() -> None:
    async def play(canceller: CancelAt) -> None:
        wires = Wires({SIX: 0.3, SIX_B: NEVER, FOUR: REFUSED, FOUR_B: 0.4}, own=("2001:db8:7::7",))
        stream = None
        with trio.CancelScope() as canceller.scope:
            stream = await connect(TcpNetwork(local_address="2001:db8:7::7"), VENUE, None, deadline=3.0)
        canceller.scope = None
        assert wires.open_sockets == ([] if stream is None else [connected(stream)])

    sweep(play, at_least=10)


# --- for real


@pytest.fixture
def port() -> Iterator[int]:
    """A port of loopback at which somebody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]


@pytest.mark.tcp
async def test_the_other_end_sees_the_local_address(port: int) -> None:
    seen: list[str] = []
    locals_ = [
        "127.0.0.1",
        *(["127.0.0.2"] if sys.platform == "linux" else []),
    ]  # elsewhere it has to be set up

    async def serve(stream: trio.SocketStream) -> None:
        seen.append(stream.socket.getpeername()[0])

    with trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            listeners = await nursery.start(partial(trio.serve_tcp, serve, 0, host="127.0.0.1"))
            here = listeners[0].socket.getsockname()[1]
            for local in locals_:
                async with await TcpNetwork(local_address=local).open("127.0.0.1", here) as stream:
                    await stream.receive_some()
            nursery.cancel_scope.cancel()
    assert seen == locals_


@pytest.mark.tcp
async def test_address_of_another_machine_cannot_be_bound(port: int) -> None:
    with trio.fail_after(10), pytest.raises(OSError, match=r"local_address 192\.0\.2\.1 cannot be used"):
        await TcpNetwork(local_address="192.0.2.1").open("127.0.0.1", port)
