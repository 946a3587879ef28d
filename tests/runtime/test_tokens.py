"""Access tokens that renew themselves: one exchange at a time, and no refresh token is ever lost by us."""

from __future__ import annotations

import json
import ssl
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any
from urllib.parse import parse_qs

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from tests.runtime.wire_peers import Background, Hall, Peer
from trioquotes._protocol.effects import Failure, HttpRequest, Reply
from trioquotes._runtime.connector import Line, LineFailed, Target
from trioquotes._runtime.tokens import RefreshingToken
from trioquotes._runtime.transport import TapConnector
from trioquotes.credentials import BearerToken, Secret
from trioquotes.errors import AuthenticationFailed, ConnectFailed, UsageError
from trioquotes.venues.darwinex import TokenFlow

FLOW = TokenFlow("HUSH-key", "HUSH-secret")


class TokenServer:
    """A connector whose only server is a token endpoint that rotates, as the venue's does."""

    def __init__(self, *, expires_in_s: int = 3600, takes_s: float = 0.0) -> None:
        self.good = "HUSH-refresh-0"
        self.number = 0
        self.requests = 0
        self.under_way = 0
        self.expires_in_s = expires_in_s
        self.takes_s = takes_s
        self.answers: list[Reply | Failure] = []  # instead of the next exchanges

    def line(self, target: Target) -> AbstractAsyncContextManager[Line]:
        raise NotImplementedError

    async def fetch(
        self, request: HttpRequest, *, timeout_s: float, ssl_context: ssl.SSLContext | None
    ) -> Reply:
        self.requests += 1
        self.under_way += 1
        assert self.under_way == 1
        try:
            with trio.move_on_after(timeout_s) as scope:
                await trio.sleep(self.takes_s)
                answer = self.answers.pop(0) if self.answers else self.exchange(request)
        finally:
            self.under_way -= 1
        if scope.cancelled_caught:
            answer = Failure("stream", "no whole answer")
        if isinstance(answer, Failure):
            raise LineFailed(answer)
        return answer

    def exchange(self, request: HttpRequest) -> Reply:
        (given,) = parse_qs(request.body.decode())["refresh_token"]
        if given != self.good:
            return Reply(400, body=b'{"error":"invalid_grant"}')
        self.number += 1
        self.good = f"HUSH-refresh-{self.number}"
        answer = {
            "access_token": f"HUSH-access-{self.number}",
            "expires_in": self.expires_in_s,
            "refresh_token": self.good,
        }
        return Reply(200, body=json.dumps(answer).encode())


class Keeper:
    """Where a user keeps the refresh token."""

    def __init__(self, server: TokenServer) -> None:
        self.kept = [server.good]
        self.fails: list[BaseException] = []
        self.takes_s = 0.0

    async def __call__(self, token: Secret) -> None:
        await trio.sleep(self.takes_s)
        if self.fails:
            raise self.fails.pop(0)
        self.kept.append(token.reveal())


def made(server: TokenServer, **options: Any) -> tuple[RefreshingToken, Keeper]:
    keeper = Keeper(server)
    return RefreshingToken(FLOW, server.good, on_rotated=keeper, connector=server, **options), keeper


def access(number: int) -> BearerToken:
    return BearerToken(f"HUSH-access-{number}")


async def test_token_is_kept_until_five_minutes_before_its_end(autojump_clock: MockClock) -> None:
    server = TokenServer()
    token, keeper = made(server)
    with trio.fail_after(10_000):
        assert await token() == access(1)
        await trio.sleep(3299.0)
        assert await token() == access(1)
        await trio.sleep(1.0)
        assert await token() == access(2)
    assert server.requests == 2
    assert keeper.kept == ["HUSH-refresh-0", "HUSH-refresh-1", "HUSH-refresh-2"]


async def test_new_refresh_token_is_kept_before_the_access_token_is_used(autojump_clock: MockClock) -> None:
    server = TokenServer()
    token, keeper = made(server)
    keeper.fails = [OSError("disk full")]
    with trio.fail_after(60):
        with pytest.raises(OSError, match="disk full"):
            await token()
        assert await token() == access(1)
    assert server.requests == 1, "the exchange is not repeated"
    assert keeper.kept[-1] == server.good


async def test_token_that_was_never_kept_is_not_spent(autojump_clock: MockClock) -> None:
    server = TokenServer(expires_in_s=10)
    token, keeper = made(server)
    keeper.fails = [OSError("disk full"), OSError("disk full")]
    with trio.fail_after(1000):
        for _ in range(2):
            with pytest.raises(OSError, match="disk full"):
                await token()
            await trio.sleep(100)
        assert server.requests == 1
        assert await token() == access(2)
    assert keeper.kept == ["HUSH-refresh-0", "HUSH-refresh-1", "HUSH-refresh-2"]


async def test_callback_that_hangs_is_given_up_in_bounded_time(autojump_clock: MockClock) -> None:
    token, keeper = made(TokenServer())
    keeper.takes_s = 1000.0
    with trio.fail_after(6), pytest.raises(ConnectFailed, match="within 5 s"):
        await token()
    keeper.takes_s = 0.0
    assert await token() == access(1)


async def test_many_who_ask_at_once_share_one_exchange(autojump_clock: MockClock) -> None:
    server = TokenServer(takes_s=2.0)
    token, _ = made(server)
    got: list[BearerToken] = []

    async def ask() -> None:
        got.append(await token())

    with trio.fail_after(60):
        async with trio.open_nursery() as nursery:
            for _ in range(5):
                nursery.start_soon(ask)
    assert got == [access(1)] * 5
    assert server.requests == 1


@pytest.mark.parametrize("cancel_s", [0.0, 0.5, 1.5, 2.5])
async def test_cancelled_exchange_is_finished_and_its_token_kept(
    cancel_s: float, autojump_clock: MockClock
) -> None:
    server = TokenServer(takes_s=1.0)
    token, keeper = made(server)
    keeper.takes_s = 1.0
    with trio.fail_after(60):
        with trio.move_on_after(cancel_s):
            await token()
        assert keeper.kept[-1] == server.good
        assert await token() == access(1)
    assert server.requests == 1


async def test_cancelled_caller_waits_no_longer_than_the_bounds(autojump_clock: MockClock) -> None:
    server = TokenServer(takes_s=1000.0)
    token, _ = made(server, timeout_s=3.0)
    with trio.fail_after(4), pytest.raises(ConnectFailed, match="no whole answer"):
        with trio.move_on_after(0.5):
            await token()


async def test_refused_access_token_is_renewed_and_another_is_not(autojump_clock: MockClock) -> None:
    server = TokenServer()
    token, _ = made(server)
    with trio.fail_after(60):
        first = await token()
        token.refused(BearerToken("HUSH-other"))
        assert await token() == first
        token.refused(first)
        assert await token() == access(2)
        token.refused(first)
        assert await token() == access(2)


async def test_dead_refresh_token_is_said_and_never_tried_again(autojump_clock: MockClock) -> None:
    server = TokenServer()
    token, _ = made(server)
    server.good = "HUSH-somebody-elses"
    with trio.fail_after(1000):
        for _ in range(3):
            with pytest.raises(AuthenticationFailed, match="invalid_grant") as caught:
                await token()
            assert "HUSH" not in repr(caught.value)
            await trio.sleep(100.0)
    assert server.requests == 1


async def test_passing_failure_leaves_the_endpoint_alone_for_a_minute(autojump_clock: MockClock) -> None:
    server = TokenServer()
    token, _ = made(server)
    server.answers = [Reply(503, {"retry-after": "9"}), Failure("connect", "nobody is there")]
    with trio.fail_after(1000):
        with pytest.raises(ConnectFailed, match="HTTP 503"):
            await token()
        await trio.sleep(30.0)
        with pytest.raises(ConnectFailed, match=r"HTTP 503 \(tried 30 s ago\)") as caught:
            await token()
        assert (caught.value.status, caught.value.retry_after_s) == (503, 9.0)
        await trio.sleep(30.0)
        with pytest.raises(ConnectFailed, match="connect: nobody is there"):
            await token()
        await trio.sleep(60.0)
        assert await token() == access(1)
    assert server.requests == 3


async def test_refresh_token_that_stays_is_not_handed_over_again(autojump_clock: MockClock) -> None:
    server = TokenServer()
    token, keeper = made(server)
    server.answers = [Reply(200, body=b'{"access_token":"HUSH-a"}')]
    with trio.fail_after(60):
        assert await token() == BearerToken("HUSH-a")
    assert keeper.kept == ["HUSH-refresh-0"]


async def test_nothing_secret_shows(autojump_clock: MockClock) -> None:
    token, _ = made(TokenServer())
    await token()
    assert "HUSH" not in repr(token)
    assert repr(token) == "<RefreshingToken over TokenFlow>"


@pytest.mark.parametrize("timeout_s", [0.0, -1.0, float("inf"), float("nan")])
def test_timeout_that_bounds_nothing_is_refused(timeout_s: float) -> None:
    with pytest.raises(UsageError, match="timeout_s"):
        made(TokenServer(), timeout_s=timeout_s)


async def test_exchange_goes_over_http_and_never_in_the_clear(autojump_clock: MockClock) -> None:
    seen: list[bytes] = []

    async def endpoint(peer: Peer) -> None:
        seen.append(await peer.read_request())
        body = b'{"access_token":"a","refresh_token":"b","expires_in":3600}'
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
        await trio.sleep_forever()

    kept: list[str] = []

    async def keep(token: Secret) -> None:
        kept.append(token.reveal())

    hall = Hall(Background(), endpoint)
    flow = TokenFlow("consumerKey", "consumerSecret", rest="http://127.0.0.1:8080")
    with trio.fail_after(20):
        got = await RefreshingToken(flow, "r", on_rotated=keep, connector=TapConnector(hall))()
        assert got == BearerToken("a")
        assert kept == ["b"]
        assert b"POST /token HTTP/1.1" in seen[0]
        assert b"Authorization: Basic Y29uc3VtZXJLZXk6Y29uc3VtZXJTZWNyZXQ=" in seen[0]
        clear = TokenFlow("k", "s", rest="http://api.darwinex.com")
        with pytest.raises(UsageError, match="unencrypted"):
            await RefreshingToken(clear, Secret("r"), on_rotated=keep)()


async def test_waiting_for_another_exchange_can_be_cancelled(autojump_clock: MockClock) -> None:
    server = TokenServer(takes_s=5.0)
    token, _ = made(server)
    with trio.fail_after(60):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(swallow, token)
            await wait_all_tasks_blocked()
            before_s = trio.current_time()
            with trio.move_on_after(1.0):
                await token()
            assert trio.current_time() - before_s == pytest.approx(1.0)


async def swallow(ask: Callable[[], Awaitable[object]]) -> None:
    await ask()
