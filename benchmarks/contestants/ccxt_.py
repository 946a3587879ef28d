"""ccxt pro: every message becomes one of its dictionaries with floats, and the newest one of each kind wakes the user.

Messages are counted where ccxt handles them, since a user that waits sees only the newest of several.
"""

from __future__ import annotations

import asyncio
import base64
from decimal import Decimal
from typing import Any

import ccxt.pro

from benchmarks.contestants.meter import Meter, begin
from benchmarks.contestants.tally import Tally

__all__ = ["main"]

CLASSES = {"coinbase": ccxt.pro.coinbaseexchange, "upbit": ccxt.pro.upbit}


def value(message: Any) -> Decimal | None:
    """The sum of the prices of a message as it was before ccxt took it."""
    match message.get("type"):
        case "l2update":
            return sum((Decimal(price) for _, price, _ in message["changes"]), Decimal(0))
        case "ticker" | "match":
            return Decimal(message["price"])
        case "trade" if message["stream_type"] == "REALTIME":
            return Decimal(str(message["trade_price"]))
        case "orderbook" if message["stream_type"] == "REALTIME":
            return Decimal(str(message["orderbook_units"][0]["bid_price"]))
    return None


def make(meter: Meter, ended: asyncio.Event) -> Any:
    """An exchange that counts, and that looks for nothing but its socket at our server."""
    task = meter.task
    tally = Tally(meter, value, ended.set)
    base = CLASSES[task.venue]

    class Counting(base):  # type: ignore[misc,valid-type]
        def handle_message(self, client: Any, message: Any) -> None:
            super().handle_message(client, message)
            tally.take(message)

    keys = {"apiKey": "key", "secret": base64.b64encode(b"secret").decode(), "password": "pass"}
    exchange = Counting(keys | ({"cafile": task.authority} if task.tls else {}))
    exchange.urls["api"]["ws"] = task.url + ("/" if task.venue == "coinbase" else "/websocket/v1")
    markets = []
    for one in task.instruments:
        first, second = one.split("-")
        quote, coin = (first, second) if task.venue == "upbit" else (second, first)
        markets.append(
            exchange.safe_market_structure(
                {
                    "id": one,
                    "symbol": f"{coin}/{quote}",
                    "base": coin,
                    "quote": quote,
                    "baseId": coin,
                    "quoteId": quote,
                }
            )
        )
    exchange.set_markets(markets)
    return exchange


async def again(call: Any, *arguments: Any) -> None:
    """The user's loop."""
    while True:
        await call(*arguments)


async def run(meter: Meter) -> None:
    task, ended = meter.task, asyncio.Event()
    exchange = make(meter, ended)
    symbols = exchange.symbols
    match task.feed:
        case "coinbase-ticker":
            loops = [again(exchange.watch_tickers, symbols)]
        case "coinbase-mix":
            loops = [
                again(exchange.watch_tickers, symbols),
                again(exchange.watch_trades_for_symbols, symbols),
                again(exchange.watch_order_book_for_symbols, symbols),
            ]
        case _:
            loops = [again(exchange.watch_order_book, symbol) for symbol in symbols]
            loops.append(again(exchange.watch_trades_for_symbols, symbols))
    users = [asyncio.ensure_future(loop) for loop in loops]
    await asyncio.wait([asyncio.ensure_future(ended.wait()), *users], return_when=asyncio.FIRST_COMPLETED)
    for one in users:
        if one.done():
            one.result()
        one.cancel()
    await asyncio.gather(*users, return_exceptions=True)
    await exchange.close()


def main() -> None:
    meter = begin("ccxt")
    asyncio.run(run(meter))
    meter.say()


if __name__ == "__main__":
    main()
