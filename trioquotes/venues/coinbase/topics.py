"""The channels of the Exchange feed as topics, each of the messages that it carries.

A topic's name is the venue's name of the channel: ``ticker_batch`` is :class:`TickerBatches`.
"""

from __future__ import annotations

from typing import ClassVar, TypeAlias, TypeVar

from trioquotes.events import Event, WireMessage
from trioquotes.topics import Topic
from trioquotes.venues.coinbase.level3 import Level3Book, Level3Message
from trioquotes.venues.coinbase.listings import Status
from trioquotes.venues.coinbase.messages import (
    Activate,
    Auction,
    Balance,
    Change,
    Done,
    Heartbeat,
    L2Update,
    LastMatch,
    Match,
    Open,
    Received,
    RfqMatch,
    Snapshot,
    Ticker,
)

__all__ = [
    "TOPICS",
    "Auctions",
    "Balances",
    "ChannelTopic",
    "Full",
    "FullMessage",
    "Heartbeats",
    "Level2",
    "Level2Batch",
    "Level3",
    "Matches",
    "RfqMatches",
    "Statuses",
    "TickerBatches",
    "Tickers",
    "User",
]

E_co = TypeVar("E_co", bound=Event, covariant=True)

FullMessage: TypeAlias = Received | Open | Done | Match | Change | Activate
"""What ``full`` and ``user`` carry."""


class ChannelTopic(Topic[E_co], frozen=True):
    """Root of the venue's own topics."""

    channel: ClassVar[str] = ""
    """The venue's name of the channel."""

    @property
    def name(self) -> str:
        """The venue's name of the channel."""
        return self.channel

    def latest_key(self, event: Event) -> object:
        """The product."""
        return getattr(event, "product_id", None) if isinstance(event, WireMessage) else None


class Heartbeats(ChannelTopic[Heartbeat], frozen=True):
    """One message a second for a product."""

    channel: ClassVar[str] = "heartbeat"
    latest: ClassVar[bool] = True
    instrument: str


class Statuses(ChannelTopic[Status], frozen=True):
    """All products and currencies of the venue."""

    channel: ClassVar[str] = "status"
    latest: ClassVar[bool] = True


class Tickers(ChannelTopic[Ticker], frozen=True):
    """Figures of the last 24 hours, with every trade; no quote feed: it moves with trades only."""

    channel: ClassVar[str] = "ticker"
    latest: ClassVar[bool] = True
    instrument: str


class TickerBatches(ChannelTopic[Ticker], frozen=True):
    """Figures of the last 24 hours, every 5 s where they changed."""

    channel: ClassVar[str] = "ticker_batch"
    latest: ClassVar[bool] = True
    instrument: str


class Level2(ChannelTopic[Snapshot | L2Update], frozen=True):
    """The book by price, change by change; needs credentials."""

    channel: ClassVar[str] = "level2"
    instrument: str


class Level2Batch(ChannelTopic[Snapshot | L2Update], frozen=True):
    """The book by price, the changes of 50 ms at a time."""

    channel: ClassVar[str] = "level2_batch"
    instrument: str


class Level3(ChannelTopic[Level3Message | Level3Book], frozen=True):
    """The orders on the book, in short form; needs credentials.

    After a gap the whole book is fetched and handed over in the stream as :class:`Level3Book`; messages up to
    its sequence are already in it.
    """

    channel: ClassVar[str] = "level3"
    instrument: str


class Full(ChannelTopic[FullMessage | Level3Book], frozen=True):
    """Everything that happens to orders; needs credentials. A gap is mended as in :class:`Level3`."""

    channel: ClassVar[str] = "full"
    instrument: str


class User(ChannelTopic[FullMessage], frozen=True):
    """What happens to the user's own orders in a product."""

    channel: ClassVar[str] = "user"
    private: ClassVar[bool] = True
    instrument: str


class Matches(ChannelTopic[Match | LastMatch], frozen=True):
    """Trades of a product; the first message is history."""

    channel: ClassVar[str] = "matches"
    instrument: str


class RfqMatches(ChannelTopic[RfqMatch], frozen=True):
    """Trades made by requests for quotes; ``instrument=None`` means all products."""

    channel: ClassVar[str] = "rfq_matches"
    instrument: str | None = None


class Auctions(ChannelTopic[Auction], frozen=True):
    """State of a product's auction while there is one."""

    channel: ClassVar[str] = "auctionfeed"
    latest: ClassVar[bool] = True
    instrument: str


class Balances(ChannelTopic[Balance], frozen=True):
    """Balances of the user's own accounts.

    Attributes:
        accounts: ids of the accounts; at least one.
    """

    channel: ClassVar[str] = "balance"
    private: ClassVar[bool] = True
    latest: ClassVar[bool] = True
    accounts: tuple[str, ...] = ()

    def latest_key(self, event: Event) -> object:
        """The account."""
        return event.account_id if isinstance(event, Balance) else None


_ALL: tuple[type[ChannelTopic[Event]], ...] = (
    Heartbeats, Statuses, Tickers, TickerBatches, Level2, Level2Batch, Level3, Full, User, Matches,
    RfqMatches, Auctions, Balances,
)  # fmt: skip

TOPICS: dict[str, type[ChannelTopic[Event]]] = {
    **{topic.channel: topic for topic in _ALL},
    "level2_50": Level2Batch,
    "ticker_1000": TickerBatches,
}
"""By the venue's name of the channel, its two canonical aliases included."""
