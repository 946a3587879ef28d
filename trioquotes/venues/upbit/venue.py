"""Upbit as a venue: what it serves, where, within which limits, and on which lines."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
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
from trioquotes.venues.upbit import topics as native
from trioquotes.venues.upbit import unify
from trioquotes.venues.upbit.audit import audit_of
from trioquotes.venues.upbit.auth import ALGORITHMS, Algorithm, Signer
from trioquotes.venues.upbit.channels import (
    CAPTURED,
    DEPTHS,
    MARKETS,
    PRIVATE,
    SOCKETS,
    detail,
    lane_name,
    socket_of,
    with_depth,
)
from trioquotes.venues.upbit.formats import FORMATS, INTERVALS
from trioquotes.venues.upbit.protocol import UpbitProtocol

__all__ = ["UpbitVenue"]

_CODE: Final = re.compile(r"([A-Z0-9]+)-([A-Z0-9]+)")
_PAIR: Final = re.compile(r"([A-Z0-9]+)/([A-Z0-9]+)")
_LEVEL: Final = re.compile(r"0|[1-9][0-9]{0,17}|(?:0|[1-9][0-9]{0,17})\.[0-9]{0,17}[1-9]")

QUOTES: Final = frozenset({"KRW", "BTC", "USDT", "SGD", "IDR", "THB"})
"""Currencies that markets are quoted in, in Korea and overseas.

*Source:* Trading pairs; global documentation.
"""
_FIAT: Final = frozenset({"KRW", "SGD", "IDR", "THB"})
"""Money, which is never what is bought: a code that begins with something else has its halves swapped."""
_NO_LEVELS: Final = frozenset({"BTC", "USDT"})
"""Markets in which a level brings nothing at all, not even an error.

*Source:* WebSocket reference, "Orderbook".
"""

_DEFAULTS: Final[Mapping[str, tuple[str, ...]]] = {"format": FORMATS, "jwt_algorithm": ALGORITHMS}
"""The venue's own options, with what each may be; the first is the default."""

_UNIFIED: Final[frozenset[type[Topic[Event]]]] = frozenset(
    {
        unified.Trades, unified.Quotes, unified.Tickers, unified.Books, unified.Depths, unified.Candles,
        unified.Instruments, unified.Orders, unified.Fills, unified.Balances,
    }
)  # fmt: skip

_OF_ALL: Final[Mapping[type[Topic[Event]], tuple[WireChannel, Unify]]] = {
    unified.Orders: (WireChannel("myOrder"), unify.orders),
    unified.Fills: (WireChannel("myOrder"), unify.fills),
    unified.Balances: (WireChannel("myAsset"), unify.balances),
}

_UNIFIED_OF: Final[Mapping[str, tuple[type[Topic[Event]], ...]]] = {
    "trade": (unified.Trades,),
    "ticker": (unified.Tickers,),
    "orderbook": (unified.Books,),
    **{f"candle.{interval}": (unified.Candles,) for interval in INTERVALS},
    "myOrder": (unified.Orders, unified.Fills),
    "myAsset": (unified.Balances,),
}


class UpbitVenue(Venue):
    """Upbit, in Korea and overseas.

    Its own options are ``format``, the format asked for on the wire, and ``jwt_algorithm``, ``HS512`` or ``HS256``.

    *Source:* WebSocket guide, rate limits, trading pairs; global documentation.
    """

    name = unify.VENUE_NAME
    endpoints: ClassVar[Mapping[str, Endpoint]] = MappingProxyType(
        {
            name: Endpoint(
                public=f"wss://{host}/websocket/v1",
                private=f"wss://{host}/websocket/v1/private",
                rest=f"https://{host}",
            )
            for name, host in (
                ("production", "api.upbit.com"),
                ("sg", "sg-api.upbit.com"),
                ("id", "id-api.upbit.com"),
                ("th", "th-api.upbit.com"),
            )
        }
    )
    # Whether pings count as messages is not said, so they do: there are three a minute, and the reserve is theirs.
    budgets: ClassVar[tuple[Budget, ...]] = (
        Budget("connections", 5, 1.0, "ip", frozenset({"connect"})),
        Budget("messages a second", 5, 1.0, "connection", frozenset({"send", "ping"}), reserve=2),
        Budget("messages a minute", 100, 60.0, "connection", frozenset({"send", "ping"}), reserve=8),
        Budget("REST requests", 10, 1.0, "ip", frozenset({"rest"})),
    )
    limits = Limits(max_message_bytes=4 * 1024 * 1024, quiet_s=50.0)
    topics: ClassVar[Mapping[str, type[Topic[Event]]]] = MappingProxyType(native.TOPICS)
    unified = _UNIFIED

    def instrument(self, text: str) -> str:
        """A code as it is, ``KRW-BTC``, or made of ``BTC/KRW``: a code has the quote currency first.

        Raises:
            InvalidInstrument: it cannot be one; the venue itself would say nothing at all to it.
        """
        pair = _PAIR.fullmatch(text)
        code = f"{pair[2]}-{pair[1]}" if pair else text
        found = _CODE.fullmatch(code)
        if found is None:
            upper = text.upper()
            known = _PAIR.fullmatch(upper) or _CODE.fullmatch(upper)
            meant = f"; did you mean {upper!r}?" if known else ", such as 'KRW-BTC'"
            raise InvalidInstrument(f"{text!r} is not an Upbit code{meant}")
        quote, base = found.groups()
        if base in _FIAT:
            meant = f"{base}-{quote}" if pair is None else f"{quote}/{base}"
            raise InvalidInstrument(
                f"{text!r}: nothing is bought with {quote} for {base}; did you mean {meant!r}?"
            )
        if pair is not None and quote not in QUOTES:
            able = ", ".join(sorted(QUOTES))
            raise InvalidInstrument(f"{text!r}: Upbit has no markets in {quote}; it has some in {able}")
        return code

    def topic(self, name: str, instrument: str, native: bool) -> Topic[Event]:
        """The topic of that name.

        Raises:
            UnsupportedTopic: there is no such topic.
            InvalidInstrument: the text is none, or one too many or missing.
        """
        kind = self.kind_of(name, native)
        fields = {field.name: field for field in msgspec.structs.fields(kind)}
        if "instrument" not in fields:
            if instrument:
                raise InvalidInstrument(f"{name} takes no instrument, and got {instrument!r}")
            return kind()
        if not instrument and fields["instrument"].required:
            raise InvalidInstrument(f"{name} needs an instrument, such as 'KRW-BTC'")
        values = {"instrument": self.instrument(instrument) if instrument else None}
        if native and "interval" in fields:
            values["interval"] = name.removeprefix("candle.")
        return msgspec.convert(values, kind)

    def serve(self, topic: Topic[Event], options: Options) -> Serving:
        """Which channels the topic needs.

        Raises:
            UnsupportedTopic: Upbit has nothing for it, or not in that form.
            InvalidInstrument: its instrument cannot be a code.
            MissingCredentials: it is private.
            UsageError: an option of the venue has no such value.
        """
        _option(options, "format")
        _option(options, "jwt_algorithm")
        _no_others(options)
        if isinstance(topic, native.ChannelTopic):
            serving = self._native(topic)
        elif type(topic) in _UNIFIED:
            serving = self._unified(topic, options)
        else:
            able = ", ".join(sorted(kind.__name__ for kind in _UNIFIED))
            raise UnsupportedTopic(f"upbit cannot serve {topic}; it can serve {able}")
        if topic.private and not options.has_credentials:
            raise MissingCredentials(f"{topic}: it is private: give credentials")
        return serving

    def _native(self, topic: native.ChannelTopic[Event]) -> Serving:
        match topic:
            case native.Orderbooks():
                book = WireChannel("orderbook", self.instrument(topic.instrument), _book_detail(topic))
                _level_serves(topic, book.instrument)
                return Serving((book, with_depth(book, _depth(topic, topic.depth))), "native")
            case native.Candles():
                _interval(topic.interval)
                return Serving((self._of(topic.name, topic.instrument, _only(topic, topic.only)),), "native")
            case native.Tickers() | native.Trades():
                return Serving((self._of(topic.name, topic.instrument, _only(topic, topic.only)),), "native")
            case native.MyOrders():
                only = self.instrument(topic.instrument) if topic.instrument else ""
                return Serving((WireChannel("myOrder"),), "native", only=only)
            case native.Announcements():
                said = detail(
                    categories=sorted(set(topic.categories)) or None, include_body=topic.include_body or None
                )
                return Serving((WireChannel("announcement", "", said),), "native")
            case native.Indicators() | native.IndicatorSignals():
                return Serving((self._of(topic.name, topic.instrument, _indicators(topic)),), "native")
            case _:
                return Serving((WireChannel(topic.channel),), "native")

    def _of(self, kind: str, instrument: str, said: str = "") -> WireChannel:
        return WireChannel(kind, self.instrument(instrument), said)

    def _unified(self, topic: Topic[Event], options: Options) -> Serving:
        match topic:
            case unified.Trades():
                new = unify.NewTrades()  # it lives as long as the topic: over reconnects too
                return Serving((self._of("trade", topic.instrument),), "events", lambda: new)
            case unified.Tickers():
                channel = self._of("ticker", topic.instrument)
                return Serving((channel,), "events", unify.always(unify.tickers))
            case unified.Books():
                return self._book(topic.instrument, "book", _depth(topic, topic.depth), options)
            case unified.Quotes():
                return self._book(topic.instrument, "quotes", 1, options)
            case unified.Depths():
                if topic.levels > DEPTHS[-1]:
                    raise UnsupportedTopic(f"{topic}: upbit's books have {DEPTHS[-1]} levels a side")
                return self._book(topic.instrument, "depths", _depth(topic, topic.levels), options)
            case unified.Candles():
                interval = topic.interval or "1m"
                _interval(interval)
                channel = self._of(f"candle.{interval}", topic.instrument)
                return Serving((channel,), "events", unify.always(unify.candles))
            case unified.Instruments():
                if options.endpoint.rest is None:
                    raise UnsupportedTopic("upbit has its instruments by REST, and the endpoint has none")
                return Serving((MARKETS,), "events", unify.always(unify.instruments))
            case _:
                return self._own(topic)

    def _book(
        self, instrument: str, kind: Literal["book", "quotes", "depths"], depth: int, options: Options
    ) -> Serving:
        """A kept book of so many levels a side; each depth is one that REST has too, so that all can be audited."""
        book = self._of("orderbook", instrument)
        audit = audit_of(self.name, options.endpoint.rest, book.instrument, depth)
        make = unify.always(unify.books(depth))
        return Serving((book, with_depth(book, depth)), kind, make, depth=depth, audit=audit)

    def _own(self, topic: Topic[Event]) -> Serving:
        if getattr(topic, "accounts", ()):
            raise UnsupportedTopic("upbit has one account: say balances without accounts")
        channel, make = _OF_ALL[type(topic)]
        only = self.instrument(topic.subject) if topic.subject else ""
        return Serving((channel,), "events", unify.always(make), only=only)

    def plan(self, channels: Sequence[WireChannel], options: Options) -> Mapping[Lane, Sequence[WireChannel]]:
        """The public, private and info socket, and a line of its own for what could not be told apart there."""
        del options
        lanes: dict[Lane, list[WireChannel]] = {}
        for channel in channels:
            lanes.setdefault(Lane(lane_name(channel)), []).append(channel)
        return lanes

    def protocol(
        self, lane: Lane, secrets: Credentials | None, memory: Memory, options: Options
    ) -> VenueProtocol:
        """The protocol of a connection of that lane.

        Raises:
            UsageError: the credentials are not an Upbit API key, or an option has no such value.
        """
        signer: Signer | None = None
        if secrets is not None and socket_of(lane.name) in PRIVATE:
            signer = Signer.of(secrets, _algorithm(options))
        return UpbitProtocol(lane, signer, memory, options, _option(options, "format"))

    def offline(self, channel: str) -> Lane:
        """The lane that reads captured frames; its name tells the type of those that do not say it."""
        return Lane(f"{CAPTURED}-{channel}" if channel in SOCKETS else CAPTURED)

    def offline_topics(self, channel: WireChannel, native: bool) -> Sequence[Topic[Event]]:
        """The native topic of the channel, or the unified ones that are made of it."""
        kinds = (self.topics[channel.name],) if native else _UNIFIED_OF.get(channel.name, ())
        values = {"instrument": channel.instrument or None}
        if channel.name.startswith("candle."):
            values["interval"] = channel.name.removeprefix("candle.")
        return [
            msgspec.convert({name: values[name] for name in kind.__struct_fields__ if name in values}, kind)
            for kind in kinds
        ]


def _option(options: Options, name: str) -> str:
    """What the session was opened with, or the default."""
    allowed = _DEFAULTS[name]
    found = options.extra.get(name, allowed[0])
    if found not in allowed:
        raise UsageError(f"upbit's option {name} is one of {', '.join(allowed)}, not {found!r}")
    return found


def _no_others(options: Options) -> None:
    unknown = sorted(options.extra.keys() - _DEFAULTS.keys())
    if unknown:
        raise UsageError(f"upbit has no option {unknown[0]!r}; it has {', '.join(_DEFAULTS)}")


def _algorithm(options: Options) -> Algorithm:
    return "HS256" if _option(options, "jwt_algorithm") == "HS256" else "HS512"


def _depth(topic: Topic[Event], depth: int | None) -> int:
    """Levels a side that the topic gets at most."""
    if depth is not None and depth < 1:
        raise UnsupportedTopic(f"{topic}: a depth is at least 1, not {depth}")
    return DEPTHS[-1] if depth is None else min(depth, DEPTHS[-1])


def _interval(interval: str) -> None:
    if interval not in INTERVALS:
        raise UnsupportedTopic(f"upbit has no candles of {interval!r}; it has {', '.join(INTERVALS)}")


def _only(topic: Topic[Event], only: str | None) -> str:
    if only not in {None, "snapshot", "realtime"}:
        raise UnsupportedTopic(f"{topic}: only='snapshot' or only='realtime', not {only!r}")
    return detail(**({} if only is None else {f"is_only_{only}": True}))


def _book_detail(topic: native.Orderbooks) -> str:
    level = topic.level
    if level is None or level == "0":
        return _only(topic, topic.only)
    if _LEVEL.fullmatch(level) is None:
        raise UnsupportedTopic(f"{topic}: a level is a plain number, such as '10000', not {level!r}")
    _only(topic, topic.only)
    only = {} if topic.only is None else {f"is_only_{topic.only}": True}
    return detail(level=msgspec.Raw(level.encode()), **only)


def _level_serves(topic: native.Orderbooks, code: str) -> None:
    """The venue itself would say nothing to it."""
    if topic.level not in {None, "0"} and code.partition("-")[0] in _NO_LEVELS:
        raise UnsupportedTopic(f"{topic}: levels are there for markets in money, such as KRW-BTC")


def _indicators(topic: native.Indicators | native.IndicatorSignals) -> str:
    if topic.timeframe not in native.TIMEFRAMES:
        able = ", ".join(native.TIMEFRAMES)
        raise UnsupportedTopic(f"{topic}: indicators are of candles of {able}, not {topic.timeframe!r}")
    if topic.instrument.rpartition("/")[2].partition("-")[0] != "KRW":
        raise UnsupportedTopic(f"{topic}: indicators are there for markets in KRW")
    if not topic.indicators:
        return detail(timeframe=topic.timeframe)
    try:
        listed = msgspec.json.decode(topic.indicators, type=list[dict[str, msgspec.Raw]])
    except msgspec.MsgspecError as error:
        raise UnsupportedTopic(f"{topic}: indicators are a JSON list of objects: {error}") from None
    return detail(timeframe=topic.timeframe, indicators=listed)
