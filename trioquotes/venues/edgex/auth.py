"""Signing of the private handshake, of both generations: values in, URL and headers out."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Final, Literal, TypeAlias

import attrs

from trioquotes._protocol.effects import Endpoint, Handshake
from trioquotes.credentials import ApiKey, Credentials, StarkKey
from trioquotes.errors import UsageError
from trioquotes.venues.edgex import stark

__all__ = [
    "PRIVATE_PATH",
    "ApiKeySigner",
    "Carrier",
    "Signer",
    "StarkSigner",
    "carrier_of",
    "hmac_content",
    "hmac_signature",
    "signer_of",
    "stark_content",
    "subprotocol",
]

PRIVATE_PATH: Final = "/api/v1/private/ws"
"""The same in both generations."""

Carrier: TypeAlias = Literal["header", "subprotocol"]
"""What carries the signature: headers, or ``Sec-WebSocket-Protocol`` as browsers have to."""

_ACCOUNT: Final = re.compile(r"[0-9]{1,20}", re.ASCII)
_TOKEN: Final = re.compile(r"[!-~]+")


def carrier_of(options: Mapping[str, str]) -> Carrier:
    """The session's option ``auth``.

    Raises:
        UsageError: it is neither ``header`` nor ``subprotocol``.
    """
    match options.get("auth", "header"):
        case "header":
            return "header"
        case "subprotocol":
            return "subprotocol"
        case other:
            raise UsageError(f'edgeX takes the option auth as "header" or "subprotocol", not {other!r}')


def stark_content(timestamp: str, account_id: str) -> str:
    """What V1 signs: no ``?`` stands between path and query.

    *Source:* edgeX V1 documentation, "Authentication"; reference page, "Authentication", "App/API".
    """
    return f"{timestamp}GET{PRIVATE_PATH}accountId={account_id}"


def hmac_content(timestamp: str, account_id: str) -> str:
    """What V2 signs: as V1, with the time among the query.

    *Source:* edgeX V2 documentation, "Authentication" and "Private WebSocket".
    """
    return f"{timestamp}GET{PRIVATE_PATH}accountId={account_id}&timestamp={timestamp}"


def hmac_signature(secret: str, content: str) -> str:
    """HMAC-SHA256 in hex; its key is the *text* of the secret's base64.

    *Source:* edgeX V2 documentation, "Authentication".
    """
    key = base64.b64encode(secret.encode())
    return hmac.digest(key, content.encode(), hashlib.sha256).hex()


def subprotocol(headers: Mapping[str, str]) -> str:
    """The headers as browsers send them: as JSON, in base64.

    *Source:* reference page, "Authentication", "Web".
    """
    return base64.b64encode(json.dumps(dict(headers)).encode()).decode()


class Signer(ABC):
    """Signs the handshake of one account; its ``repr`` shows nothing secret."""

    account_id: str

    @abstractmethod
    def headers(self, timestamp: str) -> dict[str, str]:
        """What is sent along, by name.

        Args:
            timestamp: Unix milliseconds.
        """

    @abstractmethod
    def query(self, timestamp: str) -> str:
        """What stands behind the ``?``."""

    @abstractmethod
    def knows(self, text: str) -> bool:
        """Whether something secret is in the text."""

    def handshake(self, base: str, wall_ns: int, carrier: Carrier) -> Handshake:
        """The upgrade request of the private socket.

        Args:
            base: URL of the socket without its path.
            wall_ns: the time now; V2 takes no signature that is off by more than 60 s.
            carrier: where the signature goes.

        Raises:
            MissingExtra: what signs for V1 is not installed.
        """
        timestamp = str(wall_ns // 1_000_000)
        url = f"{base}{PRIVATE_PATH}?{self.query(timestamp)}"
        headers = self.headers(timestamp)
        if carrier == "subprotocol":
            # Padding is no part of a token, and some libraries refuse it: the venue's own client leaves it out.
            return Handshake(url, subprotocols=(subprotocol(headers).rstrip("="),))
        return Handshake(url, headers=tuple(headers.items()))


@attrs.frozen
class ApiKeySigner(Signer):
    """V2: an API key with secret and passphrase."""

    account_id: str
    _key: str = attrs.field(repr=False)
    _secret: str = attrs.field(repr=False)
    _passphrase: str = attrs.field(repr=False)

    def headers(self, timestamp: str) -> dict[str, str]:
        """The four headers; the venue's pages disagree on the names of two, so both spellings are sent."""
        signature = hmac_signature(self._secret, hmac_content(timestamp, self.account_id))
        return {
            "X-edgeX-Api-Key": self._key,
            "X-edgeX-Passphrase": self._passphrase,
            "X-edgeX-Signature": signature,
            "X-edgeX-Timestamp": timestamp,
            "X-edgeX-Api-Signature": signature,
            "X-edgeX-Api-Timestamp": timestamp,
        }

    def query(self, timestamp: str) -> str:
        """Account and time."""
        return f"accountId={self.account_id}&timestamp={timestamp}"

    def knows(self, text: str) -> bool:
        """Whether key, secret or passphrase is in the text."""
        return any(secret in text for secret in (self._key, self._secret, self._passphrase))


@attrs.frozen
class StarkSigner(Signer):
    """V1: the account's Stark key."""

    account_id: str
    _key: int = attrs.field(repr=False)

    def headers(self, timestamp: str) -> dict[str, str]:
        """The two headers."""
        signature = stark.signature(self._key, stark_content(timestamp, self.account_id))
        return {"X-edgeX-Api-Signature": signature, "X-edgeX-Api-Timestamp": timestamp}

    def query(self, timestamp: str) -> str:
        """The account."""
        del timestamp
        return f"accountId={self.account_id}"

    def knows(self, text: str) -> bool:
        """Whether the key is in the text."""
        return f"{self._key:x}" in text.lower()


def signer_of(credentials: Credentials, endpoint: Endpoint) -> Signer:
    """A signer for the endpoint's generation; one that names none takes that of the credentials.

    Raises:
        UsageError: the credentials are those of another generation, or incomplete; no secret is shown.
    """
    match credentials, endpoint.generation:
        case ApiKey(), "v2" | "":
            return _api_key_signer(credentials)
        case StarkKey(), "v1" | "":
            return StarkSigner(
                _account(credentials.account_id), stark.private_key(credentials.private_key.reveal())
            )
        case _, "v1":
            wanted = "a StarkKey(account_id, private_key)"
        case _:
            wanted = "an ApiKey(key, secret, passphrase, account_id)"
    raise UsageError(f"this endpoint of edgeX takes {wanted}, not a {type(credentials).__name__}")


def _api_key_signer(credentials: ApiKey) -> ApiKeySigner:
    if credentials.passphrase is None or credentials.account_id is None:
        raise UsageError(
            "an edgeX API key has a passphrase and an account: ApiKey(key, secret, passphrase, account_id)"
        )
    key, passphrase = credentials.key.reveal(), credentials.passphrase.reveal()
    if _TOKEN.fullmatch(key) is None or _TOKEN.fullmatch(passphrase) is None:
        raise UsageError("key and passphrase of an edgeX API key are printable ASCII without blanks")
    return ApiKeySigner(_account(credentials.account_id), key, credentials.secret.reveal(), passphrase)


def _account(text: str) -> str:
    if _ACCOUNT.fullmatch(text) is None:
        raise UsageError(f"an edgeX account id is a number, not {text!r}")
    return text
