"""Zonda as a venue: what it serves, where, within which limits, and on which lines."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import ClassVar, Final, Literal

import attrs
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
from trioquotes.errors import InvalidInstrument, MissingCredentials, UnsupportedTopic
from trioquotes.events import Event
from trioquotes.topics import Depths, Topic
from trioquotes.venues.zonda import books, paths, unify
from trioquotes.venues.zonda import topics as native
from trioquotes.venues.zonda.audit import book_audit
from trioquotes.venues.zonda.auth import Signer, timestamp_divisor
from trioquotes.venues.zonda.protocol import ZondaProtocol
from trioquotes.venues.zonda.readers import Reading

__all__ = ["ZondaVenue"]

_PAIR = re.compile(r"[A-Z0-9]{1,20}-[A-Z0-9]{1,20}")

_MAKERS: Final[Mapping[type[Topic[Event]], Callable[[], Unify]]] = {
    unified.Trades: unify.stateless(unify.trades),
    unified.Quotes: unify.quotes,
    unified.Tickers: unify.tickers,
    unified.Books: unify.stateless(books.books),
    unified.Depths: unify.stateless(books.books),
    unified.Instruments: unify.stateless(unify.instruments),
    unified.Orders: unify.stateless(unify.orders),
    unified.Fills: unify.stateless(unify.fills),
    unified.Balances: unify.stateless(unify.balances),
}

_READINGS: Final[Mapping[str, Reading]] = {"public": Reading(), "private": Reading(private=True)}
_CAPTURED = "captured"


class ZondaVenue(Venue):
    """Zonda (zondacrypto, formerly BitBay).

    The user's own channels go over a line of their own: as documented, own trades are pushed under the topic of the
    market's trades, and there they can be nothing else.

    *Source:* Zonda API, public and private subscription; REST, limits.
    """

    name = unify.VENUE_NAME
    endpoints: ClassVar[Mapping[str, Endpoint]] = MappingProxyType(
        {
            "production": Endpoint(
                "wss://api.zondacrypto.exchange/websocket/", rest="https://api.zondacrypto.exchange/rest"
            )
        }
    )
    # The venue names no limit of the socket. Of REST it allows 60 calls a minute, of some calls more, and a proxy
    # request is one of them; counted together they keep within it whatever they are.
    budgets: ClassVar[tuple[Budget, ...]] = (
        Budget("REST and proxy requests", 60, 60.0, "ip", frozenset({"rest"})),
    )
    limits = Limits(max_message_bytes=8 * 1024 * 1024, quiet_s=40.0)
    topics: ClassVar[Mapping[str, type[Topic[Event]]]] = MappingProxyType(native.TOPICS)
    unified = frozenset(_MAKERS)

    def instrument(self, text: str) -> str:
        """A market code as it is, ``BTC-PLN``, or made of ``BTC/PLN``; likewise a pair of currencies.

        Raises:
            InvalidInstrument: it cannot be one.
        """
        code = text.replace("/", "-", 1)
        if _PAIR.fullmatch(code) is None:
            hint = code.upper()
            meant = f"; did you mean {hint!r}?" if _PAIR.fullmatch(hint) else ", such as 'BTC-PLN'"
            raise InvalidInstrument(f"{text!r} is not a Zonda market code{meant}")
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
            raise InvalidInstrument(f"{name} needs an instrument, such as 'BTC-PLN'")
        return msgspec.convert({"instrument": self.instrument(instrument) if instrument else None}, kind)

    def serve(self, topic: Topic[Event], options: Options) -> Serving:
        """Which channels the topic needs.

        Raises:
            UnsupportedTopic: Zonda has nothing for it.
            InvalidInstrument: its instrument cannot be a market code.
            MissingCredentials: it is private.
            UsageError: an option of the session is wrong.
        """
        timestamp_divisor(options.extra)
        if isinstance(topic, native.ChannelTopic):
            serving = Serving((self._own_channel(topic),), "native")
        elif isinstance(topic, unified.Books):
            serving = self._book(topic.instrument, topic.depth, "book", options)
        elif isinstance(topic, Depths):
            serving = self._depths(topic, options)
        elif type(topic) in _MAKERS:
            serving = Serving(self._channels(topic), "events", _MAKERS[type(topic)])
        else:
            able = ", ".join(sorted(t.__name__ for t in _MAKERS))
            raise UnsupportedTopic(f"zonda cannot serve {topic}; it can serve {able}")
        if topic.private and not options.has_credentials:
            raise MissingCredentials(f"{topic}: it is private: give credentials")
        return serving

    def _own_channel(self, topic: native.ChannelTopic[Event]) -> WireChannel:
        market = self.instrument(topic.subject) if topic.subject else ""
        if not market and "instrument" in _required(type(topic)):
            raise InvalidInstrument(f"{topic.name} needs an instrument, such as 'BTC-PLN'")
        if not isinstance(topic, native.LimitedOrderBooks):
            return WireChannel(topic.channel, market)
        if topic.limit not in paths.WINDOWS:
            raise UnsupportedTopic(f"{topic.name} has a limit of 10, 50 or 100, not {topic.limit}")
        return WireChannel(topic.channel, market, str(topic.limit))

    def _channels(self, topic: Topic[Event]) -> tuple[WireChannel, ...]:
        match topic:
            case unified.Instruments():
                return (WireChannel(paths.LISTING),)
            case unified.Balances(accounts=accounts):
                if accounts:
                    raise UnsupportedTopic("zonda serves balances of all accounts: leave accounts out")
                return (WireChannel(paths.FUNDS),)
            case unified.Orders() | unified.Fills() if not topic.subject:
                market = ""
            case _:
                market = self.instrument(topic.subject)
        match topic:
            case unified.Trades():
                names: tuple[str, ...] = (paths.TRANSACTIONS,)
            case unified.Quotes():
                names = (paths.TICKER,)
            case unified.Tickers():
                names = (paths.TICKER, paths.STATS)
            case unified.Orders():
                names = (paths.OFFERS, paths.STOP_OFFERS)
            case _:
                names = (paths.HISTORY,)
        return tuple(WireChannel(name, market) for name in names)

    def _book(
        self, instrument: str, depth: int | None, kind: Literal["book", "depths"], options: Options
    ) -> Serving:
        channel = _window(self.instrument(instrument), depth)
        audit = book_audit(options.endpoint, channel)
        return Serving((channel,), kind, unify.stateless(books.books), audit=audit)

    def _depths(self, topic: Depths, options: Options) -> Serving:
        """Views of the narrowest window that holds them; the whole book has to be known as deep as it is shown."""
        levels = topic.levels
        if levels > books.SNAPSHOT_LEVELS:
            most = books.SNAPSHOT_LEVELS
            raise UnsupportedTopic(f"{topic}: zonda has at most {most} levels a side, not {levels}")
        serving = self._book(topic.instrument, levels, "depths", options)
        if serving.channels[0].name != paths.ORDERBOOK:
            return serving
        # Of a book that another topic keeps enough for that one may be known, and not enough for this one.
        make = unify.stateless(books.deep_books)
        return attrs.evolve(serving, make=make, depth=levels, verify=books.knows(levels))

    def plan(self, channels: Sequence[WireChannel], options: Options) -> Mapping[Lane, Sequence[WireChannel]]:
        """One lane for all public channels, one for the user's own."""
        del options
        lanes: dict[Lane, list[WireChannel]] = {}
        for channel in channels:
            name = "private" if channel.name in paths.PRIVATE else "public"
            lanes.setdefault(Lane(name), []).append(channel)
        return lanes

    def protocol(
        self, lane: Lane, secrets: Credentials | None, memory: Memory, options: Options
    ) -> VenueProtocol:
        """The protocol of a connection of that lane; nothing is remembered from one to the next.

        Raises:
            UsageError: the credentials are no key pair, or an option of the session is wrong.
        """
        del memory
        signer = None if secrets is None else Signer.of(secrets, options.extra)
        reading = _READINGS.get(lane.name) or _captured(lane.name.removeprefix(_CAPTURED))
        return ZondaProtocol(reading, signer, options)

    def offline(self, channel: str) -> Lane:
        """The lane that reads captured frames; one for each channel, whose answers do not name it."""
        known = paths.parse_captured(channel)
        return Lane(_CAPTURED if known is None else f"{_CAPTURED} {paths.topic_of(known)}")

    def offline_topics(self, channel: WireChannel, native: bool) -> Sequence[Topic[Event]]:
        """The native topic of the channel, or the unified ones that are made of it."""
        market = channel.instrument
        if native:
            values = {"instrument": market or None, "limit": int(channel.detail or 0)}
            kind = self.topics[channel.name]
            return [
                msgspec.convert({key: values[key] for key in kind.__struct_fields__ if key in values}, kind)
            ]
        match channel.name:
            case paths.TRANSACTIONS:
                return [unified.Trades(market)]
            case paths.TICKER if market:
                return [unified.Tickers(market), unified.Quotes(market)]
            case paths.STATS if market:
                return [unified.Tickers(market)]
            case paths.ORDERBOOK:
                return [unified.Books(market)]
            case paths.LIMITED:
                return [unified.Books(market, int(channel.detail))]
            case paths.OFFERS | paths.STOP_OFFERS:
                return [unified.Orders(market or None)]
            case paths.HISTORY:
                return [unified.Fills(market or None)]
            case paths.FUNDS:
                return [unified.Balances()]
            case _:
                return []


def _captured(topic: str) -> Reading:
    answers = paths.parse_captured(topic)
    private = answers is not None and answers.name in paths.PRIVATE
    return Reading(private=private, captured=True, answers=answers)


def _required(kind: type[Topic[Event]]) -> set[str]:
    return {field.name for field in msgspec.structs.fields(kind) if field.required}


def _window(market: str, depth: int | None) -> WireChannel:
    """The narrowest book that has the wanted depth; the deepest one where none is said."""
    if depth is not None and depth < 1:
        raise UnsupportedTopic(f"a book has a depth of at least 1, not {depth}")
    for window in paths.WINDOWS:
        if depth is not None and depth <= window:
            return WireChannel(paths.LIMITED, market, str(window))
    return WireChannel(paths.ORDERBOOK, market)
