"""What a client may ask on the feed, and what it is told when it may not; pure.

*Source:* docs.cdp.coinbase.com/exchange/websocket-feed, pages overview (subscribe grammar), authentication,
channels and errors; the words of the refusals as recorded on the wire where they were.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Collection, Mapping
from decimal import Decimal
from typing import Any, Literal

import attrs

from trioquotes.simulator.venues.coinbase.listings import Profile

__all__ = ["Asked", "Refusal", "Request", "Rules", "Violation", "read_request", "sign"]

CANONICAL = {"level2_batch": "level2_50", "ticker_batch": "ticker_1000"}
"""Names under which the venue acknowledges a channel that may be asked for by another."""

CHANNELS = frozenset(
    {
        "heartbeat", "status", "ticker", "ticker_1000", "level2", "level2_50", "full", "user", "matches",
        "level3", "balance", "rfq_matches", "auctionfeed",
    }
)  # fmt: skip

SIGNED_CHANNELS = frozenset({"level2", "level3", "full", "user", "balance"})
SIGNED_WORDS = (
    "level2, level3, and full channels now require authentication. "
    "https://docs.cloud.coinbase.com/exchange/docs/websocket-auth"
)
WITHOUT_PRODUCTS = frozenset({"status", "balance"})
EVERY_PRODUCT = "ALL"

CLOCK_WINDOW_S = 30
"""How far a request's timestamp may be from the server's clock."""

POLICY_VIOLATION = 1008


@attrs.frozen
class Asked:
    """One channel of a request, under its canonical name.

    Attributes:
        products: root ids and the channel's own, added together, in order, each once.
        accounts: the same for account ids.
    """

    channel: str
    products: tuple[str, ...] = ()
    accounts: tuple[str, ...] = ()


@attrs.frozen
class Request:
    """A request that may be served.

    Attributes:
        profile: who signed it, or ``None``.
    """

    kind: Literal["subscribe", "unsubscribe"]
    asked: tuple[Asked, ...]
    profile: Profile | None = None


@attrs.frozen
class Refusal:
    """The words of an error message; the line stays open."""

    message: str
    reason: str | None = None


@attrs.frozen
class Violation:
    """What the venue closes the line for."""

    code: int
    reason: str


@attrs.frozen(kw_only=True)
class Rules:
    """What a request is held against.

    Attributes:
        products: valid ids; ``None`` lets every id pass, as for playback.
        keys: known clients by API key; ``None`` asks for no signature and checks none.
        accounts: account ids with the name of the profile that has them.
        direct: whether every request must be signed.
        unsubscribe_without_ids: whether that is refused (recorded in 2018) or means all products (documented).
        rfq_needs_signature: whether ``rfq_matches`` is for signed requests only (documented, but seen without).
    """

    products: Collection[str] | None
    keys: Mapping[str, Profile] | None
    accounts: Mapping[str, str] = attrs.field(factory=dict)
    direct: bool = False
    unsubscribe_without_ids: Literal["refuse", "all"] = "refuse"
    rfq_needs_signature: bool = False


class _Refused(Exception):
    def __init__(self, outcome: Refusal | Violation) -> None:
        super().__init__(outcome)
        self.outcome = outcome


def sign(secret: str, timestamp: str) -> str:
    """The signature of a subscribe request.

    *Source:* docs.cdp.coinbase.com/exchange/websocket-feed/authentication.
    """
    prehash = f"{timestamp}GET/users/self/verify".encode()
    return base64.b64encode(hmac.digest(base64.b64decode(secret), prehash, hashlib.sha256)).decode()


def read_request(text: str, rules: Rules, now_s: Decimal) -> Request | Refusal | Violation:
    """Read and check one message of a client.

    Args:
        text: the frame.
        rules: what it is held against.
        now_s: the server's wall clock, Unix seconds.
    """
    try:
        return _read(text, rules, now_s)
    except _Refused as refused:
        return refused.outcome


def _read(text: str, rules: Rules, now_s: Decimal) -> Request:
    try:
        fields = json.loads(text)
    except (ValueError, RecursionError):
        raise _Refused(Refusal("Malformed JSON")) from None
    _check_shape(fields)
    kind = fields.get("type")
    if kind not in {"subscribe", "unsubscribe"}:
        reason = "Type has to be either subscribe or unsubscribe"
        raise _Refused(Refusal("Failed to subscribe", reason))
    failed = f"Failed to {kind}"
    channels = fields.get("channels") or []
    if not channels:
        raise _Refused(Refusal(failed, "No channels provided"))
    profile = _authenticate(fields, rules, now_s)
    reader = _ChannelReader(fields, kind, rules, profile)
    try:
        asked = tuple(reader.read(channel) for channel in channels)
    except ValueError as error:
        raise _Refused(Refusal(failed, str(error))) from None
    return Request(kind, asked, profile)


def _check_shape(fields: Any) -> None:
    """Close the line for JSON of the wrong types, such as a timestamp that is a number."""
    texts = ("type", "signature", "key", "passphrase", "timestamp")
    lists = ("product_ids", "account_ids")
    good = isinstance(fields, dict) and all(isinstance(fields.get(name, ""), str) for name in texts)
    good = good and all(_is_texts(fields.get(name, [])) for name in lists)
    good = good and isinstance(fields.get("channels", []), list)
    if good:
        for channel in fields.get("channels", []):
            is_object = (
                isinstance(channel, dict)
                and isinstance(channel.get("name"), str)
                and all(_is_texts(channel.get(name, [])) for name in lists)
            )
            good = good and (isinstance(channel, str) or is_object)
    if not good:
        raise _Refused(Violation(POLICY_VIOLATION, "invalid (un)subscribe msg"))


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _authenticate(fields: Mapping[str, Any], rules: Rules, now_s: Decimal) -> Profile | None:
    if rules.keys is None:
        return None
    names = ("signature", "key", "passphrase", "timestamp")
    if not any(fields.get(name) for name in names):
        if rules.direct:
            raise _authentication_failed("Invalid API Key")
        return None
    profile = rules.keys.get(fields.get("key", ""))
    if profile is None:
        raise _authentication_failed("Invalid API Key")
    timestamp = fields.get("timestamp", "")
    try:
        late = abs(Decimal(timestamp) - now_s) > CLOCK_WINDOW_S
    except ArithmeticError:
        raise _authentication_failed("invalid timestamp") from None
    if late:
        raise _authentication_failed("request timestamp expired")
    try:
        good = hmac.compare_digest(sign(profile.secret, timestamp), fields.get("signature", ""))
    except (binascii.Error, TypeError):
        good = False
    if not good:
        raise _authentication_failed("invalid signature")
    if not hmac.compare_digest(
        profile.passphrase.encode(), fields.get("passphrase", "").encode(errors="replace")
    ):
        raise _authentication_failed("Invalid Passphrase")
    return profile


def _authentication_failed(words: str) -> _Refused:
    """The reason is JSON inside a string for all but the signature, as recorded."""
    reason = words if words == "invalid signature" else json.dumps({"message": words}, separators=(",", ":"))
    return _Refused(Refusal("Authentication Failed", reason))


class _ChannelReader:
    """Reads the channels of one request; a ``ValueError`` holds the words of the refusal."""

    def __init__(self, fields: Mapping[str, Any], kind: str, rules: Rules, profile: Profile | None) -> None:
        self._fields = fields
        self._subscribes = kind == "subscribe"
        self._rules = rules
        self._profile = profile

    def read(self, channel: str | Mapping[str, Any]) -> Asked:
        own: Mapping[str, Any] = {"name": channel} if isinstance(channel, str) else channel
        name = CANONICAL.get(own["name"], own["name"])
        if name not in CHANNELS:
            raise ValueError(f"{own['name']} is not a valid channel")
        self._check_signed(name)
        if name == "balance":
            return Asked(name, accounts=self._accounts(own))
        if name in WITHOUT_PRODUCTS:
            return Asked(name)
        return Asked(name, products=self._products(name, own))

    def _check_signed(self, name: str) -> None:
        signed = name in SIGNED_CHANNELS or (name == "rfq_matches" and self._rules.rfq_needs_signature)
        if not signed or self._profile or self._rules.keys is None or not self._subscribes:
            return
        if name in {"level2", "level3", "full"}:
            raise ValueError(SIGNED_WORDS)
        raise ValueError(f"{name} channel requires authentication")

    def _products(self, name: str, own: Mapping[str, Any]) -> tuple[str, ...]:
        if own.get("product_ids") == []:
            raise ValueError(" is not a valid product")
        products = _together(self._fields, own, "product_ids")
        if name == "rfq_matches" and (not products or set(products) & {"", EVERY_PRODUCT}):
            return (EVERY_PRODUCT,)
        if not products:
            if self._subscribes or self._rules.unsubscribe_without_ids == "refuse":
                raise ValueError(f"You need to specify at least one product ID for channel {name}")
            return (EVERY_PRODUCT,)
        for product in products:
            if self._rules.products is not None and product not in self._rules.products:
                raise ValueError(f"{product} is not a valid product")
        return products

    def _accounts(self, own: Mapping[str, Any]) -> tuple[str, ...]:
        accounts = _together(self._fields, own, "account_ids")
        if not accounts:
            raise ValueError("You need to specify at least one account ID for channel balance")
        for account in accounts:
            if self._profile and self._rules.accounts.get(account) != self._profile.name:
                raise ValueError(f"{account} is not a valid account")
        return accounts


def _together(fields: Mapping[str, Any], own: Mapping[str, Any], name: str) -> tuple[str, ...]:
    """Root ids and the channel's own, each once."""
    return tuple(dict.fromkeys([*fields.get(name, []), *own.get(name, [])]))
