"""What Zonda sends, field for field: pushes of its public channels and answers to ``proxy`` requests.

Those of the private channels are in ``accounts``. A push is an envelope around its ``message``, an answer one around its ``body``. Both are kept whole. Names and
words are the venue's own; a word that is not listed here passes as it is. Fields whose name on the wire would
begin with ``~`` are ours.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, TypeAlias

import msgspec

from trioquotes._protocol.codec import Counter
from trioquotes.events import WireMessage

__all__ = [
    "Answer",
    "Digits",
    "LevelChange",
    "Market",
    "MarketCurrency",
    "Markets",
    "Millis",
    "OrderBookAnswer",
    "OrderBookBody",
    "OrderBookChanges",
    "OrderBookPush",
    "Part",
    "PriceLevel",
    "Push",
    "Rate",
    "RatePush",
    "Stats",
    "StatsAnswer",
    "StatsBody",
    "StatsPush",
    "Ticker",
    "TickerAnswer",
    "TickerBody",
    "TickerPush",
    "Transaction",
    "TransactionList",
    "TransactionsAnswer",
    "TransactionsBody",
    "TransactionsPush",
]

Digits: TypeAlias = Annotated[str, msgspec.Meta(pattern=r"\A[0-9]{1,18}\Z")]
"""A whole number that the venue writes as a text."""
Millis: TypeAlias = Annotated[str, msgspec.Meta(pattern=r"\A[0-9]{1,13}\Z")]
"""Milliseconds since the epoch, which the venue writes as a text; 13 digits last until the year 2286."""


class Push(WireMessage, frozen=True, kw_only=True, rename="camel"):
    """Envelope of whatever a channel sends by itself.

    Attributes:
        action: ``push``; the reference page of the venue leaves it out.
        topic: module and path of the channel, in lower case.
        timestamp: when it was pushed.
        seq_no: counts the pushes of the topic.

    *Source:* Zonda API, public subscription, "Response push".
    """

    topic: str
    timestamp: Millis | None = None
    seq_no: Counter | None = None
    action: str = "push"


class Answer(WireMessage, frozen=True, kw_only=True, rename="camel"):
    """Envelope of the answer to a ``proxy`` request.

    Attributes:
        action: ``proxy-response``; the reference page of the venue leaves it out.
        request_id: of the request, which is all that says what the answer is about.
        status_code: as of HTTP.
        topic: not on the wire: module and path that were asked for.

    *Source:* Zonda API, public subscription, "Snapshot".
    """

    request_id: str
    status_code: int = 200
    action: str = "proxy-response"
    topic: str = msgspec.field(default="", name="~topic")


# Values that cannot lead back to themselves: the garbage collector need not look at them.
class Part(msgspec.Struct, frozen=True, kw_only=True, rename="camel", gc=False):
    """Root of what stands inside of an envelope."""


class MarketCurrency(Part, frozen=True, kw_only=True):
    """One of the two currencies of a market.

    Attributes:
        min_offer: smallest order, in this currency.
        scale: decimals of amounts of this currency.

    *Source:* Zonda API, ticker.
    """

    currency: str | None = None
    min_offer: Decimal | None = None
    scale: Counter | None = None


class Market(Part, frozen=True, kw_only=True):
    """A market and its decimals.

    Attributes:
        code: in upper case, ``BTC-PLN``.
        first: what is traded.
        second: what it is paid with.
        amount_precision: decimals of an amount, as the others of a price and of a rate.

    *Source:* Zonda API, ticker.
    """

    code: str | None = None
    first: MarketCurrency | None = None
    second: MarketCurrency | None = None
    amount_precision: Counter | None = None
    price_precision: Counter | None = None
    rate_precision: Counter | None = None


class Ticker(Part, frozen=True, kw_only=True):
    """The state of a market; prices are ``None`` where there is none.

    Attributes:
        highest_bid: best bid; its size is not said, nor that of the best ask.
        lowest_ask: best ask.
        rate: price of the last transaction.
        previous_rate: of the one before.

    *Source:* Zonda API, ticker.
    """

    market: Market | None = None
    time: Millis | None = None
    highest_bid: Decimal | None = None
    lowest_ask: Decimal | None = None
    rate: Decimal | None = None
    previous_rate: Decimal | None = None


class TickerPush(Push, frozen=True, kw_only=True):
    """The ticker of a market changed.

    *Source:* Zonda API, ticker.
    """

    message: Ticker


class TickerBody(Part, frozen=True, kw_only=True):
    """A ticker, or with ``items`` those of all markets by their codes.

    *Source:* Zonda API, ticker, "Snapshot".
    """

    status: str | None = None
    ticker: Ticker | None = None
    items: dict[str, Ticker] | None = None


class TickerAnswer(Answer, frozen=True, kw_only=True):
    """A ticker that was asked for.

    *Source:* Zonda API, ticker, "Snapshot".
    """

    body: TickerBody


class Markets(WireMessage, frozen=True, kw_only=True):
    """All markets by their codes, with their tickers, as REST lists them.

    *Source:* Zonda API, REST, ticker (``GET /trading/ticker``).
    """

    status: str
    items: dict[str, Ticker]


class Stats(Part, frozen=True, kw_only=True):
    """Figures of 24 hours: JSON numbers in a push, texts in an answer, every digit of either.

    Attributes:
        m: the market.
        h: highest price.
        l: lowest price.
        v: volume in the first currency.
        r24h: the average price, says the page of the channel; the opening price, says that of REST.

    *Source:* Zonda API, market statistics.
    """

    m: str
    h: Decimal | None = None
    l: Decimal | None = None  # noqa: E741  # the wire's name
    v: Decimal | None = None
    r24h: Decimal | None = None


class StatsPush(Push, frozen=True, kw_only=True):
    """Figures of 24 hours changed.

    *Source:* Zonda API, market statistics.
    """

    message: tuple[Stats, ...]


class StatsBody(Part, frozen=True, kw_only=True):
    """Figures of one market, or with ``items`` those of all by their codes.

    *Source:* Zonda API, market statistics, "Snapshot".
    """

    status: str | None = None
    stats: Stats | None = None
    items: dict[str, Stats] | None = None


class StatsAnswer(Answer, frozen=True, kw_only=True):
    """Figures of 24 hours that were asked for.

    *Source:* Zonda API, market statistics, "Snapshot".
    """

    body: StatsBody


class PriceLevel(Part, frozen=True, kw_only=True):
    """What rests at a price.

    Attributes:
        ra: the price.
        ca: the total that rests now.
        sa: the total as placed; more than ``ca`` at a price that is partly filled.
        pa: as documented the total before the last change, as seen always ``ca``.
        co: number of orders.

    *Source:* Zonda API, orderbook and orderbook-limited.
    """

    ra: Decimal
    ca: Decimal
    sa: Decimal | None = None
    pa: Decimal | None = None
    co: Counter | None = None


class LevelChange(Part, frozen=True, kw_only=True):
    """What became of a price of the book.

    Attributes:
        market_code: in upper case.
        entry_type: ``Buy`` or ``Sell``.
        action: ``update``, with ``state``, or ``remove``, without.

    *Source:* Zonda API, orderbook and orderbook-limited.
    """

    market_code: str | None = None
    entry_type: str
    rate: Decimal
    action: str
    state: PriceLevel | None = None


class OrderBookChanges(Part, frozen=True, kw_only=True):
    """Prices that changed together.

    *Source:* Zonda API, orderbook and orderbook-limited.
    """

    changes: tuple[LevelChange, ...]
    timestamp: Millis | None = None


class OrderBookPush(Push, frozen=True, kw_only=True):
    """A book changed. A message of a window of 10, 50 or 100 prices a side also says what enters and leaves it.

    Attributes:
        seq_no: the one of the push before, plus 1.
        bid_floor: not on the wire: below this price the book is not known, since its snapshot ended here.
        ask_ceiling: not on the wire: above this price the book is not known.

    *Source:* Zonda API, orderbook and orderbook-limited.
    """

    seq_no: Counter  # pyright: ignore[reportGeneralTypeIssues]  # keyword-only: the order of defaults does not matter
    message: OrderBookChanges
    bid_floor: Decimal | None = msgspec.field(default=None, name="~bid_floor")
    ask_ceiling: Decimal | None = msgspec.field(default=None, name="~ask_ceiling")


class OrderBookBody(Part, frozen=True, kw_only=True):
    """A book, or its window.

    Attributes:
        sell: ascending, so that the best comes first.
        buy: ascending as well, so that the best comes last.
        seq_no: of the latest push that is in it, as a text.

    *Source:* Zonda API, orderbook and orderbook-limited, "Snapshot"; the order as recorded.
    """

    status: str | None = None
    sell: tuple[PriceLevel, ...]
    buy: tuple[PriceLevel, ...]
    timestamp: Millis | None = None
    seq_no: Digits


class OrderBookAnswer(Answer, frozen=True, kw_only=True):
    """A book that was asked for, fitted to the pushes around it.

    Attributes:
        later: not on the wire: pushes that came before it and are newer, to be applied after it, in order; what is
            pushed from here on follows the last of them, or else the book.
        bid_floor: not on the wire: below this price the book is not known; ``None`` where it is whole.
        ask_ceiling: not on the wire: above this price the book is not known.

    *Source:* Zonda API, orderbook and orderbook-limited, "Snapshot".
    """

    body: OrderBookBody
    later: tuple[OrderBookPush, ...] = msgspec.field(default=(), name="~later")
    bid_floor: Decimal | None = msgspec.field(default=None, name="~bid_floor")
    ask_ceiling: Decimal | None = msgspec.field(default=None, name="~ask_ceiling")


class Transaction(Part, frozen=True, kw_only=True):
    """A trade.

    Attributes:
        id: a UUID.
        t: when it happened.
        a: amount in the first currency.
        r: price.
        ty: ``Buy`` or ``Sell``, the side of the taker.

    *Source:* Zonda API, last transactions.
    """

    id: str
    t: Millis
    a: Decimal
    r: Decimal
    ty: str | None = None


class TransactionList(Part, frozen=True, kw_only=True):
    """Trades that are pushed together.

    *Source:* Zonda API, last transactions.
    """

    transactions: tuple[Transaction, ...]


class TransactionsPush(Push, frozen=True, kw_only=True):
    """Trades happened. The page of the user's own trades shows them in this layout too.

    *Source:* Zonda API, last transactions, and transactions history.
    """

    message: TransactionList


class TransactionsBody(Part, frozen=True, kw_only=True):
    """The latest trades.

    *Source:* Zonda API, last transactions, "Snapshot".
    """

    status: str | None = None
    items: tuple[Transaction, ...]


class TransactionsAnswer(Answer, frozen=True, kw_only=True):
    """The latest trades that were asked for: history.

    *Source:* Zonda API, last transactions, "Snapshot".
    """

    body: TransactionsBody


class Rate(Part, frozen=True, kw_only=True):
    """An exchange rate of the fiat cantor, as a JSON number.

    *Source:* Zonda API, approximate rate.
    """

    rate: Decimal
    rate_currency: str | None = None


class RatePush(Push, frozen=True, kw_only=True):
    """The rate from one currency to another changed.

    *Source:* Zonda API, approximate rate.
    """

    message: Rate
