"""What a socket brings, with TLS and without: whole, in order, and at its end the reason."""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import attrs
import pytest
import trio
import trio.testing

from tests.runtime.wire_peers import client_context, server_context
from trioquotes._runtime.intake import Intake, SocketIntake, StreamIntake, TlsIntake, open_intake
from trioquotes._runtime.network import close_now

pytestmark = pytest.mark.tcp

HOST = "127.0.0.1"


def socket_pair() -> tuple[trio.SocketStream, trio.SocketStream]:
    ours, theirs = socket.socketpair()
    return (
        trio.SocketStream(trio.socket.from_stdlib_socket(ours)),
        trio.SocketStream(trio.socket.from_stdlib_socket(theirs)),
    )


@attrs.frozen
class Pair:
    """Both ends, and how ours is read.

    Attributes:
        peer: what the other end writes to.
        below: the peer's socket, under TLS if there is any.
    """

    stream: trio.abc.Stream
    intake: Intake
    peer: trio.abc.Stream
    below: trio.SocketStream


@asynccontextmanager
async def connected(*, tls: bool, greeting: bytes = b"") -> AsyncIterator[Pair]:
    ours, below = socket_pair()
    stream: trio.abc.Stream = ours
    peer: trio.abc.Stream = below
    try:
        with trio.fail_after(10):
            if tls:
                stream = trio.SSLStream(ours, client_context(), server_hostname=HOST)
                peer = trio.SSLStream(below, server_context(), server_side=True)
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(peer.send_all, greeting)  # it makes the handshake first
                    await stream.do_handshake()
            yield Pair(stream, open_intake(stream), peer, below)
    finally:
        await close_now(stream)
        await close_now(peer)


both = pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])


@both
async def test_the_best_way_is_taken(tls: bool) -> None:
    async with connected(tls=tls) as pair:
        assert type(pair.intake) is (TlsIntake if tls else SocketIntake)
    assert type(open_intake(trio.testing.memory_stream_pair()[0])) is StreamIntake


@both
async def test_all_that_came_is_read_at_once_and_in_order(tls: bool) -> None:
    async with connected(tls=tls) as pair:
        for number in range(5):
            await pair.peer.send_all(b"%d" % number * 100)
        assert await pair.intake.read() == b"".join(b"%d" % number * 100 for number in range(5))
        much = b"".join(b"%06d" % number for number in range(80_000))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(pair.peer.send_all, much)
            found = b""
            while len(found) < len(much):
                found += await pair.intake.read()
        assert found == much


@both
async def test_lines_of_one_thread_are_not_mixed_up(tls: bool) -> None:
    much = [bytes([number]) * 300_000 for number in (1, 2)]
    found = [b"", b""]

    async def read(number: int) -> None:
        async with connected(tls=tls) as pair, trio.open_nursery() as nursery:
            nursery.start_soon(pair.peer.send_all, much[number])
            while len(found[number]) < len(much[number]):
                found[number] += await pair.intake.read()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(read, 0)
        nursery.start_soon(read, 1)
    assert found == much


async def test_what_came_with_the_handshake_is_read_first() -> None:
    async with connected(tls=True, greeting=b"welcome") as pair:
        assert await pair.intake.read() == b"welcome"
        await pair.peer.send_all(b"more")
        assert await pair.intake.read() == b"more"


async def test_half_a_record_is_waited_for() -> None:
    async with connected(tls=True, greeting=b"welcome") as pair:
        assert await pair.intake.read() == b"welcome"
        assert isinstance(pair.peer, trio.SSLStream)
        pair.peer._ssl_object.write(b"a record")
        sealed = pair.peer._outgoing.read()
        async with trio.open_nursery() as nursery:
            found = []

            async def read() -> None:
                found.append(await pair.intake.read())

            nursery.start_soon(read)
            await pair.below.send_all(sealed[:7])
            await trio.sleep(0.02)
            assert not found
            await pair.below.send_all(sealed[7:])
        assert found == [b"a record"]


@both
async def test_cancelled_it_loses_nothing(tls: bool) -> None:
    async with connected(tls=tls) as pair:
        for _ in range(3):
            with trio.move_on_after(0.005) as scope:
                await pair.intake.read()
            assert scope.cancelled_caught
        await pair.peer.send_all(b"still here")
        assert await pair.intake.read() == b"still here"


@both
async def test_the_peers_goodbye_is_the_end_and_stays_it(tls: bool) -> None:
    async with connected(tls=tls) as pair:
        await pair.peer.send_all(b"last")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(pair.peer.aclose)
            assert await pair.intake.read() == b"last"
            assert await pair.intake.read() == b""
            assert await pair.intake.read() == b""


async def test_a_line_cut_without_a_goodbye_is_broken() -> None:
    async with connected(tls=True) as pair:
        await pair.below.aclose()
        with pytest.raises(trio.BrokenResourceError):
            await pair.intake.read()


async def test_a_garbled_record_is_said_behind_what_came_before_it() -> None:
    async with connected(tls=True) as pair:
        await pair.peer.send_all(b"good")
        await pair.below.send_all(b"\x17\x03\x03\x00\x20" + bytes(32))
        assert await pair.intake.read() == b"good"
        for _ in range(2):
            with pytest.raises(trio.BrokenResourceError) as found:
                await pair.intake.read()
            assert isinstance(found.value.__cause__, ssl.SSLError)


@both
async def test_closed_by_another_task_it_says_so(tls: bool) -> None:
    async with connected(tls=tls) as pair:
        async with trio.open_nursery() as nursery:

            async def read() -> None:
                with pytest.raises(trio.ClosedResourceError):
                    await pair.intake.read()

            nursery.start_soon(read)
            await trio.testing.wait_all_tasks_blocked()
            await close_now(pair.stream)
        with pytest.raises(trio.ClosedResourceError):
            await pair.intake.read()


async def test_closed_in_the_moment_in_which_it_became_readable_nothing_of_another_socket_is_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with connected(tls=False) as pair:
        assert isinstance(pair.stream, trio.SocketStream)
        ours, theirs = pair.stream.socket, socket.socketpair()
        theirs[1].send(b"of another")

        async def wait(number: int) -> None:
            await trio.lowlevel.checkpoint()
            ours.close()
            os.dup2(theirs[0].fileno(), number)

        monkeypatch.setattr(trio.lowlevel, "wait_readable", wait)
        number = ours.fileno()
        try:
            with pytest.raises(trio.ClosedResourceError):
                await pair.intake.read()
        finally:
            os.close(number)
            theirs[0].close()
            theirs[1].close()
