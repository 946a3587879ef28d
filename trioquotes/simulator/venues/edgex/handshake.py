"""Who may open the private socket: API keys with HMAC on V2, StarkEx signatures on V1; pure.

*Source:* edgeX documentation, pages authentication (V1 and V2) and private WebSocket (V2).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import importlib
import json
import re
from collections.abc import Callable, Mapping
from typing import Any

import attrs

from trioquotes.errors import MissingExtra
from trioquotes.simulator.http_side import HttpRequest
from trioquotes.simulator.venues.edgex.keccak import keccak_256
from trioquotes.simulator.venues.edgex.listings import Account, Generation

__all__ = [
    "PRIVATE_PATH",
    "Refused",
    "Verify",
    "admit",
    "hmac_signature",
    "signed_text",
    "stark_hash",
    "stark_verify",
]

PRIVATE_PATH = "/api/v1/private/ws"
"""The same on both generations."""

CLOCK_WINDOW_MS = 60_000
"""How far a request's timestamp may be from the server's clock (V2 authentication; V1 says nothing)."""

CURVE_ORDER = 0x800000000000010FFFFFFFFFFFFFFFFB781126DCAE7B2321E66A241ADC64D2F
"""Of the STARK curve; the hash is reduced by it before it is signed."""

SIGNATURE_LIMIT = 1 << 251
"""StarkWare's variant of ECDSA keeps ``r`` below this."""

V1_SIGNATURE = re.compile(r"[0-9a-f]{128}([0-9a-f]{64})?")
"""``r`` and ``s``; the web's form appends the public key's y coordinate."""

V2_SIGNATURE_HEADERS = ("x-edgex-signature", "x-edgex-api-signature")
V2_TIMESTAMP_HEADERS = ("x-edgex-timestamp", "x-edgex-api-timestamp")
"""The authentication page and the private WebSocket page name them differently."""

Verify = Callable[[int, int, int, int], bool]
"""Public key, message hash, r, s."""


@attrs.frozen
class Refused:
    """Why a handshake is refused, in the words of the authentication page."""

    code: str
    message: str


INVALID_KEY = Refused("INVALID_API_KEY", "Invalid API Key")
INVALID_TIMESTAMP = Refused("INVALID_TIMESTAMP", "Invalid Timestamp")
INVALID_SIGNATURE = Refused("INVALID_SIGNATURE", "Invalid Signature")


def signed_text(timestamp: str, path: str, query: Mapping[str, str], method: str = "GET") -> str:
    """What is signed: the query's pairs sorted, and no question mark before them."""
    pairs = "&".join(f"{name}={query[name]}" for name in sorted(query))
    return f"{timestamp}{method}{path}{pairs}"


def hmac_signature(secret: str, text: str) -> str:
    """The signature of V2; the key is the base64 text of the secret, not what it encodes."""
    return hmac.new(base64.b64encode(secret.encode()), text.encode(), hashlib.sha256).hexdigest()


def stark_hash(text: str) -> int:
    """What V1 signs."""
    return int.from_bytes(keccak_256(text.encode()), "big") % CURVE_ORDER


def stark_verify() -> Verify:
    """The check of a StarkEx signature.

    Raises:
        MissingExtra: where the package that knows the curve is not installed.
    """
    try:
        package = importlib.import_module("fast_stark_crypto")
    except ImportError:
        raise MissingExtra("V1 accounts need the STARK curve: pip install 'trioquotes[edgex-v1]'") from None
    verify: Verify = package.verify
    return verify


def admit(
    request: HttpRequest,
    accounts: Mapping[str, Account],
    generation: Generation,
    now_ms: int,
    verify: Verify | None,
) -> Account | Refused:
    """Whose private stream a handshake opens.

    Args:
        request: the handshake.
        accounts: known clients by account id.
        generation: which credentials are asked for.
        now_ms: the server's wall clock, Unix milliseconds.
        verify: the check of a StarkEx signature; V1 only.
    """
    headers = _credentials(request.headers)
    account = accounts.get(request.query.get("accountId", ""))
    if generation == "v2":
        return _admit_v2(request, headers, account, now_ms)
    return _admit_v1(request, headers, account, now_ms, verify)


def _admit_v2(
    request: HttpRequest, headers: Mapping[str, str], account: Account | None, now_ms: int
) -> Account | Refused:
    if account is None or not account.key or headers.get("x-edgex-api-key") != account.key:
        return INVALID_KEY
    if not _same(account.passphrase, headers.get("x-edgex-passphrase", "")):
        return INVALID_KEY
    timestamp = _first(headers, V2_TIMESTAMP_HEADERS)
    if not _in_time(timestamp, now_ms) or request.query.get("timestamp") != timestamp:
        return INVALID_TIMESTAMP
    expected = hmac_signature(account.secret, signed_text(timestamp, request.path, request.query))
    if not _same(expected, _first(headers, V2_SIGNATURE_HEADERS)):
        return INVALID_SIGNATURE
    return account


def _admit_v1(
    request: HttpRequest,
    headers: Mapping[str, str],
    account: Account | None,
    now_ms: int,
    verify: Verify | None,
) -> Account | Refused:
    if account is None or verify is None:
        return INVALID_KEY
    timestamp = headers.get("x-edgex-api-timestamp", "")
    if not _in_time(timestamp, now_ms):
        return INVALID_TIMESTAMP
    signature = headers.get("x-edgex-api-signature", "")
    if V1_SIGNATURE.fullmatch(signature) is None:
        return INVALID_SIGNATURE
    r, s = int(signature[:64], 16), int(signature[64:128], 16)
    if not (0 < r < SIGNATURE_LIMIT and 0 < s < CURVE_ORDER):
        return INVALID_SIGNATURE
    message = stark_hash(signed_text(timestamp, request.path, request.query))
    return account if verify(int(account.l2_key, 16), message, r, s) else INVALID_SIGNATURE


def _credentials(headers: Mapping[str, str]) -> Mapping[str, str]:
    """The headers, completed by those that a browser puts into ``Sec-WebSocket-Protocol`` as base64 of JSON."""
    offered = headers.get("sec-websocket-protocol", "")
    try:
        inner: Any = json.loads(base64.b64decode(offered + "=" * (-len(offered) % 4), validate=True))
    except (binascii.Error, ValueError, RecursionError):
        return headers
    if not isinstance(inner, dict):
        return headers
    return {**{name.lower(): value for name, value in inner.items() if isinstance(value, str)}, **headers}


def _first(headers: Mapping[str, str], names: tuple[str, ...]) -> str:
    return next((headers[name] for name in names if headers.get(name)), "")


def _in_time(timestamp: str, now_ms: int) -> bool:
    plausible = timestamp.isascii() and timestamp.isdecimal() and len(timestamp) < 20
    return plausible and abs(int(timestamp) - now_ms) <= CLOCK_WINDOW_MS


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(errors="replace"), other.encode(errors="replace"))
