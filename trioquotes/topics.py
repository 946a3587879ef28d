"""What a user asks for: a topic names a kind of event and, mostly, one instrument.

The unified topics here mean the same at every venue; a venue's own channels are topics too, each
with its own message type, in ``trioquotes.venues.<name>``. Instruments are the venue's own names;
``"BTC/USD"``, base first with a slash, is translated by the venue.
"""

from __future__ import annotations

from typing import ClassVar, Generic, TypeVar

import msgspec

from trioquotes.events import (
    Balance,
    BookChange,
    BookSnapshot,
    Candle,
    Depth,
    Event,
    Fill,
    FundingRate,
    Instrument,
    MarketEvent,
    OrderBookChange,
    OrderBookSnapshot,
    OrderUpdate,
    Quote,
    Ticker,
    Trade,
)

__all__ = [
    "UNIFIED_TOPICS",
    "Balances",
    "Books",
    "Candles",
    "Depths",
    "Fills",
    "FundingRates",
    "Instruments",
    "OrderBooks",
    "Orders",
    "Quotes",
    "Tickers",
    "Topic",
    "Trades",
]

E_co = TypeVar("E_co", bound=Event, covariant=True)


class Topic(msgspec.Struct, Generic[E_co], frozen=True):
    """A wish for events of type ``E``; a value: equal topics are one subscription on the wire."""

    private: ClassVar[bool] = False
    """Whether it concerns the user's own account and so needs credentials."""
    latest: ClassVar[bool] = False
    """Whether ``overflow="latest"`` makes sense: each event replaces the one before of the same key."""

    @property
    def name(self) -> str:
        """The word for this topic on the command line."""
        return type(self).__name__.lower()

    @property
    def subject(self) -> str:
        """The instrument asked for; empty where the topic has none."""
        return str(getattr(self, "instrument", None) or "")

    def latest_key(self, event: Event) -> object:
        """What must be equal for a newer event to replace an older one: the instrument."""
        return event.instrument if isinstance(event, MarketEvent) else None

    def __str__(self) -> str:
        return f"{self.name} {self.subject}".rstrip()


class Trades(Topic[Trade], frozen=True):
    """Every trade of an instrument, once, in the venue's order."""

    instrument: str


class Quotes(Topic[Quote], frozen=True):
    """The best bid and ask of an instrument, whenever it changes."""

    latest: ClassVar[bool] = True
    instrument: str


class Tickers(Topic[Ticker], frozen=True):
    """Figures of the last 24 hours of an instrument."""

    latest: ClassVar[bool] = True
    instrument: str


class Books(Topic[BookSnapshot | BookChange], frozen=True):
    """The order book of an instrument by price: a snapshot, then changes that may be applied blindly.

    Attributes:
        depth: levels a side wanted at most, where the venue offers a choice; ``None`` takes the deepest.
    """

    instrument: str
    depth: int | None = None


class Depths(Topic[Depth], frozen=True):
    """The best levels of an instrument's book, whenever one of them changes: each view stands alone.

    Attributes:
        levels: levels a side wanted at most, at least 1.
    """

    latest: ClassVar[bool] = True
    instrument: str
    levels: int = 10


class OrderBooks(Topic[OrderBookSnapshot | OrderBookChange], frozen=True):
    """The order book of an instrument by order (L3): a snapshot, then changes that may be applied blindly."""

    instrument: str


class Candles(Topic[Candle], frozen=True):
    """Bars of an instrument.

    Attributes:
        interval: the venue's own name of the interval; ``None`` takes one minute.
    """

    latest: ClassVar[bool] = True
    instrument: str
    interval: str | None = None

    def latest_key(self, event: Event) -> object:
        """Instrument, interval and open time: a newer form of the same bar replaces the older one."""
        if isinstance(event, Candle):
            return (event.instrument, event.interval, event.open_time_ns)
        return None


class FundingRates(Topic[FundingRate], frozen=True):
    """Funding rates of a perpetual contract."""

    latest: ClassVar[bool] = True
    instrument: str


class Instruments(Topic[Instrument], frozen=True):
    """What the venue trades."""

    latest: ClassVar[bool] = True


class Orders(Topic[OrderUpdate], frozen=True):
    """The user's own orders; ``instrument=None`` means all, where the venue can say that."""

    private: ClassVar[bool] = True
    instrument: str | None = None


class Fills(Topic[Fill], frozen=True):
    """The user's own trades; ``instrument=None`` means all, where the venue can say that."""

    private: ClassVar[bool] = True
    instrument: str | None = None


class Balances(Topic[Balance], frozen=True):
    """What the user's accounts hold.

    Attributes:
        accounts: ids of the accounts, for a venue that asks for them (Coinbase).
    """

    private: ClassVar[bool] = True
    latest: ClassVar[bool] = True
    accounts: tuple[str, ...] = ()

    def latest_key(self, event: Event) -> object:
        """Account and currency."""
        return (event.account_id, event.currency) if isinstance(event, Balance) else None


UNIFIED_TOPICS: dict[str, type[Topic[Event]]] = {
    topic.__name__.lower(): topic
    for topic in (
        Trades, Quotes, Tickers, Books, Depths, OrderBooks, Candles, FundingRates, Instruments, Orders, Fills, Balances,
    )
}  # fmt: skip
"""The unified topics by their word on the command line."""
