"""Darwinex as a venue: what it serves, where, within which limits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import ClassVar, Final

import msgspec

from trioquotes import topics as unified
from trioquotes._protocol.contract import Memory, Venue, VenueProtocol
from trioquotes._protocol.effects import Budget, Endpoint, Lane, Limits, Options, Serving, WireChannel
from trioquotes.credentials import Credentials
from trioquotes.errors import InvalidInstrument, MissingCredentials, UnsupportedTopic
from trioquotes.events import Event
from trioquotes.topics import Topic
from trioquotes.venues.darwinex import topics as native
from trioquotes.venues.darwinex import unify
from trioquotes.venues.darwinex.auth import token_of
from trioquotes.venues.darwinex.captured import CapturedPages, CapturedTokens
from trioquotes.venues.darwinex.conversation import HEARTBEATS, PONGS, QUOTES
from trioquotes.venues.darwinex.listing import PRODUCTS
from trioquotes.venues.darwinex.protocol import DarwinexProtocol
from trioquotes.venues.darwinex.requests import MAX_FRAME_BYTES, MAX_PRODUCTS, PRODUCT
from trioquotes.venues.darwinex.throttle import FRAMES_A_MINUTE, MINUTE_S
from trioquotes.venues.darwinex.vitals import QUIET_MAX_S

__all__ = ["DarwinexVenue"]

_LINE: Final = Lane("quotes")
_CAPTURED: Final[Mapping[str, str]] = MappingProxyType(
    {"http:products": "captured-products", "products": "captured-products", "http:token": "captured-token"}
)
_NATIVE_OF: Final[Mapping[str, type[Topic[Event]]]] = MappingProxyType(native.TOPICS)
_UNIFIED_OF: Final[Mapping[str, type[Topic[Event]]]] = MappingProxyType(
    {QUOTES: unified.Quotes, PRODUCTS.name: unified.Instruments}
)


class DarwinexVenue(Venue):
    """Darwinex product quotes.

    One number a product: ``Quote.price``. Every line needs an access token (``BearerToken``), which is looked at
    when it is opened and never again; a ``RefreshingToken`` over :class:`TokenFlow` keeps one at hand. It goes
    over ``wss``: ``ws``, which the venue has too, is taken only for a server on this machine.

    *Source:* Product Quotes WebSocket walkthrough.
    """

    name = unify.VENUE_NAME
    endpoints: ClassVar[Mapping[str, Endpoint]] = MappingProxyType(
        {
            "production": Endpoint(
                "wss://api.darwinex.com/quotewebsocket/1.0.0", rest="https://api.darwinex.com", signed=True
            )
        }
    )
    # A token is all that tells accounts apart, and it changes with each renewal: so that no renewal starts a new
    # window, the budgets are shared by all that comes from here. Whether pings, connects and REST count against
    # the 50 is not documented, so all of them do. REST gets half, since the list of products alone is more than
    # fits a minute. A second line within a minute is for a renewed token and for a second session; that one lane
    # comes back once a minute at most is the matter of `classify`.
    budgets: ClassVar[tuple[Budget, ...]] = (
        Budget(
            "requests",
            FRAMES_A_MINUTE,
            MINUTE_S,
            "ip",
            frozenset({"connect", "send", "ping", "rest"}),
            reserve=5,
        ),
        Budget("REST requests", FRAMES_A_MINUTE // 2, MINUTE_S, "ip", frozenset({"rest"})),
        Budget("connections", 2, MINUTE_S, "ip", frozenset({"connect"})),
    )
    limits = Limits(max_message_bytes=MAX_FRAME_BYTES, channels=MAX_PRODUCTS, quiet_s=QUIET_MAX_S)
    topics: ClassVar[Mapping[str, type[Topic[Event]]]] = _NATIVE_OF
    unified: ClassVar[frozenset[type[Topic[Event]]]] = frozenset(_UNIFIED_OF.values())

    def instrument(self, text: str) -> str:
        """The full name of a product, ``DWC.4.20``, as it is.

        Raises:
            InvalidInstrument: it cannot be one.
        """
        if PRODUCT.fullmatch(text) is not None:
            return text
        if PRODUCT.fullmatch(text.upper()) is not None:
            why = f"did you mean {text.upper()!r}?"
        elif "/" in text:
            why = "a DARWIN is no pair of currencies, and its full name looks like 'DWC.4.20'"
        elif text.isalnum():
            why = "a ticker alone is not enough; the full name looks like 'DWC.4.20', and Instruments() lists them"
        else:
            why = "it looks like 'DWC.4.20'"
        raise InvalidInstrument(f"{text!r} is not the full name of a Darwinex product: {why}")

    def topic(self, name: str, instrument: str, native: bool) -> Topic[Event]:
        """The topic of that name.

        Raises:
            UnsupportedTopic: there is no such topic.
            InvalidInstrument: the text is none, or one too many or missing.
        """
        kind = self.kind_of(name, native)
        if "instrument" not in kind.__struct_fields__:
            if instrument:
                raise InvalidInstrument(f"{name} takes no instrument, and got {instrument!r}")
            return kind()
        if not instrument:
            raise InvalidInstrument(f"{name} needs an instrument, such as 'DWC.4.20'")
        return msgspec.convert({"instrument": self.instrument(instrument)}, kind)

    def serve(self, topic: Topic[Event], options: Options) -> Serving:
        """Which channel the topic needs.

        Raises:
            UnsupportedTopic: Darwinex has nothing for it.
            InvalidInstrument: its instrument cannot be the name of a product.
            MissingCredentials: there is no token, which every line needs.
        """
        serving = self._serving(topic)
        if serving.channels == (PRODUCTS,) and options.endpoint.rest is None:
            raise UnsupportedTopic(f"darwinex serves {topic} over REST, which this endpoint does not have")
        if not options.has_credentials:
            raise MissingCredentials(
                f"{topic}: every line to Darwinex needs an access token: give credentials"
            )
        return serving

    def _serving(self, topic: Topic[Event]) -> Serving:
        match topic:
            case native.ProductQuotes():
                return Serving((self._quotes(topic.instrument),), "native")
            case native.Heartbeats():
                return Serving((HEARTBEATS,), "native")
            case native.Pongs():
                return Serving((PONGS,), "native")
            case native.Products():
                return Serving((PRODUCTS,), "native")
            case unified.Quotes():
                make = unify.stateless(unify.quotes)
                return Serving((self._quotes(topic.instrument),), "events", make)
            case unified.Instruments():
                return Serving((PRODUCTS,), "events", unify.stateless(unify.instruments))
            case _:
                able = ", ".join(sorted(kind.__name__ for kind in self.unified))
                raise UnsupportedTopic(f"darwinex cannot serve {topic}; it can serve {able}")

    def _quotes(self, instrument: str) -> WireChannel:
        return WireChannel(QUOTES, self.instrument(instrument))

    def plan(self, channels: Sequence[WireChannel], options: Options) -> Mapping[Lane, Sequence[WireChannel]]:
        """All on one line: the venue's limits are for the client, so more lines would bring nothing."""
        del options
        return {_LINE: channels}

    def protocol(
        self, lane: Lane, secrets: Credentials | None, memory: Memory, options: Options
    ) -> VenueProtocol:
        """The protocol of a connection, or of captured frames.

        Raises:
            UsageError: the credentials are no access token.
        """
        if lane.name == "captured-products":
            return CapturedPages(options)
        if lane.name == "captured-token":
            return CapturedTokens(options)
        token = None if secrets is None else token_of(secrets)
        return DarwinexProtocol(token, memory, options, captured=lane.name == "captured")

    def offline(self, channel: str) -> Lane:
        """The lane that reads captured frames; those of REST are told by the name of their channel."""
        return Lane(_CAPTURED.get(channel, "captured"))

    def offline_topics(self, channel: WireChannel, native: bool) -> Sequence[Topic[Event]]:
        """The native topic of the channel, or the unified one that is made of it."""
        kind = (_NATIVE_OF if native else _UNIFIED_OF).get(channel.name)
        if kind is None or (channel.name == QUOTES and PRODUCT.fullmatch(channel.instrument) is None):
            return ()
        if channel.name != QUOTES:
            return (kind(),)
        return (msgspec.convert({"instrument": channel.instrument}, kind),)
