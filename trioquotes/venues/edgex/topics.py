"""The channels of edgeX as topics, each of the messages that it carries.

A topic's name is the venue's name of the channel: ``ticker.all.1s`` is :class:`AllTickersEachSecond`.
"""

from __future__ import annotations

from typing import ClassVar, TypeVar

from trioquotes.events import Event
from trioquotes.topics import Topic
from trioquotes.venues.edgex.messages import (
    BookTicker,
    Depth,
    FundingRate,
    Kline,
    Metadata,
    Pong,
    Row,
    Ticker,
    Trade,
)
from trioquotes.venues.edgex.private import TradeEvent

__all__ = [
    "TOPICS",
    "AllBookTickers",
    "AllBookTickersEachSecond",
    "AllFundingRates",
    "AllTickers",
    "AllTickersEachSecond",
    "BookTickers",
    "ChannelTopic",
    "Depths",
    "FundingRates",
    "Klines",
    "MetadataUpdates",
    "Pongs",
    "Tickers",
    "TradeEvents",
    "Trades",
]

E_co = TypeVar("E_co", bound=Event, covariant=True)


class ChannelTopic(Topic[E_co], frozen=True):
    """Root of the venue's own topics."""

    channel: ClassVar[str] = ""
    """The venue's name of the channel."""

    @property
    def name(self) -> str:
        """The venue's name of the channel."""
        return self.channel

    def latest_key(self, event: Event) -> object:
        """The contract."""
        return event.contract_id if isinstance(event, Row) else None


class MetadataUpdates(ChannelTopic[Metadata], frozen=True):
    """All coins and contracts, at once and whenever they change."""

    channel: ClassVar[str] = "metadata"
    latest: ClassVar[bool] = True


class Tickers(ChannelTopic[Ticker], frozen=True):
    """Figures of the last 24 hours of one contract."""

    channel: ClassVar[str] = "ticker"
    latest: ClassVar[bool] = True
    instrument: str


class AllTickers(ChannelTopic[Ticker], frozen=True):
    """Figures of the last 24 hours of all contracts, one message each."""

    channel: ClassVar[str] = "ticker.all"
    latest: ClassVar[bool] = True


class AllTickersEachSecond(ChannelTopic[Ticker], frozen=True):
    """The same once a second: every contract, changed or not."""

    channel: ClassVar[str] = "ticker.all.1s"
    latest: ClassVar[bool] = True


class Klines(ChannelTopic[Kline], frozen=True):
    """Bars of one contract; first those that there are, ``data_type`` says so.

    Attributes:
        interval: ``MINUTE_1``, ``MINUTE_5``, ..., ``MONTH_1``.
        price_type: of which price: ``LAST_PRICE``, ``MARK_PRICE``, ``INDEX_PRICE``, ``ORACLE_PRICE``, ...
    """

    channel: ClassVar[str] = "kline"
    latest: ClassVar[bool] = True
    instrument: str
    interval: str = "MINUTE_1"
    price_type: str = "LAST_PRICE"

    def latest_key(self, event: Event) -> object:
        """The bar: a newer form of it replaces the older one."""
        return (event.contract_id, event.kline_type, event.kline_time) if isinstance(event, Kline) else None


class Depths(ChannelTopic[Depth], frozen=True):
    """The book of one contract: a snapshot, then changes.

    Attributes:
        level: levels a side: 15 or 200.
    """

    channel: ClassVar[str] = "depth"
    instrument: str
    level: int = 200


class Trades(ChannelTopic[Trade], frozen=True):
    """Trades of one contract; first the latest ones before the subscription, ``data_type`` says so."""

    channel: ClassVar[str] = "trades"
    instrument: str


class BookTickers(ChannelTopic[BookTicker], frozen=True):
    """Best bid and ask of one contract; the venue sends one message after the subscription and then none."""

    channel: ClassVar[str] = "bookTicker"
    latest: ClassVar[bool] = True
    instrument: str


class AllBookTickers(ChannelTopic[BookTicker], frozen=True):
    """Best bid and ask of all contracts, one message each."""

    channel: ClassVar[str] = "bookTicker.all"
    latest: ClassVar[bool] = True


class AllBookTickersEachSecond(ChannelTopic[BookTicker], frozen=True):
    """The same once a second."""

    channel: ClassVar[str] = "bookTicker.all.1s"
    latest: ClassVar[bool] = True


class FundingRates(ChannelTopic[FundingRate], frozen=True):
    """The funding rate of one contract."""

    channel: ClassVar[str] = "fundingRate"
    latest: ClassVar[bool] = True
    instrument: str


class AllFundingRates(ChannelTopic[FundingRate], frozen=True):
    """The funding rates of all contracts, one message each."""

    channel: ClassVar[str] = "fundingRate.all"
    latest: ClassVar[bool] = True


class TradeEvents(ChannelTopic[TradeEvent], frozen=True):
    """Everything that happens to the user's account: orders, fills, positions, balances, transfers."""

    channel: ClassVar[str] = "trade-event"
    private: ClassVar[bool] = True


class Pongs(ChannelTopic[Pong], frozen=True):
    """The latency of the public line, measured at once and then every 30 seconds."""

    channel: ClassVar[str] = "pong"
    latest: ClassVar[bool] = True


_ALL: tuple[type[ChannelTopic[Event]], ...] = (
    MetadataUpdates, Tickers, AllTickers, AllTickersEachSecond, Klines, Depths, Trades, BookTickers, AllBookTickers,
    AllBookTickersEachSecond, FundingRates, AllFundingRates, TradeEvents, Pongs,
)  # fmt: skip

TOPICS: dict[str, type[ChannelTopic[Event]]] = {topic.channel: topic for topic in _ALL}
"""By the venue's name of the channel."""
