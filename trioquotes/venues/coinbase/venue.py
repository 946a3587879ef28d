"""Coinbase Exchange as a venue: what it serves, where, within which limits, and on which lines."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import ClassVar, Final, Literal

import msgspec

from trioquotes import topics as unified
from trioquotes._protocol.contract import Memory, Venue, VenueProtocol
from trioquotes._protocol.effects import (
    Budget,
    Endpoint,
    Lane,
    Limits,
    Options,
    Serving,
    Unify,
    WireChannel,
)
from trioquotes.credentials import Credentials
from trioquotes.errors import InvalidInstrument, MissingCredentials, UnsupportedTopic, UsageError
from trioquotes.events import Event
from trioquotes.topics import Topic
from trioquotes.venues.coinbase import by_order, rest, unify
from trioquotes.venues.coinbase import topics as native
from trioquotes.venues.coinbase.auth import Signer
from trioquotes.venues.coinbase.conversation import BY_ORDER
from trioquotes.venues.coinbase.protocol import CoinbaseProtocol
from trioquotes.venues.coinbase.readings import HOMES, READINGS
from trioquotes.venues.coinbase.requests import SIGNED_CHANNELS, canonical

__all__ = ["CoinbaseVenue"]

_PRODUCT = re.compile(r"[A-Z0-9]+(?:-[A-Z0-9]+)+")
_PRODUCT_IN_ANY_CASE = re.compile(r"[A-Za-z0-9]+(?:-[A-Za-z0-9]+)+")

_FOR_USERS = "it is private: give credentials"
_INSTEAD = {
    "level2": "it needs credentials since August 2023; level2_batch is the book without",
    "level3": "it needs credentials since August 2023; level2_batch is the book without",
    "full": "it needs credentials since August 2023; matches and level2_batch are without",
}

_UNIFIERS: Final[Mapping[type[Topic[Event]], Unify]] = {
    unified.Trades: unify.trades,
    unified.Quotes: unify.books,
    unified.Tickers: unify.tickers,
    unified.Books: unify.books,
    unified.Depths: unify.books,
    unified.OrderBooks: by_order.order_books,
    unified.Instruments: unify.instruments,
    unified.Orders: unify.orders,
    unified.Fills: unify.fills,
    unified.Balances: unify.balances,
}

_DEFAULTS: Final[Mapping[str, tuple[str, ...]]] = {"by_order": ("full", "level3")}
"""The venue's own options, with what each may be; the first is the default. ``by_order`` is the channel of ``OrderBooks``."""

_UNIFIED_OF: Final[Mapping[str, tuple[type[Topic[Event]], ...]]] = {
    "matches": (unified.Trades,),
    "ticker": (unified.Tickers,),
    "ticker_batch": (unified.Tickers,),
    "level2": (unified.Books,),
    "level2_batch": (unified.Books,),
    "user": (unified.Orders, unified.Fills),
    "balance": (unified.Balances,),
    "status": (unified.Instruments,),
}


class CoinbaseVenue(Venue):
    """Coinbase Exchange.

    The public book is ``level2_batch``; with credentials ``Books``, ``Quotes`` and ``Depths`` are made of ``level2``.
    ``OrderBooks`` is made of ``full``, or with the option ``by_order="level3"`` of ``level3``, and of a book that is
    fetched over REST. At most 10 subscriptions of one product and channel are allowed for one account at a time, over
    all its sessions: an eleventh is refused by the venue and ends as ``SubscriptionRejected``.

    *Source:* Exchange, WebSocket overview, channels, rate limits, best practices; REST rate limits; sandbox.
    """

    name = unify.VENUE_NAME
    endpoints: ClassVar[Mapping[str, Endpoint]] = MappingProxyType(
        {
            "production": Endpoint(
                "wss://ws-feed.exchange.coinbase.com", rest="https://api.exchange.coinbase.com"
            ),
            "direct": Endpoint(
                "wss://ws-direct.exchange.coinbase.com", rest="https://api.exchange.coinbase.com", signed=True
            ),
            "sandbox": Endpoint(
                "wss://ws-feed-public.sandbox.exchange.coinbase.com",
                rest="https://api-public.sandbox.exchange.coinbase.com",
            ),
            "sandbox-direct": Endpoint(
                "wss://ws-direct.sandbox.exchange.coinbase.com",
                rest="https://api-public.sandbox.exchange.coinbase.com",
                signed=True,
            ),
        }
    )
    # Of the two numbers for messages, 100 a second and a bucket that is refilled with 10 a second, a window
    # of 10 a second breaks neither, whatever was sent before; requests are large and few, so it costs nothing.
    # Bursts above the rates of connects and of REST are allowed by the venue and never used.
    budgets: ClassVar[tuple[Budget, ...]] = (
        Budget("connections", 8, 1.0, "ip", frozenset({"connect"})),
        Budget("messages", 10, 1.0, "ip", frozenset({"send", "ping"}), reserve=2),
        Budget("REST requests", 10, 1.0, "ip", frozenset({"rest"})),
    )
    limits = Limits(max_message_bytes=32 * 1024 * 1024, quiet_s=10.0)
    topics: ClassVar[Mapping[str, type[Topic[Event]]]] = MappingProxyType(native.TOPICS)
    unified = frozenset(_UNIFIERS)

    def instrument(self, text: str) -> str:
        """A product id as it is, ``BTC-USD``, or made of ``BTC/USD``.

        Raises:
            InvalidInstrument: it cannot be a product id.
        """
        product = text.replace("/", "-", 1)
        if _PRODUCT.fullmatch(product) is None:
            hint = product.upper()
            meant = f"; did you mean {hint!r}?" if _PRODUCT.fullmatch(hint) else ", such as 'BTC-USD'"
            raise InvalidInstrument(f"{text!r} is not a Coinbase product id{meant}")
        return product

    def topic(self, name: str, instrument: str, native: bool) -> Topic[Event]:
        """The topic of that name; for ``balance`` the instrument is the account's id.

        Raises:
            UnsupportedTopic: there is no such topic, or it needs an account.
            InvalidInstrument: the text is none, or one too many or missing.
        """
        kind = self.kind_of(name, native)
        fields = kind.__struct_fields__
        if not fields:
            if instrument:
                raise InvalidInstrument(f"{name} takes no instrument, and got {instrument!r}")
            return kind()
        if fields[0] == "accounts":
            return self._with_accounts(kind, (instrument,) if instrument else ())
        if not instrument and "instrument" in _required(kind):
            raise InvalidInstrument(f"{name} needs an instrument, such as 'BTC-USD'")
        return msgspec.convert({"instrument": self.instrument(instrument) if instrument else None}, kind)

    def serve(self, topic: Topic[Event], options: Options) -> Serving:
        """Which channels the topic needs.

        Raises:
            UnsupportedTopic: Coinbase has nothing for it, or needs more than it says.
            InvalidInstrument: its instrument cannot be a product id.
            MissingCredentials: it is private, or the endpoint signs every line.
            UsageError: the session was opened with an option that there is not.
        """
        _check_options(options)
        kind = type(topic)
        if isinstance(topic, native.ChannelTopic):
            serving = self._native(topic)
        elif kind in _UNIFIERS:
            serving = self._unified(topic, options)
        else:
            able = ", ".join(sorted(t.__name__ for t in _UNIFIERS))
            raise UnsupportedTopic(f"coinbase cannot serve {topic}; it can serve {able}")
        self._check_credentials(topic, serving, options)
        return serving

    def _native(self, topic: native.ChannelTopic[Event]) -> Serving:
        match topic:
            case native.Statuses():
                return Serving((WireChannel("status"),), "native")
            case native.RfqMatches(instrument=None):
                return Serving((WireChannel("rfq_matches"),), "native")
            case native.RfqMatches(instrument=str(product)):
                # One subscription to all of them: the venue refuses a product beside it.
                return Serving((WireChannel("rfq_matches"),), "native", only=_product(product))
            case native.Balances(accounts=accounts):
                return Serving(_accounts(topic, accounts), "native")
            case _:
                channel = WireChannel(topic.channel, _product(topic.subject))
                return Serving((channel,), "native", remembers=channel.name in BY_ORDER)

    def _unified(self, topic: Topic[Event], options: Options) -> Serving:
        make = unify.stateless(_UNIFIERS[type(topic)])
        match topic:
            case unified.Trades():
                return Serving((WireChannel("matches", _product(topic.instrument)),), "events", make)
            case unified.Tickers():
                return Serving((WireChannel("ticker", _product(topic.instrument)),), "events", make)
            case unified.Books():
                return self._by_price(topic.instrument, "book", make, options)
            case unified.Quotes():
                return self._by_price(topic.instrument, "quotes", make, options)
            case unified.Depths(levels=levels):
                if levels < 1:
                    raise UnsupportedTopic(f"{topic}: at least 1 level a side, not {levels}")
                return self._by_price(topic.instrument, "depths", make, options)
            case unified.OrderBooks():
                return self._by_order(topic, make, options)
            case unified.Balances():
                return Serving(_accounts(topic, topic.accounts), "events", make)
            case unified.Instruments():
                return Serving((WireChannel("status"),), "events", make)
            case _:
                return Serving((WireChannel("user", _of_one_product(topic)),), "events", make)

    def _by_price(
        self,
        instrument: str,
        kind: Literal["book", "quotes", "depths"],
        make: Callable[[], Unify],
        options: Options,
    ) -> Serving:
        """A book by price, which is whole on either channel."""
        product = _product(instrument)
        channel = WireChannel("level2" if options.has_credentials else "level2_batch", product)
        return Serving((channel,), kind, make, audit=rest.audit_by_price(options.endpoint, product))

    def _by_order(self, topic: Topic[Event], make: Callable[[], Unify], options: Options) -> Serving:
        product = _product(topic.subject)
        channel = WireChannel(_option(options, "by_order"), product)
        audit = rest.audit_by_order(options.endpoint, product)
        if audit is None:
            raise UnsupportedTopic(f"{topic}: its snapshot comes over REST, and this endpoint has none")
        return Serving((channel,), "orders", make, fetched=True, audit=audit)

    def _check_credentials(self, topic: Topic[Event], serving: Serving, options: Options) -> None:
        if options.has_credentials:
            return
        if options.endpoint.signed:
            raise MissingCredentials(f"{topic}: every line of this endpoint is signed: give credentials")
        for channel in serving.channels:
            if channel.name in SIGNED_CHANNELS:
                raise MissingCredentials(f"{topic}: {_INSTEAD.get(channel.name, _FOR_USERS)}")

    def plan(self, channels: Sequence[WireChannel], options: Options) -> Mapping[Lane, Sequence[WireChannel]]:
        """One lane for each group of channels that may share a line, with the heartbeats of its products."""
        del options
        lanes: dict[Lane, dict[WireChannel, None]] = {}
        for channel in channels:
            carried = lanes.setdefault(Lane(HOMES[channel.name]), {})
            carried[channel] = None
            if channel.instrument:
                carried.setdefault(WireChannel("heartbeat", channel.instrument))
        return {lane: tuple(carried) for lane, carried in lanes.items()}

    def protocol(
        self, lane: Lane, secrets: Credentials | None, memory: Memory, options: Options
    ) -> VenueProtocol:
        """The protocol of a connection of that lane.

        Raises:
            UsageError: the credentials are not an Exchange API key.
        """
        signer = None if secrets is None else Signer.of(secrets)
        return CoinbaseProtocol(READINGS[lane.name], signer, memory, options)

    def offline(self, channel: str) -> Lane:
        """The lane that reads captured frames; a channel of unique messages needs none of its own."""
        name = f"captured-{canonical(channel)}"
        return Lane(name if name in READINGS else "captured")

    def offline_topics(self, channel: WireChannel, native: bool) -> Sequence[Topic[Event]]:
        """The native topic of the channel, or the unified ones that are made of it."""
        kinds = (self.topics[channel.name],) if native else _UNIFIED_OF.get(channel.name, ())
        values = {"instrument": channel.instrument or None, "accounts": (channel.detail,)}
        return [
            msgspec.convert({name: values[name] for name in kind.__struct_fields__ if name in values}, kind)
            for kind in kinds
        ]

    @staticmethod
    def _with_accounts(kind: type[Topic[Event]], accounts: tuple[str, ...]) -> Topic[Event]:
        topic = msgspec.convert({"accounts": accounts}, kind)
        _accounts(topic, accounts)
        return topic


def _option(options: Options, name: str) -> str:
    """What the session was opened with, or the default."""
    return options.extra.get(name, _DEFAULTS[name][0])


def _check_options(options: Options) -> None:
    for name, value in options.extra.items():
        if name not in _DEFAULTS:
            raise UsageError(f"coinbase has no option {name!r}; it has {', '.join(_DEFAULTS)}")
        if value not in _DEFAULTS[name]:
            raise UsageError(
                f"coinbase's option {name} is one of {', '.join(_DEFAULTS[name])}, not {value!r}"
            )


def _required(kind: type[Topic[Event]]) -> set[str]:
    return {field.name for field in msgspec.structs.fields(kind) if field.required}


def _product(text: str) -> str:
    """The form of a product id, in any case: whether there is such a product is for the venue to say."""
    product = text.replace("/", "-", 1)
    if _PRODUCT_IN_ANY_CASE.fullmatch(product) is None:
        raise InvalidInstrument(f"{text!r} is not a Coinbase product id, such as 'BTC-USD'")
    return product


def _of_one_product(topic: Topic[Event]) -> str:
    if not topic.subject:
        raise UnsupportedTopic(
            f"coinbase serves {topic.name} of one product at a time: say which, such as 'BTC-USD'"
        )
    return _product(topic.subject)


def _accounts(topic: Topic[Event], accounts: tuple[str, ...]) -> tuple[WireChannel, ...]:
    if not accounts or not all(accounts):
        raise UnsupportedTopic(
            f"coinbase serves {topic.name} of given accounts: say accounts=(account id, ...)"
        )
    return tuple(WireChannel("balance", "", account) for account in dict.fromkeys(accounts))
