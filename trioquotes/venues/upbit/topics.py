"""The channels of Upbit as topics, each of the messages that it carries.

A topic's name is the venue's name of the channel: ``candle.5m`` is ``Candles(code, "5m")``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal, Self, TypeAlias, TypeVar

import msgspec

from trioquotes.events import Event, WireMessage
from trioquotes.topics import Topic
from trioquotes.venues.upbit.formats import INTERVALS
from trioquotes.venues.upbit.messages import (
    Announcement,
    Candle,
    Indicator,
    IndicatorSignal,
    MyAsset,
    MyOrder,
    Orderbook,
    Ticker,
    Trade,
)

__all__ = [
    "TIMEFRAMES",
    "TOPICS",
    "Announcements",
    "Candles",
    "ChannelTopic",
    "IndicatorSignals",
    "Indicators",
    "MyAssets",
    "MyOrders",
    "Only",
    "Orderbooks",
    "Tickers",
    "Trades",
]

E_co = TypeVar("E_co", bound=Event, covariant=True)

Only: TypeAlias = Literal["snapshot", "realtime"]
"""``snapshot`` asks for the state now and no more, ``realtime`` for what comes later without that.

With ``realtime`` a market that does not exist cannot be told from a quiet one.
"""

TIMEFRAMES = ("5m", "15m", "60m", "240m", "1d")
"""Candles that indicators are calculated of.

*Source:* WebSocket reference, "Indicator".
"""


class ChannelTopic(Topic[E_co], frozen=True):
    """Root of the venue's own topics."""

    channel: ClassVar[str] = ""
    """The venue's name of the channel."""

    @property
    def name(self) -> str:
        """The venue's name of the channel."""
        return self.channel

    def latest_key(self, event: Event) -> object:
        """The code."""
        return getattr(event, "code", None) if isinstance(event, WireMessage) else None


class Tickers(ChannelTopic[Ticker], frozen=True):
    """Figures of a market, with every trade; no quote feed."""

    channel: ClassVar[str] = "ticker"
    latest: ClassVar[bool] = True
    instrument: str
    only: Only | None = None


class Trades(ChannelTopic[Trade], frozen=True):
    """Trades of a market; the first message is history (a ``LastTrade``)."""

    channel: ClassVar[str] = "trade"
    instrument: str
    only: Only | None = None


class Orderbooks(ChannelTopic[Orderbook], frozen=True):
    """The book of a market, whole each time.

    Attributes:
        depth: levels a side wanted: 1, 5, 15, 30; there are more where another topic wants more.
        level: group prices in steps of this many quote units, in KRW markets; a text, such as ``"10000"``.
    """

    channel: ClassVar[str] = "orderbook"
    latest: ClassVar[bool] = True
    instrument: str
    depth: int | None = None
    level: str | None = None
    only: Only | None = None


class Candles(ChannelTopic[Candle], frozen=True):
    """Bars of a market, at most one message a second and none without trades.

    Attributes:
        interval: ``1s``, ``1m``, ``3m``, ``5m``, ``10m``, ``15m``, ``30m``, ``60m`` or ``240m``.
    """

    channel: ClassVar[str] = "candle"
    latest: ClassVar[bool] = True
    instrument: str
    interval: str = "1m"
    only: Only | None = None

    @property
    def name(self) -> str:
        """The venue's name of the channel."""
        return f"candle.{self.interval}"

    def latest_key(self, event: Event) -> object:
        """Code, type and open time: a newer form of the same bar replaces the older one."""
        return (event.code, event.type, event.candle_date_time_utc) if isinstance(event, Candle) else None


class MyOrders(ChannelTopic[MyOrder], frozen=True):
    """The user's own orders and their trades; ``instrument=None`` means all. Nothing comes before one changes."""

    channel: ClassVar[str] = "myOrder"
    private: ClassVar[bool] = True
    instrument: str | None = None


class MyAssets(ChannelTopic[MyAsset], frozen=True):
    """What the account holds. Nothing comes before it changes, and at first it may be minutes late."""

    channel: ClassVar[str] = "myAsset"
    private: ClassVar[bool] = True


class Announcements(ChannelTopic[Announcement], frozen=True):
    """What the venue announces.

    Attributes:
        categories: only these, by the venue's names (``notice``, ...); none means all.
        include_body: also the text.
    """

    channel: ClassVar[str] = "announcement"
    private: ClassVar[bool] = True
    categories: tuple[str, ...] = ()
    include_body: bool = False


class _Indicators(ChannelTopic[E_co], frozen=True):
    private: ClassVar[bool] = True
    instrument: str
    timeframe: str = TIMEFRAMES[0]
    indicators: str = ""

    @classmethod
    def of(cls, instrument: str, timeframe: str, indicators: Sequence[Mapping[str, Any]]) -> Self:
        """The topic for these indicators, each an object as the venue documents it.

        ::

            Indicators.of("KRW-BTC", "5m", [{"type": "rsi", "params": {...}}])
        """
        text = msgspec.json.encode(list(indicators), order="deterministic").decode()
        return cls(instrument, timeframe, text)


class Indicators(_Indicators[Indicator], frozen=True):
    """Technical indicators of a KRW market, whenever a candle closes.

    Attributes:
        timeframe: ``5m``, ``15m``, ``60m``, ``240m`` or ``1d``.
        indicators: a JSON list, see :meth:`of`; the venue refuses a topic without.
    """

    channel: ClassVar[str] = "indicator"


class IndicatorSignals(_Indicators[IndicatorSignal], frozen=True):
    """Conditions on technical indicators of a KRW market, whenever one comes true.

    Attributes:
        timeframe: ``5m``, ``15m``, ``60m``, ``240m`` or ``1d``.
        indicators: a JSON list with conditions, see :meth:`of`; the venue refuses a topic without.
    """

    channel: ClassVar[str] = "indicator_signal"


_ALL: tuple[type[ChannelTopic[Event]], ...] = (
    Tickers, Trades, Orderbooks, MyOrders, MyAssets, Announcements, Indicators, IndicatorSignals,
)  # fmt: skip

TOPICS: dict[str, type[ChannelTopic[Event]]] = {
    **{topic.channel: topic for topic in _ALL},
    **{f"candle.{interval}": Candles for interval in INTERVALS},
}
"""By the venue's name of the channel."""
