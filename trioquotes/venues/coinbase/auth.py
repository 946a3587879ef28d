"""Signing of subscribe messages: values in, fields out."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac

import attrs

from trioquotes.credentials import ApiKey, Credentials
from trioquotes.errors import UsageError

__all__ = ["Signer", "signature"]

_PATH = "/users/self/verify"


def signature(secret: bytes, timestamp: str) -> str:
    """The signature of a subscribe message.

    *Source:* Exchange, WebSocket authentication.

    Args:
        secret: of the API key, decoded from base64.
        timestamp: seconds since the epoch, as they are sent beside it.

    Returns:
        The HMAC-SHA256 in base64.
    """
    digest = hmac.digest(secret, f"{timestamp}GET{_PATH}".encode(), hashlib.sha256)
    return base64.b64encode(digest).decode()


@attrs.frozen
class Signer:
    """Signs with one key; its ``repr`` shows nothing of it."""

    _key: str = attrs.field(repr=False)
    _passphrase: str = attrs.field(repr=False)
    _secret: bytes = attrs.field(repr=False)

    @classmethod
    def of(cls, credentials: Credentials) -> Signer:
        """A signer for an Exchange API key.

        Raises:
            UsageError: it is no such key; the message says what is wrong and shows no secret.
        """
        if not isinstance(credentials, ApiKey):
            raise UsageError(
                f"Coinbase takes an ApiKey with a passphrase, not a {type(credentials).__name__}"
            )
        if credentials.passphrase is None:
            raise UsageError("a Coinbase Exchange API key has a passphrase: ApiKey(key, secret, passphrase)")
        try:
            secret = base64.b64decode(credentials.secret.reveal(), validate=True)
        except (binascii.Error, ValueError):
            secret = b""
        if not secret:
            # Raised outside of the handler: the error's context would hold the text that did not decode.
            raise UsageError("the secret of a Coinbase Exchange API key is base64, and this one is not")
        return cls(credentials.key.reveal(), credentials.passphrase.reveal(), secret)

    def fields(self, wall_ns: int) -> dict[str, str]:
        """What is added to the root of a request.

        Args:
            wall_ns: the time now: the venue refuses a signature that is more than about 30 s old.
        """
        timestamp = str(wall_ns // 1_000_000_000)
        return {
            "signature": signature(self._secret, timestamp),
            "key": self._key,
            "passphrase": self._passphrase,
            "timestamp": timestamp,
        }
