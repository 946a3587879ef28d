"""What a client may say on the socket, and how it proves who it is; pure.

*Source:* docs.zondacrypto.exchange/reference, pages public-subscription and private-subscription.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any, Literal, TypeAlias
from urllib.parse import parse_qsl

import attrs

from trioquotes.simulator.venues.zonda.listings import Account

__all__ = [
    "CLOCK_WINDOW_S", "Broken", "Credentials", "Message", "Ping", "Proxy", "Subscribe", "Unknown", "Unsubscribe",
    "authenticate", "read_message", "sign",
]  # fmt: skip

CLOCK_WINDOW_S = 60
"""How far a request's timestamp may be from the server's clock; the venue does not say."""

MILLISECONDS_FROM = 10**11
"""A timestamp from here on is in milliseconds: as seconds it would be the year 5138."""


@attrs.frozen(kw_only=True)
class Credentials:
    """What signs a message.

    Attributes:
        public_key: whose key; empty where none was given.
        timestamp: the text that was signed, Unix seconds or milliseconds; empty where it is not an integer.
        signature: in hexadecimal digits.
        body: what was signed besides; of HTTP requests only.
    """

    public_key: str
    timestamp: str
    signature: str = attrs.field(repr=False)
    body: str = ""


@attrs.frozen
class Broken:
    """Text that is not JSON."""


@attrs.frozen
class Unknown:
    """JSON that asks for nothing the venue knows; it has no documented answer."""


@attrs.frozen
class Ping:
    """A question whether the line is alive."""


@attrs.frozen(kw_only=True)
class Subscribe:
    """Ask for a channel; module and path are as sent, empty where they are missing."""

    scope: Literal["public", "private"]
    module: str
    path: str
    credentials: Credentials


@attrs.frozen(kw_only=True)
class Unsubscribe:
    """Ask for no more of a channel."""

    module: str
    path: str


@attrs.frozen(kw_only=True)
class Proxy:
    """Ask for what a REST GET would give.

    Attributes:
        request_id: the client's, given back as sent; ``None`` where it is missing.
        query: parameters.
    """

    request_id: Any
    module: str
    path: str
    query: Mapping[str, str]
    credentials: Credentials


Message: TypeAlias = Broken | Unknown | Ping | Subscribe | Unsubscribe | Proxy


def sign(private_key: str, public_key: str, timestamp: str, body: str = "") -> str:
    """The signature of a private message.

    *Source:* docs.zondacrypto.exchange/reference, pages authentication and private-subscription.
    """
    message = f"{public_key}{timestamp}{body}".encode(errors="surrogatepass")
    return hmac.new(private_key.encode(), message, hashlib.sha512).hexdigest()


def authenticate(credentials: Credentials, accounts: Mapping[str, Account], now_ns: int) -> Account | None:
    """Who signed a message; ``None`` where the key is unknown, the signature wrong, or the time far away.

    Args:
        credentials: as sent.
        accounts: known clients by public key.
        now_ns: the server's wall clock, Unix nanoseconds.
    """
    account = accounts.get(credentials.public_key)
    text = credentials.timestamp
    if account is None or not (text.isascii() and text.isdecimal() and len(text) <= 16):
        return None
    at_ms = int(text) if int(text) >= MILLISECONDS_FROM else int(text) * 1000
    if abs(at_ms - now_ns // 10**6) > CLOCK_WINDOW_S * 1000:
        return None
    expected = sign(account.private_key, account.public_key, text, credentials.body)
    given = credentials.signature.encode(errors="surrogatepass")
    return account if hmac.compare_digest(expected.encode(), given) else None


def read_message(text: str) -> Message:
    """Read one frame of a client."""
    try:
        fields = json.loads(text)
    except (ValueError, RecursionError):
        return Broken()
    if not isinstance(fields, dict):
        return Unknown()
    module, path = _text(fields, "module"), _text(fields, "path")
    match fields.get("action"):
        case "ping":
            return Ping()
        case "subscribe-public":
            return Subscribe(scope="public", module=module, path=path, credentials=_credentials(fields))
        case "subscribe-private":
            return Subscribe(scope="private", module=module, path=path, credentials=_credentials(fields))
        case "unsubscribe":
            return Unsubscribe(module=module, path=path)
        case "proxy":
            return Proxy(
                request_id=fields.get("requestId"), module=module, path=path, query=_query(fields),
                credentials=_credentials(fields),
            )  # fmt: skip
        case _:
            return Unknown()


def _text(fields: Mapping[str, Any], name: str) -> str:
    value = fields.get(name)
    return value if isinstance(value, str) else ""


def _credentials(fields: Mapping[str, Any]) -> Credentials:
    timestamp = fields.get("requestTimestamp")
    whole = isinstance(timestamp, int) and not isinstance(timestamp, bool)
    return Credentials(
        public_key=_text(fields, "publicKey"), signature=_text(fields, "hashSignature"),
        timestamp=str(timestamp) if whole else _text(fields, "requestTimestamp"),
    )  # fmt: skip


def _query(fields: Mapping[str, Any]) -> dict[str, str]:
    """``queryString`` as text, or as an object of its parameters."""
    given = fields.get("queryString")
    if isinstance(given, dict):
        return {name: str(value) for name, value in given.items()}
    return dict(parse_qsl(_text(fields, "queryString").removeprefix("?"), keep_blank_values=True))
