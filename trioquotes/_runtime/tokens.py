"""Access tokens that are renewed with a refresh token: the I/O around a venue's own, pure, token flow."""

from __future__ import annotations

import math
import ssl
from collections.abc import Awaitable, Callable
from typing import Final, Protocol

import trio

from trioquotes._protocol.effects import HttpRequest, Reply
from trioquotes._protocol.veil import Veil, carried
from trioquotes._runtime.clock import Clock
from trioquotes._runtime.connector import Connector, LineFailed
from trioquotes.credentials import BearerToken, Credentials, Secret
from trioquotes.errors import AuthenticationFailed, ConnectFailed, UsageError

__all__ = ["Grant", "RefreshingToken", "TokenExchange"]

PERSIST_WITHIN_S: Final = 5.0
"""How long ``on_rotated`` may take."""
RETRY_AFTER_S: Final = 60.0
"""How long after an exchange that failed the endpoint is left alone, where it does not ask for longer: connects are
tried more often than that."""


class Grant(Protocol):
    """What an exchange brought."""

    @property
    def access_token(self) -> Secret:
        """To connect with."""

    @property
    def refresh_token(self) -> Secret:
        """For the next exchange."""

    @property
    def renew_after_s(self) -> float:
        """Seconds after which the access token is renewed."""


class TokenExchange(Protocol):
    """How a venue renews tokens, without I/O."""

    def request(self, refresh_token: Secret) -> HttpRequest:
        """The request that spends a refresh token."""

    def read(self, reply: Reply, refresh_token: Secret) -> Grant:
        """What its answer brought.

        Raises:
            AuthenticationFailed: the refresh token is good no longer; its words show no secret.
            ConnectFailed: this may pass; no more do these, nor its headers.
        """


class RefreshingToken:
    """Credentials that keep an access token at hand; to be given to sessions as they are.

    ::

        token = RefreshingToken(darwinex.TokenFlow(key, secret), refresh_token, on_rotated=save)
        async with Session("darwinex", Quotes("DWC.4.20"), credentials=token) as stream: ...

    It is asked before every connect, and then renews the access token only where its time is up, or where the
    venue refused it. Each exchange brings a new refresh token and kills the old one, so the new one is given to
    ``on_rotated`` before anything is done with the access token; if that fails, it is given again at the next
    call. One exchange is under way at a time, whoever asks. An exchange that has begun is finished even if the
    caller is cancelled, within ``timeout_s`` and 5 s more: else the only good refresh token could be lost. It can
    still be lost with an answer that never arrives.

    Args:
        exchange: how the venue renews tokens, such as ``darwinex.TokenFlow``.
        refresh_token: the last one that was given to ``on_rotated``, or the first one.
        on_rotated: keeps the new refresh token where it survives this program.
        timeout_s: for one exchange.
        ssl_context: for ``https``; the default verifies against the system's and certifi's authorities.
        connector: how requests are made; the default is TCP and TLS.
        clock: where the time of day comes from, by which a token expires also while the machine sleeps.

    Raises:
        UsageError: ``timeout_s`` is not positive.
    """

    def __init__(
        self,
        exchange: TokenExchange,
        refresh_token: str | Secret,
        *,
        on_rotated: Callable[[Secret], Awaitable[None]],
        timeout_s: float = 8.0,
        ssl_context: ssl.SSLContext | None = None,
        connector: Connector | None = None,
        clock: Clock | None = None,
    ) -> None:
        if not 0 < timeout_s < math.inf:
            raise UsageError("timeout_s must be positive and finite")
        self._exchange = exchange
        self._refresh_token = refresh_token if isinstance(refresh_token, Secret) else Secret(refresh_token)
        self._on_rotated = on_rotated
        self._timeout_s = timeout_s
        self._ssl_context = ssl_context
        self._connector = connector
        self._lock = trio.Lock()
        self._access = BearerToken("")  # none yet: its time is up
        self._clock = Clock() if clock is None else clock
        self._renew_at_s = -math.inf
        self._renew_at_ns: float = 0.0
        self._is_persisted = True
        self._refusal = ""
        self._failure: ConnectFailed | None = None
        self._failed_s = -math.inf

    def __repr__(self) -> str:
        return f"<RefreshingToken over {type(self._exchange).__name__}>"

    async def __call__(self) -> BearerToken:
        """An access token that is good for a while.

        Raises:
            AuthenticationFailed: the venue refused the refresh token, in its words; nothing is tried any more.
            ConnectFailed: the exchange failed for another reason; it is not tried again for a minute, or for as long as the
                venue's ``Retry-After`` says.
            Exception: whatever ``on_rotated`` raised.
        """
        async with self._lock:
            # The checkpoint is behind us: from here on nothing may be lost to a cancellation.
            with trio.CancelScope(shield=True):
                # Either clock will do: the one may stand still while the machine sleeps, the other be set back.
                if trio.current_time() >= self._renew_at_s or self._clock.wall_ns() >= self._renew_at_ns:
                    await self._renew()
                await self._persist()
            return self._access

    def refused(self, credentials: Credentials) -> None:
        """The venue refused these: if they are the ones at hand, the next call renews them."""
        if credentials == self._access:
            self._renew_at_s = -math.inf

    async def _renew(self) -> None:
        """Spend the refresh token, but only one that is persisted: else the one that is would be two behind."""
        await self._persist()
        if self._refusal:
            raise AuthenticationFailed(self._refusal)
        waited_s = trio.current_time() - self._failed_s
        if self._failure is not None and waited_s < max(RETRY_AFTER_S, self._failure.retry_after_s or 0.0):
            raise self._again(self._failure, f"{self._failure} (tried {waited_s:.0f} s ago)")
        self._failure = None
        begun_s, begun_ns = trio.current_time(), self._clock.wall_ns()
        try:
            grant = self._exchange.read(await self._fetch(), self._refresh_token)
        except AuthenticationFailed as error:
            self._refusal = str(error)
            raise
        except ConnectFailed as error:
            self._failure, self._failed_s = error, trio.current_time()
            raise
        self._is_persisted = grant.refresh_token == self._refresh_token
        self._refresh_token = grant.refresh_token
        self._access = BearerToken(grant.access_token)
        self._renew_at_s = begun_s + grant.renew_after_s
        self._renew_at_ns = begun_ns + grant.renew_after_s * 1e9

    async def _fetch(self) -> Reply:
        connector = self._connector
        if connector is None:
            from trioquotes._runtime.transport import TapConnector  # noqa: PLC0415  # loaded when first used

            connector = TapConnector()
        request = self._exchange.request(self._refresh_token)
        try:
            return await connector.fetch(request, timeout_s=self._timeout_s, ssl_context=self._ssl_context)
        except LineFailed as failed:
            veil = Veil()
            veil.cover("own", self._refresh_token.reveal(), *carried(request))
            failure = veil.hide_failure(failed.failure)
        raise ConnectFailed(
            f"renewing the access token: {failure.stage}: {failure.reason}", status=failure.status
        )

    async def _persist(self) -> None:
        """Hand over a refresh token that was not yet taken."""
        if self._is_persisted:
            return
        with trio.move_on_after(PERSIST_WITHIN_S):
            await self._on_rotated(self._refresh_token)
            self._is_persisted = True
            return
        raise ConnectFailed(f"on_rotated did not keep the new refresh token within {PERSIST_WITHIN_S:g} s")

    @staticmethod
    def _again(failure: ConnectFailed, text: str) -> ConnectFailed:
        return ConnectFailed(
            text, status=failure.status, headers=failure.headers, retry_after_s=failure.retry_after_s
        )
