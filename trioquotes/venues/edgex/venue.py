"""edgeX as a venue: what it serves, where, within which limits, and on which lines."""

from __future__ import annotations

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
from trioquotes.topics import Books, Depths, Topic
from trioquotes.venues.edgex import topics as native
from trioquotes.venues.edgex import unify
from trioquotes.venues.edgex.account import PrivateProtocol
from trioquotes.venues.edgex.audit import book_audit
from trioquotes.venues.edgex.auth import carrier_of, signer_of
from trioquotes.venues.edgex.channels import (
    CONTRACT,
    DEPTHS,
    INTERVALS,
    PRICE_TYPES,
    TRADE_EVENT,
    channel_of,
)
from trioquotes.venues.edgex.protocol import CapturedProtocol, PublicProtocol

__all__ = ["EdgexVenue"]

PUBLIC: Final = Lane("public")
PRIVATE: Final = Lane("private")
CAPTURED: Final = Lane("captured")

BEST_OF_ALL: Final = WireChannel("bookTicker.all.1s")
"""The only channel of best prices that goes on after its first message."""

_UNIFIED: Final[frozenset[type[Topic[Event]]]] = frozenset(
    {
        unified.Trades,
        unified.Quotes,
        unified.Tickers,
        unified.Books,
        unified.Depths,
        unified.Candles,
        unified.FundingRates,
        unified.Instruments,
        unified.Orders,
        unified.Fills,
        unified.Balances,
    }
)

_V1: Final = Endpoint(
    "wss://quote.edgex.exchange",
    private="wss://quote.edgex.exchange",
    rest="https://pro.edgex.exchange",
    generation="v1",
)
_V2: Final = Endpoint(
    "wss://edgex-quote-prod-v2.edgex.exchange",
    private="wss://edgex-quote-prod-v2.edgex.exchange",
    rest="https://edgex-prod-v2.edgex.exchange",
    generation="v2",
)


class EdgexVenue(Venue):
    """edgeX, in both generations: V1 signs with a Stark key, V2 with an API key; all else is one protocol.

    Options of a session: ``auth`` is ``"header"``, or ``"subprotocol"`` for a signature in
    ``Sec-WebSocket-Protocol`` as browsers send it.

    *Source:* reference page "Websocket API"; V1 and V2 documentation; recorded frames.
    """

    name = unify.VENUE_NAME
    endpoints: ClassVar[Mapping[str, Endpoint]] = MappingProxyType({"production": _V2, "v2": _V2, "v1": _V1})
    # The venue documents no limit. Ten requests a second are what careful clients keep to; pongs come on top. Snapshots
    # to compare books with are never urgent.
    budgets: ClassVar[tuple[Budget, ...]] = (
        Budget("messages", 12, 1.0, "connection", frozenset({"send", "ping"}), reserve=2),
        Budget("snapshots", 1, 1.0, "ip", frozenset({"rest"})),
    )
    # Nor how many topics a line may carry; a careful client spreads more than these over several.
    limits = Limits(max_message_bytes=32 * 1024 * 1024, channels_per_line=120, quiet_s=30.0)
    topics: ClassVar[Mapping[str, type[Topic[Event]]]] = MappingProxyType(native.TOPICS)
    unified = _UNIFIED

    def instrument(self, text: str) -> str:
        """A contract's number as it is, ``30000001``.

        Raises:
            InvalidInstrument: it cannot be one.
        """
        if CONTRACT.fullmatch(text) is None:
            raise InvalidInstrument(
                f"{text!r} is not an edgeX contract: they are numbered, such as '30000001' for BTCUSDC in V2, and only"
                " the channel `metadata` (the topic `instruments`) says which number a name has"
            )
        return text

    def topic(self, name: str, instrument: str, native: bool) -> Topic[Event]:
        """The topic of that name; among the venue's own also a whole channel, ``kline.MARK_PRICE.30000001.HOUR_1``.

        Raises:
            UnsupportedTopic: there is no such topic.
            InvalidInstrument: the text is none, or one too many or missing.
        """
        channel = channel_of(name) if native and not instrument and name not in self.topics else None
        if channel is not None:
            return _native_topic(channel)
        kind = self.kind_of(name, native)
        fields = {field.name: field for field in msgspec.structs.fields(kind)}
        if "instrument" not in fields:
            if instrument:
                raise InvalidInstrument(f"{name} takes no instrument, and got {instrument!r}")
            return kind()
        if not instrument:
            if fields["instrument"].required:
                raise InvalidInstrument(f"{name} needs an instrument, such as '30000001'")
            return kind()
        return msgspec.convert({"instrument": self.instrument(instrument)}, kind)

    def serve(self, topic: Topic[Event], options: Options) -> Serving:
        """Which channels the topic needs.

        Raises:
            UnsupportedTopic: edgeX has nothing for it.
            InvalidInstrument: its instrument cannot be a contract.
            MissingCredentials: it is private.
            UsageError: the option ``auth`` means nothing.
        """
        if isinstance(topic, native.ChannelTopic):
            serving = Serving((self._channel(topic),), "native")
        elif isinstance(topic, Books | Depths):
            serving = self._book(topic, options.endpoint)
        elif type(topic) in _UNIFIED:
            serving = self._unified(topic)
        else:
            able = ", ".join(sorted(kind.__name__ for kind in _UNIFIED))
            raise UnsupportedTopic(f"edgex cannot serve {topic}; it can serve {able}")
        if TRADE_EVENT in serving.channels:
            carrier_of(options.extra)
            if not options.has_credentials:
                raise MissingCredentials(f"{topic}: it is private: give credentials")
        return serving

    def _channel(self, topic: native.ChannelTopic[Event]) -> WireChannel:
        match topic:
            case native.Klines(instrument, interval, price_type):
                if price_type not in PRICE_TYPES:
                    raise UnsupportedTopic(
                        f"edgex has no bars of {price_type!r}; of {', '.join(PRICE_TYPES)}"
                    )
                return WireChannel(
                    "kline", self.instrument(instrument), f"{price_type}.{_interval(interval)}"
                )
            case native.Depths(instrument, level):
                if level not in DEPTHS:
                    raise UnsupportedTopic(f"edgex has books of {DEPTHS} levels a side, not of {level}")
                return WireChannel("depth", self.instrument(instrument), str(level))
            case _ if "instrument" in topic.__struct_fields__:
                return WireChannel(topic.channel, self.instrument(topic.subject))
            case _:
                return WireChannel(topic.channel)

    def _unified(self, topic: Topic[Event]) -> Serving:
        match topic:
            case unified.Trades(contract):
                return self._of_one(WireChannel("trades", contract), unify.trades)
            case unified.Tickers(contract):
                return self._of_one(WireChannel("ticker", contract), unify.tickers)
            case unified.FundingRates(contract):
                return self._of_one(WireChannel("fundingRate", contract), unify.funding_rates)
            case unified.Candles(contract, interval):
                detail = f"LAST_PRICE.{_interval(interval or 'MINUTE_1')}"
                return self._of_one(WireChannel("kline", contract, detail), unify.candles)
            case unified.Quotes(contract):
                make = unify.stateless(unify.quotes)
                return Serving((BEST_OF_ALL,), "events", make, only=self.instrument(contract))
            case unified.Instruments():
                return Serving((WireChannel("metadata"),), "events", unify.stateless(unify.instruments))
            case unified.Orders(contract):
                return self._own(contract, unify.orders)
            case unified.Fills(contract):
                return self._own(contract, unify.fills)
            case _:
                return Serving((TRADE_EVENT,), "events", unify.stateless(unify.balances))

    def _of_one(self, channel: WireChannel, unifier: Unify) -> Serving:
        contract = self.instrument(channel.instrument)
        return Serving((channel,), "events", unify.stateless(unifier), only=contract)

    def _book(self, topic: Books | Depths, endpoint: Endpoint) -> Serving:
        """From the smaller window where it holds all that is wanted."""
        match topic:
            case Books(contract, wanted):
                kind: Literal["book", "depths"] = "book"
                levels = DEPTHS[-1] if wanted is None else min(wanted, DEPTHS[-1])
            case Depths(contract, levels):
                kind = "depths"
        if levels < 1:
            raise UnsupportedTopic(f"a book of {levels} levels a side is none")
        if levels > DEPTHS[-1]:
            raise UnsupportedTopic(f"edgex shows {DEPTHS[-1]} levels a side, not {levels}")
        window = next(window for window in DEPTHS if window >= levels)
        return Serving(
            (WireChannel("depth", self.instrument(contract), str(window)),),
            kind,
            unify.stateless(unify.books(window)),
            only=contract,
            audit=book_audit(endpoint, contract, window),
        )

    def _own(self, contract: str | None, make: Callable[[str], Unify]) -> Serving:
        only = self.instrument(contract) if contract else ""
        return Serving((TRADE_EVENT,), "events", lambda: make(only))

    def plan(self, channels: Sequence[WireChannel], options: Options) -> Mapping[Lane, Sequence[WireChannel]]:
        """One line for all that is public, one for the account."""
        del options
        public = tuple(channel for channel in channels if channel != TRADE_EVENT)
        private = tuple(channel for channel in channels if channel == TRADE_EVENT)
        return {lane: carried for lane, carried in ((PUBLIC, public), (PRIVATE, private)) if carried}

    def protocol(
        self, lane: Lane, secrets: Credentials | None, memory: Memory, options: Options
    ) -> VenueProtocol:
        """The protocol of a connection of that lane.

        Raises:
            UsageError: the credentials are not those of the endpoint's generation.
        """
        if lane == CAPTURED:
            return CapturedProtocol(memory, options)
        if lane.name == PUBLIC.name:
            return PublicProtocol(memory, options)
        signer = None if secrets is None else signer_of(secrets, options.endpoint)
        return PrivateProtocol(signer, options)

    def offline(self, channel: str) -> Lane:
        """One lane reads the captured frames of both sockets: each says what it is."""
        del channel
        return CAPTURED

    def offline_topics(self, channel: WireChannel, native: bool) -> Sequence[Topic[Event]]:
        """The native topic of the channel, or the unified ones that are made of it."""
        if native:
            topic = _native_topic(channel)
            return [topic] if self._knows(topic) else []
        contract = channel.instrument
        match channel.name:
            case "metadata":
                return [unified.Instruments()]
            case "trade-event":
                return [unified.Orders(), unified.Fills(), unified.Balances()]
            case _ if CONTRACT.fullmatch(contract) is None:
                return []
            case "trades":
                return [unified.Trades(contract)]
            case "ticker" | "ticker.all" | "ticker.all.1s":
                return [unified.Tickers(contract)]
            case "bookTicker" | "bookTicker.all" | "bookTicker.all.1s":
                return [unified.Quotes(contract)]
            case "fundingRate" | "fundingRate.all":
                return [unified.FundingRates(contract)]
            case "depth":
                return [unified.Books(contract, int(channel.detail))]
            case _:
                price_type, _, interval = channel.detail.partition(".")
                known = price_type == "LAST_PRICE" and interval in INTERVALS
                return [unified.Candles(contract, interval)] if known else []

    def _knows(self, topic: native.ChannelTopic[Event]) -> bool:
        try:
            self._channel(topic)
        except UsageError:
            return False
        return True


def _native_topic(channel: WireChannel) -> native.ChannelTopic[Event]:
    """The venue's own topic of a channel."""
    match channel.name:
        case "kline":
            price_type, _, interval = channel.detail.partition(".")
            return native.Klines(channel.instrument, interval, price_type)
        case "depth":
            return native.Depths(channel.instrument, int(channel.detail))
        case name:
            kind = native.TOPICS[name]
            values = {"instrument": channel.instrument} if "instrument" in kind.__struct_fields__ else {}
            return msgspec.convert(values, kind)


def _interval(text: str) -> str:
    if text not in INTERVALS:
        raise UnsupportedTopic(f"edgex has no bars of {text!r}; it has {', '.join(INTERVALS)}")
    return text
