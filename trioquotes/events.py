"""What a user receives: market events, private account events, notices, and the base of wire messages.

Prices and sizes are ``Decimal`` with every digit of the wire. Times are integer nanoseconds since
the Unix epoch: ``venue_time_ns`` as the venue says it, ``received_ns`` as read from our clock once
per socket read. What a venue did not say is ``None``. Sizes are in base units and never negative.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Literal, TypeAlias

import msgspec

__all__ = [
    "Balance",
    "BookChange",
    "BookSnapshot",
    "Candle",
    "Connected",
    "Disconnected",
    "Event",
    "Fill",
    "FundingRate",
    "Gap",
    "Instrument",
    "Lagged",
    "Level",
    "Malformed",
    "MarketEvent",
    "Notice",
    "OrderUpdate",
    "Quote",
    "Rejected",
    "Resynced",
    "Side",
    "Stale",
    "Throttled",
    "Ticker",
    "Trade",
    "Unknown",
    "WireMessage",
]

Side: TypeAlias = Literal["buy", "sell"]
Level: TypeAlias = tuple[Decimal, Decimal]
"""``(price, size)``: the size is the absolute total resting at the price; in a change zero removes it."""


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """Root of everything a channel hands over."""


class WireMessage(Event, frozen=True, kw_only=True):
    """Root of a venue's own messages, field for field as on the wire.

    Attributes:
        received_ns: when the socket read that brought it returned; 0 where nobody stamped it.
        raw: the frame it came from, if the session was opened with ``raw=True``.
    """

    # The encoded names can never be keys of a wire message, so the wire cannot fill our own fields.
    received_ns: int = msgspec.field(default=0, name="~received_ns")
    raw: bytes | None = msgspec.field(default=None, name="~raw")


class MarketEvent(Event, frozen=True, kw_only=True):
    """Root of the unified events.

    Attributes:
        venue: name of the venue.
        instrument: the venue's own name of the instrument; empty where the event has none.
        venue_time_ns: the venue's time of what happened.
        received_ns: our time of receipt.
        sequence: the venue's own counter, where it has one; see the venue's reference for its meaning.
        raw: the frame it came from, if the session was opened with ``raw=True``.
    """

    venue: str
    instrument: str
    venue_time_ns: int | None = None
    received_ns: int
    sequence: int | None = None
    raw: bytes | None = None


class Trade(MarketEvent, frozen=True, kw_only=True):
    """A trade between others, as it happened.

    Attributes:
        taker_side: the side of the aggressor: ``"buy"`` lifted an ask, ``"sell"`` hit a bid.
        trade_id: the venue's id of the trade.
    """

    price: Decimal
    size: Decimal
    taker_side: Side | None = None
    trade_id: str | None = None


class Quote(MarketEvent, frozen=True, kw_only=True):
    """The best bid and ask; a side that is empty is ``None`` in both of its fields.

    Attributes:
        price: the one quote of a venue that has neither bid nor ask (Darwinex).
    """

    bid: Decimal | None = None
    bid_size: Decimal | None = None
    ask: Decimal | None = None
    ask_size: Decimal | None = None
    price: Decimal | None = None


class Ticker(MarketEvent, frozen=True, kw_only=True):
    """Figures of the last 24 hours.

    Attributes:
        last: price of the last trade.
        last_size: size of the last trade.
        open_24h, high_24h, low_24h: prices.
        volume_24h: traded, in base units.
        quote_volume_24h: traded, in quote units.
        bid, ask: best prices as this message says them; not a quote feed.
    """

    last: Decimal | None = None
    last_size: Decimal | None = None
    open_24h: Decimal | None = None
    high_24h: Decimal | None = None
    low_24h: Decimal | None = None
    volume_24h: Decimal | None = None
    quote_volume_24h: Decimal | None = None
    bid: Decimal | None = None
    ask: Decimal | None = None


class BookSnapshot(MarketEvent, frozen=True, kw_only=True):
    """A whole book (or a whole window of it): it replaces what was known.

    Attributes:
        bids: descending by price, best first; empty where nobody bids.
        asks: ascending by price, best first.
        depth: levels a side that the window promises at most; ``None`` means the whole book.
    """

    bids: tuple[Level, ...]
    asks: tuple[Level, ...]
    depth: int | None = None


class BookChange(MarketEvent, frozen=True, kw_only=True):
    """Levels whose size changed: each sets the absolute size at its price, zero removes the price.

    Attributes:
        bids: in the order of the wire; a later entry for the same price wins.
        asks: the same for the other side.
    """

    bids: tuple[Level, ...] = ()
    asks: tuple[Level, ...] = ()


class Candle(MarketEvent, frozen=True, kw_only=True):
    """One bar, pushed again while it forms.

    Attributes:
        interval: the venue's own name of the interval.
        open_time_ns: start of the bar.
        volume: traded, in base units.
        quote_volume: traded, in quote units.
        closed: whether the venue says that the bar is final; ``None`` where it says nothing.
    """

    interval: str
    open_time_ns: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal | None = None
    quote_volume: Decimal | None = None
    closed: bool | None = None


class FundingRate(MarketEvent, frozen=True, kw_only=True):
    """The funding rate of a perpetual contract, as a fraction (0.0001 is one basis point).

    Attributes:
        funding_time_ns: when the rate is, or was, settled.
    """

    rate: Decimal
    funding_time_ns: int | None = None
    mark_price: Decimal | None = None
    index_price: Decimal | None = None


class Instrument(MarketEvent, frozen=True, kw_only=True):
    """What can be traded and in which steps.

    Attributes:
        base, quote: the two currencies, as the venue spells them.
        price_step, size_step: smallest increments.
        min_size: smallest order, in base units.
        min_notional: smallest order, in quote units.
        status: the venue's own word.
    """

    base: str | None = None
    quote: str | None = None
    price_step: Decimal | None = None
    size_step: Decimal | None = None
    min_size: Decimal | None = None
    min_notional: Decimal | None = None
    status: str | None = None


class OrderUpdate(MarketEvent, frozen=True, kw_only=True):
    """One of the user's own orders changed.

    Attributes:
        order_id: the venue's id; ``client_order_id`` the user's own.
        status: ``received``, ``open``, ``changed``, ``filled``, ``canceled``, ``rejected`` or ``triggered``;
            ``None`` where the venue's word, kept in ``venue_status``, is none of these.
        price: limit price; ``None`` for a market order.
        size: original size where the message says it.
        remaining_size: what is still to be filled.
        filled_size: what has been filled so far.
        reason: why it ended, in the venue's words.
    """

    order_id: str
    client_order_id: str | None = None
    status: str | None = None
    venue_status: str | None = None
    side: Side | None = None
    order_type: str | None = None
    price: Decimal | None = None
    size: Decimal | None = None
    remaining_size: Decimal | None = None
    filled_size: Decimal | None = None
    reason: str | None = None


class Fill(MarketEvent, frozen=True, kw_only=True):
    """One of the user's own orders traded.

    Attributes:
        side: the user's side.
        liquidity: whether the user was maker or taker.
        fee: paid, in ``fee_currency``; negative is a rebate.
        fee_rate: a fraction of the notional.
    """

    order_id: str
    price: Decimal
    size: Decimal
    side: Side | None = None
    trade_id: str | None = None
    liquidity: Literal["maker", "taker"] | None = None
    fee: Decimal | None = None
    fee_rate: Decimal | None = None
    fee_currency: str | None = None


class Balance(MarketEvent, frozen=True, kw_only=True):
    """What one account holds in one currency.

    Attributes:
        account_id: the venue's id of the account.
        available: free to use.
        locked: held by orders.
        total: the sum, where the venue says it.
    """

    currency: str
    account_id: str | None = None
    available: Decimal | None = None
    locked: Decimal | None = None
    total: Decimal | None = None


class Notice(Event, frozen=True, kw_only=True):
    """Root of what the session says about the stream itself, in the channel and in order.

    Attributes:
        venue: name of the venue.
        topic: the topic it concerns; ``None`` for one that concerns the whole line.
        instrument: the instrument it concerns; empty where it concerns all of the channel.
        received_ns: our time when it became known.
        count: how many equal notices were folded into this one; never less than 1.
    """

    venue: str
    received_ns: int
    topic: Any = None
    instrument: str = ""
    count: int = 1


class Connected(Notice, frozen=True, kw_only=True):
    """A line is up and what was wanted on it is being asked for.

    Attributes:
        lane: name of the line; ``connection`` its ordinal, from 1.
    """

    lane: str
    connection: int


class Disconnected(Notice, frozen=True, kw_only=True):
    """A line is gone; every topic it served also gets its :class:`Gap`.

    Attributes:
        lane: name of the line; ``connection`` its ordinal.
        code: the close code; 1006 where no close frame came; ``None`` where it never came up.
        reason: what happened, in one line.
        planned: whether the session itself gave the line up to open a better one.
    """

    lane: str
    connection: int
    reason: str
    code: int | None = None
    planned: bool = False


class Gap(Notice, frozen=True, kw_only=True):
    """Something may be missing before the next event of this topic.

    Attributes:
        reason: what was noticed.
        missed: how many events are missing, where that is known.
    """

    reason: str
    missed: int | None = None


class Resynced(Notice, frozen=True, kw_only=True):
    """The book of this instrument is right again; its snapshot came just before."""


class Lagged(Notice, frozen=True, kw_only=True):
    """The consumer was too slow: events were dropped in place of this notice.

    Attributes:
        dropped: how many events of ``topic`` were dropped.
    """

    dropped: int


class Stale(Notice, frozen=True, kw_only=True):
    """Nothing has come for longer than this channel's own beat allows.

    Attributes:
        silent_s: for how many seconds.
    """

    silent_s: float


class Throttled(Notice, frozen=True, kw_only=True):
    """The venue holds data back for a while; the line is alive.

    Attributes:
        reason: the rule that was met.
        until_ns: when data is expected again, in Unix nanoseconds, where known.
    """

    reason: str
    until_ns: int | None = None


class Rejected(Notice, frozen=True, kw_only=True):
    """The venue refused a topic, or did not answer.

    Attributes:
        reason: the venue's words, or ours.
        final: whether the topic has ended; if not, it is asked for again.
    """

    reason: str
    final: bool = True


class Malformed(Notice, frozen=True, kw_only=True):
    """A frame, or an element of it, could not be decoded.

    Attributes:
        reason: what is wrong and where.
        frame: the whole frame as received.
    """

    reason: str
    frame: bytes


class Unknown(Notice, frozen=True, kw_only=True):
    """A well-formed message of a type that this version does not know.

    Attributes:
        kind: the venue's name of the type.
        frame: the whole frame as received.
    """

    kind: str
    frame: bytes
