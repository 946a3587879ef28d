"""The tokens by which clients prove who they are: made and checked with nothing but HMAC.

*Source:* docs.upbit.com/kr/reference/auth and websocket-guide: JWT in the handshake's ``Authorization``
header, payload ``access_key`` and ``nonce``, signed with the secret as it stands.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, Literal

from trioquotes.simulator.venues.upbit.listings import Account

__all__ = ["TokenDesk", "claimed_key", "make_token"]

DIGESTS = {"HS256": hashlib.sha256, "HS512": hashlib.sha512}

NONCES_KEPT = 10_000
"""How many used nonces are remembered; older ones could be used again."""


def make_token(key: str, secret: str, nonce: str, algorithm: Literal["HS256", "HS512"] = "HS512") -> str:
    """The token of a WebSocket handshake."""
    parts = [
        base64.urlsafe_b64encode(json.dumps(part, separators=(",", ":")).encode()).rstrip(b"=")
        for part in ({"alg": algorithm, "typ": "JWT"}, {"access_key": key, "nonce": nonce})
    ]
    signed = b".".join(parts)
    signature = hmac.digest(secret.encode(), signed, DIGESTS[algorithm])
    return b".".join([signed, base64.urlsafe_b64encode(signature).rstrip(b"=")]).decode()


def claimed_key(headers: Mapping[str, str]) -> str | None:
    """The access key that a handshake names, whether it is proved or not."""
    try:
        payload = _object(_token(headers).split(".")[1])
    except (ValueError, IndexError):
        return None
    key = payload.get("access_key")
    return key if isinstance(key, str) else None


class TokenDesk:
    """Checks tokens and remembers their nonces.

    Args:
        accounts: by access key.
    """

    def __init__(self, accounts: Mapping[str, Account]) -> None:
        self._accounts = accounts
        self._used: OrderedDict[tuple[str, str], None] = OrderedDict()

    def check(self, headers: Mapping[str, str], peer: str) -> Account | None:
        """Whose token it is; ``None`` for a missing, wrong, used one, or one from elsewhere.

        Args:
            headers: the handshake's, names in lower case.
            peer: the client's address.
        """
        try:
            return self._check(_token(headers), peer)
        except (ValueError, IndexError):
            return None

    def _check(self, token: str, peer: str) -> Account | None:
        signed, _, signature = token.rpartition(".")
        head, payload = (_object(part) for part in signed.split("."))
        key, nonce, algorithm = payload.get("access_key"), payload.get("nonce"), head.get("alg")
        if not (isinstance(key, str) and isinstance(nonce, str) and nonce and isinstance(algorithm, str)):
            return None
        account, digest = self._accounts.get(key), DIGESTS.get(algorithm)
        if account is None or digest is None:
            return None
        expected = hmac.digest(account.secret.encode(), signed.encode(), digest)
        if not hmac.compare_digest(expected, _bytes(signature)):
            return None
        if (key, nonce) in self._used or not (account.addresses is None or peer in account.addresses):
            return None
        self._used[key, nonce] = None
        if len(self._used) > NONCES_KEPT:
            self._used.popitem(last=False)
        return account


def _token(headers: Mapping[str, str]) -> str:
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        raise ValueError("no bearer token")
    return token.strip()


def _bytes(part: str) -> bytes:
    try:
        return base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True)
    except binascii.Error as error:
        raise ValueError("not base64") from error


def _object(part: str) -> dict[str, Any]:
    try:
        value = json.loads(_bytes(part))
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    if not isinstance(value, dict):
        raise ValueError("not an object")  # noqa: TRY004  # the client's text is wrong, not our types
    return value
