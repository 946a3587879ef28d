"""The refresh-token flow without its I/O: which request renews an access token, and what its answer says.

The refresh token rotates: each answer brings a new one, and the old one dies. :class:`TokenFlow` is what a
``RefreshingToken`` needs to know of the venue; the requests are made there, one at a time.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import urlencode

import attrs
import msgspec

from trioquotes._protocol.codec import Counter
from trioquotes._protocol.effects import HttpRequest, Reply
from trioquotes._protocol.veil import Veil
from trioquotes._protocol.verdict import retry_after_s
from trioquotes.credentials import Secret
from trioquotes.errors import AuthenticationFailed, ConnectFailed
from trioquotes.venues.darwinex.auth import basic
from trioquotes.venues.darwinex.faults import read_fault

__all__ = ["RENEW_EARLY_S", "TokenFlow", "Tokens"]

RENEW_EARLY_S: Final = 300.0
"""How long before its end an access token is renewed.

*Source:* the venue's own client.
"""

_REST: Final = "https://api.darwinex.com"
_OK: Final = 200
_REFUSALS: Final = frozenset({400, 401, 403})


def _secret(value: str | Secret) -> Secret:
    return value if isinstance(value, Secret) else Secret(value)


class _Answer(msgspec.Struct, frozen=True):
    """The wire's form, for as long as it takes to read it."""

    access_token: str
    expires_in: Counter | None = None
    id_token: str | None = None
    refresh_token: str | None = None
    scope: str | None = None
    token_type: str | None = None

    def __repr__(self) -> str:
        return "_Answer('***')"


@attrs.frozen
class Tokens:
    """What an answer brought.

    Attributes:
        access_token: for the upgrade request.
        refresh_token: the only one that is good from now on.
        id_token: who the user is, where that was said.
        expires_in_s: for how many seconds the access token is good; ``None`` where that was not said.
        scope: what it is good for.
        token_type: ``Bearer``.

    *Source:* the venue's own clients, on the token endpoint.
    """

    access_token: Secret
    refresh_token: Secret
    id_token: Secret | None = None
    expires_in_s: int | None = None
    scope: str | None = None
    token_type: str | None = None

    @property
    def renew_after_s(self) -> float:
        """Seconds after which the access token is to be renewed: 300 before its end, or half of a short life.

        One that does not say how long it is good for is renewed when it is next asked for.
        """
        if self.expires_in_s is None:
            return 0.0
        return max(self.expires_in_s - RENEW_EARLY_S, self.expires_in_s / 2)


@attrs.frozen
class TokenFlow:
    """How Darwinex renews tokens.

    Args:
        consumer_key: of the application.
        consumer_secret: of the application.
        rest: base URL of the token endpoint, without a trailing slash.
    """

    consumer_key: Secret = attrs.field(converter=_secret)
    consumer_secret: Secret = attrs.field(converter=_secret)
    rest: str = _REST

    def request(self, refresh_token: Secret) -> HttpRequest:
        """The request that spends a refresh token.

        *Source:* the venue's own clients, on the token endpoint.
        """
        body = urlencode({"grant_type": "refresh_token", "refresh_token": refresh_token.reveal()})
        headers = (
            basic(self.consumer_key, self.consumer_secret),
            ("Content-Type", "application/x-www-form-urlencoded"),
            ("Accept", "application/json"),
        )
        return HttpRequest(f"{self.rest}/token", "POST", headers, body.encode())

    def read(self, reply: Reply, refresh_token: Secret) -> Tokens:
        """What its answer brought; an answer without a new refresh token leaves the old one.

        Raises:
            AuthenticationFailed: the venue refused the refresh token or the application, in its words.
            ConnectFailed: it did neither that nor bring tokens: this may pass.
        """
        shown = f"darwinex, token endpoint: HTTP {reply.status}"
        secrets = [each.reveal() for each in (refresh_token, self.consumer_key, self.consumer_secret)]
        fault = read_fault(reply.status, reply.body, *secrets)
        text = f"{shown}: {fault.text}" if fault.text else shown
        if reply.status in _REFUSALS and not fault.passing:
            raise AuthenticationFailed(text)
        if reply.status != _OK:
            after_s = retry_after_s(reply.headers)
            veil = Veil()
            veil.cover("own", *secrets)
            headers = veil.hide_headers(reply.headers)
            raise ConnectFailed(text, status=reply.status, headers=headers, retry_after_s=after_s)
        try:
            answer = msgspec.json.decode(reply.body, type=_Answer)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            why = str(error) if isinstance(error, msgspec.ValidationError) else "it is not JSON"
        else:
            return self._tokens(answer, refresh_token)
        # Raised outside of the handler: an error that did not decode may hold a part of the answer.
        if fault.text and not fault.passing:
            raise AuthenticationFailed(text)
        raise ConnectFailed(f"{text}: not an answer with tokens: {why}", status=reply.status)

    @staticmethod
    def _tokens(answer: _Answer, refresh_token: Secret) -> Tokens:
        return Tokens(
            access_token=Secret(answer.access_token),
            refresh_token=Secret(answer.refresh_token) if answer.refresh_token else refresh_token,
            id_token=Secret(answer.id_token) if answer.id_token else None,
            expires_in_s=answer.expires_in,
            scope=answer.scope,
            token_type=answer.token_type,
        )
