"""cryptofeed: typed objects of its own in callbacks, with a book that it keeps; Upbit in its short format."""

from __future__ import annotations

import os
import sys
from decimal import Decimal
from typing import Any

from cryptofeed import FeedHandler
from cryptofeed.connection import WebsocketEndpoint
from cryptofeed.defines import BID, L2_BOOK, TICKER, TRADES
from cryptofeed.exchanges import Coinbase, Upbit
from cryptofeed.symbols import Symbol, Symbols

from benchmarks.contestants.meter import Meter, begin
from benchmarks.contestants.requests import PATHS
from benchmarks.contestants.tally import Tally

__all__ = ["main"]


def value(event: Any) -> Decimal | None:
    """The sum of the prices of a message as it was before cryptofeed took it; of Upbit the best bid."""
    raw = event.raw
    match raw.get("type", raw.get("ty")):
        case "l2update":
            return sum((price for side in event.delta.values() for price, _ in side), Decimal(0))
        case "ticker" | "match":
            return Decimal(raw["price"])
        case "trade" if raw["st"] == "REALTIME":
            return Decimal(event.price)
        case "orderbook" if raw["st"] == "REALTIME":
            return Decimal(event.book[BID].index(0)[0])
    return None


class Anywhere(str):
    """An address that passes for one with TLS: cryptofeed connects to no other."""

    __slots__ = ()

    def startswith(self, *_: Any) -> bool:
        return True


def run(meter: Meter) -> None:
    task = meter.task
    tally = Tally(meter, value, lambda: leave(meter))

    async def callback(event: Any, received: float) -> None:  # noqa: ARG001  # as cryptofeed calls it
        tally.take(event)

    base = {"coinbase": Coinbase, "upbit": Upbit}[task.venue]
    symbols = {}
    for one in task.instruments:
        first, second = one.split("-")
        coin, quote = (second, first) if task.venue == "upbit" else (first, second)
        symbols[Symbol(coin, quote).normalized] = one
    Symbols.set(base.id, symbols, {"instrument_type": dict.fromkeys(symbols, "spot")})
    address = Anywhere(task.url + PATHS[task.venue])
    base.websocket_endpoints = [WebsocketEndpoint(address, options={"compression": None})]
    channels = {"coinbase": [L2_BOOK, TICKER, TRADES], "upbit": [L2_BOOK, TRADES]}[task.venue]
    handler = FeedHandler(config={"log": {"disabled": True, "filename": os.devnull}})
    feed = base(symbols=list(symbols), channels=channels, callbacks=dict.fromkeys(channels, callback))
    handler.add_feed(feed)
    handler.run(install_signal_handlers=False)


def leave(meter: Meter) -> None:
    """Say the result and go: cryptofeed takes seconds to stop."""
    meter.say()
    sys.stdout.flush()
    os._exit(0)


def main() -> None:
    run(begin("cryptofeed"))


if __name__ == "__main__":
    main()
