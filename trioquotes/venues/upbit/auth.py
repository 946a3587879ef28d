"""Signing of handshakes: values in, a header out."""

from __future__ import annotations

from typing import Final, Literal, TypeAlias, get_args
from uuid import UUID

import attrs
import msgspec

from trioquotes.credentials import ApiKey, Credentials
from trioquotes.errors import UsageError

__all__ = ["ALGORITHMS", "Algorithm", "Signer", "token", "uuid4_text"]

Algorithm: TypeAlias = Literal["HS512", "HS256"]
ALGORITHMS: Final[tuple[Algorithm, ...]] = get_args(Algorithm)
"""What a token may be signed with: the first is what the venue recommends today, the second what it did before."""


def uuid4_text(nonce: bytes) -> str:
    """A random UUID as text.

    Args:
        nonce: 16 random bytes.
    """
    return str(UUID(bytes=nonce, version=4))


def token(access_key: str, secret: str, nonce: str, algorithm: Algorithm) -> str:
    """The JSON Web Token of a private handshake.

    *Source:* Authentication guide; for the WebSocket there is no ``query_hash``.

    Args:
        access_key: the public part of the key.
        secret: as the venue gave it: its characters are the key, they are not base64.
        nonce: a UUID that was never used before.
        algorithm: see :data:`ALGORITHMS`.
    """
    from jwt import PyJWS  # noqa: PLC0415  # loaded where it is used: public data needs no token
    from jwt.algorithms import HMACAlgorithm  # noqa: PLC0415

    class VenueKey(HMACAlgorithm):
        """The venue chose the length of its secrets: a warning about it is none that the user could heed."""

        def check_key_length(self, key: bytes) -> str | None:
            del key
            return None

    hashes = {"HS512": HMACAlgorithm.SHA512, "HS256": HMACAlgorithm.SHA256}
    signing = PyJWS(algorithms=[])
    signing.register_algorithm(algorithm, VenueKey(hashes[algorithm]))
    payload = msgspec.json.encode({"access_key": access_key, "nonce": nonce})
    return signing.encode(payload, secret, algorithm=algorithm)


@attrs.frozen
class Signer:
    """Signs with one key; its ``repr`` shows nothing of it."""

    _key: str = attrs.field(repr=False)
    _secret: str = attrs.field(repr=False)
    _algorithm: Algorithm = "HS512"

    @classmethod
    def of(cls, credentials: Credentials, algorithm: Algorithm) -> Signer:
        """A signer for an Open API key.

        Raises:
            UsageError: it is no such key; the message says what is wrong and shows no secret.
        """
        if not isinstance(credentials, ApiKey):
            raise UsageError(f"Upbit takes an ApiKey, not a {type(credentials).__name__}")
        key, secret = credentials.key.reveal(), credentials.secret.reveal()
        if not key or not secret:
            raise UsageError("an Upbit API key has an access key and a secret key, and one of them is empty")
        if not secret.isascii() or "-----" in secret:
            raise UsageError(
                "the secret of an Upbit API key is a line of letters and digits, and this one is not"
            )
        return cls(key, secret, algorithm)

    def header(self, nonce: bytes) -> tuple[str, str]:
        """The header of one handshake.

        Args:
            nonce: 16 random bytes, other ones for each connection.
        """
        signed = token(self._key, self._secret, uuid4_text(nonce), self._algorithm)
        return ("Authorization", f"Bearer {signed}")
