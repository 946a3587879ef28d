"""What type checkers must say about values; never run, only checked by mypy and pyright."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal, assert_type

import trioquotes as tq


def side_of(trade: tq.Trade) -> None:
    """Prices are exact, and what a venue may not say is optional."""
    assert_type(trade.price, Decimal)
    assert_type(trade.taker_side, Literal["buy", "sell"] | None)
    assert_type(trade.venue_time_ns, int | None)
    assert_type(trade.received_ns, int)


def match_event(event: tq.Event) -> Decimal | str | int | None:
    """A match narrows an event to its class."""
    match event:
        case tq.Trade(price=price):
            return assert_type(price, Decimal)
        case tq.Gap(reason=reason):
            return assert_type(reason, str)
        case tq.Lagged(dropped=dropped):
            return assert_type(dropped, int)
        case tq.Quote(bid=bid):
            return assert_type(bid, Decimal | None)
        case _:
            return None


def price_of(topic: tq.Topic[tq.Trade]) -> None:
    """A function may ask for a topic by what it carries."""


def watch(topic: tq.Topic[tq.BookSnapshot | tq.BookChange]) -> None:
    """A book's topic carries snapshots and changes."""


def any_topic(topic: tq.Topic[tq.Event]) -> None:
    """A topic of something is a topic of events."""


price_of(tq.Trades("BTC-USD"))
watch(tq.Books("BTC-USD", depth=15))
any_topic(tq.Balances(("account",)))
price_of(tq.Quotes("BTC-USD"))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def read_book(book: tq.OrderBook) -> None:
    """A side of a book may be empty, or unknown."""
    assert_type(book.best_bid, tuple[Decimal, Decimal] | None)
    assert_type(book.spread, Decimal | None)
    assert_type(book.levels("ask", 10), tuple[tuple[Decimal, Decimal], ...])
    book.levels("sell")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


key = tq.ApiKey("key", "secret", passphrase="phrase")
assert_type(key.secret, tq.Secret)
assert_type(key.secret.reveal(), str)
assert_type(tq.ApiKey.from_env("COINBASE"), tq.ApiKey)


async def from_the_vault() -> tq.BearerToken:
    """A provider is an async function."""
    return tq.BearerToken("token")


provider: tq.CredentialsProvider = from_the_vault
