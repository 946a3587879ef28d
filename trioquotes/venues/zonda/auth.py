"""Signing of private messages: values in, fields out."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from typing import Final

import attrs

from trioquotes.credentials import ApiKey, Credentials
from trioquotes.errors import UsageError

__all__ = ["TIMESTAMP_OPTION", "Signer", "signature", "timestamp_divisor"]

TIMESTAMP_OPTION: Final = "request_timestamp"
"""Name of the session's option that says the unit of ``requestTimestamp``: ``s``, the default, or ``ms``."""

_DIVISORS = {"s": 1_000_000_000, "ms": 1_000_000}


def signature(public_key: str, private_key: str, timestamp: str, body: str = "") -> str:
    """The signature of a private message, or with its body that of a REST request.

    *Source:* Zonda API, private subscription, "Authentication"; REST, "Authentication".

    Args:
        public_key: as it is sent beside it.
        private_key: the secret.
        timestamp: in the very digits that are sent beside it.
        body: JSON text of a REST request; nothing on the socket.

    Returns:
        The HMAC-SHA512 in hex.
    """
    text = f"{public_key}{timestamp}{body}"
    return hmac.digest(private_key.encode(), text.encode(), hashlib.sha512).hex()


def timestamp_divisor(extra: Mapping[str, str]) -> int:
    """Nanoseconds in the unit of ``requestTimestamp`` that the session's options ask for.

    Raises:
        UsageError: it is neither ``s`` nor ``ms``.
    """
    unit = extra.get(TIMESTAMP_OPTION, "s")
    if unit not in _DIVISORS:
        raise UsageError(f"Zonda's option {TIMESTAMP_OPTION} is 's' or 'ms', not {unit!r}")
    return _DIVISORS[unit]


@attrs.frozen
class Signer:
    """Signs with one key pair; its ``repr`` shows nothing of it."""

    _public: str = attrs.field(repr=False)
    _private: str = attrs.field(repr=False)
    _divisor: int

    @classmethod
    def of(cls, credentials: Credentials, extra: Mapping[str, str]) -> Signer:
        """A signer for an API key pair: ``ApiKey(public key, private key)``.

        Args:
            credentials: of the session.
            extra: the session's options.

        Raises:
            UsageError: it is no key pair, or an option is wrong.
        """
        if not isinstance(credentials, ApiKey):
            raise UsageError(
                f"Zonda takes an ApiKey(public key, private key), not a {type(credentials).__name__}"
            )
        return cls(credentials.key.reveal(), credentials.secret.reveal(), timestamp_divisor(extra))

    def fields(self, wall_ns: int) -> dict[str, str | int]:
        """What is added to a private message; there is no session, each one is signed by itself.

        Args:
            wall_ns: the time now.
        """
        timestamp = wall_ns // self._divisor
        return {
            "hashSignature": signature(self._public, self._private, str(timestamp)),
            "publicKey": self._public,
            "requestTimestamp": timestamp,
        }
