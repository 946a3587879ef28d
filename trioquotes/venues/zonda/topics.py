"""Zonda's channels as topics, each of the messages that it carries.

A topic's name is the path of the channel at the venue, without its market: ``orderbook-limited`` is
:class:`LimitedOrderBooks`.
"""

from __future__ import annotations

from typing import ClassVar, TypeVar

from trioquotes.events import Event
from trioquotes.topics import Topic
from trioquotes.venues.zonda import paths
from trioquotes.venues.zonda.accounts import (
    FundsPush,
    OfferPush,
    OffersAnswer,
    OwnTransactionsAnswer,
    OwnTransactionsPush,
    StopOfferPush,
)
from trioquotes.venues.zonda.messages import (
    OrderBookAnswer,
    OrderBookPush,
    RatePush,
    StatsAnswer,
    StatsPush,
    TickerAnswer,
    TickerPush,
    TransactionsAnswer,
    TransactionsPush,
)

__all__ = [
    "TOPICS",
    "ChannelTopic",
    "Funds",
    "LimitedOrderBooks",
    "Offers",
    "OrderBooks",
    "OwnTransactions",
    "Rates",
    "Statistics",
    "StopOffers",
    "Tickers",
    "Transactions",
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


class Tickers(ChannelTopic[TickerPush | TickerAnswer], frozen=True):
    """Best prices and last price of a market; ``instrument=None`` means all markets, as one channel."""

    channel: ClassVar[str] = paths.TICKER
    latest: ClassVar[bool] = True
    instrument: str | None = None

    def latest_key(self, event: Event) -> object:
        """The market."""
        if self.instrument is None and isinstance(event, TickerPush) and event.message.market is not None:
            return event.message.market.code
        return super().latest_key(event)


class Statistics(ChannelTopic[StatsPush | StatsAnswer], frozen=True):
    """Figures of 24 hours of a market; ``instrument=None`` means all markets, as one channel."""

    channel: ClassVar[str] = paths.STATS
    latest: ClassVar[bool] = True
    instrument: str | None = None

    def latest_key(self, event: Event) -> object:
        """The markets that the message tells of."""
        if self.instrument is None and isinstance(event, StatsPush):
            return tuple(stats.m for stats in event.message)
        return super().latest_key(event)


class OrderBooks(ChannelTopic[OrderBookPush | OrderBookAnswer], frozen=True):
    """The book: changes as they come, and a snapshot of 300 prices a side that fits them.

    Changes come from the first one on, before the snapshot as well: those that are newer than it stand in it as
    ``later``.
    """

    channel: ClassVar[str] = paths.ORDERBOOK
    instrument: str


class LimitedOrderBooks(ChannelTopic[OrderBookPush | OrderBookAnswer], frozen=True):
    """The best prices of the book, as in :class:`OrderBooks`, about twice a second while they change.

    Attributes:
        limit: prices a side, 10, 50 or 100: each is a channel of its own with its own count.
    """

    channel: ClassVar[str] = paths.LIMITED
    instrument: str
    limit: int = 10


class Transactions(ChannelTopic[TransactionsPush | TransactionsAnswer], frozen=True):
    """Transactions of a market."""

    channel: ClassVar[str] = paths.TRANSACTIONS
    instrument: str


class Rates(ChannelTopic[RatePush], frozen=True):
    """Exchange rate of the fiat cantor.

    Attributes:
        instrument: from which currency to which, ``USD-EUR``.
    """

    channel: ClassVar[str] = paths.RATES
    latest: ClassVar[bool] = True
    instrument: str


class Offers(ChannelTopic[OfferPush | OffersAnswer], frozen=True):
    """The user's orders in a market, or in all."""

    channel: ClassVar[str] = paths.OFFERS
    private: ClassVar[bool] = True
    instrument: str | None = None


class StopOffers(ChannelTopic[StopOfferPush], frozen=True):
    """The user's stop orders in a market, or in all."""

    channel: ClassVar[str] = paths.STOP_OFFERS
    private: ClassVar[bool] = True
    instrument: str | None = None


class OwnTransactions(
    ChannelTopic[TransactionsPush | OwnTransactionsPush | OwnTransactionsAnswer], frozen=True
):
    """The user's own trades in a market, or in all."""

    channel: ClassVar[str] = paths.HISTORY
    private: ClassVar[bool] = True
    instrument: str | None = None


class Funds(ChannelTopic[FundsPush], frozen=True):
    """The user's balances."""

    channel: ClassVar[str] = paths.FUNDS
    private: ClassVar[bool] = True
    latest: ClassVar[bool] = True

    def latest_key(self, event: Event) -> object:
        """The balance."""
        return event.message.id if isinstance(event, FundsPush) else super().latest_key(event)


_ALL: tuple[type[ChannelTopic[Event]], ...] = (
    Tickers, Statistics, OrderBooks, LimitedOrderBooks, Transactions, Rates, Offers, StopOffers, OwnTransactions, Funds,
)  # fmt: skip

TOPICS: dict[str, type[ChannelTopic[Event]]] = {topic.channel: topic for topic in _ALL}
"""By the venue's name of the channel."""
